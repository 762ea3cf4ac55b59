"""The one flow: a study in, one :class:`AnalysisResult` out, and files written from it. No algorithm lives here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from slicermedai.domain.clock import Clock
from slicermedai.domain.codec import write_object
from slicermedai.domain.counting import edge_warning, leaves_field
from slicermedai.domain.digests import digest_of, digest_of_several
from slicermedai.domain.follow_up import check_earlier, followed_up
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.prompts import read_prompt
from slicermedai.domain.provenance import InputDigest, Provenance, Step
from slicermedai.domain.result import RESULT, AnalysisResult, Status
from slicermedai.domain.reviewed import newest
from slicermedai.domain.seal import seal
from slicermedai.domain.study import Identity
from slicermedai.domain.tracking import check_pairs
from slicermedai.domain.tracking_table import pairs_of
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from slicermedai.jobs.specs import RunJob

if TYPE_CHECKING:
    from slicermedai.confidence.run import RunTrust
    from slicermedai.deid.reopen import Routed
    from slicermedai.dicom.inputs import Source
    from slicermedai.domain.bundle import BundleRef
    from slicermedai.domain.estimate import Workload
    from slicermedai.inference.task import Prediction, RunSettings

HEADERS, DICOM, SOURCE = "source", "dicom", "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run left in memory and in its folder: the result, its image, the files.

    ``workload`` is what the model took, as it was predicted, on ``hardware``; None where no network ran.
    """

    result: AnalysisResult
    volume: Volume
    files: tuple[Path, ...]
    workload: Workload | None = None
    hardware: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What is ready for a model: its images, read and on their route, and what can be written of a result.

    ``refused`` says which formats cannot; ``started`` and ``steps`` are for the provenance; ``ask`` runs the model.
    """

    bundle: BundleRef
    sources: dict[str, Source]
    routed: Routed
    formats: tuple[str, ...]
    refused: tuple[str, ...]
    read: InputDigest
    started: str
    steps: tuple[Step, ...]
    ask: Callable[..., Prediction]

    @property
    def source(self) -> Source:
        """The image that results refer to."""
        return next(iter(self.sources.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """A result before anything is written, and what the model said."""

    result: AnalysisResult
    prediction: Prediction


def run(job: RunJob, folder: Path, *, job_id: str, progress: Progress = silent) -> Outcome:
    """Run ``job`` and write its result, headers and formats into ``folder``, which the caller renames as a whole.

    Raises
    ------
    MedAIError
        Whatever stopped it, by name; ``folder`` is then to be thrown away.
    """
    pairs = pairs_of(job.matches, earlier=job.previous, named="previous")
    study = opened(job, folder, progress=progress)
    earlier = _previous(job, study, pairs)
    made = analysed(study, job, job_id=job_id, progress=progress)
    result = made.result if earlier is None else followed_up(made.result, earlier, pairs=pairs)
    outcome = write(result, folder, source=study.source, formats=study.formats, progress=progress)
    return replace(outcome, workload=made.prediction.workload, hardware=made.prediction.hardware)


def _previous(job: RunJob, study: Opened, pairs: Mapping[str, str]) -> AnalysisResult | None:
    """The earlier result that the job names: of the patient, with what ``pairs`` name of it, before a model runs."""
    if not job.previous:
        return None
    found = AnalysisResult.load(newest(Path(job.previous)))
    check_earlier(study.source.study, found.study)
    check_pairs(pairs, found)
    return found


def opened(job: RunJob, folder: Path, *, progress: Progress = silent) -> Opened:
    """The model and the images of ``job``; what is de-identified lies in ``folder``. Raises as :func:`run`."""
    from slicermedai.inference.task import predict

    clock = Clock(now())
    bundle = checked(job)
    sources = _open(job, clock, progress)
    formats, refused = formats_for(job, bundle, next(iter(sources.values())))
    sources, fit = routed(sources, job, folder, clock=clock, progress=progress)
    return Opened(
        bundle=bundle,
        sources=sources,
        routed=fit,
        formats=formats,
        refused=refused,
        read=digest(list(sources.values())),
        started=clock.started,
        steps=tuple(clock.steps),
        ask=predict,
    )


def checked(job: RunJob) -> BundleRef:
    """The model of ``job``, after the checks that need no image. Raises as :func:`run`."""
    from slicermedai.bundles.registry import resolve
    from slicermedai.confidence.stability import stability_check

    bundle = resolve(job.bundle)
    _check_maps(job, bundle)
    _settings(job)
    stability_check(job.stability, noise=job.stability_noise, seed=job.seed)
    return bundle


def formats_for(job: RunJob, bundle: BundleRef, source: Source) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(formats that are written of a result on ``source``, what cannot be written and why). Raises FormatError."""
    from slicermedai.export.formats import fitting
    from slicermedai.export.obstacle import obstacle_of

    geometry = source.volume.geometry
    obstacle = obstacle_of(source.headers, source.files, resampled=source.resampled, placed=geometry.is_in_patient)
    formats, refused = fitting(job.formats, obstacle=obstacle, orthogonal=geometry.is_orthogonal, task=bundle.task)
    maps = not job.formats and obstacle is None and _wants_maps(job)
    return (*formats, *(("pmap",) if maps else ())), refused


