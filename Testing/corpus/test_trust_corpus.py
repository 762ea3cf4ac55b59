"""The generated patients are what they say, and the bench's table cannot hide a miss."""

from __future__ import annotations

import numpy as np
from scipy.special import expit
from scipy.stats import binom

from slicermedai.confidence.light import PROMISE
from Testing.corpus.trust.bench import BLIND, FIXED, GOALS, PATIENTS, unmeasured
from Testing.corpus.trust.phantoms import OFFSET, OVERCONFIDENCE, logistic_field, phantom, phantoms
from Testing.corpus.trust.rows import Row, near, table
from Testing.corpus.trust.saliency_rows import correlated
from Testing.corpus.trust.shift_rows import by_the_rules
from Testing.corpus.trust.structure_rows import light_rows
from Testing.corpus.trust.study import patient, record_of


def test_the_same_seed_gives_the_same_patient_and_another_seed_another() -> None:
    one, same, other = phantom((1, 2)), phantom((1, 2)), phantom((1, 3))
    assert np.array_equal(one.margin, same.margin)
    assert np.array_equal(one.truth, same.truth)
    assert not np.array_equal(one.truth, other.truth)


def test_the_planted_probability_is_the_share_of_true_voxels() -> None:
    margin = np.concatenate([case.margin.ravel() for case in phantoms(40, seed=3)])
    truth = np.concatenate([case.truth.ravel() for case in phantoms(40, seed=3)])
    true = expit(margin / OVERCONFIDENCE + OFFSET)
    for low in (0.1, 0.3, 0.5, 0.7):
        inside = (true >= low) & (true < low + 0.2)
        assert abs(truth[inside].mean() - true[inside].mean()) < 0.02


def test_the_noise_has_the_logistic_distribution() -> None:
    field = np.concatenate([logistic_field(np.random.default_rng(n), (20, 20, 20)).ravel() for n in range(20)])
    for quantile in (0.1, 0.5, 0.9):
        assert abs(np.quantile(field, quantile) - np.log(quantile / (1 - quantile))) < 0.3


def test_a_blind_network_surely_misses_half() -> None:
    case = phantom(1, blind=1.0)
    half = case.margin.shape[2] // 2
    assert not case.prediction[:, :, half:].any()
    assert case.truth[:, :, half:].any()
    assert np.array_equal(case.margin[:, :, :half], phantom(1).margin[:, :, :half])


def test_a_miss_is_printed_as_such_with_its_value() -> None:
    missed, met = Row("C3", "ECE", "<= 0.03", "0.2", False), Row("C1", "T", "1e-6", "0", True)
    rows = [missed, met, Row("S4", "rho", "<= 0.35", "not run", None)]
    text = table(rows).splitlines()
    assert "MISSED" in text[1] and "0.2" in text[1]
    assert "met" in text[2]
    assert "NOT MEASURED" in text[3]


def test_nothing_is_near_what_is_not_there() -> None:
    assert near(1.0, 1.0 + 1e-10, 1e-9)
    assert not near(1.0, 1.1, 1e-9)
    assert not near(1.0, None, 1.0)


def test_correlations_keep_their_size_and_maps_that_were_refused_are_left_out() -> None:
    made = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    assert np.allclose(correlated(made, [made, -made, None]), [1, 1])
    assert correlated(None, [made]) == []


def test_a_goal_without_a_value_is_told() -> None:
    rows = [Row(goal, "a", "b", "c", True) for goal in GOALS]
    assert unmeasured(rows) == []
    assert unmeasured([*rows[:3], *rows[4:], Row("C4", "a", "b", "-", None)]) == ["C4"]


def test_who_trusts_green_alone_is_right_as_often_as_the_light_says_on_a_cohort_with_shifts() -> None:
    """Generated patients, half as many to judge: in a third of these the image is shifted and the answer wrong."""
    fitted, others = (
        [patient(case, number) for number, case in enumerate(phantoms(count, seed=seed, blind=BLIND))]
        for count, seed in ((PATIENTS, FIXED), (PATIENTS // 2, 77))
    )
    right, shifted = light_rows(record_of(fitted), others, seed=FIXED)
    share, greens = (float(part) for part in right.measured.split(" of "))
    assert len(others) / 3 < greens < len(others), "a light that is always or never green says nothing"
    assert binom.cdf(round(share * greens), int(greens), PROMISE) > 0.05, "below the promise by more than chance"
    assert shifted.met is True, shifted


def test_each_rule_of_the_challenge_is_held_by_itself() -> None:
    row = by_the_rules()
    assert row.met is True and row.measured == "4 of 4", row.reference
