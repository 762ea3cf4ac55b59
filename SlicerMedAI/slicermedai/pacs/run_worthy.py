"""Which objects a model may run on: images as they were taken, and never what was made from such, here or elsewhere.

Results are sent to archives, and come back by polling, by routing rules of the archive, or from a second inbox. A model
that runs on them makes results of results without end.
"""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import UID

from slicermedai.dicom.implementation import DEVICE_UID, MANUFACTURER

TAGS = (
    *("SOPClassUID", "ImageType", "Manufacturer", "DeviceSerialNumber", "ContributingEquipmentSequence"),
    *("SOPInstanceUID", "SeriesInstanceUID", "Modality", "BodyPartExamined", "SeriesDescription"),
)
"""What :func:`why_not_run` and the rules look at."""

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_MADE = {
    "7": "secondary capture",
    "9": "waveform",
    "11": "presentation state",
    "30": "parametric map",
    "66": "segmentation, registration or raw data",
    "67": "mapping of values",
    "68": "surface scan",
    "88": "structured report or key object selection",
    "104": "encapsulated document",
    "200": "protocol",
    "481": "radiotherapy object",
}
"""The arc below Storage (PS3.4 annex B.5) -> what its objects are."""


def why_not_run(dataset: Dataset) -> str:
    """Why no model may run on this object, in words without identity; "" where one may.

    A result of this program is known by the equipment that made it (PS3.3 C.7.5.1) or contributed to it (C.12.1.1.5);
    an image made after the examination by the first two values of ImageType, DERIVED and SECONDARY (C.7.6.1.1.2).
    """
    if _is_ours(dataset):
        return "result of this program"
    made = what_was_made(str(dataset.get("SOPClassUID", "") or ""))
    if made:
        return made
    values = [str(value).strip().upper() for value in _several(dataset.get("ImageType"))]
    return "secondary derived image" if values[:2] == ["DERIVED", "SECONDARY"] else ""


def what_was_made(sop_class: str) -> str:
    """What objects of this SOP class are, where they are made from images or of none; "" where they may be images."""
    if not sop_class.startswith(_STORAGE) or UID(sop_class).keyword == "RTImageStorage":  # a portal image is taken
        return ""
    return _MADE.get(sop_class.removeprefix(_STORAGE).partition(".")[0], "")


def _is_ours(dataset: Dataset) -> bool:
    return any(_names_us(one) for one in (dataset, *(dataset.get("ContributingEquipmentSequence") or ())))


def _names_us(equipment: Dataset) -> bool:
    told = [str(equipment.get(name, "") or "").strip() for name in ("Manufacturer", "DeviceSerialNumber")]
    return told[0].casefold() == MANUFACTURER.casefold() or told[1] == DEVICE_UID


def _several(value: object) -> list[object]:
    if value is None or isinstance(value, str):
        return [value] if value else []
    return list(value)  # type: ignore[call-overload, no-any-return]  # a MultiValue
