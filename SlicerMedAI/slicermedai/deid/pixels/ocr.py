"""Reading text in pictures. The engine is an optional extra; where it is absent it fails by name.

rapidocr-onnxruntime brings its weights (PP-OCRv4, Chinese and English) in its wheel; nothing is fetched.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from slicermedai.errors import InputError

_TILE, _OVERLAP, _WHOLE = 1280, 192, 1600
_ENGINE = "rapidocr_onnxruntime"
_SURE, _TURNED, _ROW = 0.8, 0.8, 2.5
"""Of what is not read that surely, and is so much longer than high, the other ways round are read too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of text: what was read, how sure (0 to 1), where, and the column of each character's middle.

    ``elongation`` is its length in heights along its own direction. ``is_turned``: it stands upside down or mirrored.
    Where nothing could be read, ``text`` is empty.
    """

    text: str
    confidence: float
    x0: float
    y0: float
    x1: float
    y1: float
    columns: tuple[float, ...]
    elongation: float = 0.0
    is_turned: bool = False

    @property
    def height(self) -> float:
        """Rows from top to bottom."""
        return self.y1 - self.y0

    @property
    def is_vertical(self) -> bool:
        """True where it runs up or down, or is turned: the columns then say nothing."""
        return self.is_turned or self.x1 - self.x0 < self.height

    def moved(self, x: float, y: float) -> Line:
        """The same line in a picture that begins ``x`` columns and ``y`` rows further to the top left."""
        columns = tuple(column + x for column in self.columns)
        left, top, right, bottom = self.x0 + x, self.y0 + y, self.x1 + x, self.y1 + y
        return replace(self, columns=columns, x0=left, y0=top, x1=right, y1=bottom)


class Ocr(Protocol):
    """Reads the text in a picture."""

    def read(self, picture: NDArray[np.uint8]) -> list[Line]:
        """``picture`` is (rows, columns) of grey; the lines are in its pixels."""


def is_available() -> bool:
    """True where the engine is installed; it is not loaded."""
    return importlib.util.find_spec(_ENGINE) is not None


def load_ocr(*, threads: int = 1) -> Ocr:
    """The text reader.

    Raises
    ------
    InputError
        The optional extra ``ocr`` is not installed.
    """
    if not is_available():
        raise InputError(
            "burned-in text cannot be searched: rapidocr-onnxruntime is not installed",
            attribute="PixelData",
            advice="Install slicermedai[ocr], or choose a profile without the Clean Pixel Data Option.",
        )
    return RapidOcr(threads)


@functools.lru_cache(maxsize=2)
def _engine(threads: int) -> Any:
    with _environment():
        from rapidocr_onnxruntime import RapidOCR
    options = {"intra_op_num_threads": threads, "inter_op_num_threads": threads}
    return RapidOCR(**options)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """OpenCV points Qt at plug-ins of its own when it is imported; that must not reach a Qt application."""
    names = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class RapidOcr:
    """rapidocr-onnxruntime: a detector of lines and a reader of each; large pictures in overlapping tiles.

    It is loaded with the first picture, so that it goes to another process as what it is: a number of threads.
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads

    def read(self, picture: NDArray[np.uint8]) -> list[Line]:
        """The lines in ``picture``, (rows, columns) of grey, every one once."""
        found: list[Line] = []
        for x, y, tile in tiles_of(picture):
            for line in self._lines(tile):
                _join(found, line.moved(x, y))
        return found

    def _lines(self, picture: NDArray[np.uint8]) -> list[Line]:
        engine = _engine(self._threads)
        colour = np.repeat(picture[..., None], 3, axis=2)
        boxes, _ = engine.text_det(colour)
        if boxes is None or not len(boxes):
            return []
        crops = [_upright(crop, box) for crop, box in zip(engine.get_crop_img_list(colour, boxes), boxes, strict=True)]
        results, _ = engine.text_rec(crops, True)
        doubtful = [n for n, box in enumerate(boxes) if results[n][1] < _SURE and _elongation(box) >= _ROW]
        ways = {n: _read_turned(engine, crops[n]) for n in doubtful}
        lines = [_line(box, *result) for box, result in zip(boxes, results, strict=True)]
        for place, way in ways.items():
            text, confidence, _ = way
            enough = 0.0 if _is_vertical(boxes[place]) else _TURNED  # a line that runs up is as likely as one down
            if confidence >= max(enough, lines[place].confidence):
                lines[place] = replace(lines[place], text=text, confidence=confidence, columns=(), is_turned=True)
        return lines


