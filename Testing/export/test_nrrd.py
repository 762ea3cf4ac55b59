"""A segmentation as NRRD: the voxels where they were for ITK, and segments with names, colours and codes for Slicer."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from slicermedai.domain.result import Status
from slicermedai.errors import FormatError
from slicermedai.export.run import export_result
from Testing.export.cases import GRIDS, LEFT_KIDNEY, Case, a_ball, a_case
from Testing.export.test_sr_image import LESION, said_of
from Testing.fixtures.grids import tilted


def exported(case: Case, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (path,) = export_result(case.result, headers=case.headers, folder=folder, formats=("nrrd",))
    return path


def apart(grid: str) -> Case:
    """Two findings that do not touch."""
    geometry = GRIDS[grid]
    inner = a_ball(geometry, radius=(0.2, 0.2, 0.1))
    return a_case(geometry, masks=(a_ball(geometry) & ~inner, inner))


@pytest.mark.parametrize("grid", GRIDS)
def test_itk_reads_every_voxel_where_it_was(grid: str, tmp_path: Path) -> None:
    case = apart(grid)
    image = SimpleITK.ReadImage(str(exported(case, tmp_path)))
    labels = SimpleITK.GetArrayFromImage(image)
    for number, mask in enumerate(case.masks, 1):
        assert np.array_equal(labels == number, mask)
    for index in ((0, 0, 0), tuple(n - 1 for n in case.geometry.shape)):
        place = image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
        np.testing.assert_allclose(place, case.geometry.to_lps(index), atol=1e-6)


def read_by_slicer(path: Path) -> object:
    slicer = pytest.importorskip("slicer", reason="absent: slicer-core")
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node) == 1
    node.slicermedai_scene = scene  # it owns the node
    return node


@pytest.mark.parametrize("overlapping", [False, True])
def test_slicer_reads_names_colours_codes_and_voxels_of_structures_that_may_overlap(
    overlapping: bool, tmp_path: Path
) -> None:
    from slicermedai.scene.segments import TRACKING_UID, segment_tag, terminology

    geometry = GRIDS["axial"]
    inner = a_ball(geometry, radius=(0.2, 0.2, 0.1))
    masks = (a_ball(geometry) if overlapping else a_ball(geometry) & ~inner, inner)
    case = a_case(geometry, masks=masks, labels=(LESION, dataclasses.replace(LEFT_KIDNEY, name="左腎 | a\\b\nc")))
    node = read_by_slicer(exported(case, tmp_path))
    segmentation = node.GetSegmentation()  # type: ignore[attr-defined]
    assert segmentation.GetNumberOfSegments() == 2
    for number, (finding, mask) in enumerate(zip(case.result.findings, masks, strict=True)):
        name = segmentation.GetNthSegmentID(number)
        segment = segmentation.GetSegment(name)
        assert segment.GetName() == finding.label.name
        assert [round(255 * part) for part in segment.GetColor()] == list(finding.label.color)
        assert segment_tag(node, name, TRACKING_UID) == finding.tracking_uid
        assert segment_tag(node, name, "TerminologyEntry") == terminology(finding.label)
        labels = segment.GetRepresentation("Binary labelmap")
        scalars = labels.GetPointData().GetScalars()
        count = sum(scalars.GetTuple1(place) == segment.GetLabelValue() for place in range(scalars.GetNumberOfTuples()))
        assert count == int(mask.sum())
    assert segmentation.GetNumberOfLayers() == (2 if overlapping else 1)


def test_a_leaning_grid_is_written_as_it_leans(tmp_path: Path) -> None:
    geometry = tilted(GRIDS["axial"], 15.0)
    text = exported(a_case(geometry), tmp_path).read_bytes().decode("latin-1")
    directions = next(line for line in text.splitlines() if line.startswith("space directions: "))
    told = [tuple(map(float, part.strip("()").split(","))) for part in directions.split(": ")[1].split(" ")]
    np.testing.assert_allclose(told, [case_axis for case_axis in geometry.affine[:3, [2, 1, 0]].T], atol=1e-12)


def test_it_says_what_made_it_and_holds_no_patient(tmp_path: Path) -> None:
    case = a_case()
    path = exported(case, tmp_path)
    text = path.read_bytes().decode("latin-1")
    made = case.result.provenance
    assert f"SlicerMedAI_weights_sha256:={made.weights_sha256}" in text and "not a medical device" in text
    assert str(case.headers[0].PatientID) not in text and str(case.headers[0].PatientName) not in text
    assert exported(case, tmp_path / "again").read_bytes() == path.read_bytes()
    with pytest.raises(FormatError, match="no voxels"):
        exported(said_of(case, LESION), tmp_path / "whole")


@pytest.mark.parametrize(("name", "files"), [("nrrd", 1), ("nifti", 2)])
def test_a_failed_run_leaves_no_label_map_that_says_nothing_was_found(name: str, files: int, tmp_path: Path) -> None:
    for status, count in ((Status.NO_FINDING, files), (Status.FAILED, 0)):
        case = a_case(masks=(), status=status)
        folder = tmp_path / status.name
        folder.mkdir()
        assert len(export_result(case.result, headers=case.headers, folder=folder, formats=(name,))) == count
        assert len(list(folder.iterdir())) == count
