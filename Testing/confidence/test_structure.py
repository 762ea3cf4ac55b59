"""Predicted Dice, volume intervals and contours: checked against planted truth and by counting."""

from __future__ import annotations

import math

import numpy as np
import pytest

from slicermedai.confidence.conformal import (
    conformal_p,
    conformal_quantile,
    fewest_for,
    fit_volume,
    per_subject,
)
from slicermedai.confidence.margins import region_around
from slicermedai.confidence.scaling import Method, Scaling
from slicermedai.confidence.sketch import MarginSketch
from slicermedai.confidence.structure import EXPECTED_DICE, DiceModel, contours, expected_dice, fit_dice
from slicermedai.errors import InputError, TooFewCasesError
from Testing.corpus.trust.phantoms import OFFSET, OVERCONFIDENCE, Phantom, phantoms

RIGHT = Scaling(method=Method.PLATT, slope=1 / OVERCONFIDENCE, offset=OFFSET)


def true_dice(case: Phantom) -> float:
    return float(2 * (case.prediction & case.truth).sum() / (case.prediction.sum() + case.truth.sum()))


def said(case: Phantom, scaling: Scaling = RIGHT) -> float:
    region = region_around(case.prediction, case.spacing)
    found = expected_dice(MarginSketch().add(case.margin[region], np.zeros(region.sum(), dtype=bool)), scaling)
    assert found is not None
    return found


# --- ranks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "rank"), [(9, 9), (10, 10), (19, 18), (29, 27), (99, 90), (100, 91)])
def test_the_rank_is_the_finite_sample_one(count: int, rank: int) -> None:
    assert conformal_quantile(np.arange(1, count + 1), 0.9) == rank


@pytest.mark.parametrize(("level", "fewest"), [(0.9, 9), (0.95, 19), (0.5, 1), (0.99, 99)])
def test_one_patient_fewer_makes_the_interval_infinite(level: float, fewest: int) -> None:
    assert fewest_for(level) == fewest
    assert math.isfinite(conformal_quantile(np.ones(fewest), level))
    assert math.isinf(conformal_quantile(np.ones(fewest - 1), level))


def test_p_values_count_the_new_one_among_the_known() -> None:
    assert conformal_p([1, 2, 3], 10) == 0.25
    assert conformal_p([1, 2, 3], 2) == 0.75
    assert conformal_p([], 1) == 1.0


def test_copies_of_a_patient_are_averaged() -> None:
    assert list(per_subject([1.0, 5.0, 3.0], ["b", "a", "b"])) == [5.0, 2.0]


# --- volumes -----------------------------------------------------------------------------------------------------


def test_volume_intervals_cover_what_they_promise_on_average_over_splits() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(400):
        predicted = rng.lognormal(3, 0.5, 150)
        reference = predicted * np.exp(rng.normal(0.05, 0.15, 150))
        model = fit_volume(predicted[:50], reference[:50], subjects=[str(n) for n in range(50)])
        intervals = [model.interval(p) for p in predicted[50:]]
        covered.append(np.mean([i.low <= r <= i.high for i, r in zip(intervals, reference[50:], strict=True) if i]))
    assert 0.89 <= np.mean(covered) <= 0.92


def test_eight_patients_give_no_interval_and_copies_do_not_help() -> None:
    model = fit_volume([10.0] * 8, [11.0] * 8, subjects=list("abcdefgh"))
    assert math.isinf(model.half_width(10.0))
    assert model.interval(10.0) is None
    assert fit_volume([10.0] * 30, [11.0] * 30, subjects=["one"] * 30).interval(10.0) is None


def test_a_volume_interval_is_in_proportion_and_never_negative() -> None:
    model = fit_volume(np.full(20, 10.0), np.full(20, 13.0), subjects=[str(n) for n in range(20)])
    assert model.half_width(100.0) == pytest.approx(30.0)
    small = model.interval(0.0)
    assert small is not None
    assert (small.low, small.high) == pytest.approx((0.0, 0.15))


