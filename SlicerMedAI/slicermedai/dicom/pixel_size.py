"""How large a pixel of a projection or photograph is, and in which plane (PS3.3 10.7, C.8.11.3, C.8.11.5).

A projection magnifies: Imager Pixel Spacing is that of the detector, and what lies before it is smaller than it looks.
Pixel Spacing is in the patient only where somebody calibrated it, for the depth of what it was calibrated on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset

from slicermedai.dicom.files import text_of
from slicermedai.domain.geometry import Space
from slicermedai.errors import UnsupportedImageError

_CALIBRATED = {
    "GEOMETRY": "calibrated by the geometry of the machine",
    "FIDUCIAL": "calibrated on an object of known size",
}
_DETECTOR = (
    "Lengths are those in the plane of the detector; in the patient they are shorter, by how much is not stated."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelSize:
    """(rows, columns) between centres, in the unit of ``space``; ``note`` says for a person what the numbers mean."""

    spacing: tuple[float, float]
    space: Space
    note: str


def pixel_size(dataset: Dataset, file: Path) -> PixelSize:
    """The size of a pixel as far as ``dataset`` states it; 1 pixel (or its aspect ratio) where it does not.

    Raises
    ------
    UnsupportedImageError
        A spacing that is no two positive numbers.
    """
    imager, pixel = _pair(dataset, file, "ImagerPixelSpacing"), _pair(dataset, file, "PixelSpacing")
    if pixel and (not imager or not np.allclose(pixel, imager, rtol=1e-4) or _calibration(dataset)):
        return PixelSize(spacing=pixel, space=Space.PLANE, note=_calibrated_note(dataset, has_imager=bool(imager)))
    if imager:
        return PixelSize(spacing=imager, space=Space.PLANE, note=_detector_note(dataset))
    if film := _pair(dataset, file, "NominalScannedPixelSpacing"):
        return PixelSize(spacing=film, space=Space.PLANE, note="Lengths are those on the film that was scanned.")
    aspect = _pair(dataset, file, "PixelAspectRatio") or (1.0, 1.0)
    shape = (aspect[0] / aspect[1], 1.0)
    return PixelSize(spacing=shape, space=Space.PIXELS, note="The size of a pixel is not stated: there are no mm.")


def _calibration(dataset: Dataset) -> str:
    return text_of(dataset, "PixelSpacingCalibrationType").upper()


def _calibrated_note(dataset: Dataset, *, has_imager: bool) -> str:
    how = _CALIBRATED.get(_calibration(dataset))
    if how:
        return f"Lengths are {how}; they hold at the depth of that calibration alone."
    if has_imager:
        return "Lengths were calibrated, how is not stated (PixelSpacingCalibrationType): take them as estimates."
    return "Lengths follow Pixel Spacing; whether in the patient or at the detector is not stated."


def _detector_note(dataset: Dataset) -> str:
    try:
        factor = float(text_of(dataset, "EstimatedRadiographicMagnificationFactor") or 0)
    except ValueError:
        factor = 0.0
    if not np.isfinite(factor) or factor <= 0:
        return _DETECTOR
    return (
        "Lengths are those in the plane of the detector; the header estimates a magnification of "
        f"{factor:.3g}, by which lengths in the patient are shorter."
    )


def _pair(dataset: Dataset, file: Path, keyword: str) -> tuple[float, float] | None:
    value = dataset.get(keyword)
    if value is None or value == "" or not hasattr(value, "__len__") or not len(value):
        return None
    try:
        first, second = (float(part) for part in value)
    except (TypeError, ValueError):
        first = second = 0.0
    if not (np.isfinite([first, second]).all() and min(first, second) > 0):
        raise UnsupportedImageError(
            "is not two positive numbers", file=file, attribute=keyword, advice="Export the image again."
        )
    return first, second
