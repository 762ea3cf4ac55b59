"""The module MedAI De-identify, as a person uses it: choose, preview, run, cancel, go on, look, decide, pass on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydicom import dcmread

from slicermedai.app.deid_run import DeidRun
from slicermedai.app.deid_state import DeidResult
from slicermedai.app.state import Phase
from slicermedai.deid.profile import Option
from slicermedai.jobs.places import unfinished
from Testing.deid.samples import a_series
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.series_spec import SeriesSpec
from Testing.Harness import Harness
from Testing.Harness.pythonqt import slicer_modules
from Testing.modules.opening import entered

pytestmark = pytest.mark.usefixtures("warm_children")
MODULE = Path(__file__).resolve().parents[2] / "SlicerMedAI" / "MedAIDeidentify.py"
LONG = 60_000
PASSPHRASE = "correct horse battery staple"
OTHER = Identity(patient_name="Zwickelmann^Rosalind", patient_id="ZW-5501923", accession="AC7716532")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files, models and the log of the test's own, so that all that is written lies below ``tmp_path``."""
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def deid(harness: Harness, places: Path, elsewhere: Path) -> Iterator[Any]:
    """The module, loaded and entered."""
    with entered(harness, MODULE) as loaded:
        yield loaded


@pytest.fixture
def study(elsewhere: Path) -> Path:
    """Two patients with two slices each, and a file that is no DICOM."""
    a_series(elsewhere / "in" / "a")
    a_series(elsewhere / "in" / "b", spec=SeriesSpec(identity=OTHER, seed="other"))
    (elsewhere / "in" / "a" / "Quillfeather notes.txt").write_text("no image")
    return elsewhere / "in"


def presenter_of(deid: Any) -> DeidRun:
    return deid.widget.logic.presenter


def choose(deid: Any, study: Path, output: Path | None = None) -> None:
    deid.widget.ui.folderSelector.setCurrentPath(str(study))
    if output is not None:
        deid.widget.ui.outputSelector.setCurrentPath(str(output))


def until_idle(harness: Harness, deid: Any) -> None:
    assert harness.wait_until(lambda: not presenter_of(deid).busy, LONG)


def run(harness: Harness, deid: Any) -> None:
    harness.click(deid.widget.ui.runButton)
    until_idle(harness, deid)


def texts(table: Any) -> list[tuple[str, ...]]:
    return [
        tuple(table.item(row, column).text() for column in range(table.columnCount)) for row in range(table.rowCount)
    ]


def written_below(folder: Path, *, but: Path) -> bytes:
    """All bytes of all files below ``folder`` and their names, but for those below ``but``; some may go meanwhile."""
    found = list[bytes]()
    for path in [path for path in folder.rglob("*") if not path.is_relative_to(but)]:
        found.append(os.fsencode(path.relative_to(folder)))
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            found.append(path.read_bytes())
    return b"\0".join(found)


def a_result(folder: Path, *series: tuple[str, str]) -> DeidResult:
    """What a job could have left; its series are UID and pseudonym."""
    return DeidResult(folder=folder, written=1, patients=1, left_out=(), pictures=(), series=series)


def named_in(raw: bytes) -> set[str]:
    tokens = {*identity_tokens(Identity()), *identity_tokens(OTHER)}
    return {token for token in tokens if token.lower().encode() in raw.lower()}


# --- choosing --------------------------------------------------------------------------------------------------------


def test_it_opens_and_says_what_to_do(deid: Any) -> None:
    ui = deid.widget.ui
    assert not ui.runButton.enabled
    assert not ui.previewButton.enabled
    assert "Choose patients" in ui.messageLabel.text
    assert "Research use only" in ui.noticeLabel.text
    assert ui.passphraseEdit.echoMode == type(ui.passphraseEdit).Password


def test_there_is_a_box_and_a_sentence_for_each_option(deid: Any) -> None:
    boxes = deid.widget._panel.boxes
    assert list(boxes) == list(Option)
    for option, box in boxes.items():
        assert option.value in box.toolTip
    labels = [label for label in deid.widget.ui.optionsSection.findChildren("QLabel") if label.wordWrap]
    assert len(labels) == len(Option)


def choose_preset(deid: Any, name: str) -> None:
    """What Qt does when a person picks an entry."""
    box = deid.widget.ui.presetSelector
    box.setCurrentIndex(box.findData(name))
    deid.widget.onPreset(box.currentIndex)


