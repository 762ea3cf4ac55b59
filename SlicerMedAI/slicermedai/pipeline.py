"""The one flow: a study in, one :class:`AnalysisResult` out, and files written from it. No algorithm lives here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from slicermedai.domain.clock import Clock
from slicermedai.domain.codec import write_object
from slicermedai.domain.digests import digest_of
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.result import RESULT, AnalysisResult, Deidentification, Status
from slicermedai.domain.seal import seal
from slicermedai.domain.study import Identity
from slicermedai.domain.volume import Volume
from slicermedai.jobs.specs import RunJob

if TYPE_CHECKING:
    from slicermedai.confidence.run import RunTrust
    from slicermedai.dicom.inputs import Source
    from slicermedai.domain.bundle import BundleRef
    from slicermedai.inference.task import Prediction

HEADERS, DICOM, SOURCE = "source", "dicom", "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run left in memory and in its folder: the result, its image, the files."""

    result: AnalysisResult
    volume: Volume
    files: tuple[Path, ...]


def run(job: RunJob, folder: Path, *, job_id: str, progress: Progress = silent) -> Outcome:
    """Run ``job`` and write its result, headers and formats into ``folder``, which the caller renames as a whole.

    Raises
    ------
    MedAIError
        Whatever stopped it, by name; ``folder`` is then to be thrown away.
    """
    from slicermedai.bundles.registry import resolve
    from slicermedai.confidence.run import RunTrust
    from slicermedai.export.formats import fitting
    from slicermedai.export.obstacle import obstacle_of

    clock = Clock(_now())
    bundle = resolve(job.bundle)
    source = _open(job, clock, progress)
    obstacle = obstacle_of(source.headers, source.files, resampled=source.resampled)
    formats, refused = fitting(
        job.formats, obstacle=obstacle, orthogonal=source.volume.geometry.is_orthogonal, task=bundle.task
    )
    source, deidentification = _routed(source, job, folder, clock, progress)
    read = digest_of(source.files if source.whole else (), source.volume)
    trust = RunTrust.of(bundle, source.volume, source.headers)
    prediction = _predict(job, bundle, source.volume, trust, progress)
    clock.step("model, in all", f"{bundle.title} on {prediction.device} ({prediction.device_reason})")
    progress("measure", 0.0)
    result = _compose(bundle, source, prediction, trust, job_id)
    clock.step("measure", "volume by voxel summation; diameters and surface at half the edge voxels; intensities")
    suv = (source.volume.suv.reason,) if source.volume.suv and source.volume.suv.reason else ()
    told = _told(result.provenance, clock, (*suv, *refused))
    made = replace(told, warnings=(*source.warnings, *told.warnings), job_id=job_id, input=read, remark=job.remark)
    result = replace(result, deidentification=deidentification, provenance=made)
    return _write(result, folder, source=source, formats=formats, progress=progress)


def _open(job: RunJob, clock: Clock, progress: Progress) -> Source:
    from slicermedai.deid.free_text import refuse_identity
    from slicermedai.dicom.inputs import open_source

    source = open_source(Path(job.source), series=job.series, tilt=job.tilt, progress=progress)
    refuse_identity(job.remark, source, Identity(job.identity), attribute="remark")
    clock.step("read", source.in_words)
    return source


def _routed(
    source: Source, job: RunJob, folder: Path, clock: Clock, progress: Progress
) -> tuple[Source, Deidentification | None]:
    from slicermedai.deid.reopen import on_route

    copies = folder / DICOM / SOURCE
    route = Identity(job.identity)
    source, report = on_route(source, route, copies=copies, key_file=job.project_key, progress=progress)
    if report is not None:
        clock.step("deidentify", report.method)
    return source, report


def _predict(job: RunJob, bundle: BundleRef, volume: Volume, trust: RunTrust, progress: Progress) -> Prediction:
    from slicermedai.inference.task import Listeners, RunSettings, predict

    settings = RunSettings(device=job.device, seed=job.seed)
    return predict(bundle, volume, settings=settings, listeners=Listeners(progress=progress, observer=trust.observer))


def _compose(bundle: BundleRef, source: Source, found: Prediction, trust: RunTrust, job_id: str) -> AnalysisResult:
    from slicermedai.confidence.findings import findings_of
    from slicermedai.inference.record import provenance_of

    measured = findings_of(bundle, found, seed=source.volume.series_uid or job_id, volume=source.volume)
    findings, quality = trust.judged(measured)
    return AnalysisResult(
        status=Status.COMPLETE if findings else Status.NO_FINDING,
        study=source.study,
        volume_geometry=source.volume.geometry,
        provenance=trust.noted(provenance_of(bundle, found)),
        findings=findings,
        quality=quality,
        sources=source.study.series,
        notes=source.notes,
    )


def _told(made: Provenance, clock: Clock, refused: tuple[str, ...]) -> Provenance:
    return replace(
        made,
        steps=(*clock.steps[:-1], *made.steps, *clock.steps[-1:]),
        refusals=(*made.refusals, *refused),
        started=clock.started,
        finished=_now(),
    )


def _write(
    result: AnalysisResult, folder: Path, *, source: Source, formats: tuple[str, ...], progress: Progress
) -> Outcome:
    from slicermedai.dicom.headers import save_headers
    from slicermedai.export.run import export_result

    progress("save", 0.0)
    (folder / RESULT).mkdir(parents=True)
    write_object(result, folder / RESULT, kind="result")
    save_headers(source.headers, folder / RESULT / HEADERS)
    seal(folder / RESULT)
    (folder / DICOM).mkdir(exist_ok=True)
    files = export_result(result, headers=source.headers, folder=folder / DICOM, formats=formats, progress=progress)
    return Outcome(result=result, volume=source.volume, files=tuple(files))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
