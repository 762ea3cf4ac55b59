"""A series over time in plain lines, for objects that people read; the numbers of the frames are the model's."""

from __future__ import annotations

import math
from collections.abc import Iterator

from slicermedai.domain.course import Course, Curve, Ejection
from slicermedai.domain.decisions import last_decisions
from slicermedai.domain.result import AnalysisResult, Decision

CAUTION = "Computed from the volumes of the model's answers: not calibrated, not assessed, and without an interval."
_TOLD = 6
"""Of so many structures the volumes of all frames are told; those of all structures are in over_time.csv."""


def course_lines(result: AnalysisResult) -> tuple[str, ...]:
    """Ejection fractions, or why there is none, then volumes by frame; nothing of a result of one image."""
    return () if result.course is None else tuple(_lines(result.course, told_curves(result)))


def told_curves(result: AnalysisResult) -> tuple[Curve, ...]:
    """The volumes that are written: not those of a structure that a person rejected."""
    last = last_decisions(result)
    rejected = {uid for uid, review in last.items() if review.decision is Decision.REJECTED}
    return tuple(one for one in (result.course.curves if result.course else ()) if one.tracking_uid not in rejected)


def ejection_line(one: Ejection, course: Course) -> str:
    """One fraction with the frames that it is of, or why there is none."""
    if one.fraction is None or one.end_diastolic is None or one.end_systolic is None:
        return f"No ejection fraction of {one.label.name}: {one.refused}."
    ends = ((one.diastole, one.end_diastolic.value), (one.systole, one.end_systolic.value))
    largest, smallest = (
        f"{volume:.4g} ml in {course.frames[index].moment.in_words}" for index, volume in ends if index is not None
    )
    name = f"{one.fraction.name.meaning} of {one.label.name}"
    return f"{name}: {one.fraction.value:.1f} % (largest {largest}; smallest {smallest}). {CAUTION}"


def frame_name(course: Course, index: int) -> str:
    """ "frame 3 of 20, 84 ms after the first", and what it failed of where it did."""
    frame = course.frames[index]
    return f"{frame.moment.in_words}{', failed' if frame.failed else ''}"


def _lines(course: Course, curves: tuple[Curve, ...]) -> Iterator[str]:
    yield from (ejection_line(one, course) for one in course.ejections)
    yield from (_curve(one) for one in curves[:_TOLD])
    left = len(curves) - _TOLD
    if left > 0:
        yield f"The volumes of {left} more structures over time are in over_time.csv."
    if curves:
        yield f"Volumes over time: {CAUTION[0].lower()}{CAUTION[1:]}"


def _curve(curve: Curve) -> str:
    volumes = ", ".join("none" if math.isnan(one) else f"{one:.4g}" for one in curve.volumes)
    return f"Volumes of {curve.label.name} in frames 1 to {len(curve.volumes)} (ml): {volumes}."