def test_a_preset_ticks_its_options_and_holds_them(deid: Any) -> None:
    choose_preset(deid, "research")
    boxes = deid.widget._panel.boxes
    assert boxes[Option.RETAIN_MODIFIED_DATES].checked
    assert not boxes[Option.RETAIN_MODIFIED_DATES].enabled
    assert "Part of the preset" in boxes[Option.RETAIN_MODIFIED_DATES].toolTip
    assert not boxes[Option.RETAIN_FULL_DATES].enabled
    assert "pseudonymous, not anonymous" in deid.widget.ui.presetDescription.text
    choose_preset(deid, "basic")
    assert presenter_of(deid).ticked == frozenset()
    assert boxes[Option.RETAIN_FULL_DATES].enabled


def test_an_option_is_added_and_excludes_the_other_dates(harness: Harness, deid: Any) -> None:
    boxes = deid.widget._panel.boxes
    deid.widget.ui.optionsSection.checked = True
    harness.click(boxes[Option.RETAIN_FULL_DATES])
    assert presenter_of(deid).ticked == {Option.RETAIN_FULL_DATES}
    assert presenter_of(deid).job(Path("out")).options == ("113106",)
    assert not boxes[Option.RETAIN_MODIFIED_DATES].enabled


def test_text_in_pixels_needs_a_reader_that_is_offered(
    harness: Harness, deid: Any, study: Path, monkeypatch: pytest.MonkeyPatch, installer: Callable[[str], Path]
) -> None:
    noted = installer("")
    monkeypatch.setitem(slicer_modules.RETURNED, "packaging.pip_check", False)
    deid.widget.refresh()
    ui, boxes = deid.widget.ui, deid.widget._panel.boxes
    assert "rapidocr-onnxruntime" in ui.installButton.text
    assert not boxes[Option.CLEAN_PIXEL_DATA].enabled
    choose(deid, study)
    assert ui.runButton.enabled
    choose_preset(deid, "research")
    assert not ui.runButton.enabled
    assert "rapidocr-onnxruntime" in ui.messageLabel.text
    assert "Faces stay" in ui.messageLabel.text
    ui.optionsSection.checked = True
    harness.click(boxes[Option.CLEAN_PIXEL_DATA])
    assert presenter_of(deid).job(Path("out")).ocr is False
    assert ui.runButton.enabled
    harness.dialogs.answer("cancel")
    harness.click(ui.installButton)
    assert harness.wait_until(lambda: not presenter_of(deid).busy, 30_000)
    assert "cryptography" in harness.dialogs.shown[0].text
    assert not noted.exists()


def test_a_preset_of_ones_own_is_saved_and_chosen(harness: Harness, deid: Any, elsewhere: Path) -> None:
    ui = deid.widget.ui
    choose_preset(deid, "hipaa-safe-harbor")
    harness.dialogs.answer(str(elsewhere / "Our trial.json"))
    harness.click(ui.presetSaveButton)
    assert ui.presetSelector.currentText == "Our trial"
    asked = presenter_of(deid).choice
    choose_preset(deid, "hipaa-safe-harbor")
    assert (presenter_of(deid).choice.profile, presenter_of(deid).choice.dates) == (asked.profile, asked.dates)
    harness.dialogs.answer(str(elsewhere / "Our trial.json"))
    harness.click(ui.presetOpenButton)
    assert presenter_of(deid).choice == asked


# --- preview ---------------------------------------------------------------------------------------------------------


def test_a_preview_shows_values_that_are_in_no_file(harness: Harness, deid: Any, study: Path, elsewhere: Path) -> None:
    ui = deid.widget.ui
    choose(deid, study)
    harness.process(50)
    harness.reset_stall()
    seen = list[set[str]]()
    harness.click(ui.previewButton)
    with harness.python_threads_frozen():
        while presenter_of(deid).busy:
            seen.append(named_in(written_below(elsewhere, but=study)))
            harness.process(20)
    stall = harness.max_stall_ms
    assert ui.previewLabel.text.startswith("4 files of 2 patients"), ui.messageLabel.text
    assert "1 file would be left out" in ui.previewLabel.text
    changes = {row[0]: row[1:] for row in texts(ui.changeTable)}
    assert changes["PatientName"][:2] == ("changed", Identity().patient_name)
    assert Identity().patient_name not in changes["PatientName"][2]
    ui.exampleSelector.setCurrentIndex(1)
    assert OTHER.patient_name in {row[2] for row in texts(ui.changeTable)}
    assert set().union(*seen, named_in(written_below(elsewhere, but=study))) == set()
    assert stall < 100


