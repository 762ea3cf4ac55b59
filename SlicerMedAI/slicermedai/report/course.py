"""A series over time: volumes of each structure as curve and table, what came of each frame, ejection fractions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.etree.ElementTree import Element, tostring

from slicermedai.domain.course import Course, Curve, Ejection
from slicermedai.domain.markup import el
from slicermedai.domain.result import AnalysisResult
from slicermedai.report.markup import Html, items, join, number, rounded, section, table, tag
from slicermedai.report.people import identifier

CURVES = 6
"""How many structures are drawn, and stand in the table of frames; the others are in over_time.csv."""
NOT_ASSESSED = (
    "Computed from the volumes of the model's answers: neither calibrated nor assessed, and without an interval. A "
    "change between frames may be the model's."
)
_WIDTH, _HEIGHT = 480.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 14.0, 24.0, 38.0


def course_section(result: AnalysisResult) -> Html:
    """Curves, ejection fractions, extremes and frames; nothing for a result of one image."""
    course = result.course
    if course is None:
        return Html("")
    shown = course.curves[:CURVES]
    parts = [
        items(course.told, class_="warn") if course.told else "",
        join(_ejection(one, course) for one in course.ejections),
        tag("div", *(_figure(curve, course) for curve in shown), class_="curves"),
        _extremes(course) if course.curves else tag("p", "Nothing was found in any frame."),
        tag("p", NOT_ASSESSED),
        tag("details", tag("summary", f"All {len(course.frames)} frames"), _frames(course, shown)),
    ]
    return section("course", "Over time", *parts)


def _ejection(one: Ejection, course: Course) -> Html:
    if one.fraction is None or one.end_diastolic is None or one.end_systolic is None:
        return tag("p", f"No ejection fraction of {one.label.name}: {one.refused}.", class_="warn")
    ends = [
        f"{name} in {_frame(course, index)}: {rounded(volume.value)} ml"
        for name, index, volume in (
            ("largest", one.diastole, one.end_diastolic),
            ("smallest", one.systole, one.end_systolic),
        )
    ]
    percent = tag("data", f"{one.fraction.value:.1f}", value=repr(one.fraction.value))
    head = tag("strong", f"{one.fraction.name.meaning}: ", percent, " %")
    words = f" Of {one.label.name}, {ends[0]}; {ends[1]}. Not calibrated, not assessed."
    return tag("p", head, " ", identifier(one.fraction.name), words)


def _frame(course: Course, index: int | None) -> str:
    if index is None:
        return "no frame"
    moment = course.frames[index].moment
    return f"frame {moment.number}{f' ({moment.time})' if moment.time else ''}"


def _extremes(course: Course) -> Html:
    rows = [(curve.label.name, *_range(curve, course)) for curve in course.curves]
    headings = (
        "Structure",
        "Largest (ml)",
        "Frame of the largest",
        "Smallest (ml)",
        "Frame of the smallest",
        "Found in",
    )
    return table("Largest and smallest volume of each structure", headings, rows)


def _range(curve: Curve, course: Course) -> Iterator[object]:
    for index in (curve.largest, curve.smallest):
        yield "none" if index is None else number(curve.volumes[index])
        yield "" if index is None else _frame(course, index)
    yield f"{len(curve.known)} of {len(curve.volumes)} frames"


def _frames(course: Course, shown: Sequence[Curve]) -> Html:
    headings = ("Frame", "Time", *(f"{curve.label.name} (ml)" for curve in shown), "Outcome")
    rows = []
    for index, frame in enumerate(course.frames):
        volumes = ["" if math.isnan(curve.volumes[index]) else number(curve.volumes[index]) for curve in shown]
        outcome = f"failed: {frame.failed}" if frame.failed else ""
        lacking = [curve.label.name for curve in shown if math.isnan(curve.volumes[index])]
        if lacking and not frame.failed:
            outcome = f"not found: {', '.join(lacking)}"
        rows.append((frame.moment.number, frame.moment.time or "not known", *volumes, outcome))
    clock = course.frames[0].moment.clock
    return table(
        f"Frames in order, {'times' if course.frames[0].moment.time else 'ordered'} by {clock}", headings, rows
    )


# --- the picture ----------------------------------------------------------------------------------------------------


def _figure(curve: Curve, course: Course) -> Html:
    drawn = Html(tostring(_drawing(curve, course), encoding="unicode"))
    return tag("figure", drawn, tag("figcaption", f"{curve.label.name}: volume (ml) over time"), class_="curve")


def _drawing(curve: Curve, course: Course) -> Element:
    """Dots at the volumes, lines between neighbouring frames that have one; a cross at the foot where one has none."""
    across, unit = _times(course)
    top = _top(max((curve.volumes[index] for index in curve.known), default=1.0))
    places = [(_x(one, across), _y(volume, top)) for one, volume in zip(across, curve.volumes, strict=True)]
    known = set(curve.known)
    lines = [
        el("line", x1=a[0], y1=a[1], x2=b[0], y2=b[1], class_="course")
        for index, (a, b) in enumerate(pairwise(places))
        if {index, index + 1} <= known
    ]
    dots = [el("circle", cx=places[index][0], cy=places[index][1], r=2.6) for index in curve.known]
    lost = [
        el("text", "×", x=_x(one, across), y=_HEIGHT - _BOTTOM - 3, text_anchor="middle", class_="lost")
        for index, one in enumerate(across)
        if index not in known
    ]
    return el(
        "svg",
        el("title", _described(curve, course)),
        *_axes(across, unit, top),
        *lines,
        *dots,
        *_marks(curve, course, places),
        *lost,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        role="img",
    )


def _described(curve: Curve, course: Course) -> str:
    ends = [
        f"{word} {rounded(curve.volumes[index])} ml in {_frame(course, index)}"
        for word, index in (("largest", curve.largest), ("smallest", curve.smallest))
        if index is not None
    ]
    missing = len(curve.volumes) - len(curve.known)
    return f"Volume of {curve.label.name}: {', '.join(ends) or 'never found'}; {missing} frames without a volume."


def _times(course: Course) -> tuple[list[float], str]:
    """Where each frame lies along the axis, and what its numbers are."""
    seconds = [frame.moment.seconds for frame in course.frames]
    known = [one for one in seconds if one is not None]
    if len(known) < len(seconds):
        return [float(frame.moment.number) for frame in course.frames], "frame"
    if known[-1] < 10:
        return [one * 1000 for one in known], "time (ms)"
    return (known, "time (s)") if known[-1] < 600 else ([one / 60 for one in known], "time (min)")


def _axes(across: Sequence[float], unit: str, top: float) -> Iterator[Element]:
    foot, end = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for part in range(5):
        volume = top * part / 4
        y = _y(volume, top)
        yield el("line", x1=_LEFT, y1=y, x2=end, y2=y, class_="grid")
        yield el("text", f"{volume:g}", x=_LEFT - 6, y=y + 4, text_anchor="end")
    for part in range(5):
        value = across[0] + (across[-1] - across[0]) * part / 4
        yield el("text", f"{value:.4g}", x=_x(value, across), y=foot + 15, text_anchor="middle")
    yield el("text", unit, x=(_LEFT + end) / 2, y=_HEIGHT - 6, text_anchor="middle")
    yield el("text", "ml", x=_LEFT - 6, y=13, text_anchor="end")


def _marks(curve: Curve, course: Course, places: Sequence[tuple[float, float]]) -> Iterator[Element]:
    for index, above in ((curve.largest, True), (curve.smallest, False)):
        if index is not None:
            x, y = places[index]
            anchor = "start" if x < _WIDTH / 3 else "end" if x > 2 * _WIDTH / 3 else "middle"
            words = f"{rounded(curve.volumes[index])} ml, frame {course.frames[index].moment.number}"
            yield el("circle", cx=x, cy=y, r=4.5, class_="extreme")
            yield el("text", words, x=x, y=y - 9 if above else y + 17, text_anchor=anchor)


def _x(value: float, across: Sequence[float]) -> float:
    span = (across[-1] - across[0]) or 1.0
    return _LEFT + (value - across[0]) / span * (_WIDTH - _LEFT - _RIGHT)


def _y(volume: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (0.0 if math.isnan(volume) else volume) / top * (_HEIGHT - _TOP - _BOTTOM)


def _top(largest: float) -> float:
    """A round number above ``largest``, which four steps divide."""
    wanted = max(largest, 1e-3) * 1.08
    size = 10.0 ** math.floor(math.log10(wanted))
    return next(size * step for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if size * step >= wanted)
