"""What the module MedAI Review says: no light is green by itself, no raw score is a percentage, nothing is hidden."""

from __future__ import annotations

import dataclasses

import pytest

from slicermedai.app import review_words as words
from slicermedai.app.review_state import Laid, ReviewState, Row, rows_of
from slicermedai.domain.finding import Confidence, ConfidenceState, Interval
from slicermedai.domain.result import RATINGS, AnalysisResult, Decision, EditDistance, Quality, Review, Status
from slicermedai.domain.stability import StructureStability
from Testing.app.reviews import WHY_AMBER, a_head, pseudonymous
from Testing.app.test_words import shouted


@pytest.fixture(scope="module")
def result() -> AnalysisResult:
    return a_head().result


@pytest.fixture
def rows(result: AnalysisResult) -> tuple[Row, ...]:
    return rows_of(ReviewState(result=result))


def a_review(decision: Decision = Decision.REJECTED, **more: object) -> Review:
    return Review(tracking_uid="1", person="Jane Roe", decision=decision, **more)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("light", ["green", "amber", "red"])
def test_a_light_is_the_word_that_the_trust_layer_gave(rows: tuple[Row, ...], light: str) -> None:
    row = dataclasses.replace(rows[0], quality=Quality(tracking_uid="1", light=light))
    assert (words.light_text(light), words.light_of(row)) == (light, light)


@pytest.mark.parametrize("light", ["not assessed", "", "Green", "blue"])
def test_any_other_light_is_neutral(rows: tuple[Row, ...], light: str) -> None:
    row = dataclasses.replace(rows[0], quality=Quality(tracking_uid="1", light=light))
    assert (words.light_text(light), words.light_of(row)) == ("not assessed", "none")


def test_a_dice_comes_with_its_interval_or_with_why_there_is_none() -> None:
    known = Quality(tracking_uid="1", expected_dice=0.8, interval=Interval(low=0.7, high=0.9))
    assert words.dice_text(known) == "0.80 (0.70 to 0.90)"
    assert words.dice_text(Quality(tracking_uid="1")) == "not assessed"
    assert words.dice_text(Quality(tracking_uid="1", state="not assessed (edited)")) == "not assessed (edited)"


def test_a_raw_score_is_no_probability() -> None:
    raw = Confidence(state=ConfidenceState.NOT_CALIBRATED, raw_score=0.987)
    assert words.probability_text(raw) == "not calibrated"
    sure = Confidence(state=ConfidenceState.CALIBRATED, probability=0.834, calibration="Platt")
    assert words.probability_text(sure) == "83 %"


def test_infinite_intervals_are_said_as_such(rows: tuple[Row, ...]) -> None:
    volume = rows[0].volume
    assert volume is not None
    wide = dataclasses.replace(volume, interval=Interval(low=0.0, high=float("inf")))
    assert words.volume_text(wide).endswith("ml (0.0 to inf)")
    assert words.volume_text(None) == "not measured"


def test_the_details_say_why(result: AnalysisResult, rows: tuple[Row, ...]) -> None:
    state = ReviewState(result=result)
    brain, ventricle, agent = (words.detail_text(row, state) for row in rows)
    assert "intervals: Dice 90%, volume 90%" in brain
    assert f"Light: amber – {WHY_AMBER}." in ventricle
    assert "samples agree with a Dice of 0.91; their volumes are 0.9 to 1.2 ml" in ventricle
    assert "Uncertainty: not assessed." in brain
    assert "no reason was recorded" in agent
    assert "no place in it" in agent
    assert words.detail_text(None, state) == "No finding is chosen."


def test_how_a_finding_moved_is_said_with_its_bounds(result: AnalysisResult, rows: tuple[Row, ...]) -> None:
    state = ReviewState(result=result)
    assert "Stability: not assessed." in words.detail_text(rows[0], state)
    moved = StructureStability(tracking_uid=rows[0].uid, dice=(0.97, 0.84), change=(1.0, -12.6), reason="not stable")
    told = words.detail_text(dataclasses.replace(rows[0], stability=moved), state)
    assert "over 2 small changes of the image the Dice stayed at 0.84 or above" in told
    assert "changed by -13 % at most. That is beyond the bounds." in told
    steady = dataclasses.replace(moved, dice=(0.97, 0.99), change=(1.0, 0.0), reason="")
    assert "beyond" not in words.detail_text(dataclasses.replace(rows[0], stability=steady), state)


