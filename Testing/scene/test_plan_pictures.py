"""Pictures of a plan: what is planned lies on its side in its colour, and no other image gets onto a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from slicermedai.app.plan_ask import read_meshes
from slicermedai.app.plan_shapes import COLORS, MARGIN, REMNANT, RESECTION, shapes_of, write_meshes
from slicermedai.domain.plan import PlaneCut
from slicermedai.plan import edits
from slicermedai.scene.offscreen import quiet_vtk
from slicermedai.scene.plan_capture import capture_views
from slicermedai.scene.plan_pictures import render_plan
from slicermedai.scene.views import DrawingScene, SliceView, opened
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
    """What Slicer's slice widget is to who captures it: a logic, and a view with a render window."""

    def __init__(self, view: SliceView) -> None:
        self.view = view

    def sliceLogic(self) -> Any:
        return self.view.logic

    def sliceView(self) -> Widget:
        return self

    def renderWindow(self) -> Any:
        return self.view.window

    def forceRender(self) -> None:
        self.view.window.Render()


class Manager:
    """Slicer's layout manager with one open view, the red one."""

    def __init__(self, widget: Widget) -> None:
        self.widget = widget

    @property
    def threeDViewCount(self) -> int:
        return 0

    def sliceWidget(self, name: str) -> Widget | None:
        return self.widget if name == "Red" else None


def test_open_views_are_captured_where_they_show_the_image_and_nothing_else(tmp_path: Path) -> None:
    with quiet_vtk(), DrawingScene() as drawing:
        image = volume_to_node(VENOUS, drawing.scene)
        other = volume_to_node(liver.phase("arterial", SMALL), drawing.scene)
        with opened(SliceView(drawing, "Axial", (80, 80))) as view:
            view.show_volume(image, (30.0, 0.0, 10.0))
            manager = Manager(Widget(view))
            (made,) = capture_views(manager, tmp_path, image=image, only_slices=True)
            with Image.open(made["path"]) as held:
                assert held.size == (80, 80)
                assert np.asarray(held).std() > 5
            assert capture_views(manager, tmp_path, image=other, only_slices=True) == []
            view.logic.GetSliceCompositeNode().SetForegroundVolumeID(other.GetID())
            assert capture_views(manager, tmp_path, image=image, only_slices=True) == []


@pytest.mark.parametrize("image", [None, object()])
def test_no_view_gives_no_picture(tmp_path: Path, image: Any) -> None:
    assert capture_views(None, tmp_path, image=image, only_slices=False) == []
