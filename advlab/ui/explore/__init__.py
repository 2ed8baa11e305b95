"""The Explore pages."""
