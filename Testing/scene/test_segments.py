"""Findings become segments that say what they are and who made them, and come back voxel for voxel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import slicer
import vtk

from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.volume import LabelMap
from slicermedai.errors import GeometryError, InputError
from slicermedai.scene import segments
from slicermedai.scene.volumes import to_matrix, voxels_of
from Testing.fixtures.grids import ORIENTATIONS, grid, rotated, tilted
from Testing.scene.samples import BRAIN_COLOR, BRAIN_UID, VENTRICLE_UID, SmallHead, small_head


def a_segmentation(scene, findings, geometry, made_by):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segments.fill_segmentation(node, findings, geometry=geometry, made_by=made_by)
    return node


@pytest.fixture(autouse=True)
def converters() -> None:
    """What Slicer's application knows when it has started."""
    segments.know_surfaces()


@pytest.fixture
def segmentation(scene, head: SmallHead):
    """The findings of the small head as a segmentation node."""
    result = head.result
    return a_segmentation(scene, result.findings, result.volume_geometry, result.provenance)


@pytest.mark.parametrize("codes", ORIENTATIONS[::5])
def test_masks_come_back_voxel_for_voxel_though_they_overlap(scene, codes):
    result = small_head(codes=codes, spacing=12.0, oblique=True).result
    node = a_segmentation(scene, result.findings, result.volume_geometry, result.provenance)
    for finding in result.findings:
        back = segments.mask_from_segment(node, finding.tracking_uid)
        np.testing.assert_array_equal(back.to_array(), finding.region.to_array())
        assert back.geometry.same_grid(result.volume_geometry, tolerance=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_random_masks_survive_on_a_sheared_oblique_grid(scene, head: SmallHead, seed):
    geometry = rotated(tilted(grid(shape=(6, 7, 8)), 20.0), (15.0, -20.0, 40.0))
    array = np.random.default_rng(seed).random(geometry.shape) > 0.6
    finding = replace(head.result.findings[0], region=PackedMask.from_array(array, geometry))
    node = a_segmentation(scene, [finding], geometry, head.result.provenance)
    np.testing.assert_array_equal(segments.mask_from_segment(node, BRAIN_UID).to_array(), array)


def test_an_empty_mask_is_a_segment_and_stays_empty(scene, head: SmallHead):
    geometry = head.result.volume_geometry
    empty = PackedMask.from_array(np.zeros(geometry.shape, dtype=bool), geometry)
    node = a_segmentation(scene, [replace(head.result.findings[0], region=empty)], geometry, head.result.provenance)
    assert not segments.mask_from_segment(node, BRAIN_UID).to_array().any()


def test_the_terminology_is_read_by_slicers_own_logic_as_the_labels_codes(segmentation):
    entry = slicer.vtkSlicerTerminologyEntry()
    text = segments.segment_tag(segmentation, VENTRICLE_UID, slicer.vtkSegment.GetTerminologyEntryTagName())
    assert slicer.vtkSlicerTerminologiesModuleLogic().DeserializeTerminologyEntry(text, entry)
    codes = [
        (code.GetCodingSchemeDesignator(), code.GetCodeValue(), code.GetCodeMeaning())
        for code in (entry.GetCategoryObject(), entry.GetTypeObject(), entry.GetTypeModifierObject())
    ]
    assert codes == [
        ("SCT", "123037004", "Anatomical Structure"),
        ("SCT", "66720007", "Lateral ventricle"),
        ("SCT", "7771000", "Left"),
    ]


def test_segments_say_that_a_machine_made_them_and_which(segmentation):
    tags = {
        name: segments.segment_tag(segmentation, BRAIN_UID, name)
        for name in ("DICOM.SegmentAlgorithmType", "DICOM.SegmentAlgorithmName", "DICOM.AlgorithmVersion")
    }
    assert tags == {
        "DICOM.SegmentAlgorithmType": "AUTOMATIC",
        "DICOM.SegmentAlgorithmName": "brain 1.2.0",
        "DICOM.AlgorithmVersion": "1.2.0",
    }
    assert segments.segment_tag(segmentation, BRAIN_UID, "DICOM.TrackingUID") == BRAIN_UID


def test_segments_have_the_labels_names_and_colours(segmentation):
    segment = segmentation.GetSegmentation().GetSegment(BRAIN_UID)
    assert segment.GetName() == "Brain"
    np.testing.assert_allclose(np.array(segment.GetColor()) * 255, BRAIN_COLOR, atol=1e-3)


def test_a_long_model_name_keeps_its_version_within_64_characters():
    name = segments.algorithm_name(Provenance(bundle="x" * 90, bundle_version="3.1", weights_sha256=""))
    assert len(name) == 64
    assert name.endswith("x 3.1")


def test_surfaces_enclose_the_volume_that_was_segmented(segmentation, head: SmallHead):
    segments.create_surfaces(segmentation)
    surface = vtk.vtkPolyData()
    segmentation.GetClosedSurfaceRepresentation(BRAIN_UID, surface)
    mass = vtk.vtkMassProperties()
    mass.SetInputData(surface)
    assert mass.GetVolume() / 1000 == pytest.approx(head.result.findings[0].measurements[0].value, rel=0.05)


def test_a_linear_transform_of_the_segmentation_moves_the_mask(scene, segmentation, head: SmallHead):
    turn = np.diag([1.0, 1.0, 1.0, 1.0])
    turn[:3, 3] = (7.0, 0.0, 0.0)  # RAS
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetMatrixTransformToParent(to_matrix(turn))
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    moved = segments.mask_from_segment(segmentation, BRAIN_UID).geometry.origin
    np.testing.assert_allclose(moved - head.result.volume_geometry.origin, (-7.0, 0.0, 0.0), atol=1e-9)


def test_an_unknown_segment_is_refused(segmentation):
    with pytest.raises(InputError, match="no such segment"):
        segments.mask_from_segment(segmentation, "nobody")


def test_a_segmentation_without_reference_geometry_is_refused(scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.GetSegmentation().AddEmptySegment("one")
    with pytest.raises(GeometryError, match="reference image geometry"):
        segments.mask_from_segment(node, "one")


def label_map_of(codes: str = "SPL", values: tuple[int, ...] = (1, 2, 5)) -> LabelMap:
    array = np.zeros((9, 10, 11), np.uint16)
    for number, value in enumerate(values):
        array[2 * number : 2 * number + 3, 1 + number : 4 + number, 2:8] = value
    return LabelMap(array=array, geometry=grid(codes, shape=array.shape))


def filled(head: SmallHead, *regions: Mask) -> Any:
    node = slicer.vtkMRMLScene().AddNewNodeByClass("vtkMRMLSegmentationNode")
    base = head.result.findings[0]
    found = [replace(base, tracking_uid=f"2.25.{number}", region=one) for number, one in enumerate(regions)]
    segments.fill_segmentation(node, found, geometry=regions[0].geometry, made_by=head.result.provenance)
    return node


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_structures_of_one_label_map_share_a_layer_and_each_has_its_own_voxels(codes: str, head: SmallHead) -> None:
    label_map = label_map_of(codes, (1, 2, 700))
    regions = [Mask(label_map=label_map, value=value) for value in (700, 1)]
    node = filled(head, *regions)
    inner = node.GetSegmentation()
    assert inner.GetNumberOfLayers() == 1
    shared = voxels_of(inner.GetSegment("2.25.0").GetRepresentation(segments._LABELMAP))
    assert set(np.unique(shared)) == {0, 1, 700}, "what is no finding is not in it"
    for number, region in enumerate(regions):
        back = segments.mask_from_segment(node, f"2.25.{number}")
        np.testing.assert_array_equal(back.to_array(), region.to_array())
        assert back.geometry.same_grid(region.geometry)
    drawn = {f"2.25.{number}": int(region.to_array().sum()) for number, region in enumerate(regions)}
    assert segments.drawn_voxels(node, list(drawn)) == drawn


def test_two_findings_of_the_same_label_have_segments_of_their_own(head: SmallHead) -> None:
    region = Mask(label_map=label_map_of(), value=2)
    node = filled(head, region, region)
    assert node.GetSegmentation().GetNumberOfLayers() == 2
    np.testing.assert_array_equal(segments.mask_from_segment(node, "2.25.1").to_array(), region.to_array())


def test_a_label_without_voxels_is_an_empty_segment(head: SmallHead) -> None:
    node = filled(head, Mask(label_map=label_map_of(), value=4))
    assert not segments.mask_from_segment(node, "2.25.0").to_array().any()


def test_an_edit_of_one_structure_leaves_the_others_of_its_layer(head: SmallHead) -> None:
    label_map = label_map_of()
    regions = [Mask(label_map=label_map, value=value) for value in (1, 2, 5)]
    node = filled(head, *regions)
    empty = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation("2.25.1", empty)
    voxels_of(empty)[:] = 0
    slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(empty, node, "2.25.1", 0)
    assert not segments.mask_from_segment(node, "2.25.1").to_array().any()
    for number in (0, 2):
        back = segments.mask_from_segment(node, f"2.25.{number}")
        np.testing.assert_array_equal(back.to_array(), regions[number].to_array())
