"""A sequence of Slicer's from the console through a whole run, and back into the scene as one."""

from __future__ import annotations

from pathlib import Path

import pytest
import slicer

import slicermedai
from slicermedai.scene.sequences import know_sequences
from slicermedai.scene.volumes import volume_to_node
from Testing.fixtures.beating import Beat, beating_heart
from Testing.fixtures.grids import AXIAL, covering
from Testing.over_time.conftest import Run

pytestmark = pytest.mark.xdist_group("beating heart")
SMALL = covering(AXIAL, spacing=(8.0, 5.0, 5.0), extent=(140.0, 140.0, 140.0))


def test_a_sequence_node_runs_over_time_and_comes_back_as_a_sequence(heart_bundle: Path, tmp_path: Path) -> None:
    scene, beat = slicer.vtkMRMLScene(), Beat(frames=3)
    know_sequences(scene)
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Cine")
    node.SetIndexName("time")
    node.SetIndexUnit("ms")
    for volume, time in zip(beating_heart(SMALL, beat), beat.times, strict=True):
        one = volume_to_node(volume, scene)
        node.SetDataNodeAtValue(one, str(time))
        scene.RemoveNode(one)
    result = slicermedai.run(node, str(heart_bundle), output=tmp_path / "out", device="cpu", report=False)
    assert result.course is not None
    assert [frame.moment.seconds for frame in result.course.frames] == pytest.approx([t / 1000 for t in beat.times])
    ventricle = next(curve for curve in result.course.curves if curve.label.name == "Left ventricle")
    assert ventricle.volumes == pytest.approx(beat.volumes, rel=0.06)
    browser = slicermedai.show(tmp_path / "out", scene=scene)
    assert browser.GetMasterSequenceNode().GetNumberOfDataNodes() == 3


def test_where_there_is_no_scene_it_says_where_the_report_lies(
    beat_run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert slicermedai.show(beat_run.folder) is None
    assert "report.html" in "".join(capsys.readouterr())


def test_one_frame_of_it_is_shown_as_what_it_is(beat_run: Run) -> None:
    scene = slicer.vtkMRMLScene()
    slicermedai.show(beat_run.result, scene=scene)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
