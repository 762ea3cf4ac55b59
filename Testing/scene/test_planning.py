"""A plan in a real MRML scene: planes and boxes moved by hand are read in LPS, shapes lie where they should."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import slicer
import vtk

from slicermedai.domain.finding import Box
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.plan import BoxCut, Plan, PlaneCut
from slicermedai.errors import GeometryError, InputError
from slicermedai.plan import edits
from slicermedai.plan.numbers import table_of
from slicermedai.plan.shapes import cropped, shapes_of, write_meshes
from slicermedai.scene import identity
from slicermedai.scene.plan_cuts import add_cut, place_cut, read_cut
from slicermedai.scene.plan_regions import CONTOURS, REGIONS, SURFACE
from slicermedai.scene.planning import CUT, PlanScene
from Testing.fixtures import liver
from Testing.plan.cases import SMALL, a_plan, a_result
from Testing.plan.test_contours import a_map
from Testing.scene.drawing import draw_region

PLANE = PlaneCut(name="plane 1", point=(-24.0, 2.0, 8.0), normal=(-0.8, 0.36, 0.48))
BOX = BoxCut(name="box 1", box=Box(low=(-80.0, -30.0, -10.0), high=(-30.0, 24.0, 40.0)))


@pytest.fixture
def scene() -> Any:
    return slicer.vtkMRMLScene()


@pytest.fixture
def stage(scene: Any) -> Iterator[PlanScene]:
    made = PlanScene(scene)
    made.open(a_result())
    yield made
    made.forget()


@pytest.fixture(scope="module")
def plan() -> Plan:
    return edits.with_cut(edits.with_cut(edits.with_margin(a_plan(), "lesion", 14.0), PLANE), BOX)


def node_of(scene: Any, kind: str) -> Any:
    return scene.GetFirstNodeByClass(f"vtkMRMLMarkups{kind}Node")


# --- planes ----------------------------------------------------------------------------------------------------------


def test_a_plane_lies_in_the_scene_on_the_other_side_of_two_axes(scene: Any) -> None:
    node = add_cut(PLANE, scene)
    place_cut(node, PLANE)
    unit = np.array(PLANE.normal) / np.linalg.norm(PLANE.normal)
    assert np.allclose(node.GetOriginWorld(), (24.0, -2.0, 8.0))
    assert np.allclose(node.GetNormalWorld(), unit * (-1, -1, 1))
    assert read_cut(node, PLANE) is PLANE


def test_a_plane_that_was_moved_and_turned_is_read_in_lps(scene: Any) -> None:
    node = add_cut(PLANE, scene)
    place_cut(node, PLANE)
    node.SetOriginWorld(30.0, 5.0, -6.0)
    node.SetNormalWorld(0.0, -0.6, 0.8)
    found = read_cut(node, PLANE)
    assert isinstance(found, PlaneCut)
    assert np.allclose(found.point, (-30.0, -5.0, -6.0))
    assert np.allclose(found.normal, (0.0, 0.6, 0.8))
    assert found.name == "plane 1"


def test_a_plane_under_a_linear_transform_is_read_where_it_stands_and_under_another_refused(scene: Any) -> None:
    node = add_cut(PLANE, scene)
    place_cut(node, PLANE)
    shift = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 10.0)
    shift.SetMatrixTransformToParent(matrix)
    node.SetAndObserveTransformNodeID(shift.GetID())
    found = read_cut(node, PLANE)
    assert isinstance(found, PlaneCut)
    assert np.allclose(found.point, (-34.0, 2.0, 8.0))
    warp = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    warp.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    node.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(GeometryError, match="not linear"):
        read_cut(node, PLANE)


def test_a_markup_whose_points_were_deleted_is_no_cut(scene: Any) -> None:
    node = add_cut(PLANE, scene)
    place_cut(node, PLANE)
    node.RemoveAllControlPoints()
    assert read_cut(node, PLANE) is None


# --- boxes -----------------------------------------------------------------------------------------------------------


def test_a_box_along_the_patients_axes_is_read_as_such(scene: Any) -> None:
    node = add_cut(BOX, scene)
    place_cut(node, BOX)
    assert read_cut(node, BOX) is BOX
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    assert np.allclose(bounds, (30, 80, -24, 30, -10, 40))
    node.SetSize(20.0, 10.0, 30.0)
    found = read_cut(node, BOX)
    assert isinstance(found, BoxCut)
    assert found.box.geometry is None
    assert np.allclose(found.box.low, (-65.0, -8.0, 0.0))
    assert np.allclose(found.box.high, (-45.0, 2.0, 30.0))


@pytest.mark.parametrize("degrees", [90.0, 33.0])
def test_an_oblique_box_takes_what_lies_in_it(scene: Any, degrees: float) -> None:
    node = add_cut(BOX, scene)
    place_cut(node, BOX)
    turn = vtk.vtkTransform()
    turn.Translate(50.0, 0.0, 14.0)
    turn.RotateZ(degrees)
    turn.RotateX(degrees / 3)
    node.SetAndObserveObjectToNodeMatrix(turn.GetMatrix())
    node.SetSize(40.0, 30.0, 36.0)
    found = read_cut(node, BOX)
    assert isinstance(found, BoxCut)
    inner = turn.GetLinearInverse()
    base = a_plan()
    resected = table_of(edits.with_cut(base, found)).value("liver", "resected volume")
    assert resected == pytest.approx(40 * 30 * 36 / 1000, rel=0.01), "it lies wholly in the liver"
    places = SMALL.to_lps(np.argwhere(np.ones(SMALL.shape, dtype=bool)))[::7]
    own = np.array([inner.TransformPoint(-x, -y, z) for x, y, z in places])
    within = (np.abs(own) < (20.0, 15.0, 18.0)).all(axis=1)
    from slicermedai.plan.fractions import within_box

    taken = within_box(SMALL, found.box).reshape(-1)[::7]
    assert ((taken >= 0.5) == within).mean() > 0.999
    again = add_cut(found, scene)
    place_cut(again, found)
    assert read_cut(again, found) is found


def test_a_box_that_is_inside_out_or_flat_is_refused(scene: Any) -> None:
    node = add_cut(BOX, scene)
    place_cut(node, BOX)
    node.SetInsideOut(True)
    with pytest.raises(InputError, match="inside out"):
        read_cut(node, BOX)
    node.SetInsideOut(False)
    node.SetSize(10.0, 0.0, 10.0)
    with pytest.raises(InputError, match="flat"):
        read_cut(node, BOX)


# --- the stage -------------------------------------------------------------------------------------------------------


def test_cuts_are_told_of_when_a_person_moves_them_and_not_when_the_plan_does(
    stage: PlanScene, scene: Any, plan: Plan
) -> None:
    told = list[int]()
    stage.when_changed(lambda: told.append(1))
    stage.show_cuts(plan)
    assert told == []
    assert stage.moved(plan) == {}
    node_of(scene, "Plane").SetOriginWorld(20.0, 0.0, 8.0)
    assert told
    moved = stage.moved(plan)
    assert set(moved) == {"plane 1"}
    told.clear()
    stage.show_cuts(plan)
    assert (told, stage.moved(plan)) == ([], {})
    scene.RemoveNode(node_of(scene, "Plane"))
    assert told
    assert stage.moved(plan) == {"plane 1": None}
    stage.show_cuts(plan)
    assert node_of(scene, "Plane") is not None, "undo brings a deleted plane back"


def test_drawing_in_a_segment_is_told_of(stage: PlanScene, scene: Any) -> None:
    told = list[int]()
    stage.when_changed(lambda: told.append(1))
    result = a_result()
    stage.apply(replace(result, findings=result.findings[:3]))
    stage.apply(result)
    assert told == [], "what the plan draws itself is told to nobody"
    lesion = result.findings[1]
    draw_region(scene, result, lesion.tracking_uid, lesion.region)  # type: ignore[arg-type]  # it is packed
    assert told
    assert lesion.tracking_uid in stage.changed


def test_what_is_planned_is_seen_in_slices_and_in_3d_where_it_lies(
    stage: PlanScene, scene: Any, plan: Plan, tmp_path: Any
) -> None:
    shapes = tuple(cropped(shapes_of(plan)))
    write_meshes(shapes, tmp_path / "meshes.npz")
    stage.show_shapes(shapes, meshes_in(tmp_path / "meshes.npz"))
    key = identity.result_key(a_result())
    (regions,) = identity.marked_nodes(scene, key, REGIONS)
    models = {one.GetName(): one for one in identity.marked_nodes(scene, key, SURFACE)}
    assert set(models) == {one.label.name for one in shapes}
    assert len({one.GetDisplayNode().GetColor() for one in models.values()}) == len({s.label.color for s in shapes})
    for one in shapes:
        bounds = [0.0] * 6
        models[one.label.name].GetRASBounds(bounds)
        places = one.region.geometry.to_lps(np.argwhere(one.region.to_array()))  # type: ignore[union-attr]
        low, high = places.min(axis=0), places.max(axis=0)
        assert np.allclose(bounds, (-high[0], -low[0], -high[1], -low[1], low[2], high[2]), atol=4.5), one.label.name
        is_found = one.tracking_uid.startswith("structure:")
        assert (regions.GetSegmentation().GetSegment(one.tracking_uid) is None) == is_found
    assert not regions.GetDisplayNode().GetVisibility3D()
    stage.show_shapes((), {})
    assert not [one for role in (REGIONS, SURFACE) for one in identity.marked_nodes(scene, key, role)]


def meshes_in(path: Any) -> dict[str, Any]:
    with np.load(path) as held:
        uids = {name.rpartition(".")[0] for name in held.files}
        return {uid: tuple(held[f"{uid}.{part}"] for part in ("vertices", "faces", "normals")) for uid in uids}


def test_normals_of_surfaces_point_outwards(plan: Plan, tmp_path: Any) -> None:
    write_meshes(shapes_of(plan), tmp_path / "meshes.npz")
    vertices, _, normals = meshes_in(tmp_path / "meshes.npz")["margin:lesion + 14 mm"]
    outward = vertices - vertices.mean(axis=0)
    assert (np.einsum("ij,ij->i", outward, normals) > 0).mean() > 0.99


def test_contours_are_outlined_on_demand(scene: Any, tmp_path: Any) -> None:
    from slicermedai.plan.start import start_plan
    from Testing.plan.cases import ROLES

    result = replace(a_result(), maps=(a_map("platt"),))
    stage = PlanScene(scene)
    stage.open(result)
    shapes = shapes_of(start_plan(result, ROLES))
    assert {"inner:lesion", "outer:lesion"} < {one.tracking_uid for one in shapes}
    stage.show_shapes(shapes, {})
    (node,) = identity.marked_nodes(scene, identity.result_key(result), CONTOURS)
    assert not node.GetDisplayNode().GetVisibility()
    assert stage.show_contours(on=True)
    assert node.GetDisplayNode().GetVisibility()
    assert not node.GetDisplayNode().GetVisibility2DFill()
    stage.forget()
    assert not identity.marked_nodes(scene, identity.result_key(result), CONTOURS)


def test_a_plan_that_is_let_go_of_leaves_nothing_behind(scene: Any, plan: Plan, tmp_path: Any) -> None:
    stage = PlanScene(scene)
    stage.open(a_result())
    before = {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}
    stage.show_cuts(plan)
    write_meshes(shapes_of(plan), tmp_path / "meshes.npz")
    stage.show_shapes(shapes_of(plan), meshes_in(tmp_path / "meshes.npz"))
    told = list[int]()
    stage.when_changed(lambda: told.append(1))
    stage.forget()
    left = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]
    assert [one.GetName() for one in left if one.GetID() not in before] == []
    lesion = a_result().findings[1]
    draw_region(scene, a_result(), lesion.tracking_uid, lesion.region)  # type: ignore[arg-type]  # it is packed
    assert told == []


def test_markups_of_a_scene_that_was_opened_again_are_taken_up_and_not_doubled(
    stage: PlanScene, scene: Any, plan: Plan
) -> None:
    left = add_cut(PLANE, scene)
    identity.mark(left, a_result(), CUT)
    stage.show_cuts(plan)
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsPlaneNode") == 1


def test_3d_views_show_the_plans_surfaces_alone_and_the_results_again_when_it_is_let_go_of(
    scene: Any, plan: Plan
) -> None:
    stage = PlanScene(scene)
    stage.open(a_result())
    node = identity.marked_nodes(scene, identity.result_key(a_result()), identity.SEGMENTATION)[0]
    assert not node.GetDisplayNode().GetVisibility3D()
    kinds = {one.tracking_uid.partition(":")[0] for one in shapes_of(plan)}
    assert "organ" not in kinds, "remnant and resection show it"
    assert "organ:liver" in {one.tracking_uid for one in shapes_of(a_plan())}
    stage.forget()
    assert node.GetDisplayNode().GetVisibility3D()


@pytest.mark.parametrize("name", ["lesion", "liver"])
@pytest.mark.parametrize("grid", ["oblique", "axial"])
def test_what_was_drawn_is_read_where_it_lies_as_by_the_slow_way(scene: Any, grid: str, name: str) -> None:
    from slicermedai.domain.edits import on_grid
    from slicermedai.domain.finding import PackedMask
    from slicermedai.scene.plan_drawn import drawn_part
    from slicermedai.scene.segments import mask_from_segment

    geometry = liver.GRIDS[grid]
    result = a_result(geometry)
    stage = PlanScene(scene)
    stage.open(result)
    ball = PackedMask.from_array(liver.inside(replace(liver.LESION, radii=(9.0, 20.0, 13.0)), geometry), geometry)
    uid = next(one.tracking_uid for one in result.findings if one.label.name == name)
    draw_region(scene, result, uid, ball)
    node = identity.marked_nodes(scene, identity.result_key(result), identity.SEGMENTATION)[0]
    quick = drawn_part(node, uid, geometry)
    assert quick is not None
    slow = on_grid(mask_from_segment(node, uid), geometry)
    assert np.array_equal(quick.to_array(), slow.to_array())
    assert np.array_equal(stage.drawn(uid).to_array(), ball.to_array())
    coarse = replace(geometry, affine=geometry.affine @ np.diag([1.1, 1.0, 1.0, 1.0]))
    assert drawn_part(node, uid, coarse) is None, "another grid is left to the slow way"
    node.SetAndObserveTransformNodeID(scene.AddNewNodeByClass("vtkMRMLLinearTransformNode").GetID())
    assert drawn_part(node, uid, geometry) is None
    stage.forget()


def test_large_regions_are_meshed_in_a_moment(plan: Plan) -> None:
    from slicermedai.domain.finding import PackedMask
    from slicermedai.plan.shapes import _fewer

    grid = Geometry.from_axes((200, 200, 200))
    ball = np.linalg.norm(np.indices(grid.shape) - 99.5, axis=0) < 90
    fewer = _fewer(PackedMask.from_array(ball, grid))
    assert max(fewer.geometry.shape) < 100
    places = fewer.geometry.to_lps(np.argwhere(fewer.to_array()))
    assert np.abs(places.mean(axis=0) - 99.5).max() < 1.5
