"""Segments have no voxels when their node leaves the scene: Slicer would copy each out of what it shares."""

from __future__ import annotations

from typing import Any

import pytest
import slicer
import vtk

from slicermedai.domain.result import AnalysisResult
from slicermedai.scene.clear import clear
from slicermedai.scene.leaving import let_go_of_voxels
from slicermedai.scene.show import show


def voxels_at_the_end(scene: Any) -> list[int]:
    """How many segments of each node that is removed still have any, by the time it is removed."""
    left: list[int] = []

    def leaves(caller: Any, event: Any, node: Any) -> None:
        if node.IsA("vtkMRMLSegmentationNode"):
            inner = node.GetSegmentation()
            segments = [inner.GetNthSegment(index) for index in range(inner.GetNumberOfSegments())]
            names: list[list[str]] = [[] for _ in segments]
            for one, into in zip(segments, names, strict=True):
                one.GetContainedRepresentationNames(into)
            left.append(sum(map(bool, names)))

    leaves.CallDataType = vtk.VTK_OBJECT  # type: ignore[attr-defined]  # VTK reads it
    scene.AddObserver(slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, leaves)
    return left


def test_of_a_result_that_is_cleared(scene: Any, result: AnalysisResult) -> None:
    show(result, scene)
    left = voxels_at_the_end(scene)
    clear(result, scene)
    assert left == [0]


def test_of_results_whose_scene_is_closed_and_of_nobody_elses(scene: Any, result: AnalysisResult) -> None:
    mine = show(result, scene).segmentation_node
    other = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    other.GetSegmentation().DeepCopy(mine.GetSegmentation())
    left = voxels_at_the_end(scene)
    let_go_of_voxels(scene)
    scene.RemoveNode(mine)
    scene.RemoveNode(other)
    assert left == [0, len(result.findings)]


@pytest.mark.parametrize("has_any", [True, False])
def test_a_scene_without_results_is_left_alone(scene: Any, has_any: bool) -> None:
    if has_any:
        scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    before = scene.GetNumberOfNodes()
    let_go_of_voxels(scene)
    assert scene.GetNumberOfNodes() == before
