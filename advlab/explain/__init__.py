"""Explanations of one example: saliency, nearest tokens and exit radii, faithful geometry."""
