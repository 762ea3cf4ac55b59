"""Every frame of a series by one model, whose network is loaded once; one result stands for the series.

Each frame is analysed as an image of its own, and leaves a whole result in ``frames/NNN``. The result of the output
itself is that of one frame, which it names, with the course of all frames.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from slicermedai.domain.clock import Clock
from slicermedai.domain.course import FrameOutcome, Moment
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.result import RESULT, AnalysisResult
from slicermedai.domain.study import Identity
from slicermedai.errors import InputError, MedAIError
from slicermedai.jobs.specs import RunJob
from slicermedai.over_time.gathered import FrameKept, course_of, kept, warned
from slicermedai.over_time.parts import FRAMES, FrameProgress
from slicermedai.over_time.table import write_table
from slicermedai.pipeline import DICOM, Opened, Outcome, analysed, checked, digest, formats_for, now, routed, write

if TYPE_CHECKING:
    from slicermedai.deid.reopen import Routed
    from slicermedai.dicom.inputs import Source
    from slicermedai.dicom.over_time import OverTime
    from slicermedai.domain.bundle import BundleRef

_ALONE = {
    "inputs": "several images",
    "prompts": "marks",
    "uncertainty": "samples",
    "saliency": "maps of what spoke for an answer",
    "stability": "changed images",
    "previous": "changes since an earlier study",
    "matches": "a table of matches",
}
"""Fields of a job that are of one image, and in words what they ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """The frames, the model that is asked about each, and how a frame is had on the job's route."""

    job: RunJob
    job_id: str
    bundle: BundleRef
    frames: OverTime
    fetch: Callable[[int, Progress], tuple[Source, Routed]]
    ask: Callable[..., object]
    started: str


def run_over_time(
    job: RunJob,
    folder: Path,
    *,
    job_id: str,
    progress: Progress = silent,
    heard: Callable[[Outcome], object] = lambda outcome: None,
) -> Outcome:
    """Analyse every frame of the series of ``job`` into ``folder``, which the caller renames as a whole.

    A frame that fails is named in the course with its reason, and the others go on. ``heard`` is told of each frame
    that has a result. Returns what stands for the series; the frame that it shows has its objects there alone.

    Raises
    ------
    InputError
        The job asks for what is of one image alone; as :func:`~slicermedai.dicom.over_time.open_over_time`; or what
        the first frame failed of, where all did.
    MedAIError
        As :func:`slicermedai.pipeline.run`.
    """
    series = _opened(job, folder, job_id, progress)
    frames = [_frame(series, moment, folder, progress, heard) for moment in series.frames.moments]
    _check_any(frames)
    source = series.frames
    course = course_of(
        frames, bundle=series.bundle, modality=source.modality, interval=source.interval, told=source.told
    )
    write_table(course, folder)
    return _whole(series, frames, folder, progress, warned(_shown(folder, course.frames[course.shown]), frames, course))


def _opened(job: RunJob, folder: Path, job_id: str, progress: Progress) -> _Series:
    from slicermedai.dicom.over_time import open_over_time
    from slicermedai.inference.memory import Networks
    from slicermedai.inference.task import predict

    started = now()
    _check_job(job)
    bundle = checked(job)
    if bundle.task != "segmentation":
        raise InputError(
            f"{bundle.title} does {bundle.task}, and volumes over time are of segmentations alone",
            attribute="over_time",
            advice="Run it on one frame.",
        )
    frames = open_over_time(Path(job.source), series=job.series, tilt=job.tilt, progress=progress)
    return _Series(
        job=job,
        job_id=job_id,
        bundle=bundle,
        frames=frames,
        fetch=_fetcher(job, frames, folder, progress),
        ask=partial(predict, memory=Networks()),
        started=started,
    )


def _check_job(job: RunJob) -> None:
    plain = RunJob(source=job.source)
    asked = next((name for name in _ALONE if getattr(job, name) != getattr(plain, name)), None)
    if asked:
        raise InputError(
            f"{_ALONE[asked]} are of one image, and this run is of many",
            attribute=asked,
            advice="Leave it out, or run on one frame.",
        )


def _fetcher(
    job: RunJob, frames: OverTime, folder: Path, progress: Progress
) -> Callable[[int, Progress], tuple[Source, Routed]]:
    """How a frame is had on its route; what is de-identified is written now, all of it with one key."""
    from slicermedai.deid.free_text import refuse_identity

    def opened(index: int, heard: Progress) -> Source:
        source = frames.open(index, heard)
        refuse_identity(job.remark, source, Identity(job.identity), attribute="remark")
        return source

    def fetch(index: int, heard: Progress) -> tuple[Source, Routed]:
        sources, fit = routed({FRAMES: opened(index, heard)}, job, folder, clock=Clock(now()), progress=heard)
        return sources[FRAMES], fit

    if Identity(job.identity) is Identity.KEEP:
        return fetch
    read = {str(index): opened(index, progress) for index in range(len(frames.moments))}
    copies, fit = routed(read, job, folder, clock=Clock(now()), progress=progress)
    return lambda index, heard: (copies[str(index)], fit)


def _frame(
    series: _Series, moment: Moment, folder: Path, progress: Progress, heard: Callable[[Outcome], object]
) -> FrameKept:
    """One frame, analysed and written; what cannot be analysed is told, and what cannot be written ends the run."""
    name = f"frames/{moment.number:03d}"
    try:
        outcome = _analysed(series, moment, folder / name, FrameProgress(progress, moment.number - 1, moment.of))
    except InputError as error:
        shutil.rmtree(folder / name, ignore_errors=True)
        return FrameKept(outcome=FrameOutcome(moment=moment, failed=_reason(error)), error=error)
    heard(outcome)
    return kept(outcome.result, moment, name)


def _reason(error: MedAIError) -> str:
    """Without the file, whose name may be the patient's."""
    return f"{error.attribute}: {error.message}" if error.attribute else error.message


def _analysed(series: _Series, moment: Moment, folder: Path, progress: Progress) -> Outcome:
    job, clock = series.job, Clock(series.started)
    source, fit = series.fetch(moment.number - 1, progress)
    clock.step("read", f"{source.in_words}; {moment.in_words}")
    formats, refused = formats_for(job, series.bundle, source)
    study = Opened(
        bundle=series.bundle,
        sources={FRAMES: source},
        routed=fit,
        formats=formats,
        refused=refused,
        read=digest([source]),
        started=series.started,
        steps=tuple(clock.steps),
        ask=series.ask,  # type: ignore[arg-type]  # a partial of predict
    )
    made = analysed(study, job, job_id=series.job_id, progress=progress)
    folder.mkdir(parents=True)
    result = replace(made.result, moment=moment)
    return write(result, folder, source=source, formats=formats, progress=progress)


def _check_any(frames: list[FrameKept]) -> None:
    """Raise what the first frame failed of, where all failed."""
    if frames[0].error is not None and all(frame.error for frame in frames):
        raise frames[0].error


def _shown(folder: Path, frame: FrameOutcome) -> AnalysisResult:
    return AnalysisResult.load(folder / frame.folder / RESULT)


def _whole(
    series: _Series, frames: list[FrameKept], folder: Path, progress: Progress, result: AnalysisResult
) -> Outcome:
    index = result.moment.number - 1 if result.moment else 0
    source, _ = series.fetch(index, silent)
    formats, _ = formats_for(series.job, series.bundle, source)
    shutil.rmtree(folder / frames[index].outcome.folder / DICOM)
    return write(result, folder, source=source, formats=formats, progress=progress)
