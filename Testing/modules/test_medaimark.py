"""The module MedAI Mark, as a person uses it: points and a box in the views, answers, undo, keeping, what may fail."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from slicermedai.app.state import Phase
from slicermedai.bundles.consent import agree
from slicermedai.bundles.store import Title
from slicermedai.console.prompting import PromptSession
from slicermedai.domain.prompts import PointPrompt
from slicermedai.domain.result import AnalysisResult
from Testing.fixtures.grids import covering
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.Harness import Harness
from Testing.Harness.pythonqt import slicer_modules
from Testing.inference.conftest import body_on
from Testing.inference.prompt_bundle import write_prompt_bundle
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.modules.keyboard import Keyboard
from Testing.modules.opening import entered

pytestmark = pytest.mark.usefixtures("warm_networks")
MODULE = Path(__file__).resolve().parents[2] / "SlicerMedAI" / "MedAIMark.py"
LONG = 60_000
GRID = covering(spacing=(3.0, 3.0, 3.0), extent=(100.0, 126.0, 116.0))
PLACE, FAR = (11.0, -18.0, 9.0), (-27.0, 33.0, -31.0)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files, settings and models of the test's own; one model goes by marks, one does not."""
    for name in ("temp", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    models = tmp_path / "home" / "models"
    write_tiny_bundle(models / "tiny@0.1")
    folder = write_prompt_bundle(models / "marked@0.1", "at_places")
    agree(Title(name="marked", version="0.1"), "the test", folder)
    return tmp_path


@pytest.fixture
def module(harness: Harness, places: Path, elsewhere: Path) -> Iterator[Any]:
    """The module, loaded and entered."""
    with entered(harness, MODULE) as loaded:
        yield loaded


@pytest.fixture
def image(harness: Harness, module: Any) -> Any:
    """The image, in the scene, and chosen."""
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    node = volume_to_node(body_on(GRID)[0], slicer.mrmlScene)
    node.SetName("MR of the body")
    module.widget.ui.volumeSelector.setCurrentNode(node)
    return node


@pytest.fixture
def series(harness: Harness, elsewhere: Path) -> Path:
    """The image as a DICOM series that Slicer's database knows."""
    import slicer

    files = write_series(body_on(GRID)[0], elsewhere / "series", spec=SeriesSpec(slope=1e-4))
    slicer.dicomDatabase.openDatabase(str(elsewhere / "database" / "ctkDICOM.sql"))
    for path in files:
        slicer.dicomDatabase.insert(str(path))
    return elsewhere / "series"


def loaded(folder: Path) -> Any:
    """The series, as Slicer's DICOM module loads it."""
    import slicer

    from slicermedai.dicom.inputs import open_source
    from slicermedai.scene.volumes import volume_to_node

    source = open_source(folder)
    return volume_to_node(source.volume, slicer.mrmlScene, study=source.study)


def presenter_of(module: Any) -> Any:
    return module.widget.logic.presenter


def until_idle(harness: Harness, module: Any, milliseconds: int = LONG) -> None:
    assert harness.wait_until(lambda: not presenter_of(module).busy, milliseconds)


def click_at(*places: tuple[float, float, float]) -> None:
    """Click in the views, as Slicer's own place mode does: what is placed gets a point; LPS mm."""
    import slicer

    scene = slicer.mrmlScene
    selection = scene.GetSingletonNode("Singleton", "vtkMRMLSelectionNode")
    interaction = scene.GetSingletonNode("Singleton", "vtkMRMLInteractionNode")
    for left, posterior, superior in places:
        assert interaction.GetCurrentInteractionMode() == interaction.Place, "clicks mark nothing"
        node = scene.GetNodeByID(selection.GetActivePlaceNodeID())
        node.AddControlPoint(-left, -posterior, superior)
    if not interaction.GetPlaceModePersistence():
        interaction.SwitchToViewTransformMode()


def mark(harness: Harness, module: Any, button: str, *places: tuple[float, float, float]) -> None:
    """Press the button, click in the views, press it again where it is still down, and wait for the answer."""
    ui = module.widget.ui
    harness.click(getattr(ui, f"{button}Button"))
    harness.call(click_at, *places)
    if getattr(ui, f"{button}Button").checked:
        harness.click(getattr(ui, f"{button}Button"))
    until_idle(harness, module)


def texts(table: Any) -> list[tuple[str, ...]]:
    return [
        tuple(table.item(row, column).text() for column in range(table.columnCount)) for row in range(table.rowCount)
    ]


def nodes(kind: str) -> list[Any]:
    import slicer

    return list(slicer.util.getNodesByClass(f"vtkMRML{kind}Node"))


def segmented() -> np.ndarray:
    """The voxels of the one segment of the one segmentation."""
    from slicermedai.scene.segments import mask_from_segment

    (node,) = nodes("Segmentation")
    (name,) = node.GetSegmentation().GetSegmentIDs()
    return np.asarray(mask_from_segment(node, name).to_array())


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def pid_of(module: Any) -> int:
    session: PromptSession = presenter_of(module)._session
    assert session._child.pid is not None
    return session._child.pid


# --- what is offered -------------------------------------------------------------------------------------------------


def test_it_opens_offers_the_models_that_take_marks_and_says_what_to_do(module: Any, elsewhere: Path) -> None:
    ui = module.widget.ui
    assert "Research use only" in ui.noticeLabel.text
    assert ui.messageLabel.text == "Choose a volume."
    assert [ui.modelSelector.itemText(row) for row in range(ui.modelSelector.count)] == ["marked@0.1"]
    assert [ui.structureSelector.itemText(row) for row in range(ui.structureSelector.count)] == ["Body", "Other"]
    assert not ui.modelsButton.visible and not ui.installButton.visible
    for button in ("inside", "outside", "box", "undo", "redo", "remove", "clear", "cancel", "keep", "review", "report"):
        assert not getattr(ui, f"{button}Button").enabled, button
    write_prompt_bundle(elsewhere / "home" / "models" / "other@0.1", "by_two_lists")
    module.exit()
    module.enter()
    assert ui.modelSelector.currentText == "marked@0.1", "what was chosen stays"
    ui.modelSelector.setCurrentIndex(1)
    module.widget.onModel(1)
    assert [ui.structureSelector.itemText(row) for row in range(ui.structureSelector.count)] == ["Body"]


# --- marking ---------------------------------------------------------------------------------------------------------


@pytest.mark.cold_children
def test_a_person_marks_is_answered_in_place_takes_back_and_keeps_and_the_window_lives(
    harness: Harness, module: Any, series: Path, places: Path, elsewhere: Path, keep_screenshot: Callable[..., None]
) -> None:
    import slicer

    ui, presenter = module.widget.ui, presenter_of(module)
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    image = loaded(series)
    image.SetName("MR of the body")
    ui.volumeSelector.setCurrentNode(image)
    assert "Choose a structure and press Add points in" in ui.messageLabel.text
    assert "Analysed by the DICOM files" in ui.sourceLabel.text
    said = list[str]()
    presenter.changed.connect(lambda state: said.append(ui.stageLabel.text))
    harness.reset_stall()
    with harness.python_threads_frozen():
        mark(harness, module, "inside", PLACE)
    assert any(re.fullmatch("Reading the image – [0-9]+ s", words) for words in said), said
    assert view.GetBackgroundVolumeID() == image.GetID(), "who is to click sees the image"
    first, (segmentation,) = segmented(), nodes("Segmentation")
    assert first.any()
    assert ui.messageLabel.text == "Answered, by 1 mark."
    assert texts(ui.marksTable) == [("inside", "Body", "11.0 -18.0 9.0")]
    assert "Score: not calibrated. Semi-automatic" in ui.answerLabel.text
    assert {row[4] for row in texts(ui.findingsTable)} == {"not calibrated"}
    assert not ui.volumeSelector.enabled and not ui.modelSelector.enabled
    with harness.python_threads_frozen():
        mark(harness, module, "outside", (PLACE[0] + 9, PLACE[1], PLACE[2]))
        mark(harness, module, "box", (4.0, -26.0, 2.0), (18.0, -10.0, 16.0))
    assert harness.max_stall_ms < 100
    assert segmented().sum() < first.sum()
    assert nodes("Segmentation") == [segmentation], "updated in place"
    assert presenter._session._child.starts == 1, "the model stays loaded"
    assert [row[0] for row in texts(ui.marksTable)] == ["inside", "outside", "box"]
    ui.marksTable.setCurrentCell(1, 0)
    keep_screenshot(harness.grab(module.parent, elsewhere / "M.png", size=(560, 930)), "MedAIMark.png")
    harness.click(ui.removeButton)
    assert [row[0] for row in texts(ui.marksTable)] == ["inside", "box"]
    for _ in range(3):
        harness.click(ui.undoButton)
    until_idle(harness, module)
    assert np.array_equal(segmented(), first)
    assert len(nodes("MarkupsROI")) == 0, "what was taken back leaves the views"
    with harness.python_threads_frozen():
        harness.click(ui.keepButton)
        until_idle(harness, module)
    assert harness.max_stall_ms < 100
    folder = presenter.state.saved
    assert folder.parent == places and f"Kept in {folder.name}" in ui.messageLabel.text
    assert not ui.keepButton.enabled, "it is kept"
    check_kept(folder, presenter.state.result)
    check_review_takes_its_place(harness, module, folder)


def check_kept(folder: Path, shown: AnalysisResult) -> None:
    """What was kept is what was shown, with the marks and as DICOM."""
    kept = AnalysisResult.load(folder / "result")
    assert kept.provenance.prompts == (PointPrompt(label="Body", position=PLACE),)
    assert np.array_equal(kept.findings[0].region.to_array(), shown.findings[0].region.to_array())
    assert {"seg.dcm", "sr.dcm"} <= {path.name for path in (folder / "dicom").iterdir()}


def check_review_takes_its_place(harness: Harness, module: Any, folder: Path) -> None:
    """MedAI Review shows what was kept, and what was only answered is gone."""
    import slicer

    (answer,) = nodes("Segmentation")
    later = harness.load_module(MODULE.with_name("MedAIReview.py"))
    harness.click(module.widget.ui.reviewButton)
    assert slicer.util.selectedModule() == "MedAIReview"
    review = later.widget.logic.review
    assert harness.wait_until(lambda: not review.busy, LONG)
    assert review.state.asked.folder == str(folder)
    (now,) = nodes("Segmentation")
    assert now is not answer and now.GetSegmentation().GetNumberOfSegments() == 1
    assert nodes("MarkupsFiducial") == [] and texts(module.widget.ui.marksTable) == []
    later.close()


def test_clicks_elsewhere_mark_nothing_and_what_is_chosen_is_seen(harness: Harness, module: Any, image: Any) -> None:
    import slicer

    ui = module.widget.ui
    harness.click(ui.outsideButton)
    assert ui.outsideButton.checked and not ui.insideButton.checked
    assert "Click beside Body" in ui.messageLabel.text
    harness.click(ui.insideButton)
    assert ui.insideButton.checked and not ui.outsideButton.checked
    ui.structureSelector.setCurrentIndex(1)
    module.widget.onStructure(1)
    assert "Click in Other" in ui.messageLabel.text
    slicer.mrmlScene.GetSingletonNode("Singleton", "vtkMRMLInteractionNode").SwitchToViewTransformMode()  # Escape
    assert not ui.insideButton.checked
    harness.click(ui.insideButton)
    module.exit()
    assert not ui.insideButton.checked
    with pytest.raises(AssertionError, match="clicks mark nothing"):
        click_at(PLACE)
    module.enter()
    assert ui.messageLabel.text.startswith("Choose a structure and press")
    slicer.mrmlScene.RemoveNode(image)
    harness.process(20)
    assert ui.messageLabel.text == "Choose a volume." and not ui.insideButton.enabled


def test_a_volume_under_a_transform_or_unknown_to_the_database_is_analysed_by_its_voxels(
    harness: Harness, module: Any, series: Path
) -> None:
    import slicer

    ui, logic, node = module.widget.ui, module.widget.logic, loaded(series)
    assert sorted(logic.filesOf(node)) == sorted(series.iterdir())
    node.SetAndObserveTransformNodeID(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode").GetID())
    assert logic.filesOf(node) == []
    node.SetAndObserveTransformNodeID(None)
    node.SetAttribute("DICOM.instanceUIDs", node.GetAttribute("DICOM.instanceUIDs") + " 1.2.3")
    ui.volumeSelector.setCurrentNode(node)
    assert "Analysed by its voxels" in ui.sourceLabel.text


# --- what may fail ---------------------------------------------------------------------------------------------------


@pytest.mark.cold_children
def test_cancelling_ends_all_processes_within_two_seconds_and_a_dead_one_is_told(
    harness: Harness, module: Any, image: Any, elsewhere: Path
) -> None:
    ui, presenter = module.widget.ui, presenter_of(module)
    harness.click(ui.insideButton)
    harness.call(click_at, PLACE)
    assert harness.wait_until(lambda: presenter._session is not None and presenter._session._child.pid is not None)
    pid = pid_of(module)
    harness.click(ui.cancelButton)
    until_idle(harness, module, 2_000)
    assert presenter.state.phase is Phase.CANCELLED and not alive(pid)
    assert ui.messageLabel.text.startswith("Stopped. The marks stay: try again")
    assert len(texts(ui.marksTable)) == 1 and nodes("Segmentation") == []
    harness.click(ui.againButton)
    assert harness.wait_until(lambda: presenter._session._child.pid is not None)
    os.kill(pid_of(module), signal.SIGKILL)
    until_idle(harness, module)
    assert presenter.state.phase is Phase.FAILED
    assert "the worker died: SIGKILL, it was killed from outside" in ui.messageLabel.text
    assert ui.undoButton.enabled and ui.againButton.enabled and not ui.keepButton.enabled


@pytest.mark.cold_children
def test_unloading_it_while_it_answers_leaves_no_process_no_node_and_no_file(
    harness: Harness, module: Any, image: Any, elsewhere: Path
) -> None:
    presenter = presenter_of(module)
    for kind in ("inside", "outside", "box"):
        harness.click(getattr(module.widget.ui, f"{kind}Button"))
        harness.call(click_at, PLACE, FAR)
    assert harness.wait_until(lambda: presenter._session is not None and presenter._session._child.pid is not None)
    pid = pid_of(module)
    module.close()
    harness.process(50)
    assert not alive(pid)
    for kind in ("MarkupsFiducial", "MarkupsROI", "MarkupsDisplay", "Segmentation", "Table"):
        assert nodes(kind) == [], kind
    assert [path for path in (elsewhere / "temp").rglob("*") if path.is_file()] == []


def test_closing_the_scene_while_it_answers_leaves_a_working_panel(harness: Harness, module: Any, image: Any) -> None:
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    ui, presenter = module.widget.ui, presenter_of(module)
    harness.click(ui.insideButton)
    harness.call(click_at, PLACE)
    assert harness.wait_until(lambda: presenter._session is not None and presenter._session._child.pid is not None)
    pid = pid_of(module)
    slicer.mrmlScene.Clear(0)
    harness.process(50)
    assert not alive(pid) and not presenter.busy
    assert ui.messageLabel.text == "Choose a volume." and texts(ui.marksTable) == []
    assert not ui.insideButton.checked and ui.volumeSelector.enabled
    ui.volumeSelector.setCurrentNode(volume_to_node(body_on(GRID)[0], slicer.mrmlScene))
    assert ui.insideButton.enabled


def test_a_model_with_code_of_its_own_says_that_somebody_must_agree(module: Any) -> None:
    assert "to which somebody must have agreed in MedAI Models" in module.widget.ui.modelDescription.text


def test_without_a_model_it_says_how_to_get_one_and_leads_there(
    harness: Harness, places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "empty"))
    write_tiny_bundle(tmp_path / "empty" / "models" / "tiny@0.1")
    opened = harness.load_module(MODULE)
    ui = opened.widget.ui
    assert "No model that goes by marks is installed. Open MedAI Models and take one in" in ui.messageLabel.text
    assert ui.modelSelector.count == 0
    harness.click(ui.modelsButton)
    assert slicer.util.selectedModule() == "MedAIModels"
    opened.close()


def test_without_torch_it_opens_says_so_and_installs_on_a_click(
    harness: Harness, module: Any, image: Any, installer: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ui, presenter = module.widget.ui, presenter_of(module)
    monkeypatch.setitem(slicer_modules.RETURNED, "packaging.pip_check", False)
    noted = installer("print('ok')\n")
    module.widget.refresh()
    assert ui.messageLabel.text.startswith("Not installed: ") and "torch" in ui.installButton.text
    assert not ui.insideButton.enabled
    harness.dialogs.answer("ok")
    harness.click(ui.installButton)
    assert harness.wait_until(lambda: not presenter.busy, 30_000)
    assert "torch" in harness.dialogs.shown[0].text
    assert "packages install" in noted.read_text()
    monkeypatch.setitem(slicer_modules.RETURNED, "packaging.pip_check", True)
    module.widget.refresh()
    assert ui.insideButton.enabled and not ui.installButton.visible


# --- by keyboard -----------------------------------------------------------------------------------------------------


def test_the_pseudonymous_route_is_marked_for_stopped_and_taken_back_by_keyboard_alone(
    harness: Harness, module: Any, series: Path
) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    def key(one: Any, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
        keyboard.go_to("marksTable")
        QTest.keyClick(QApplication.focusWidget(), one, modifier)

    ui, presenter = module.widget.ui, presenter_of(module)
    image = loaded(series)
    keyboard = Keyboard(harness, module)
    keyboard.press("volumeSelector", Qt.Key.Key_Down)
    assert presenter.image is image
    keyboard.press("deidentifyCheckBox", Qt.Key.Key_Space)
    keyboard.press("numbersSection", Qt.Key.Key_Space)
    for name, value in zip(("left", "posterior", "superior"), PLACE, strict=True):
        keyboard.type(f"{name}SpinBox", f"{value:.1f}")
    for kind in ("inside", "outside", "box"):
        keyboard.press(f"{kind}HereButton", Qt.Key.Key_Space)
    assert harness.wait_until(lambda: presenter._session is not None)
    assert presenter._session._job.identity == "deidentify"
    assert not ui.deidentifyCheckBox.enabled and ui.deidentifyCheckBox.checked
    keyboard.press("cancelButton", Qt.Key.Key_Space)
    until_idle(harness, module, 2_000)
    assert [row[0] for row in texts(ui.marksTable)] == ["inside", "outside", "box"]
    key(Qt.Key.Key_U)
    key(Qt.Key.Key_U, Qt.KeyboardModifier.ShiftModifier)
    key(Qt.Key.Key_U)
    assert [row[0] for row in texts(ui.marksTable)] == ["inside", "outside"]
    key(Qt.Key.Key_S)
    assert not presenter._is_keeping, "there is no answer to keep"
    for one, kind in ((Qt.Key.Key_I, "inside"), (Qt.Key.Key_O, "outside"), (Qt.Key.Key_B, "box")):
        key(one)
        assert presenter.state.placing == kind


# --- in Slicer -------------------------------------------------------------------------------------------------------


def test_the_self_test_passes_on_the_stand_in(module: Any, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    sample = ModuleType("SampleData")
    sample.downloadSample = lambda name: volume_to_node(body_on(GRID)[0], slicer.mrmlScene)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "SampleData", sample)
    module.module.runTest()


def test_loading_it_loads_nothing_heavy(harness: Harness) -> None:
    code = (
        "import sys; from pathlib import Path; from Testing.Harness import install; h = install();"
        f"m = h.load_module(Path({str(MODULE)!r}));"
        "heavy = ('torch', 'monai', 'highdicom', 'SimpleITK', 'pydicom', 'pynetdicom', 'scipy');"
        "print([n for n in heavy if n in sys.modules]); m.close(); h.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
