"""What a trust record knows, as pictures: how honest probabilities are, how wide volumes may err, how Dice is foreseen.

PNG files that need no browser and no network. Black on white, lines told apart by their form as well as by colour. All
is drawn from the record alone: it holds sketches and scores, and neither images nor patients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from slicermedai.confidence.record import StructureTrust, TrustRecord, sketch_of_text
from slicermedai.confidence.scaling import Scaling
from slicermedai.confidence.sketch import Points
from slicermedai.domain.storage import atomic_file
from slicermedai.validate.plots import nice_ticks

WIDTH, HEIGHT = 640, 460
LEVEL = 0.9
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 16, 44, 58
_WHITE, _BLACK, _GREY = (255, 255, 255), (0, 0, 0), (170, 170, 170)
_BLUE, _ORANGE = (0, 90, 181), (200, 110, 0)
_DASH = 7
_FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_VOLUMES = 60
"""Volumes that a band is drawn of."""

Color = tuple[int, int, int]
Range = tuple[float, float]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPicture:
    """One picture: what it shows, its file, and what must be read with it."""

    title: str
    file: Path
    caption: str


def record_pictures(record: TrustRecord, folder: Path) -> list[RecordPicture]:
    """Draw all that ``record`` has something to show of into the existing ``folder``, in the order of structures.

    A structure of which nothing was fitted has no picture: the record's own words say why.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    of = scope_text(record)
    made = []
    for structure in record.structures:
        for name, draw in _PARTS.items():
            found = draw(structure)
            if found is None:
                continue
            sheet, words = found
            file = sheet.save(Path(folder) / f"{structure.value:04d}-{name}.png")
            made.append(RecordPicture(title=sheet.title, file=file, caption=f"{words} {of}"))
    return made


def scope_text(record: TrustRecord) -> str:
    """For whom the record speaks: patients, scanners, and that it is of generated data where it is."""
    made, scope = record.provenance, record.scope
    said = ", ".join((*scope.modalities, *scope.manufacturers, *scope.sites, *scope.protocols))
    text = f"{made.patients} patients, {made.images} images; for {said or 'whatever scanner: none was recorded'}."
    return f"GENERATED DATA: never applies to a real image. {text}" if made.generated else text


