"""Pixel data of a file after an edit of its frames, in the transfer syntax that keeps most of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from slicermedai.deid.pixels.encode import colours_of, replacement
from slicermedai.deid.pixels.frames import FileFrames, Frame
from slicermedai.deid.pixels.kinds import Edit, PixelReplacement
from slicermedai.deid.pixels.native import NativePixels
from slicermedai.deid.unused_bits import UnusedBits


def edited(source: FileFrames, edit: Edit) -> PixelReplacement:
    """What takes the place of the file's pixel data; frames are made one at a time, each time they are asked for.

    Bits that are no part of the samples are cleared.

    Raises
    ------
    UnsupportedImageError
        Samples that are packed in a way that cannot be changed.
    """
    unused = unused_of(source)
    if unused is not None:
        edit = together(unused.edit, edit)
    if not source.syntax.is_encapsulated:
        pixels = NativePixels.locate(source.path, source.dataset, source.count)
        return PixelReplacement(
            vr=pixels.vr,
            transfer_syntax_uid=str(source.syntax),
            length=pixels.layout.length,
            chunks=lambda: pixels.chunks(edit),
        )
    raw = colours_of(source.dataset, source.syntax).raw

    def frames() -> Iterator[Frame]:
        for number, frame in enumerate(source.decoded(raw=raw)):
            writable = frame if frame.flags.writeable else frame.copy()
            edit(writable, number)
            yield writable

    return replacement(source.dataset, source.syntax, frames, source.count)


def unused_of(source: FileFrames) -> UnusedBits | None:
    """The bits of the file's cells that are no part of the samples; None where there are none."""
    header = source.dataset
    allocated, stored, high = (int(header.get(keyword) or 0) for keyword in ("BitsAllocated", "BitsStored", "HighBit"))
    return UnusedBits.of(allocated, stored, high, signed=bool(header.get("PixelRepresentation")))


def together(*edits: Edit) -> Edit:
    """One edit after the other."""

    def edit(frame: NDArray[np.generic], number: int) -> None:
        for one in edits:
            one(frame, number)

    return edit
