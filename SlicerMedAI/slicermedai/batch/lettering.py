"""Words in a picture, by letters of five pixels by seven: for what must be read on small ones. Needs numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
YELLOW = (255, 214, 60)
STEP, LINE = 6, 9
"""Pixels from letter to letter, and from line to line."""
_HIGH, _WIDE = 7, 5
_LETTERS = {
    "A": "4AHHVHH", "B": "UHHUHHU", "C": "EHGGGHE", "D": "SIHHHIS", "E": "VGGUGGV", "F": "VGGUGGG", "G": "EHGNHHF",
    "H": "HHHVHHH", "I": "E44444E", "J": "722222C", "K": "HIKOKIH", "L": "GGGGGGV", "M": "HRLLHHH", "N": "HHPLJHH",
    "O": "EHHHHHE", "P": "UHHUGGG", "Q": "EHHHLID", "R": "UHHUKIH", "S": "FGGE11U", "T": "V444444", "U": "HHHHHHE",
    "V": "HHHHHA4", "W": "HHHLLLA", "X": "HHA4AHH", "Y": "HHHA444", "Z": "V1248GV", "0": "EHJLPHE", "1": "4C4444E",
    "2": "EH1248V", "3": "V2421HE", "4": "26AIV22", "5": "VGU11HE", "6": "68GUHHE", "7": "V124888", "8": "EHHEHHE",
    "9": "EHHF12C", "-": "000V000", ",": "0000648", ".": "00000CC", "'": "4480000", ":": "0CC0CC0", "/": "01248G0",
    "(": "2488842", ")": "8422248",
}  # fmt: skip
"""Seven rows from the top, each a digit of base 32: 16 is the pixel on the left."""


def lettered(picture: Picture, text: str) -> Picture:
    """``picture`` (rows, columns, 3) below ``text`` in capitals, in as many lines as its width wants; "" leaves it.

    Letters that are not known are left blank. A word that is wider than the picture is broken.
    """
    lines = _lines(text.upper(), max(1, (picture.shape[1] - 1) // STEP))
    if not lines:
        return picture
    strip = np.zeros((LINE * len(lines) + 1, picture.shape[1], 3), np.uint8)
    for number, line in enumerate(lines):
        for place, letter in enumerate(line):
            top, left = LINE * number + 1, STEP * place + 1
            piece = strip[top : top + _HIGH, left : left + _WIDE]
            piece[_pixels(letter)[:, : piece.shape[1]]] = YELLOW
    return np.concatenate([strip, picture])


def _lines(text: str, letters: int) -> list[str]:
    """Words in lines of so many letters."""
    lines: list[str] = []
    for word in text.split():
        pieces = [word[n : n + letters] for n in range(0, len(word), letters)]
        for piece in pieces:
            if lines and len(lines[-1]) + 1 + len(piece) <= letters:
                lines[-1] += f" {piece}"
            else:
                lines.append(piece)
    return lines


def _pixels(letter: str) -> NDArray[np.bool_]:
    """(7, 5) of a letter."""
    rows = [int(digit, 32) for digit in _LETTERS.get(letter, "0000000")]
    return np.array([[bool(row >> bit & 1) for bit in range(_WIDE - 1, -1, -1)] for row in rows])
