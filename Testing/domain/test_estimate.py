"""What a run is told to take before it: no second is made up, and what earlier runs took is scaled in the open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slicermedai.domain.estimate import Estimate, Took, Workload, expected, flops, rounded, span_text

LOAD = Workload(operations=4e12, voxels=8e6, image_voxels=2e6, millilitres=3000.0, memory=2.1e9)
TOOK = Took(
    machine="here", device="cpu", precision="float32", manner="keep", operations=2e12, voxels=4e6, image_voxels=1e6,
    millilitres=1500.0, network_seconds=10.0, rest_seconds=6.0,
)  # fmt: skip


def an_estimate(**fields: object) -> Estimate:
    return replace(Estimate(title="spleen@1", device="cpu", workload=LOAD, free=8e9), **fields)  # type: ignore[arg-type]


def test_without_an_earlier_run_no_second_is_told() -> None:
    assert expected(LOAD, []) is None
    told = an_estimate().in_words
    assert told.startswith("no run of spleen@1 like this one on this machine yet: its time is not known; 4 TFLOP;")
    assert " s" not in told.replace("its time is", "").replace("is not", "").replace(" spleen", "")
    assert "peak memory about 2.1 GB (8.0 GB are free)" in told


def test_the_network_grows_with_its_operations_and_the_rest_at_most_with_the_image() -> None:
    assert expected(LOAD, [TOOK]) == (10 * 2 + 6, 10 * 2 + 6 * 2)


def test_a_smaller_image_takes_at_least_its_share_of_the_rest() -> None:
    small = replace(LOAD, operations=1e12, image_voxels=5e5)
    assert expected(small, [TOOK]) == (10 / 2 + 6 / 2, 10 / 2 + 6)


def test_where_operations_are_not_known_voxels_are_counted() -> None:
    assert expected(replace(LOAD, operations=0.0), [TOOK]) == (10 * 2 + 6, 10 * 2 + 12)
    assert expected(replace(LOAD, operations=0.0, voxels=4e6), [TOOK]) == (10 + 6, 10 + 12)


def test_a_model_that_cuts_the_image_takes_at_least_the_same_share_of_it() -> None:
    cutting = replace(LOAD, operations=8e12, at_most=True)
    assert expected(cutting, [TOOK]) == (10 * 2 + 6, 10 * 4 + 12)


def test_further_looks_cost_what_they_may() -> None:
    same = replace(LOAD, operations=2e12, image_voxels=1e6)
    assert expected(same, [TOOK], flips=True) == (10 + 6, 10 * 8 + 6)
    assert expected(same, [TOOK], stability=2) == (10 * 3 + 6, 10 * 3 + 6 * 3)


def test_of_many_runs_the_latest_count_and_the_odd_one_does_not() -> None:
    same = replace(LOAD, operations=2e12, image_voxels=1e6)
    odd = replace(TOOK, network_seconds=900.0)
    assert expected(same, [odd, TOOK]) == (16, 906)
    assert expected(same, [TOOK, TOOK, odd, TOOK, TOOK]) == (16, 16)
    assert expected(same, [odd, *[TOOK] * 8]) == (16, 16), "the oldest is forgotten"


def test_what_is_more_than_there_is_said_before_the_run() -> None:
    little = an_estimate(free=2.0e9)
    assert little.is_too_much
    assert "the run would be refused" in little.in_words
    assert not an_estimate().is_too_much
    assert not an_estimate(free=0.0).is_too_much, "where nobody knows what is free"
    assert not an_estimate(free=2.0e9, workload=replace(LOAD, at_most=True)).is_too_much


def test_bounds_are_told_as_bounds() -> None:
    told = an_estimate(workload=replace(LOAD, at_most=True)).in_words
    assert "at most 4 TFLOP" in told
    assert "peak memory at most 2.1 GB" in told
    unknown = an_estimate(workload=Workload(image_voxels=1e6), seconds=(20.0, 31.0), runs=2).in_words
    assert "20 s to 30 s, from 2 earlier runs" in unknown
    assert "cannot be foreseen" in unknown


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.2, (1, "s")), (7.6, (8, "s")), (44.0, (40, "s")), (89.0, (90, "s")), (200.0, (3, "min"))]
)
def test_seconds_are_told_without_false_precision(seconds: float, told: tuple[int, str]) -> None:
    assert rounded(seconds) == told


def test_a_span_of_one_number_is_told_as_one() -> None:
    assert span_text((41.0, 43.0)) == "about 40 s"
    assert span_text((41.0, 130.0)) == "40 s to 2 min"


@pytest.mark.parametrize(
    ("operations", "told"),
    [
        (0, ""), (3.15e-2, "under 1 MFLOP"), (3.15e6, "3.15 MFLOP"), (9.996e8, "1 GFLOP"), (4e12, "4 TFLOP"),
        (1.2345e16, "12300 TFLOP"),
    ],
)  # fmt: skip
def test_operations_are_told_in_a_unit_that_can_be_read(operations: float, told: str) -> None:
    assert flops(operations) == told
