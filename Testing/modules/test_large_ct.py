"""Results of a CT of 512 x 512 x 300 come into the scene, and the window never stands still for a tenth of a second."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from Testing.fixtures.large_ct import LargeRun, a_large_run
from Testing.Harness import Harness
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.modules.conftest import MODULE as MEDAI
from Testing.modules.opening import at_rest, entered
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
        drop_voxels()


@pytest.fixture
def review(large: LargeRun, elsewhere: Path, harness: Harness, places: Path, warm_children: None) -> Iterator[Any]:
    """MedAI Review, where the DICOM database has the CT."""
    with entered(harness, REVIEW) as loaded:
        know(loaded.widget.logic.review, large)
        yield loaded
        drop_voxels()


@pytest.fixture
def plan(large: LargeRun, elsewhere: Path, harness: Harness, places: Path, warm_children: None) -> Iterator[Any]:
    """MedAI Plan, where the DICOM database has the CT."""
    with entered(harness, PLAN) as loaded:
        know(loaded.widget.logic.plan, large)
        yield loaded
        drop_voxels()


def drop_voxels() -> None:
    """Before the scene goes: Slicer takes each segment out of the voxels that they share, which takes 10 s for 105."""
    import slicer

    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        inner = node.GetSegmentation()
        for index in range(inner.GetNumberOfSegments()):
            inner.GetNthSegment(index).RemoveAllRepresentations()


def know(presenter: Any, large: LargeRun) -> None:
    presenter._around = type(presenter._around)(files_of=lambda uid: [str(one) for one in large.files])


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


def test_a_result_of_a_large_ct_is_shown_by_medai_in_short_steps(harness: Harness, panel: Any, large: LargeRun) -> None:
    panel.widget.ui.folderSelector.setCurrentPath(str(large.files[0].parent))
    harness.click(panel.widget.ui.runButton)
    took = longest(harness, lambda: at_rest(panel))
    assert panel.widget.logic.presenter.state.result is not None, panel.widget.logic.presenter.state.message
    assert has_image_and_segments(105)
    assert took < MOST_MS


def test_a_result_of_a_large_ct_is_opened_by_review_in_short_steps(
    harness: Harness, review: Any, large: LargeRun
) -> None:
    logic = review.widget.logic.review
    review.widget.ui.folderSelector.setCurrentPath(str(large.output))
    took = longest(harness, lambda: not (logic.busy or logic.aside.busy))
    assert logic.state.has_image, logic.state.remark
    assert has_image_and_segments(105)
    assert took < MOST_MS


def test_a_result_of_a_large_ct_is_opened_by_plan_in_short_steps(harness: Harness, plan: Any, large: LargeRun) -> None:
    logic = plan.widget.logic.plan
    plan.widget.ui.folderSelector.setCurrentPath(str(large.output))
    took = longest(harness, lambda: not logic.busy)
    assert logic.state.has_image, logic.state.remark
    assert has_image_and_segments(105)
    assert took < MOST_MS


def has_image_and_segments(count: int) -> bool:
    """Whether the scene has the whole CT, and a segmentation of that many segments."""
    import slicer

    image = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    segments = 0 if node is None else node.GetSegmentation().GetNumberOfSegments()
    return image is not None and image.GetImageData().GetDimensions() == (512, 512, 300) and segments == count
