"""Results out: one file a format, one table of them (:mod:`slicermedai.export.formats`)."""
