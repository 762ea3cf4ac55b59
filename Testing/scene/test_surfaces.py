"""Surfaces that a child made, beside those that Slicer makes itself: the same place and size, never of old voxels."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk

from slicermedai.app.meshes import MESHES, read_meshes
from slicermedai.domain.codes import ANATOMY, Code, Label
from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import LabelMap
from slicermedai.plan.shapes import write_surfaces
from slicermedai.scene import segments
from slicermedai.scene.surfaces import Awaited, await_surfaces
from slicermedai.scene.volumes import voxels_of
from Testing.scene.samples import a_provenance

SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
SHAPE = (18, 22, 26)
MADE_BY = a_provenance()


def turns() -> list[np.ndarray]:
    """The 48 ways in which axes can lie."""
    found = []
    for axes, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        turn = np.zeros((3, 3))
        for row, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
            turn[axis, row] = sign
        found.append(turn)
    return found


def grid(directions: np.ndarray) -> Geometry:
    """Anisotropic, off the middle; ``directions`` has a column for each axis of the array."""
    affine = np.eye(4)
    affine[:3, :3] = directions @ np.diag((2.5, 1.0, 0.8))
    affine[:3, 3] = (-31.0, 12.0, 55.0)
    return Geometry(shape=SHAPE, affine=affine)


def oblique() -> np.ndarray:
    a, b = 0.4, -0.3
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1.0]])
    about_x = np.array([[1.0, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return about_z @ about_x


def sheared() -> np.ndarray:
    tilt = np.eye(3)
    tilt[1, 0] = 0.25
    return tilt


def lump(geometry: Geometry, *, name: str = "2.25.7") -> Finding:
    """Not the same from any two sides."""
    array = np.zeros(SHAPE, bool)
    array[4:13, 5:12, 6:20] = True
    array[4:8, 12:17, 6:10] = True
    label = Label(name="Lump", category=ANATOMY, type=Code(value="1", scheme="99T", meaning="Lump"), color=(9, 9, 9))
    return Finding(tracking_uid=name, label=label, region=PackedMask.from_array(array, geometry))


def segmentation(scene: Any, *findings: Finding) -> Any:
    segments.know_surfaces()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    region = findings[0].region
    segments.fill_segmentation(node, findings, geometry=region.geometry, made_by=MADE_BY)
    return node


def meshes(folder: Path, *findings: Finding) -> dict[str, Any]:
    write_surfaces(findings, folder / MESHES)
    return read_meshes(folder / MESHES)


def surface(node: Any, name: str = "2.25.7") -> Any:
    return node.GetSegmentation().GetSegment(name).GetRepresentation(SURFACE)


def ml(surface_: Any) -> float:
    """Signed: negative where it is inside out."""
    points = vtk.util.numpy_support.vtk_to_numpy(surface_.GetPoints().GetData()).astype(float)
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputData(surface_)
    triangles.Update()
    made = triangles.GetOutput()
    points = vtk.util.numpy_support.vtk_to_numpy(made.GetPoints().GetData()).astype(float)
    faces = vtk.util.numpy_support.vtk_to_numpy(made.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    return float((np.cross(a, b) * c).sum() / 6000)


@pytest.mark.parametrize("directions", [*turns(), oblique(), sheared()])
def test_a_surface_lies_where_slicers_own_does_and_is_turned_outwards(
    directions: np.ndarray, scene: Any, tmp_path: Path
) -> None:
    found = lump(grid(directions))
    node, own = segmentation(scene, found), segmentation(scene, found)
    own.CreateClosedSurfaceRepresentation()
    assert Awaited(node).put("2.25.7", meshes(tmp_path, found)["2.25.7"])
    ours, theirs = surface(node), surface(own)
    assert np.allclose(ours.GetBounds(), theirs.GetBounds(), atol=1.3)
    truth = float(found.region.to_array().sum()) * 2.0 / 1000
    assert ml(ours) == pytest.approx(truth, rel=0.05)
    assert np.allclose(ours.GetCenter(), theirs.GetCenter(), atol=0.6)


def test_a_surface_of_a_label_map_is_that_of_its_label(scene: Any, tmp_path: Path) -> None:
    found = lump(grid(np.eye(3)))
    array = np.zeros(SHAPE, np.uint8)
    array[found.region.to_array()] = 3
    array[0:2] = 1
    mask = Mask(label_map=LabelMap(array=array, geometry=grid(np.eye(3))), value=3)
    of_map = Finding(tracking_uid="2.25.7", label=found.label, region=mask)
    own, other = meshes(tmp_path, found)["2.25.7"], meshes(tmp_path, of_map)["2.25.7"]
    assert all(np.array_equal(one, two) for one, two in zip(own, other, strict=True))


def test_a_large_region_has_fewer_corners_and_lies_at_the_same_place(tmp_path: Path) -> None:
    shape = (160, 200, 200)
    places = np.indices(shape).reshape(3, -1).T.reshape(*shape, 3)
    array = (((places - np.array(shape) / 2) / (60, 80, 80)) ** 2).sum(-1) < 1
    geometry = Geometry.from_axes(shape, spacing=(1.0, 0.5, 0.5))
    label = lump(grid(np.eye(3))).label
    found = Finding(tracking_uid="2.25.7", label=label, region=PackedMask.from_array(array, geometry))
    vertices, _, normals = meshes(tmp_path, found)["2.25.7"]
    assert len(vertices) < 60_000
    middle = geometry.to_lps(np.array([[80.0, 100.0, 100.0]]))[0]
    assert np.allclose((vertices.min(axis=0) + vertices.max(axis=0)) / 2, middle, atol=1.0)
    assert np.allclose(np.ptp(vertices, axis=0), (80, 80, 120), atol=3.0)
    assert (((vertices - middle) * normals).sum(axis=1) > 0).mean() > 0.99, "they point outwards"


def test_slicer_makes_no_surface_again_that_was_put_in(scene: Any, tmp_path: Path) -> None:
    first, second = lump(grid(np.eye(3))), lump(grid(np.eye(3)), name="2.25.8")
    node = segmentation(scene, first, second)
    Awaited(node).put("2.25.7", meshes(tmp_path, first)["2.25.7"])
    put = surface(node)
    assert Awaited(node).names == ("2.25.8",)
    node.CreateClosedSurfaceRepresentation()
    assert surface(node) is put
    assert surface(node, "2.25.8").GetNumberOfPoints() > 0
    assert Awaited(node).names == ()


def test_a_surface_comes_too_late_for_a_segment_that_was_drawn_in(scene: Any, tmp_path: Path) -> None:
    found = lump(grid(np.eye(3)))
    node = segmentation(scene, found)
    awaited = Awaited(node)
    image = node.GetSegmentation().GetSegment("2.25.7").GetRepresentation(LABELMAP)
    voxels_of(image)[0, 0, 0] = 0
    image.Modified()
    assert not awaited.put("2.25.7", meshes(tmp_path, found)["2.25.7"])
    assert surface(node) is None


def test_a_surface_comes_too_late_for_a_segment_that_was_shown_anew_or_removed(scene: Any, tmp_path: Path) -> None:
    found = lump(grid(np.eye(3)))
    node, made = segmentation(scene, found), meshes(tmp_path, found)["2.25.7"]
    awaited = Awaited(node)
    segments.put_segment(node, found, made_by=MADE_BY)
    assert not awaited.put("2.25.7", made)
    awaited = Awaited(node)
    node.GetSegmentation().RemoveSegment("2.25.7")
    assert not awaited.put("2.25.7", made)
    other = segmentation(scene, found)
    awaited = Awaited(other)
    scene.RemoveNode(other)
    assert not awaited.put("2.25.7", made)
    assert not awaited.put("2.25.9", made)


def test_small_segments_have_their_surfaces_at_once_and_large_ones_wait(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = segmentation(scene, lump(grid(np.eye(3))))
    monkeypatch.setattr("slicermedai.scene.surfaces.AT_ONCE", Awaited(node).voxels - 1)
    assert await_surfaces(node).names == ("2.25.7",)
    assert surface(node) is None
    monkeypatch.undo()
    assert await_surfaces(node).names == ()
    assert surface(node).GetNumberOfPoints() > 0


def test_a_segment_that_is_put_beside_others_with_surfaces_has_none_yet(scene: Any, tmp_path: Path) -> None:
    first, second = lump(grid(np.eye(3))), lump(grid(np.eye(3)), name="2.25.8")
    node = segmentation(scene, first, second)
    node.CreateClosedSurfaceRepresentation()
    before = surface(node, "2.25.8")
    segments.put_segment(node, first, made_by=MADE_BY, before="2.25.8")
    assert surface(node) is None
    assert surface(node, "2.25.8") is before
    assert Awaited(node).names == ("2.25.7",)
    assert segments.mask_from_segment(node, "2.25.7").to_array().sum() == first.region.to_array().sum()
