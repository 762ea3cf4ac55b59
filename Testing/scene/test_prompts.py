"""Points and regions of interest of a scene become what a person marked, LPS mm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
import vtk

from slicermedai.domain.prompts import BoxPrompt, PointPrompt
from slicermedai.errors import InputError
from slicermedai.scene.prompts import follow, prompts_of


def added(scene: Any, kind: str, name: str) -> Any:
    """A new markups node of the scene."""
    return scene.AddNewNodeByClass(f"vtkMRMLMarkups{kind}Node", name)


def moved(scene: Any, node: Any, matrix: np.ndarray) -> None:
    """Put the node under a transform, RAS to RAS."""
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    made = vtk.vtkMatrix4x4()
    made.DeepCopy(matrix.ravel().tolist())
    transform.SetMatrixTransformToParent(made)
    node.SetAndObserveTransformNodeID(transform.GetID())


def test_each_placed_point_is_a_place_in_the_world(scene: Any) -> None:
    node = added(scene, "Fiducial", "Liver")
    node.AddControlPoint(10.0, 20.0, 30.0)
    node.AddControlPoint(-1.0, -2.0, -3.0)
    node.UnsetNthControlPointPosition(1)
    node.AddControlPoint(1.0, 2.0, 3.0)
    shift = np.eye(4)
    shift[:3, 3] = (100.0, 0.0, -5.0)
    moved(scene, node, shift)
    assert prompts_of(node) == (
        PointPrompt(label="Liver", position=(-110.0, -20.0, 25.0)),
        PointPrompt(label="Liver", position=(-101.0, -2.0, -2.0)),
    )
    outside = prompts_of(node, label="Spleen", inside=False)
    assert {(one.label, one.inside) for one in outside} == {("Spleen", False)}


def test_a_region_of_interest_is_a_box_and_of_a_turned_one_the_hull(scene: Any) -> None:
    node = added(scene, "ROI", "Liver")
    node.SetCenter(10.0, 20.0, 30.0)
    node.SetSize(4.0, 6.0, 8.0)
    assert prompts_of(node) == (BoxPrompt(label="Liver", low=(-12.0, -23.0, 26.0), high=(-8.0, -17.0, 34.0)),)
    turn = np.array([[0.0, -1.0, 0, 0], [1.0, 0.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])
    moved(scene, node, turn)
    (box,) = prompts_of(node)
    assert isinstance(box, BoxPrompt)
    assert np.allclose(box.low, (17.0, -12.0, 26.0)) and np.allclose(box.high, (23.0, -8.0, 34.0))


def test_what_marks_nothing_is_refused_by_name(scene: Any) -> None:
    with pytest.raises(InputError, match=r"Liver, prompts: holds no point that was placed"):
        prompts_of(added(scene, "Fiducial", "Liver"))
    with pytest.raises(InputError, match="a vtkMRMLMarkupsLineNode is no point list"):
        prompts_of(added(scene, "Line", "Line"))
    with pytest.raises(InputError, match="low < high"):
        node = added(scene, "ROI", "flat")
        node.SetCenter(0.0, 0.0, 0.0)
        node.SetSize(4.0, 0.0, 8.0)
        prompts_of(node)


def test_a_point_list_is_followed_while_a_person_works_on_it(scene: Any) -> None:
    node, told = added(scene, "Fiducial", "Liver"), []
    stop = follow(node, lambda found: told.append([one.position for one in found]), inside=True)
    node.AddControlPoint(1.0, 2.0, 3.0)
    node.AddControlPoint(4.0, 5.0, 6.0)
    node.InvokeCustomModifiedEvent(slicer.vtkMRMLMarkupsNode.PointStartInteractionEvent)
    dragged = len(told)
    node.SetNthControlPointPosition(0, 5.0, 5.0, 5.0)
    node.SetNthControlPointPosition(0, 7.0, 8.0, 9.0)
    assert len(told) == dragged, "not while it is dragged"
    node.InvokeCustomModifiedEvent(slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent)
    node.RemoveNthControlPoint(0)
    first, second, moved_to = (-1.0, -2.0, 3.0), (-4.0, -5.0, 6.0), (-7.0, -8.0, 9.0)
    assert told[0] == [] and [first] in told and [first, second] in told
    assert [moved_to, second] in told[dragged:] and told[-1] == [second]
    stop()
    node.AddControlPoint(0.0, 0.0, 0.0)
    assert told[-1] == [second]


def test_points_that_code_or_a_transform_moves_are_followed_too(scene: Any) -> None:
    node, told = added(scene, "Fiducial", "Liver"), []
    follow(node, lambda found: told.append([one.position for one in found]))
    node.AddControlPoint(1.0, 2.0, 3.0)
    node.AddControlPoint(4.0, 5.0, 6.0)
    node.UnsetNthControlPointPosition(1)
    assert told[-1] == [(-1.0, -2.0, 3.0)]
    node.SetNthControlPointPositionWorld(0, 9.0, 9.0, 9.0)
    assert told[-1] == [(-9.0, -9.0, 9.0)]
    shift = np.eye(4)
    shift[0, 3] = 50.0
    moved(scene, node, shift)
    assert told[-1] == [(-59.0, -9.0, 9.0)]
    count = len(told)
    node.Modified()
    assert len(told) == count, "nothing is asked twice"


def test_a_region_of_interest_is_followed_while_its_size_changes(scene: Any) -> None:
    node, told = added(scene, "ROI", "Liver"), []
    follow(node, told.append)
    node.SetCenter(0.0, 0.0, 0.0)
    node.SetSize(10.0, 10.0, 0.0)
    assert told == [()], "it holds no volume yet"
    node.SetSize(40.0, 40.0, 40.0)
    assert told[-1] == (BoxPrompt(label="Liver", low=(-20.0, -20.0, -20.0), high=(20.0, 20.0, 20.0)),)
    node.SetCenter(20.0, 0.0, 0.0)
    assert told[-1] == (BoxPrompt(label="Liver", low=(-40.0, -20.0, -20.0), high=(0.0, 20.0, 20.0)),)


def test_a_label_that_no_mark_can_have_is_refused_at_once(scene: Any) -> None:
    with pytest.raises(InputError, match='cannot end in "!"'):
        follow(added(scene, "Fiducial", "Liver!"), print)


def test_a_node_that_holds_no_marks_cannot_be_followed(scene: Any) -> None:
    with pytest.raises(InputError, match="is no point list"):
        follow(added(scene, "Line", "Line"), print)
