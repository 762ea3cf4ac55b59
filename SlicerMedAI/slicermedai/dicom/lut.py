"""Look-up tables and windows of projections: stored value to modality value to what is shown (PS3.3 C.11.1, C.11.2).

pydicom's ``apply_windowing`` is right and is used. Of its tables, ``apply_voi`` is wrong for outputs of 8 bits from
more than 256 entries (the index wraps), and ``apply_modality_lut`` fails for outputs of 10 to 15 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_windowing

from slicermedai.dicom.decimals import decimal_string

FloatArray = NDArray[np.float64]
_FULL = 0xFFFF
_BITS = range(8, 17)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Output ``values``, for inputs from ``first`` on; ``top`` is the largest number of its bits."""

    values: NDArray[np.uint16]
    first: int
    top: int

    def __call__(self, array: NDArray[Any]) -> NDArray[np.uint16]:
        """The output for each of ``array``, rounded; inputs below and above take the first and the last."""
        place = np.rint(array).astype(np.int64) - self.first
        return np.asarray(self.values[np.clip(place, 0, len(self.values) - 1)])

    def rise(self, array: NDArray[Any]) -> float:
        """How the output runs between the least and the largest of ``array``: 1 rises alone, -1 falls alone."""
        ends = np.rint([array.min(), array.max()]).astype(np.int64) - self.first
        start, stop = np.clip(ends, 0, len(self.values) - 1)
        steps = np.diff(self.values[start : stop + 1].astype(np.int64))
        moved = int(np.abs(steps).sum())
        return float(steps.sum() / moved) if moved else 1.0


def table_of(item: Dataset, *, signed: bool, little: bool) -> Table:
    """The table of an item of Modality or VOI LUT Sequence, for ``signed`` inputs.

    Raises
    ------
    ValueError
        A descriptor that is none, bits other than 8 to 16, or fewer entries than it says.
    """
    entries, first, bits = (int(part) for part in item.LUTDescriptor)
    entries = entries or 0x10000
    if bits not in _BITS:
        raise ValueError("bits of a table")
    if signed and first > 0x7FFF:
        first -= 0x10000
    elif not signed and first < 0:
        first += 0x10000
    values = _entries(item["LUTData"].value, entries, little=little)
    if len(values) < entries:
        raise ValueError("entries of a table")
    return Table(values=values[:entries], first=first, top=2**bits - 1)


def _entries(data: Any, entries: int, *, little: bool) -> NDArray[np.uint16]:
    """LUT Data as US, SS or OW; bytes as many as there are entries hold one each."""
    if not isinstance(data, bytes):
        return (np.atleast_1d(np.asarray(data, dtype=np.int64)) & 0xFFFF).astype(np.uint16)
    if len(data) in (entries, entries + entries % 2):
        return np.frombuffer(data, np.uint8).astype(np.uint16)
    return np.frombuffer(data[: len(data) // 2 * 2], "<u2" if little else ">u2").astype(np.uint16)


def windowed(array: NDArray[Any], *, center: float, width: float, function: str) -> FloatArray:
    """``array`` through a window, 0 to 1; ``function`` is LINEAR, LINEAR_EXACT or SIGMOID (C.11.2.1.2, C.11.2.1.3).

    Raises
    ------
    ValueError
        Another function, or a width that it does not allow.
    """
    window = Dataset()
    window.PhotometricInterpretation = "MONOCHROME2"
    window.BitsStored, window.PixelRepresentation = 16, 0
    window.WindowCenter, window.WindowWidth = decimal_string(center), decimal_string(width)
    window.VOILUTFunction = function
    return np.asarray(apply_windowing(array, window) / _FULL, dtype=np.float64)
