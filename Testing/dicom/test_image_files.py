"""NIfTI, NRRD and MetaImage headers that do not say where voxels begin, or where they lie, are refused by name."""

from __future__ import annotations

import struct
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from slicermedai.dicom.inputs import open_source
from slicermedai.errors import GeometryError, InputError, UnreadableFileError, UnsupportedImageError
from Testing.fixtures.grids import ORIENTATIONS, grid, rotated

VOXELS = np.arange(60, dtype="<i2").reshape(5, 4, 3)  # slices, rows, columns


def _refused(path: Path, kind: type[InputError], attribute: str) -> InputError:
    """The error of opening ``path``: it names the file and ``attribute``, and says what to do."""
    with pytest.raises(kind) as caught:
        open_source(path)
    error = caught.value
    assert (type(error), error.file, error.attribute) == (kind, str(path), attribute)
    assert error.advice
    return error


# --- NIfTI ---------------------------------------------------------------------------------------------------------

NIFTI = {1: (nibabel.Nifti1Image, 344, 108, "f"), 2: (nibabel.Nifti2Image, 4, 168, "q")}
"""By version: the image type, and where magic and vox_offset (with its type) lie."""


def _nifti(path: Path, version: int, *, magic: bytes | None = None, vox_offset: float | None = None) -> Path:
    kind, at_magic, at_offset, offset_type = NIFTI[version]
    nibabel.save(kind(VOXELS.T, np.eye(4)), path)
    data = bytearray(path.read_bytes())
    if magic is not None:
        data[at_magic : at_magic + 4] = magic
    if vox_offset is not None:
        struct.pack_into(f"<{offset_type}", data, at_offset, vox_offset)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("version", NIFTI)
def test_a_nifti_file_as_it_should_be_is_read(version: int, tmp_path: Path) -> None:
    assert np.array_equal(open_source(_nifti(tmp_path / "a.nii", version)).volume.array, VOXELS)


