"""Uncompressed pixel data frame by frame: only the bytes of the samples that an edit touches change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from slicermedai.deid.datasets import as_found
from slicermedai.deid.pixels.kinds import PIXEL_DATA, Edit
from slicermedai.errors import UnreadableFileError, UnsupportedImageError


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeLayout:
    """How frames lie in native pixel data (PS3.5 8.1): sizes, and the type of one sample as it is stored."""

    frames: int
    rows: int
    columns: int
    samples: int
    planar: bool
    dtype: np.dtype[Any]
    swapped: bool
    packed: bool = False
    shared: bool = False
    """Two pixels of a row share their colours: Y, Y, CB, CR (PS3.3 C.7.6.3.1.2)."""

    @staticmethod
    def of(dataset: Dataset, path: Path, *, vr: str, frames: int) -> NativeLayout:
        """From the header.

        Raises
        ------
        UnsupportedImageError
            Samples that are not whole bytes (but for frames of bits that fill whole bytes), or colours that are shared
            by four pixels, or by two that are not of one row.
        """
        bits, big = int(dataset.BitsAllocated), dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian
        packed = bits == 1 and not big and int(dataset.Rows) * int(dataset.Columns) % 8 == 0
        colours, samples = str(dataset.PhotometricInterpretation), int(dataset.SamplesPerPixel)
        shared = samples == 3 and colours.endswith("_422") and int(dataset.Columns) % 2 == 0
        if not (packed or bits in (8, 16, 32)) or (not shared and colours.endswith(("_422", "_420"))):
            attribute = "BitsAllocated" if bits not in (8, 16, 32) else "PhotometricInterpretation"
            raise UnsupportedImageError(
                "text cannot be removed from samples that are packed like this",
                file=path,
                attribute=attribute,
                advice="The file was left out; export it with one value of 8 or 16 bits for each sample.",
            )
        return NativeLayout(
            frames=frames,
            rows=int(dataset.Rows),
            columns=int(dataset.Columns),
            samples=samples,
            planar=samples > 1 and not shared and int(dataset.get("PlanarConfiguration") or 0) == 1,
            dtype=np.dtype(f"{'>' if big else '<'}{'i' if dataset.PixelRepresentation else 'u'}{max(bits // 8, 1)}"),
            swapped=big and bits == 8 and vr == "OW",
            packed=packed,
            shared=shared,
        )

    @property
    def frame_bytes(self) -> int:
        """Of one frame."""
        samples = 2 if self.shared else self.samples
        return self.rows * self.columns * samples * self.dtype.itemsize // (8 if self.packed else 1)

    @property
    def length(self) -> int:
        """Of the whole value, even."""
        return self.frames * self.frame_bytes + self.frames * self.frame_bytes % 2

    def view(self, data: bytearray) -> NDArray[Any]:
        """(rows, columns) or (rows, columns, samples) over the bytes of one frame; writing changes them."""
        flat = np.frombuffer(data, dtype=self.dtype)
        if self.planar:
            return flat.reshape(self.samples, self.rows, self.columns).transpose(1, 2, 0)
        shape = (self.rows, self.columns, self.samples)
        return flat.reshape(shape if self.samples > 1 else shape[:2])


@dataclass(frozen=True, slots=True, kw_only=True)
class NativePixels:
    """Where the pixel data of a file lie."""

    path: Path
    vr: str
    layout: NativeLayout
    start: int | None

    @staticmethod
    def locate(path: Path, dataset: Dataset, frames: int) -> NativePixels:
        """Find Pixel Data without reading it (a deflated file has no place for it: it is read as a whole).

        Raises
        ------
        UnsupportedImageError
            As in :meth:`NativeLayout.of`, or pixels that should share their colours and do not.
        """
        deflated = dataset.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
        with as_found():
            header = dcmread(path, defer_size=1024, specific_tags=[PIXEL_DATA])
            element: Any = header.get_item(PIXEL_DATA, keep_deferred=True)
        vr = str(element.VR or "OW")
        layout = NativeLayout.of(dataset, path, vr=vr, frames=frames)
        if layout.shared and int(element.length) != layout.length:
            raise UnsupportedImageError(
                "the header says that pixels share their colours, and the pixel data are not as long as that",
                file=path,
                attribute="PhotometricInterpretation",
                advice="The file was left out; export it with the colour space that its pixels have.",
            )
        start = None if deflated or element.value is not None else int(element.value_tell)
        return NativePixels(path=path, vr=vr, layout=layout, start=start)

    def chunks(self, edit: Edit) -> Iterator[bytes]:
        """The value, frame by frame, each after ``edit``.

        Raises
        ------
        UnreadableFileError
            The file is shorter than its header says.
        """
        for number, data in enumerate(self._frames()):
            yield self._after(edit, data, number)
        if self.layout.frames * self.layout.frame_bytes % 2:
            yield b"\0"

    def _after(self, edit: Edit, data: bytearray, number: int) -> bytes:
        if self.layout.packed:  # 8 pixels a byte, the first one lowest (PS3.5 8.1.1)
            bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
            edit(bits.reshape(self.layout.rows, self.layout.columns), number)
            return np.packbits(bits, bitorder="little").tobytes()
        _swap(data, self.layout)
        if self.layout.shared:
            _edit_pairs(np.frombuffer(data, self.layout.dtype).reshape(self.layout.rows, -1, 4), edit, number)
        else:
            edit(self.layout.view(data), number)
        _swap(data, self.layout)
        return bytes(data)

    def _frames(self) -> Iterator[bytearray]:
        size = self.layout.frame_bytes
        if self.start is None:
            with as_found():
                value = dcmread(self.path)[PIXEL_DATA].value
            for number in range(self.layout.frames):
                yield self._whole(bytearray(value[number * size : (number + 1) * size]))
            return
        with self.path.open("rb") as file:
            file.seek(self.start)
            for _ in range(self.layout.frames):
                yield self._whole(bytearray(file.read(size)))

    def _whole(self, data: bytearray) -> bytearray:
        if len(data) != self.layout.frame_bytes:
            raise UnreadableFileError(
                "fewer pixels than the header says", file=self.path, attribute="PixelData", advice="Copy it again."
            )
        return data


def _edit_pairs(stored: NDArray[Any], edit: Edit, number: int) -> None:
    """Edit (rows, pairs, 4) of Y, Y, CB, CR in place. Where the colours of one pixel change, the other one of the pair
    becomes the same."""
    rows, pairs, _ = stored.shape
    before = np.empty((rows, pairs, 2, 3), stored.dtype)
    before[..., 0], before[..., 1:] = stored[..., :2], stored[:, :, None, 2:]
    frame = before.copy()
    edit(frame.reshape(rows, 2 * pairs, 3), number)
    other = (frame[..., 1:] != before[..., 1:]).any(axis=-1)
    for one, two in ((0, 1), (1, 0)):
        alone = other[..., one] & ~other[..., two]
        frame[alone, two] = frame[alone, one]
    stored[..., :2], stored[..., 2:] = frame[..., 0], frame[:, :, 0, 1:]


def _swap(data: bytearray, layout: NativeLayout) -> None:
    """Big endian words of two 8-bit samples (PS3.5 A.3, D): the bytes of each word change places."""
    if layout.swapped:
        even = len(data) // 2 * 2
        data[0:even:2], data[1:even:2] = data[1:even:2], data[0:even:2]
