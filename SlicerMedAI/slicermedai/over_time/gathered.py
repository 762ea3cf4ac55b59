"""What is kept of each frame's result until all frames are through, and the course that is made of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.codes import VOLUME, VOXEL_SUMMATION, Label
from slicermedai.domain.counting import is_cut
from slicermedai.domain.course import Course, Curve, FrameOutcome, Moment
from slicermedai.domain.finding import Finding
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import InstanceRef
from slicermedai.errors import InputError
from slicermedai.measure.ejection import Beat, ejections


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One structure in one frame: its volume in ml, and whether it reaches the edge of the image."""

    tracking_uid: str
    label: Label
    volume: float
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameKept:
    """One frame: where its result lies, or what it failed of; what was seen in it; what must be read before."""

    outcome: FrameOutcome
    error: InputError | None = None
    seen: tuple[Seen, ...] = ()
    warnings: tuple[str, ...] = ()
    images: tuple[InstanceRef, ...] = ()


def kept(result: AnalysisResult, moment: Moment, folder: str) -> FrameKept:
    """What the course needs of ``result``, without its voxels."""
    return FrameKept(
        outcome=FrameOutcome(moment=moment, folder=folder),
        seen=tuple(
            Seen(
                tracking_uid=one.tracking_uid,
                label=one.label,
                volume=volume,
                cut=is_cut(one, result.provenance.warnings),
            )
            for one in result.findings
            if not math.isnan(volume := _volume(one))
        ),
        warnings=result.provenance.warnings,
        images=tuple(image for series in result.sources for image in series.instances),
    )


def course_of(
    frames: Sequence[FrameKept],
    *,
    bundle: BundleRef,
    modality: str = "",
    interval: float | None = None,
    told: tuple[str, ...] = (),
) -> Course:
    """The course of ``frames``, in their order."""
    curves = _curves(frames)
    beat = Beat(
        moments=tuple(frame.outcome.moment for frame in frames),
        modality=modality,
        interval=interval,
        cut=frozenset((one.tracking_uid, index) for index, frame in enumerate(frames) for one in frame.seen if one.cut),
    )
    found = ejections(curves, beat, labels=[label for _, label in bundle.labels])
    cited = {index for one in found for index in (one.diastole, one.systole)}
    return Course(
        frames=tuple(
            replace(frame.outcome, images=frame.images) if index in cited else frame.outcome
            for index, frame in enumerate(frames)
        ),
        curves=curves,
        ejections=found,
        interval=interval,
        modality=modality,
        told=told,
    )


def warned(result: AnalysisResult, frames: Sequence[FrameKept], course: Course) -> AnalysisResult:
    """``result``, which is of one frame, as the one that stands for the series: it says so before its numbers."""
    own = result.provenance.warnings
    said = [_of_one_frame(result), *_of_failed(course), *own, *_of_others(own, frames)]
    return replace(result, course=course, provenance=replace(result.provenance, warnings=tuple(said)))


def _of_one_frame(result: AnalysisResult) -> str:
    moment = result.moment
    what = moment.in_words if moment else "one frame"
    return f"Findings, pictures and scene are of {what}; the volumes of all frames stand under Over time."


def _of_failed(course: Course) -> list[str]:
    return [f"Frame {one.moment.number} has no result: {one.failed}" for one in course.failed]


def _of_others(own: Sequence[str], frames: Sequence[FrameKept]) -> list[str]:
    """Warnings of further frames, each once, with the frames that have it."""
    often = Counter(text for frame in frames for text in frame.warnings if text not in own)
    return [f"{text} ({_named([f for f in frames if text in f.warnings])})" for text in often]


def _named(frames: Sequence[FrameKept]) -> str:
    numbers = [str(frame.outcome.moment.number) for frame in frames]
    return f"frame{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


def _curves(frames: Sequence[FrameKept]) -> tuple[Curve, ...]:
    labels = {one.tracking_uid: one.label for frame in frames for one in frame.seen}
    by_frame = [{one.tracking_uid: one.volume for one in frame.seen} for frame in frames]
    return tuple(
        Curve(tracking_uid=uid, label=label, volumes=tuple(volumes.get(uid, math.nan) for volumes in by_frame))
        for uid, label in labels.items()
    )


def _volume(found: Finding) -> float:
    said = (one.value for one in found.measurements if one.name == VOLUME and one.method == VOXEL_SUMMATION)
    return next(said, math.nan)
