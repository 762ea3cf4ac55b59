"""Results of a CT of 512 x 512 x 300 come into the scene, and the window never stands still for a tenth of a second."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import slicer

from Testing.fixtures.large_ct import LargeRun, a_large_run
from Testing.Harness import Harness
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.modules.conftest import MODULE as MEDAI
from Testing.modules.opening import at_rest as rests
from Testing.modules.opening import entered
from Testing.recorded.player import Player

REVIEW, PLAN = MEDAI.with_name("MedAIReview.py"), MEDAI.with_name("MedAIPlan.py")
LONG = 120_000
MOST_MS = 100
pytestmark = pytest.mark.xdist_group("large_ct")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> LargeRun:
    """A run with 105 structures of one label map."""
    return a_large_run(tmp_path_factory.mktemp("large"))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files and MedAI's home of the test's own, with a small model."""
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    write_tiny_bundle(tmp_path / "home" / "models" / "tiny@0.1")
    return tmp_path


@pytest.fixture
def panel(large: LargeRun, elsewhere: Path, player: Player, harness: Harness, places: Path) -> Iterator[Any]:
    """MedAI, whose run of a folder is played and leaves the large result."""
    player.play("tiny", leaves=large.output, when={"source": str(large.files[0].parent)})
    with entered(harness, MEDAI) as loaded:
        loaded.widget.ui.modelSelector.setCurrentIndex(loaded.widget.ui.modelSelector.findData("tiny@0.1"))
        yield loaded
        slicer.mrmlScene.Clear()


@pytest.fixture
def review(large: LargeRun, elsewhere: Path, harness: Harness, places: Path, warm_children: None) -> Iterator[Any]:
    """MedAI Review, where the DICOM database has the CT."""
    yield from that_knows(large, entered(harness, REVIEW), "review")


@pytest.fixture
def plan(large: LargeRun, elsewhere: Path, harness: Harness, places: Path, warm_children: None) -> Iterator[Any]:
    """MedAI Plan, where the DICOM database has the CT."""
    yield from that_knows(large, entered(harness, PLAN), "plan")


def that_knows(large: LargeRun, entering: Any, name: str) -> Iterator[Any]:
    """A module whose presenter gets the CT's files for whatever series."""
    with entering as loaded:
        presenter = getattr(loaded.widget.logic, name)
        presenter._around = type(presenter._around)(files_of=lambda uid: [str(one) for one in large.files])
        yield loaded
        slicer.mrmlScene.Clear()


def longest(harness: Harness, condition: Any) -> float:
    """The longest step of the window until ``condition`` holds, ms.

    What the tests before have left in memory is not looked through for garbage meanwhile: that took up to 0.2 s.
    """
    harness.process(50)
    gc.collect()
    gc.freeze()
    try:
        harness.reset_stall()
        assert harness.wait_until(condition, LONG)
        return harness.max_stall_ms
    finally:
        gc.unfreeze()


def in_short_steps(attempt: Callable[[], float]) -> None:
    """Each of three attempts is too long where a step of ours is: what others do on the machine comes and goes."""
    took = []
    for _ in range(3):
        took.append(attempt())
        if took[-1] < MOST_MS:
            return
        slicer.mrmlScene.Clear()
    raise AssertionError(f"the window stood still for {took} ms")


def test_a_result_of_a_large_ct_is_shown_by_medai_in_short_steps(harness: Harness, panel: Any, large: LargeRun) -> None:
    ui, presenter = panel.widget.ui, panel.widget.logic.presenter

    def attempt() -> float:
        ui.folderSelector.setCurrentPath(str(large.files[0].parent))
        harness.click(ui.runButton)
        took = longest(harness, lambda: rests(panel))
        assert presenter.state.result is not None, presenter.state.message
        assert has_image_and_segments(105)
        return took

    in_short_steps(attempt)


@pytest.mark.parametrize("name", ["review", "plan"])
def test_a_result_of_a_large_ct_is_opened_in_short_steps(
    harness: Harness, request: pytest.FixtureRequest, large: LargeRun, name: str
) -> None:
    widget = request.getfixturevalue(name).widget
    presenter = getattr(widget.logic, name)

    def at_rest() -> bool:
        return not any(one.busy for one in widget.presenters())

    def attempt() -> float:
        assert harness.wait_until(at_rest, LONG)
        presenter.choose_folder("")
        presenter.choose_folder(str(large.output))
        took = longest(harness, at_rest)
        assert presenter.state.has_image, presenter.state.remark
        assert has_image_and_segments(105)
        return took

    in_short_steps(attempt)


def has_image_and_segments(count: int) -> bool:
    """Whether the scene has the whole CT, and a segmentation of that many segments."""
    image = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    segments = 0 if node is None else node.GetSegmentation().GetNumberOfSegments()
    return image is not None and image.GetImageData().GetDimensions() == (512, 512, 300) and segments == count
