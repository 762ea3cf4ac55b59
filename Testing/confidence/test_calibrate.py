"""Calibration finds what was planted, counts patients, and refuses what would flatter."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from scipy.optimize import minimize

from slicermedai.confidence.calibrate import Bootstrap, Calibration, calibrate, judge, sketch_of_candidates
from slicermedai.confidence.margins import region_around
from slicermedai.confidence.metrics import CalibrationSums, adaptive_error
from slicermedai.confidence.scaling import Method, Scaling, fit_platt, fit_temperature
from slicermedai.confidence.sketch import CaseSketch, MarginSketch, Points
from slicermedai.errors import InputError, SharedCasesError, TooFewCasesError, TrustError
from Testing.corpus.trust.phantoms import OFFSET, OVERCONFIDENCE, Phantom, phantoms

QUICK = Bootstrap(rounds=40)


def sketched(case: Phantom, *, subject: str = "") -> CaseSketch:
    region = region_around(case.prediction, case.spacing)
    sketch = MarginSketch().add(case.margin[region], case.truth[region])
    return CaseSketch(subject=subject or case.subject, sketches={1: sketch}, generated=True)


@pytest.fixture(scope="module")
def patients() -> tuple[CaseSketch, ...]:
    return tuple(sketched(case) for case in phantoms(24, seed=1))


@pytest.fixture(scope="module")
def others() -> tuple[CaseSketch, ...]:
    return tuple(sketched(case) for case in phantoms(24, seed=2))


@pytest.fixture(scope="module")
def calibration(patients: tuple[CaseSketch, ...]) -> Calibration:
    return calibrate(patients, trained_on=(), bootstrap=QUICK)


def bare(margin: Iterable[float], inside: Iterable[bool]) -> Points:
    m = np.array(margin, dtype=float)
    return Points(margin=m, inside=np.array(inside, dtype=bool), weight=np.ones(m.size))


# --- fits --------------------------------------------------------------------------------------------------------


def test_platt_finds_the_planted_slope_and_offset(calibration: Calibration) -> None:
    found = calibration.of(1)
    assert found is not None
    assert found.scaling.slope == pytest.approx(1 / OVERCONFIDENCE, rel=0.1)
    assert found.scaling.offset == pytest.approx(OFFSET, abs=0.15)


@pytest.mark.parametrize("fit", [fit_temperature, fit_platt])
def test_a_fit_of_the_sketch_equals_the_exact_fit_of_the_voxels(fit) -> None:  # type: ignore[no-untyped-def]
    case = next(iter(phantoms(1, seed=5)))
    region = region_around(case.prediction, case.spacing)
    margin, inside = case.margin[region].astype(float), case.truth[region]
    found = fit(MarginSketch().add(margin, inside).points())
    exact = fit(bare(np.clip(margin, -32, 32), inside))
    assert found.slope == pytest.approx(exact.slope, rel=1e-6)
    assert found.offset == pytest.approx(exact.offset, abs=1e-6)


def test_the_fit_is_the_minimum_that_another_optimiser_finds() -> None:
    rng = np.random.default_rng(3)
    margin = rng.normal(0, 4, 3000)
    inside = rng.random(3000) < 1 / (1 + np.exp(-(0.4 * margin - 0.7)))
    sign = np.where(inside, 1.0, -1.0)
    other = minimize(lambda x: np.logaddexp(0, -sign * (x[0] * margin + x[1])).mean(), [1.0, 0.0], tol=1e-12)
    found = fit_platt(bare(margin, inside))
    assert (found.slope, found.offset) == pytest.approx(tuple(other.x), abs=1e-5)


def test_a_fit_survives_margins_from_which_newton_alone_runs_away() -> None:
    rng = np.random.default_rng(4)
    margin = rng.choice([-30.0, 30.0], 2000)
    inside = rng.random(2000) < np.where(margin > 0, 0.8, 0.2)
    assert 30 * fit_temperature(bare(margin, inside)).slope == pytest.approx(np.log(4), abs=0.15)


@pytest.mark.parametrize(
    ("margin", "inside"),
    [
        ([1, 2, 3], [True, True, True]),
        ([-1, -2, 3, 4], [False, False, True, True]),
        ([-1, 1, -2, 2], [True, False] * 2),
    ],
    ids=["one answer", "parted without an error", "the wrong way round"],
)
def test_margins_that_say_nothing_are_refused(margin: list[float], inside: list[bool]) -> None:
    with pytest.raises(TrustError):
        fit_platt(bare(margin, inside))


# --- patients ----------------------------------------------------------------------------------------------------


def test_fewer_than_twenty_patients_are_refused(patients: tuple[CaseSketch, ...]) -> None:
    with pytest.raises(TooFewCasesError, match="19 patients are too few"):
        calibrate(patients[:19], trained_on=(), bootstrap=QUICK)


def test_augmented_copies_of_one_patient_count_as_one(patients: tuple[CaseSketch, ...]) -> None:
    copies = [CaseSketch(subject="only", sketches=case.sketches) for case in patients]
    with pytest.raises(TooFewCasesError, match="1 patients are too few"):
        calibrate(copies, trained_on=(), bootstrap=QUICK)


def test_copies_of_a_patient_change_neither_fit_nor_interval(patients: tuple[CaseSketch, ...]) -> None:
    once = calibrate(patients, trained_on=(), bootstrap=QUICK).of(1)
    often = calibrate([*patients, *[patients[0]] * 30], trained_on=(), bootstrap=QUICK).of(1)
    assert once is not None and often is not None
    assert often.subjects == once.subjects == 24
    assert often.scaling.slope == pytest.approx(once.scaling.slope, rel=1e-9)
    assert often.intervals["slope"].low == pytest.approx(once.intervals["slope"].low, rel=1e-9)


def test_patients_of_the_training_set_are_refused(patients: tuple[CaseSketch, ...]) -> None:
    with pytest.raises(SharedCasesError, match="2 of 24 patients were in the training set"):
        calibrate(patients, trained_on={patients[0].subject, patients[5].subject, "someone"}, bootstrap=QUICK)


def test_patients_of_the_fit_cannot_judge_it(patients: tuple[CaseSketch, ...], calibration: Calibration) -> None:
    with pytest.raises(SharedCasesError, match="calibration set"):
        judge(patients[:3], calibration, value=1)


def test_calibration_holds_on_other_patients(others: tuple[CaseSketch, ...], calibration: Calibration) -> None:
    after = judge(others, calibration, value=1, bootstrap=QUICK)
    before = judge(others, Calibration(classes=(), subjects=(), generated=True), value=1, bootstrap=QUICK)
    assert after.metrics.ece <= 0.03 < before.metrics.ece
    assert after.metrics.ace <= 0.04 < before.metrics.ace
    assert after.metrics.nll < before.metrics.nll
    assert after.intervals["ece"].low <= after.metrics.ece + 0.01


def test_intervals_over_patients_hold_the_truth_and_are_no_voxel_intervals(calibration: Calibration) -> None:
    found = calibration.of(1)
    assert found is not None
    interval = found.intervals["slope"]
    voxels = found.after.metrics.weight if found.after else 0
    assert interval.low < 1 / OVERCONFIDENCE < interval.high
    assert interval.high - interval.low > 5 * 3.3 / np.sqrt(voxels) * found.scaling.slope * 0.5


def test_a_structure_seen_in_too_few_patients_stays_uncalibrated_and_says_so(patients: tuple[CaseSketch, ...]) -> None:
    rare = [
        CaseSketch(subject=case.subject, sketches={**case.sketches, **({2: case.sketches[1]} if n < 5 else {})})
        for n, case in enumerate(patients)
    ]
    found = calibrate(rare, trained_on=(), bootstrap=QUICK).of(2)
    assert found is not None
    assert (found.is_calibrated, found.scaling.method) == (False, Method.NONE)
    assert "5 patients" in found.reason


def test_no_calibration_changes_a_mask() -> None:
    case = next(iter(phantoms(1, seed=9)))
    before = case.prediction.copy()
    shown = Scaling(method=Method.PLATT, slope=0.3, offset=-4.0).probabilities(case.margin)
    assert (shown > 0.5).sum() < before.sum()  # what would happen were the mask made anew
    assert np.array_equal(case.prediction, before)


def test_lesion_candidates_get_a_calibrated_probability() -> None:
    rng = np.random.default_rng(6)
    cases = []
    for number in range(60):
        score = rng.uniform(0.01, 0.99, 12)
        hit = rng.random(12) < 1 / (1 + np.exp(-(0.5 * np.log(score / (1 - score)) - 1.0)))
        cases.append(CaseSketch(subject=f"s{number}", sketches={1: sketch_of_candidates(score, hit)}))
    found = calibrate(cases, trained_on=(), bootstrap=Bootstrap(rounds=100, level=0.98)).of(1)
    assert found is not None
    assert found.scaling.probabilities(0.0) == pytest.approx(1 / (1 + np.e), abs=0.05)
    assert found.intervals["offset"].low < -1.0 < found.intervals["offset"].high


# --- metrics -----------------------------------------------------------------------------------------------------


def test_metrics_by_hand() -> None:
    found = CalibrationSums().add(np.array([0.9, 0.9, 0.1, 0.1]), np.array([True, False, False, False])).metrics()
    assert found.ece == pytest.approx((2 * abs(0.9 - 0.5) + 2 * 0.1) / 4)
    assert (found.ace, found.mce) == pytest.approx((0.25, 0.4))
    assert found.brier == pytest.approx((0.01 + 0.81 + 0.01 + 0.01) / 4)
    assert found.nll == pytest.approx(-(np.log(0.9) * 3 + np.log(0.1)) / 4)


def test_metrics_in_pieces_are_the_metrics_of_the_whole() -> None:
    rng = np.random.default_rng(7)
    p, y = rng.random(1000), rng.random(1000) < 0.3
    whole, pieces = CalibrationSums().add(p, y).metrics(), CalibrationSums()
    for start in range(0, 1000, 77):
        pieces.add(p[start : start + 77], y[start : start + 77])
    assert pieces.metrics().ece == pytest.approx(whole.ece, abs=1e-12)


def test_counts_go_on_beyond_what_single_precision_can_count() -> None:
    sums = CalibrationSums()
    sums.add(np.array([0.95]), np.array([True]), np.array([2.0**25]))
    sums.add(np.array([0.95]), np.array([True]), np.array([1.0]))
    assert sums.metrics().weight == 2.0**25 + 1


def test_equal_mass_bins_do_not_part_ties() -> None:
    p = np.full(1000, 0.3)
    inside = np.arange(1000) < 300
    assert adaptive_error(p, inside, np.ones(1000)) == pytest.approx(0.0, abs=1e-12)


def test_the_reliability_diagram_shows_the_gap() -> None:
    sums = CalibrationSums().add(np.full(10, 0.99), np.arange(10) < 6)
    diagram = sums.reliability()
    assert (diagram.stated[-1], diagram.observed[-1], diagram.weight[-1]) == pytest.approx((0.99, 0.6, 10))
    assert np.isnan(diagram.stated[0])


def test_nothing_to_judge_is_said() -> None:
    with pytest.raises(InputError, match="no voxel lies in the region"):
        CalibrationSums().metrics()
