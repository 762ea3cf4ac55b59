"""FRACTIONAL segmentations of others are read with a threshold that somebody named, and else refused by name."""

from __future__ import annotations

import warnings
from pathlib import Path

import highdicom
import numpy as np
import pytest
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.sr.codedict import codes

from slicermedai.errors import FormatError, InputError, NoImagesError
from slicermedai.export.read_back import read_result
from slicermedai.export.seg_read import read
from Testing.export.cases import a_case
from Testing.export.validators import dciodvfy_errors

CASE = a_case()
SHAPE = CASE.geometry.shape


def fractions() -> NDArray[np.float32]:
    """(slices, rows, columns, 2): a ramp along the columns, and one along the rows in half of the slices."""
    ramp = np.broadcast_to(np.linspace(0, 1, SHAPE[2], dtype=np.float32), SHAPE)
    other = np.broadcast_to(np.linspace(0, 1, SHAPE[1], dtype=np.float32)[:, None], SHAPE).copy()
    other[: SHAPE[0] // 2] = 0
    return np.stack([ramp, other], axis=-1)


def segment(number: int) -> SegmentDescription:
    made = highdicom.AlgorithmIdentificationSequence(
        name="Somebody's", version="3", family=codes.DCM.ArtificialIntelligence
    )
    return SegmentDescription(
        segment_number=number,
        segment_label=f"Part {number}",
        segmented_property_category=codes.SCT.Tissue,
        segmented_property_type=codes.SCT.Tissue,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=made,
    )


def theirs(folder: Path, *, kind: str = "PROBABILITY", largest: int = 200) -> Path:
    """As highdicom writes it of the same images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Segmentation(
            source_images=list(CASE.headers),
            pixel_array=fractions(),
            segmentation_type="FRACTIONAL",
            fractional_type=kind,
            max_fractional_value=largest,
            segment_descriptions=[segment(1), segment(2)],
            series_instance_uid=highdicom.UID(),
            series_number=9,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="Others",
            manufacturer_model_name="Theirs",
            software_versions="1",
            device_serial_number="1",
        )
    path = folder / "theirs.dcm"
    made.save_as(path)
    return path


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.75, 1.0])
def test_voxels_of_at_least_the_threshold_are_inside(tmp_path: Path, threshold: float) -> None:
    path = theirs(tmp_path)
    assert dciodvfy_errors(path) == []
    found = read(path, threshold=threshold)
    assert found.geometry.same_box(CASE.geometry)
    assert not found.geometry.same_grid(CASE.geometry), "it is written from the other end"
    stored = np.round(fractions() * 200)[::-1]
    for number, one in enumerate(found.segments):
        assert np.array_equal(one.mask.to_array(), stored[..., number] >= threshold * 200)
        assert one.mask.to_array().any()


def test_without_a_threshold_it_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="FRACTIONAL") as told:
        read(theirs(tmp_path))
    assert told.value.attribute == "SegmentationType"
    assert "threshold" in str(told.value.advice)
    with pytest.raises(NoImagesError):
        read_result([tmp_path / "theirs.dcm"])


@pytest.mark.parametrize("kind", ["PROBABILITY", "OCCUPANCY"])
def test_a_result_says_which_threshold_its_voxels_are_of(tmp_path: Path, kind: str) -> None:
    back = read_result([theirs(tmp_path, kind=kind)], threshold=0.25)
    assert [one.label.name for one in back.result.findings] == ["Part 1", "Part 2"]
    told = f"theirs.dcm: FRACTIONAL {kind}: what is at least 0.25 of the largest value is read as inside"
    assert [text for text in back.lost if text.startswith(told)]
    assert all(one.confidence.probability is None for one in back.result.findings)


@pytest.mark.parametrize("threshold", [0.0, -0.5, 1.01, float("nan")])
def test_a_threshold_that_is_no_share_is_refused(tmp_path: Path, threshold: float) -> None:
    with pytest.raises(InputError, match="share of the largest value"):
        read(tmp_path / "none.dcm", threshold=threshold)


@pytest.mark.parametrize("largest", [0, 150])
def test_values_beyond_the_largest_that_is_said_are_refused(tmp_path: Path, largest: int) -> None:
    path = theirs(tmp_path)
    dataset = dcmread(path)
    dataset.MaximumFractionalValue = largest
    dataset.save_as(path)
    with pytest.raises(FormatError) as told:
        read(path, threshold=0.5)
    assert told.value.attribute == "MaximumFractionalValue"
