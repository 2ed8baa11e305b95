"""Attacks that rewrite words and characters."""
