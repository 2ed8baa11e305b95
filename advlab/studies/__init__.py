"""Questions to whole data sets and several models."""
