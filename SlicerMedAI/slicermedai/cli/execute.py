"""What the worker does with a job: run the pipeline, add pictures and report, leave one folder, keep the log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from slicermedai.audit.log import append
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.storage import atomic_folder, sha256_file
from slicermedai.errors import MedAIError
from slicermedai.jobs.specs import ExportJob, RunJob

if TYPE_CHECKING:
    from slicermedai.pipeline import Outcome


def execute(job: RunJob | ExportJob, *, job_id: str, progress: Progress = silent) -> Path:
    """Do ``job`` and return its output folder, which appears whole or not at all.

    Raises
    ------
    MedAIError
        Whatever stopped it; nothing is left behind, and the log says so.
    """
    append(f"{job.kind} started", job_id=job_id)
    try:
        folder = _run(job, job_id, progress) if isinstance(job, RunJob) else _export(job, progress)
    except MedAIError as error:
        append(f"{job.kind} failed", job_id=job_id, error=type(error).__name__)
        raise
    append(f"{job.kind} finished", job_id=job_id)
    return folder


def _run(job: RunJob, job_id: str, progress: Progress) -> Path:
    from slicermedai.pipeline import run

    output = Path(job.output)
    with atomic_folder(output) as partial:
        outcome = run(job, partial, job_id=job_id, progress=progress)
        _log_outcome(job, outcome, job_id)
        if job.report:
            from slicermedai.report.build import build

            build(outcome.result, partial, volume=outcome.volume, notes=outcome.notes, progress=progress)
    return output


def _log_outcome(job: RunJob, outcome: Outcome, job_id: str) -> None:
    made = outcome.result.provenance
    append(
        "model ran",
        job_id=job_id,
        bundle=f"{made.bundle}@{made.bundle_version}",
        weights_sha256=made.weights_sha256,
        device=made.device,
        route=job.identity,
        status=outcome.result.status.value,
    )
    for path in outcome.files:
        append("file written", job_id=job_id, kind=path.name, sha256=sha256_file(path))


def _export(job: ExportJob, progress: Progress) -> Path:
    from slicermedai.dicom.headers import load_headers
    from slicermedai.domain.result import AnalysisResult, result_folder
    from slicermedai.export.run import export_result
    from slicermedai.pipeline import HEADERS

    source, output = result_folder(Path(job.source)), Path(job.output)
    progress("read", 0.0)
    result, headers = AnalysisResult.load(source), load_headers(source / HEADERS)
    with atomic_folder(output) as partial:
        export_result(result, headers=headers, folder=partial, formats=job.formats, progress=progress)
    return output
