"""Text drawn on pixels: identity that must go, and annotations that must stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from Testing.corpus.deid.ledger import BurnedIn
from Testing.corpus.deid.planting import Planter, caption

KEPT = ("L", "R", "kVp 120", "10 cm", "FR 28Hz", "Gain 54", "AP", "Z 2.0", "MI 0.9", "SUPINE", "SAG", "AP SUPINE")
BURNED_KINDS = ("name", "record", "birth date", "name", "clinic", "accession")


@dataclass(frozen=True)
class Line:
    """One line of text and how it is drawn; ``top`` and ``left`` in pixels."""

    text: str
    left: int
    top: int
    size: int
    dark: bool


def burn(planter: Planter, pixels: np.ndarray) -> np.ndarray:
    """Draw one to three identity lines and one or two others on every frame; both go into the ledger."""
    rng = planter.rng
    dark = rng.random() < 0.35
    top = 2
    for _ in range(rng.randrange(1, 4)):
        line = _identity_line(
            planter, Line("", rng.randrange(2, 14), top, rng.choice((12, 14, 18)), dark), pixels.shape[2]
        )
        box = draw(pixels, line)
        planter.ledger.burned_in.append(BurnedIn(planter.file, line.text, box, True, line.size, dark))
        top = box[3] + 3
    keep_annotations(planter, pixels)
    return pixels


def keep_annotations(planter: Planter, pixels: np.ndarray) -> None:
    """Draw one or two texts that tell nothing about a person."""
    bottom = pixels.shape[1] - 30
    for index, text in enumerate(planter.rng.sample(KEPT, 2)):
        left = 8 + index * pixels.shape[2] // 2
        line = Line(text, left, bottom, planter.rng.choice((13, 16)), False)
        box = draw(pixels, line)
        planter.ledger.burned_in.append(BurnedIn(planter.file, text, box, False, line.size, False))


def _identity_line(planter: Planter, line: Line, width: int) -> Line:
    """Fill in a text that fits the width at that size."""
    for _ in range(40):
        form = planter.ascii_form(planter.rng.choice(BURNED_KINDS))
        text = caption(form)
        if len(text) > 5 and _size(text, line.size)[0] + line.left < width - 4:
            return Line(text, line.left, line.top, line.size, line.dark)
    return Line(planter.study.accession, 2, line.top, 12, line.dark)  # narrow enough for every image


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _size(text: str, size: int) -> tuple[int, int]:
    left, top, right, bottom = _font(size).getbbox(text)
    return int(right - left + 1), int(bottom - top + 1)


def draw(pixels: np.ndarray, line: Line) -> tuple[int, int, int, int]:
    """Draw on every frame in place, bright on a dark strip or dark on a bright one; returns the letters' box."""
    rows, columns = pixels.shape[1:3]
    canvas = Image.new("L", (columns, rows))
    ImageDraw.Draw(canvas).text((line.left, line.top), line.text, fill=255, font=_font(line.size))
    letters = canvas.getbbox()
    assert letters is not None, "the text lies outside the image"
    left, top, right, bottom = letters
    alpha = np.asarray(canvas, dtype=np.float64)[top:bottom, left:right] / 255
    highest = 255 if pixels.dtype == np.uint8 else 4095
    ink, paper = (0.05, 0.9) if line.dark else (0.95, 0.05)
    patch = (paper + (ink - paper) * alpha) * highest
    shaped = patch[None, :, :, None] if pixels.ndim == 4 else patch[None]
    strip = (slice(None), slice(max(0, top - 1), bottom + 1), slice(max(0, left - 1), right + 1))
    pixels[strip] = int(paper * highest)
    pixels[:, top:bottom, left:right] = shaped.astype(pixels.dtype)
    return left, top, right, bottom