def test_a_long_list_of_changes_does_not_stall_the_window(harness: Harness, deid: Any) -> None:
    from slicermedai.app.deid_look import _CHANGES
    from slicermedai.app.deid_preview import shown_from

    row = {"path": "SharedFunctionalGroupsSequence[0].PatientName", "action": "changed", "before": "b", "after": "a"}
    counts = {"files": 1, "patients": 1, "elements": 5000, "refused": [], "is_cut": True}
    found = shown_from({**counts, "examples": [[row] * _CHANGES] * 50})
    harness.process(50)
    harness.reset_stall()
    harness.call(lambda: presenter_of(deid)._set(preview=found))
    assert deid.widget.ui.changeTable.rowCount == _CHANGES
    assert harness.max_stall_ms < 100
    assert deid.widget.ui.previewLabel.text.endswith("Of a long list the first changes are shown.")
    choose_preset(deid, "hipaa-safe-harbor")
    assert presenter_of(deid).state.preview is None, "it was one of another choice"
    assert deid.widget.ui.changeTable.rowCount == 0


@pytest.mark.cold_children
def test_a_preview_is_stopped_within_two_seconds(harness: Harness, deid: Any, study: Path) -> None:
    choose(deid, study)
    harness.click(deid.widget.ui.previewButton)
    harness.click(deid.widget.ui.cancelButton)
    assert harness.wait_until(lambda: not presenter_of(deid).busy, 2000)
    assert presenter_of(deid).state.phase is Phase.CANCELLED
    assert deid.widget.ui.messageLabel.text == "Stopped."


# --- running ---------------------------------------------------------------------------------------------------------


@pytest.mark.cold_children
def test_a_folder_becomes_copies_with_a_report_and_the_window_lives(
    harness: Harness, deid: Any, study: Path, elsewhere: Path
) -> None:
    ui = deid.widget.ui
    choose(deid, study, elsewhere / "out")
    harness.click(ui.previewButton)
    until_idle(harness, deid)
    harness.process(50)
    harness.reset_stall()
    with harness.python_threads_frozen():
        run(harness, deid)
    assert harness.max_stall_ms < 100
    result = presenter_of(deid).state.result
    assert presenter_of(deid).state.phase is Phase.DONE, ui.messageLabel.text
    assert (result.written, result.patients) == (4, 2)
    wanted = "4 files of 2 patients written; the verifier found none of what the headers name"
    assert ui.messageLabel.text.startswith(wanted)
    assert texts(ui.leftOutTable)[0][0] == "Quillfeather notes.txt"
    assert result.page.is_file()
    assert ui.reportButton.enabled
    assert {str(dcmread(path).PatientIdentityRemoved) for path in result.copies.iterdir()} == {"YES"}
    assert named_in(written_below(elsewhere / "out", but=study)) == set()


def test_patients_who_opted_out_are_left_out(harness: Harness, deid: Any, study: Path, elsewhere: Path) -> None:
    (elsewhere / "opted-out.txt").write_text(f"{OTHER.patient_id}\n")
    choose(deid, study, elsewhere / "out")
    deid.widget.ui.excludeSelector.setCurrentPath(str(elsewhere / "opted-out.txt"))
    run(harness, deid)
    assert presenter_of(deid).state.result.patients == 1
    reasons = [reason for _, reason in texts(deid.widget.ui.leftOutTable)]
    assert sum("on the exclusion list (line 1" in reason for reason in reasons) == 2


def test_an_output_within_the_images_is_refused(harness: Harness, deid: Any, study: Path) -> None:
    choose(deid, study, study / "out")
    harness.click(deid.widget.ui.runButton)
    assert presenter_of(deid).state.phase is Phase.FAILED
    assert "lies in the folder that is read" in deid.widget.ui.messageLabel.text
    assert not (study / "out").exists()


@pytest.mark.cold_children
def test_cancelling_leaves_nothing(harness: Harness, deid: Any, study: Path, elsewhere: Path) -> None:
    for number in range(30):
        a_series(study / str(number), spec=SeriesSpec(seed=str(number)))
    choose(deid, study, elsewhere / "out")
    harness.click(deid.widget.ui.runButton)
    assert harness.wait_until(lambda: presenter_of(deid).state.progress > 0, LONG)
    harness.click(deid.widget.ui.cancelButton)
    assert harness.wait_until(lambda: not presenter_of(deid).busy, 2000)
    assert presenter_of(deid).state.phase is Phase.CANCELLED
    assert deid.widget.ui.messageLabel.text == "Stopped. Nothing was written."
    assert sorted(path.name for path in elsewhere.iterdir() if "out" in path.name) == []


