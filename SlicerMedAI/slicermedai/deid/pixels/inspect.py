"""Searches a file's pixels for text and says of each piece what it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from slicermedai.deid.pixels.boxes import boxes_of, merged, unread
from slicermedai.deid.pixels.clips import summarised
from slicermedai.deid.pixels.frames import FileFrames, Frame, FrameSource, Picture, grey, has_pixels, pictures
from slicermedai.deid.pixels.gate import is_mask, looks_written_on, why_read
from slicermedai.deid.pixels.kinds import BRIGHTEST, DARKEST, Search, TextBox, TextClass, Unclassified, Verdict
from slicermedai.deid.pixels.match import Matcher
from slicermedai.deid.pixels.ocr import Line, Ocr, has_strokes
from slicermedai.deid.pixels.words import words_of
from slicermedai.deid.vocabulary import Vocabulary

_SURE = 0.55
_ROW, _LENGTH = 3.0, 24
_OVER_AND_OVER, _STRIPES, _THIN = 3, 6, 5.0
"""Signs, signs; pixels: the lowest letters that can be told apart have more rows."""


def inspect(
    path: Path,
    vocabulary: Vocabulary,
    ocr: Ocr | None,
    *,
    unclassified: Unclassified = Unclassified.REMOVE,
) -> Verdict:
    """Search the pixels of a DICOM file for text.

    Images that may carry text are read (SOP class, Modality, ImageType, colour, and where the file itself says so;
    a BurnedInAnnotation of NO is not believed); of others every frame is screened for strokes and read where it has
    some. Text that is neither the patient's nor a known annotation is removed unless ``unclassified`` says
    otherwise: a name that nobody listed does more harm than a lost remark, and the review list shows each one. What
    looks like text and cannot be read, turned and mirrored neither, stays, is listed, and keeps the file from claiming
    that it was searched.

    Parameters
    ----------
    vocabulary:
        The patient's.
    ocr:
        The text reader; without one the verdict is "not searched".

    Raises
    ------
    UnreadableFileError
        The pixels cannot be decoded.
    """
    if not has_pixels(path):
        return Verdict(search=Search.NO_PIXELS, reason="the file has no pixel data")
    if ocr is None:
        return Verdict(search=Search.NOT_SEARCHED, reason="no text reader is installed (slicermedai[ocr])")
    source = FileFrames.open(path)
    if is_mask(source.dataset):
        return Verdict(search=Search.SCREENED, reason="it is a segmentation: its frames are masks and no pictures")
    reason = why_read(source.dataset)
    if not reason and any(looks_written_on(grey(frame)) for frame in source.frames()):
        reason = "a frame has strokes like text"
    if not reason:
        return Verdict(search=Search.SCREENED, reason="the frames have no strokes like text")
    return Verdict(
        boxes=find_text(source, Matcher(vocabulary), ocr),
        search=Search.READ,
        reason=reason,
        unclassified=unclassified,
    )


def find_text(source: FrameSource, matcher: Matcher, ocr: Ocr) -> tuple[TextBox, ...]:
    """Every piece of text in the frames: once for a single image, once for what stands still in a clip, and on the
    frames of a clip at which strokes change."""
    found = [
        box
        for place, frame in _frames_to_read(source)
        for picture in _both_polarities(pictures(frame, source.dataset))
        for box in _of_picture(picture, matcher, ocr, seen=place)
    ]
    return tuple(replace(box, frames=(0, source.count)) for box in merged(found))


def _frames_to_read(source: FrameSource) -> Iterator[tuple[int, Frame]]:
    if source.count == 1:
        yield from enumerate(source.frames())
        return
    clip = summarised(source)
    yield DARKEST, clip.darkest
    if not np.array_equal(clip.darkest, clip.brightest):
        yield BRIGHTEST, clip.brightest
        yield from zip(clip.telling, source.frames(clip.telling), strict=True)


def _both_polarities(greys: Iterable[Picture]) -> Iterator[Picture]:
    for picture in greys:
        if has_strokes(picture):
            yield picture
            yield 255 - picture


def _of_picture(picture: Picture, matcher: Matcher, ocr: Ocr, *, seen: int) -> list[TextBox]:
    shape, found = (picture.shape[0], picture.shape[1]), ocr.read(picture)
    lines = [(line, words_of(line, picture)) for line in found if line.text]
    pieces = [piece for piece in matcher.pieces(lines) if piece.kind is TextClass.IDENTITY or _is_text(piece.line)]
    boxes = [*boxes_of(pieces, shape), *(unread(line, shape) for line in found if _cannot_be_read(line))]
    return [replace(box, seen=seen) for box in boxes]


def _cannot_be_read(line: Line) -> bool:
    """True for strokes in a row, as text has them, that the reader makes nothing of: another script for one. Shapes of
    bodies are seldom three times as long as high."""
    is_no_text = line.confidence < _SURE or _is_texture(line)
    return is_no_text and line.elongation >= _ROW and max(line.height, line.x1 - line.x0) >= _LENGTH


def _is_text(line: Line) -> bool:
    """False for what the reader is not sure of, and for single signs that are no Latin letter: shapes in the image."""
    text = line.text.strip()
    return line.confidence >= _SURE and not _is_texture(line) and (len(text) > 1 or text.isascii())


def _is_texture(line: Line) -> bool:
    """True for one letter over and over, and for what is too thin for letters: noise and edges are read so, surely."""
    return _is_one_letter(line) or min(line.height, line.x1 - line.x0) < _THIN


def _is_one_letter(line: Line) -> bool:
    """True for one letter three times or more and nothing else, or as most of each word where there are six letters or
    more: stripes. A word among them that is none could be a name."""
    signs = [sign for sign in line.text.casefold() if sign.isalnum()]
    if not signs or not all(map(str.isalpha, signs)):
        return False
    words = re.findall(r"[^\W_]+", line.text.casefold())
    alone = len(set(signs)) == 1 and len(line.text.strip()) >= _OVER_AND_OVER
    return alone or (len(signs) >= _STRIPES and all(max(map(word.count, word)) > len(word) / 2 for word in words))
