"""Which of several decisions counts."""

from __future__ import annotations

import dataclasses

import pytest

from slicermedai.domain.decisions import decided, last_decisions
from slicermedai.domain.finding import ConfidenceState, PackedMask
from slicermedai.domain.result import AnalysisResult, Decision, EditDistance, Review
from Testing.export.cases import GRIDS, a_ball, a_case

CASE = a_case()
UID = CASE.result.findings[0].tracking_uid
DRAWN = PackedMask.from_array(a_ball(GRIDS["axial"], radius=(0.2, 0.2, 0.2)), CASE.geometry)


def with_reviews(*decisions: Decision) -> AnalysisResult:
    made = [
        Review(
            tracking_uid=UID,
            person=f"Person {number}",
            decision=decision,
            time=f"2026-11-22T10:0{number}:00+00:00",
            region=DRAWN if decision is Decision.EDITED else None,
            edit=EditDistance(dice=0.5, added=0.0, removed=1.0) if decision is Decision.EDITED else None,
        )
        for number, decision in enumerate(decisions, 1)
    ]
    return dataclasses.replace(CASE.result, reviews=tuple(made))


def test_who_accepts_an_edit_leaves_it_as_it_is_and_is_named() -> None:
    result = with_reviews(Decision.EDITED, Decision.ACCEPTED)
    last = last_decisions(result)[UID]
    assert (last.decision, last.person, last.region) == (Decision.EDITED, "Person 2", DRAWN)
    assert last.edit is not None
    finding = decided(result).findings[0]
    assert finding.region is DRAWN
    assert finding.confidence.state is ConfidenceState.NOT_ASSESSED_EDITED


@pytest.mark.parametrize("last", [Decision.REJECTED, Decision.EDITED])
def test_any_other_last_decision_counts_alone(last: Decision) -> None:
    assert last_decisions(with_reviews(Decision.EDITED, last))[UID].person == "Person 2"
    assert last_decisions(with_reviews(Decision.EDITED, last))[UID].decision is last


def test_what_was_rejected_and_then_accepted_is_the_models() -> None:
    result = with_reviews(Decision.EDITED, Decision.REJECTED, Decision.ACCEPTED)
    assert last_decisions(result)[UID].decision is Decision.ACCEPTED
    assert decided(result).findings[0].region is CASE.result.findings[0].region