def test_an_edit_is_told_in_numbers(result: AnalysisResult, rows: tuple[Row, ...]) -> None:
    edit = EditDistance(dice=0.934, added=2.25, removed=0.5)
    row = dataclasses.replace(rows[0], review=a_review(Decision.EDITED, edit=edit))
    told = words.detail_text(row, ReviewState(result=result))
    assert "Dice 0.93 with what the model found; 2.75 ml changed (2.25 added, 0.50 removed)" in told


def test_a_review_is_told_with_reason_and_rating() -> None:
    assert words.review_text(None) == "not reviewed"
    assert words.review_text(a_review(reason="an artefact", rating=2)) == "rejected: an artefact; rated 2 of 5"


def test_every_rating_has_a_meaning() -> None:
    assert len({words.rating_text(rating) for rating in (0, *RATINGS)}) == 6


def test_the_outcome_and_the_route_are_said(result: AnalysisResult) -> None:
    assert words.result_text(result) == "brain@1.2.0. Findings: 3."
    assert words.result_text(None) == ""
    assert "Pseudonymous" in words.result_text(pseudonymous(a_head()).result)
    empty = dataclasses.replace(result, status=Status.NO_FINDING, findings=(), quality=(), uncertainty=None)
    assert "found nothing" in words.result_text(empty)
    assert "nothing to review" in words.opened_text(empty)
    failed = dataclasses.replace(empty, status=Status.FAILED, message="out of memory")
    assert "failed: out of memory" in words.result_text(failed)


def test_warnings_come_before_all_numbers(result: AnalysisResult) -> None:
    made = dataclasses.replace(result.provenance, warnings=("the field of view is small.",), demonstration=True)
    state = ReviewState(result=dataclasses.replace(result, provenance=made), remark="No image.")
    assert words.warnings_text(state).splitlines() == [
        "Demonstration weights: what they find has no diagnostic value.",
        "No image.",
        "Warning: the field of view is small.",
    ]


def test_maps_that_are_not_there_are_said_to_be_not_assessed(result: AnalysisResult) -> None:
    without = ReviewState(result=dataclasses.replace(result, maps=()))
    assert "not assessed" in words.maps_text(without)
    assert words.maps_text(ReviewState(result=result)) == "No map is laid over the image."
    laid = ReviewState(result=result, laid=Laid(number=0, share=0.5, threshold=0.5))
    assert "from 0.5 on" in words.maps_text(laid)


def test_what_is_left_to_do_is_counted(result: AnalysisResult, rows: tuple[Row, ...]) -> None:
    assert words.standing_text(ReviewState(result=result), rows) == "Decided: 0 of 3."
    state = ReviewState(result=result, pending=(a_review(),))
    assert "Not saved yet: 1" in words.standing_text(state, rows)
    assert words.standing_text(ReviewState(), ()) == ""


@pytest.mark.parametrize("stage", ["", "start", "read", "image", "save", "done"])
def test_every_stage_has_words(stage: str) -> None:
    assert bool(words.stage_text(stage)) == bool(stage)
    assert words.stage_text("something new") == "something new"


def test_every_sentence_is_translated(result: AnalysisResult, rows: tuple[Row, ...]) -> None:
    state = ReviewState(result=dataclasses.replace(result, maps=()), remark="")
    for told in (
        *words.columns(shouted),
        *words.reasons(shouted),
        words.light_text("amber", shouted),
        words.maps_text(state, shouted),
        words.opened_text(result, shouted),
        words.detail_text(None, state, shouted),
    ):
        assert told == told.upper()
    assert words.table(rows[2:], shouted)[0][1:] == (
        "NOT ASSESSED",
        "NOT REVIEWED",
        "NOT ASSESSED",
        "NOT MEASURED",
        "NOT ASSESSED",
    )