def tiles_of(picture: NDArray[np.uint8]) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """(column, row, tile): the picture itself, or overlapping tiles with strokes in them where it is large."""
    if max(picture.shape) <= _WHOLE:
        yield 0, 0, picture
        return
    for y in _starts(picture.shape[0]):
        for x in _starts(picture.shape[1]):
            tile = picture[y : y + _TILE, x : x + _TILE]
            if has_strokes(tile):
                yield x, y, tile


def has_strokes(picture: NDArray[np.uint8], *, step: int = 24, least: int = 40) -> bool:
    """True where at least ``least`` neighbouring pixels differ by ``step`` of 255, which legible text needs."""
    return int((np.abs(np.diff(picture.astype(np.int16), axis=1)) >= step).sum()) >= least


def _starts(size: int) -> list[int]:
    if size <= _TILE:
        return [0]
    count = -(-(size - _OVERLAP) // (_TILE - _OVERLAP))
    return [round(start) for start in np.linspace(0, size - _TILE, count)]


def _read_turned(engine: Any, crop: NDArray[np.uint8]) -> Any:
    """The surest of what is read upside down, and in a mirror, upright and upside down."""
    ways = (np.rot90(crop, 2), crop[:, ::-1], crop[::-1])
    results, _ = engine.text_rec([np.ascontiguousarray(way) for way in ways], True)
    return max(results, key=lambda one: one[1])


def _elongation(box: NDArray[Any]) -> float:
    """Long side in short sides."""
    sides = sorted((float(np.linalg.norm(box[0] - box[1])), float(np.linalg.norm(box[0] - box[3]))))
    return sides[1] / max(sides[0], 1.0)


def _upright(crop: NDArray[np.uint8], box: NDArray[Any]) -> NDArray[np.uint8]:
    """The engine turns tall crops by a quarter; a single character is none of them."""
    height = np.linalg.norm(box[0] - box[3])
    was_turned = crop.shape[0] < height * 0.9
    return np.rot90(crop, -1).copy() if was_turned and not _is_vertical(box) else crop


def _is_vertical(box: NDArray[Any]) -> bool:
    """True for a line that runs up or down: it is read both ways."""
    return bool(np.linalg.norm(box[0] - box[3]) >= 2.5 * np.linalg.norm(box[0] - box[1]))


def _line(box: NDArray[Any], text: str, confidence: float, places: list[Any]) -> Line:
    (x0, y0), (x1, y1) = box.min(axis=0), box.max(axis=0)
    steps = [step for word in places[2] for step in word]
    if len(steps) != len(text) or x1 - x0 < y1 - y0:
        steps, places = list(range(len(text))), [len(text)]
    columns = tuple(float(x0 + (step + 0.5) / max(float(places[0]), 1.0) * (x1 - x0)) for step in steps)
    return Line(
        text=text if text.strip() else "",
        confidence=confidence,
        x0=float(x0),
        y0=float(y0),
        x1=float(x1),
        y1=float(y1),
        columns=columns,
        elongation=_elongation(box),
    )


def _join(found: list[Line], line: Line) -> None:
    """Add ``line``; of two readings of one place (overlapping tiles) the longer stays."""
    for number, other in enumerate(found):
        if _overlap(other, line) > 0.6:
            found[number] = max(other, line, key=lambda one: one.x1 - one.x0)
            return
    found.append(line)


def _overlap(one: Line, other: Line) -> float:
    """Of the smaller one's area."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    smaller = min((line.x1 - line.x0) * line.height for line in (one, other))
    return max(width, 0.0) * max(height, 0.0) / max(smaller, 1.0)
