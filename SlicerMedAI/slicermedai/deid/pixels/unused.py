"""Unused bits of compressed samples: looked for where the codestream has more bits than Bits Stored says."""

from __future__ import annotations

import numpy as np
from pydicom.uid import RLELossless

from slicermedai.deid.codestreams import precision_of
from slicermedai.deid.patients import opened_file
from slicermedai.deid.pixels.edited import edited, unused_of
from slicermedai.deid.pixels.frames import FileFrames
from slicermedai.deid.pixels.kinds import PixelReplacement
from slicermedai.deid.unused_bits import CELL, Cells, UnusedBits
from slicermedai.deid.window import Origin
from slicermedai.deid.wire import PIXEL_DATA, Kind, Walk

_HEAD = 1 << 16


def may_hide_bits(origin: Origin) -> bool:
    """True where the cells of encapsulated pixel data are wider than Bits Stored; nothing is decoded.

    Raises
    ------
    UnreadableFileError, EOFError, OSError, zlib.error
        As in :mod:`slicermedai.deid.wire`.
    UnsupportedImageError
        As in :meth:`UnusedBits.of`.
    """
    with opened_file(origin) as file:
        walk, cells = Walk(file), Cells(file.encoding.order)
        for kind, tag, _, _, start, size in walk:
            if walk.stack or tag not in (*CELL, PIXEL_DATA):
                continue
            if kind == Kind.LEAF and tag != PIXEL_DATA:
                cells.learn(tag, file.window.bytes_at(start, size))
            elif kind == Kind.FRAGMENTS:
                unused = cells.unused()
                return unused is not None and _bits(walk, start, file.syntax, unused) > unused.stored
    return False


def without_unused_bits(source: FileFrames) -> PixelReplacement | None:
    """The pixel data written again without them; None where there is nothing in them.

    Raises
    ------
    UnreadableFileError
        The pixels cannot be decoded.
    """
    unused = unused_of(source)
    if unused is None:
        return None
    frames = source.decoded(raw=True)
    if all(np.array_equal(frame, unused.cleared(np.ascontiguousarray(frame))) for frame in frames):
        return None
    return edited(source, lambda frame, number: None)


def _bits(walk: Walk, start: int, syntax: str, unused: UnusedBits) -> int:
    """Of the samples in the first codestream; where it does not say, as many as are known to be used."""
    if syntax == RLELossless:
        return unused.allocated
    places = walk.fragment_places(start)
    next(places)
    for begin, size in places:
        if size > 8:
            return precision_of(walk.window.bytes_at(begin + 8, min(size - 8, _HEAD))) or unused.stored
    return unused.stored
