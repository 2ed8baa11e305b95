"""Guided labs: what each step asks, shows and measures, and how far a learner is."""
