"""The module MedAI Batch, as a person uses it: choose, write rules, preview, run, pause, go on, look, pass on."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from slicermedai.app.batch_run import BatchRun
from slicermedai.app.batch_state import CaseShown, CohortShown
from slicermedai.app.state import Phase
from slicermedai.batch.cohort import Cohort, Standing, State
from slicermedai.batch.rules import load_rules
from slicermedai.console import cohorts
from slicermedai.errors import InputError, OutputError
from slicermedai.scene.filing import CaseObjects
from Testing.app.reviews import a_head, a_run
from Testing.batch.studies import RULES, uid_of, write_day, write_study
from Testing.fixtures.identity import Identity
from Testing.Harness import Harness
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.modules.opening import entered

pytestmark = pytest.mark.usefixtures("warm_networks")
MODULE = Path(__file__).resolve().parents[2] / "SlicerMedAI" / "MedAIBatch.py"
LONG = 120_000
PATIENT = "ZZ-5501923"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose answer is known, at once."""
    return write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny@0.1")


@pytest.fixture(scope="session")
def made_studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that is run, one that is tilted, and one of somebody who opted out; and the list of such people."""
    folder = tmp_path_factory.mktemp("day")
    write_day(folder, studies=2, odd=("tilted", "opted out"))
    write_study(folder / "in" / "wanted", patient=PATIENT, study="wanted")
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files, models and the log of the test's own, so that all that is written lies below ``tmp_path``."""
    (tmp_path / "temp").mkdir()
    (tmp_path / "rules.toml").write_text(RULES)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLICERMEDAI_MODELS", str(model.parent))
    return tmp_path


@pytest.fixture
def studies(made_studies: Path, elsewhere: Path) -> Path:
    """The folder with the studies."""
    return Path(shutil.copytree(made_studies / "in", elsewhere / "in"))


@pytest.fixture
def batch(harness: Harness, places: Path, elsewhere: Path) -> Iterator[Any]:
    """The module, loaded and entered."""
    with entered(harness, MODULE) as loaded:
        yield loaded


@pytest.fixture
def database(harness: Harness, batch: Any, studies: Path, elsewhere: Path) -> Any:
    """Slicer's database with the studies in it, shown by the module."""
    import slicer

    (elsewhere / "database").mkdir()
    slicer.dicomDatabase.openDatabase(str(elsewhere / "database" / "ctkDICOM.sql"))
    for path in sorted(studies.rglob("*.dcm")):
        slicer.dicomDatabase.insert(str(path))
    batch.widget.refresh()
    until_idle(harness, batch)
    return slicer.dicomDatabase


def presenter_of(batch: Any) -> BatchRun:
    return batch.widget.logic.presenter


def until_idle(harness: Harness, batch: Any) -> None:
    assert harness.wait_until(lambda: not presenter_of(batch).busy, LONG)
    assert harness.wait_until(lambda: not any(table.busy for table in batch.widget._panel.tables), LONG)


def open_rules(harness: Harness, batch: Any, path: Path) -> None:
    harness.dialogs.answer(str(path))
    harness.click(batch.widget.ui.openRulesButton)


def choose(harness: Harness, batch: Any, studies: Path, elsewhere: Path) -> None:
    """Studies of a folder, the rules of the day, the list of people, and where to."""
    ui = batch.widget.ui
    ui.folderSelector.setCurrentPath(str(studies))
    open_rules(harness, batch, elsewhere / "rules.toml")
    (elsewhere / "opted-out.txt").write_text("ZZ-optout\n")
    ui.excludeSelector.setCurrentPath(str(elsewhere / "opted-out.txt"))
    ui.outputSelector.setCurrentPath(str(elsewhere / "cohort"))


def texts(table: Any) -> list[tuple[str, ...]]:
    return [
        tuple(table.item(row, column).text() for column in range(table.columnCount)) for row in range(table.rowCount)
    ]


