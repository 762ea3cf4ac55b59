"""Marks in a scene: clicks by Slicer's place mode, what is read of them, what is put back; nothing of them stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import slicer
import vtk

from slicermedai.domain.prompts import BOX, INSIDE, OUTSIDE, BoxPrompt, PointPrompt, Prompt
from slicermedai.errors import InputError
from slicermedai.scene.mark_nodes import KIND, LABEL
from slicermedai.scene.marking import MarkScene, middle_of
from slicermedai.scene.volumes import volume_to_node
from Testing.scene.samples import SmallHead

CUBE = BoxPrompt(label="Brain", low=(-5.3, -4.1, 0.7), high=(5.1, 6.9, 11.3))


@pytest.fixture
def marks(scene: Any) -> Iterator[MarkScene]:
    """A scene to mark in."""
    made = MarkScene(scene)
    yield made
    made.forget()


def point(place: tuple[float, float, float], label: str = "Brain", *, inside: bool = True) -> PointPrompt:
    return PointPrompt(label=label, position=place, inside=inside)


def active(marks: MarkScene) -> Any:
    """The node that gets the next click."""
    selection = marks.scene.GetSingletonNode("Singleton", "vtkMRMLSelectionNode")
    return marks.scene.GetNodeByID(selection.GetActivePlaceNodeID())


def interaction(marks: MarkScene) -> Any:
    return marks.scene.GetSingletonNode("Singleton", "vtkMRMLInteractionNode")


def test_clicks_go_to_the_list_of_their_structure_and_side(marks: MarkScene) -> None:
    told = list[tuple[str, int]]()
    marks.when_changed(lambda: told.append((marks.placing, len(marks.marks))))
    for kind, label in ((INSIDE, "Brain"), (OUTSIDE, "Brain"), (INSIDE, "Capsule"), (INSIDE, "Brain")):
        marks.begin(kind, label)
        assert interaction(marks).GetCurrentInteractionMode() == interaction(marks).Place
        assert interaction(marks).GetPlaceModePersistence() == 1
        active(marks).AddControlPoint(-1.0, -2.0, 3.0)
        assert (active(marks).GetAttribute(KIND), active(marks).GetAttribute(LABEL)) == (kind, label)
    assert marks.marks == (
        *(point((1.0, 2.0, 3.0)),) * 2,
        point((1.0, 2.0, 3.0), inside=False),
        point((1.0, 2.0, 3.0), "Capsule"),
    )
    assert len({node.GetName() for node in points(marks)}) == len(points(marks)) == 3
    marks.stop()
    assert told[-1] == ("", 4)


def points(marks: MarkScene) -> list[Any]:
    kind = "vtkMRMLMarkupsFiducialNode"
    return [marks.scene.GetNthNodeByClass(n, kind) for n in range(marks.scene.GetNumberOfNodesByClass(kind))]


def test_what_is_inside_outside_and_a_box_is_told_apart_by_more_than_colour(marks: MarkScene) -> None:
    marks.place([point((0.0, 0.0, 0.0)), point((1.0, 0.0, 0.0), inside=False)])
    inside, outside = points(marks)
    shapes = [
        node.GetDisplayNode().GetGlyphTypeAsString(node.GetDisplayNode().GetGlyphType()) for node in points(marks)
    ]
    assert shapes == ["Sphere3D", "Diamond2D"]
    assert (inside.GetNthControlPointLabel(0), outside.GetNthControlPointLabel(0)) == ("+1", "\N{MINUS SIGN}1")
    colours = [np.array(node.GetDisplayNode().GetSelectedColor()) for node in (inside, outside)]
    grey = [float(colour @ (0.2126, 0.7152, 0.0722)) for colour in colours]
    assert abs(grey[0] - grey[1]) > 0.05


@pytest.mark.parametrize("how", ["another tool", "stop"])
def test_a_box_that_was_begun_and_not_drawn_leaves_nothing(marks: MarkScene, how: str) -> None:
    marks.begin(BOX, "Brain")
    assert interaction(marks).GetPlaceModePersistence() == 0
    active(marks).AddControlPoint(-1.0, -2.0, 3.0)
    assert marks.marks == ()
    interaction(marks).SwitchToViewTransformMode() if how == "another tool" else marks.stop()
    assert marks.placing == "" and marks.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode") == 0


def test_what_is_put_back_is_read_as_it_was_and_what_is_there_stays(marks: MarkScene) -> None:
    wanted: tuple[Prompt, ...] = (point((1.25, -2.5, 3.125)), point((9.0, 8.0, 7.0), inside=False), CUBE)
    marks.place(wanted)
    assert marks.marks[:2] == wanted[:2]
    box = marks.marks[2]
    assert isinstance(box, BoxPrompt) and np.allclose((*box.low, *box.high), (*CUBE.low, *CUBE.high))
    node = marks.scene.GetFirstNodeByClass("vtkMRMLMarkupsROINode")
    marks.place(wanted[1:])
    marks.place(wanted)
    assert marks.scene.GetFirstNodeByClass("vtkMRMLMarkupsROINode") is node, "it is the same, but for rounding"
    marks.place(())
    assert marks.marks == () and marks.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode") == 0


def test_points_that_a_transform_has_moved_are_put_back_where_they_were(marks: MarkScene) -> None:
    marks.place([point((1.0, 2.0, 3.0))])
    (node,) = points(marks)
    transform, matrix = marks.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode"), vtk.vtkMatrix4x4()
    matrix.SetElement(2, 3, 10.0)
    transform.SetMatrixTransformToParent(matrix)
    node.SetAndObserveTransformNodeID(transform.GetID())
    assert marks.marks == (point((1.0, 2.0, 13.0)),)
    marks.place([point((1.0, 2.0, 3.0))])
    assert marks.marks == (point((1.0, 2.0, 3.0)),)


def test_a_list_that_a_person_deletes_is_let_go_of(marks: MarkScene) -> None:
    told = list[int]()
    marks.when_changed(lambda: told.append(len(marks.marks)))
    marks.begin(INSIDE, "Brain")
    active(marks).AddControlPoint(-1.0, -2.0, 3.0)
    marks.scene.RemoveNode(active(marks))
    assert marks.marks == () and marks.placing == "" and told[-1] == 0
    marks.begin(INSIDE, "Brain")
    active(marks).AddControlPoint(-1.0, -2.0, 3.0)
    assert marks.marks == (point((1.0, 2.0, 3.0)),)


def test_the_image_is_brought_where_no_view_shows_it(marks: MarkScene, head: SmallHead) -> None:
    views = [marks.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode") for _ in range(2)]
    image, other = (volume_to_node(head.volume, marks.scene) for _ in range(2))
    marks.image_node = image
    views[0].SetForegroundVolumeID(image.GetID())
    marks.begin(INSIDE, "Brain")
    assert views[1].GetBackgroundVolumeID() is None, "a view shows it: who set the views up is not disturbed"
    marks.image_node = other
    marks.begin(INSIDE, "Brain")
    assert {view.GetBackgroundVolumeID() for view in views} == {other.GetID()}


def test_the_middle_of_an_image_is_in_the_patient(scene: Any, head: SmallHead) -> None:
    node = volume_to_node(head.volume, scene)
    corners = head.volume.geometry.corners
    assert np.allclose(middle_of(node), (corners.min(axis=0) + corners.max(axis=0)) / 2, atol=5.0)


def test_a_label_that_no_mark_can_have_is_refused_and_leaves_nothing(marks: MarkScene) -> None:
    with pytest.raises(InputError, match="cannot end in"):
        marks.begin(INSIDE, "Brain!")
    assert marks.marks == () and marks.placing == ""
    assert points(marks) == []


def test_a_box_is_read_where_it_stands_once_placing_has_ended(marks: MarkScene) -> None:
    told = list[int]()
    marks.when_changed(lambda: told.append(len(marks.marks)))
    marks.begin(BOX, "Brain")
    node = active(marks)
    node.InvokeCustomModifiedEvent(slicer.vtkMRMLMarkupsNode.PointStartInteractionEvent)
    node.AddControlPoint(-1.0, -2.0, 3.0)
    node.AddControlPoint(9.0, 8.0, 13.0)
    interaction(marks).SwitchToViewTransformMode()
    assert marks.marks == (BoxPrompt(label="Brain", low=(-9.0, -8.0, 3.0), high=(1.0, 2.0, 13.0)),)
    assert told[-1] == 1
