"""What the numbers of a series measure, and whether that is one thing in all its slices (PS3.3 C.11.1, C.8.2.1).

Each slice has its own slope and intercept; that all say what kind of number comes out is not for granted: files that
passed a converter lack them, and nothing in a volume would show that a part of it is on another scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydicom import Dataset

from slicermedai.dicom.files import text_of
from slicermedai.dicom.planes import Plane, frame_value
from slicermedai.errors import UnsupportedImageError

_RESCALE = {"RescaleSlope": 1.0, "RescaleIntercept": 0.0}
"""What is taken where a slice does not say it."""
_LARGEST_HU = 32_767
_ADVICE = "Export the original series again."

Said = Callable[[Plane], Any]


def check_one_scale(planes: Sequence[Plane], datasets: Mapping[Path, Dataset]) -> None:
    """Raise where some slices say what their values are, and others do not, or say it otherwise.

    Raises
    ------
    UnsupportedImageError
        Names the file and the attribute.
    """
    for keyword, default in _RESCALE.items():
        said = [frame_value(datasets[plane.file], plane.frame, keyword) for plane in planes]
        _check_stated(planes, said, keyword, default)
    _check_same(planes, lambda plane: _rescale_type(datasets[plane.file], plane.frame), "RescaleType")
    _check_same(planes, lambda plane: text_of(datasets[plane.file], "Units"), "Units")


def _check_stated(planes: Sequence[Plane], said: Sequence[Any], keyword: str, default: float) -> None:
    absent = [value is None or value == "" for value in said]
    others = [float(value) for value, missing in zip(said, absent, strict=True) if not missing]
    if any(absent) and any(value != default for value in others):
        raise UnsupportedImageError(
            "is missing in some slices, and others say it: these would be on two scales",
            file=planes[absent.index(True)].file,
            attribute=keyword,
            advice=_ADVICE,
        )


def _check_same(planes: Sequence[Plane], said: Said, attribute: str) -> None:
    first = said(planes[0])
    other = next((plane for plane in planes if said(plane) != first), None)
    if other is not None:
        which = f"of {_name(other)} " if other.frames > 1 else ""
        raise UnsupportedImageError(
            f"{which}is not that of {_name(planes[0])}: the slices measure two things",
            file=other.file,
            attribute=attribute,
            advice="Choose a series of one kind of values.",
        )


def _name(plane: Plane) -> str:
    return f"frame {plane.frame + 1}" if plane.frames > 1 else plane.file.name


def _rescale_type(header: Dataset, frame: int) -> str:
    """Of CT; what is not said there is HU (C.8.2.1.1.2). Elsewhere it tells nothing that is relied upon."""
    if text_of(header, "Modality") != "CT":
        return ""
    return str(frame_value(header, frame, "RescaleType") or "HU").strip().upper()


def no_hounsfield(header: Dataset, frame: int, array: NDArray[Any]) -> str:
    """Why the values of a CT are not taken for Hounsfield units, as a sentence for people; "" where they are."""
    if frame_value(header, frame, "RescaleIntercept") in (None, ""):
        reason = "RescaleIntercept is missing"
    elif _rescale_type(header, frame) != "HU":
        reason = "RescaleType says that they are something else"
    elif header.get("PixelRepresentation") == 0 and float(frame_value(header, frame, "RescaleIntercept")) >= 0:
        reason = "by PixelRepresentation and RescaleIntercept none of them can be below 0, as air and fat are"
    elif int(array.max()) > _LARGEST_HU:
        reason = f"they go beyond {_LARGEST_HU}, as where PixelRepresentation or RescaleIntercept is wrong"
    else:
        return ""
    return f"The values are not known to be Hounsfield units: {reason}. A model for CT may take them wrongly."
