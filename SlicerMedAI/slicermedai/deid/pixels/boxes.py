"""Rectangles around pieces of text: padded, and never over a neighbour that is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from slicermedai.deid.pixels.kinds import TextBox, TextClass
from slicermedai.deid.pixels.match import Piece
from slicermedai.deid.pixels.ocr import Line

_PAD = 0.15


def boxes_of(pieces: Sequence[Piece], shape: tuple[int, int]) -> list[TextBox]:
    """One box for each run of one kind in a line; ``shape`` is (rows, columns) of the picture."""
    runs: list[list[Piece]] = []
    for piece in pieces:
        if runs and runs[-1][-1].line is piece.line and runs[-1][-1].kind is piece.kind:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    neighbours = [False, *(one[0].line is other[0].line for one, other in pairwise(runs)), False]
    return [_box(run, (neighbours[n], neighbours[n + 1]), shape) for n, run in enumerate(runs)]


def _box(run: list[Piece], neighbours: tuple[bool, bool], shape: tuple[int, int]) -> TextBox:
    """Padded but for a side where the line goes on with text of another kind."""
    before, after = neighbours
    line, first, last = run[0].line, run[0], run[-1]
    pad = max(2.0, _PAD * line.height)
    x0 = first.x0 if before else line.x0 - pad
    x1 = last.x1 if after else line.x1 + pad
    return TextBox(
        x0=max(round(x0), 0),
        x1=min(max(round(x1), round(x0) + 1), shape[1]),
        y0=max(round(line.y0 - pad / 2), 0),
        y1=min(round(line.y1 + pad / 2) + 1, shape[0]),
        text=line.text[first.start : last.stop],
        kind=first.kind,
        why=first.why,
    )


def unread(line: Line, shape: tuple[int, int]) -> TextBox:
    """The box of what looks like a line of text and cannot be read; ``shape`` is (rows, columns) of the picture."""
    return TextBox(
        x0=max(round(line.x0) - 2, 0),
        x1=min(round(line.x1) + 2, shape[1]),
        y0=max(round(line.y0) - 2, 0),
        y1=min(round(line.y1) + 2, shape[0]),
        text=line.text,
        kind=TextClass.UNREADABLE,
        why="cannot be read",
    )


def merged(found: Iterable[TextBox]) -> tuple[TextBox, ...]:
    """Boxes of several readings of one image, each place once.

    Identity in one reading is identity. A place that one reading knows as an annotation and another does not know
    is the annotation.
    """
    ordered = sorted(found, key=lambda box: (_RANK[box.kind], -_area(box)))
    kept: list[TextBox] = []
    for box in ordered:
        same = next((n for n, other in enumerate(kept) if covers(other, box)), None)
        if same is None:
            kept.append(box)
        elif kept[same].kind is box.kind:
            kept[same] = _union(kept[same], box)
    return tuple(sorted(kept, key=lambda box: (box.y0, box.x0)))


_RANK = {TextClass.IDENTITY: 0, TextClass.ANNOTATION: 1, TextClass.UNCLASSIFIED: 2, TextClass.UNREADABLE: 3}


def covers(one: TextBox, other: TextBox) -> bool:
    """True where at least half of the smaller one is in both."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(width, 0) * max(height, 0) > 0.5 * min(_area(one), _area(other))


def _area(box: TextBox) -> int:
    return (box.x1 - box.x0) * (box.y1 - box.y0)


def _union(one: TextBox, other: TextBox) -> TextBox:
    return replace(
        one,
        x0=min(one.x0, other.x0),
        y0=min(one.y0, other.y0),
        x1=max(one.x1, other.x1),
        y1=max(one.y1, other.y1),
        frames=(min(one.frames[0], other.frames[0]), max(one.frames[1], other.frames[1])),
    )
