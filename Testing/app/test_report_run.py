"""From a saved result to objects in a folder: choose, decide, see what would be written, write. Children are real."""

from __future__ import annotations

import csv
import dataclasses
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.app.report_run import ReportRun
from slicermedai.app.report_state import OWN, Written
from slicermedai.app.report_words import earlier_rows, warnings_text
from slicermedai.app.result_choice import PERSON, RESULTS
from slicermedai.app.state import Phase
from slicermedai.console.verbs import submit_job
from slicermedai.domain.decisions import WHOLE
from slicermedai.domain.finding import ConfidenceState, PackedMask
from slicermedai.domain.result import AnalysisResult, Decision, Review, Status
from slicermedai.domain.reviewed import newest, save_reviewed
from slicermedai.export.profiles import PROFILES
from Testing.app.runs import a_run, changed, pseudonymous, two_findings, until, until_idle
from Testing.export.cases import Case, a_case


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and an application's data of the test's own."""
    (tmp_path / "user" / "Documents").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "data"))
    return tmp_path


class Desk:
    """A presenter with the real parts, and the settings of one person."""

    def __init__(self) -> None:
        self.settings = dict[str, str]()
        self.report = ReportRun(
            submit=submit_job,
            add_to_database=self._refuse,
            recall=lambda name: self.settings.get(name, ""),
            remember=self.settings.__setitem__,
        )

    def _refuse(self, written: Written) -> object:
        raise AssertionError("nothing is added here")

    def open(self, folder: Path) -> ReportRun:
        self.report.choose_folder(str(folder))
        until_idle(self.report)
        return self.report


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return a_run(tmp_path / "run")


def decide(report: ReportRun, number: int, decision: Decision, reason: str = "") -> None:
    assert report.state.shown is not None
    report.choose_person("Jane van Roe")
    report.decide(report.state.shown.findings[number].uid, decision, reason)
    until_idle(report)


def edited(folder: Path) -> Path:
    """Somebody drew the first finding anew, as a block of a few voxels; returns the new result."""
    first = AnalysisResult.load(newest(folder)).findings[0]
    array = np.zeros_like(first.region.to_array())  # type: ignore[union-attr]  # it is a mask
    array[1:3, 1:4, 1:3] = True
    region = PackedMask.from_array(array, first.region.geometry)  # type: ignore[union-attr]  # as above
    made = Review(tracking_uid=first.tracking_uid, person="Ann Other", decision=Decision.EDITED, region=region)
    return save_reviewed(newest(folder), [made])


# --- looking ---------------------------------------------------------------------------------------------------------


def test_a_result_is_shown_with_its_warnings_and_how_far_to_trust_it(desk: Desk, run: Path) -> None:
    shown = desk.open(run).state.shown
    assert shown is not None, desk.report.state.message
    assert (shown.status, shown.warnings) == (Status.COMPLETE, ("the field of view is small",))
    assert [(one.name, str(one.confidence), one.probability) for one in shown.findings] == [
        ("Brain", "not calibrated", None),
        ("Lesion", "calibrated", 0.83),
    ]
    assert shown.findings[0].measurements[0][0] == "Volume"
    assert shown.verifiers == ()


def test_of_an_edited_finding_the_numbers_that_are_written_are_shown(desk: Desk, run: Path, tmp_path: Path) -> None:
    edited(run)
    report = desk.open(run)
    assert report.state.shown is not None, report.state.message
    first = report.state.shown.findings[0]
    assert (first.decision, first.confidence) == (Decision.EDITED, ConfidenceState.NOT_ASSESSED_EDITED)
    report.choose_formats(frozenset({"csv"}))
    report.choose_output(str(tmp_path / "out"))
    report.write()
    until_idle(report)
    with (tmp_path / "out" / "findings.csv").open(encoding="utf-8", newline="") as stream:
        lines = [one for one in csv.DictReader(stream) if one["tracking_uid"] == first.uid]
    wanted = [(one["measurement"], one["missing"] or f"{float(one['value']):.1f}") for one in lines]
    assert [(title, text.removesuffix(" ml")) for title, text in first.measurements] == wanted
    assert "edited the voxels" in dict(first.measurements)["Long axis"]


def test_a_rejected_finding_stays_listed_so_that_it_can_be_taken_back(desk: Desk, run: Path) -> None:
    report = desk.open(run)
    before = report.state.shown.findings[1].measurements if report.state.shown else ()
    decide(report, 1, Decision.REJECTED, "an artefact")
    assert report.state.shown is not None
    again = report.state.shown.findings[1]
    assert (again.decision, again.measurements) == (Decision.REJECTED, before)


def test_at_first_sight_the_archive_is_chosen_and_its_files_are_named(desk: Desk, run: Path) -> None:
    report = desk.open(run)
    assert report.profile == "archive"
    assert {one.name: one.files for one in report.plan} == {"seg": ("seg.dcm",), "sr": ("sr.dcm",), "pmap": ()}
    assert report.to_write == ("seg", "sr")
    assert report.can_write


def test_without_a_patient_the_formats_that_need_none_are_chosen(desk: Desk, tmp_path: Path) -> None:
    case = a_case()
    report = desk.open(a_run(tmp_path / "run", Case(result=case.result, headers=(), masks=case.masks)))
    assert report.to_write == ("nifti", "csv")
    report.choose_profile("archive")
    assert not report.can_write
    refused = next(one for one in report.plan if one.name == "seg")
    assert "PatientID" in refused.attribute
    assert refused.advice.startswith("Run on a DICOM series")


def test_what_a_format_cites_is_in_the_plan_too(desk: Desk, run: Path) -> None:
    report = desk.open(run)
    report.choose_formats(frozenset({"fhir"}))
    assert report.to_write == ("seg", "sr", "fhir")
    assert report.profile == OWN


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_known_by_its_formats(desk: Desk, run: Path, profile: str) -> None:
    report = desk.open(run)
    report.choose_profile(profile)
    assert report.profile == profile
    assert {one.name for one in report.plan} == set(PROFILES[profile])


def test_what_the_source_does_not_say_is_named(desk: Desk, tmp_path: Path) -> None:
    case = a_case()
    for header in case.headers:
        header.AccessionNumber = ""
    shown = desk.open(a_run(tmp_path / "run", case)).state.shown
    assert shown is not None
    assert "AccessionNumber" in shown.unsaid


def test_a_folder_without_a_result_is_told_and_nothing_is_shown(desk: Desk, tmp_path: Path) -> None:
    report = desk.open(tmp_path)
    assert report.state.phase is Phase.FAILED
    assert "result.json" in report.state.message
    assert not report.can_write


def test_the_last_results_are_offered_and_those_in_the_scene_come_first(desk: Desk, run: Path, tmp_path: Path) -> None:
    documents = tmp_path / "user" / "Documents"
    a_run(documents / "MedAI-one", job_id="aaaaaaaaaaaa")
    a_run(documents / "MedAI-two", job_id="bbbbbbbbbbbb")
    desk.open(run)
    assert desk.settings[RESULTS] == str(run)
    desk.report.refresh({"aaaaaaaaaaaa"})
    assert [(one.folder.name, one.is_in_scene) for one in desk.report.results] == [
        ("MedAI-one", True),
        ("MedAI-two", False),
        ("run", False),
    ]


# --- deciding --------------------------------------------------------------------------------------------------------


def test_a_decision_needs_a_name_which_is_kept(desk: Desk, run: Path) -> None:
    report = desk.open(run)
    assert not report.can_decide
    report.decide(WHOLE, Decision.ACCEPTED)
    assert report.state.pending == ()
    assert "name" in report.state.message
    decide(report, 0, Decision.ACCEPTED)
    assert desk.settings[PERSON] == "Jane van Roe"
    later = Desk()
    later.settings = desk.settings
    later.report.refresh()
    assert later.report.state.asked.person == "Jane van Roe"


def test_every_finding_decided_makes_it_verified_and_undo_takes_that_back(desk: Desk, run: Path) -> None:
    report = desk.open(run)
    decide(report, 0, Decision.ACCEPTED)
    assert report.state.shown is not None
    assert report.state.shown.verifiers == ()
    decide(report, 1, Decision.REJECTED, "an artefact")
    assert report.state.shown.verifiers == ("Jane van Roe",)
    assert (report.state.shown.findings[1].decision, report.state.shown.findings[1].reason) == (
        Decision.REJECTED,
        "an artefact",
    )
    report.undo()
    until_idle(report)
    assert report.state.shown.verifiers == ()
    assert report.state.shown.findings[1].decision is None
    assert [path.name for path in run.iterdir()] == ["result"], "nothing was written yet"


def test_accepting_what_was_edited_and_then_rejected_says_that_the_models_own_voxels_return(
    desk: Desk, run: Path
) -> None:
    edited(run)
    report = desk.open(run)
    assert report.state.shown is not None, report.state.message
    assert "Brain" not in warnings_text(report.state.shown)
    decide(report, 0, Decision.ACCEPTED)
    assert "Brain" not in warnings_text(report.state.shown), "who accepts an edit has it"
    decide(report, 0, Decision.REJECTED, "an artefact")
    assert "who accepts it now accepts the model's own voxels" in warnings_text(report.state.shown)
    decide(report, 0, Decision.ACCEPTED)
    assert "Brain is accepted with the model's own voxels" in warnings_text(report.state.shown)
    first = report.state.shown.findings[0]
    assert (first.decision, first.confidence) == (Decision.ACCEPTED, ConfidenceState.NOT_CALIBRATED)


def test_decisions_that_are_in_no_file_are_not_thrown_away_by_another_result(
    desk: Desk, run: Path, tmp_path: Path
) -> None:
    report = desk.open(run)
    decide(report, 0, Decision.ACCEPTED)
    report.choose_folder(str(a_run(tmp_path / "other")))
    assert report.state.asked.folder == str(run)
    assert "saved nowhere" in report.state.message
    report.undo()
    until_idle(report)
    desk.open(tmp_path / "other")
    assert report.state.asked.folder == str(tmp_path / "other")


def test_decisions_made_while_it_looks_are_all_there_at_the_end(desk: Desk, run: Path) -> None:
    report = desk.open(run)
    report.choose_person("Jane van Roe")
    assert report.state.shown is not None
    for one in report.state.shown.findings:
        report.decide(one.uid, Decision.ACCEPTED)
    until_idle(report)
    assert report.state.shown.verifiers == ("Jane van Roe",)


# --- writing ---------------------------------------------------------------------------------------------------------


def test_what_was_promised_is_written_and_nothing_else(desk: Desk, run: Path, tmp_path: Path) -> None:
    report = desk.open(run)
    report.choose_output(str(tmp_path / "out"))
    promised = {file for one in report.plan for file in one.files}
    report.write()
    until_idle(report)
    assert report.state.phase is Phase.DONE, report.state.message
    assert {path.name for path in (tmp_path / "out").iterdir()} == promised
    assert report.state.written is not None
    assert set(report.state.written.files) == promised
    assert report.state.written.patient_id == str(dcmread(tmp_path / "out" / "sr.dcm").PatientID)
    assert str(dcmread(tmp_path / "out" / "sr.dcm").VerificationFlag) == "UNVERIFIED"


@pytest.mark.parametrize("name", ["capture", "fhir", "csv"])
def test_a_format_chosen_alone_is_written_with_what_it_cites(desk: Desk, run: Path, tmp_path: Path, name: str) -> None:
    report = desk.open(run)
    report.choose_formats(frozenset({name}))
    report.choose_output(str(tmp_path / "out"))
    report.write()
    until_idle(report)
    assert report.state.phase is Phase.DONE, report.state.message
    promised = {file for one in report.plan for file in one.files}
    assert {path.name for path in (tmp_path / "out").iterdir()} == promised


def test_decisions_become_a_new_result_and_are_in_the_objects(desk: Desk, run: Path, tmp_path: Path) -> None:
    report = desk.open(run)
    report.choose_output(str(tmp_path / "out"))
    decide(report, 0, Decision.ACCEPTED)
    decide(report, 1, Decision.REJECTED, "an artefact")
    report.write()
    until_idle(report)
    assert report.state.phase is Phase.DONE, report.state.message
    assert report.state.pending == ()
    written = dcmread(tmp_path / "out" / "sr.dcm")
    assert written.VerificationFlag == "VERIFIED"
    assert str(written.VerifyingObserverSequence[0].VerifyingObserverName) == "Roe^Jane van"
    assert len(dcmread(tmp_path / "out" / "seg.dcm").SegmentSequence) == 1
    assert [one.decision for one in AnalysisResult.load(run / "reviewed-1").reviews] == [
        Decision.ACCEPTED,
        Decision.REJECTED,
    ]
    assert AnalysisResult.load(run / "result").reviews == ()
    again = Desk().open(run).state.shown
    assert again is not None
    assert (again.folder.name, again.verifiers) == ("reviewed-1", ("Jane van Roe",))


@pytest.mark.parametrize("named", ["", "result"])
def test_decisions_of_others_since_it_was_opened_are_not_lost_and_ones_own_stay(
    desk: Desk, run: Path, tmp_path: Path, named: str
) -> None:
    report = desk.open(run / named)
    report.choose_output(str(tmp_path / "out"))
    decide(report, 0, Decision.ACCEPTED)
    uid = AnalysisResult.load(run / "result").findings[1].tracking_uid
    others = save_reviewed(
        run, [Review(tracking_uid=uid, person="Ann Other", decision=Decision.REJECTED, reason="an artefact")]
    )
    for _ in range(2):
        report.write()
        until_idle(report)
        assert report.state.phase is Phase.FAILED
        assert "reviewed-1" in report.state.message
        assert "Open the result again" in report.state.message
        assert len(report.state.pending) == 1, "what was decided is still there"
        assert newest(run) == others
    report.choose_folder(str(run / named))
    until_idle(report)
    assert report.state.shown is not None
    assert [one.decision for one in report.state.shown.findings] == [Decision.ACCEPTED, Decision.REJECTED]
    assert len(report.state.pending) == 1
    report.write()
    until_idle(report)
    assert report.state.phase is Phase.DONE, report.state.message
    kept = AnalysisResult.load(run / "reviewed-2").reviews
    assert [(one.person, one.decision) for one in kept] == [
        ("Ann Other", Decision.REJECTED),
        ("Jane van Roe", Decision.ACCEPTED),
    ]


def test_what_was_written_before_a_decision_is_not_offered_any_more(desk: Desk, run: Path, tmp_path: Path) -> None:
    report = desk.open(run)
    report.choose_output(str(tmp_path / "out"))
    report.write()
    until_idle(report)
    assert report.can_add
    decide(report, 0, Decision.REJECTED)
    assert report.state.written is None
    assert not report.can_add


def test_a_look_that_is_stopped_stays_stopped(desk: Desk, run: Path) -> None:
    report = desk.open(run)
    report.choose_person("Jane van Roe")
    report.decide(WHOLE, Decision.ACCEPTED)
    report.decide(WHOLE, Decision.REJECTED)
    report.cancel()
    until_idle(report, seconds=2.0)
    assert report.state.phase is Phase.CANCELLED
    assert len(report.state.pending) == 2, "what was decided is still there"


def test_where_writing_fails_the_decisions_are_kept_and_it_says_so(desk: Desk, run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    report = desk.open(run)
    report.choose_output(str(tmp_path / "out"))
    decide(report, 0, Decision.ACCEPTED)
    report.write()
    until_idle(report)
    assert report.state.phase is Phase.FAILED
    assert "not overwritten" in report.state.message
    assert "reviewed-1" in report.state.message
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_stopping_leaves_nothing_and_takes_less_than_two_seconds(desk: Desk, run: Path, tmp_path: Path) -> None:
    report = desk.open(run)
    report.choose_output(str(tmp_path / "out"))
    report.write()
    report.cancel()
    until_idle(report, seconds=2.0)
    assert report.state.phase is Phase.CANCELLED
    assert not (tmp_path / "out").exists()


def test_a_child_that_dies_while_looking_is_told(desk: Desk, run: Path) -> None:
    report = desk.report
    report.choose_folder(str(run))
    os.kill(report._working._process.pid, signal.SIGKILL)
    until_idle(report)
    assert report.state.phase is Phase.FAILED
    assert report.state.shown is None


def test_what_the_log_says_of_a_review_is_a_count_and_a_hash(desk: Desk, run: Path, tmp_path: Path) -> None:
    report = desk.open(run)
    decide(report, 0, Decision.ACCEPTED, "clear as day")
    report.write()
    until_idle(report)
    log = b"".join(path.read_bytes() for path in (tmp_path / "data" / "audit").rglob("*") if path.is_file())
    assert b"result reviewed" in log
    assert b"Roe" not in log
    assert b"clear as day" not in log


def test_a_pseudonymous_result_stays_one(desk: Desk, tmp_path: Path) -> None:
    report = desk.open(a_run(tmp_path / "run", pseudonymous(two_findings())))
    report.choose_output(str(tmp_path / "out"))
    decide(report, 0, Decision.ACCEPTED)
    decide(report, 1, Decision.ACCEPTED)
    report.write()
    until_idle(report)
    assert report.state.written is not None, report.state.message
    assert str(report.state.written.identity) == "deidentify"
    raw = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert b"Roe" not in raw


def test_polling_takes_no_time_while_the_child_works(desk: Desk, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    longest = 0.0

    def timed(poll: Callable[[], None]) -> Callable[[], None]:
        def call() -> None:
            nonlocal longest
            begun = time.perf_counter()
            poll()
            longest = max(longest, time.perf_counter() - begun)

        return call

    monkeypatch.setattr(desk.report, "poll", timed(desk.report.poll))
    assert until(lambda: desk.open(run).state.shown is not None, desk.report)
    assert longest < 0.1


# --- an earlier study of the patient ---------------------------------------------------------------------------------


def of_study(date: str, **fields: str) -> Case:
    """A result of the patient; each ``date`` is a study of its own, whose findings have UIDs of their own."""
    case = two_findings()
    patient = {"patient_id": "P-1", "patient_name": "Doe^Jane", "birth_date": "19500102", "date": date}
    uid = case.result.study.study_uid if date == "20260301" else f"2.25.{date}"
    study = dataclasses.replace(case.result.study, **{**patient, "study_uid": uid, **fields})
    findings = [
        dataclasses.replace(one, tracking_uid=f"2.25.{date}.{number}")
        for number, one in enumerate(case.result.findings, 1)
    ]
    return changed(case, study=study, findings=tuple(findings))


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """Results in the person's documents: an earlier one of the patient, and some that are none."""
    documents = tmp_path / "user" / "Documents"
    others = {
        "later": of_study("20260401"),
        "another": of_study("20250101", birth_date="19660102"),
        "pseudonymous": pseudonymous(of_study("20240101")),
    }
    for name, case in others.items():
        a_run(documents / f"MedAI-{name}", case)
    (documents / "MedAI-broken" / "result").mkdir(parents=True)
    (documents / "MedAI-broken" / "result" / "result.json").write_text("{", encoding="utf-8")
    return a_run(documents / "MedAI-earlier", of_study("20250301"))