def analysed(study: Opened, job: RunJob, *, job_id: str, progress: Progress = silent) -> Analysed:
    """The result of ``job`` on what was opened for it; nothing is written. Raises as :func:`run`."""
    from slicermedai.confidence.run import RunTrust
    from slicermedai.confidence.stability import stability_check

    clock = Clock(study.started, steps=list(study.steps))
    check = stability_check(job.stability, noise=job.stability_noise, seed=job.seed)
    bundle, sources, source = study.bundle, study.sources, study.source
    trust = RunTrust.of(
        bundle, source.volume, source.headers, uncertainty=job.uncertainty, pixel_values=_asked_values(job)
    )
    if trust.samples is not None:
        trust.samples.level = job.contour_level
    prediction = _predict(study, job, trust, progress)
    clock.step("model, in all", f"{bundle.title} on {prediction.device} ({prediction.device_reason})")
    if check is not None:
        volumes = {name: one.volume for name, one in sources.items()}
        again = partial(_asked_again, bundle, _settings(job))
        trust.moves = check.run(volumes, prediction, again, progress=progress)
        clock.step("stability", f"{len(trust.moves.tried)} changed images analysed")
    progress("measure", 0.0)
    result = _compose(bundle, list(sources.values()), prediction, trust, (job, job_id))
    clock.step("measure", "volume by voxel summation; diameters and surface at half the edge voxels; intensities")
    suv = (source.volume.suv.reason,) if source.volume.suv and source.volume.suv.reason else ()
    told = _told(result.provenance, clock, (*suv, *study.refused))
    warned = dict.fromkeys(line for one in sources.values() for line in one.warnings)
    warnings = tuple(dict.fromkeys([*warned, *study.routed.warnings, *told.warnings, *_cut(result, source)]))
    made = replace(told, warnings=warnings, job_id=job_id, input=study.read, remark=job.remark)
    result = replace(result, deidentification=study.routed.report, provenance=made)
    return Analysed(result=result, prediction=prediction)


def _cut(result: AnalysisResult, source: Source) -> list[str]:
    """Warnings of structures that are cut where slices end that were moved to make a leaning stack straight."""
    field = source.acquired
    return [edge_warning(one.label.name) for one in result.findings if field and leaves_field(one.region, field)]


def _open(job: RunJob, clock: Clock, progress: Progress) -> dict[str, Source]:
    """The images by name, the one that results refer to first."""
    from slicermedai.deid.free_text import refuse_identity
    from slicermedai.dicom.inputs import open_source
    from slicermedai.dicom.several import open_with

    source = open_source(Path(job.source), series=job.series, tilt=job.tilt, progress=progress)
    sources = open_with(source, job.inputs, name=job.shows, tilt=job.tilt, progress=progress)
    for one in sources.values():
        refuse_identity(job.remark, one, Identity(job.identity), attribute="remark")
    clock.step("read", "; ".join(one.in_words for one in sources.values()))
    return sources


def routed(
    sources: Mapping[str, Source], job: RunJob, folder: Path, *, clock: Clock, progress: Progress
) -> tuple[dict[str, Source], Routed]:
    """``sources`` on the route of ``job``, by the same names, and what was done. Raises as :func:`run`."""
    from slicermedai.deid.reopen import Manner, on_route
    from slicermedai.inference.brain import brain_finder

    route = Identity(job.identity)
    manner = Manner(
        preset=job.preset,
        ocr=job.ocr,
        deface=job.deface,
        key_file=job.project_key,
        brain_mask=brain_finder() if route is Identity.DEIDENTIFY else None,
    )
    copies = folder / DICOM / SOURCE
    fit = on_route(list(sources.values()), route, copies=copies, manner=manner, progress=progress)
    if fit.report is not None:
        clock.step("deidentify", fit.report.method)
    return dict(zip(sources, fit.sources, strict=True)), fit


def digest(sources: Sequence[Source]) -> InputDigest:
    """Of all that was read; the image is the first, which results refer to."""
    whole = all(source.whole and source.files for source in sources)
    if not whole and len(sources) > 1:
        return digest_of_several([(source.files if source.whole else (), source.volume) for source in sources])
    return digest_of([file for source in sources for file in source.files] if whole else (), sources[0].volume)


