"""The Train pages."""