def a_key(harness: Harness, deid: Any, path: Path) -> None:
    """Make one as a person does."""
    ui = deid.widget.ui
    ui.keySection.checked = True
    ui.passphraseEdit.setText(PASSPHRASE)
    harness.dialogs.answer(str(path))
    harness.click(ui.keyButton)
    until_idle(harness, deid)
    assert ui.keySelector.currentPath == str(path), ui.messageLabel.text


@pytest.mark.cold_children
def test_a_passphrase_is_needed_for_a_sealed_key_and_in_no_file(
    harness: Harness, deid: Any, study: Path, elsewhere: Path
) -> None:
    import slicer

    ui = deid.widget.ui
    harness.reset_stall()
    a_key(harness, deid, elsewhere / "project.key")
    assert "fingerprint" in ui.messageLabel.text
    assert harness.max_stall_ms < 100
    ui.tableSelector.setCurrentPath(str(elsewhere / "who.table"))
    ui.passphraseEdit.clear()
    choose(deid, study, elsewhere / "out")
    assert not ui.runButton.enabled
    assert "passphrase" in ui.messageLabel.text
    ui.passphraseEdit.setText(PASSPHRASE)
    seen = list[bytes]()
    harness.click(ui.runButton)
    assert ui.passphraseEdit.text == ""
    while presenter_of(deid).busy:
        seen.append(written_below(elsewhere, but=study))
        harness.process(50)
    assert presenter_of(deid).state.phase is Phase.DONE, ui.messageLabel.text
    assert (elsewhere / "who.table").is_file()
    slicer.mrmlScene.SetURL(str(elsewhere / "scene.mrml"))
    slicer.mrmlScene.Commit()
    assert not any(PASSPHRASE.encode() in raw for raw in [*seen, written_below(elsewhere, but=study)])
    assert b"project.key" not in (elsewhere / "scene.mrml").read_bytes()


def copies_so_far(output: Path) -> list[Path]:
    return [copy for left in unfinished(output) for copy in left.glob("dicom/*.dcm")]


@pytest.mark.cold_children
def test_a_run_that_was_killed_goes_on_where_it_was(harness: Harness, deid: Any, study: Path, elsewhere: Path) -> None:
    for number in range(50):
        a_series(study / str(number), spec=SeriesSpec(seed=str(number)))
    ui, output = deid.widget.ui, elsewhere / "out"
    a_key(harness, deid, elsewhere / "project.key")
    choose(deid, study, output)
    ui.passphraseEdit.setText(PASSPHRASE)
    harness.click(ui.runButton)
    assert harness.wait_until(lambda: len(copies_so_far(output)) > 3, LONG)
    os.kill(presenter_of(deid)._working._running._process.pid, signal.SIGKILL)
    until_idle(harness, deid)
    assert presenter_of(deid).state.phase is Phase.FAILED
    (left,) = unfinished(output)
    before = {path.name: path.stat().st_mtime_ns for path in (left / "dicom").rglob("*.dcm")}
    assert len(before) > 3
    ui.passphraseEdit.setText(PASSPHRASE)
    assert "the same choice goes on there" in ui.messageLabel.text
    run(harness, deid)
    assert presenter_of(deid).state.phase is Phase.DONE, ui.messageLabel.text
    after = {path.name: path.stat().st_mtime_ns for path in (output / "dicom").rglob("*.dcm")}
    redone = [name for name in before if after[name] != before[name]]
    assert len(redone) <= 1, "what was done is not done again, but for a copy that was not noted yet"
    assert len(after) == 104
    assert unfinished(output) == []


# --- the database ----------------------------------------------------------------------------------------------------


@pytest.fixture
def database(harness: Harness, deid: Any, study: Path, elsewhere: Path) -> Any:
    """Slicer's database with the study in it, shown by the module."""
    import slicer

    (elsewhere / "database").mkdir()
    (study / "a" / "Quillfeather notes.txt").unlink()
    slicer.dicomDatabase.openDatabase(str(elsewhere / "database" / "ctkDICOM.sql"))
    for path in sorted(study.rglob("*.dcm")):
        slicer.dicomDatabase.insert(str(path))
    deid.widget.refresh()
    until_listed(harness, deid)
    return slicer.dicomDatabase


def until_listed(harness: Harness, deid: Any) -> None:
    """The tree shows all of the database."""
    assert harness.wait_until(lambda: not deid.widget._database.busy, LONG)


