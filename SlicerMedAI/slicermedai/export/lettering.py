"""Lines of text as pixels, with a fixed bitmap font, so that the same words give the same bytes everywhere."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_WIDTH, _HEIGHT, _SCALE = 6, 11, 2
STEP = _HEIGHT * _SCALE + 4
"""Pixels from line to line."""

Color = tuple[int, int, int]


def can_show(text: str) -> bool:
    """True where the font has all letters of ``text``: those of Latin-1."""
    return text == text.encode("latin-1", "replace").decode("latin-1")


def wrapped(text: str, width: int) -> list[str]:
    """``text`` in lines that fit ``width`` pixels; what follows the first hangs below its indent."""
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    return textwrap.wrap(text, max(8, width // (_WIDTH * _SCALE)), subsequent_indent=indent) or [""]


def write_line(canvas: NDArray[np.uint8], text: str, *, top: int, left: int, color: Color) -> None:
    """Draw ``text`` into ``canvas`` (rows, columns, 3), cut at its edges; letters outside Latin-1 become "?"."""
    plain = text.encode("latin-1", "replace").decode("latin-1")
    strip = Image.new("L", (max(1, _WIDTH * len(plain)), _HEIGHT))
    ImageDraw.Draw(strip).text((0, 0), plain, fill=255, font=ImageFont.load_default_imagefont())
    ink = np.kron(np.asarray(strip) > 127, np.ones((_SCALE, _SCALE), bool))
    part = canvas[top : top + ink.shape[0], left : left + ink.shape[1]]
    part[ink[: part.shape[0], : part.shape[1]]] = color


def page(lines: Iterable[tuple[str, Color]], *, size: tuple[int, int], margin: int) -> list[NDArray[np.uint8]]:
    """(rows, columns, 3) pages of ``size`` (rows, columns), black, as many as the lines need."""
    rows, columns = size
    fitted = [(part, color) for text, color in lines for part in wrapped(text, columns - 2 * margin)]
    room = (rows - 2 * margin) // STEP
    pages = []
    for first in range(0, len(fitted), room):
        canvas = np.zeros((rows, columns, 3), np.uint8)
        for number, (text, color) in enumerate(fitted[first : first + room]):
            write_line(canvas, text, top=margin + number * STEP, left=margin, color=color)
        pages.append(canvas)
    return pages
