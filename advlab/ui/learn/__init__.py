"""The Learn pages."""
