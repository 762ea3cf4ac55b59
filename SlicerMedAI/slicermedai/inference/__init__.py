"""Volumes and bundles in, predictions out."""
