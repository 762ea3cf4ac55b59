"""Closed surfaces that a child process makes: they are those that Slicer makes, wherever the voxels lie."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vtk.util import numpy_support

from slicermedai.app.meshes import read_meshes
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import LabelMap
from slicermedai.plan.shapes import coarse_mesh, write_each
from slicermedai.scene import closing, segments
from slicermedai.scene.closing import Mesh, closed_surface, closed_surfaces
from slicermedai.scene.surfaces import poly_data
from Testing.fixtures.grids import ORIENTATIONS, grid, rotated, tilted
from Testing.scene.samples import BRAIN_UID, VENTRICLE_UID, SmallHead

SHAPE = (14, 12, 18)


def a_lump(geometry: Geometry) -> PackedMask:
    """Of no symmetry, and touching the border of its grid."""
    array = np.zeros(geometry.shape, bool)
    array[0:9, 2:9, 3:15] = True
    array[9:12, 3:5, 4:7] = True
    array[4:6, 9:12, 12:18] = True
    return PackedMask.from_array(array, geometry)


def by_slicer(scene: Any, region: PackedMask | Mask, head: SmallHead) -> Any:
    """The poly data that Slicer makes of a segment."""
    segments.know_surfaces()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    found = replace(head.result.findings[0], tracking_uid=BRAIN_UID, region=region)
    segments.fill_segmentation(node, [found], geometry=region.geometry, made_by=head.result.provenance)
    segments.create_surfaces(node)
    return node.GetSegmentation().GetSegment(BRAIN_UID).GetRepresentation("Closed surface")


def arrays(made: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, triangles and normals of poly data, RAS mm."""
    return (
        numpy_support.vtk_to_numpy(made.GetPoints().GetData()),
        numpy_support.vtk_to_numpy(made.GetPolys().GetConnectivityArray()).reshape(-1, 3),
        numpy_support.vtk_to_numpy(made.GetPointData().GetNormals()),
    )


def signed(points: np.ndarray, triangles: np.ndarray) -> float:
    """The volume, mm3, positive where the triangles run anticlockwise seen from outside."""
    a, b, c = ((points.astype(float) - points.mean(0))[triangles[:, corner]] for corner in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def outwards(points: np.ndarray, normals: np.ndarray) -> float:
    """How far the normals point away from the middle, mm on average."""
    return float(((points - points.mean(0)).astype(float) * normals).sum() / len(points))


def check_same(scene: Any, region: PackedMask, head: SmallHead, mesh: Mesh) -> None:
    own, made = arrays(by_slicer(scene, region, head)), arrays(poly_data(mesh))
    assert [len(one) for one in made] == [len(one) for one in own]
    for side in (np.min, np.max, np.mean):
        np.testing.assert_allclose(side(made[0], axis=0), side(own[0], axis=0), atol=1e-2)
    assert signed(*made[:2]) == pytest.approx(signed(*own[:2]), rel=1e-4)
    assert abs(signed(*made[:2])) == pytest.approx(region.to_array().sum() * region.geometry.voxel_volume, rel=0.1)
    assert outwards(made[0], made[2]) == pytest.approx(outwards(own[0], own[2]), rel=1e-3)


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_the_surface_is_slicers_own_in_every_orientation(scene: Any, codes: str, head: SmallHead) -> None:
    region = a_lump(grid(codes, shape=SHAPE, spacing=(3.0, 2.0, 1.5), center=(40.0, -70.0, 200.0)))
    check_same(scene, region, head, closed_surface(region, coarse_mesh))


def test_the_surface_is_slicers_own_on_oblique_and_tilted_grids(scene: Any, head: SmallHead) -> None:
    base = grid("SPL", shape=SHAPE, spacing=(3.0, 2.0, 1.5), center=(-30.0, 60.0, 900.0))
    for geometry in (rotated(base, (20.0, -35.0, 70.0)), tilted(base, 17.0)):
        region = a_lump(geometry)
        check_same(scene, region, head, closed_surface(region, coarse_mesh))


def test_labels_of_one_map_have_the_surfaces_of_their_own_voxels(scene: Any, head: SmallHead, tmp_path: Path) -> None:
    geometry = grid("SPL", shape=SHAPE, spacing=(3.0, 2.0, 1.5))
    lump = a_lump(geometry)
    array = np.where(lump.to_array(), 7, 0).astype(np.uint8)
    array[9:, 5:] = 9
    labels = LabelMap(array=array, geometry=geometry)
    found = [
        replace(head.result.findings[0], tracking_uid=uid, region=Mask(label_map=labels, value=value))
        for uid, value in ((BRAIN_UID, 7), (VENTRICLE_UID, 9), ("2.25.3", 8))
    ]
    write_each(closed_surfaces(found, coarse_mesh), tmp_path / "m.npz")
    made = read_meshes(tmp_path / "m.npz")
    assert list(made) == [BRAIN_UID, VENTRICLE_UID], "of no voxel there is no surface"
    check_same(scene, lump, head, made[BRAIN_UID])
    check_same(scene, PackedMask.from_array(array == 9, geometry), head, made[VENTRICLE_UID])


@pytest.mark.parametrize(("name", "most"), [("MOST_VOXELS", 100), ("MOST_FACES", 100)])
def test_where_memory_would_not_do_the_surface_is_coarser_and_lies_at_the_same_place(
    monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    region = a_lump(grid("SPL", shape=SHAPE, spacing=(1.0, 1.0, 1.0)))
    own = closed_surface(region, coarse_mesh)[0]
    monkeypatch.setattr(closing, name, most)
    coarse = closed_surface(region, coarse_mesh)[0]
    assert not np.array_equal(coarse, own)
    assert np.allclose(coarse.min(axis=0), own.min(axis=0), atol=1.0)
    assert np.allclose(coarse.max(axis=0), own.max(axis=0), atol=1.0)


def test_an_empty_region_has_no_surface(head: SmallHead) -> None:
    geometry = grid("SPL", shape=SHAPE)
    empty = replace(head.result.findings[0], region=PackedMask.from_array(np.zeros(SHAPE, bool), geometry))
    assert list(closed_surfaces([empty], coarse_mesh)) == []


def test_the_child_needs_no_slicer_for_it() -> None:
    code = (
        "import sys; import slicermedai.scene.closing; print([one for one in ('slicer', 'qt') if one in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
