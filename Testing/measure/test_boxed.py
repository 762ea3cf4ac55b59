"""Boxes of a detector get the size of the lesion inside, told apart from that of a segmentation, or the reason."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from slicermedai.domain.codes import ANATOMY, HOUNSFIELD, IN_BOX, LONG_AXIS, MILLILITER, SHORT_AXIS, VOLUME, Label
from slicermedai.domain.counting import is_counted
from slicermedai.domain.finding import Box, Finding, PackedMask
from slicermedai.domain.volume import Volume
from slicermedai.measure import in_box
from slicermedai.measure.boxed import AN_ORGAN, LEANING, NO_LESION, measured_in_boxes
from slicermedai.measure.codes import ATTENUATION, MAXIMUM_3D_DIAMETER, MEAN, MR_SIGNAL
from slicermedai.measure.in_box import lesion_in_box
from slicermedai.measure.methods import measure
from Testing.app.reviews import NODULE
from Testing.fixtures.grids import AXIAL, ORIENTATIONS, grid, tilted
from Testing.fixtures.nodules import TISSUE, box_around, ellipsoid, painted, wall

GRID = grid(AXIAL, shape=(32, 40, 40), spacing=(1.25, 0.8, 0.8))
LIVER = dataclasses.replace(NODULE, name="Liver", category=ANATOMY)
BOX = box_around((0.0, 0.0, 0.0), 5.0)
ELSEWHERE = box_around((10.0, 10.0, 9.0), 2.0)
"""Where there is nothing."""


@pytest.fixture(scope="module")
def ball() -> Volume:
    """10 mm."""
    made = painted(GRID, [(ellipsoid((0.0, 0.0, 0.0), 5.0), TISSUE)])
    return dataclasses.replace(made, unit=HOUNSFIELD)


def test_the_numbers_are_those_of_the_lesion_and_say_how_they_were_found(ball: Volume) -> None:
    (numbers,) = measured_in_boxes([(NODULE, BOX)], ball)
    mask = lesion_in_box(ball, BOX)
    assert isinstance(mask, PackedMask)
    own = {(one.name, one.derivation): one for one in measure(mask, volume=ball)}
    names = [(one.name, one.derivation) for one in numbers]
    assert names == [(VOLUME, None), (LONG_AXIS, None), (SHORT_AXIS, None), (MAXIMUM_3D_DIAMETER, None),
                     (ATTENUATION, MEAN)]  # fmt: skip
    for one in numbers:
        assert one.method == IN_BOX
        assert one == dataclasses.replace(own[one.name, one.derivation], method=IN_BOX)
        assert one.title.endswith(" [half of contrast in the box, not validated]")
    assert math.isclose(numbers[0].value, math.pi * 1000 / 6000, rel_tol=0.12) and numbers[0].unit == MILLILITER
    assert all(abs(one.value - 10) < 1 for one in numbers[1:3])


def test_no_volume_of_a_box_counts_as_one_of_voxels(ball: Volume) -> None:
    (numbers,) = measured_in_boxes([(NODULE, BOX)], ball)
    assert not any(is_counted(one) for one in numbers)


def test_a_box_without_a_lesion_has_the_same_columns_without_numbers_and_says_why(ball: Volume) -> None:
    found, refused = measured_in_boxes([(NODULE, BOX), (NODULE, ELSEWHERE)], ball)
    assert [(one.name, one.unit, one.derivation, one.method) for one in refused] == [
        (one.name, one.unit, one.derivation, one.method) for one in found
    ]
    assert all(math.isnan(one.value) and one.missing.startswith(f"{NO_LESION}: ") for one in refused)
    finding = Finding(tracking_uid="1", label=NODULE, region=ELSEWHERE, measurements=refused)
    assert finding.why_not_measured == refused[0].missing
    assert Finding(tracking_uid="1", label=NODULE, region=BOX, measurements=found).why_not_measured == ""
    assert Finding(tracking_uid="1", label=NODULE, region=BOX).why_not_measured == ""


def test_organs_masks_and_labels_of_the_whole_image_have_no_size_in_a_box(ball: Volume) -> None:
    mask = PackedMask.from_array(np.ones(GRID.shape, bool), GRID)
    organ, lesion, masked, nothing = measured_in_boxes(
        [(LIVER, BOX), (NODULE, BOX), (NODULE, mask), (NODULE, None)], ball
    )
    assert {one.missing for one in organ} == {AN_ORGAN} and len(organ) == len(lesion)
    assert not any(one.missing for one in lesion)
    assert masked == nothing == ()


@pytest.mark.parametrize(
    ("label", "modality"), [(LIVER, "CT"), (NODULE, ""), (NODULE, "US"), (NODULE, "DX")], ids=lambda one: str(one)
)
def test_boxes_of_organs_alone_and_on_other_images_have_no_columns(ball: Volume, label: Label, modality: str) -> None:
    assert list(measured_in_boxes([(label, BOX)], dataclasses.replace(ball, modality=modality))) == [()]


def test_without_an_image_there_are_none() -> None:
    assert list(measured_in_boxes([(NODULE, BOX)], None)) == [()]


def test_a_leaning_image_is_refused() -> None:
    volume = painted(tilted(GRID, 12.0), [(ellipsoid((0.0, 0.0, 0.0), 5.0), TISSUE)])
    (numbers,) = measured_in_boxes([(NODULE, BOX)], volume)
    assert numbers and {one.missing for one in numbers} == {LEANING}


@pytest.mark.parametrize(("modality", "mean"), [("MR", MR_SIGNAL), ("PT", None)])
def test_mr_has_its_signal_and_pet_no_mean_whose_method_would_be_lost(
    ball: Volume, modality: str, mean: object
) -> None:
    (numbers,) = measured_in_boxes([(NODULE, BOX)], dataclasses.replace(ball, modality=modality))
    assert [one.name for one in numbers if one.derivation] == ([] if mean is None else [mean])
    assert not any(one.missing for one in numbers) and len(numbers) == (4 if mean is None else 5)


def test_a_box_of_more_voxels_than_are_held_is_refused(ball: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_box, "LARGEST", 1000)
    made = lesion_in_box(ball, BOX)
    assert isinstance(made, str) and "1000 are the most" in made


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_every_orientation_of_the_grid_gives_the_same_sizes(codes: str) -> None:
    geometry = grid(codes, shape=(26, 26, 26), spacing=(0.8, 0.8, 0.8))
    volume = painted(geometry, [(ellipsoid((0.0, 0.0, 0.0), (3.0, 4.0, 5.0)), TISSUE)], noise=0.0, fine=2)
    box = Box(low=(-3.5, -4.5, -5.5), high=(3.5, 4.5, 5.5))
    (numbers,) = measured_in_boxes([(NODULE, box)], volume)
    assert math.isclose(numbers[0].value, math.pi * 4 / 3 * 60 / 1000, rel_tol=0.12)
    assert abs(numbers[3].value - 10) < 0.9
    ends = np.subtract(*numbers[3].points)
    assert abs(ends[2]) > 0.95 * np.linalg.norm(ends), "head to feet, whatever the grid"


def test_a_lesion_that_grows_out_of_its_box_is_refused() -> None:
    volume = painted(GRID, [(wall((-2.0, 0.0, 0.0), (1.0, 0.0, 0.0)), TISSUE)])
    (numbers,) = measured_in_boxes([(NODULE, BOX)], volume)
    assert {one.missing for one in numbers} == {f"{NO_LESION}: {lesion_in_box(volume, BOX)}"}
