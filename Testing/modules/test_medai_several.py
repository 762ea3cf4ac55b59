"""The module MedAI with several images at once: ticked in a tree, dropped as files, taken from the DICOM browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6 import QtCore, QtGui, QtWidgets

from slicermedai.app import trust_look
from slicermedai.app.state import Phase
from slicermedai.domain.study import Study
from Testing.app.test_guided_run import PlannedJob, a_result
from Testing.fixtures.grids import covering
from Testing.Harness import Harness, facts
from Testing.Harness.pythonqt.dicom import DicomDatabase
from Testing.Harness.pythonqt.objects import unwrap
from Testing.inference.conftest import body_on
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.modules.conftest import MODULE

SOON, LONG = 5_000, 60_000
NAMES = ("Patients", "Studies", "Series")
ROWS = {
    "patient": {"p1": {"PatientID": "1", "PatientName": "Invented^One"}},
    "study": {"1.1": {"StudyDescription": "Head"}, "1.2": {"StudyDescription": "Body"}},
    "series": {
        "1.1.1": {"Modality": "MR", "SeriesDescription": "Scout", "BodyPartExamined": "HEAD"},
        "1.1.2": {"Modality": "MR", "SeriesDescription": "Thin", "BodyPartExamined": "HEAD"},
        "1.1.3": {"Modality": "SEG", "SeriesDescription": "Made by a model", "BodyPartExamined": ""},
        "1.2.1": {"Modality": "CT", "SeriesDescription": "Plain", "BodyPartExamined": ""},
        "1.2.2": {"Modality": "MR", "SeriesDescription": "Thick", "BodyPartExamined": ""},
    },
}
ABOVE = {"1.1": "p1", "1.2": "p1", "1.1.1": "1.1", "1.1.2": "1.1", "1.1.3": "1.1", "1.2.1": "1.2", "1.2.2": "1.2"}


@pytest.fixture
def panel(harness: Harness, places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, entered, with one model, a volume in the scene, and a database of two studies; no run is real."""
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(trust_look, "PAUSE", 0.0)
    write_tiny_bundle(tmp_path / "home" / "models" / "tiny@0.1")
    database = DicomDatabase()
    database.openDatabase(str(tmp_path / "database" / "ctkDICOM.sql"))
    database.rows, database.above = ROWS, ABOVE
    database.files = {uid: {uid: f"{uid}.dcm"} for uid in ROWS["series"]}
    monkeypatch.setattr(slicer, "dicomDatabase", database)
    body, _ = body_on(covering(spacing=(8.0, 8.0, 8.0), extent=(100.0, 126.0, 116.0)))
    volume_to_node(replace(body, name="Loaded MR"), slicer.mrmlScene, study=Study(study_uid="9", patient_id="A"))
    loaded = harness.load_module(MODULE)
    monkeypatch.setattr(
        loaded.widget.logic.presenter, "_submit", lambda *_, **__: PlannedJob([("read", 0.1)], a_result())
    )
    monkeypatch.setattr(loaded.widget.logic.showing, "show", lambda order, turn=True: None)
    loaded.parent.show()
    loaded.enter()
    yield loaded
    loaded.close()
    harness.wait_until(lambda: not any(one.busy for one in loaded.widget.presenters()), SOON)


def item(tree: Any, text: str) -> QtWidgets.QTreeWidgetItem:
    (found,) = unwrap(tree).findItems(text, QtCore.Qt.MatchFlag.MatchExactly | QtCore.Qt.MatchFlag.MatchRecursive)
    return found


def tick(harness: Harness, tree: Any, text: str, *, on: bool = True) -> None:
    """As the space bar does."""
    state = QtCore.Qt.CheckState.Checked if on else QtCore.Qt.CheckState.Unchecked
    item(tree, text).setCheckState(0, state)
    harness.process(10)


def ticks(tree: Any) -> dict[str, QtCore.Qt.CheckState]:
    names = ("Invented^One", "Head", "Body", "MR Thin", "MR Scout", "CT Plain", "MR Thick", "Loaded MR")
    return {name: item(tree, name).checkState(0) for name in names}


def cells(table: Any) -> list[list[str]]:
    return [[table.item(row, n).text() for n in range(table.columnCount)] for row in range(table.rowCount)]


def opened(harness: Harness, panel: Any) -> None:
    """The section is open, and the database is listed."""
    panel.widget.ui.severalSection.collapsed = False
    harness.process(20)
    assert harness.wait_until(lambda: not panel.widget._picks.tree.busy, SOON)


YES, PARTLY, NO = QtCore.Qt.CheckState.Checked, QtCore.Qt.CheckState.PartiallyChecked, QtCore.Qt.CheckState.Unchecked


