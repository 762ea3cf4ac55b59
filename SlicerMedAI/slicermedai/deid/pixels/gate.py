"""Which images are read for text. What a file says of itself (BurnedInAnnotation NO) is never a reason not to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

_ALWAYS = {
    "1.2.840.10008.5.1.4.1.1.7": "a secondary capture",
    "1.2.840.10008.5.1.4.1.1.6": "an ultrasound image",
    "1.2.840.10008.5.1.4.1.1.3": "an ultrasound clip",
    "1.2.840.10008.5.1.4.1.1.1": "a radiograph",
    "1.2.840.10008.5.1.4.1.1.12": "an X-ray angiogram or fluoroscopy",
    "1.2.840.10008.5.1.4.1.1.77": "a photograph or an endoscopy",
    "1.2.840.10008.5.1.4.1.1.29": "a scanned film",
    "1.2.840.10008.5.1.4.1.1.20": "a nuclear medicine image",
    "1.2.840.10008.5.1.4.1.1.481.1": "a radiotherapy image",
    "1.2.840.10008.5.1.1": "a printed page",
}
_TELLING = ("SECONDARY", "SCREEN", "CAPTURE", "SCANNED", "REPORT", "RESULT", "POSTPROC", "TABLE", "DISPLAY", "DOSE")
_MASKS = frozenset({"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"})
_SAME, _STEP, _SHARE = 24, 0.2, 0.15


def why_read(dataset: Dataset) -> str:
    """Why the file is read for text, or "" where a screen of its frames decides.

    SOP class, Modality, ImageType, ConversionType and what the file says of itself; only a YES is believed.
    """
    if str(dataset.get("BurnedInAnnotation") or "").strip().upper() == "YES":
        return "it says that text is burned in"
    uid = str(dataset.get("SOPClassUID") or "")
    for root, title in _ALWAYS.items():
        if uid == root or uid.startswith(root + "."):
            return f"it is {title}"
    if dataset.get("ConversionType") or str(dataset.get("Modality") or "") in ("OT", "US", "SC", "ES", "XC", "DOC"):
        return "it was captured from a display, film or paper"
    if int(dataset.get("SamplesPerPixel") or 1) > 1 or "PALETTE" in str(dataset.get("PhotometricInterpretation") or ""):
        return "it is in colour"
    image_type = [str(value).upper() for value in dataset.get("ImageType") or ()]
    if any(telling in value for value in image_type for telling in _TELLING):
        return "its ImageType says that it is secondary"
    return ""


def is_mask(dataset: Dataset) -> bool:
    """True for a segmentation: a reader would take the shapes of organs for letters."""
    return str(dataset.get("SOPClassUID") or "") in _MASKS


def looks_written_on(frame: NDArray[np.generic]) -> bool:
    """True where a frame of stored values, (rows, columns), has sharp strokes of one value.

    Burned-in text is drawn in one value: at least 24 pixels of exactly that value have a neighbour that is further
    away than 20 % of the frame's range, and the value fills less than 15 % of the frame, which a background does not.
    """
    values = frame.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return False
    sharp = np.abs(np.diff(values, axis=1)) > _STEP * (high - low)
    for side in (values[:, 1:], values[:, :-1]):
        levels, counts = np.unique(side[sharp], return_counts=True)
        if any((values == level).mean() < _SHARE for level in levels[counts >= _SAME]):
            return True
    return False
