"""What the worker does with a job: run the pipeline, add pictures and report, leave one folder, keep the log."""

from __future__ import annotations

import time
from functools import partial as partial_call
from pathlib import Path
from typing import TYPE_CHECKING

from slicermedai.audit import steps
from slicermedai.audit.ends import record_failure
from slicermedai.audit.log import append
from slicermedai.domain.estimate import Took
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.reviewed import newest
from slicermedai.domain.storage import atomic_folder
from slicermedai.domain.tracking_table import FILE_NAME, pairs_of, write_table
from slicermedai.errors import MedAIError
from slicermedai.jobs import speeds
from slicermedai.jobs.kinds import KINDS
from slicermedai.jobs.specs import ExportJob, Job, RunJob

if TYPE_CHECKING:
    from slicermedai.domain.bundle import BundleRef
    from slicermedai.domain.result import AnalysisResult
    from slicermedai.domain.tracking import Followed
    from slicermedai.pipeline import Outcome

_NETWORK, _FURTHER = ("segment", "detect", "classify"), ("uncertainty", "saliency", "stability")
"""Steps that are the network's windows, and those of a further look that was asked for."""


def execute(job: Job, *, job_id: str, progress: Progress = silent) -> Path:
    """Do ``job`` and return its output folder, which appears whole or not at all.

    Every step is logged when it was done, and files when they have their final names.

    Raises
    ------
    MedAIError
        Whatever stopped it; nothing is left behind, and the log says so.
    AuditError
        The log was changed or cannot be written; where that happens at the very end, the folder is there, whole.
    """
    append(f"{job.kind} started", job_id=job_id)
    try:
        folder = KINDS[job.kind].load()(job, job_id=job_id, progress=progress)
        steps.record_outputs(folder, job_id=job_id, copies=KINDS[job.kind].copies)
    except Exception as error:
        record_failure(f"{job.kind} failed", error, job_id=job_id)
        raise
    append(f"{job.kind} finished", job_id=job_id)
    return folder


def run_study(job: RunJob, *, job_id: str, progress: Progress) -> Path:
    """The executor of :class:`RunJob`: the pipeline, then scene, pictures and report."""
    output, began = Path(job.output), time.monotonic()
    with atomic_folder(output) as partial:
        outcome = _analysed(job, partial, job_id, progress)
        if job.thumbnail:
            from slicermedai.batch.thumbnail import write_thumbnail

            write_thumbnail(outcome.result, outcome.volume, partial)
        with_pictures = partial_call(_export_pictured, job, outcome, partial)
        if job.report:
            from slicermedai.report.build import build

            build(outcome.result, partial, volume=outcome.volume, progress=progress, then=with_pictures)
        else:
            with_pictures(())
        progress("report" if job.report else "export", 1.0)  # the last chance to stop before the folder gets its name
    if not job.over_time:
        _note_speed(job, outcome, time.monotonic() - began)
    return output


def _analysed(job: RunJob, folder: Path, job_id: str, progress: Progress) -> Outcome:
    """One image, or every frame of a series over time; what was read and what ran is logged."""
    if job.over_time:
        from slicermedai.over_time.run import run_over_time

        heard = partial_call(_record, job, job_id=job_id)
        return run_over_time(job, folder, job_id=job_id, progress=progress, heard=heard)
    from slicermedai.pipeline import run

    outcome = run(job, folder, job_id=job_id, progress=progress)
    _record(job, outcome, job_id=job_id)
    return outcome


def _note_speed(job: RunJob, outcome: Outcome, seconds: float) -> None:
    """Keep how long it took, so that the next run's time can be told before it."""
    load, made = outcome.workload, outcome.result.provenance
    if load is None:
        return
    network = sum(step.seconds for step in made.steps if step.name in _NETWORK)
    further = sum(step.seconds for step in made.steps if step.name in _FURTHER)
    took = Took(
        machine=speeds.machine(),
        device=outcome.hardware,
        precision=made.precision,
        manner=speeds.manner(job),
        operations=load.operations,
        voxels=load.voxels,
        image_voxels=load.image_voxels,
        millilitres=load.millilitres,
        network_seconds=round(network, 3),
        rest_seconds=round(max(0.0, seconds - network - further), 3),
    )
    speeds.note(made.weights_sha256, took)


def _export_pictured(job: RunJob, outcome: Outcome, folder: Path, pictures: tuple[Path, ...]) -> None:
    """Write the formats that show pictures, now that these are drawn."""
    from slicermedai.dicom.headers import load_headers
    from slicermedai.domain.result import RESULT
    from slicermedai.export.run import export_pictured
    from slicermedai.pipeline import DICOM, HEADERS

    if job.formats:
        headers = load_headers(folder / RESULT / HEADERS)
        export_pictured(outcome.result, headers=headers, folder=folder / DICOM, formats=job.formats, pictures=pictures)


def _record(job: RunJob, outcome: Outcome, *, job_id: str) -> None:
    result = outcome.result
    steps.record_read(result.provenance, slices=outcome.volume.array.shape[0], job_id=job_id, route=job.identity)
    if result.deidentification is not None:
        steps.record_deidentified(result.deidentification, job_id=job_id)
    steps.record_model(result.provenance, _bundle(job.bundle), job_id=job_id, status=result.status.value)


def _bundle(name: str) -> BundleRef | None:
    """The bundle of that name, unless somebody removed or changed it meanwhile."""
    from slicermedai.bundles.registry import resolve

    try:
        return resolve(name)
    except MedAIError:
        return None


def export_saved(job: ExportJob, *, job_id: str, progress: Progress) -> Path:
    """The executor of :class:`ExportJob`."""
    from slicermedai.dicom.headers import load_headers
    from slicermedai.domain.result import AnalysisResult
    from slicermedai.export.profiles import formats_of
    from slicermedai.export.run import export_pictured, export_result
    from slicermedai.pipeline import HEADERS
    from slicermedai.report.build import pictures_beside

    source, output = newest(Path(job.source)), Path(job.output)
    formats = formats_of(job.formats, job.profile)
    progress("read", 0.0)
    result, headers = AnalysisResult.load(source), load_headers(source / HEADERS)
    known = _followed(result, job)
    result = known.result
    steps.record_result_read(source, job_id=job_id)
    with atomic_folder(output) as partial:
        export_result(result, headers=headers, folder=partial, formats=formats, progress=progress)
        pictures = pictures_beside(source)
        export_pictured(result, headers=headers, folder=partial, formats=formats, pictures=pictures)
        if job.earlier:
            write_table(known.links, partial / FILE_NAME)
    return output


def _followed(result: AnalysisResult, job: ExportJob) -> Followed:
    """``result`` with the tracking UIDs of the earlier one, where one is named."""
    from slicermedai.domain.result import AnalysisResult
    from slicermedai.domain.tracking import Followed, followed

    pairs = pairs_of(job.matches, earlier=job.earlier, named="earlier")
    if not job.earlier:
        return Followed(result=result, links=())
    return followed(result, AnalysisResult.load(newest(Path(job.earlier))), pairs=pairs)