def _predict(study: Opened, job: RunJob, trust: RunTrust, progress: Progress) -> Prediction:
    from slicermedai.inference.task import Listeners

    listeners = Listeners(
        progress=progress,
        observer=trust.observer,
        samples=trust.samples,
        sampling=trust.samples.sampling if trust.samples else "",
        features=trust.wants_features,
        saliency=job.saliency,
        saliency_target=job.saliency_target,
        probe=trust.mirrored.heard if trust.mirrored else None,
    )
    volumes = {name: source.volume for name, source in study.sources.items()}
    prediction = study.ask(study.bundle, volumes, settings=_settings(job), listeners=listeners)
    if not prediction.label_map.geometry.same_grid(next(iter(volumes.values())).geometry):
        raise InputError(
            "the model puts its labels on another of the images than the first",
            attribute="source",
            advice="Give the image that the model names first as SOURCE, and the others as inputs.",
        )
    return prediction


def _settings(job: RunJob) -> RunSettings:
    from slicermedai.inference.task import RunSettings

    return RunSettings(
        device=job.device,
        seed=job.seed,
        precision=job.precision,
        other_frames=job.other_frames,
        pixel_values=_asked_values(job),
        folds=job.folds,
        body_part=job.body_part,
        prompts=tuple(read_prompt(text) for text in job.prompts),
    )


def _asked_again(
    bundle: BundleRef, settings: RunSettings, volumes: Mapping[str, Volume], progress: Progress
) -> Prediction:
    """The same model on other images of the same grids."""
    from slicermedai.inference.task import Listeners, predict

    return predict(bundle, volumes, settings=settings, listeners=Listeners(progress=progress))


def _asked_values(job: RunJob) -> str:
    """A person's word for what the model takes of grey pictures, "" where it is left to the model."""
    return "" if job.pixel_values == "model" else job.pixel_values


def _compose(
    bundle: BundleRef, sources: Sequence[Source], found: Prediction, trust: RunTrust, asked: tuple[RunJob, str]
) -> AnalysisResult:
    from slicermedai.confidence.explained import explained
    from slicermedai.confidence.findings import findings_of, with_folds
    from slicermedai.dicom.several import doubts
    from slicermedai.inference.record import provenance_of, ran_in

    source, (job, job_id) = sources[0], asked
    measured = findings_of(bundle, found, seed=source.volume.series_uid or job_id, volume=source.volume)
    findings, quality = trust.judged(
        measured, precision=ran_in(bundle, found), features=found.features, features_of=found.features_of
    )
    findings = with_folds(findings, found)
    return AnalysisResult(
        status=Status.COMPLETE if findings else Status.NO_FINDING,
        study=source.study,
        volume_geometry=source.volume.geometry,
        provenance=trust.noted(provenance_of(bundle, found), saliency=bool(job.saliency)),
        findings=findings,
        maps=explained(trust.maps(found), findings),
        quality=quality,
        uncertainty=trust.varied(findings),
        stability=trust.steadied(findings),
        sources=tuple(series for one in sources for series in one.study.series),
        notes=tuple(dict.fromkeys([*(note for one in sources for note in one.notes), *doubts(sources)])),
    )


def _told(made: Provenance, clock: Clock, refused: tuple[str, ...]) -> Provenance:
    return replace(
        made,
        steps=(*clock.steps[:-1], *_marked(made), *made.steps, *clock.steps[-1:]),
        refusals=(*made.refusals, *refused),
        started=clock.started,
        finished=now(),
    )


def _marked(made: Provenance) -> tuple[Step, ...]:
    """What a person marked, in words: millimetres are no identity."""
    return (Step(name="prompts", detail="; ".join(one.in_words for one in made.prompts)),) if made.prompts else ()


def write(
    result: AnalysisResult, folder: Path, *, source: Source, formats: tuple[str, ...], progress: Progress
) -> Outcome:
    """``result``, the headers of ``source`` and ``formats`` into ``folder``. Raises as :func:`run`."""
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


def _wants_maps(job: RunJob) -> bool:
    return job.uncertainty != "none" or bool(job.saliency)


def _check_maps(job: RunJob, bundle: BundleRef) -> None:
    from slicermedai.confidence.models import manifest_of
    from slicermedai.confidence.samples import checked_level, sampler

    checked_level(job.contour_level)
    asked = {"uncertainty": job.uncertainty != "none", "stability": job.stability > 0}
    if bundle.task == "classification" and asked["uncertainty"] and not asked["stability"]:
        from slicermedai.confidence.mirrored import mirrored_scores

        mirrored_scores(job.uncertainty, manifest_of(bundle))
        return
    if bundle.task != "segmentation" and any(asked.values()):
        raise InputError(
            f"{bundle.title} does {bundle.task}, and uncertainty and stability are of segmentations alone",
            attribute=next(name for name, is_asked in asked.items() if is_asked),
            advice="Run it without them.",
        )
    sampler(job.uncertainty, manifest_of(bundle))


def now() -> str:
    """ISO 8601 UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
