"""How an image was made, as its header says it: it tells whether a model was made for images of this kind."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pydicom import Dataset

from slicermedai.dicom.files import READ_ERRORS, quiet
from slicermedai.dicom.planes import frame_value
from slicermedai.domain.volume import Acquisition

_NUMBERS = {
    "RepetitionTime": ("RepetitionTime",),
    "EchoTime": ("EffectiveEchoTime", "EchoTime"),
    "InversionTime": ("InversionTimes", "InversionTime"),
    "FlipAngle": ("FlipAngle",),
    "KVP": ("KVP",),
}
_TEXTS = (
    "ScanningSequence",
    "SequenceVariant",
    "EchoPulseSequence",
    "InversionRecovery",
    "AcquisitionContrast",
    "BodyPartExamined",
)


def acquisition_of(header: Dataset, *, frame: int = 0) -> Acquisition:
    """What ``header`` states of ``frame`` (from 0), by keyword; times in ms, several texts joined by a backslash.

    Enhanced objects (PS3.3 C.8.13) come out under the classic names: EffectiveEchoTime as EchoTime, the first of
    InversionTimes as InversionTime. Numbers that are no positive numbers are left out: scanners and anonymizers write
    0 for "unknown". The coded part of the body comes out as AnatomicRegion, by its meaning.
    """
    with quiet():
        return (*_numbers(header, frame), *_texts(header, frame), *_region(header, frame))


def _numbers(header: Dataset, frame: int) -> Iterator[tuple[str, float]]:
    for name, keywords in _NUMBERS.items():
        found = (_number(_value(header, frame, keyword)) for keyword in keywords)
        number = next((value for value in found if value is not None), None)
        if number is not None:
            yield name, number


def _texts(header: Dataset, frame: int) -> Iterator[tuple[str, str]]:
    for keyword in _TEXTS:
        text = "\\".join(str(part).strip() for part in _many(_value(header, frame, keyword)))
        if text:
            yield keyword, text


def _region(header: Dataset, frame: int) -> Iterator[tuple[str, str]]:
    """The meaning of the coded region (C.7.6.5), as ``AnatomicRegion``."""
    for item in _many(_value(header, frame, "AnatomicRegionSequence"))[:1]:
        meaning = str(item.get("CodeMeaning") or "").strip() if isinstance(item, Dataset) else ""
        if meaning:
            yield "AnatomicRegion", meaning


def _value(header: Dataset, frame: int, keyword: str) -> Any:
    try:
        return frame_value(header, frame, keyword)
    except READ_ERRORS:
        return None


def _number(value: Any) -> float | None:
    parts = _many(value)
    try:
        number = float(parts[0]) if parts else 0.0
    except (TypeError, ValueError):
        return None
    return number if number > 0 and math.isfinite(number) else None


def _many(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__") else list(value)