def test_an_earlier_result_of_the_patient_is_offered_and_no_other(desk: Desk, earlier: Path, tmp_path: Path) -> None:
    desk.report.refresh()
    report = desk.open(a_run(tmp_path / "run", of_study("20260301")))
    assert report.state.shown is not None, report.state.message
    assert [(one.folder, one.date, one.model) for one in report.state.shown.earlier] == [
        (earlier, "20250301", "brain@1.2.0")
    ]
    rows = earlier_rows(report.state.shown)
    assert [text for _, text in rows] == [
        "None: findings are tracked by themselves",
        "Study of 2025-03-01, brain@1.2.0 (MedAI-earlier)",
    ]
    assert report.state.asked.earlier == "", "whether it is followed a person decides"
    report.choose_earlier(str(tmp_path / "elsewhere"))
    assert report.state.asked.earlier == ""


def test_findings_follow_the_earlier_result_that_was_chosen_and_how_many_is_told(
    desk: Desk, earlier: Path, tmp_path: Path
) -> None:
    desk.report.refresh()
    report = desk.open(a_run(tmp_path / "run", of_study("20260301")))
    report.choose_output(str(tmp_path / "out"))
    report.choose_earlier(str(earlier))
    report.write()
    until_idle(report)
    assert report.state.phase is Phase.DONE, report.state.message
    segments = dcmread(tmp_path / "out" / "seg.dcm").SegmentSequence
    assert [one.TrackingUID for one in segments] == ["2.25.20250301.1", "2.25.20250301.2"]
    assert "2 of 2 findings are known from the earlier result; tracking.csv says which" in report.state.message
    desk.open(earlier)
    assert report.state.asked.earlier == "", "another result, another choice"


