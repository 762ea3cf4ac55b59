"""A volume goes to MRML and comes back with every voxel where it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slicer
import vtk

from slicermedai.domain.codes import HOUNSFIELD
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, UnsupportedImageError
from slicermedai.scene.volumes import to_matrix, volume_from_node, volume_to_node
from Testing.fixtures.grids import ORIENTATIONS, grid, rotated, tilted
from Testing.scene.samples import SmallHead


def a_volume(geometry: Geometry, dtype: str = "int16") -> Volume:
    values = np.arange(np.prod(geometry.shape)).reshape(geometry.shape).astype(dtype)
    return Volume(array=values, geometry=geometry, modality="CT", unit=HOUNSFIELD, name="counting")


SMALL = (3, 4, 5)


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_a_volume_survives_in_all_48_orientations(scene, codes):
    volume = a_volume(grid(codes, shape=SMALL, spacing=(3.0, 1.5, 0.7), center=(12.0, -30.0, 55.0)))
    back = volume_from_node(volume_to_node(volume, scene))
    np.testing.assert_array_equal(back.array, volume.array)
    np.testing.assert_allclose(back.geometry.affine, volume.geometry.affine, atol=1e-12)


@pytest.mark.parametrize(
    "geometry",
    [
        rotated(grid(shape=SMALL), (12.0, -7.0, 33.0)),
        tilted(grid(shape=SMALL), 18.0),
        grid(shape=(1, 4, 5)),
    ],
    ids=["oblique", "tilted gantry", "one slice"],
)
def test_odd_grids_survive(scene, geometry):
    back = volume_from_node(volume_to_node(a_volume(geometry), scene))
    np.testing.assert_allclose(back.geometry.affine, geometry.affine, atol=1e-11)
    assert back.geometry.shape == geometry.shape


def test_a_voxel_lies_where_slicer_says_in_ras(scene):
    volume = a_volume(rotated(grid(shape=SMALL), (5.0, 10.0, 15.0)))
    node = volume_to_node(volume, scene)
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    ras = matrix.MultiplyPoint((4.0, 2.0, 1.0, 1.0))[:3]
    left, posterior, superior = volume.geometry.to_lps((1, 2, 4))
    np.testing.assert_allclose(ras, (-left, -posterior, superior), atol=1e-9)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">i2", ">f4"])
def test_voxels_of_every_type_keep_their_values(scene, dtype):
    volume = a_volume(grid(shape=SMALL), dtype)
    np.testing.assert_array_equal(volume_from_node(volume_to_node(volume, scene)).array, volume.array)


def test_integers_that_no_node_can_hold_are_refused(scene):
    volume = Volume(array=np.full(SMALL, 2**60 + 1, dtype=np.int64), geometry=grid(shape=SMALL))
    with pytest.raises(UnsupportedImageError, match="without loss"):
        volume_to_node(volume, scene)


def test_unit_modality_series_and_frame_of_reference_survive(scene, head: SmallHead):
    volume = replace(head.volume, unit=HOUNSFIELD)
    back = volume_from_node(volume_to_node(volume, scene, study=head.result.study))
    assert (back.unit, back.modality, back.series_uid) == (HOUNSFIELD, "MR", volume.series_uid)
    assert back.geometry.frame_of_reference_uid == volume.geometry.frame_of_reference_uid


def test_the_node_names_the_instances_it_came_from(scene, head: SmallHead):
    node = volume_to_node(head.volume, scene, study=head.result.study)
    wanted = [instance.sop_instance_uid for instance in head.result.study.series[0].instances]
    assert node.GetAttribute("DICOM.instanceUIDs").split() == wanted


def test_the_array_handed_back_is_the_callers_own(scene):
    node = volume_to_node(a_volume(grid(shape=SMALL)), scene)
    back = volume_from_node(node)
    slicer.util.arrayFromVolume(node)[:] = -1
    assert back.array.max() > 0


def test_a_linear_parent_transform_is_applied(scene):
    volume = a_volume(grid(shape=SMALL))
    node = volume_to_node(volume, scene)
    shift = np.eye(4)
    shift[:3, 3] = (10.0, 20.0, 30.0)  # RAS
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetMatrixTransformToParent(to_matrix(shift))
    node.SetAndObserveTransformNodeID(transform.GetID())
    moved = volume_from_node(node).geometry.origin - volume.geometry.origin
    np.testing.assert_allclose(moved, (-10.0, -20.0, 30.0), atol=1e-9)


def test_a_non_linear_parent_transform_is_refused(scene):
    node = volume_to_node(a_volume(grid(shape=SMALL)), scene)
    transform = scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    spline = vtk.vtkThinPlateSplineTransform()
    for points, offset in ((spline.SetSourceLandmarks, 0.0), (spline.SetTargetLandmarks, 3.0)):
        landmarks = vtk.vtkPoints()
        for corner in ((0, 0, 0), (50, 0, 0), (0, 50, 0), (0, 0, 50)):
            landmarks.InsertNextPoint(corner[0], corner[1], corner[2] + offset * (corner[0] > 0))
        points(landmarks)
    transform.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(GeometryError, match="non-linear"):
        volume_from_node(node)


def test_a_vector_volume_is_refused(scene):
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode")
    image = vtk.vtkImageData()
    image.SetDimensions(3, 3, 3)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    node.SetAndObserveImageData(image)
    with pytest.raises(UnsupportedImageError, match="several values"):
        volume_from_node(node)


def test_a_node_without_voxels_is_refused(scene):
    with pytest.raises(UnsupportedImageError, match="no voxels"):
        volume_from_node(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"))


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_a_large_image_is_shown_as_slicer_would_by_a_sample_of_its_voxels(scene, monkeypatch, dtype):
    geometry = grid(shape=(40, 60, 60))
    array = np.random.default_rng(3).normal(100.0, 30.0, geometry.shape).astype(dtype)
    array[:, :8, :8] = -1000
    volume = replace(a_volume(geometry), array=array)
    all_of_it = volume_to_node(volume, scene).GetDisplayNode()
    monkeypatch.setattr("slicermedai.scene.volumes._LARGE", 1000)
    monkeypatch.setattr("slicermedai.scene.volumes._SAMPLED", 2500)
    sampled = volume_to_node(volume, scene).GetDisplayNode()
    assert not sampled.GetAutoWindowLevel()
    assert sampled.GetColorNodeID() == all_of_it.GetColorNodeID()
    assert sampled.GetWindowLevelMin() == pytest.approx(all_of_it.GetWindowLevelMin(), abs=30.0)
    assert sampled.GetWindowLevelMax() == pytest.approx(all_of_it.GetWindowLevelMax(), abs=30.0)


def test_a_large_image_of_one_value_is_shown_as_slicer_does(scene, monkeypatch):
    monkeypatch.setattr("slicermedai.scene.volumes._LARGE", 1000)
    geometry = grid(shape=(40, 60, 60))
    volume = replace(a_volume(geometry), array=np.full(geometry.shape, 7.0, np.float32))
    assert volume_to_node(volume, scene).GetDisplayNode().GetAutoWindowLevel()
