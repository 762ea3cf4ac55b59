"""Surfaces are closed, lie where the structure lies, face outwards, and say their unit and axes in every file."""

from __future__ import annotations

import re
import zipfile
from xml.etree import ElementTree

import numpy as np
import pytest

from slicermedai.domain.finding import PackedMask
from slicermedai.errors import FormatError
from slicermedai.plan.mesh import Space, Surface, region_surface, surface_of
from slicermedai.plan.mesh_files import write_surfaces
from Testing.fixtures import liver
from Testing.plan.cases import a_plan

NAMESPACE = "{http://schemas.microsoft.com/3dmanufacturing/core/2015/02}"


@pytest.fixture(scope="module", params=liver.GRIDS)
def surfaces(request) -> dict[str, Surface]:
    plan = a_plan(liver.GRIDS[request.param])
    return {one.name: surface_of(one) for one in plan.structures}


BOUNDS = {"lesion": 0.01, "hepatic vein": 0.04, "portal vein": 0.04, "artery": 0.15}
"""What smoothing may take of the volume of the voxels: the thinner, the more."""


@pytest.mark.parametrize("grid", liver.GRIDS)
@pytest.mark.parametrize("name", BOUNDS)
def test_smoothing_takes_no_more_of_the_volume_than_the_documentation_says(grid, name):
    geometry = liver.GRIDS[grid]
    region = PackedMask.from_array(liver.inside({**liver.SOLIDS, "artery": liver.ARTERY}[name], geometry), geometry)
    counted = region.to_array().sum() * geometry.voxel_volume / 1000
    assert region_surface(region, name=name).ml == pytest.approx(counted, rel=BOUNDS[name])


def test_every_edge_belongs_to_two_triangles_that_run_along_it_both_ways(surfaces):
    for surface in surfaces.values():
        edges = np.concatenate([surface.faces[:, [0, 1]], surface.faces[:, [1, 2]], surface.faces[:, [2, 0]]])
        there = {tuple(edge) for edge in edges.tolist()}
        assert len(there) == len(edges)
        assert {(b, a) for a, b in there} == there


def test_a_surface_encloses_the_volume_of_its_structure_and_faces_outwards(surfaces):
    assert surfaces["liver"].ml == pytest.approx(liver.LIVER.volume_ml, rel=0.005)
    assert surfaces["lesion"].ml == pytest.approx(liver.LESION.volume_ml, rel=0.03)


def test_a_surface_lies_where_the_structure_lies(surfaces):
    for name, solid in liver.SOLIDS.items():
        assert np.abs(solid.distance(surfaces[name].vertices)).mean() < 0.8


def test_turned_to_ras_left_stays_left(surfaces):
    turned = surfaces["lesion"].turned_to(Space.RAS)
    assert turned.vertices.mean(axis=0) == pytest.approx([52.0, 0.0, 14.0], abs=1.0)
    assert turned.ml == pytest.approx(surfaces["lesion"].ml)
    assert turned.turned_to(Space.LPS).vertices == pytest.approx(surfaces["lesion"].vertices)


@pytest.fixture(scope="module")
def two() -> list[Surface]:
    return [surface_of(one) for one in a_plan().structures[1:3]]


@pytest.mark.parametrize("space", Space)
def test_stl_holds_the_triangles_and_says_axes_and_unit(two, space, tmp_path):
    path, other = write_surfaces(two, tmp_path, kind="stl", space=space)
    assert (path.name, other.name) == ("lesion.stl", "hepatic-vein.stl")
    data = path.read_bytes()
    assert data.startswith(f"SPACE={space};UNIT=mm;".encode())
    assert len(data) == 84 + 50 * int(np.frombuffer(data[80:84], "<u4")[0])
    rows = np.frombuffer(data[84:], np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("spare", "<u2")]))
    turned = two[0].turned_to(space)
    assert rows["corners"] == pytest.approx(turned.vertices[turned.faces], abs=1e-4)
    middle = rows["corners"].reshape(-1, 3).mean(axis=0)
    assert ((rows["corners"].mean(axis=1) - middle) * rows["normal"]).sum(axis=1).min() > 0, "normals point outwards"


def test_obj_holds_vertices_and_faces(two, tmp_path):
    text = write_surfaces(two[:1], tmp_path, kind="obj", space=Space.RAS)[0].read_text()
    assert "# SPACE=RAS\n# UNIT=mm\n" in text
    vertices = np.array([line.split()[1:] for line in text.splitlines() if line.startswith("v ")], dtype=float)
    faces = np.array([line.split()[1:] for line in text.splitlines() if line.startswith("f ")], dtype=int) - 1
    assert vertices == pytest.approx(two[0].turned_to(Space.RAS).vertices, abs=1e-4)
    assert np.array_equal(faces, two[0].faces)


def test_3mf_is_one_package_in_millimetres_with_names_and_colours(two, tmp_path):
    (path,) = write_surfaces(two, tmp_path, kind="3mf")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["[Content_Types].xml", "_rels/.rels", "3D/3dmodel.model"]
        model = ElementTree.fromstring(archive.read("3D/3dmodel.model"))
        relations = archive.read("_rels/.rels").decode()
    assert model.get("unit") == "millimeter"
    assert 'Target="/3D/3dmodel.model"' in relations
    objects = model.findall(f"{NAMESPACE}resources/{NAMESPACE}object")
    assert [one.get("name") for one in objects] == ["lesion", "hepatic vein"]
    for one, surface in zip(objects, two, strict=True):
        assert len(one.findall(f".//{NAMESPACE}vertex")) == len(surface.vertices)
        assert len(one.findall(f".//{NAMESPACE}triangle")) == len(surface.faces)
    bases = [base.get("displaycolor") for base in model.iter(f"{NAMESPACE}base")]
    assert bases == ["#F0DC3C", "#3C5ADC"]
    said = " ".join(one.text or "" for one in model.iter(f"{NAMESPACE}metadata"))
    assert re.search(r"Axes run to LPS", said)


def test_names_that_would_be_one_file_are_numbered_and_nothing_leaves_the_folder(two, tmp_path):
    names = ["../Left lobe", "left-lobe", "Größe?", "///"]
    odd = [Surface(name=name, vertices=two[0].vertices, faces=two[0].faces) for name in names]
    files = write_surfaces(odd, tmp_path)
    assert [path.name for path in files] == ["left-lobe.stl", "left-lobe-2.stl", "gr-e.stl", "structure.stl"]
    assert all(path.parent == tmp_path for path in files)


def test_another_format_and_no_surface_are_refused(two, tmp_path):
    with pytest.raises(FormatError, match="no surfaces are written as 'ply'"):
        write_surfaces(two, tmp_path, kind="ply")
    with pytest.raises(FormatError, match="no surface to write"):
        write_surfaces([], tmp_path)
