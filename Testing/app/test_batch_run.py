"""From studies to table and sheet: choose, edit rules, preview, run, pause, crash, go on, retry. Children are real."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicermedai.app import batch_words as words
from slicermedai.app.batch_ask import left
from slicermedai.app.batch_rules import pattern_of, plain_of
from slicermedai.app.batch_run import BatchRun
from slicermedai.app.state import Phase
from slicermedai.batch.cohort import Cohort
from slicermedai.batch.rules import Rule, load_rules
from slicermedai.console import cohorts
from slicermedai.console.verbs import list_models
from Testing.app.runs import until, until_idle
from Testing.batch.studies import RULES, Day, write_day, write_study
from Testing.inference.tiny_bundle import write_tiny_bundle

LONG = 120.0


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose answer is known, at once."""
    return write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny@0.1")


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """Four studies: one is tilted, of one patient one opted out."""
    return write_day(tmp_path_factory.mktemp("day"), studies=4, odd=("tilted", "opted out"))


@pytest.fixture(scope="session")
def one_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One study, of which one series is wanted."""
    folder = tmp_path_factory.mktemp("one")
    write_study(folder, patient="ZZ-1", study="one")
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, temp files and an application's data of the test's own."""
    for name in ("user/Documents", "temp"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    return tmp_path


def a_presenter() -> BatchRun:
    made = BatchRun(bundles=list_models, files_of=lambda uid: [], add_to_database=lambda cases: pytest.fail("not here"))
    made.refresh()
    return made


@pytest.fixture
def batch(model: Path, day: Day, elsewhere: Path) -> Iterator[BatchRun]:
    """A presenter with the rules of the day and all that is needed."""
    made = a_presenter()
    (elsewhere / "rules.toml").write_text(RULES)
    made.open_rules(elsewhere / "rules.toml")
    made.choose_folder(str(day.folder))
    made.choose_model(str(model))
    made.choose(exclude=str(day.exclude))
    made.choose_output(str(elsewhere / "cohort"))
    yield made
    made.cancel()
    until_idle(made)


@pytest.fixture
def single(batch: BatchRun, one_study: Path) -> BatchRun:
    """With one case that is run."""
    batch.choose_folder(str(one_study))
    return batch


def states(batch: BatchRun) -> list[str]:
    return [one.state for one in batch.state.cases]


def test_a_preview_says_of_each_series_what_it_is_taken_for_or_why_not(batch: BatchRun, day: Day) -> None:
    batch.preview()
    until_idle(batch)
    assert batch.state.is_previewed, batch.state.message
    assert {one.state for one in batch.state.studies} == {"waiting", "refused", "excluded"}
    study = next(one for one in batch.state.studies if one.state == "waiting")
    told = {row[0]: row[1:3] for row in words.series_rows(study)}
    assert told["1. scout"][0] == "no"
    assert "localizer" in told["1. scout"][1]
    assert "is derived" in told["4. T1 MPR"][1]
    thick, wanted = (one for one in study.series if one.words == "T1")
    assert "thickness 20 is not within 8 to 12" in thick.reason
    assert (wanted.taken_as, wanted.reason) == ("image", "thin T1")
    refused = next(one for one in batch.state.studies if one.state == "refused")
    assert refused.reason == "series 3 (T1): the gantry was tilted by 12.0 degrees"
    assert not (Path(batch.state.asked.output)).exists()
    batch.change_rule(modality="CT")
    assert not batch.state.is_previewed, "it was one of other rules"


def test_bad_input_is_named_before_anything_is_run(batch: BatchRun, elsewhere: Path) -> None:
    bad = write_day(elsewhere / "bad", studies=4, odd=("mixed frames", "copied"))
    for name in ("first", "second"):
        write_study(bad.folder / name, patient="ZZ-twice", study=name)
    batch.choose_folder(str(bad.folder))
    batch.preview()
    until_idle(batch)
    said = [row[4] for row in words.study_rows(batch.state.studies)]
    assert sum("mixed frames of reference" in one for one in said) == 1
    assert sum("12 files are copies of others and were left out" in one for one in said) == 1
    assert sum("one of 2 studies of one patient" in one for one in said) == 2
    batch.change_rules(same_patient="refuse")
    batch.preview()
    until_idle(batch)
    twice = [one for one in batch.state.studies if one.patient == "ZZ-twice"]
    assert [(one.state, one.reason) for one in twice] == [("refused", "one of 2 studies of one patient")] * 2


def test_the_time_that_is_left_is_reckoned_from_what_was_done() -> None:
    assert left(30.0, 0.25) == 90.0
    assert left(30.0, 0.0) is None


@pytest.mark.parametrize(
    ("typed", "pattern"),
    [
        ("CT, MR", "CT|MR"),
        ("B3*, STANDARD", "B3.*|STANDARD"),
        ("Br(36)", r"Br\(36\)"),
        ("/B[23][0-9].*/", "B[23][0-9].*"),
        ("", ""),
    ],
)
def test_plain_words_become_a_pattern_and_come_back(typed: str, pattern: str) -> None:
    assert pattern_of(typed) == pattern
    assert plain_of(pattern) == typed


@given(st.text(max_size=20))
def test_any_pattern_of_a_file_can_be_shown_and_is_still_the_same(pattern: str) -> None:
    for contains in (False, True):
        assert pattern_of(plain_of(pattern, contains=contains), contains=contains) == pattern


def test_a_run_ends_with_every_case_accounted_for(batch: BatchRun, day: Day) -> None:
    batch.choose(processes=2)
    batch.start()
    assert until(lambda: "running" in states(batch), batch, seconds=LONG)
    until_idle(batch, seconds=LONG)
    assert batch.state.phase is Phase.DONE, batch.state.message
    assert batch.state.counts == {"done": 2, "refused": 1, "excluded": 1}
    assert "2 done, 1 refused, 1 excluded" in batch.state.message.replace(
        "1 excluded, 1 refused", "1 refused, 1 excluded"
    )
    folder = Path(batch.state.asked.output)
    assert {one.study_uid for one in Cohort(folder).cases()} == day.studies
    assert (folder / "sheet.html").is_file()
    opened = list[str]()
    batch.ready.connect(opened.append)
    batch.show_output("sheet")
    until_idle(batch)
    assert opened == [str(folder / "sheet.html")]


def test_it_is_paused_within_two_seconds_and_goes_on_without_reading_again(single: BatchRun) -> None:
    single.start()
    assert until(lambda: "running" in states(single), single, seconds=LONG)
    began = time.monotonic()
    single.cancel()
    until_idle(single)
    assert time.monotonic() - began < 2.0
    assert single.state.phase is Phase.CANCELLED
    assert single.state.message.startswith("Paused: ")
    assert "running" not in states(single)
    assert Cohort(single.state.asked.output).counts() == single.state.counts
    single.folder = "gone"
    single.start()
    assert until(lambda: "running" in states(single), single, seconds=LONG), single.state.message


def test_a_child_that_is_killed_loses_nothing_and_another_window_goes_on(single: BatchRun) -> None:
    single.start()
    assert until(lambda: "running" in states(single), single, seconds=LONG)
    os.kill(single._working._process.pid, signal.SIGKILL)
    until_idle(single)
    assert single.state.phase is Phase.FAILED
    assert "What was done is kept: Run goes on." in single.state.message
    assert "running" not in states(single)
    later = a_presenter()
    later.choose_output(single.state.asked.output)
    until_idle(later)
    assert later.state.cohort is not None
    assert later.state.asked.exclude == single.state.asked.exclude
    assert later.state.rules == single.state.rules
    assert sum(later.state.counts.values()) == 1
    assert "Run goes on" in later.state.message
    later.start()
    until_idle(later, seconds=LONG)
    assert later.state.counts == {"done": 1}


def test_the_cohort_that_is_chosen_while_another_is_looked_at_is_the_one_that_is_shown(
    batch: BatchRun, model: Path, one_study: Path, elsewhere: Path
) -> None:
    one = cohorts.make(elsewhere / "one", batch.folder, elsewhere / "rules.toml", bundle=str(model), tilt="resample")
    two = cohorts.make(elsewhere / "two", one_study, elsewhere / "rules.toml", bundle=str(model))
    batch.choose_output(str(one.folder))
    assert batch.busy
    batch.choose_output(str(two.folder))
    until_idle(batch)
    assert batch.state.cohort is not None
    assert batch.state.cohort.folder == str(two.folder) == batch.state.asked.output
    assert (batch.state.counts, batch.state.asked.tilt) == ({"waiting": 1}, "refuse")
    batch.choose_output(str(one.folder))
    batch.choose_output("")
    until_idle(batch)
    assert (batch.state.cohort, batch.state.cases, batch.state.asked.output) == (None, (), "")
    assert batch.editable


def test_a_cohort_without_a_list_of_people_takes_one_when_it_goes_on(
    batch: BatchRun, model: Path, one_study: Path, elsewhere: Path
) -> None:
    made = cohorts.make(elsewhere / "kept", one_study, elsewhere / "rules.toml", bundle=str(model))
    batch.choose_folder("")
    batch.choose_output(str(made.folder))
    until_idle(batch)
    assert batch.can_list_people
    (elsewhere / "people.txt").write_text("ZZ-1\n")
    batch.choose(exclude=str(elsewhere / "people.txt"))
    batch.start()
    until_idle(batch, seconds=LONG)
    assert batch.state.counts == {"excluded": 1}, batch.state.message
    assert Cohort(made.folder).settings.exclude == str(elsewhere / "people.txt")
    assert not batch.can_list_people


def test_a_list_of_people_that_was_chosen_first_is_the_list_of_a_cohort_that_has_none(
    batch: BatchRun, model: Path, one_study: Path, elsewhere: Path
) -> None:
    made = cohorts.make(elsewhere / "kept", one_study, elsewhere / "rules.toml", bundle=str(model))
    people = str(elsewhere / "people.txt")
    Path(people).write_text("ZZ-1\n")
    batch.choose_folder("")
    batch.choose(exclude=people)
    batch.choose_output(str(made.folder))
    until_idle(batch)
    assert (batch.state.asked.exclude, batch.can_list_people) == (people, True)
    batch.refresh()
    until_idle(batch)
    batch.start()
    until_idle(batch, seconds=LONG)
    assert batch.state.counts == {"excluded": 1}, batch.state.message
    assert Cohort(made.folder).settings.exclude == people


@pytest.mark.parametrize("own", ["", "own.txt"])
def test_a_cohorts_list_of_people_goes_to_no_other_and_a_persons_own_comes_back(
    batch: BatchRun, model: Path, one_study: Path, elsewhere: Path, own: str
) -> None:
    for name in ("own.txt", "theirs.txt"):
        (elsewhere / name).write_text("ZZ-1\n")
    own, theirs = str(elsewhere / own) if own else "", str(elsewhere / "theirs.txt")
    one = cohorts.make(elsewhere / "one", one_study, elsewhere / "rules.toml", bundle=str(model), exclude=theirs)
    two = cohorts.make(elsewhere / "two", one_study, elsewhere / "rules.toml", bundle=str(model))
    batch.choose(exclude=own)
    for folder, counted in ((one.folder, theirs), (two.folder, own), (one.folder, theirs), ("", own)):
        batch.choose_output(str(folder))
        until_idle(batch)
        assert (batch.state.asked.exclude, batch.plan().settings["exclude"]) == (counted, counted)
        is_told = "another list of people" in batch.state.message
        assert is_told == bool(own and folder == one.folder), batch.state.message


def test_what_failed_waits_again_and_is_run(batch: BatchRun, model: Path, elsewhere: Path) -> None:
    from slicermedai.batch.cohort import Standing, State

    made = cohorts.make(elsewhere / "cohort", batch.folder, elsewhere / "rules.toml", bundle=str(model))
    name = next(one for one in made.names() if made.written(one).state is State.WAITING)
    made.write(name, Standing(state=State.FAILED, reason="the network is broken", error="BundleError"))
    batch.choose_output("")
    batch.choose_output(str(made.folder))
    until_idle(batch)
    failed = next(one for one in batch.state.cases if one.state == "failed")
    assert failed.reason == "BundleError: the network is broken"
    batch.retry()
    until_idle(batch)
    assert "1 cases wait again" in batch.state.message
    assert "failed" not in states(batch)
    batch.retry(["0009"])
    until_idle(batch)
    assert batch.state.phase is Phase.FAILED
    assert "no such case" in batch.state.message


def test_what_no_case_can_help_says_what_to_do(single: BatchRun, elsewhere: Path) -> None:
    single.start()
    assert until(lambda: "running" in states(single), single, seconds=LONG)
    (elsewhere / "cohort" / "results").rename(elsewhere / "elsewhere")
    until_idle(single, seconds=LONG)
    assert single.state.phase is Phase.FAILED
    assert "results are gone" in single.state.message
    assert "Put it back" in single.state.message


def test_a_cohort_in_the_folder_that_is_read_is_refused(batch: BatchRun, day: Day) -> None:
    batch.choose_output(str(day.folder / "cohort"))
    batch.start()
    until_idle(batch)
    assert "lies in the folder that is read" in batch.state.message
    assert not (day.folder / "cohort").exists()


# --- rules -----------------------------------------------------------------------------------------------------------


def test_rules_are_added_moved_removed_and_saved(elsewhere: Path) -> None:
    batch = a_presenter()
    batch.change_rule(name="thin", modality="CT", thickness_mm=(0.5, 2.5))
    batch.add_rule()
    batch.change_rule(thickness_mm=())
    assert [rule.name for rule in batch.state.rules.rules] == ["thin", "rule-1"]
    batch.move_rule(-1)
    assert (batch.state.rule, batch.rule.name) == (0, "rule-1")
    batch.move_rule(-1)
    batch.change_rules(same_patient="first")
    batch.save_rules(elsewhere / "saved.toml")
    assert load_rules(elsewhere / "saved.toml") == batch.state.rules
    batch.remove_rule()
    batch.remove_rule()
    assert [rule.name for rule in batch.state.rules.rules] == ["thin"]
    batch.open_rules(elsewhere / "saved.toml")
    assert len(batch.state.rules.rules) == 2


def test_a_rule_that_is_none_is_refused_by_name_and_shown_as_it_was() -> None:
    batch = a_presenter()
    told = list[Rule]()
    batch.changed.connect(lambda state: told.append(batch.rule))
    before = batch.rule
    batch.change_rule(kernel="B[2")
    assert "is no regular expression" in batch.state.message
    assert told[-1] == before
    batch.add_rule()
    batch.change_rule(name=before.name)
    assert "two rules have one name" in batch.state.message


def test_rules_that_nobody_touched_ask_for_the_models_modality(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_MODELS", str(model.parent))
    batch = a_presenter()
    assert (batch.rule.modality, batch.rule.origin) == ("MR", "original")
    batch.change_rule(modality="CT")
    batch.choose_model(batch.models[0].title)
    assert batch.rule.modality == "CT"


def test_it_says_what_is_missing(day: Day) -> None:
    batch = a_presenter()
    assert "Choose patients" in batch.state.message
    batch.choose_folder(str(day.folder))
    assert "Choose a model" in batch.state.message
    batch.change_rule(bundle="tiny")
    assert batch.state.message == "Ready."
    batch.choose(identity="deidentify")
    assert "Choose a project key" in batch.state.message
    assert not batch.can_run
