"""Volumes from memory: arrays with a matrix, SimpleITK images, and a folder for another process."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from slicermedai.dicom.volumes import from_array, from_sitk, is_volume_folder, load_volume, save_volume
from slicermedai.domain.codec import load_object, save_object
from slicermedai.domain.codes import HOUNSFIELD
from slicermedai.domain.study import InstanceRef, SeriesRef, Study
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, ResultExistsError, UnreadableFileError, UnsupportedImageError


def test_an_array_and_its_matrix_in_column_row_slice_order_are_a_volume(a_head: Volume) -> None:
    volume = from_array(a_head.array, a_head.geometry.ijk_to_lps, name="mine", modality="MR")
    assert volume.geometry == a_head.geometry.__class__(shape=a_head.geometry.shape, affine=a_head.geometry.affine)
    i, j, k = 3, 5, 7
    assert volume.geometry.to_lps((k, j, i)) == pytest.approx((a_head.geometry.ijk_to_lps @ [i, j, k, 1])[:3])
    assert (volume.name, volume.modality) == ("mine", "MR")


def test_an_array_and_a_geometry_are_a_volume(a_head: Volume) -> None:
    assert from_array(a_head.array, a_head.geometry).geometry is a_head.geometry


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 4, 5)])
def test_arrays_that_are_not_three_dimensional_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnsupportedImageError) as caught:
        from_array(np.zeros(shape), np.eye(4))
    assert caught.value.attribute == "array"


@pytest.mark.parametrize("matrix", [np.eye(3), np.zeros((4, 4)), np.full((4, 4), np.nan)])
def test_a_matrix_that_places_nothing_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(GeometryError):
        from_array(np.zeros((2, 3, 4)), matrix)


def test_nan_voxels_are_refused() -> None:
    with pytest.raises(UnsupportedImageError, match="NaN"):
        from_array(np.full((2, 3, 4), np.nan), np.eye(4))


def test_a_simpleitk_image_lies_where_simpleitk_says(a_head: Volume) -> None:
    image = SimpleITK.GetImageFromArray(a_head.array)
    image.SetOrigin((11.0, -7.0, 3.0))
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetDirection((0, 1, 0, 0, 0, -1, -1, 0, 0))
    volume = from_sitk(image, name="itk")
    for index in ((0, 0, 0), (3, 5, 7), (31, 35, 19)):
        assert volume.geometry.to_lps(index[::-1]) == pytest.approx(image.TransformIndexToPhysicalPoint(index))
    assert volume.array[7, 5, 3] == image[3, 5, 7]


def test_the_voxels_of_a_simpleitk_image_are_copied(a_head: Volume) -> None:
    image = SimpleITK.GetImageFromArray(a_head.array)
    volume = from_sitk(image)
    image[3, 5, 7] = 12345
    assert volume.array[7, 5, 3] == a_head.array[7, 5, 3]


@pytest.mark.parametrize("shape", [(5, 6), (1, 5, 6)])
def test_a_two_dimensional_simpleitk_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnsupportedImageError) as caught:
        from_sitk(SimpleITK.GetImageFromArray(np.zeros(shape, np.int16)))
    assert caught.value.attribute == "dimension"


def test_a_saved_volume_comes_back_without_loss(a_ct_head: Volume, tmp_path: Path) -> None:
    volume = Volume(
        array=a_ct_head.array.astype(np.float32) / 3,
        geometry=a_ct_head.geometry,
        modality="CT",
        unit=HOUNSFIELD,
        name="Kopf, nativ",
        series_uid="2.25.5",
    )
    instance = InstanceRef(sop_class_uid="1.2.3", sop_instance_uid="2.25.6")
    study = Study(study_uid="2.25.4", patient_id="x", series=(SeriesRef(series_uid="2.25.5", instances=(instance,)),))
    folder = save_volume(volume, study, tmp_path / "v")
    again, same_study = load_volume(folder)
    assert is_volume_folder(folder) and not is_volume_folder(tmp_path)
    assert np.array_equal(again.array, volume.array) and again.array.dtype == np.float32
    assert (again.geometry, again.unit, again.name, again.series_uid) == (
        volume.geometry,
        HOUNSFIELD,
        "Kopf, nativ",
        "2.25.5",
    )
    assert same_study == study


def test_a_saved_volume_is_not_compressed_since_a_window_waits_for_it(a_head: Volume, tmp_path: Path) -> None:
    folder = save_volume(a_head, Study(), tmp_path / "v")
    with zipfile.ZipFile(folder / "arrays.npz") as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    save_object(a_head, tmp_path / "result", kind="volume")
    with zipfile.ZipFile(tmp_path / "result" / "arrays.npz") as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    again, _ = load_volume(folder)
    assert np.array_equal(again.array, load_object(tmp_path / "result", Volume, kind="volume").array)


def test_a_saved_volume_is_not_overwritten(a_head: Volume, tmp_path: Path) -> None:
    folder = save_volume(a_head, Study(), tmp_path / "v")
    with pytest.raises(ResultExistsError):
        save_volume(a_head, Study(), folder)


def test_a_damaged_saved_volume_is_refused(a_head: Volume, tmp_path: Path) -> None:
    folder = save_volume(a_head, Study(), tmp_path / "v")
    arrays = folder / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:1000])
    with pytest.raises(UnreadableFileError):
        load_volume(folder)
