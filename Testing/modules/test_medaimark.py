"""The module MedAI Mark, as a person uses it: points and a box in the views, answers, undo, keeping, and what may fail."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai.bundles.consent import agree
from slicermedai.bundles.store import Title
from slicermedai.console.prompting import PromptSession
from slicermedai.domain.prompts import PointPrompt
from slicermedai.domain.result import AnalysisResult
from Testing.fixtures.grids import covering
from Testing.Harness import Harness
from Testing.inference.conftest import body_on
from Testing.inference.prompt_bundle import write_prompt_bundle
from Testing.inference.tiny_bundle import write_tiny_bundle

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
    loaded = harness.load_module(MODULE)
    loaded.parent.show()
    loaded.enter()
    yield loaded
    loaded.close()


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


def test_it_opens_offers_the_models_that_take_marks_and_says_what_to_do(module: Any) -> None:
    ui = module.widget.ui
    assert "Research use only" in ui.noticeLabel.text
    assert ui.messageLabel.text == "Choose a volume."
    assert [ui.modelSelector.itemText(row) for row in range(ui.modelSelector.count)] == ["marked@0.1"]
    assert [ui.structureSelector.itemText(row) for row in range(ui.structureSelector.count)] == ["Body", "Other"]
    assert not ui.modelsButton.visible and not ui.installButton.visible
    for button in ("inside", "outside", "box", "undo", "redo", "remove", "clear", "cancel", "keep", "review", "report"):
        assert not getattr(ui, f"{button}Button").enabled, button


# --- marking ---------------------------------------------------------------------------------------------------------


def test_a_person_marks_is_answered_in_place_takes_back_and_keeps_and_the_window_lives(
    harness: Harness, module: Any, image: Any, places: Path, elsewhere: Path, keep_screenshot: Callable[..., None]
) -> None:
    import slicer

    ui, presenter = module.widget.ui, presenter_of(module)
    assert "Choose a structure and press Add points in" in ui.messageLabel.text
    said = list[str]()
    presenter.changed.connect(lambda state: said.append(ui.stageLabel.text))
    harness.reset_stall()
    with harness.python_threads_frozen():
        mark(harness, module, "inside", PLACE)
    assert "Reading the image – 0 s" in said, said
    first, (segmentation,) = segmented(), nodes("Segmentation")
    assert first.any()
    assert ui.messageLabel.text == "Answered, by 1 mark."
    assert texts(ui.marksTable) == [("inside", "Body", "11.0 -18.0 9.0")]
    assert "Score: not calibrated. Semi-automatic" in ui.answerLabel.text
    assert {row[4] for row in texts(ui.findingsTable)} == {"not calibrated"}
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
    for _ in range(2):
        harness.click(ui.undoButton)
        until_idle(harness, module)
    assert np.array_equal(segmented(), first)
    assert len(nodes("MarkupsROI")) == 0, "what was taken back leaves the views"
    shown = presenter.state.result
    harness.click(ui.keepButton)
    until_idle(harness, module)
    folder = presenter.state.saved
    assert folder.parent == places and f"Kept in {folder.name}" in ui.messageLabel.text
    kept = AnalysisResult.load(folder / "result")
    assert kept.provenance.prompts == (PointPrompt(label="Body", position=PLACE),)
    assert np.array_equal(kept.findings[0].region.to_array(), shown.findings[0].region.to_array())
    assert not ui.keepButton.enabled, "it is kept"
    module.exit()
    assert slicer.mrmlScene.GetSingletonNode("Singleton", "vtkMRMLInteractionNode").GetCurrentInteractionMode() != 1
