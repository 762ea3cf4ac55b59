"""From cases that a model was run on to its trust record."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

import slicermedai
from slicermedai.bundles.manifest import Manifest
from slicermedai.confidence.appearance import NETWORK
from slicermedai.confidence.calibrate import MINIMUM_SUBJECTS, Bootstrap, ClassCalibration, calibrate
from slicermedai.confidence.conformal import VolumeModel, fit_volume
from slicermedai.confidence.light import fit_green_rule
from slicermedai.confidence.models import preprocessing_of
from slicermedai.confidence.ood import VolumeRange, fit_ood, fit_volume_ranges
from slicermedai.confidence.record import FitProvenance, SampledTrust, StructureTrust, TrustRecord, sketch_text
from slicermedai.confidence.scaling import Scaling
from slicermedai.confidence.scope import Scope
from slicermedai.confidence.sketch import merged
from slicermedai.confidence.structure import EXPECTED_DICE, PAIRWISE_DICE, DiceModel, expected_dice, fit_dice
from slicermedai.errors import TooFewCasesError
from slicermedai.validate.running import CLASSIFICATION, DETECTION, DoneCase, subject_key
from slicermedai.validate.segmentation import cut_words
from slicermedai.validate.subgroups import ages_of

ENOUGH_OF_EITHER = 10
"""Patients with a label of the whole image, and without it, that a probability needs."""
_PROPERTIES = ("modality", "manufacturer", "site", "protocol")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a person says of the cases: who the model was trained on, and whether any image is generated."""

    trained_on: Collection[str]
    generated: bool
    salt: str
    seed: int = 0


def fit_record(cases: Sequence[DoneCase], manifest: Manifest, declared: Declared) -> TrustRecord:
    """Fit all that can be fitted; what cannot is None in the record, and its reasons say why.

    Raises
    ------
    TooFewCasesError
        Fewer than 20 patients.
    SharedCasesError
        A patient is among those that the model was trained on.
    """
    sketches = [replace(case.sketch, generated=declared.generated) for case in cases]
    found = calibrate(sketches, trained_on=declared.trained_on, bootstrap=Bootstrap(seed=declared.seed))
    labels = dict(manifest.ref.labels)
    make = _MAKERS.get(manifest.ref.task, _structure)
    judged = sorted({value for case in cases for value in (*case.scores, *case.scans, *case.images)})
    fits = {one.value: one for one in found.classes}
    subjects = [case.subject for case in cases]
    return TrustRecord(
        model=manifest.ref.title,
        weights_sha256=manifest.ref.weights_sha256,
        preprocessing_sha256=preprocessing_of(manifest),
        provenance=_provenance(cases, declared),
        scope=scope_of(cases),
        structures=tuple(make(value, labels[value].name, cases, fits.get(value)) for value in judged),
        volumes=volume_ranges(cases, manifest),
        ood=fit_ood(_looks(cases), subjects=subjects),
        features_of=_features_of(cases),
    )


def _looks(cases: Sequence[DoneCase]) -> list[dict[str, NDArray[np.float64]]]:
    """What the images look like, by the checks that are known of all of them; features of several layers are not."""
    known = set.intersection(*(set(case.looks) for case in cases))
    known -= set() if _features_of(cases) else {NETWORK}
    return [{check: numbers for check, numbers in case.looks.items() if check in known} for case in cases]


def _features_of(cases: Sequence[DoneCase]) -> str:
    """The layer that the features of all are of; "" where there is none, or several."""
    layers = {case.features_of for case in cases}
    return layers.pop() if len(layers) == 1 else ""


def scope_of(cases: Sequence[DoneCase]) -> Scope:
    """What the cases were imaged with, as far as it is known, and of how many images it is not."""
    known = {name: [case.groups[name] for case in cases if case.groups.get(name)] for name in _PROPERTIES}
    listed = {name: tuple(sorted(set(values))) for name, values in known.items()}
    return Scope(
        modalities=listed["modality"],
        manufacturers=listed["manufacturer"],
        sites=listed["site"],
        protocols=listed["protocol"],
        unknown={name: len(cases) - len(known[name]) for name in _PROPERTIES if len(known[name]) < len(cases)},
    )