@pytest.mark.parametrize("offset", [352.0, 368.0], ids=["352", "368"])
def test_voxels_begin_where_vox_offset_says(offset: float, tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", 1, vox_offset=offset)
    path.write_bytes(path.read_bytes()[:352] + bytes(int(offset) - 352) + VOXELS.tobytes())
    assert np.array_equal(open_source(path).volume.array, VOXELS)


@pytest.mark.parametrize("version", NIFTI)
def test_an_analyze_file_is_refused_by_its_magic(version: int, tmp_path: Path) -> None:
    error = _refused(_nifti(tmp_path / "a.nii", version, magic=bytes(4)), UnreadableFileError, "magic")
    assert "left from right" in str(error)


@pytest.mark.parametrize(("version", "magic"), [(1, b"ni1\0"), (2, b"ni2\0")])
def test_half_a_pair_of_nifti_files_is_refused_by_its_magic(version: int, magic: bytes, tmp_path: Path) -> None:
    error = _refused(_nifti(tmp_path / "a.nii", version, magic=magic), UnreadableFileError, "magic")
    assert "pair" in str(error)


@pytest.mark.parametrize(("version", "magic"), [(1, b"n+2\0"), (2, b"n+1\0"), (1, b"n+1 ")])
def test_the_magic_of_another_version_is_refused(version: int, magic: bytes, tmp_path: Path) -> None:
    _refused(_nifti(tmp_path / "a.nii", version, magic=magic), UnreadableFileError, "magic")


@pytest.mark.parametrize(
    ("version", "offset"),
    [
        *((1, value) for value in (0.0, 348.0, 351.0, -16.0, 352.5, float("nan"), float("inf"), float("-inf"))),
        *((2, value) for value in (0, 540, 543, -16, -(2**63))),
    ],
)
def test_a_vox_offset_that_is_no_place_after_the_header_is_refused(version: int, offset: float, tmp_path: Path) -> None:
    _refused(_nifti(tmp_path / "a.nii", version, vox_offset=offset), UnreadableFileError, "vox_offset")


@pytest.mark.parametrize(("version", "offset"), [(1, 1e30), (2, 2**62)])
def test_a_vox_offset_beyond_the_end_is_refused_as_truncated(version: int, offset: float, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="truncated"):
        open_source(_nifti(tmp_path / "a.nii", version, vox_offset=offset))


def test_a_nifti_2_size_beyond_all_numbers_is_refused_as_truncated(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", 2)
    data = bytearray(path.read_bytes())
    struct.pack_into("<3q", data, 24, 2**31, 2**31, 4)
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError, match="truncated"):
        open_source(path)


def test_a_nifti_2_file_cut_off_in_its_header_is_refused(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", 2)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(UnreadableFileError, match="header"):
        open_source(path)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_nifti_file_with_an_axis_that_is_none_is_refused(value: float, tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", 1)
    data = bytearray(path.read_bytes())
    struct.pack_into("<f", data, 280, value)
    path.write_bytes(data)
    _refused(path, GeometryError, "sform, qform")


# --- NRRD ----------------------------------------------------------------------------------------------------------


def _nrrd(path: Path, **fields: str | None) -> Path:
    """A NRRD file of ``VOXELS`` in LPS; ``space_origin="..."`` changes a field, None leaves it out."""
    wanted: dict[str, str | None] = {
        "type": "short",
        "dimension": "3",
        "space": "left-posterior-superior",
        "space dimension": None,
        "sizes": "3 4 5",
        "space directions": "(2,0,0) (0,3,0) (0,0,4)",
        "space origin": "(10,20,30)",
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "raw",
    } | {name.replace("_", " "): value for name, value in fields.items()}
    text = "".join(f"{name}: {value}\n" for name, value in wanted.items() if value is not None)
    path.write_bytes(f"NRRD0005\n# a comment: space\nspace:=a key\n{text}\n".encode() + VOXELS.tobytes())
    return path


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("LPS", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("RAS", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
        ("LAS", (1, -1, 1)),
        ("Left-Posterior-Superior", (1, 1, 1)),
    ],
)
def test_a_nrrd_in_an_anatomical_space_lies_where_it_says(
    space: str, signs: tuple[int, int, int], tmp_path: Path
) -> None:
    volume = open_source(_nrrd(tmp_path / "a.nrrd", space=space)).volume
    assert np.array_equal(volume.array, VOXELS)
    assert volume.geometry.to_lps((0, 0, 0)) == pytest.approx(np.multiply(signs, (10, 20, 30)))
    assert volume.geometry.to_lps((3, 2, 1)) == pytest.approx(np.multiply(signs, (12, 26, 42)))


@pytest.mark.parametrize("space", ["scanner-xyz", "3D-right-handed", "3D-left-handed"])
def test_a_nrrd_in_a_space_that_is_not_anatomical_is_refused(space: str, tmp_path: Path) -> None:
    _refused(_nrrd(tmp_path / "a.nrrd", space=space), GeometryError, "space")


def test_a_nrrd_that_only_counts_the_dimensions_of_its_space_is_refused(tmp_path: Path) -> None:
    _refused(_nrrd(tmp_path / "a.nrrd", space=None, space_dimension="3"), GeometryError, "space")


@pytest.mark.parametrize("name", ["space directions", "space origin"])
def test_a_nrrd_that_does_not_say_where_it_lies_is_refused(name: str, tmp_path: Path) -> None:
    _refused(_nrrd(tmp_path / "a.nrrd", **{name: None}), GeometryError, name)


def test_a_nrrd_with_an_axis_without_direction_is_refused(tmp_path: Path) -> None:
    path = _nrrd(tmp_path / "a.nrrd", space_directions="(2,0,0) (0,3,0) none")
    _refused(path, GeometryError, "space directions")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("space origin", "none"),
        ("space origin", "(0,0,0) (1,1,1)"),
        ("space directions", "(nan,nan,nan) (0,1,0) (0,0,1)"),
    ],
)
def test_a_nrrd_with_vectors_that_are_none_is_refused(name: str, text: str, tmp_path: Path) -> None:
    _refused(_nrrd(tmp_path / "a.nrrd", **{name: text}), GeometryError, name)


@pytest.mark.parametrize("lean", [0.01, 0.5, -3.0])
def test_a_sheared_nrrd_is_refused(lean: float, tmp_path: Path) -> None:
    path = _nrrd(tmp_path / "a.nrrd", space_directions=f"(2,0,0) ({lean},3,0) (0,0,4)")
    error = _refused(path, GeometryError, "space directions")
    assert "right angles" in str(error)


def test_a_nrrd_with_two_axes_along_one_line_is_refused(tmp_path: Path) -> None:
    path = _nrrd(tmp_path / "a.nrrd", space_directions="(2,0,0) (4,0,0) (0,0,4)")
    _refused(path, GeometryError, "space directions")


def test_a_nrrd_in_other_units_than_millimetres_is_refused(tmp_path: Path) -> None:
    assert open_source(_nrrd(tmp_path / "mm.nrrd", space_units='"mm" "mm" "mm"')).volume.geometry.spacing[2] == 2
    path = _nrrd(tmp_path / "um.nrrd", space_units='"um" "um" "um"')
    _refused(path, UnsupportedImageError, "space units")


# --- MetaImage -----------------------------------------------------------------------------------------------------


def _meta(path: Path, **fields: str | None) -> Path:
    """A MetaImage of ``VOXELS``, axes along L, P, S (as ITK means it); None leaves a field out."""
    wanted: dict[str, str | None] = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "10 20 30",
        "ElementSpacing": "2 3 4",
    } | fields
    wanted |= {"DimSize": "3 4 5", "ElementType": "MET_SHORT"}
    local = path.suffix == ".mha"
    lines = [f"{name} = {value}\n" for name, value in wanted.items() if value is not None]
    text = "".join([*lines, f"ElementDataFile = {'LOCAL' if local else 'voxels.raw'}\n"])
    path.write_bytes(text.encode() + (VOXELS.tobytes() if local else b""))
    (path.parent / "voxels.raw").write_bytes(VOXELS.tobytes())
    return path


