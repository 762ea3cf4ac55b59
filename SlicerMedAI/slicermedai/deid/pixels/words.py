"""Words in a line of text: readers lose spaces, so the gaps are looked for in the picture."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from slicermedai.deid.pixels.ocr import Line

_GAP = 0.25
_INK = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Characters ``start`` to ``stop`` of a line, the columns that they fill, and how wide the gap before them is.

    ``gap`` is in line heights; small ones may lie within a word.
    """

    start: int
    stop: int
    x0: float
    x1: float
    gap: float = inf


def words_of(line: Line, picture: NDArray[np.uint8]) -> list[Word]:
    """The words of ``line``, left to right; ``picture`` is (rows, columns) of grey."""
    if line.is_vertical:
        return [Word(start=0, stop=len(line.text), x0=line.x0, x1=line.x1)]
    ink = _inked(line, picture)
    breaks = [n for n in range(1, len(line.text)) if line.text[n] == " " or _gap(line, ink, n)[0]]
    found = []
    for start, stop in zip([0, *breaks], [*breaks, len(line.text)], strict=True):
        while start < stop and line.text[start] == " ":
            start += 1
        if start < stop:
            left = line.x0 if start == 0 else _edge(line, ink, start)
            right = line.x1 if stop == len(line.text) else _edge(line, ink, stop)
            gap = inf if start == 0 or line.text[start - 1] == " " else _gap(line, ink, start)[0] / line.height
            found.append(Word(start=start, stop=stop, x0=left, x1=max(right, left + 1), gap=gap))
    return found


def _edge(line: Line, ink: NDArray[np.bool_], index: int) -> float:
    """The column between character ``index - 1`` and ``index``: the middle of the gap there."""
    width, middle = _gap(line, ink, index)
    return middle if width else (line.columns[index - 1] + line.columns[index]) / 2


def _inked(line: Line, picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    rows = slice(max(int(line.y0), 0), int(np.ceil(line.y1)))
    crop = picture[rows, max(int(line.x0), 0) : int(np.ceil(line.x1))].astype(np.int16)
    if not crop.size:
        return np.zeros(0, dtype=bool)
    apart = np.abs(crop - np.int16(np.median(crop)))
    return np.asarray((apart >= _INK * max(int(apart.max()), 1)).any(axis=0))


def _gap(line: Line, ink: NDArray[np.bool_], index: int) -> tuple[float, float]:
    """Width and middle of the widest run without strokes between two characters; 0 where it is no space."""
    left, right = int(line.columns[index - 1] - line.x0), int(np.ceil(line.columns[index] - line.x0))
    free = ~ink[max(left, 0) : right + 1]
    best, start = (0, 0), None
    for n, empty in enumerate([*free.tolist(), False]):
        if empty and start is None:
            start = n
        elif not empty and start is not None:
            best, start = max(best, (n - start, start)), None
    width, at = best
    return (width, line.x0 + left + at + width / 2) if width >= max(_GAP * line.height, 2) else (0.0, 0.0)
