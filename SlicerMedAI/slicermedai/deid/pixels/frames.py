"""Frames of a file one at a time, as a person would see them: memory does not grow with the number of frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, RLELossless

from slicermedai.deid.datasets import PYDICOM_DAMAGE, as_found
from slicermedai.deid.pixels.tables import has_true_tables, without_tables
from slicermedai.errors import UnreadableFileError

Picture = NDArray[np.uint8]
Frame = NDArray[Any]

_KEEP = 0.0005
_SPAN = 128
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


class FrameSource(Protocol):
    """Frames with the header that says how they are shown."""

    @property
    def dataset(self) -> Dataset:
        """The header, without pixels."""

    @property
    def count(self) -> int:
        """How many frames there are."""

    def frames(self, indices: Iterable[int] | None = None) -> Iterator[Frame]:
        """(rows, columns) of stored values, or (rows, columns, 3) of RGB."""


@dataclass(frozen=True, slots=True, eq=False)
class FileFrames:
    """The frames of a DICOM file of any transfer syntax that can be decoded.

    Raises
    ------
    UnreadableFileError
        From :meth:`open` and :meth:`frames`: damaged, or no decoder is installed.
    """

    path: Path
    dataset: Dataset

    @staticmethod
    def open(path: Path) -> FileFrames:
        """Read the header."""
        try:
            with as_found():
                dataset = dcmread(path, stop_before_pixels=True)
                dataset.decode()
        except PYDICOM_DAMAGE as error:
            raise _unreadable(path, error) from error
        return FileFrames(path, dataset)

    @property
    def count(self) -> int:
        """Number of Frames (0028,0008), 1 where it is absent."""
        try:
            return max(int(self.dataset.get("NumberOfFrames") or 1), 1)
        except (TypeError, ValueError):
            return 1

    @property
    def syntax(self) -> UID:
        """Transfer Syntax UID."""
        return UID(str(self.dataset.file_meta.TransferSyntaxUID))

    def frames(self, indices: Iterable[int] | None = None) -> Iterator[Frame]:
        """(rows, columns) of stored values, or (rows, columns, 3) of RGB, palettes applied."""
        for frame in self.decoded(indices, raw=False):
            yield self._coloured(frame)

    def decoded(self, indices: Iterable[int] | None = None, *, raw: bool) -> Iterator[Frame]:
        """Frames as the decoder hands them out; ``raw``: without conversion of the colour space, and of RLE with what
        lies in bits that are no part of the samples."""
        options: dict[str, Any] = {"correct_unused_bits": False} if raw and self.syntax == RLELossless else {}
        chosen = None if indices is None else list(indices)
        if chosen == []:
            return
        try:
            with as_found():
                yield from iter_pixels(self._decodable(), indices=chosen, raw=raw, **options)
        except PYDICOM_DAMAGE as error:
            raise _unreadable(self.path, error) from error

    def _decodable(self) -> Path | Dataset:
        """The file, of which frames are read one by one; a deflated one has to be inflated as a whole, and of one
        with offset tables that are none the frames are counted."""
        if self.syntax.is_encapsulated and not has_true_tables(self.path):
            return without_tables(self.path)
        return dcmread(self.path) if self.syntax == DeflatedExplicitVRLittleEndian else self.path

    def _coloured(self, frame: Frame) -> Frame:
        if "PALETTE" not in str(self.dataset.get("PhotometricInterpretation") or ""):
            return frame
        return apply_color_lut(frame, self.dataset)


def has_pixels(path: Path) -> bool:
    """True where the file has Pixel Data; nothing is decoded."""
    with as_found():
        return 0x7FE00010 in dcmread(path, defer_size=1024, specific_tags=[0x7FE00010])


def _unreadable(path: Path, error: Exception) -> UnreadableFileError:
    return UnreadableFileError(
        f"its pixels cannot be decoded, so text in them cannot be searched ({type(error).__name__})",
        file=path,
        attribute="PixelData",
        advice="The file was left out: it may be damaged, or its codec is not installed.",
    )


def grey(frame: Frame) -> NDArray[Any]:
    """(rows, columns): luminance of RGB, stored values of anything else."""
    return frame[..., :3].astype(np.float32) @ _LUMA if frame.ndim == 3 else frame


def pictures(frame: Frame, dataset: Dataset) -> list[Picture]:
    """The 8-bit greys, (rows, columns), in which text can be legible.

    Colour: luminance, and the brightest channel where there is colour. Grey of more than 8 bits: its VOI window (or
    its range without the outer 0.5 %), and its whole range, since text is often drawn outside of the window.
    """
    if frame.ndim == 3:
        return _of_colour(frame)
    if frame.dtype == np.uint8:
        return [full_range(np.ascontiguousarray(frame))]
    values = frame.astype(np.float32)
    whole = (float(values.min()), float(values.max()))
    window = _window(dataset) or tuple(float(edge) for edge in np.percentile(values, (0.5, 99.5)))
    ranges = [window] if np.allclose(window, whole, rtol=0.02) else [window, whole]
    return [_scaled(values, low, high) for low, high in ranges if high > low]


def _of_colour(frame: Frame) -> list[Picture]:
    shown = eight_bits(frame[..., :3])
    luma = (shown.astype(np.float32) @ _LUMA + 0.5).astype(np.uint8)
    top, bottom = shown.max(axis=2), shown.min(axis=2)
    coloured = float(((top - bottom) > 48).mean()) > _KEEP
    return [full_range(luma), full_range(top)] if coloured else [full_range(luma)]


def eight_bits(frame: Frame) -> NDArray[np.uint8]:
    """Colours in 8 bits. Deeper ones by the largest of them: palettes and samples may use the low bits alone."""
    if frame.dtype == np.uint8:
        return frame
    return np.asarray(frame.astype(np.float32) * (255 / max(int(frame.max(initial=0)), 1)), dtype=np.uint8)


def full_range(picture: Picture) -> Picture:
    """A picture of few greys (a bitmap, faint text) spread over all 256; others as they are."""
    low, high = int(picture.min(initial=255)), int(picture.max(initial=0))
    return picture if high - low >= _SPAN or high <= low else _scaled(picture.astype(np.float32), low, high)


def _window(dataset: Dataset) -> tuple[float, float] | None:
    """The first VOI window (PS3.3 C.11.2) in stored values."""
    try:
        centre, width = (_first(dataset, keyword) for keyword in ("WindowCenter", "WindowWidth"))
        slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    except (TypeError, ValueError):
        return None
    if centre is None or width is None or width < 1 or slope == 0:
        return None
    edges = sorted(((centre + half * width) - intercept) / slope for half in (-0.5, 0.5))
    return edges[0], edges[1]


def _first(dataset: Dataset, keyword: str) -> float | None:
    """The first value of an attribute, None where it has none."""
    if dataset.get(keyword) in (None, ""):
        return None
    element = dataset[keyword]
    return float(element.value[0] if element.VM > 1 else element.value)


def _scaled(values: NDArray[np.float32], low: float, high: float) -> Picture:
    shown = np.clip((values - low) / (high - low), 0, 1) * 255 + 0.5
    return np.asarray(shown, dtype=np.uint8)