def test_negative_volumes_are_refused() -> None:
    with pytest.raises(InputError, match="not negative"):
        fit_volume([-1.0], [1.0], subjects=["a"])


# --- Dice --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cases() -> list[Phantom]:
    return list(phantoms(60, seed=21))


def test_calibrated_probabilities_expect_the_dice_that_is_there(cases: list[Phantom]) -> None:
    errors = [abs(said(case) - true_dice(case)) for case in cases]
    flattered = [abs(said(case, Scaling()) - true_dice(case)) for case in cases]
    assert np.mean(errors) < 0.05 < np.mean(flattered)


def test_an_empty_prediction_has_no_expected_dice() -> None:
    assert expected_dice(MarginSketch().add([-1.0, -2.0], [False, False]), RIGHT) is None


def fitted(cases: list[Phantom]) -> DiceModel:
    features = [{EXPECTED_DICE: said(case)} for case in cases]
    return fit_dice(features, [true_dice(case) for case in cases], subjects=[case.subject for case in cases])


def test_the_predicted_dice_is_near_and_its_interval_holds_on_other_patients(cases: list[Phantom]) -> None:
    model = fitted(cases[:30])
    held, errors = [], []
    for case in cases[30:]:
        predicted = model.predict({EXPECTED_DICE: said(case)})
        assert predicted is not None
        interval = model.interval(predicted)
        held.append(interval.low <= true_dice(case) <= interval.high)
        errors.append(abs(predicted - true_dice(case)))
    assert np.mean(errors) < 0.06
    assert np.mean(held) >= 0.8


def test_each_patient_was_left_out_of_what_was_predicted_for_it(cases: list[Phantom]) -> None:
    features = [{EXPECTED_DICE: 0.8 + 0.001 * n} for n in range(20)]
    dice = [0.9] * 19 + [0.1]
    model = fit_dice(features, dice, subjects=[str(n) for n in range(20)])
    predicted = dict(zip([str(n) for n in np.unique([str(n) for n in range(20)])], model.held_out, strict=True))
    assert predicted["19"] == pytest.approx((0.9, 0.1), abs=1e-6)


def test_nineteen_patients_are_too_few_for_a_dice_whatever_the_copies(cases: list[Phantom]) -> None:
    with pytest.raises(TooFewCasesError, match="19 patients"):
        fit_dice([{"x": 1.0}] * 40, [0.5] * 40, subjects=[str(n % 19) for n in range(40)])


def test_a_feature_that_is_missing_leaves_the_dice_unassessed(cases: list[Phantom]) -> None:
    assert fitted(cases[:20]).predict({"something else": 0.9}) is None


def test_cases_with_other_features_are_refused() -> None:
    with pytest.raises(InputError, match="same features"):
        fit_dice([{"a": 1.0}, {"b": 1.0}], [0.5, 0.5], subjects=["x", "y"])


# --- contours ----------------------------------------------------------------------------------------------------


def test_contours_hold_the_mask_between_them_and_mean_what_they_say(cases: list[Phantom]) -> None:
    inner_hits, outer_misses, nested = [], [], []
    for case in cases[:20]:
        inner, outer = contours(RIGHT.probabilities(case.margin), case.prediction)
        nested.append((inner <= case.prediction).all() and (case.prediction <= outer).all())
        inner_hits.append((inner & case.truth).sum() / max(inner.sum(), 1))
        outer_misses.append((case.truth & ~outer).sum() / max((~outer).sum(), 1))
    assert all(nested)
    assert np.mean(inner_hits) > 0.9
    assert np.mean(outer_misses) < 0.1


def test_contours_stay_nested_where_calibration_contradicts_the_mask() -> None:
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[1, 1, 1] = True
    inner, outer = contours(np.where(mask, 0.01, 0.99), mask)
    assert not inner.any()
    assert outer.all()
