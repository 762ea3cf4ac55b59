"""The goals of the benchmark: each is met by a perfect result, and missed by one that is worse in that alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from Testing.corpus.deid.goals import Goal, Measured, goals
from Testing.corpus.deid.judge import Scores, Share
from Testing.corpus.deid.peers import Cost
from Testing.corpus.deid.pixels import PixelScores

ALL, NONE = Share(50, 50), Share(0, 30_000)
PIXELS = PixelScores("reader", identical=9, should_be_identical=9, identity_texts=8, kept=9, other_texts=10)
PERFECT = Scores(
    written=ALL,
    leaked=NONE,
    leaked_by_category={},
    files_with_tokens=NONE,
    clinical_changed=Share(2, 10_000),
    options_kept=ALL,
    private_kept=ALL,
    references=ALL,
    intervals=ALL,
    sr_values=ALL,
    contours=ALL,
    suv=ALL,
    pixels=PIXELS,
    new_errors={},
)
COST = Cost(status=0, cpu_s=0.19, peak_mb=99.0, wall_s=9.0)


def judged(scores: Scores = PERFECT, **costs: object) -> list[Goal]:
    """The goals where the whole command was judged like ``scores``."""
    measured = Measured(
        best=[scores],
        basic=[PERFECT],
        rewriter_ms=1.6,
        fastest_peer_ms=3.3,
        single=COST,
        many=COST,
        large=COST,
    )
    return goals(replace(measured, **costs))  # type: ignore[arg-type]  # fields by name


def missed(found: list[Goal]) -> list[str]:
    return [goal.name for goal in found if goal.ok is False]


def test_a_perfect_result_meets_every_goal() -> None:
    assert missed(judged()) == []
    assert all(goal.ok for goal in judged())


@pytest.mark.parametrize(
    ("field", "value", "goal"),
    [
        ("leaked", Share(1, 30_000), "elements leaked"),
        ("leaked", Share(0, 19_999), "20,000"),
        ("files_with_tokens", Share(1, 381), "identity token"),
        ("clinical_changed", Share(3, 10_000), "clinical"),
        ("written", Share(49, 50), "files written"),
        ("references", Share(49, 50), "references"),
        ("intervals", Share(49, 50), "intervals"),
        ("sr_values", Share(49, 50), "SR"),
        ("contours", Share(49, 50), "RT"),
        ("suv", Share(49, 50), "SUV"),
        ("new_errors", {"Error": 1}, "dciodvfy"),
        ("pixels", replace(PIXELS, legible=1), "legible"),
        ("pixels", replace(PIXELS, kept=8), "other burned-in"),
        ("pixels", replace(PIXELS, identical=8), "identical"),
        ("pixels", replace(PIXELS, collateral=1), "outside"),
    ],
)
def test_a_result_that_is_worse_in_one_thing_misses_that_goal_alone(field: str, value: object, goal: str) -> None:
    (name,) = missed(judged(replace(PERFECT, **{field: value})))  # type: ignore[arg-type]  # fields by name
    assert goal in name


@pytest.mark.parametrize(
    ("cost", "value", "goal"),
    [
        ("rewriter_ms", 1.8, "1.7 CPU ms"),
        ("rewriter_ms", None, "1.7 CPU ms"),
        ("fastest_peer_ms", 3.1, "fastest peer"),
        ("single", replace(COST, cpu_s=0.21), "start-up"),
        ("large", replace(COST, peak_mb=101.0), "memory"),
    ],
)
def test_a_cost_that_is_too_high_is_missed(cost: str, value: object, goal: str) -> None:
    assert goal in missed(judged(PERFECT, **{cost: value}))[0]


def test_what_was_not_measured_is_no_success() -> None:
    found = judged(replace(PERFECT, new_errors=None), fastest_peer_ms=None)
    assert [goal.name for goal in found if goal.ok is None] == [
        "new dciodvfy errors: 0, both presets",
        "rewriter: at most half of the fastest peer's CPU time",
    ]
    assert "| not measured |" in next(goal.line() for goal in found if goal.ok is None)
    assert judged(replace(PERFECT, leaked=Share(7, 30_000)))[1].line().endswith("| 7 of 60000 | MISSED |")
