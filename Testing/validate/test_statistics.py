"""Agreement, decisions, FROC and subgroups: against published examples and against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from slicermedai.errors import InputError
from slicermedai.validate.agreement import agreement, icc
from slicermedai.validate.decisions import auc, decisions
from slicermedai.validate.froc import RATES, Candidate, Lesion, Scan, cpm, froc, matched
from slicermedai.validate.resampling import Resampling, mean_over_patients, over_patients
from slicermedai.validate.subgroups import age_band, subgroups

QUICK = Resampling(rounds=200)


# --- patients ----------------------------------------------------------------------------------------------------


def test_a_patient_with_many_images_weighs_as_one() -> None:
    found = mean_over_patients([1.0] * 9 + [0.0], ["many"] * 9 + ["one"], QUICK)
    assert (found.value, found.patients, found.cases) == (0.5, 2, 10)


def test_copies_do_not_make_an_interval_narrower() -> None:
    rng = np.random.default_rng(0)
    values, keys = rng.normal(0, 1, 20), [str(n) for n in range(20)]
    once = mean_over_patients(values, keys, QUICK).interval
    often = mean_over_patients(np.repeat(values, 50), np.repeat(keys, 50), QUICK).interval
    assert once is not None and often is not None
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    held = []
    for n in range(200):
        found = mean_over_patients(rng.normal(3, 1, 25), [str(k) for k in range(25)], Resampling(rounds=300, seed=n))
        held.append(found.interval is not None and found.interval.low <= 3 <= found.interval.high)
    assert 0.88 <= np.mean(held) <= 0.98


def test_one_patient_has_no_interval() -> None:
    found = mean_over_patients([0.5, 0.7], ["a", "a"], QUICK)
    assert (found.interval, found.value, found.words) == (None, 0.6, "0.6")


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf]])
def test_a_value_that_is_no_number_is_refused_and_not_dropped(values: list[float]) -> None:
    with pytest.raises(InputError, match="finite numbers"):
        mean_over_patients(values, ["a"] * len(values), QUICK)


def test_any_statistic_is_drawn_by_patients() -> None:
    values = np.array([1.0, 1.0, 5.0])
    found = over_patients(lambda c: float(values[c].max()), ["a", "a", "b"], QUICK)
    assert found.value == 5.0
    assert found.interval is not None and found.interval.low == 1.0


# --- agreement ---------------------------------------------------------------------------------------------------


def test_icc_of_the_published_example() -> None:
    table = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)
    assert icc(table) == pytest.approx(0.29, abs=0.005)


def test_bland_altman_by_hand() -> None:
    reference, predicted = [10.0, 20.0, 30.0, 40.0], [11.0, 19.0, 33.0, 41.0]
    found = agreement(reference, predicted, subjects=list("abcd"), how=QUICK)
    away = np.array([1, -1, 3, 1.0])
    assert found.bias.value == 1.0
    assert found.lower.value == pytest.approx(1 - 1.96 * away.std(ddof=1))
    assert found.upper.value == pytest.approx(1 + 1.96 * away.std(ddof=1))
    assert found.icc.value > 0.98


def test_a_bias_lowers_the_icc_which_a_correlation_would_not_see() -> None:
    r = np.arange(10.0)
    assert icc(np.stack([r, r], axis=1)) == pytest.approx(1.0)
    assert icc(np.stack([r, r + 5], axis=1)) < 0.5


def test_two_pairs_are_no_agreement() -> None:
    with pytest.raises(InputError, match="three pairs"):
        agreement([1.0, 2.0], [1.0, 2.0], subjects=["a", "b"], how=QUICK)


# --- decisions ---------------------------------------------------------------------------------------------------


def test_sensitivity_specificity_and_auc_by_hand() -> None:
    truth, scores = [1, 1, 1, 0, 0], [0.9, 0.8, 0.2, 0.5, 0.1]
    found = decisions(truth, scores, subjects=list("abcde"), threshold=0.5, how=QUICK)
    assert found.sensitivity is not None and found.sensitivity.value == pytest.approx(2 / 3)
    assert found.specificity is not None and found.specificity.value == 0.5
    assert found.auc is not None and found.auc.value == pytest.approx(5 / 6)


def test_ties_count_one_half() -> None:
    assert auc(np.array([True, False]), np.array([0.5, 0.5])) == 0.5


def test_a_cohort_without_healthy_patients_has_no_specificity_and_says_so() -> None:
    found = decisions([1, 1], [0.4, 0.6], subjects=["a", "b"], threshold=0.5, how=QUICK)
    assert found.sensitivity is not None
    assert (found.specificity, found.auc) == (None, None)


# --- FROC --------------------------------------------------------------------------------------------------------


def at(x: float, score: float) -> Candidate:
    return Candidate(position=(x, 0.0, 0.0), score=score)


def lesion(x: float, *, excluded: bool = False) -> Lesion:
    return Lesion(position=(x, 0.0, 0.0), diameter=10.0, excluded=excluded)


def test_a_perfect_detector_has_a_cpm_of_one_also_at_its_lowest_score() -> None:
    scans = [Scan(subject=str(n), lesions=(lesion(0),), candidates=(at(1, n / 10),)) for n in range(10)]
    assert froc([matched(scan) for scan in scans]).cpm == 1.0
    assert cpm(scans, how=QUICK).value == 1.0


def test_a_detector_that_finds_nothing_has_zero() -> None:
    assert froc([matched(Scan(subject="a", lesions=(lesion(0),)))]).cpm == 0.0


def test_double_hits_are_neither_hits_nor_false_alarms() -> None:
    found = matched(Scan(subject="a", lesions=(lesion(0),), candidates=(at(1, 0.3), at(-2, 0.9), at(50, 0.5))))
    assert list(found.hits) == [0.9]
    assert list(found.false_alarms) == [0.5]


def test_candidates_in_excluded_lesions_are_neither_and_those_need_not_be_found() -> None:
    found = matched(Scan(subject="a", lesions=(lesion(0, excluded=True), lesion(100)), candidates=(at(1, 0.9),)))
    assert (found.hits.size, found.false_alarms.size, found.lesions) == (0, 0, 1)


def test_a_candidate_may_hit_two_lesions() -> None:
    found = matched(Scan(subject="a", lesions=(lesion(0), lesion(6)), candidates=(at(3, 0.9),)))
    assert list(found.hits) == [0.9, 0.9]


@pytest.mark.parametrize(("x", "hits"), [(4.999, 1), (5.0, 0)])
def test_a_hit_lies_nearer_than_the_radius(x: float, hits: int) -> None:
    assert matched(Scan(subject="a", lesions=(lesion(0),), candidates=(at(x, 0.9),))).hits.size == hits


def test_scans_without_lesions_count() -> None:
    ill = Scan(subject="a", lesions=(lesion(0),), candidates=(at(0, 0.5),))
    healthy = Scan(subject="b", candidates=(at(0, 0.9), at(9, 0.8)))
    found = froc([matched(ill), matched(healthy)])
    assert (found.scans, found.lesions) == (2, 1)
    assert found.at(1.0) == 1.0  # two false alarms in two scans are passed before the lesion is found
    assert found.at(0.999) < 1.0


def test_ties_are_taken_together() -> None:
    found = froc([matched(Scan(subject="a", lesions=(lesion(0),), candidates=(at(0, 0.5), at(50, 0.5))))])
    assert list(zip(found.false_alarms, found.sensitivity, strict=True)) == [(0.0, 0.0), (1.0, 1.0)]
    assert found.at(0.5) == 0.5


def test_the_curve_by_hand() -> None:
    scan = Scan(
        subject="a", lesions=(lesion(0), lesion(100)), candidates=(at(0, 0.9), at(50, 0.8), at(100, 0.7), at(60, 0.6))
    )
    found = froc([matched(scan)])
    assert [found.at(rate) for rate in RATES] == [0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0]
    assert found.cpm == pytest.approx(5.5 / 7)


def test_without_any_lesion_sensitivity_is_not_defined() -> None:
    with pytest.raises(InputError, match="nothing to find"):
        froc([matched(Scan(subject="a", candidates=(at(0, 0.5),)))])


def test_a_score_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(InputError, match="not a number"):
        matched(Scan(subject="a", candidates=(at(0, float("nan")),)))


# --- subgroups ---------------------------------------------------------------------------------------------------


def test_the_worst_group_comes_first_and_too_few_is_said() -> None:
    groups = [{"sex": "F"}] * 12 + [{"sex": "M"}] * 12 + [{"sex": "O"}] * 3 + [{}] * 10
    values = [0.9] * 12 + [0.7] * 12 + [0.1] * 3 + [0.8] * 10
    found = subgroups(values, groups, subjects=[str(n) for n in range(37)], how=QUICK)
    assert [(g.value, g.patients) for g in found] == [("M", 12), ("not known", 10), ("F", 12), ("O", 3)]
    assert found[-1].estimate is None
    assert "too few" in found[-1].words


def test_distances_have_the_largest_first() -> None:
    groups = [{"site": "a"}] * 10 + [{"site": "b"}] * 10
    found = subgroups(
        [1.0] * 10 + [5.0] * 10, groups, subjects=[str(n) for n in range(20)], how=QUICK, larger_is_better=False
    )
    assert [g.value for g in found] == ["b", "a"]


def test_ten_images_of_one_patient_are_too_few() -> None:
    found = subgroups([0.9] * 20, [{"site": "a"}] * 20, subjects=["one"] * 20, how=QUICK)
    assert (found[0].patients, found[0].estimate) == (1, None)


@pytest.mark.parametrize(
    ("years", "band"),
    [(None, "not known"), (0, "0 to 17 years"), (17.9, "0 to 17 years"), (18, "18 to 39 years"), (80, "75 and older")],
)
def test_age_bands(years: float | None, band: str) -> None:
    assert age_band(years) == band