def of_state(batch: Any, state: str) -> tuple[str, ...]:
    return next(row for row in texts(batch.widget.ui.casesTable) if row[3] == state)


def tick_all(batch: Any) -> None:
    import qt

    tree = batch.widget.ui.databaseTree
    for row in range(tree.topLevelItemCount):
        tree.topLevelItem(row).setCheckState(0, qt.Qt.Checked)


def key(harness: Harness, batch: Any, name: str, *keys: Any, text: str = "") -> None:
    from PySide6.QtTest import QTest

    from Testing.Harness.pythonqt.objects import unwrap

    target = unwrap(getattr(batch.widget.ui, name))
    target.window().activateWindow()
    target.setFocus()
    harness.process(10)
    QTest.keyClicks(target, text)
    for one in keys:
        QTest.keyClick(target, one)
    until_idle(harness, batch)


# --- choosing --------------------------------------------------------------------------------------------------------


def test_it_opens_and_says_what_to_do(batch: Any) -> None:
    ui = batch.widget.ui
    assert not ui.runButton.enabled
    assert not ui.previewButton.enabled
    assert "Choose patients" in ui.messageLabel.text
    assert "not a medical device" in ui.noticeLabel.text.lower()
    assert ui.modelSelector.currentText == "tiny@0.1"
    assert texts(ui.rulesTable) == [("rule-1", "MR, original")]
    assert ui.passphraseEdit.echoMode == type(ui.passphraseEdit).Password


def test_ticked_series_are_read_and_let_go_of_the_folder(
    harness: Harness, batch: Any, database: Any, studies: Path
) -> None:
    ui = batch.widget.ui
    ui.folderSelector.setCurrentPath(str(studies))
    assert ui.sourceLabel.text == "in"
    tick_all(batch)
    assert ui.folderSelector.currentPath == ""
    assert ui.sourceLabel.text.endswith("series of the database")
    batch.exit()
    batch.enter()
    assert ui.sourceLabel.text.endswith("series of the database")
    harness.click(ui.previewButton)
    until_idle(harness, batch)
    assert ui.studiesTable.rowCount == 3
    ui.folderSelector.setCurrentPath(str(studies))
    assert not presenter_of(batch).series
    assert ui.studiesTable.rowCount == 0, "it was a preview of other studies"


def test_a_rule_is_written_in_plain_words_by_keyboard_and_kept_in_a_file(
    harness: Harness, batch: Any, elsewhere: Path
) -> None:
    from PySide6.QtCore import Qt

    ui = batch.widget.ui
    select_all = (Qt.Key.Key_Home,)
    ui.nameEdit.clear()
    key(harness, batch, "nameEdit", Qt.Key.Key_Tab, text="thin")
    ui.modalityEdit.clear()
    key(harness, batch, "modalityEdit", *select_all, text="CT, PT")
    key(harness, batch, "kernelEdit", text="B3*, STANDARD")
    key(harness, batch, "phaseEdit", text="portal, venous")
    key(harness, batch, "descriptionEdit", Qt.Key.Key_Return, text="liver (thin)")
    ui.thicknessToSpin.setValue(2.5)
    ui.slicesFromSpin.setValue(20)
    key(harness, batch, "originSelector", Qt.Key.Key_Home)
    key(harness, batch, "samePatientSelector", Qt.Key.Key_Down)
    harness.dialogs.answer(str(elsewhere / "mine.toml"))
    harness.click(ui.saveRulesButton)
    saved = load_rules(elsewhere / "mine.toml")
    (rule,) = saved.rules
    assert (rule.name, rule.modality, rule.kernel) == ("thin", "CT|PT", "B3.*|STANDARD")
    assert rule.description == r".*liver \(thin\).*"
    assert (rule.phase, rule.thickness_mm, rule.slices) == (("portal", "venous"), (0.0, 2.5), (20.0, float("inf")))
    assert (rule.origin, saved.same_patient) == ("", "first")
    said = texts(ui.rulesTable)[0][1]
    assert said.startswith(
        'CT / PT, "liver (thin)" in its description, kernel B3* / STANDARD, up to 2.5 mm, 20 or more'
    )
    harness.click(ui.addRuleButton)
    assert [row[0] for row in texts(ui.rulesTable)] == ["thin", "rule-1"]
    harness.click(ui.upRuleButton)
    assert [row[0] for row in texts(ui.rulesTable)] == ["rule-1", "thin"]
    ui.rulesTable.setCurrentCell(1, 0)
    assert ui.nameEdit.text == "thin"
    harness.click(ui.removeRuleButton)
    assert not ui.removeRuleButton.enabled
    harness.click(ui.undoRulesButton)
    assert [row[0] for row in texts(ui.rulesTable)] == ["rule-1", "thin"]
    assert (ui.nameEdit.text, ui.rulesTable.currentRow()) == ("thin", 1)
    harness.click(ui.removeRuleButton)
    ui.kernelEdit.setText("/B[2/")
    harness.click(ui.addRuleButton)
    assert presenter_of(batch).rule.kernel != "B[2"