@pytest.mark.usefixtures("warm_networks")
def test_a_patient_is_ticked_its_series_are_shown_changed_and_run(
    harness: Harness, panel: Any, tmp_path: Path, keep_screenshot: Callable[[Path, str], None]
) -> None:
    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    assert unwrap(ui.pickTree).topLevelItemCount() == 0, "nothing is listed before the section is opened"
    opened(harness, panel)
    tick(harness, ui.pickTree, "Invented^One")
    assert ticks(ui.pickTree) == {
        "Invented^One": PARTLY, "Head": PARTLY, "Body": PARTLY, "MR Thin": YES, "MR Scout": NO, "CT Plain": NO,
        "MR Thick": YES, "Loaded MR": NO,
    }  # fmt: skip
    tick(harness, ui.pickTree, "CT Plain")
    assert ticks(ui.pickTree)["Body"] is YES
    tick(harness, ui.pickTree, "MR Thick", on=False)
    tick(harness, ui.pickTree, "Loaded volumes")
    rows = cells(ui.pickTable)
    assert [row[0] for row in rows] == ["Invented^One – Thin", "Invented^One – Plain", "Loaded MR"]
    assert "the image is CT" in rows[1][1]
    assert harness.wait_until(lambda: not panel.widget.logic.trust.busy, LONG)
    assert ui.trustLabel.text.startswith("Confidence: not calibrated.")
    keep_screenshot(harness.grab(panel.parent, tmp_path / "MedAI-several.png", size=(460, 980)), "MedAI-several.png")
    assert ui.queueButton.text == "Run all 3 of these"
    harness.click(ui.queueButton)
    assert ui.pickTable.rowCount == 0
    assert harness.wait_until(lambda: not presenter.busy, SOON)
    assert [row[:3] for row in cells(ui.queueTable)] == [
        [name, "tiny@0.1", "done"] for name in ("Invented^One – Thin", "Invented^One – Plain", "Loaded MR")
    ]
    assert presenter.state.phase is Phase.DONE


@pytest.mark.filterwarnings("ignore:Function. 'QDrag:DeprecationWarning")
def test_files_are_dropped_from_a_file_manager(harness: Harness, panel: Any, tmp_path: Path) -> None:
    """The text box is Qt's own: nothing of PythonQt, which has no event filters, is in the way."""
    ui = panel.widget.ui
    ui.severalSection.collapsed = False
    (tmp_path / "one study").mkdir()
    dropped = QtCore.QMimeData()
    dropped.setUrls([QtCore.QUrl.fromLocalFile(str(tmp_path / name)) for name in ("one study", "gone")])
    edit = unwrap(ui.pathsEdit)
    assert edit.acceptDrops()
    assert edit.canInsertFromMimeData(dropped)
    place = QtCore.QPointF(5, 5)
    action, button = QtCore.Qt.DropAction.CopyAction, QtCore.Qt.MouseButton.LeftButton
    none = QtCore.Qt.KeyboardModifier.NoModifier
    for kind in (QtGui.QDragEnterEvent, QtGui.QDragMoveEvent):
        QtWidgets.QApplication.sendEvent(edit.viewport(), kind(place.toPoint(), action, dropped, button, none))
    QtWidgets.QApplication.sendEvent(edit.viewport(), QtGui.QDropEvent(place, action, dropped, button, none))
    harness.process(20)
    assert cells(ui.pickTable) == [["one study", ""], ["gone", "Not run: It is not there."]]
    assert ui.queueButton.text == "Run what is picked"
    assert ui.queueButton.enabled
    edit.setPlainText("")
    assert not ui.queueButton.enabled


def browse(monkeypatch: pytest.MonkeyPatch, **chosen: list[str]) -> None:
    """Something is chosen in Slicer's DICOM browser of tables."""
    import slicer

    tables = SimpleNamespace(
        **{f"current{name}Selection": lambda name=name: chosen.get(name.lower(), []) for name in NAMES}
    )
    browser = SimpleNamespace(dicomBrowser=SimpleNamespace(dicomTableManager=lambda: tables))
    monkeypatch.setattr(slicer.modules, "DICOMInstance", SimpleNamespace(browserWidget=browser), raising=False)