def tick(deid: Any, row: int) -> None:
    """Tick a patient."""
    import qt

    deid.widget.ui.databaseTree.topLevelItem(row).setCheckState(0, qt.Qt.Checked)


def test_ticking_a_patient_chooses_all_series_below_and_lets_go_of_the_folder(
    harness: Harness, deid: Any, database: Any, study: Path
) -> None:
    ui = deid.widget.ui
    choose(deid, study)
    assert ui.databaseTree.topLevelItemCount == 2
    tick(deid, 0)
    assert ui.folderSelector.currentPath == ""
    assert ui.sourceLabel.text == "1 series, 2 files"
    assert {dcmread(path).PatientID for path in presenter_of(deid).source} == {Identity().patient_id}
    deid.exit()
    deid.enter()
    until_listed(harness, deid)
    assert ui.sourceLabel.text == "1 series, 2 files"
    choose(deid, study)
    assert presenter_of(deid).source == str(study)
    assert ui.sourceLabel.text == "in"


def test_series_of_the_database_come_back_into_it_as_a_new_patient(
    harness: Harness, deid: Any, database: Any, elsewhere: Path, keep_screenshot: Callable[..., None]
) -> None:
    ui, damaged = deid.widget.ui, Path(database.filesForSeries(database.seriesForStudy(database.studiesForPatient(
        database.patients()[0])[0])[0])[1])  # fmt: skip
    damaged.write_bytes(damaged.read_bytes()[:-100])
    tick(deid, 0)
    ui.databaseTree.expandAll()
    ui.databaseCheckBox.checked = True
    harness.click(ui.previewButton)
    until_idle(harness, deid)
    harness.reset_stall()
    run(harness, deid)
    assert harness.max_stall_ms < 100
    assert presenter_of(deid).state.phase is Phase.DONE, ui.messageLabel.text
    assert "in the DICOM database" in ui.messageLabel.text
    patients = {database.fieldForPatient("PatientID", uid) for uid in database.patients()}
    pseudonym = presenter_of(deid).state.result.series[0][1]
    assert patients == {Identity().patient_id, OTHER.patient_id, pseudonym}
    picture = harness.grab(deid.parent, elsewhere / "MedAIDeidentify.png", size=(460, 1000))
    keep_screenshot(picture, "MedAIDeidentify.png")
    deid.widget.refresh()
    until_listed(harness, deid)
    assert ui.databaseTree.topLevelItemCount == 3
    assert ui.sourceLabel.text == "1 series, 2 files"
    database.closeDatabase()
    deid.widget.refresh()
    until_listed(harness, deid)
    assert (ui.databaseTree.topLevelItemCount, ui.sourceLabel.text) == (0, ""), "what was ticked is there no more"


def test_copies_with_the_original_uids_are_kept_out_of_the_database(harness: Harness, deid: Any, database: Any) -> None:
    ui = deid.widget.ui
    tick(deid, 0)
    ui.databaseCheckBox.checked = True
    ui.optionsSection.checked = True
    harness.click(deid.widget._panel.boxes[Option.RETAIN_UIDS])
    assert not ui.runButton.enabled
    assert "113110" in ui.messageLabel.text


def test_a_series_that_the_database_holds_for_another_patient_is_refused(
    deid: Any, database: Any, elsewhere: Path
) -> None:
    from slicermedai.errors import IdentityError

    series = database.seriesForStudy(database.studiesForPatient(database.patients()[0])[0])[0]
    with pytest.raises(IdentityError, match="for another patient, and nothing was added"):
        deid.widget.logic.addToDatabase(a_result(elsewhere / "out", (series, "pseudonym")))
    database.closeDatabase()
    with pytest.raises(IdentityError, match="is not open"):
        deid.widget.logic.addToDatabase(a_result(elsewhere / "out"))


