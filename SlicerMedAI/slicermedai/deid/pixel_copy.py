"""Copies pixel data in pieces, without what lies around the pixels and is none of them."""

from __future__ import annotations

from collections import Counter
from functools import partial

from slicermedai.deid import around
from slicermedai.deid.codestreams import Blanker, blanked
from slicermedai.deid.copier import Copier
from slicermedai.deid.dictionary import label_of
from slicermedai.deid.encode import head as head_of
from slicermedai.deid.transcode import explicit_vr, swapped
from slicermedai.deid.unused_bits import Cells
from slicermedai.deid.video import VideoBlanker, codec_of
from slicermedai.deid.wire import PIXEL_DATA, UNDEFINED, Encoding, Event, Opened, Walk

NATIVE = frozenset({PIXEL_DATA, 0x7FE00008, 0x7FE00009})
"""Pixel Data, Float Pixel Data and Double Float Pixel Data."""
TABLES = frozenset({around.OFFSETS, around.OFFSET_LENGTHS})
_LONGEST = 1 << 24
"""Bytes of an offset table of two million frames."""


class PixelCopy:
    """The pixel data of one dataset; ``tally`` counts (attribute, action) where something was cleared."""

    def __init__(self, file: Opened, walk: Walk, out: Copier, tally: Counter[tuple[str, str]]) -> None:
        self._file, self._walk, self._out, self._tally = file, walk, out, tally
        self.cells = Cells(file.encoding.order)

    def native(self, event: Event, encoding: Encoding, *, signed: bool) -> None:
        """Uncompressed pixel data, without what lies in bits that are no part of the values, and behind the pixels."""
        _, tag, vr, head, start, size = event
        self._out.cut(head, start)
        vr = explicit_vr(tag, vr, signed=signed)
        self._out.write(head_of(tag, vr, size, encoding))
        meant, swaps = self.cells.meant(size), encoding.order != self._file.encoding.order
        self._out.copy(start, meant, change=self.cells.change(partial(swapped, vr) if swaps else None))
        if meant < size or self.cells.cleared:
            self._tally[label_of(tag), "C"] += 1
        self._out.write(bytes(size - meant))
        self._out.resume(start + size)

    def fragments(self, event: Event, encoding: Encoding, *, top: bool) -> None:
        """Compressed pixel data; only those at the ``top`` level have the frames that the dataset tells of.

        Raises
        ------
        UnreadableFileError
            As in :func:`slicermedai.deid.around.true_rle_frames`.
        """
        _, tag, vr, head, start, _ = event
        self._out.cut(head, start)
        self._out.write(head_of(tag, vr, UNDEFINED, encoding))
        self._out.let_go()
        frames = self.cells.frames if top else 0
        fragments = around.with_true_table(self._walk.fragments(start), frames, self._walk.limit)
        if self._file.syntax == around.RLE and top:
            fragments = around.true_rle_frames(fragments, frames, self.cells.pixels)
        codec = codec_of(self._file.syntax) if top else None
        for piece in blanked(fragments, VideoBlanker(codec) if codec else Blanker(self._file.syntax if top else "")):
            self._out.write(piece)
        self._out.resume(self._walk.position)

    def is_table(self, event: Event) -> bool:
        """True where an extended offset table holds nothing but offsets, or lengths."""
        _, tag, _, _, start, size = event
        if size > _LONGEST:
            return False
        raw = self._file.window.bytes_at(start, size)
        return around.is_offset_table(tag, raw, self.cells.frames, self._walk.limit)