def volume_ranges(cases: Sequence[DoneCase], manifest: Manifest) -> tuple[VolumeRange, ...]:
    """What volumes the structures of the cases have by their references, where there are patients enough: of all ages,
    and of those of an age band.

    Boxes and balls around a structure say nothing of its volume.
    """
    bands = sorted({case.groups.get("age", "") for case in cases})
    ranges = list(_ranges(cases, manifest))
    for band in bands:
        ages = ages_of(band)
        own = [case for case in cases if case.groups.get("age", "") == band]
        if ages is not None:
            ranges += [replace(one, youngest=ages[0], oldest=ages[1]) for one in _ranges(own, manifest)]
    return tuple(ranges)


def _ranges(cases: Sequence[DoneCase], manifest: Manifest) -> tuple[VolumeRange, ...]:
    known = [value for value, _ in manifest.ref.labels if all(value in case.scores for case in cases)]
    outlined = {value for value in known if not _is_rough(value, cases)}
    labels = [(value, label.name) for value, label in manifest.ref.labels if value in outlined]
    volumes = [[case.scores[value].reference_ml for value, _ in labels] for case in cases]
    return fit_volume_ranges(volumes, labels, subjects=[case.subject for case in cases])


def _provenance(cases: Sequence[DoneCase], declared: Declared) -> FitProvenance:
    keys = {subject_key(case.subject, declared.salt) for case in cases}
    return FitProvenance(
        date=datetime.now(UTC).date().isoformat(),
        software=slicermedai.__version__,
        patients=len(keys),
        images=len(cases),
        generated=declared.generated,
        seed=declared.seed,
        trained_on=f"{len(set(declared.trained_on))} patients, none of them among these",
        salt=declared.salt,
        keys=tuple(sorted(keys)),
    )


def _structure(value: int, name: str, cases: Sequence[DoneCase], fit: ClassCalibration | None) -> StructureTrust:
    patients = fit.subjects if fit else 0
    if _is_rough(value, cases):
        return StructureTrust(value=value, name=name, patients=patients, rough=True)
    dice, why = _dice(value, cases, fit)
    volume = _volume(value, cases)
    reasons = [fit.reason if fit else "it was predicted in no case", why]
    if math.isinf(volume.half_width(1.0)):
        reasons.append("too few patients for a volume interval")
    reasons.append(cut_words([case.scores[value] for case in cases if value in case.scores]))
    made = StructureTrust(
        value=value,
        name=name,
        patients=patients,
        sketch=sketch_text(merged(c.sketch.sketches[value] for c in cases if value in c.sketch.sketches)),
        volume=volume,
        dice=dice,
        rule=fit_green_rule(dice.held_out) if dice else None,
        reasons=tuple(reason for reason in reasons if reason),
        sampled=_sampled(value, cases, fit),
    )
    return _scaled(made, fit)


def _lesions(value: int, name: str, cases: Sequence[DoneCase], fit: ClassCalibration | None) -> StructureTrust:
    """Of a detector's candidates: how probable it is that each is a lesion, and nothing of masks."""
    made = StructureTrust(
        value=value,
        name=name,
        patients=fit.subjects if fit else 0,
        sketch=sketch_text(merged(c.sketch.sketches[value] for c in cases if value in c.sketch.sketches)),
        reasons=tuple(filter(None, (fit.reason if fit else "it was found in no case",))),
        lesions=True,
    )
    return _scaled(made, fit)


def _image_label(value: int, name: str, cases: Sequence[DoneCase], fit: ClassCalibration | None) -> StructureTrust:
    """Of a classifier's scores: how probable it is that an image has the label."""
    made = _lesions(value, name, cases, _if_told_apart(value, cases, fit))
    return replace(made, lesions=False, of_image=True)