def test_an_import_that_is_stopped_says_that_some_may_be_there(
    harness: Harness, database: Any, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slicer's DICOM module stands at the process edge: what browses the database is told to look again."""
    from slicermedai.errors import JobCancelled
    from slicermedai.scene.dicom_import import DicomImport

    refreshed = list[bool]()
    dicom = ModuleType("DICOMLib")
    dicom.DICOMUtils = SimpleNamespace(refreshDICOMWidget=lambda: refreshed.append(True))
    monkeypatch.setitem(sys.modules, "DICOMLib", dicom)
    adding = DicomImport(database, study)
    adding.cancel()
    assert harness.wait_until(lambda: adding.poll() or adding.done, 2000)
    assert isinstance(adding.error, JobCancelled)
    assert refreshed == [True]


def test_what_the_database_does_not_take_is_said(harness: Harness, deid: Any, database: Any, elsewhere: Path) -> None:
    from slicermedai.app.deid_database import Adding

    result = a_result(elsewhere / "out", ("1.2.3", "pseudonym"))
    result.copies.mkdir(parents=True)
    adding = Adding(database, result, str)
    assert harness.wait_until(lambda: adding.poll() or adding.done, 2000)
    assert "did not take 1 of the series" in str(adding.error)


# --- looking ---------------------------------------------------------------------------------------------------------


def test_doubtful_text_is_shown_and_what_is_decided_is_noted(harness: Harness, deid: Any, elsewhere: Path) -> None:
    pytest.importorskip("rapidocr_onnxruntime", reason="absent: rapidocr-onnxruntime")
    from slicermedai.app.deid_result import decisions
    from Testing.deid.pixels.pictures import Text, a_file, tissue, written_on

    (elsewhere / "scan").mkdir()
    a_file(elsewhere / "scan" / "one.dcm", written_on(tissue((100, 240)), [Text(12, 12, "Vrbrkov Zoltan")]))
    ui = deid.widget.ui
    choose(deid, elsewhere / "scan", elsewhere / "out")
    ui.optionsSection.checked = True
    harness.click(deid.widget._panel.boxes[Option.CLEAN_PIXEL_DATA])
    run(harness, deid)
    assert presenter_of(deid).state.phase is Phase.DONE, ui.messageLabel.text
    assert ui.reviewLabel.text == "Text 1 of 1: not decided"
    assert not ui.reviewPicture.pixmap.isNull()
    harness.click(ui.harmlessButton)
    assert "harmless" in ui.reviewLabel.text
    assert list(decisions(presenter_of(deid).review).values()) == ["harmless"]
    assert "PATIENT-DATA" in presenter_of(deid).review.name
    first = presenter_of(deid).state.result
    harness.click(ui.applyButton)
    until_idle(harness, deid)
    again = presenter_of(deid).state.result
    assert (first.folder.name, again.folder.name) == ("out", "out-decided"), ui.messageLabel.text
    original, removed, kept = (dcmread(next(place.rglob("*.dcm"))).pixel_array for place in (
        elsewhere / "scan", first.copies, again.copies,
    ))  # fmt: skip
    assert (removed != original).any()
    assert (kept == original).all()
    assert not ui.applyButton.enabled
    assert ui.reviewLabel.text == "No doubtful text."


# --- in Slicer -------------------------------------------------------------------------------------------------------


def test_the_self_test_passes_on_the_stand_in(deid: Any, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slicer's exporter and sample data stand at the process edge: a generated series of an invented patient."""
    import slicer

    class Exporter:
        def __init__(self, study: str, volume: Any, tags: dict[str, str], folder: str) -> None:
            self.folder, self.name = Path(folder), tags["Patient Name"]

        def export(self) -> None:
            a_series(self.folder, spec=SeriesSpec(identity=Identity(patient_name=self.name)))

    dicom, samples = ModuleType("DICOMLib"), ModuleType("SampleData")
    dicom.DICOMExportScalarVolume = Exporter
    samples.downloadSample = lambda name: name
    monkeypatch.setitem(sys.modules, "DICOMLib", dicom)
    monkeypatch.setitem(sys.modules, "SampleData", samples)
    monkeypatch.setattr(slicer.util, "tempDirectory", lambda: tempfile.mkdtemp(dir=elsewhere), raising=False)
    deid.module.runTest()


def test_it_is_loaded_after_slicers_dicom_module(deid: Any) -> None:
    assert list(deid.module.parent.dependencies) == ["DICOM"]


def test_closing_the_scene_leaves_a_working_panel(harness: Harness, deid: Any, study: Path) -> None:
    import slicer

    choose(deid, study)
    slicer.mrmlScene.Clear(0)
    harness.process(20)
    deid.widget.ui.databaseCheckBox.checked = True
    assert presenter_of(deid).state.asked.into_database
    assert deid.widget.ui.runButton.enabled


def test_loading_it_loads_nothing_heavy() -> None:
    """What the module's file imports of the library."""
    code = (
        "import sys, slicermedai.app.deid_database, slicermedai.app.deid_panel; slicermedai.deidentify;"
        "print([n for n in ('torch', 'highdicom', 'pydicom', 'cryptography', 'qt') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