def test_several_that_are_chosen_in_the_dicom_browser_are_picked_and_one_is_the_image(
    harness: Harness, panel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    browse(monkeypatch, patients=["p1"], studies=["1.1", "1.2"])
    harness.click(ui.browserButton)
    assert not ui.severalSection.collapsed
    assert harness.wait_until(lambda: ui.pickTable.rowCount > 0, SOON)
    assert [row[0] for row in cells(ui.pickTable)] == ["Invented^One – Thin", "Invented^One – Thick"]
    browse(monkeypatch, series=["1.1.2", "1.1.3"])
    harness.click(ui.browserButton)
    assert presenter.source == [Path("1.1.2.dcm")], "what is no image is nothing to choose between"
    assert presenter.state.body_part == "HEAD"
    browse(monkeypatch)
    harness.click(ui.browserButton)
    assert ui.messageLabel.text.startswith("No series of images is chosen in the DICOM browser")


class Browser:
    """Slicer's ``SlicerDICOMBrowser``: a widget with a layout, which has the tables' browser in it."""

    def __init__(self, **chosen: list[str]) -> None:
        import qt

        self._widget = qt.QWidget()
        self._widget.setLayout(qt.QVBoxLayout())
        tables = SimpleNamespace(
            **{f"current{name}Selection": lambda name=name: chosen.get(name.lower(), []) for name in NAMES}
        )
        self.dicomBrowser = SimpleNamespace(dicomTableManager=lambda: tables)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._widget, name)


def buttons_in(browser: Browser) -> list[Any]:
    import slicer

    from slicermedai.scene.browser_button import NAME

    return list(slicer.util.findChildren(browser, name=NAME))


def test_a_button_in_the_dicom_browser_takes_over_what_is_chosen_there(
    harness: Harness, panel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    ui = panel.widget.ui
    selector = slicer.util.moduleSelector()
    panel.module.addSettings()
    selector.selectModule("Data")
    browser = Browser(patients=["p1"], studies=["1.1", "1.2"])
    monkeypatch.setattr(slicer.modules, "DICOMInstance", SimpleNamespace(browserWidget=browser), raising=False)
    for _ in range(2):
        selector.selectModule("DICOM")
    (button,) = buttons_in(browser)
    assert button.text == "Analyse with MedAI"
    harness.click(button)
    assert selector.selectedModule == "MedAI"
    assert harness.wait_until(lambda: ui.pickTable.rowCount > 0, SOON)
    assert [row[0] for row in cells(ui.pickTable)] == ["Invented^One – Thin", "Invented^One – Thick"]
    second = Browser()
    slicer.modules.DICOMInstance.browserWidget = second
    selector.selectModule("DICOM")
    assert len(buttons_in(second)) == 1, "the DICOM module was reloaded, and has another browser"
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit("Data")
    assert len(buttons_in(second)) == 1, "another module goes"
    panel.close()
    harness.process(20)
    assert buttons_in(second) == []
    selector.selectModule("DICOM")
    assert buttons_in(second) == []


def test_a_volume_that_was_loaded_from_the_database_says_what_it_shows(harness: Harness, panel: Any) -> None:
    import slicer

    from slicermedai.scene.hierarchy import hierarchy_of, item_of

    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    node = slicer.util.getNode("Loaded MR")
    ui.volumeSelector.setCurrentNode(node)
    assert (presenter.state.modality, presenter.state.body_part) == ("MR", "")
    hierarchy_of(slicer.mrmlScene).SetItemUID(item_of(node), "DICOM", "1.1.2")
    ui.volumeSelector.setCurrentNode(None)
    ui.volumeSelector.setCurrentNode(node)
    assert (presenter.state.modality, presenter.state.body_part) == ("MR", "HEAD")
    assert presenter.state.series == "", "the volume is analysed, and not the series"


def test_closing_the_scene_lets_go_of_what_was_picked(harness: Harness, panel: Any) -> None:
    import slicer

    ui = panel.widget.ui
    opened(harness, panel)
    tick(harness, ui.pickTree, "Loaded MR")
    assert ui.pickTable.rowCount == 1
    slicer.mrmlScene.Clear(0)
    harness.process(20)
    assert (ui.pickTable.rowCount, ui.queueButton.enabled) == (0, False)
    panel.exit()
    panel.enter()
    opened(harness, panel)
    assert unwrap(ui.pickTree).findItems("Loaded volumes", QtCore.Qt.MatchFlag.MatchExactly) == []


def test_slicers_browsers_have_what_is_asked_of_them() -> None:
    asked = {
        "ctkDICOMBrowser": ["dicomTableManager"],
        "ctkDICOMTableManager": ["currentPatientsSelection", "currentStudiesSelection", "currentSeriesSelection"],
        "ctkDICOMVisualBrowserWidget": ["patientView"],
        "ctkDICOMPatientView": ["selectedPatientUIDs", "selectedSeriesInstanceUIDs", "studyListView"],
        "ctkDICOMStudyListView": ["selectedStudyInstanceUIDs"],
    }
    missing = [(name, one) for name, members in asked.items() for one in members if facts.member(name, one) is None]
    assert missing == []