def _if_told_apart(value: int, cases: Sequence[DoneCase], fit: ClassCalibration | None) -> ClassCalibration | None:
    """``fit``, or why it is none: it may hang on the only patient with a label, for each gives one score."""
    if fit is None or not fit.is_calibrated:
        return fit
    with_it, without = (
        {case.subject for case in cases if value in case.images and case.images[value].there is there}
        for there in (True, False)
    )
    few = f"{len(with_it)} patients with the label and {len(without)} without; {ENOUGH_OF_EITHER} of either are needed"
    ends = [end for interval in fit.intervals.values() for end in (interval.low, interval.high)]
    if min(len(with_it), len(without)) >= ENOUGH_OF_EITHER:
        few = "" if np.isfinite(ends).all() else "it hangs on single patients: without them nothing can be fitted"
    return replace(fit, scaling=Scaling(), intervals={}, before=None, after=None, reason=few) if few else fit


_MAKERS = {DETECTION: _lesions, CLASSIFICATION: _image_label}


def _scaled(made: StructureTrust, fit: ClassCalibration | None) -> StructureTrust:
    """With the calibration, where there is one."""
    if fit is None or fit.before is None or fit.after is None:
        return made
    intervals = fit.intervals | fit.after.intervals
    return replace(made, scaling=fit.scaling, intervals=intervals, before=fit.before.metrics, after=fit.after.metrics)


def _is_rough(value: int, cases: Sequence[DoneCase]) -> bool:
    """True where a reference is a box or a ball around the structure: its voxels and its volume are not the truth."""
    return any(value in case.rough for case in cases)


def _volume(value: int, cases: Sequence[DoneCase]) -> VolumeModel:
    """Of the cases in which it was found: intervals are told of no others, and one of nothing at all is never wrong."""
    own = [case for case in cases if value in case.scores and case.scores[value].predicted_ml > 0]
    return fit_volume(
        [case.scores[value].predicted_ml for case in own],
        [case.scores[value].reference_ml for case in own],
        subjects=[case.subject for case in own],
    )


def _dice(value: int, cases: Sequence[DoneCase], fit: ClassCalibration | None) -> tuple[DiceModel | None, str]:
    if fit is None or not fit.is_calibrated:
        return None, "without a calibration no Dice can be predicted"
    known = _features(value, cases, fit)
    few = f"found in fewer than {MINIMUM_SUBJECTS} patients: no Dice can be predicted"
    model = _fitted(value, known)
    return model, "" if model else few


def _sampled(value: int, cases: Sequence[DoneCase], fit: ClassCalibration | None) -> SampledTrust | None:
    """The same with how samples agree, of the cases where these found it at all; None without samples."""
    if fit is None or not fit.is_calibrated or not all(case.sampling for case in cases):
        return None
    known = _features(value, [case for case in cases if value in case.agreed], fit)
    model = _fitted(value, [(case, found | {PAIRWISE_DICE: case.agreed[value]}) for case, found in known])
    return SampledTrust(method=cases[0].sampling, dice=model, rule=fit_green_rule(model.held_out)) if model else None


def _features(value: int, cases: Sequence[DoneCase], fit: ClassCalibration) -> list[tuple[DoneCase, dict[str, float]]]:
    own = [(case, expected_dice(case.blind[value], fit.scaling)) for case in cases if value in case.blind]
    return [(case, {EXPECTED_DICE: expected}) for case, expected in own if expected is not None]


def _fitted(value: int, known: Sequence[tuple[DoneCase, dict[str, float]]]) -> DiceModel | None:
    """None where too few patients have the structure."""
    if not known:
        return None
    try:
        return fit_dice(
            [features for _, features in known],
            [case.scores[value].dice for case, _ in known],
            subjects=[case.subject for case, _ in known],
        )
    except TooFewCasesError:
        return None
