"""What the module MedAI Report says: every format, purpose, state and outcome has words, and none hides a warning."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from slicermedai.app import report_words as words
from slicermedai.app.report_places import Found
from slicermedai.app.report_state import OWN, DeliveryShown, FindingShown, FormatShown, PeerShown, ResultShown, Written
from slicermedai.app.words import found_text
from slicermedai.domain.finding import ConfidenceState
from slicermedai.domain.result import Decision, Status
from slicermedai.domain.study import Identity
from slicermedai.export.formats import FORMATS
from slicermedai.export.profiles import PROFILES
from slicermedai.pacs.outbox import State
from Testing.app.test_words import shouted


def a_result(status: Status = Status.COMPLETE, **more: object) -> ResultShown:
    shown = {"folder": Path("result"), "model": "brain@1", "status": status, "identity": Identity.KEEP, **more}
    return ResultShown(**shown)  # type: ignore[arg-type]  # each value is of its field's type


def a_delivery(state: str, **more: object) -> DeliveryShown:
    return DeliveryShown(uid="1.2", object="SEG", destination="ward", state=state, tries=1, **more)  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_plain_words_and_a_sentence(name: str) -> None:
    title, sentence = words.format_text(name, shouted)
    assert title == title.upper() != name.upper()
    assert sentence.endswith(".")


@pytest.mark.parametrize("name", [*PROFILES, OWN])
def test_every_purpose_has_words(name: str) -> None:
    title, sentence = words.profile_text(name, shouted)
    assert title == title.upper() != name.upper()
    assert sentence.endswith(".")


@pytest.mark.parametrize("state", State)
def test_every_state_of_the_outbox_has_a_word(state: State) -> None:
    (row,) = words.outbox_rows([a_delivery(state.value)], shouted)
    assert row[0] == row[0].upper()
    assert row[1:] == ("SEG", "ward", "1", "")


def test_when_the_next_try_comes_is_said() -> None:
    (row,) = words.outbox_rows([a_delivery("queued", wait=12.3, reason="no connection")])
    assert row[0] == "waiting, next try in 12 s"
    assert row[4] == "no connection"


def test_no_finding_and_failed_are_said_as_such() -> None:
    assert "found nothing" in words.outcome_text(a_result(Status.NO_FINDING))
    assert "failed: out of memory" in words.outcome_text(a_result(Status.FAILED, message="out of memory"))
    assert words.outcome_text(None) == ""


def test_the_route_is_said_and_a_source_without_a_patient() -> None:
    assert "no DICOM can be written" in words.outcome_text(a_result())
    assert "clinical destinations alone" in words.outcome_text(a_result(study_uid="1.2"))
    assert "research destinations alone" in words.outcome_text(a_result(study_uid="1.2", identity=Identity.DEIDENTIFY))


def test_demonstration_weights_and_a_remark_stand_among_the_warnings() -> None:
    shown = a_result(demonstration=True, remark="A phantom.", warnings=("a small field of view.",))
    assert words.warnings_text(shown).splitlines() == [
        "A phantom.",
        "Demonstration weights: what they find has no diagnostic value.",
        "Warning: a small field of view.",
    ]


def test_only_a_calibrated_probability_is_a_percentage() -> None:
    calibrated = FindingShown(uid="1", name="Lesion", confidence=ConfidenceState.CALIBRATED, probability=0.834)
    raw = FindingShown(uid="2", name="Brain", confidence=ConfidenceState.NOT_CALIBRATED)
    rows = words.finding_rows(a_result(findings=(calibrated, raw)))
    assert [row[1] for row in rows] == ["83 % (calibrated)", "not calibrated"]


@pytest.mark.parametrize("decision", Decision)
def test_every_decision_has_a_word(decision: Decision) -> None:
    assert words.decision_text(decision) == decision.value


def test_whether_it_will_be_verified_is_said_before_writing() -> None:
    assert "not verified. Decide" in words.standing_text(a_result(), 0)
    assert "verified by J Roe" in words.standing_text(a_result(verifiers=("J Roe",)), 0)
    assert "cannot be verified" in words.standing_text(a_result(Status.FAILED), 0)
    assert "was rejected" in words.standing_text(a_result(whole=Decision.REJECTED), 0)
    assert "1 decision is saved" in words.standing_text(a_result(), 1)
    assert "3 decisions are saved" in words.standing_text(a_result(), 3)


def test_the_plan_says_what_is_missing_and_how_to_mend_it() -> None:
    plan = (
        FormatShown(name="seg", files=("seg.dcm",)),
        FormatShown(name="sr", reason="is missing", attribute="StudyInstanceUID", advice="Export it again."),
        FormatShown(name="text", reason="cannot be said"),
        FormatShown(name="pmap"),
    )
    assert words.plan_rows(plan) == [
        ("Segmentation", "seg.dcm", "", ""),
        ("Report with numbers", "no", "StudyInstanceUID: is missing", "Export it again."),
        ("Report in words", "no", "cannot be said", "Leave this format out."),
        ("Maps", "nothing", "The result holds no maps.", "Nothing to mend: leave it out, or choose another format."),
    ]


def test_what_is_empty_on_the_pseudonymous_route_is_meant_so() -> None:
    keep = words.unsaid_text(a_result(unsaid=("AccessionNumber",)))
    gone = words.unsaid_text(a_result(unsaid=("AccessionNumber",), identity=Identity.DEIDENTIFY))
    assert "export the series again" in keep
    assert "meant so" in gone
    assert "export the series again" not in gone
    assert words.unsaid_text(a_result()) == ""


def test_a_destination_says_whether_it_is_clinical_or_research_and_where_it_stands() -> None:
    assert words.peer_text(PeerShown(name="a", title="a (x)")) == "a (x), clinical"
    assert words.peer_text(PeerShown(name="a", title="a (x)", research=True)) == "a (x), research"
    assert words.peer_text(PeerShown(name="a", title="a (x)", is_slicers=True)).endswith("from Slicer's servers")


def test_what_a_sending_came_to_leaves_out_what_did_not_happen() -> None:
    none = dict.fromkeys(("sent", "proved", "refused", "failed", "waiting"), 0)
    assert words.sent_text({**none, "trouble": ""}) == "0 sent, 0 arrived."
    told = words.sent_text({**none, "sent": 3, "refused": 1, "waiting": 2, "trouble": "ward: no answer."})
    assert told == "3 sent, 0 arrived, 1 refused, 2 waiting. ward: no answer."


def test_a_result_in_the_scene_is_said_to_be() -> None:
    found = Found(folder=Path("MedAI-1"), made=datetime(2026, 1, 2, 3, 4))
    assert found_text(found) == "MedAI-1 – 2026-01-02 03:04"
    assert words.written_text(None) == "Nothing was written yet."
    written = Written(folder=Path("a/out"), identity=Identity.KEEP, files=("seg.dcm", "sr.dcm"))
    assert words.written_text(written) == "Written: seg.dcm, sr.dcm. Folder: out"
    assert not Written(folder=Path("out"), identity=Identity.KEEP, files=("findings.csv",)).has_dicom


@pytest.mark.parametrize("stage", ["start", "read", "forecast", "export", "database", "queue", "send", "done"])
def test_every_stage_has_words(stage: str) -> None:
    assert words.stage_text(stage, shouted) not in ("", stage)
    assert words.progress_text("new stage", 20.0) == "new stage – about 20 s left"


def test_what_is_removed_is_asked_with_its_number() -> None:
    assert words.remove_question(2).startswith("Remove 2 from the outbox?")
