"""Boxes filled within lossy JPEG frames: colours, syntax and every block outside of the boxes stay as they are coded.

A block of 8 x 8 samples that lies in a box is coded anew with the frame's own tables, so that what such a block holds
outside of the box changes a little, as lossy compression does; colours that two or four pixels share are filled
for all of them. No other block changes: the picture is not compressed a second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

from slicermedai.deid.codestreams import without_remarks
from slicermedai.deid.datasets import PYDICOM_DAMAGE, as_found
from slicermedai.deid.patients import opened_file
from slicermedai.deid.pixels.encode import encapsulated, lossy_marks
from slicermedai.deid.pixels.fill import RING, fill
from slicermedai.deid.pixels.frames import FileFrames
from slicermedai.deid.pixels.jpeg_layout import ZIGZAG, Layout, NotCoded, layout_of
from slicermedai.deid.pixels.jpeg_scan import Block, Scan
from slicermedai.deid.pixels.kinds import PixelReplacement, TextBox
from slicermedai.deid.window import DAMAGE, Origin
from slicermedai.deid.wire import Kind, Walk

_SYNTAXES = (JPEGBaseline8Bit, JPEGExtended12Bit)
_LARGEST = 1 << 23
"""Bytes of a frame; longer ones would take much memory."""
_BLEEDS = 2
"""Pixels beyond a block that decoders blend its colours into, where pixels share them."""
_CLOSE = 12.0
"""Of 255; the largest mean difference from a plain fill, in and around the boxes, that is taken for that."""
_OF_ALL = (0x00280008, 0x00280009)
"""Number of Frames, Frame Increment Pointer."""
_START = b"\xff\xd8"
_TURN = np.array(
    [[np.sqrt((1 + (u > 0)) / 8) * np.cos((2 * x + 1) * u * np.pi / 16) for x in range(8)] for u in range(8)]
)
"""Samples to coefficients (T.81 A.3.3), an orthonormal matrix."""


def filled_in_jpeg(source: FileFrames, boxes: tuple[TextBox, ...]) -> PixelReplacement | None:
    """Pixel data with ``boxes`` filled on all frames, in the file's own transfer syntax and colour space.

    Every frame is filled once before, decoded, and held against the source: outside of the blocks in the boxes all
    pixels are the same, and within them it looks like a plain fill. None where that is not so, or where the frames are
    coded in a way that is not known here; then write the frames anew without loss.
    """
    if source.syntax not in _SYNTAXES or int(source.dataset.get("BitsAllocated") or 0) != 8:
        return None
    frames = _Frames(source, boxes)
    with suppress(NotCoded, *DAMAGE, *PYDICOM_DAMAGE):
        if frames.are_true():
            return PixelReplacement(
                vr="OB",
                transfer_syntax_uid=str(source.syntax),
                length=None,
                chunks=lambda: encapsulated(frames.filled()),
                attributes=lossy_marks(source.dataset, source.syntax),
            )
    return None


@dataclass(slots=True, eq=False)
class _Frames:
    """The coded frames of a file, one at a time; ``plans`` remembers what the boxes are in frames of one shape."""

    source: FileFrames
    boxes: tuple[TextBox, ...]
    plans: dict[tuple[object, ...], _Plan] = field(default_factory=dict)

    def filled(self) -> Iterator[bytes]:
        """With the boxes filled."""
        for frame in self._coded():
            yield self._filled(frame)

    def are_true(self) -> bool:
        """True where all frames can be filled, and decoders see them as they should."""
        count = 0
        for frame in self._coded():
            filled = self._filled(frame)
            count += 1
            if not self._is_true(_decoded(self.source.dataset, frame), _decoded(self.source.dataset, filled)):
                return False
        return count == self.source.count

    def _filled(self, frame: bytes) -> bytes:
        layout, header = layout_of(frame), self.source.dataset
        said = (int(header.Rows), int(header.Columns), int(header.SamplesPerPixel))
        if said != (layout.rows, layout.columns, len(layout.components)):
            raise NotCoded("another shape than the header says")
        shape = (layout.units, *((c.across, c.down) for c in layout.components))
        plan = self.plans.get(shape)
        if plan is None:
            plan = self.plans[shape] = _Plan(layout, self.boxes)
        return without_remarks(plan.filled(layout))

    def _is_true(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> bool:
        if before.shape != after.shape:
            return False
        layout = next(iter(self.plans.values())).layout
        blocks, boxes = (np.zeros(before.shape[:2], dtype=bool) for _ in range(2))
        for box in self.boxes:
            blocks[_around(box, layout.unit)] = boxes[box.area] = True
        plain = before.copy()
        fill(plain, self.boxes)
        if not np.array_equal(before[~blocks], after[~blocks]):
            return False
        apart = np.abs(plain.astype(np.int16) - after)
        return all(float(apart[part].mean()) <= _CLOSE for part in (boxes, blocks & ~boxes) if part.any())

    def _coded(self) -> Iterator[bytes]:
        """A frame begins with the fragment that begins one (PS3.5 A.4)."""
        frame = b""
        with opened_file(Origin(self.source.path)) as file:
            walk = Walk(file)
            event = next(event for event in walk if event[0] == Kind.FRAGMENTS and not walk.stack)
            fragments = walk.fragments(event[4])
            next(fragments)
            for _, pieces in fragments:
                piece = b"".join(pieces)
                if piece.startswith(_START) and frame:
                    yield frame
                    frame = b""
                frame += piece
                if len(frame) > _LARGEST:
                    raise NotCoded("frames that are too large")
        yield frame


class _Plan:
    """What is to be filled in frames of one shape."""

    def __init__(self, layout: Layout, boxes: tuple[TextBox, ...]) -> None:
        self.layout, self.blocks = layout, layout.blocks()
        self.parts = [_boxes_of(layout, n, boxes) for n in range(len(layout.components))]
        self.touched = np.flatnonzero(self._within(0))
        self.wanted = self._within(RING)
        self._owners: list[int] = self.blocks[:, 0].tolist()

    def filled(self, layout: Layout) -> bytes:
        """One frame; where its tables have no code for something, with others."""
        scan = Scan.read(layout, self._wanted_list)
        changed = self._changed(scan)
        try:
            return scan.coded(changed, self._owners)
        except NotCoded:
            return Scan.read(layout, [True] * len(self.blocks)).recoded(changed, self._owners)

    def _changed(self, scan: Scan) -> dict[int, Block]:
        changed: dict[int, Block] = {}
        for n, component in enumerate(scan.layout.components):
            numbers = np.flatnonzero(self.wanted & (self.blocks[:, 0] == n))
            plane = self._plane(scan, n, numbers)
            before = plane.copy()
            fill(plane, self.parts[n])
            mine = self.touched[self.blocks[self.touched, 0] == n]
            _, rows, columns = self.blocks[mine].T
            samples = _in_blocks(plane)[rows, :, columns, :]
            is_new = (samples != _in_blocks(before)[rows, :, columns, :]).any(axis=(1, 2))
            coded = _coefficients(samples[is_new], component.quantisers)
            changed.update(zip(mine[is_new].tolist(), coded, strict=True))
        return changed

    @cached_property
    def _wanted_list(self) -> list[bool]:
        return list(self.wanted.tolist())

    def _within(self, margin: int) -> NDArray[np.bool_]:
        """The blocks that lie in a box, or up to ``margin`` samples from it."""
        found = np.zeros(len(self.blocks), dtype=bool)
        for n, boxes in enumerate(self.parts):
            mine, rows, columns = self.blocks[:, 0] == n, self.blocks[:, 1] * 8, self.blocks[:, 2] * 8
            for box in boxes:
                down = (rows < box.y1 + margin) & (rows + 8 > box.y0 - margin)
                found |= mine & down & (columns < box.x1 + margin) & (columns + 8 > box.x0 - margin)
        return found

    def _plane(self, scan: Scan, n: int, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """The samples of component ``n`` in the blocks ``numbers``, zeros elsewhere."""
        component, (down, across) = scan.layout.components[n], scan.layout.units
        plane = np.zeros((8 * down * component.down, 8 * across * component.across))
        coefficients = np.zeros((len(numbers), 64))
        coefficients[:, list(ZIGZAG)] = [scan.blocks[number] for number in numbers.tolist()]
        values = coefficients.reshape(-1, 8, 8) * component.quantisers
        _, rows, columns = self.blocks[numbers].T
        _in_blocks(plane)[rows, :, columns, :] = _TURN.T @ values @ _TURN + 128
        return plane


def _boxes_of(layout: Layout, n: int, boxes: Sequence[TextBox]) -> list[TextBox]:
    """The boxes in samples of component ``n``, samples that several pixels share whole; at an edge of the image with
    what is coded beyond it."""
    component, (height, width) = layout.components[n], layout.unit
    if height % (8 * component.down) or width % (8 * component.across):
        raise NotCoded("samples that are shared by no whole number of pixels")
    down, across = height // (8 * component.down), width // (8 * component.across)
    rows, columns = (size * unit for size, unit in zip(layout.units, layout.unit, strict=True))
    return [
        replace(
            box,
            x0=box.x0 // across,
            x1=-(-(columns if box.x1 >= layout.columns else box.x1) // across),
            y0=box.y0 // down,
            y1=-(-(rows if box.y1 >= layout.rows else box.y1) // down),
        )
        for box in boxes
    ]


def _around(box: TextBox, unit: tuple[int, int]) -> tuple[slice, slice]:
    """The pixels of the units that ``box`` lies in, and those that colours are blended into."""
    (height, width), more = unit, _BLEEDS
    rows = slice(max(box.y0 // height * height - more, 0), -(-box.y1 // height) * height + more)
    return rows, slice(max(box.x0 // width * width - more, 0), -(-box.x1 // width) * width + more)


def _in_blocks(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """A view of (rows, columns) as (rows of blocks, 8, columns of blocks, 8)."""
    return plane.reshape(plane.shape[0] // 8, 8, -1, 8)


def _coefficients(samples: NDArray[np.float64], quantisers: NDArray[np.float64]) -> list[Block]:
    """(blocks, 8, 8) of samples as quantised coefficients."""
    values = np.rint(_TURN @ (samples - 128) @ _TURN.T / quantisers).clip(-1023, 1023)
    return list(values.reshape(-1, 64)[:, list(ZIGZAG)].astype(int).tolist())


def _decoded(header: Dataset, frame: bytes) -> NDArray[np.uint8]:
    """(rows, columns) or (rows, columns, 3) without conversion of the colour space."""
    wanted = [tag for tag in header.keys() if tag.group == 0x0028 and tag not in _OF_ALL]  # noqa: SIM118  # a data set iterates over elements
    one = Dataset({tag: header[tag] for tag in wanted})
    one.file_meta, one.PixelData = header.file_meta, encapsulate([frame])
    one["PixelData"].is_undefined_length = True
    with as_found():
        return np.asarray(next(iter(iter_pixels(one, raw=True))), dtype=np.uint8)
