"""Destinations that results are sent to."""
