"""Attributes that contradict where the slices lie are told before every number: sizes, tilts, missing slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import EnhancedCTImageStorage

from slicermedai.dicom.inputs import open_source
from slicermedai.domain.codes import NO_UNITS
from slicermedai.domain.volume import Volume
from Testing.fixtures import faults

Write = Callable[..., list[Path]]


def _said(files: list[Path], **options: str) -> str:
    return " ".join(open_source(files[0].parent, **options).warnings)


@pytest.mark.parametrize("enhanced", [False, True], ids=["single-frame", "multi-frame"])
def test_slices_that_are_thinner_than_they_lie_apart_leave_something_out(
    a_head: Volume, write: Write, enhanced: bool
) -> None:
    files = write(a_head, enhanced=enhanced)
    assert _said(files) == ""
    if enhanced:
        shared = "SharedFunctionalGroupsSequence"
        faults.edit(files[0], lambda ds: setattr(ds[shared][0].PixelMeasuresSequence[0], "SliceThickness", "4"))
    else:
        faults.set_value(files, "SliceThickness", "4")
    assert "Slices are 4 mm thick (SliceThickness) and 12 mm apart" in _said(files)


def test_every_other_slice_that_is_missing_is_told(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    left = faults.drop_slices(files, *range(1, len(files), 2))
    assert "every other slice is missing" in _said(left)


@pytest.mark.parametrize(
    ("thickness", "told"), [("12", False), ("10", False), ("15", False), ("0", False), ("7", True)]
)
def test_usual_gaps_and_overlaps_are_not_told(a_head: Volume, write: Write, thickness: str, told: bool) -> None:
    files = write(a_head)
    faults.set_value(files, "SliceThickness", thickness)
    assert bool(_said(files)) is told


def test_slices_of_two_acquisitions_that_lie_between_one_another_are_told(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    for place, path in enumerate(files):
        faults.set_value([path], "AcquisitionNumber", 1 + place // 2)
    assert _said(files) == "", "a table that moves on step by step"
    for place, path in enumerate(files):
        faults.set_value([path], "AcquisitionNumber", 1 + place % 2)
    assert "The slices of 2 acquisitions lie between one another" in _said(files)


def test_a_tilt_that_the_positions_do_not_have_is_told_and_one_that_they_have_is_not(
    a_ct_head: Volume, write: Write
) -> None:
    files = write(a_ct_head)
    faults.set_value(files, "GantryDetectorTilt", "-15")
    assert "GantryDetectorTilt says 15.0 degrees, and by their positions the slices lean by 0.0" in _said(files)
    faults.tilt_gantry(files, 15)
    assert _said(files, tilt="resample") == ""
    faults.set_value(files, "GantryDetectorTilt", "0")
    assert "lean by 15.0" in _said(files, tilt="resample")


def test_a_tilt_within_an_enhanced_object_is_told_too(a_ct_head: Volume, write: Write) -> None:
    (file,) = write(replace(a_ct_head, modality="MR"), enhanced=True)

    def to_tilted_ct(dataset: Dataset) -> None:
        dataset.Modality, dataset.SOPClassUID = "CT", EnhancedCTImageStorage
        dataset.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
        shared, values, details = dataset.SharedFunctionalGroupsSequence[0], Dataset(), Dataset()
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 1, 0, "HU"
        details.GantryDetectorTilt = 20.0
        shared.PixelValueTransformationSequence, shared.CTAcquisitionDetailsSequence = [values], [details]

    faults.edit(file, to_tilted_ct)
    assert "GantryDetectorTilt says 20.0 degrees" in _said([file])


@pytest.mark.parametrize(("diameter", "told"), [(240.0, False), (230.0, False), (480.0, True), (120.0, True)])
def test_an_image_whose_pixels_do_not_fill_the_field_that_was_reconstructed_is_told(
    a_ct_head: Volume, write: Write, diameter: float, told: bool
) -> None:
    assert max(40 * 6.0, 36 * 5.5) == 240.0
    files = write(a_ct_head)
    faults.set_value(files, "ReconstructionDiameter", str(diameter))
    assert ("ReconstructionDiameter" in _said(files)) is told


def test_values_of_ct_that_cannot_be_negative_are_no_hounsfield_units(a_ct_head: Volume, write: Write) -> None:
    """An intercept that was lost, or set to 0: water would count as 1024 HU."""
    shifted = Volume(array=np.asarray(a_ct_head.array + 1024), geometry=a_ct_head.geometry, modality="CT")
    files = write(shifted, signed=False, bits=12)
    source = open_source(files[0].parent)
    assert source.volume.unit == NO_UNITS
    assert any("none of them can be below 0" in said for said in source.warnings)
