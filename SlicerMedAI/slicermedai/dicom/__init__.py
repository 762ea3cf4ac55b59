"""DICOM and image files in: series, the geometry gate, shared output headers."""
