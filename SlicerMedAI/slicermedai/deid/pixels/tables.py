"""Offset tables of compressed frames that are none: decoders believe them, and so they must not see them."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset, dcmread

from slicermedai.deid.around import OFFSET_LENGTHS, OFFSETS, is_basic_table, is_offset_table
from slicermedai.deid.patients import opened_file
from slicermedai.deid.unused_bits import SHAPE, Cells
from slicermedai.deid.window import DAMAGE, Origin, unreadable
from slicermedai.deid.wire import Kind, Opened, Walk

_LARGEST = 1 << 24
_EMPTY = b"\xfe\xff\x00\xe0\0\0\0\0"


def has_true_tables(path: Path) -> bool:
    """False where something else than offsets stands in an offset table of the file's pixel data.

    Raises
    ------
    UnreadableFileError
        The file is damaged.
    """
    origin = Origin(path)
    try:
        with opened_file(origin) as file:
            return _are_true(file)
    except DAMAGE as error:
        raise unreadable(origin, error) from error


def without_tables(path: Path) -> Dataset:
    """The dataset with an empty Basic Offset Table, and none besides."""
    dataset = dcmread(path)
    for tag in (OFFSETS, OFFSET_LENGTHS):
        dataset.pop(tag, None)
    raw = bytes(dataset.PixelData)
    dataset.PixelData = _EMPTY + raw[8 + int.from_bytes(raw[4:8], "little") :]
    dataset["PixelData"].is_undefined_length = True
    return dataset


def _are_true(file: Opened) -> bool:
    walk, cells, window = Walk(file), Cells(file.encoding.order), file.window
    for kind, tag, _, _, start, size in walk:
        if walk.stack:
            continue
        if kind == Kind.FRAGMENTS:
            begin, whole = next(walk.fragment_places(start))
            return whole <= _LARGEST and is_basic_table(window.bytes_at(begin + 8, whole - 8), cells.frames, file.end)
        if tag in SHAPE:
            cells.learn(tag, window.bytes_at(start, size))
        elif tag in (OFFSETS, OFFSET_LENGTHS):
            raw = window.bytes_at(start, size) if size <= _LARGEST else b"-"
            if not is_offset_table(tag, raw, cells.frames, file.end):
                return False
    return True
