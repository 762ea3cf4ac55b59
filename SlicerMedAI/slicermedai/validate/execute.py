"""What the worker does with a calibration and with a validation: run the model on all cases, leave one folder."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from slicermedai.bundles.manifest import Manifest
from slicermedai.confidence.calibrate import Calibration, ClassCalibration, Judgement, judge, refuse_few, refuse_shared
from slicermedai.confidence.models import manifest_of, record_of
from slicermedai.confidence.record import StructureTrust, TrustRecord
from slicermedai.confidence.saliency_probe import SaliencyProbe
from slicermedai.confidence.samples import sampler
from slicermedai.confidence.sketch import save_cases
from slicermedai.domain.observer import Progress
from slicermedai.domain.result import WARNINGS
from slicermedai.domain.storage import atomic_folder, write_text
from slicermedai.errors import InputError, TrustError, UnreadableFileError
from slicermedai.jobs.specs import CalibrateJob, ValidateJob
from slicermedai.validate import lesions
from slicermedai.validate.cases import Match, list_cases, write_matches
from slicermedai.validate.cohort import Cohort, summarise, write_table
from slicermedai.validate.detection import write_candidates, write_scans
from slicermedai.validate.fitting import Declared, fit_record
from slicermedai.validate.froc import Scan
from slicermedai.validate.images import run_images, write_images
from slicermedai.validate.report import write_report
from slicermedai.validate.running import (
    CLASSIFICATION,
    DETECTION,
    DoneCase,
    ImageCase,
    ModelRun,
    run_cases,
    subject_key,
)
from slicermedai.validate.segmentation import cut_words

NOBODY = "none"


def calibrate_model(job: CalibrateJob, *, job_id: str, progress: Progress) -> Path:
    """The executor of :class:`CalibrateJob`: leaves the trust record, the sketches, the scores and the label table.

    Raises
    ------
    InputError, TrustError
        The cases, their labels or their number do not do; nothing is left behind.
    """
    from slicermedai.bundles.registry import resolve

    trained_on = _trained_on(job.trained_on)
    ref = resolve(job.bundle)  # with a person's consent, which a manifest does not know
    manifest = manifest_of(ref)
    cases = list_cases(Path(job.source))
    subjects = [case.subject for case in cases]
    refuse_few(subjects)
    refuse_shared(subjects, trained_on, what="training")
    sampler(job.uncertainty, manifest)
    probe = SaliencyProbe(job.saliency, seed=job.seed, progress=progress) if job.saliency else None
    run = ModelRun(
        ref=ref,
        device=job.device,
        seed=job.seed,
        uncertainty=job.uncertainty,
        probe=probe.of if probe else None,
    )
    done, matches = _run(run)(cases, manifest=manifest, labels=_path(job.labels), run=run, progress=progress)
    progress("measure", 0.0)
    generated = job.generated or manifest.ref.demonstration
    declared = Declared(trained_on=trained_on, generated=generated, salt=secrets.token_hex(16), seed=job.seed)
    record = replace(fit_record(done, manifest, declared), saliency=(probe.quality(),) if probe else ())
    with atomic_folder(Path(job.output)) as folder:
        record.save(folder)
        keyed = [replace(c.sketch, subject=subject_key(c.subject, declared.salt), generated=generated) for c in done]
        save_cases(keyed, folder / "sketches.zip")
        _write_cases(done, manifest, folder)
        write_matches(matches, manifest.ref.labels, folder / "labels.csv")
        _write_warnings(done, folder)
        progress("measure", 1.0)
    return Path(job.output)


def validate_model(job: ValidateJob, *, job_id: str, progress: Progress) -> Path:
    """The executor of :class:`ValidateJob`: leaves the report, the scores and the label table.

    Raises
    ------
    InputError, TrustError
        The cases or labels do not do, or a patient was in the fit of the model's trust record.
    """
    from slicermedai.bundles.registry import resolve

    ref = resolve(job.bundle)
    manifest = manifest_of(ref)
    cases, record = list_cases(Path(job.source)), record_of(manifest)
    if record is not None:
        keys = [subject_key(case.subject, record.provenance.salt) for case in cases]
        refuse_shared(keys, record.provenance.keys, what="calibration")
    run = ModelRun(ref=ref, device=job.device, seed=job.seed)
    done, matches = _run(run)(cases, manifest=manifest, labels=_path(job.labels), run=run, progress=progress)
    progress("measure", 0.0)
    cohort = Cohort(
        model=manifest.ref.title,
        scores=tuple(score for case in done for score in case.scores.values()),
        scans=_scans(done, manifest),
        images=_images(done, manifest),
        remarks=tuple(filter(None, [lesions.cut_words(done)])),
        calibration=_judged(done, manifest, record),
        generated=job.generated or manifest.ref.demonstration,
        rough=tuple(label.name for value, label in manifest.ref.labels if any(value in case.rough for case in done)),
    )
    validation = summarise(cohort)
    with atomic_folder(Path(job.output)) as folder:
        _write_cases(done, manifest, folder)
        write_matches(matches, manifest.ref.labels, folder / "labels.csv")
        _write_warnings(done, folder)
        write_report(validation, folder / "report.html")
        progress("report", 1.0)
    return Path(job.output)


def _run(run: ModelRun) -> Callable[..., tuple[tuple[DoneCase, ...], tuple[Match, ...]]]:
    """What runs the model on all cases, and holds it against their references."""
    return {DETECTION: lesions.run_scans, CLASSIFICATION: run_images}.get(run.ref.task, run_cases)


def _names(manifest: Manifest) -> dict[int, str]:
    """Value -> what tables call its label: no two are called the same."""
    names: dict[int, str] = {}
    for value, label in manifest.ref.labels:
        names[value] = f"{label.name} ({value})" if label.name in names.values() else label.name
    return names


def _scans(done: Sequence[DoneCase], manifest: Manifest) -> dict[str, tuple[Scan, ...]]:
    """A detector's scans by the name of what it looks for."""
    found: dict[str, tuple[Scan, ...]] = {}
    for value, name in _names(manifest).items():
        scans = tuple(case.scans[value] for case in done if value in case.scans)
        if scans:
            found[name] = scans
    return found


