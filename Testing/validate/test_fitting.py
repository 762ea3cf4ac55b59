"""For whom a record speaks: what is known of its cases stays known, and what is not is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.confidence.appearance import NETWORK
from slicermedai.confidence.calibrate import Bootstrap, ClassCalibration, calibrate, sketch_of_candidates
from slicermedai.confidence.margins import region_around
from slicermedai.confidence.ood import age_doubts, volume_alarms
from slicermedai.confidence.sketch import CaseSketch, MarginSketch
from slicermedai.confidence.structure import EXPECTED_DICE, PAIRWISE_DICE
from slicermedai.domain.geometry import Geometry
from slicermedai.validate.fitting import (
    _features_of,
    _image_label,
    _looks,
    _structure,
    _volume,
    scope_of,
    volume_ranges,
)
from slicermedai.validate.running import DoneCase, ImageCase
from slicermedai.validate.segmentation import CaseName, CaseScore, Kind, score
from slicermedai.validate.subgroups import age_band, ages_of
from Testing.corpus.trust.phantoms import Phantom, phantoms
from Testing.inference.tiny_bundle import write_tiny_bundle


def a_case(**groups: str) -> DoneCase:
    return DoneCase(
        subject="s", scores={}, sketch=CaseSketch(subject="s", sketches={}), blind={}, looks={}, groups=groups
    )


def test_one_case_of_an_unknown_maker_does_not_open_the_scope_to_all_makers() -> None:
    cases = [a_case(modality="CT", manufacturer=maker, site="A") for maker in ("X", "Y", "X")]
    scope = scope_of([*cases, a_case(modality="CT")])
    assert (scope.modalities, scope.manufacturers, scope.sites) == (("CT",), ("X", "Y"), ("A",))
    assert scope.unknown == {"manufacturer": 1, "site": 1, "protocol": 4}


def test_features_of_several_layers_are_no_check_of_a_record() -> None:
    looks = {NETWORK: np.zeros(3), "voxel spacing": np.zeros(3)}
    one, same, other = (replace(a_case(), looks=looks, features_of=layer) for layer in ("a", "a", "b"))
    assert _features_of([one, same]) == "a" and all(NETWORK in found for found in _looks([one, same]))
    assert (
        _features_of([one, other]) == "" and [set(found) for found in _looks([one, other])] == [{"voxel spacing"}] * 2
    )


def done(case: Phantom, *, agreed: float | None, sampling: str = "flips") -> DoneCase:
    """A patient whose samples agreed by ``agreed``."""
    region = region_around(case.prediction, case.spacing)
    grid = Geometry.from_axes(case.truth.shape, spacing=case.spacing)
    name = CaseName(case=case.subject, subject=case.subject, structure="Blob", groups={})
    return DoneCase(
        subject=case.subject,
        scores={1: score(case.truth, case.prediction, grid, name=name)},
        sketch=CaseSketch(
            subject=case.subject, sketches={1: MarginSketch().add(case.margin[region], case.truth[region])}
        ),
        blind={1: MarginSketch().add(case.margin[region], np.zeros(int(region.sum()), dtype=bool))},
        looks={},
        groups={},
        agreed={} if agreed is None else {1: agreed},
        sampling=sampling,
    )


@pytest.fixture(scope="module")
def patients() -> list[Phantom]:
    return [case for case in phantoms(40, seed=91) if case.prediction.any()]


def fitted(cases: list[DoneCase]) -> ClassCalibration:
    return calibrate([case.sketch for case in cases], trained_on=(), bootstrap=Bootstrap(rounds=3)).classes[0]


def true_dice(case: Phantom) -> float:
    return float(2 * (case.prediction & case.truth).sum() / (case.prediction.sum() + case.truth.sum()))


def error(held_out: tuple[tuple[float, float], ...]) -> float:
    return float(np.mean([abs(said - true) for said, true in held_out]))


def test_how_samples_agree_is_a_feature_of_the_expected_dice_where_all_cases_have_samples(
    patients: list[Phantom],
) -> None:
    """Samples that agree as much as the answer is right: by them the Dice of patients left out is known better."""
    rng = np.random.default_rng(5)
    cases = [done(case, agreed=float(np.clip(true_dice(case) + rng.normal(0, 0.01), 0, 1))) for case in patients]
    made = _structure(1, "Blob", cases, fitted(cases))
    assert made.dice is not None and made.dice.features == (EXPECTED_DICE,)
    assert made.sampled is not None and made.sampled.method == "flips"
    assert set(made.sampled.dice.features) == {EXPECTED_DICE, PAIRWISE_DICE}
    assert error(made.sampled.dice.held_out) < 0.7 * error(made.dice.held_out)
    assert made.sampled.rule is not None


def test_without_samples_of_every_case_there_is_no_such_model(patients: list[Phantom]) -> None:
    cases = [done(case, agreed=0.9) for case in patients]
    calibration = fitted(cases)
    some = [*cases[:-1], done(patients[-1], agreed=None, sampling="")]
    assert _structure(1, "Blob", some, calibration).sampled is None
    unseen = [*cases[:5], *(done(case, agreed=None) for case in patients[5:])]
    assert _structure(1, "Blob", unseen, calibration).sampled is None  # found by samples in five patients alone
    assert _structure(1, "Blob", unseen, calibration).dice is not None


def measured(predicted: float, reference: float, *, subject: str) -> DoneCase:
    """A patient of whom volumes in ml alone are known."""
    kind = Kind.BOTH if predicted else Kind.NEITHER
    scored = CaseScore(
        case=subject, subject=subject, structure="Blob", kind=kind, dice=1.0, nsd=1.0, hd95=0.0, assd=0.0,
        reference_ml=reference, predicted_ml=predicted,
    )  # fmt: skip
    return replace(a_case(), subject=subject, scores={1: scored})


def patients_with_volumes(count: int, *, absent: float, rng: np.random.Generator) -> list[DoneCase]:
    """The share ``absent`` of them has no such structure, which is seen; the others are measured with an error."""
    lacks = rng.random(count) < absent
    true = np.where(lacks, 0.0, rng.lognormal(3, 0.5, count))
    said = true * rng.lognormal(0, 0.2, count)
    return [measured(*pair, subject=str(n)) for n, pair in enumerate(zip(said, true, strict=True))]


@pytest.mark.parametrize("absent", [0.0, 0.5, 0.8])
def test_a_volume_interval_holds_what_it_promises_for_the_structures_that_are_found(absent: float) -> None:
    """Intervals are told of nothing else: patients without the structure must not make them narrow."""
    rng, held = np.random.default_rng(17), []
    for _ in range(60):
        model = _volume(1, patients_with_volumes(100, absent=absent, rng=rng))
        for case in patients_with_volumes(100, absent=absent, rng=rng):
            interval = model.interval(case.scores[1].predicted_ml)
            if case.scores[1].predicted_ml > 0:
                held.append(interval is None or interval.low <= case.scores[1].reference_ml <= interval.high)
    assert 0.88 <= np.mean(held) <= 0.96


def test_a_structure_that_too_few_patients_have_gets_no_volume_interval() -> None:
    cases = [measured(10.0 * (n < 8), 10.0 * (n < 8), subject=str(n)) for n in range(30)]
    assert _volume(1, cases).interval(10.0) is None
    assert _volume(1, cases[8:]).interval(10.0) is None


def test_one_case_with_a_box_is_enough_for_nothing_to_be_fitted(patients: list[Phantom]) -> None:
    cases = [done(case, agreed=0.9) for case in patients]
    assert not _structure(1, "Blob", cases, fitted(cases)).rough
    made = _structure(1, "Blob", [replace(cases[0], rough=frozenset({1})), *cases[1:]], fitted(cases))
    assert made.rough and not made.is_calibrated and made.patients == len(patients)
    assert (made.dice, made.volume, made.sampled, made.rule, made.sketch) == (None, None, None, None, "")


def test_plausible_volumes_are_fitted_for_each_age_band_that_has_patients_enough(bundle_of_one: Manifest) -> None:
    """Children's are half of those of adults; three old people are too few for a band of their own."""
    rng, cases = np.random.default_rng(3), []
    for band, count, middle in (("0 to 17 years", 30, 50.0), ("18 to 39 years", 30, 100.0), ("75 and older", 3, 100.0)):
        for number in range(count):
            made = done(PATIENT, agreed=None)
            volume = float(np.exp(rng.normal(np.log(middle), 0.1)))
            own = replace(made.scores[1], reference_ml=volume)
            cases.append(replace(made, subject=f"{band} {number}", scores={1: own}, groups={"age": band}))
    ranges = volume_ranges(cases, bundle_of_one)
    assert [(one.youngest, round(one.oldest)) for one in ranges] == [(0, 200), (0, 18), (18, 40)]
    assert volume_alarms({1: 100.0}, ranges, age=8) and not volume_alarms({1: 100.0}, ranges, age=30)
    assert not volume_alarms({1: 100.0}, ranges) and volume_alarms({1: 50.0}, ranges, age=39.99)
    assert age_doubts(ranges, age=80) and not age_doubts(ranges, age=17.9)
    nobody = [replace(case, groups={}) for case in cases]
    assert len(volume_ranges(nobody, bundle_of_one)) == 1


