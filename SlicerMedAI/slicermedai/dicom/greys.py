"""The greys of a projection, twice: values of the modality, and as they are meant to be shown (PS3.4 N.2).

Stored values go through Modality LUT or rescale, then VOI LUT or window, then the presentation: MONOCHROME1, and
Presentation LUT Shape INVERSE, show low values white, and so does a VOI LUT that falls. What comes out here is bright
where it is high, always.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from slicermedai.dicom.files import READ_ERRORS, quiet, text_of
from slicermedai.dicom.lut import FloatArray, table_of, windowed
from slicermedai.dicom.pixels import padding_of
from slicermedai.domain.flat import WHITE
from slicermedai.errors import UnreadableFileError, UnsupportedImageError

_ONE_WAY = 0.9
_TURNED = {
    (True, False): "turned: low values are stored white",
    (False, True): "turned: the VOI LUT shows low values white",
    (True, True): "not turned: low values are stored white, and the VOI LUT shows them black",
}
"""By (presentation, VOI LUT): which of them shows low values white."""
_RAW = "the header says FOR PROCESSING: raw values of the detector, which are not made to be looked at"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Greys:
    """One picture: ``values`` of the modality and ``display`` (0 to 255), both (rows, columns), high where bright.

    ``steps`` say what was done, ``warnings`` what a person must know, ``shown`` why ``display`` is not what was meant.
    """

    values: NDArray[Any]
    display: NDArray[np.float32]
    steps: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    shown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Modality:
    """Values after the modality transformation, their possible range, and what was done."""

    values: NDArray[Any]
    low: float
    high: float
    step: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shown:
    """0 to 1 before the presentation, by what ("" where nothing is stated), and how it rises with the values."""

    fraction: FloatArray
    by: str = ""
    rise: float = 1.0


def greys_of(stored: NDArray[Any], dataset: Dataset, file: Path) -> Greys:
    """The greys of ``stored`` (rows, columns), whose header is ``dataset``.

    Raises
    ------
    UnsupportedImageError
        Photometric Interpretation and Presentation LUT Shape contradict each other, or the VOI LUT rises and falls.
    UnreadableFileError
        A table or a window that cannot be used; the attributes are named.
    """
    inverted = _is_inverted(dataset, file)
    try:
        with quiet():
            modality = _modality(stored, dataset)
            padding = _padding(stored, dataset)
            shown = _shown(modality, dataset, seen=modality.values if padding is None else modality.values[~padding])
    except READ_ERRORS as error:
        raise UnreadableFileError(
            f"no usable table or window ({type(error).__name__})",
            file=file,
            attribute="ModalityLUTSequence, RescaleSlope, VOILUTSequence, WindowCenter, WindowWidth",
            advice="Export the image again.",
        ) from error
    falls = _falls(shown, file)
    values = _turned(modality) if inverted != falls else modality.values
    fraction = 1 - shown.fraction if inverted else shown.fraction
    display = (np.clip(fraction, 0, 1) * WHITE).astype(np.float32)
    steps = [modality.step, shown.by or "no VOI transformation is stated: the whole range is shown"]
    steps += [_TURNED[inverted, falls]] if inverted or falls else []
    if padding is not None:
        values = np.where(padding, values[~padding].min(), values)
        display = np.where(padding, np.float32(0), display)
        steps.append("pixel padding is black")
    raw = text_of(dataset, "PresentationIntentType").upper() == "FOR PROCESSING"
    return Greys(
        values=values,
        display=display,
        steps=tuple(steps),
        warnings=tuple(_warnings(dataset, has_voi=bool(shown.by))),
        shown=_RAW if raw else "",
    )


def _padding(stored: NDArray[Any], dataset: Dataset) -> NDArray[np.bool_] | None:
    """(rows, columns), True where there is padding; None where there is none, or nothing else."""
    found = padding_of(stored, dataset)
    return found if found is not None and found.any() and not found.all() else None


def _is_inverted(dataset: Dataset, file: Path) -> bool:
    """True where low values are white. C.8.11.3.1.2: shape INVERSE belongs to MONOCHROME1, IDENTITY to MONOCHROME2."""
    white = text_of(dataset, "PhotometricInterpretation") == "MONOCHROME1"
    shape = text_of(dataset, "PresentationLUTShape").upper()
    if shape in ("INVERSE", "IDENTITY") and (shape == "INVERSE") != white:
        raise UnsupportedImageError(
            "they contradict each other: whether low values are black or white is not certain",
            file=file,
            attribute="PhotometricInterpretation, PresentationLUTShape",
            advice="Look at the image, and export it again with both attributes right.",
        )
    return white


def _modality(stored: NDArray[Any], dataset: Dataset) -> _Modality:
    signed = bool(dataset.get("PixelRepresentation"))
    bits = int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 16)
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if dataset.get("ModalityLUTSequence"):
        table = table_of(dataset.ModalityLUTSequence[0], signed=signed, little=_is_little(dataset))
        return _Modality(values=table(stored), low=0, high=table.top, step="Modality LUT")
    slope, intercept = (_number(dataset, k, d) for k, d in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0)))
    if slope == 0:
        raise ValueError("RescaleSlope")
    if slope == 1 and intercept == round(intercept):
        values: NDArray[Any] = stored.astype(np.int32 if bits <= 16 else np.int64) + int(intercept)
    else:
        values = (stored.astype(np.float64) * slope + intercept).astype(np.float32)
    low, high = sorted(end * slope + intercept for end in ends)
    plain = (slope, intercept) == (1.0, 0.0)
    return _Modality(
        values=values, low=low, high=high, step="values as stored" if plain else f"x {slope:g} + {intercept:g}"
    )


def _number(dataset: Dataset, keyword: str, default: float) -> float:
    value = dataset.get(keyword)
    number = default if value is None or value == "" else float(value)
    if not np.isfinite(number):
        raise ValueError(keyword)
    return number


def _falls(shown: _Shown, file: Path) -> bool:
    """True where the VOI LUT turns the greys."""
    if abs(shown.rise) < _ONE_WAY:
        raise UnsupportedImageError(
            "the table both rises and falls: whether high values are bright or dark is not certain",
            file=file,
            attribute="VOILUTSequence",
            advice="Export the image again with a window, or with a table that runs one way.",
        )
    return shown.rise < 0


def _shown(modality: _Modality, dataset: Dataset, *, seen: NDArray[Any]) -> _Shown:
    """How the values are shown; ``seen`` are those that are no padding."""
    if dataset.get("VOILUTSequence"):
        items = dataset.VOILUTSequence
        table = table_of(items[0], signed=modality.low < 0, little=_is_little(dataset))
        by = f"VOI LUT{_of_how_many(len(items))}"
        return _Shown(fraction=table(modality.values) / table.top, by=by, rise=table.rise(seen))
    centers, widths = (_numbers(dataset.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
    if centers and widths:
        function = text_of(dataset, "VOILUTFunction").upper() or "LINEAR"
        made = windowed(modality.values, center=centers[0], width=widths[0], function=function)
        step = f"window {centers[0]:g} / {widths[0]:g} ({function}){_of_how_many(min(len(centers), len(widths)))}"
        return _Shown(fraction=made, by=step)
    return _Shown(fraction=(modality.values.astype(np.float64) - modality.low) / (modality.high - modality.low))


def _of_how_many(count: int) -> str:
    return f", the first of {count}" if count > 1 else ""


def _numbers(value: Any) -> list[float]:
    if value is None or value == "":
        return []
    return [float(part) for part in value] if hasattr(value, "__len__") else [float(value)]


def _turned(modality: _Modality) -> NDArray[Any]:
    """The values mirrored in the middle of their possible range, not in that of this picture's own."""
    if modality.values.dtype.kind == "f":
        return (modality.low + modality.high - modality.values.astype(np.float64)).astype(np.float32)
    return np.asarray(int(modality.low + modality.high) - modality.values.astype(np.int64)).astype(
        np.int32 if modality.high < 2**31 else np.int64
    )


def _warnings(dataset: Dataset, *, has_voi: bool) -> list[str]:
    bits = int(dataset.get("BitsStored") or 16)
    if has_voi or bits <= 8:
        return []
    return [f"No window and no VOI LUT is stated: all {bits} bits are shown from black to white, and may look flat."]


def _is_little(dataset: Dataset) -> bool:
    syntax = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
    return bool(getattr(syntax, "is_little_endian", True))