@dataclass(slots=True, eq=False)
class Sheet:
    """A picture with two axes; ``x`` and ``y`` are their ranges, and what lies beyond is put on the frame."""

    title: str
    x: Range
    y: Range
    labels: tuple[str, str]
    ticks: tuple[Sequence[float], Sequence[float]]
    _image: Image.Image = field(init=False)
    _draw: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        self._image = Image.new("RGB", (WIDTH, HEIGHT), _WHITE)
        self._draw = ImageDraw.Draw(self._image)
        self._frame()

    def at(self, point: Point) -> Point:
        """Where a point of data lies, pixels from the upper left corner."""
        (x, y), (left, right), (low, high) = point, self.x, self.y
        across = (min(max(x, left), right) - left) / (right - left)
        up = (min(max(y, low), high) - low) / (high - low)
        return _LEFT + across * (WIDTH - _LEFT - _RIGHT), HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM)

    def line(self, points: Iterable[Point], color: Color, *, dashed: bool = False) -> None:
        """A line through points of data."""
        places = [self.at(point) for point in points]
        for first, second in pairwise(places):
            for start, end in _dashes(first, second) if dashed else [(first, second)]:
                self._draw.line([start, end], fill=color, width=2)

    def dots(self, points: Iterable[Point], color: Color, *, hollow: bool = False) -> None:
        """A dot at each point of data."""
        for x, y in map(self.at, points):
            self._draw.ellipse([x - 4, y - 4, x + 4, y + 4], fill=None if hollow else color, outline=color, width=2)

    def bars(self, heights: Sequence[float]) -> None:
        """Grey bars of equal width from the left edge to the right one."""
        width = (self.x[1] - self.x[0]) / len(heights)
        for number, height in enumerate(heights):
            left, top = self.at((self.x[0] + number * width, height))
            right, bottom = self.at((self.x[0] + (number + 1) * width, self.y[0]))
            self._draw.rectangle([left + 1, top, right - 1, bottom], fill=(225, 225, 225))

    def key(self, entries: Sequence[tuple[str, Color]]) -> None:
        """What the colours stand for, in the upper left corner of the frame."""
        for number, (text, color) in enumerate(entries):
            top = _TOP + 8 + 18 * number
            self._draw.rectangle([_LEFT + 10, top + 2, _LEFT + 20, top + 12], fill=color)
            self._draw.text((_LEFT + 26, top), text, fill=_BLACK, font=_font(13))

    def save(self, path: Path) -> Path:
        """Write the picture, whole or not at all."""
        with atomic_file(path) as partial:
            self._image.save(partial, format="PNG")
        return path

    def _frame(self) -> None:
        draw, small = self._draw, _font(13)
        draw.rectangle([_LEFT, _TOP, WIDTH - _RIGHT, HEIGHT - _BOTTOM], outline=_GREY)
        draw.text((_LEFT, 14), self.title, fill=_BLACK, font=_font(16))
        for value in self.ticks[0]:
            x, y = self.at((value, self.y[0]))
            draw.line([x, y, x, y + 5], fill=_BLACK)
            draw.text((x, y + 8), f"{value:g}", fill=_BLACK, font=small, anchor="ma")
        for value in self.ticks[1]:
            x, y = self.at((self.x[0], value))
            draw.line([x - 5, y, x, y], fill=_BLACK)
            draw.text((x - 9, y), f"{value:g}", fill=_BLACK, font=small, anchor="rm")
        draw.text(((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 22), self.labels[0], fill=_BLACK, font=small, anchor="ma")
        upright = Image.new("RGB", (HEIGHT, 20), _WHITE)
        middle = (_BOTTOM + HEIGHT - _TOP) / 2
        ImageDraw.Draw(upright).text((middle, 2), self.labels[1], fill=_BLACK, font=small, anchor="ma")
        self._image.paste(upright.rotate(90, expand=True), (4, 0))


Drawn = tuple[Sheet, str] | None


def _reliability(known: StructureTrust) -> Drawn:
    """Observed share against stated probability, before and after calibration, with where the voxels lie."""
    if not (known.is_calibrated and known.sketch):
        return None
    points = sketch_of_text(known.sketch).points()
    title, axes = f"{known.name}: are stated probabilities kept?", ("stated probability", "observed share")
    sheet = Sheet(title, (0.0, 1.0), (0.0, 1.0), axes, (_FIFTHS, _FIFTHS))
    after = known.scaling.reliability(points)
    sheet.bars((after.weight / after.weight.sum()).tolist())
    sheet.line([(0.0, 0.0), (1.0, 1.0)], _GREY, dashed=True)
    for scaling, color, dashed in ((Scaling(), _ORANGE, True), (known.scaling, _BLUE, False)):
        found = _kept(scaling, points)
        sheet.line(found, color, dashed=dashed)
        sheet.dots(found, color, hollow=dashed)
    sheet.key((("raw scores", _ORANGE), ("calibrated", _BLUE), ("share of all in each bin", _GREY)))
    ece = f" ECE {known.before.ece:.3f} before, {known.after.ece:.3f} after." if known.before and known.after else ""
    what = "candidates" if known.lesions else "images" if known.of_image else "voxels around the prediction"
    return (
        sheet,
        f"Reliability of {what}: the nearer to the dashed line, the more a stated probability can be believed.{ece}",
    )


def _volume(known: StructureTrust) -> Drawn:
    """Between what volumes the reference lay, for each predicted volume."""
    model = known.volume
    if model is None or model.interval(1.0, level=LEVEL) is None:
        return None
    most = 40 * max(model.floor, 1e-3)
    volumes = np.linspace(0.0, most, _VOLUMES)
    found = [(float(v), model.interval(float(v), level=LEVEL)) for v in volumes]
    high = max(interval.high for _, interval in found if interval)
    title, axes = f"{known.name}: how far volumes err", ("predicted volume, ml", "volume, ml")
    span, upright = (0.0, most), (0.0, high)
    sheet = Sheet(title, span, upright, axes, (nice_ticks(span), nice_ticks(upright)))
    sheet.line([(0.0, 0.0), (most, most)], _GREY, dashed=True)
    sheet.line([(v, interval.low) for v, interval in found if interval], _BLUE)
    sheet.line([(v, interval.high) for v, interval in found if interval], _BLUE)
    return sheet, f"Between the blue lines lay the reference's volume of {LEVEL:.0%} of patients (conformal interval)."


def _dice(known: StructureTrust) -> Drawn:
    """The Dice that was foreseen for each patient that the model of it had not seen, and what it was."""
    if known.dice is None or not known.dice.held_out:
        return None
    title, axes = f"{known.name}: is the Dice foreseen?", ("predicted Dice", "true Dice")
    sheet = Sheet(title, (0.0, 1.0), (0.0, 1.0), axes, (_FIFTHS, _FIFTHS))
    sheet.line([(0.0, 0.0), (1.0, 1.0)], _GREY, dashed=True)
    if known.rule is not None:
        sheet.line([(known.rule.threshold, 0.0), (known.rule.threshold, 1.0)], _ORANGE, dashed=True)
        sheet.key((("green from here on", _ORANGE), ("one patient", _BLUE)))
    sheet.dots(known.dice.held_out, _BLUE)
    green = f" Green: {known.rule.words}." if known.rule else " No light is green."
    return sheet, f"Each dot is a patient whom the prediction had not seen.{green}"


_PARTS: dict[str, Callable[[StructureTrust], Drawn]] = {
    "1-reliability": _reliability,
    "2-volume": _volume,
    "3-dice": _dice,
}


def _kept(scaling: Scaling, points: Points) -> list[Point]:
    found = scaling.reliability(points)
    full = np.isfinite(found.stated)
    return list(zip(found.stated[full].tolist(), found.observed[full].tolist(), strict=True))


def _dashes(start: Point, end: Point) -> list[tuple[Point, Point]]:
    first, last = np.asarray(start), np.asarray(end)
    count = max(1, int(np.linalg.norm(last - first) // _DASH))
    places = [tuple(map(float, first + (last - first) * part / count)) for part in range(count + 1)]
    return [(places[n], places[n + 1]) for n in range(0, count, 2)]  # type: ignore[misc]  # pairs of numbers


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=size)