@pytest.mark.parametrize("age", [0, 17, 18, 39, 59, 60, 75, 101])
def test_a_band_is_read_back_as_its_ages(age: int) -> None:
    ages = ages_of(age_band(age))
    assert ages is not None and ages[0] <= age <= ages[1]
    assert ages_of("not known") is None and ages_of("") is None


PATIENT = next(iter(phantoms(1, seed=1)))


@pytest.fixture(scope="module")
def bundle_of_one(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return read_manifest(write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny@0.1"))


def labelled(scores: np.ndarray, there: np.ndarray) -> list[DoneCase]:
    """One image of each patient, with the score and the truth of one label."""
    return [
        replace(
            a_case(),
            subject=str(n),
            sketch=CaseSketch(subject=str(n), sketches={1: sketch_of_candidates(scores[n : n + 1], there[n : n + 1])}),
            images={
                1: ImageCase(case=str(n), subject=str(n), score=float(scores[n]), there=bool(there[n]), found=False)
            },
        )
        for n in range(len(scores))
    ]


@pytest.mark.parametrize(("having", "why"), [(1, "1 patients with the label and 29"), (9, "9 patients"), (12, "")])
def test_a_label_of_images_needs_patients_of_both_answers_to_be_calibrated(having: int, why: str) -> None:
    scores = np.linspace(0.05, 0.9, 30, dtype=np.float32)
    there = np.zeros(30, dtype=bool)
    there[28 - np.arange(having) * 3 // 2] = True
    cases = labelled(scores, there)
    fit = calibrate([case.sketch for case in cases], trained_on=(), bootstrap=Bootstrap(rounds=50)).of(1)
    assert fit is not None and fit.is_calibrated, "so it would be without the rule"
    made = _image_label(1, "Fracture", cases, fit)
    assert made.of_image and made.patients == 30 and made.is_calibrated is not bool(why)
    assert why in "".join(made.reasons) and bool(made.reasons) is bool(why)
    assert all(np.isfinite([end.low, end.high]).all() for end in made.intervals.values())


def test_a_fit_that_hangs_on_single_patients_is_none() -> None:
    scores = np.linspace(0.05, 0.9, 30, dtype=np.float32)
    there = scores > 0.5
    there[:1] = True
    cases = labelled(scores, there)
    fit = calibrate([case.sketch for case in cases], trained_on=(), bootstrap=Bootstrap(rounds=50)).of(1)
    assert fit is not None and fit.is_calibrated and np.isinf(fit.intervals["slope"].high)
    made = _image_label(1, "Fracture", cases, fit)
    assert not made.is_calibrated and "hangs on single patients" in made.reasons[0]
