"""The module MedAI Report, as a person uses it: choose, verify, look what would be written, write, send, follow."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from slicermedai.app.state import Phase
from slicermedai.domain.result import AnalysisResult, Decision
from slicermedai.export.formats import FORMATS
from slicermedai.pacs.peers import Peer, load_peers, save_peers
from Testing.app.runs import a_run, pseudonymous, two_findings
from Testing.Harness import Harness
from Testing.Harness.pythonqt import slicer_modules
from Testing.modules.opening import entered

pytestmark = pytest.mark.usefixtures("warm_children")
MODULE = Path(__file__).resolve().parents[2] / "SlicerMedAI" / "MedAIReport.py"
LONG = 60_000


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files, settings and destinations of the test's own: a clinical shelf and a research one."""
    for name in ("temp", "home", "ward", "study"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    save_peers(
        [
            Peer(name="ward", kind="folder", path=str(tmp_path / "ward")),
            Peer(name="study", kind="folder", path=str(tmp_path / "study"), research=True),
        ]
    )
    return tmp_path


@pytest.fixture
def module(harness: Harness, places: Path, elsewhere: Path) -> Iterator[Any]:
    """The module, loaded and entered, with the outbox read."""
    with entered(harness, MODULE) as loaded:
        until_idle(harness, loaded)
        yield loaded


@pytest.fixture
def run(elsewhere: Path) -> Path:
    return a_run(elsewhere / "run")


def until_idle(harness: Harness, module: Any, milliseconds: int = LONG) -> None:
    logic = module.widget.logic
    assert harness.wait_until(lambda: not (logic.report.busy or logic.outbox.busy), milliseconds)


def open_result(harness: Harness, module: Any, folder: Path) -> None:
    module.widget.ui.folderSelector.setCurrentPath(str(folder))
    until_idle(harness, module)


def press(harness: Harness, module: Any, button: str) -> None:
    harness.click(getattr(module.widget.ui, f"{button}Button"))
    until_idle(harness, module)


def texts(table: Any) -> list[tuple[str, ...]]:
    return [
        tuple(table.item(row, column).text() for column in range(table.columnCount)) for row in range(table.rowCount)
    ]


def verify(harness: Harness, module: Any) -> None:
    """Accept the first finding and reject the second, as a person."""
    ui = module.widget.ui
    ui.personEdit.setText("Jane van Roe")
    ui.findingsTable.setCurrentCell(0, 0)
    press(harness, module, "accept")
    ui.findingsTable.setCurrentCell(1, 0)
    ui.reasonEdit.setText("an artefact")
    press(harness, module, "reject")


def write(harness: Harness, module: Any, output: Path | None = None) -> None:
    if output is not None:
        module.widget.ui.outputSelector.setCurrentPath(str(output))
    press(harness, module, "write")
    assert module.widget.logic.report.state.phase is Phase.DONE, module.widget.ui.messageLabel.text


# --- choosing and looking --------------------------------------------------------------------------------------------


def test_it_opens_and_says_what_to_do(module: Any) -> None:
    ui = module.widget.ui
    assert ui.messageLabel.text == "Choose a result."
    assert "Research use only" in ui.noticeLabel.text
    assert "Not for primary diagnosis" in ui.noticeLabel.text
    for name in ("write", "send", "accept", "rejectAll", "undo", "database", "deliver", "retry", "remove", "cancel"):
        assert not getattr(ui, f"{name}Button").enabled, name


def test_the_state_of_a_confidence_stands_before_the_numbers(harness: Harness, module: Any, run: Path) -> None:
    ui = module.widget.ui
    open_result(harness, module, run)
    heads = [ui.findingsTable.horizontalHeaderItem(column).text() for column in range(ui.findingsTable.columnCount)]
    assert heads.index("Confidence") < heads.index("Measurements")
    first, second = texts(ui.findingsTable)
    assert first[:3] == ("Brain", "not calibrated", "not reviewed")
    assert second[:3] == ("Lesion", "83 % (calibrated)", "not reviewed")
    assert first[3].startswith("Volume ")
    assert ui.warningLabel.text == "Warning: the field of view is small."
    assert "Findings: 2." in ui.outcomeLabel.text
    assert "clinical destinations alone" in ui.outcomeLabel.text


def test_the_last_results_are_offered_and_the_one_in_the_scene_comes_first(
    harness: Harness, module: Any, places: Path
) -> None:
    import slicer

    a_run(places / "MedAI-one", job_id="aaaaaaaaaaaa")
    a_run(places / "MedAI-two", job_id="bbbbbbbbbbbb")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    node.SetAttribute("MedAI.Result", "aaaaaaaaaaaa")
    module.widget.refresh()
    until_idle(harness, module)
    box = module.widget.ui.resultSelector
    offered = [box.itemText(row) for row in range(box.count)]
    assert offered[0] == "Choose ..."
    assert offered[1].startswith("In the scene: MedAI-one")
    assert offered[2].startswith("MedAI-two")
    box.setCurrentIndex(1)
    module.widget.onResult(1)
    until_idle(harness, module)
    assert module.widget.logic.report.state.shown.job_id == "aaaaaaaaaaaa"
    assert module.widget.logic.report.state.asked.folder == str(places / "MedAI-one")
    assert module.widget.ui.folderSelector.currentPath == ""


def test_what_will_not_be_written_is_named_with_the_attribute_and_how_to_mend_it(
    harness: Harness, module: Any, elsewhere: Path
) -> None:
    case = two_findings()
    for header in case.headers:
        del header.FrameOfReferenceUID
        header.AccessionNumber = ""
    open_result(harness, module, a_run(elsewhere / "run", case))
    ui = module.widget.ui
    ui.formatsSection.collapsed = False
    for name in ("nifti", "csv", "pmap", "seg"):
        if not module.widget._panel.boxes[name].checked:
            harness.click(module.widget._panel.boxes[name])
    plan = {row[0]: row[1:] for row in texts(ui.planTable)}
    assert plan["Segmentation"][0] == "no"
    assert plan["Segmentation"][1].startswith("FrameOfReferenceUID")
    assert plan["Segmentation"][2].startswith("Ask for nifti,csv")
    assert plan["Maps"][:2] == ("nothing", "The result holds no maps.")
    assert plan["Table, CSV"] == ("findings.csv", "", "")
    assert "AccessionNumber" in ui.unsaidLabel.text
    assert "export the series again" in ui.unsaidLabel.text
    assert "Read in the table" in ui.messageLabel.text
    write(harness, module, elsewhere / "out")
    names = {path.name for path in (elsewhere / "out").iterdir()}
    assert names == {"findings.csv", "segmentation.nii.gz", "segmentation.labels.json"}


def test_there_is_a_box_for_each_format_and_a_purpose_ticks_some(harness: Harness, module: Any, run: Path) -> None:
    ui, panel = module.widget.ui, module.widget._panel
    assert list(panel.boxes) == list(FORMATS)
    open_result(harness, module, run)
    assert ui.profileSelector.currentText == "For an archive"
    ui.profileSelector.setCurrentIndex(ui.profileSelector.findData("legacy"))
    module.widget.onProfile(ui.profileSelector.currentIndex)
    assert {name for name, box in panel.boxes.items() if box.checked} == {"rtstruct", "text", "capture"}
    ui.formatsSection.collapsed = False
    harness.click(panel.boxes["csv"])
    assert ui.profileSelector.currentText == "My own choice"


# --- verifying and writing -------------------------------------------------------------------------------------------


@pytest.mark.cold_children
def test_a_person_verifies_writes_and_sends_and_the_window_lives(
    harness: Harness, module: Any, places: Path, elsewhere: Path, keep_screenshot: Callable[..., None]
) -> None:
    ui, logic = module.widget.ui, module.widget.logic
    run = a_run(places / "MedAI-20261122-1015-3f2a")
    harness.process(50)
    harness.reset_stall()
    open_result(harness, module, run)
    verify(harness, module)
    assert "verified by Jane van Roe" in ui.standingLabel.text
    assert "2 decisions are saved when you write" in ui.standingLabel.text
    assert [row[2] for row in texts(ui.findingsTable)] == ["accepted", "rejected: an artefact"]
    with harness.python_threads_frozen():
        write(harness, module)
    assert harness.max_stall_ms < 100
    assert dcmread(logic.report.state.written.folder / "sr.dcm").VerificationFlag == "VERIFIED"
    assert "saved in reviewed-1" in ui.messageLabel.text
    assert len(AnalysisResult.load(run / "reviewed-1").reviews) == 2
    assert "seg.dcm, sr.dcm" in ui.writtenLabel.text
    ui.peerSelector.setCurrentIndex(ui.peerSelector.findData("study"))
    module.widget.onPeer(ui.peerSelector.currentIndex)
    assert "identified result is refused" in ui.routeLabel.text
    assert not ui.sendButton.enabled
    ui.peerSelector.setCurrentIndex(ui.peerSelector.findData("ward"))
    module.widget.onPeer(ui.peerSelector.currentIndex)
    harness.reset_stall()
    with harness.python_threads_frozen():
        press(harness, module, "send")
    assert harness.max_stall_ms < 100
    assert "2 sent, 2 arrived" in ui.outboxLabel.text
    assert {row[0] for row in texts(ui.outboxTable)} == {"arrived"}
    assert {row[2] for row in texts(ui.outboxTable)} == {"ward"}
    picture = harness.grab(module.parent, elsewhere / "MedAIReport.png", size=(560, 1400))
    keep_screenshot(picture, "MedAIReport.png")
    ui.arrivedCheckBox.checked = True
    assert texts(ui.outboxTable) == []
    assert logic.outbox.state.deliveries != ()


def test_a_decision_can_be_undone_until_it_is_written(harness: Harness, module: Any, run: Path) -> None:
    ui = module.widget.ui
    open_result(harness, module, run)
    assert not ui.acceptAllButton.enabled, "nobody has given a name"
    ui.personEdit.setText("Jane van Roe")
    assert ui.acceptAllButton.enabled
    assert not ui.acceptButton.enabled, "no finding is chosen"
    press(harness, module, "acceptAll")
    assert "verified by Jane van Roe" in ui.standingLabel.text
    press(harness, module, "rejectAll")
    assert "rejected" in ui.standingLabel.text
    press(harness, module, "undo")
    press(harness, module, "undo")
    assert not ui.undoButton.enabled
    assert "not verified" in ui.standingLabel.text
    assert [path.name for path in run.iterdir()] == ["result"]


def test_an_earlier_result_of_the_patient_is_offered_and_followed(
    harness: Harness, module: Any, places: Path, elsewhere: Path
) -> None:
    def of(date: str) -> Path:
        case = two_findings()
        uid = case.result.study.study_uid if date == "20260301" else "2.25.99"
        study = dataclasses.replace(case.result.study, patient_id="P-1", date=date, study_uid=uid)
        findings = tuple(
            dataclasses.replace(one, tracking_uid=f"2.25.{date}.{number}")
            for number, one in enumerate(case.result.findings, 1)
        )
        made = dataclasses.replace(case.result, study=study, findings=findings)
        return a_run(places / f"MedAI-{date}", dataclasses.replace(case, result=made))

    before, now = of("20250301"), of("20260301")
    module.widget.refresh()
    until_idle(harness, module)
    open_result(harness, module, now)
    box = module.widget.ui.earlierSelector
    assert [box.itemText(row) for row in range(box.count)][1:] == ["Study of 2025-03-01, brain@1.2.0 (MedAI-20250301)"]
    assert box.enabled and box.currentIndex == 0
    box.setCurrentIndex(1)
    module.widget.onEarlier(1)
    assert module.widget.logic.report.state.asked.earlier == str(before)
    table = module.widget.ui.matchesSelector
    assert table.enabled and table.currentPath == ""
    write(harness, module, elsewhere / "out")
    assert "2 of 2 findings are known from the earlier result" in module.widget.ui.messageLabel.text
    (elsewhere / "mine.csv").write_text("finding,earlier\n2.25.20260301.1,\n", encoding="utf-8")
    table.setCurrentPath(str(elsewhere / "mine.csv"))
    write(harness, module, elsewhere / "by table")
    assert "1 of 2 findings are known from the earlier result" in module.widget.ui.messageLabel.text
    open_result(harness, module, before)
    assert not box.enabled and box.currentIndex == 0
    assert not table.enabled and table.currentPath == ""


def test_the_name_is_kept_in_the_persons_settings(harness: Harness, module: Any, run: Path) -> None:
    open_result(harness, module, run)
    verify(harness, module)
    assert type(module.widget.logic)().report._recall("MedAI/Reviewer") == "Jane van Roe"


@pytest.mark.cold_children
def test_cancelling_stops_within_two_seconds_and_leaves_nothing(
    harness: Harness, module: Any, run: Path, elsewhere: Path
) -> None:
    ui = module.widget.ui
    open_result(harness, module, run)
    ui.outputSelector.setCurrentPath(str(elsewhere / "out"))
    harness.click(ui.writeButton)
    harness.click(ui.cancelButton)
    until_idle(harness, module, 2000)
    assert ui.messageLabel.text == "Stopped. Nothing was written."
    assert sorted(path.name for path in elsewhere.iterdir() if "out" in path.name) == []


@pytest.mark.cold_children
def test_a_worker_that_dies_is_told_and_it_can_be_tried_again(
    harness: Harness, module: Any, run: Path, elsewhere: Path
) -> None:
    ui, report = module.widget.ui, module.widget.logic.report
    open_result(harness, module, run)
    ui.outputSelector.setCurrentPath(str(elsewhere / "out"))
    harness.click(ui.writeButton)
    os.kill(report._working._running._process.pid, signal.SIGKILL)
    until_idle(harness, module)
    assert report.state.phase is Phase.FAILED
    assert not (elsewhere / "out").exists()
    write(harness, module, elsewhere / "out")


# --- the database and the routes -------------------------------------------------------------------------------------


@pytest.fixture
def database(elsewhere: Path) -> Any:
    import slicer

    (elsewhere / "database").mkdir()
    slicer.dicomDatabase.openDatabase(str(elsewhere / "database" / "ctkDICOM.sql"))
    return slicer.dicomDatabase


def test_what_was_written_comes_into_slicers_database(
    harness: Harness, module: Any, run: Path, elsewhere: Path, database: Any
) -> None:
    ui = module.widget.ui
    open_result(harness, module, run)
    write(harness, module, elsewhere / "out")
    harness.reset_stall()
    press(harness, module, "database")
    assert harness.max_stall_ms < 100
    assert "are in the DICOM database" in ui.messageLabel.text
    study = module.widget.logic.report.state.written.study_uid
    found = {database.fieldForSeries("Modality", series) for series in database.seriesForStudy(study)}
    assert found == {"SEG", "SR"}


def test_a_study_of_another_patient_in_the_database_is_refused(
    harness: Harness, module: Any, run: Path, elsewhere: Path, database: Any
) -> None:
    ui = module.widget.ui
    open_result(harness, module, run)
    write(harness, module, elsewhere / "out")
    other = dcmread(elsewhere / "out" / "sr.dcm")
    other.PatientID, other.PatientName = "somebody-else", "Else^Somebody"
    other.save_as(elsewhere / "other.dcm")
    database.insert(str(elsewhere / "other.dcm"))
    press(harness, module, "database")
    assert "for another patient, and nothing was added" in ui.messageLabel.text
    database.closeDatabase()
    press(harness, module, "database")
    assert "is not open" in ui.messageLabel.text


def test_a_pseudonymous_result_goes_to_research_alone(harness: Harness, module: Any, elsewhere: Path) -> None:
    ui = module.widget.ui
    open_result(harness, module, a_run(elsewhere / "run", pseudonymous(two_findings())))
    assert "research destinations alone" in ui.outcomeLabel.text
    write(harness, module, elsewhere / "out")
    assert "pseudonymous result is refused" in ui.routeLabel.text
    assert not ui.sendButton.enabled
    module.widget.logic.outbox.choose_peer("study")
    press(harness, module, "send")
    assert "2 arrived" in ui.outboxLabel.text
    assert list((elsewhere / "ward").rglob("*.dcm")) == []


# --- the outbox ------------------------------------------------------------------------------------------------------


def test_slicers_own_servers_are_destinations(harness: Harness, module: Any) -> None:
    import qt

    node = {"Name": "Archive", "Address": "127.0.0.1", "Port": "104", "Called AETitle": "PACS", "Calling AETitle": "ME"}
    settings = qt.QSettings()
    settings.setValue("DICOM/ServerNodeCount", 1)
    settings.setValue("DICOM/ServerNodes/0", json.dumps(node))
    press(harness, module, "refresh")
    box = module.widget.ui.peerSelector
    offered = [box.itemText(row) for row in range(box.count)]
    assert offered[-1] == "archive (PACS 127.0.0.1:104), clinical, from Slicer's servers"
    assert offered[1].endswith("research")


def test_what_waits_is_sent_on_a_click_and_what_is_done_with_is_removed_after_asking(
    harness: Harness, module: Any, run: Path, elsewhere: Path
) -> None:
    ui = module.widget.ui
    (elsewhere / "ward").rmdir()
    open_result(harness, module, run)
    write(harness, module, elsewhere / "out")
    press(harness, module, "send")
    assert "2 waiting" in ui.outboxLabel.text
    assert all(row[0].startswith("waiting") and row[4] for row in texts(ui.outboxTable))
    (elsewhere / "ward").mkdir()
    _make_due()
    press(harness, module, "deliver")
    assert "2 arrived" in ui.outboxLabel.text
    assert not ui.deliverButton.enabled
    harness.dialogs.answer("cancel")
    press(harness, module, "remove")
    assert ui.outboxTable.rowCount == 2
    ui.outboxTable.selectRow(0)
    harness.dialogs.answer("ok")
    press(harness, module, "remove")
    assert "Remove 1 from the outbox" in harness.dialogs.shown[-1].text
    assert ui.outboxTable.rowCount == 1


def test_what_was_refused_is_tried_again(harness: Harness, module: Any, run: Path, elsewhere: Path) -> None:
    ui = module.widget.ui
    (elsewhere / "ward").rmdir()
    open_result(harness, module, run)
    write(harness, module, elsewhere / "out")
    press(harness, module, "send")
    ward = load_peers()["ward"]
    save_peers([dataclasses.replace(ward, research=True)])
    _make_due()
    press(harness, module, "deliver")
    assert {row[0] for row in texts(ui.outboxTable)} == {"refused"}
    assert all("marked research" in row[4] for row in texts(ui.outboxTable))
    press(harness, module, "retry")
    assert "2 waiting again" in ui.outboxLabel.text


def _make_due() -> None:
    from slicermedai.pacs.outbox import Outbox, State

    with Outbox() as outbox:
        for one in outbox.deliveries():
            outbox.update(one, State.QUEUED, next_try=0.0)


def test_what_speaks_to_archives_is_offered_where_it_is_missing(
    harness: Harness, module: Any, monkeypatch: pytest.MonkeyPatch, installer: Callable[[str], Path]
) -> None:
    monkeypatch.setitem(slicer_modules.RETURNED, "packaging.pip_check", False)
    module.widget.refresh()
    until_idle(harness, module)
    noted = installer("")
    ui = module.widget.ui
    assert ui.installButton.visible
    assert "pynetdicom" in ui.installButton.text
    harness.dialogs.answer("cancel")
    harness.click(ui.installButton)
    assert harness.wait_until(lambda: bool(harness.dialogs.shown), 30_000)
    assert "dicomweb-client" in harness.dialogs.shown[0].text
    assert not noted.exists()
    monkeypatch.undo()
    until_idle(harness, module)


# --- in Slicer -------------------------------------------------------------------------------------------------------


def test_closing_the_scene_leaves_a_working_panel(harness: Harness, module: Any, run: Path, elsewhere: Path) -> None:
    import slicer

    open_result(harness, module, run)
    slicer.mrmlScene.Clear(0)
    harness.process(20)
    write(harness, module, elsewhere / "out")


def test_leaving_and_coming_back_keeps_what_was_decided(harness: Harness, module: Any, run: Path) -> None:
    open_result(harness, module, run)
    verify(harness, module)
    module.exit()
    module.enter()
    until_idle(harness, module)
    decisions = [one.decision for one in module.widget.logic.report.state.pending]
    assert decisions == [Decision.ACCEPTED, Decision.REJECTED]
    assert "2 decisions" in module.widget.ui.standingLabel.text


def test_nothing_of_a_person_is_kept_in_the_scene(harness: Harness, module: Any, run: Path, elsewhere: Path) -> None:
    import slicer

    open_result(harness, module, run)
    verify(harness, module)
    slicer.mrmlScene.SetURL(str(elsewhere / "scene.mrml"))
    slicer.mrmlScene.Commit()
    saved = (elsewhere / "scene.mrml").read_bytes()
    assert b"Roe" not in saved
    assert str(run).encode() not in saved


def test_the_self_test_passes_on_the_stand_in(module: Any, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    monkeypatch.setattr(slicer.util, "tempDirectory", lambda: tempfile.mkdtemp(dir=elsewhere), raising=False)
    module.module.runTest()


def test_it_is_loaded_after_slicers_dicom_module(module: Any) -> None:
    assert list(module.module.parent.dependencies) == ["DICOM"]


def test_loading_it_loads_nothing_heavy(harness: Harness) -> None:
    code = (
        "import sys; from pathlib import Path; from Testing.Harness import install; h = install();"
        f"m = h.load_module(Path({str(MODULE)!r}));"
        "print([n for n in ('torch', 'monai', 'highdicom', 'SimpleITK', 'pydicom', 'pynetdicom') if n in sys.modules]);"
        "m.close(); h.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