def test_a_table_of_a_person_says_which_finding_is_which_of_the_earlier_result(
    desk: Desk, earlier: Path, tmp_path: Path
) -> None:
    desk.report.refresh()
    report = desk.open(a_run(tmp_path / "run", of_study("20260301")))
    table = tmp_path / "mine.csv"
    table.write_text("finding,earlier\n2.25.20260301.1,\n", encoding="utf-8")
    report.choose_matches(str(table))
    assert report.state.asked.matches == "", "there is no earlier result that it could be about"
    report.choose_earlier(str(earlier))
    report.choose_matches(str(table))
    report.choose_output(str(tmp_path / "out"))
    report.write()
    until_idle(report)
    assert report.state.phase is Phase.DONE, report.state.message
    segments = dcmread(tmp_path / "out" / "seg.dcm").SegmentSequence
    assert [one.TrackingUID for one in segments] == ["2.25.20260301.1", "2.25.20250301.2"]
    assert "1 of 2 findings are known from the earlier result" in report.state.message
    report.choose_earlier("")
    assert report.state.asked.matches == "", "a table is about the result that was chosen"


def test_a_table_that_names_what_is_not_there_stops_the_writing_and_says_so(
    desk: Desk, earlier: Path, tmp_path: Path
) -> None:
    desk.report.refresh()
    report = desk.open(a_run(tmp_path / "run", of_study("20260301")))
    table = tmp_path / "mine.csv"
    table.write_text("finding,earlier\nSpleen,\n", encoding="utf-8")
    report.choose_earlier(str(earlier))
    report.choose_matches(str(table))
    report.choose_output(str(tmp_path / "out"))
    report.write()
    until_idle(report)
    assert report.state.phase is Phase.FAILED
    assert "the table names a finding that is not there" in report.state.message
    assert not (tmp_path / "out").exists()
