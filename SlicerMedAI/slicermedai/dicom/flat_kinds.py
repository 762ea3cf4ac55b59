"""Which SOP classes hold single pictures, not slices: projections, photographs, and captures of screens (PS3.4 B.5)."""

from __future__ import annotations

_ROOT = "1.2.840.10008.5.1.4.1.1."

PROJECTIONS = frozenset(_ROOT + end for end in ("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1"))
"""Computed radiography; digital X-ray, mammography and intra-oral X-ray, each for presentation and for processing."""

PHOTOGRAPHS = frozenset(
    _ROOT + end for end in ("77.1.1", "77.1.4", "77.1.7", "77.1.5.1", "77.1.5.2", "77.1.5.5", "77.1.5.6")
)
"""Endoscopic, photographic and dermoscopic images; ophthalmic photographs of 8 and 16 bits, and of a wide field."""

CAPTURES = frozenset(_ROOT + end for end in ("7", "7.1", "7.2", "7.3", "7.4"))
"""Secondary capture: what is in them is not known."""

FLAT = PROJECTIONS | PHOTOGRAPHS | CAPTURES
