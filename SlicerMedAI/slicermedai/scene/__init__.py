"""Results as MRML nodes, and back; the only package that knows Slicer and VTK."""
