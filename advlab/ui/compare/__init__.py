"""The Compare pages."""
