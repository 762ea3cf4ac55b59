"""Values that a header would change in silence: bits, scales and padding that contradict each other are named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from slicermedai.dicom.inputs import open_source
from slicermedai.domain.codes import HOUNSFIELD, NO_UNITS
from slicermedai.domain.volume import Volume
from slicermedai.errors import UnsupportedImageError
from Testing.fixtures import faults

Write = Callable[..., list[Path]]

TWELVE = {"signed": False, "bits": 12, "intercept": -1024.0}
"""How most CT scanners store."""


def _refused(files: Sequence[Path], keyword: str) -> str:
    with pytest.raises(UnsupportedImageError) as caught:
        open_source(files[0].parent)
    assert caught.value.attribute == keyword
    return Path(caught.value.file or "").name


def _stored(dataset: Dataset, change: Callable[[np.ndarray], np.ndarray]) -> None:
    dataset.PixelData = change(np.frombuffer(dataset.PixelData, "<u2").copy()).astype("<u2").tobytes()


# --- bits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"], ids=["native", "RLE"])
def test_samples_that_end_elsewhere_than_at_their_first_bit_are_refused(
    a_ct_head: Volume, write: Write, syntax: str
) -> None:
    files = write(a_ct_head, **TWELVE, transfer_syntax=syntax)
    faults.set_value(files[2:3], "HighBit", 15)
    assert _refused(files, "HighBit") == files[2].name


def test_a_header_that_says_fewer_bits_than_are_filled_is_refused_and_does_not_cut_values_off(
    a_ct_head: Volume, write: Write
) -> None:
    files = write(a_ct_head, intercept=-1024.0)
    faults.set_value(files[5:6], "BitsStored", 10)
    faults.set_value(files[5:6], "HighBit", 9)
    assert _refused(files, "BitsStored") == files[5].name


def test_padding_beyond_the_bits_stored_does_not_become_a_ring_of_bone(a_ct_head: Volume, write: Write) -> None:
    files = write(a_ct_head, **TWELVE, padding=63536)

    def pad(values: np.ndarray) -> np.ndarray:
        values[:40] = 63536
        return values

    for path in files:
        faults.edit(path, lambda dataset: _stored(dataset, pad))
    _refused(files, "BitsStored")


def test_an_overlay_in_the_unused_bits_is_no_part_of_the_values(a_ct_head: Volume, write: Write) -> None:
    files = write(a_ct_head, **TWELVE)

    def draw(dataset: Dataset) -> None:
        _stored(dataset, lambda values: np.where(np.arange(values.size) % 7, values, values | 0x1000))
        dataset.add_new(0x60000100, "US", 16)
        dataset.add_new(0x60000102, "US", 12)

    for path in files:
        faults.edit(path, draw)
    assert np.array_equal(open_source(files[0].parent).volume.array, a_ct_head.array)
    faults.edit(files[1], lambda dataset: dataset.add_new(0x60000102, "US", 13))
    assert _refused(files, "BitsStored") == files[1].name


def test_signed_values_may_lack_their_sign_in_the_unused_bits(a_ct_head: Volume, write: Write) -> None:
    files = write(a_ct_head, bits=12)
    for path in files[::2]:
        faults.edit(path, lambda dataset: _stored(dataset, lambda values: values & 0x0FFF))
    assert np.array_equal(open_source(files[0].parent).volume.array, a_ct_head.array)


# --- one scale -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keyword", "index"), [("RescaleIntercept", 3), ("RescaleSlope", 4)])
def test_a_slice_that_lacks_its_rescale_is_refused_and_named(
    a_ct_head: Volume, write: Write, keyword: str, index: int
) -> None:
    files = write(a_ct_head, slope=2.0, intercept=-1024.0)
    faults.remove_value(files[index : index + 1], keyword)
    assert _refused(files, keyword) == files[index].name


def test_a_slice_of_another_kind_of_values_is_refused(a_ct_head: Volume, write: Write) -> None:
    files = write(a_ct_head)
    faults.set_value(files[7:8], "RescaleType", "US")
    assert _refused(files, "RescaleType") == files[7].name


@pytest.mark.parametrize("odd", [None, 7])
def test_an_enhanced_ct_has_a_rescale_of_its_own_in_each_frame(
    a_ct_head: Volume, write: Write, odd: int | None
) -> None:
    file = write(replace(a_ct_head, modality="MR"), enhanced=True, order="shuffled")[0]

    def to_ct(dataset: Dataset) -> None:
        dataset.Modality, dataset.SOPClassUID = "CT", "1.2.840.10008.5.1.4.1.1.2.1"
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        frames = np.frombuffer(dataset.PixelData, "<i2").reshape(-1, dataset.Rows, dataset.Columns).astype(float)
        for group in dataset.SharedFunctionalGroupsSequence:
            group.pop("PixelValueTransformationSequence", None)
        for number, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            rescale = Dataset()
            rescale.RescaleSlope, rescale.RescaleIntercept = 0.5, -1024 - number
            rescale.RescaleType = "US" if number == odd else "HU"
            group.PixelValueTransformationSequence = [rescale]
            frames[number] = (frames[number] + 1024 + number) * 2
        dataset.PixelData = frames.astype("<i2").tobytes()

    faults.edit(file, to_ct)
    if odd is not None:
        _refused([file], "RescaleType")
        return
    volume = open_source(file).volume
    assert np.array_equal(volume.array, a_ct_head.array)
    assert volume.unit == HOUNSFIELD
    assert volume.geometry.same_box(a_ct_head.geometry)


def test_a_pet_slice_in_another_unit_is_refused(a_head: Volume, write: Write) -> None:
    files = write(replace(a_head, array=a_head.array.astype(np.float32)), modality="PT")
    faults.set_value(files[2:3], "Units", "CNTS")
    assert _refused(files, "Units") == files[2].name


def test_ct_without_an_intercept_is_not_called_hounsfield_units_and_says_so(a_ct_head: Volume, write: Write) -> None:
    files = write(a_ct_head)
    assert open_source(files[0].parent).volume.unit == HOUNSFIELD
    assert open_source(files[0].parent).warnings == ()
    faults.remove_value(files, "RescaleIntercept")
    source = open_source(files[0].parent)
    assert source.volume.unit == NO_UNITS
    assert any("Hounsfield" in said and "RescaleIntercept" in said for said in source.warnings)


def test_hounsfield_units_in_small_letters_are_hounsfield_units(a_ct_head: Volume, write: Write) -> None:
    files = write(a_ct_head)
    faults.set_value(files, "RescaleType", "hu")
    faults.set_value(files[7:8], "RescaleType", "HU")
    assert not any("RescaleType" in said for said in open_source(files[0].parent).warnings)


def test_ct_of_another_rescale_type_is_warned_of(a_ct_head: Volume, write: Write) -> None:
    files = write(a_ct_head)
    faults.set_value(files, "RescaleType", "US")
    assert any("RescaleType" in said for said in open_source(files[0].parent).warnings)


def test_negative_values_that_are_read_as_large_ones_are_no_hounsfield_units(a_ct_head: Volume, write: Write) -> None:
    files = write(a_ct_head)
    faults.set_value(files, "PixelRepresentation", 0)
    source = open_source(files[0].parent)
    assert source.volume.unit == NO_UNITS
    assert any("PixelRepresentation" in said for said in source.warnings)


# --- padding -------------------------------------------------------------------------------------------------------


def test_a_padding_value_that_tissue_has_too_cuts_nothing_out_of_the_body(a_ct_head: Volume, write: Write) -> None:
    brain = int(np.bincount(a_ct_head.array[a_ct_head.array > 0]).argmax())
    array = np.array(a_ct_head.array)
    array[:, :3] = brain
    files = write(replace(a_ct_head, array=array), padding=brain)
    source = open_source(files[0].parent)
    assert (source.volume.array[:, :3] == -1000).all()
    assert np.array_equal(source.volume.array[:, 3:], array[:, 3:])
    assert any("PixelPaddingValue lies within the image" in said for said in source.warnings)


def test_dark_padding_within_the_field_is_air_as_before_and_warns_of_nothing(a_ct_head: Volume, write: Write) -> None:
    array = np.array(a_ct_head.array)
    array[4, 20:22, 18:20] = -2000
    source = open_source(write(replace(a_ct_head, array=array), padding=-2000)[0].parent)
    assert (source.volume.array[4, 20:22, 18:20] == -1000).all()
    assert source.warnings == ()


def test_padding_that_was_cut_to_the_bits_stored_is_still_padding_and_bone_of_that_value_is_bone(
    a_ct_head: Volume, write: Write
) -> None:
    """63536 in twelve bits is 2096, which is 1072 HU: some writers have it so, and copies without unused bits."""
    array = np.array(a_ct_head.array)
    array[:, :3] = 1072
    array[4, 20, 18] = 1072
    source = open_source(write(replace(a_ct_head, array=array), **TWELVE, padding=63536)[0].parent)
    assert (source.volume.array[:, :3] == -1000).all()
    assert source.volume.array[4, 20, 18] == 1072
    assert any("padding" in note for note in source.notes)


def test_a_padding_value_beyond_the_bits_stored_that_no_edge_has_says_nothing(a_ct_head: Volume, write: Write) -> None:
    array = np.array(a_ct_head.array)
    array[4, 20, 18] = 1072
    source = open_source(write(replace(a_ct_head, array=array), **TWELVE, padding=63536)[0].parent)
    assert np.array_equal(source.volume.array, array)
    assert (source.notes, source.warnings) == ((), ())


# --- mosaics -------------------------------------------------------------------------------------------------------


def test_mosaics_are_no_stack_of_slices(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.set_value(files, "ImageType", ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"])
    _refused(files, "ImageType")
