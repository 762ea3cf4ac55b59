"""Pictures of a plan: what is planned lies on its side in its colour, and no other image gets onto a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from PIL import Image

from slicermedai.app.meshes import read_meshes
from slicermedai.domain.plan import PlaneCut
from slicermedai.plan import edits
from slicermedai.plan.shapes import COLORS, MARGIN, REMNANT, RESECTION, shapes_of, write_meshes
from slicermedai.scene.identity import RESULT, result_key
from slicermedai.scene.offscreen import quiet_vtk
from slicermedai.scene.plan_capture import capture_views
from slicermedai.scene.plan_pictures import render_plan
from slicermedai.scene.plan_regions import show_shapes
from slicermedai.scene.show import show
from slicermedai.scene.views import DrawingScene, SliceView, ThreeDView, opened
from slicermedai.scene.volumes import volume_to_node
from Testing.fixtures import liver
from Testing.plan.cases import SMALL, a_plan, a_result

VENOUS = liver.phase("venous", SMALL)


def where(picture: Path, kind: str) -> np.ndarray:
    """(rows, columns) of the pixels that have a hue near to that of a kind of shape: outlines are drawn pure."""
    with Image.open(picture) as held:
        pixels = np.asarray(held.convert("RGB"), dtype=float)
    return np.argwhere(np.abs(pixels - COLORS[kind]).max(axis=2) < 40)


def test_what_goes_and_what_stays_lie_on_their_sides_and_the_margin_around_the_lesion(tmp_path: Path) -> None:
    plan = edits.with_cut(a_plan(), PlaneCut(name="p", point=(-34.0, 0.0, 0.0), normal=(-1.0, 0.0, 0.0)))
    plan = edits.with_margin(plan, "lesion", 5.0)
    shapes = shapes_of(plan)
    write_meshes(shapes, tmp_path / "m.npz")
    made = render_plan(a_result(), VENOUS, shapes, tmp_path, meshes=read_meshes(tmp_path / "m.npz"))
    assert [one.kind for one in made] == ["axial", "sagittal", "coronal", "3d"]
    axial = made[0].path
    gone, stays, margin = (where(axial, kind)[:, 1].mean() for kind in (RESECTION, REMNANT, MARGIN))
    assert gone < stays, "the patient's right, where the lesion is, lies on the left of the picture"
    assert abs(margin - gone) < abs(margin - stays)
    with Image.open(made[-1].path) as held:
        assert np.asarray(held.convert("RGB"), dtype=float).std() > 10, "3D shows something"


def test_without_an_image_there_is_a_3d_view_alone(tmp_path: Path) -> None:
    made = render_plan(a_result(), None, shapes_of(a_plan()), tmp_path)
    assert [one.kind for one in made] == ["3d"]


class Widget:
    """What Slicer's slice and 3D widgets are to who captures them: a logic, a view node, a view with a window."""

    def __init__(self, view: Any) -> None:
        self.view = view

    def sliceLogic(self) -> Any:
        return self.view.logic

    def sliceView(self) -> Widget:
        return self

    def threeDView(self) -> Widget:
        return self

    def mrmlViewNode(self) -> Any:
        return self.view.node

    def renderWindow(self) -> Any:
        return self.view.window

    def forceRender(self) -> None:
        self.view.window.Render()


class Manager:
    """Slicer's layout manager with two open views, the red one and one in 3D."""

    def __init__(self, slices: Any, three_d: Any) -> None:
        self.slices, self.three_d = Widget(slices), Widget(three_d)
        self.threeDViewCount = 1

    def sliceWidget(self, name: str) -> Widget | None:
        return self.slices if name == "Red" else None

    def threeDWidget(self, number: int) -> Widget:
        return self.three_d


