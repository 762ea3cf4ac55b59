"""What else a header says of size, place and tilt, held against what the positions of the slices say.

Positions and Pixel Spacing decide (:mod:`slicermedai.dicom.gate`). Where another attribute contradicts them the image
may have been made larger or smaller, made straight, or lost slices after it was acquired, without all of the header:
that cannot be told from headers, so people are told, and nothing is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from pydicom import Dataset

from slicermedai.dicom.files import READ_ERRORS, quiet
from slicermedai.dicom.gate import Stack
from slicermedai.dicom.planes import frame_value

_GAP = 1.5
"""Distance of slices over their thickness beyond which something was not imaged; usual gaps are a fifth."""
_TILT_DEGREES = 1.0
_FIELD = 0.05
"""Part of the field by which it may differ from what the pixels make of it."""


def contradictions_of(header: Dataset, stack: Stack) -> Iterator[str]:
    """Sentences for people, without patient data; ``header`` is that of the first slice of ``stack``."""
    with quiet():
        yield from _gap(header, stack)
        yield from _between(stack)
        if header.get("Modality") == "CT":
            yield from _tilt(header, stack)
            yield from _field(header, stack)


def _gap(header: Dataset, stack: Stack) -> Iterator[str]:
    """The distance along the normal, which a lean does not make longer."""
    thick = _number(header, stack, "SliceThickness")
    apart = float(stack.geometry.spacing[0]) * math.cos(math.radians(stack.tilt_degrees))
    if thick and thick > 0 and apart > _GAP * thick:
        yield (
            f"Slices are {thick:.3g} mm thick (SliceThickness) and {apart:.3g} mm apart: what lies between them was "
            "not imaged, or every other slice is missing; volumes take it as the slices beside it."
        )


def _between(stack: Stack) -> Iterator[str]:
    """Slices of several acquisitions in turn: one even stack, be it of one body or of a body that moved."""
    numbers = [plane.acquisition[0] for plane in stack.planes]
    period = len(set(numbers))
    if period > 1 and len(numbers) >= 2 * period and numbers[period:] == numbers[:-period]:
        yield (
            f"The slices of {period} acquisitions lie between one another (AcquisitionNumber): where the patient moved "
            "from one to the next, shapes and volumes are wrong."
        )


def _tilt(header: Dataset, stack: Stack) -> Iterator[str]:
    stated = _number(header, stack, "GantryDetectorTilt")
    if stated is not None and abs(abs(stated) - stack.tilt_degrees) > _TILT_DEGREES:
        yield (
            f"GantryDetectorTilt says {abs(stated):.1f} degrees, and by their positions the slices lean by "
            f"{stack.tilt_degrees:.1f}: where these were changed without the pixels, shapes and places are wrong."
        )


def _field(header: Dataset, stack: Stack) -> Iterator[str]:
    """Reconstruction Diameter (C.8.2.1) is the edge of the square that was reconstructed."""
    stated = _number(header, stack, "ReconstructionDiameter")
    size = max(n * mm for n, mm in zip(stack.geometry.shape[1:], stack.geometry.spacing[1:], strict=True))
    if stated and stated > 0 and abs(size / stated - 1) > _FIELD:
        yield (
            f"ReconstructionDiameter says {stated:.0f} mm, and the pixels make {size:.0f} mm by PixelSpacing: the "
            "image was cut, or its pixels are of another size, and then all volumes and lengths are wrong."
        )


def _number(header: Dataset, stack: Stack, keyword: str) -> float | None:
    try:
        found = float(frame_value(header, stack.planes[0].frame, keyword))
    except READ_ERRORS:
        return None
    return found if math.isfinite(found) else None