# --- preview ---------------------------------------------------------------------------------------------------------


def test_a_preview_shows_the_wrong_series_refused_with_its_reason(
    harness: Harness, batch: Any, studies: Path, elsewhere: Path
) -> None:
    ui = batch.widget.ui
    choose(harness, batch, studies, elsewhere)
    harness.process(50)
    harness.reset_stall()
    harness.click(ui.previewButton)
    with harness.python_threads_frozen():
        until_idle(harness, batch)
    assert harness.max_stall_ms < 100
    assert ui.previewLabel.text.startswith("3 studies: 1 ")
    rows = {row[3]: row for row in texts(ui.studiesTable)}
    assert set(rows) == {"waiting", "refused", "excluded"}
    assert rows["waiting"][1] == PATIENT
    assert rows["refused"][4] == "series 3 (T1): the gantry was tilted by 12.0 degrees"
    assert "on the exclusion list" in rows["excluded"][4]
    ui.studiesTable.setCurrentCell(int(rows["waiting"][0]) - 1, 0)
    series = texts(ui.seriesTable)
    assert [row[1] for row in series] == ["no", "no", "yes", "no"]
    assert [row[2] for row in series] == [
        "localizer",
        "thin T1: thickness 20 is not within 8 to 12",
        "thin T1",
        "thin T1: is derived",
    ]
    assert not (elsewhere / "cohort").exists()


@pytest.mark.cold_children
def test_a_preview_is_stopped_within_two_seconds(harness: Harness, batch: Any, studies: Path, elsewhere: Path) -> None:
    choose(harness, batch, studies, elsewhere)
    harness.click(batch.widget.ui.previewButton)
    harness.click(batch.widget.ui.cancelButton)
    assert harness.wait_until(lambda: not presenter_of(batch).busy, 2000)
    assert presenter_of(batch).state.phase is Phase.CANCELLED
    assert batch.widget.ui.messageLabel.text == "Stopped."


# --- running ---------------------------------------------------------------------------------------------------------