def _images(done: Sequence[DoneCase], manifest: Manifest) -> dict[str, tuple[ImageCase, ...]]:
    """A classifier's images by the name of the label."""
    found: dict[str, tuple[ImageCase, ...]] = {}
    for value, name in _names(manifest).items():
        images = tuple(case.images[value] for case in done if value in case.images)
        if images:
            found[name] = images
    return found


def _write_cases(done: Sequence[DoneCase], manifest: Manifest, folder: Path) -> None:
    """What was found in each case, as tables."""
    scans = _scans(done, manifest)
    if scans:
        write_scans(scans, folder / "cases.csv")
        write_candidates(scans, folder / "candidates.csv")
        return
    images = _images(done, manifest)
    if images:
        write_images(images, folder / "cases.csv")
        return
    write_table([score for case in done for score in case.scores.values()], folder / "cases.csv")


def _write_warnings(done: Sequence[DoneCase], folder: Path) -> None:
    """What a person must know of the references, a line each; no file where there is nothing."""
    values = dict.fromkeys(value for case in done for value in case.scores)
    found = [cut_words([case.scores[value] for case in done if value in case.scores]) for value in values]
    found.append(lesions.cut_words(done))
    if any(found):
        write_text(folder / WARNINGS, "".join(f"{words}\n" for words in found if words))


def _judged(done: Sequence[DoneCase], manifest: Manifest, record: TrustRecord | None) -> dict[str, Judgement]:
    """Calibration by structure: after the record's scaling, or of the raw scores where there is no record."""
    scalings = tuple(_class(structure) for structure in (record.structures if record else ()))
    calibration = Calibration(classes=scalings, subjects=(), generated=False)
    found = {}
    for value, name in _names(manifest).items():
        try:
            found[name] = judge([case.sketch for case in done], calibration, value=value)
        except TrustError:
            continue  # never predicted: there is no voxel to judge, and the tables say "missed"
    return found


def _class(structure: StructureTrust) -> ClassCalibration:
    return ClassCalibration(value=structure.value, scaling=structure.scaling, subjects=structure.patients)


def _trained_on(text: str) -> Collection[str]:
    """Patients of the training set, one a line of a file; nobody where that is said in so many words."""
    if text == NOBODY:
        return ()
    if not text:
        raise InputError(
            "a calibration needs patients that the model was not trained on",
            attribute="trained_on",
            advice=f"Name a file with the training patients, one a line, or say {NOBODY!r} where none is among them.",
        )
    try:
        lines = Path(text).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFileError("cannot be read", file=text, attribute="trained_on") from error
    return tuple(line.strip() for line in lines if line.strip())


def _path(text: str) -> Path | None:
    return Path(text) if text else None
