"""Regions in, numbers with units out."""