@pytest.mark.cold_children
def test_a_cohort_of_the_database_is_paused_crashes_goes_on_and_ends_with_table_sheet_and_results_in_the_database(
    harness: Harness,
    batch: Any,
    database: Any,
    elsewhere: Path,
    keep_screenshot: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ui, presenter = batch.widget.ui, presenter_of(batch)
    opened = list[str]()
    monkeypatch.setattr(type(batch.widget), "open", lambda self, path: opened.append(str(path)))
    choose(harness, batch, elsewhere / "nothing", elsewhere)
    tick_all(batch)
    harness.click(ui.runButton)
    assert harness.wait_until(lambda: presenter.state.counts.get("running", 0) == 1, LONG), ui.messageLabel.text
    assert ui.cancelButton.text == "&Pause"
    harness.click(ui.cancelButton)
    assert harness.wait_until(lambda: not presenter.busy, 2000)
    assert ui.messageLabel.text.startswith("Paused: 1 ")
    assert not ui.modelSelector.enabled, "a cohort keeps its model"
    assert of_state(batch, "waiting")[1] == PATIENT

    harness.click(ui.runButton)
    assert harness.wait_until(lambda: presenter.state.counts.get("running", 0) == 1, LONG)
    os.kill(presenter._working._process.pid, signal.SIGKILL)
    until_idle(harness, batch)
    assert "Run goes on" in ui.messageLabel.text

    harness.process(50)
    harness.reset_stall()
    harness.click(ui.runButton)
    with harness.python_threads_frozen():
        until_idle(harness, batch)
    assert harness.max_stall_ms < 100
    assert presenter.state.phase is Phase.DONE, ui.messageLabel.text
    assert presenter.state.counts == {"done": 1, "refused": 1, "excluded": 1}
    assert Cohort(elsewhere / "cohort").counts() == presenter.state.counts
    assert of_state(batch, "refused")[5] == "series 3: the gantry was tilted by 12.0 degrees"
    study = uid_of(next((elsewhere / "in" / "wanted").rglob("*.dcm")), "StudyInstanceUID")
    before = len(database.seriesForStudy(study))
    harness.click(ui.databaseButton)
    until_idle(harness, batch)
    assert "1 results are in the DICOM database" in ui.messageLabel.text
    assert len(database.seriesForStudy(study)) == before + 2, "a segmentation and a report"
    assert PATIENT in {database.fieldForPatient("PatientID", uid) for uid in database.patients()}

    harness.click(ui.sheetButton)
    until_idle(harness, batch)
    harness.click(ui.tableButton)
    until_idle(harness, batch)
    harness.click(ui.folderButton)
    assert opened == [str(elsewhere / "cohort" / name) for name in ("sheet.html", "table.csv", "")]
    harness.click(ui.previewButton)
    until_idle(harness, batch)
    waiting = next(row for row, one in enumerate(texts(ui.studiesTable)) if one[1] == PATIENT)
    ui.studiesTable.setCurrentCell(waiting, 0)
    ui.databaseTree.expandItem(ui.databaseTree.topLevelItem(0))
    for selector, path in ((ui.outputSelector, "/data/cohort"), (ui.excludeSelector, "/data/opted-out.txt")):
        selector.blockSignals(True)
        selector.setCurrentPath(path)
    picture = harness.grab(batch.parent, elsewhere / "MedAIBatch.png", size=(520, 1750))
    keep_screenshot(picture, "MedAIBatch.png")


def test_a_cohort_that_was_left_is_taken_up_in_another_session(
    harness: Harness, batch: Any, studies: Path, elsewhere: Path, model: Path
) -> None:
    made = cohorts.make(elsewhere / "cohort", studies, elsewhere / "rules.toml", bundle=str(model), tilt="resample")
    name = next(one for one in made.names() if made.written(one).state is State.WAITING)
    made.write(name, Standing(state=State.FAILED, reason="the network is broken", error="BundleError"))
    ui = batch.widget.ui
    ui.outputSelector.setCurrentPath(str(made.folder))
    until_idle(harness, batch)
    assert "keeps its model" in ui.messageLabel.text
    assert ui.tiltCheckBox.checked
    assert not ui.tiltCheckBox.enabled
    assert ui.excludeSelector.enabled, "it has no list of people yet"
    assert texts(ui.rulesTable)[0][0] == "thin T1"
    assert of_state(batch, "failed")[5] == "BundleError: the network is broken"
    ui.stateSelector.setCurrentIndex(ui.stateSelector.findData("failed"))
    batch.widget.onCases()
    assert len(texts(ui.casesTable)) == 1
    harness.click(ui.retryButton)
    until_idle(harness, batch)
    assert "wait again" in ui.messageLabel.text
    assert not ui.retryButton.enabled
    ui.outputSelector.setCurrentPath("")
    assert ui.modelSelector.enabled
    assert texts(ui.casesTable) == []


@pytest.fixture
def finished(harness: Harness, batch: Any, studies: Path, elsewhere: Path, model: Path) -> Cohort:
    """A cohort with one result, shown by the module."""
    made = cohorts.make(elsewhere / "cohort", studies, elsewhere / "rules.toml", bundle=str(model))
    name = next(one for one in made.names() if made.written(one).state is State.WAITING)
    a_run(made.result(name), a_head())
    made.write(name, Standing(state=State.DONE, ended="2026-01-02T03:04:05+00:00"))
    batch.widget.ui.outputSelector.setCurrentPath(str(made.folder))
    until_idle(harness, batch)
    return made


def test_the_chosen_case_is_reviewed(harness: Harness, batch: Any, finished: Cohort) -> None:
    import slicer

    later, ui = harness.load_module(MODULE.with_name("MedAIReview.py")), batch.widget.ui
    row = next(number for number, one in enumerate(texts(ui.casesTable)) if one[3] == "done")
    assert not ui.reviewButton.enabled
    ui.casesTable.setCurrentCell(row, 0)
    harness.click(ui.reviewButton)
    assert slicer.util.selectedModule() == "MedAIReview"
    assert later.widget.ui.folderSelector.currentPath == str(finished.result(texts(ui.casesTable)[row][0]))
    assert harness.wait_until(lambda: not later.widget.logic.review.busy, LONG)
    later.close()


def test_what_cannot_go_into_the_database_is_named(
    harness: Harness, batch: Any, database: Any, finished: Cohort
) -> None:
    ui = batch.widget.ui
    harness.click(ui.databaseButton)
    until_idle(harness, batch)
    assert ui.messageLabel.text.startswith("0 results are in the DICOM database. Not added: 000")
    assert "no DICOM objects were written" in ui.messageLabel.text
    database.closeDatabase()
    harness.click(ui.databaseButton)
    until_idle(harness, batch)
    assert presenter_of(batch).state.phase is Phase.FAILED
    assert "is not open" in ui.messageLabel.text


def test_model_route_and_lists_are_chosen(harness: Harness, batch: Any, studies: Path, elsewhere: Path) -> None:
    from PySide6.QtCore import Qt

    ui, presenter = batch.widget.ui, presenter_of(batch)
    ui.folderSelector.setCurrentPath(str(studies))
    assert ui.runButton.enabled
    key(harness, batch, "modelSelector", Qt.Key.Key_Home)
    assert (presenter.state.asked.bundle, ui.modelDescription.text) == ("", "Each rule names its model.")
    assert not ui.runButton.enabled
    key(harness, batch, "modelSelector", Qt.Key.Key_End)
    key(harness, batch, "identitySelector", Qt.Key.Key_End)
    assert "project key" in ui.messageLabel.text
    ui.keySelector.setCurrentPath(str(elsewhere / "project.key"))
    key(harness, batch, "passphraseEdit", text="secret")
    key(harness, batch, "tiltCheckBox", Qt.Key.Key_Space)
    asked = presenter.state.asked
    assert (asked.identity, asked.tilt, asked.has_passphrase) == ("deidentify", "resample", True)
    key(harness, batch, "runButton", Qt.Key.Key_Space)
    assert presenter.state.phase is Phase.FAILED
    assert "project.key" in ui.messageLabel.text
    assert ui.passphraseEdit.text == ""
    place = Path(presenter.state.asked.output)
    assert place.name.startswith("MedAI-Cohort-")
    assert not place.exists(), "a key that does not open binds no cohort"
    assert ui.keySelector.enabled


def test_thousands_of_cases_do_not_stall_the_window(harness: Harness, batch: Any) -> None:
    shown = tuple(
        CaseShown(name=f"{number:04d}", patient="P", date="20260102", state="failed", reason="took too long " * 3)
        for number in range(1500)
    )
    harness.process(50)
    harness.reset_stall()
    harness.call(lambda: presenter_of(batch)._set(cases=shown, cohort=CohortShown(folder="c")))
    until_idle(harness, batch)
    harness.call(lambda: presenter_of(batch)._take_cases([CaseShown(name="1499", patient="P", date="", state="done")]))
    until_idle(harness, batch)
    assert batch.widget.ui.casesTable.rowCount == 1500
    assert of_state(batch, "done")[0] == "1499"
    assert harness.max_stall_ms < 100


class ManyPatients:
    """A database of many series, which is asked as Slicer's is."""

    isOpen = True

    def __init__(self, count: int) -> None:
        self.count, self.asked = count, 0

    def patients(self) -> list[str]:
        return [f"p{number}" for number in range(self.count)]

    def studiesForPatient(self, uid: str) -> list[str]:
        return [f"{uid}.1"]

    def seriesForStudy(self, uid: str) -> list[str]:
        return [f"{uid}.{number}" for number in range(3)]

    def nameForPatient(self, uid: str) -> str:
        return uid

    def fieldForStudy(self, name: str, uid: str) -> str:
        return "20260102"

    def descriptionForStudy(self, uid: str) -> str:
        return ""

    def fieldForSeries(self, name: str, uid: str) -> str:
        time.sleep(0.0002)
        self.asked += 1
        return "MR"

    def descriptionForSeries(self, uid: str) -> str:
        return uid


def test_a_large_database_is_listed_while_the_window_lives_and_only_anew_where_it_has_changed(
    harness: Harness, batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import qt
    import slicer

    many, tree = ManyPatients(300), batch.widget.ui.databaseTree
    monkeypatch.setattr(slicer, "dicomDatabase", many)
    harness.process(50)
    harness.reset_stall()
    harness.call(batch.enter)
    assert tree.topLevelItemCount < 300, "nobody waits for all of it"
    until_idle(harness, batch)
    assert harness.max_stall_ms < 100
    assert (tree.topLevelItemCount, many.asked) == (300, 900)
    tree.topLevelItem(299).setCheckState(0, qt.Qt.Checked)
    tree.expandItem(tree.topLevelItem(2))
    chosen = [f"p299.1.{number}" for number in range(3)]
    assert list(presenter_of(batch).series) == chosen
    harness.reset_stall()
    harness.call(lambda: tree.topLevelItem(299).child(0).child(0).setCheckState(0, qt.Qt.Unchecked))
    assert harness.max_stall_ms < 100
    assert presenter_of(batch).series == tuple(chosen[1:])
    assert tree.topLevelItem(299).checkState(0) == qt.Qt.PartiallyChecked
    tree.topLevelItem(299).child(0).child(0).setCheckState(0, qt.Qt.Checked)
    assert tree.topLevelItem(299).checkState(0) == qt.Qt.Checked
    batch.exit()
    batch.enter()
    until_idle(harness, batch)
    assert tree.topLevelItem(2).isExpanded(), "what says the same is not filled anew"
    many.count = 301
    batch.enter()
    presenter_of(batch).choose_series(batch.widget._panel.database.ticked)
    assert list(presenter_of(batch).series) == chosen, "while it is filled"
    until_idle(harness, batch)
    assert tree.topLevelItemCount == 301
    assert batch.widget._panel.database.ticked == list(presenter_of(batch).series) == chosen
    many.count = 299
    batch.enter()
    until_idle(harness, batch)
    assert (presenter_of(batch).series, batch.widget.ui.sourceLabel.text) == ((), "")
    many.count = 300
    batch.enter()
    until_idle(harness, batch)
    assert (presenter_of(batch).series, batch.widget._panel.database.ticked) == ((), []), "who comes back is not chosen"


def test_only_the_chosen_results_go_into_the_database(
    harness: Harness, batch: Any, database: Any, finished: Cohort
) -> None:
    ui = batch.widget.ui
    name = next(one for one in finished.names() if finished.written(one).state is State.WAITING)
    a_run(finished.result(name), a_head())
    finished.write(name, Standing(state=State.DONE, ended="2026-01-02T03:04:05+00:00"))
    presenter_of(batch).look()
    until_idle(harness, batch)
    assert ui.databaseButton.text == "Add to the DICOM data&base"
    row = next(number for number, one in enumerate(texts(ui.casesTable)) if one[0] == name)
    ui.casesTable.setCurrentCell(row, 0)
    assert ui.databaseButton.text == "Add chosen to the data&base"
    harness.click(ui.databaseButton)
    until_idle(harness, batch)
    assert ui.messageLabel.text.startswith(f"0 results are in the DICOM database. Not added: {name}: no DICOM")
    assert ui.messageLabel.text.count("no DICOM objects") == 1
    assert [one["case"] for one in cohorts.objects(finished.folder, [name])] == [name]
    with pytest.raises(InputError, match="no such case"):
        cohorts.objects(finished.folder, ["0999"])


# --- the database ----------------------------------------------------------------------------------------------------


def test_the_documented_script_of_slicers_console_takes_studies_of_the_database_and_puts_results_into_it(
    harness: Harness, database: Any, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    from Testing.batch.test_script import blocks, write_brain

    monkeypatch.setenv("SLICERMEDAI_MODELS", str(write_brain(elsewhere / "models")))
    monkeypatch.chdir(elsewhere)
    known: dict[str, Any] = {"slicer": slicer, "cohorts": cohorts}
    for line in ast.parse(blocks()[1]).body:
        exec(compile(ast.Module([line], []), "batch.md", "exec"), known)
        if isinstance(line, ast.Assign) and line.targets[0].id == "job":  # type: ignore[attr-defined]  # a name
            assert harness.wait_until(lambda: known["job"].poll() or known["job"].returncode is not None, LONG)
    assert known["cohort"].counts() == {"done": 2, "refused": 1}, "nobody has a list of people here"
    assert harness.wait_until(lambda: known["adding"].done, LONG)
    done = [one["case"] for one in cohorts.cases("COHORT") if one["state"] == "done"]
    assert (known["adding"].added, known["adding"].refused, known["adding"].error) == (done, {}, None)
    study = uid_of(next((elsewhere / "in" / "wanted").rglob("*.dcm")), "StudyInstanceUID")
    made = [database.fieldForSeries("Modality", uid) for uid in database.seriesForStudy(study)]
    assert {"SEG", "SR"} <= set(made)
    database.closeDatabase()
    with pytest.raises(OutputError, match="is not open"):
        cohorts.add_to_database("COHORT")


def test_results_never_mix_the_two_routes_in_the_database(
    harness: Harness, batch: Any, database: Any, studies: Path, elsewhere: Path
) -> None:
    (elsewhere / "objects").mkdir()
    (file, *_) = sorted((studies / "wanted").rglob("*.dcm"))
    shutil.copy(file, elsewhere / "objects" / "one.dcm")
    uid, about = uid_of(file, "StudyInstanceUID"), {"folder": str(elsewhere / "objects")}
    cases = [
        CaseObjects(case="0001", study_uid=uid, patient_id="a pseudonym", identity="deidentify", **about),
        CaseObjects(case="0002", study_uid=uid, patient_id=PATIENT, identity="keep", **about),
        CaseObjects(case="0003", why="is on the exclusion list", **about),
    ]
    filing = batch.widget.logic.addToDatabase(cases)
    assert harness.wait_until(lambda: filing.poll() or filing.done, 5000)
    assert filing.added == ["0002"]
    assert "for another patient" in filing.refused["0001"]
    assert filing.refused["0003"] == "is on the exclusion list"
    stopped = batch.widget.logic.addToDatabase(cases)
    stopped.cancel()
    assert harness.wait_until(lambda: stopped.poll() or stopped.done, 2000)
    assert stopped.added == []
    database.closeDatabase()
    with pytest.raises(Exception, match="is not open"):
        batch.widget.logic.addToDatabase(cases)


# --- in Slicer -------------------------------------------------------------------------------------------------------


def test_nothing_of_a_patient_or_a_path_is_kept_in_the_scene_and_the_settings(
    harness: Harness, batch: Any, studies: Path, elsewhere: Path
) -> None:
    import qt
    import slicer

    choose(harness, batch, studies, elsewhere)
    harness.click(batch.widget.ui.previewButton)
    until_idle(harness, batch)
    slicer.mrmlScene.SetURL(str(elsewhere / "scene.mrml"))
    slicer.mrmlScene.Commit()
    scene = (elsewhere / "scene.mrml").read_text(encoding="utf-8")
    assert "MedAIBatch" in scene
    kept = [scene, *(str(qt.QSettings().value(name)) for name in qt.QSettings().allKeys())]
    assert not any(word in text for text in kept for word in (PATIENT, Identity().patient_name, "cohort", "opted-out"))


def test_closing_the_scene_leaves_a_working_panel(harness: Harness, batch: Any, studies: Path, elsewhere: Path) -> None:
    import slicer

    choose(harness, batch, studies, elsewhere)
    slicer.mrmlScene.Clear(0)
    harness.process(20)
    batch.widget.ui.processesSpin.setValue(3)
    assert presenter_of(batch).state.asked.processes == 3
    assert batch.widget.ui.runButton.enabled


@pytest.mark.cold_children
def test_loaded_anew_while_it_looks_it_leaves_no_child(
    harness: Harness, batch: Any, studies: Path, elsewhere: Path
) -> None:
    choose(harness, batch, studies, elsewhere)
    harness.click(batch.widget.ui.previewButton)
    child = presenter_of(batch)._working
    batch.close()
    assert harness.wait_until(lambda: child.poll() or child.done, 2000)
    again = harness.load_module(MODULE)
    again.enter()
    assert again.widget.ui.folderSelector.currentPath == ""
    again.close()


def test_the_self_test_passes_on_the_stand_in(batch: Any, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slicer's exporter and sample data stand at the process edge: a generated series of an invented patient."""
    import slicer

    from Testing.deid.samples import a_series

    class Exporter:
        def __init__(self, study: str, volume: Any, tags: dict[str, str], folder: str) -> None:
            self.folder = Path(folder)

        def export(self) -> None:
            a_series(self.folder)

    dicom, samples = ModuleType("DICOMLib"), ModuleType("SampleData")
    dicom.DICOMExportScalarVolume = Exporter
    samples.downloadSample = lambda name: name
    monkeypatch.setitem(sys.modules, "DICOMLib", dicom)
    monkeypatch.setitem(sys.modules, "SampleData", samples)
    monkeypatch.setattr(slicer.util, "tempDirectory", lambda: tempfile.mkdtemp(dir=elsewhere), raising=False)
    batch.module.runTest()


def test_it_is_loaded_after_slicers_dicom_module(batch: Any) -> None:
    assert list(batch.module.parent.dependencies) == ["DICOM"]


def test_loading_it_loads_nothing_heavy() -> None:
    """What the module's file imports of the library."""
    code = (
        "import sys, slicermedai.scene.filing, slicermedai.app.batch_panel; slicermedai.list_models;"
        "print([n for n in ('torch', 'highdicom', 'pydicom', 'SimpleITK', 'cryptography', 'qt') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
