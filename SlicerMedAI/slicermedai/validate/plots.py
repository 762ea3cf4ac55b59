"""Plots as inline SVG: reliability, Bland-Altman, FROC, subgroups. Black on white, readable in print without colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from slicermedai.confidence.metrics import Reliability
from slicermedai.domain.finding import Interval
from slicermedai.domain.markup import el
from slicermedai.validate.agreement import Agreement
from slicermedai.validate.froc import RATES, Froc
from slicermedai.validate.subgroups import Subgroup

WIDTH, HEIGHT = 420.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 12.0, 10.0, 44.0
FloatArray = NDArray[np.float64]
Range = tuple[float, float]


def _straight(value: float) -> float:
    return value


@dataclass(slots=True, eq=False)
class Axes:
    """A frame with two axes; ``scale`` bends the x axis (``math.log2``). Data beyond a range are put on the frame."""

    title: str
    x: Range
    y: Range
    labels: tuple[str, str]
    ticks: tuple[Sequence[float], Sequence[float]]
    scale: Callable[[float], float] = _straight
    _parts: list[Element] = field(default_factory=list)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of data lies in the picture."""
        low, high = self.scale(self.x[0]), self.scale(self.x[1])
        across = (self.scale(min(max(x, self.x[0]), self.x[1])) - low) / (high - low)
        up = (min(max(y, self.y[0]), self.y[1]) - self.y[0]) / (self.y[1] - self.y[0])
        return _LEFT + across * (WIDTH - _LEFT - _RIGHT), HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM)

    def line(self, points: Iterable[tuple[float, float]], class_: str = "line") -> None:
        """A line through points of data; those that are not finite are left out."""
        places = [self.at(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        path = " ".join(f"{x:.2f},{y:.2f}" for x, y in places)
        self._parts.append(el("polyline", points=path, class_=class_))

    def dots(self, points: Iterable[tuple[float, float]], radius: float = 2.6) -> None:
        """A dot at each point of data that is finite."""
        for x, y in points:
            if math.isfinite(x) and math.isfinite(y):
                cx, cy = self.at(x, y)
                self._parts.append(el("circle", cx=cx, cy=cy, r=radius, class_="dot"))

    def note(self, x: float, y: float, text: str) -> None:
        """Words at a point of data."""
        px, py = self.at(x, y)
        self._parts.append(el("text", text, x=px, y=py - 4, class_="note", text_anchor="end"))

    def picture(self) -> Element:
        """The finished SVG, with its title for screen readers."""
        frame = el(
            "rect",
            x=_LEFT,
            y=_TOP,
            width=WIDTH - _LEFT - _RIGHT,
            height=HEIGHT - _TOP - _BOTTOM,
            class_="frame",
        )
        middle, upright = (_LEFT + WIDTH - _RIGHT) / 2, (_TOP + HEIGHT - _BOTTOM) / 2
        words = [
            el("text", self.labels[0], x=middle, y=HEIGHT - 8, text_anchor="middle"),
            el("text", self.labels[1], text_anchor="middle", transform=f"translate(13 {upright:.1f}) rotate(-90)"),
        ]
        parts = (el("title", self.title), frame, *self._ticks(), *self._parts, *words)
        return el("svg", *parts, viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", role="img", class_="plot")

    def _ticks(self) -> list[Element]:
        made = []
        for value in self.ticks[0]:
            x, y = self.at(value, self.y[0])
            made += [_stroke(x, y, x, y + 4), el("text", f"{value:g}", x=x, y=y + 16, text_anchor="middle")]
        for value in self.ticks[1]:
            x, y = self.at(self.x[0], value)
            made += [_stroke(x - 4, y, x, y), el("text", f"{value:g}", x=x - 7, y=y + 4, text_anchor="end")]
        return made


def reliability_plot(found: Reliability, title: str) -> Element:
    """Observed share against stated probability, with the share of voxels in each bin as bars."""
    fifths = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    axes = Axes(title, (0.0, 1.0), (0.0, 1.0), ("stated probability", "observed share"), (fifths, fifths))
    share = found.weight / found.weight.sum()
    for number, part in enumerate(share):
        middle = (number + 0.5) / share.size
        axes.line([(middle, 0.0), (middle, float(part))], "bar")
    axes.line([(0.0, 0.0), (1.0, 1.0)], "dashed")
    points = list(zip(found.stated.tolist(), found.observed.tolist(), strict=True))
    axes.line(points)
    axes.dots(points)
    return axes.picture()


def bland_altman_plot(found: Agreement, title: str) -> Element:
    """Difference against mean of both volumes, ml, with bias and limits of agreement."""
    means, away = (found.reference + found.predicted) / 2, found.predicted - found.reference
    x = _padded(means)
    y = _padded(np.concatenate([away, [0.0, found.lower.value, found.upper.value]]))
    labels = ("mean of reference and prediction, ml", "prediction minus reference, ml")
    axes = Axes(title, x, y, labels, (nice_ticks(x), nice_ticks(y)))
    axes.line([(x[0], 0.0), (x[1], 0.0)], "faint")
    for name, estimate, kind in (
        ("bias", found.bias, "line"),
        ("", found.lower, "dashed"),
        ("", found.upper, "dashed"),
    ):
        axes.line([(x[0], estimate.value), (x[1], estimate.value)], kind)
        axes.note(x[1], estimate.value, f"{name} {estimate.value:.3g}".strip())
    axes.dots(zip(means.tolist(), away.tolist(), strict=True))
    return axes.picture()


def froc_plot(found: Froc, title: str) -> Element:
    """Sensitivity against false alarms per scan on a logarithmic axis, with the seven points of the CPM."""
    fifths = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    axes = Axes(
        title, (RATES[0], RATES[-1]), (0.0, 1.0), ("false alarms per scan", "sensitivity"), (RATES, fifths), math.log2
    )
    fine = np.exp2(np.linspace(math.log2(RATES[0]), math.log2(RATES[-1]), 200))
    axes.line([(float(rate), found.at(float(rate))) for rate in fine])
    axes.dots([(rate, found.at(rate)) for rate in RATES])
    return axes.picture()


def forest_plot(groups: Sequence[Subgroup], title: str, *, of: str = "mean Dice") -> Element:
    """One line per subgroup, the worst on top: a number from 0 to 1 and its interval; too few is said in words."""
    row, left, right = 22.0, 190.0, 64.0
    height = row * (len(groups) + 1) + 26
    scale = (WIDTH - left - right) / 1.0
    parts: list[Element] = [el("title", title)]
    for number, group in enumerate(groups):
        parts += _forest_row(group, row * (number + 0.7), (left, scale))
    base = row * len(groups) + 8
    parts.append(_stroke(left, base, left + scale, base))
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = left + value * scale
        parts += [_stroke(x, base, x, base + 4), el("text", f"{value:g}", x=x, y=base + 17, text_anchor="middle")]
    parts.append(el("text", of, x=left + scale / 2, y=base + 33, text_anchor="middle"))
    return el("svg", *parts, viewBox=f"0 0 {WIDTH:g} {height + 14:g}", role="img", class_="plot")


def nice_ticks(span: Range) -> tuple[float, ...]:
    """Four to nine round numbers within a range."""
    raw = (span[1] - span[0]) / 6
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw)
    first = math.ceil(span[0] / step - 1e-9)
    last = math.floor(span[1] / step + 1e-9)
    return tuple(round(number * step, 12) for number in range(first, last + 1))


def _forest_row(group: Subgroup, y: float, place: tuple[float, float]) -> list[Element]:
    left, scale = place
    parts = [el("text", f"{group.by}: {group.value} (n = {group.patients})", x=left - 8, y=y + 4, text_anchor="end")]
    if group.estimate is None:
        return [*parts, el("text", group.words.partition(" (")[0], x=left + 6, y=y + 4, class_="note")]
    interval = group.estimate.interval or Interval(low=group.estimate.value, high=group.estimate.value)
    ends = [left + min(max(v, 0.0), 1.0) * scale for v in (interval.low, interval.high)]
    parts.append(_stroke(ends[0], y, ends[1], y, "line"))
    parts.append(el("circle", cx=left + group.estimate.value * scale, cy=y, r=3.5, class_="dot"))
    parts.append(el("text", f"{group.estimate.value:.3f}", x=left + scale + 8, y=y + 4))
    return parts


def _stroke(x1: float, y1: float, x2: float, y2: float, class_: str = "tick") -> Element:
    return el("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def _padded(values: FloatArray) -> Range:
    low, high = float(values.min()), float(values.max())
    pad = 0.08 * (high - low) or max(1.0, abs(high)) * 0.1
    return low - pad, high + pad
