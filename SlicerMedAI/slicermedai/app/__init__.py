"""One presenter a Slicer module, without Qt and MRML."""