@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
@pytest.mark.parametrize("letters", [None, "RAI"])
def test_a_metaimage_lies_where_its_matrix_says(letters: str | None, suffix: str, tmp_path: Path) -> None:
    volume = open_source(_meta(tmp_path / f"a{suffix}", AnatomicalOrientation=letters)).volume
    assert np.array_equal(volume.array, VOXELS)
    assert volume.geometry.to_lps((3, 2, 1)) == pytest.approx([12, 26, 42])


@pytest.mark.parametrize("name", ["Orientation", "Rotation"])
def test_older_names_of_the_matrix_are_understood(name: str, tmp_path: Path) -> None:
    path = _meta(tmp_path / "a.mha", TransformMatrix=None, **{name: "0 1 0 1 0 0 0 0 1"})
    assert open_source(path).volume.geometry.to_lps((0, 0, 1)) == pytest.approx([10, 22, 30])


@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
@pytest.mark.parametrize("name", ["TransformMatrix", "Offset", "ElementSpacing"])
def test_a_metaimage_that_does_not_say_where_it_lies_is_refused(name: str, suffix: str, tmp_path: Path) -> None:
    _refused(_meta(tmp_path / f"a{suffix}", **{name: None}), GeometryError, name)


@pytest.mark.parametrize("letters", ["RAS", "LPS", "LAI", "ARI", "???", "RA", "nonsense"])
def test_an_anatomical_orientation_that_contradicts_the_matrix_is_refused(letters: str, tmp_path: Path) -> None:
    path = _meta(tmp_path / "a.mha", AnatomicalOrientation=letters)
    _refused(path, GeometryError, "AnatomicalOrientation")


@settings(max_examples=60, deadline=None)
@given(codes=st.sampled_from(ORIENTATIONS), degrees=st.tuples(*[st.floats(-90, 90)] * 3))
def test_every_orientation_that_itk_writes_is_taken(
    tmp_path_factory: pytest.TempPathFactory, codes: str, degrees: tuple[float, float, float]
) -> None:
    geometry = rotated(grid(codes, shape=(5, 4, 3), spacing=(4, 3, 2)), degrees)
    image = SimpleITK.GetImageFromArray(VOXELS)
    image.SetOrigin(geometry.origin.tolist())
    image.SetSpacing(geometry.spacing[::-1].tolist())
    image.SetDirection(geometry.directions[:, ::-1].ravel().tolist())
    path = tmp_path_factory.mktemp("itk") / "a.mha"
    SimpleITK.WriteImage(image, str(path))
    assert b"AnatomicalOrientation" in path.read_bytes()
    assert open_source(path).volume.geometry.same_grid(geometry, tolerance=1e-3)


@pytest.mark.parametrize("matrix", ["1 0 0 0.2 1 0 0 0 1", "1 0 0 1 0 0 0 0 1", "0 1 0 -1"])
def test_a_metaimage_with_a_sheared_or_flat_matrix_is_refused(matrix: str, tmp_path: Path) -> None:
    _refused(_meta(tmp_path / "a.mha", TransformMatrix=matrix), GeometryError, "TransformMatrix")


def test_a_metaimage_in_other_units_than_millimetres_is_refused(tmp_path: Path) -> None:
    assert open_source(_meta(tmp_path / "mm.mha", DistanceUnits="mm")).volume.geometry.spacing[2] == 2
    _refused(_meta(tmp_path / "um.mha", DistanceUnits="um"), UnsupportedImageError, "DistanceUnits")


@pytest.mark.parametrize("number", [None, "-1", "0", "999999", "many"])
def test_a_metaimage_without_a_sound_number_of_dimensions_is_refused(number: str | None, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        open_source(_meta(tmp_path / "a.mha", NDims=number))