@dataclass
class Room:
    """A scene with the image, the plan's surfaces and segments, a slice view and a 3D view."""

    scene: Any
    image: Any
    manager: Manager
    folder: Path

    def taken(self, *, only_slices: bool = False) -> list[str]:
        key = result_key(a_result())
        made = capture_views(self.manager, self.folder, image=self.image, key=key, only_slices=only_slices)
        for one in made:
            with Image.open(one["path"]) as held:
                assert held.size == (80, 80)
                assert np.asarray(held).std() > 5
        return [one["kind"] for one in made]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    shapes = shapes_of(edits.with_margin(a_plan(), "lesion", 5.0))
    write_meshes(shapes, tmp_path / "m.npz")
    with quiet_vtk(), DrawingScene() as drawing:
        image = show(a_result(), drawing.scene, volume=VENOUS, surfaces=False).volume_node
        show_shapes(a_result(), drawing.scene, shapes, read_meshes(tmp_path / "m.npz"))
        views = SliceView(drawing, "Axial", (80, 80)), ThreeDView(drawing, (80, 80))
        with opened(views[0]) as slices, opened(views[1]) as three_d:
            slices.show_volume(image, (30.0, 0.0, 10.0))
            three_d.look_from((0.0, 1.0, 0.0), (-100.0, 100.0, -80.0, 80.0, -70.0, 70.0), zoom=1.4)
            yield Room(drawing.scene, image, Manager(slices, three_d), tmp_path)


def test_open_views_are_captured_where_they_show_the_result_and_nothing_else(room: Room) -> None:
    other = volume_to_node(liver.phase("arterial", SMALL), room.scene)
    assert room.taken() == ["axial", "3d"], "an image that no view shows is nowhere seen"
    assert room.taken(only_slices=True) == ["axial"]
    composite = room.manager.slices.sliceLogic().GetSliceCompositeNode()
    composite.SetForegroundVolumeID(other.GetID())
    assert room.taken() == []
    composite.SetForegroundVolumeID(None)
    room.image = other
    assert room.taken() == []


@pytest.mark.parametrize("kind", ["Model", "Segmentation", "MarkupsFiducial", "MarkupsROI"])
def test_no_view_is_captured_in_which_anything_else_is_seen(room: Room, kind: str) -> None:
    node = room.scene.AddNewNodeByClass(f"vtkMRML{kind}Node", "of another patient")
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    assert room.taken() == (["axial"] if kind == "Model" else []), "a model is seen in 3D alone"
    display.SetVisibility2D(True)
    assert room.taken() == []
    display.AddViewNodeID(room.manager.three_d.mrmlViewNode().GetID())
    assert room.taken() == ["axial"], "slice views do not show it any more"
    display.SetVisibility3D(False)
    assert room.taken() == ["axial", "3d"]
    display.RemoveAllViewNodeIDs()
    assert room.taken() == []
    display.SetVisibility(False)
    assert room.taken() == ["axial", "3d"]
    display.SetVisibility(True)
    node.SetAttribute(RESULT, "of another run")
    assert room.taken() == []


def test_a_rendered_volume_of_another_keeps_the_3d_view_off_the_page(room: Room) -> None:
    other = volume_to_node(liver.phase("arterial", SMALL), room.scene)
    rendered = room.scene.AddNode(slicer.vtkMRMLGPURayCastVolumeRenderingDisplayNode())
    other.AddAndObserveDisplayNodeID(rendered.GetID())
    assert room.taken() == ["axial"]
    other.RemoveNthDisplayNodeID(other.GetNumberOfDisplayNodes() - 1)
    room.image.AddAndObserveDisplayNodeID(rendered.GetID())
    assert room.taken() == ["axial", "3d"]


def test_a_slice_in_the_3d_view_is_one_of_those_that_were_looked_at(room: Room) -> None:
    logic = room.manager.slices.sliceLogic()
    logic.GetSliceNode().SetSliceVisible(True)
    assert logic.GetSliceModelNode().GetDisplayNode().GetVisibility()
    assert room.taken() == ["axial", "3d"]
    with_other = slicer.vtkMRMLModelNode()
    room.scene.AddNode(with_other)
    shown = slicer.vtkMRMLSliceDisplayNode()
    room.scene.AddNode(shown)
    with_other.SetAndObserveDisplayNodeID(shown.GetID())
    assert room.taken() == ["axial"], "nobody looked at what that slice shows"


@pytest.mark.parametrize("image", [None, object()])
def test_no_view_gives_no_picture(tmp_path: Path, image: Any) -> None:
    assert capture_views(None, tmp_path, image=image, key="x") == []
