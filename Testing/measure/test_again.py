"""What a person edited is measured anew: the same numbers as a run's of those voxels, or the reason why not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from slicermedai.app.keeping import keep
from slicermedai.app.measuring import NO_IMAGE, with_measurements
from slicermedai.domain.codes import HOUNSFIELD, LONG_AXIS, MILLIMETER, NO_UNITS, Code
from slicermedai.domain.decisions import NOT_AGAIN, decided
from slicermedai.domain.digests import digest_of
from slicermedai.domain.finding import Interval, Measurement, PackedMask
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.domain.volume import Volume
from slicermedai.errors import UnreadableFileError
from slicermedai.measure import codes
from slicermedai.measure.again import measured_again
from slicermedai.measure.methods import DEFAULT, METHODS, measure
from Testing.export.cases import GRIDS, a_ball, a_case

CASE = a_case()
GRID = CASE.geometry
SHARE = Code(value="118586006", scheme="SCT", meaning="Ratio")
NOBODYS = Measurement(name=SHARE, value=0.3, unit=NO_UNITS)
INTENSITIES = {codes.ATTENUATION.value}


def ball(radius: float) -> PackedMask:
    return PackedMask.from_array(a_ball(GRIDS["axial"], radius=(radius, radius, radius)), GRID)


def an_image(seed: int = 1, *, modality: str = "CT") -> Volume:
    array = np.random.default_rng(seed).normal(40, 12, GRID.shape).astype(np.int16)
    return Volume(array=array, geometry=GRID, modality=modality, unit=HOUNSFIELD)


IMAGE = an_image()
BEFORE, AFTER = ball(0.3), ball(0.2)


def a_result(image: Volume = IMAGE) -> AnalysisResult:
    """The measurements of a run, the volume with an interval, and one that no method of ours makes."""
    numbers = list(measure(BEFORE, volume=image))
    numbers[0] = dataclasses.replace(numbers[0], interval=Interval(low=0.1, high=9.0))
    finding = dataclasses.replace(CASE.result.findings[0], region=BEFORE, measurements=(*numbers, NOBODYS))
    made = dataclasses.replace(CASE.result.provenance, input=digest_of((), image))
    return dataclasses.replace(CASE.result, findings=(finding,), sources=(), provenance=made)


def an_edit(region: PackedMask = AFTER) -> Review:
    uid = CASE.result.findings[0].tracking_uid
    return Review(tracking_uid=uid, person="Jane Roe", decision=Decision.EDITED, region=region)


def edited(result: AnalysisResult, image: Volume | None) -> tuple[Measurement, ...]:
    reviews = with_measurements(result, [an_edit()], lambda: image)
    return decided(dataclasses.replace(result, reviews=reviews)).findings[0].measurements


def test_the_numbers_of_an_edit_are_those_of_a_run_of_that_mask() -> None:
    *numbers, unknown = edited(a_result(), IMAGE)
    assert tuple(numbers) == measure(AFTER, volume=IMAGE)
    assert len(numbers) == len(DEFAULT)
    assert tuple(numbers) != measure(BEFORE, volume=IMAGE)
    assert (unknown.name, unknown.missing) == (SHARE, NOT_AGAIN)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_a_run_measures_again(name: str) -> None:
    columns = measure(BEFORE, volume=IMAGE, wanted=[name])
    assert measured_again(columns, AFTER, volume=IMAGE) == measure(AFTER, volume=IMAGE, wanted=[name])


def test_without_the_image_its_numbers_are_missing_and_say_why_and_sizes_are_there() -> None:
    *numbers, _ = edited(a_result(), None)
    sizes = [one for one in numbers if one.name.value not in INTENSITIES]
    rest = [one for one in numbers if one.name.value in INTENSITIES]
    assert tuple(sizes) == measure(AFTER)
    assert [one.missing for one in rest] == [f"{NOT_AGAIN}: {NO_IMAGE}"] * 2


def moved(image: Volume) -> Volume:
    matrix = np.array(image.geometry.affine)
    matrix[0, 3] += 4.0
    return dataclasses.replace(image, geometry=dataclasses.replace(image.geometry, affine=matrix))


@pytest.mark.parametrize(
    ("image", "why"),
    [(an_image(2), "its voxels are others"), (moved(IMAGE), "it lies elsewhere")],
    ids=["other voxels", "another place"],
)
def test_in_another_image_nothing_is_measured(image: Volume, why: str) -> None:
    *numbers, _ = edited(a_result(), image)
    rest = [one for one in numbers if one.name.value in INTENSITIES]
    assert len(rest) == 2
    assert all(why in one.missing and np.isnan(one.value) for one in rest)
    assert tuple(one for one in numbers if one.name.value not in INTENSITIES) == measure(AFTER)


def test_an_image_that_an_old_result_cannot_be_compared_with_is_not_measured_in() -> None:
    result = a_result()
    old = dataclasses.replace(result, provenance=dataclasses.replace(result.provenance, input=None))
    assert [bool(one.missing) for one in edited(old, IMAGE)[-3:]] == [True, True, True]


def test_an_image_that_cannot_be_read_keeps_no_edit_from_being_saved(tmp_path: Path, monkeypatch) -> None:
    def unreadable() -> Volume:
        raise UnreadableFileError("is damaged", file=Path("Doe_John.dcm"))

    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    a_result().save(tmp_path / "run" / "result")
    saved = AnalysisResult.load(keep(tmp_path / "run", [an_edit()], image=unreadable))
    told = [one.missing for one in decided(saved).findings[0].measurements if one.name.value in INTENSITIES]
    assert told == [f"{NOT_AGAIN}: the image cannot be read again"] * 2


def test_measured_numbers_are_kept_in_the_file_and_stay_when_the_edit_is_accepted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    a_result().save(tmp_path / "run" / "result")
    saved = keep(tmp_path / "run", [an_edit()], image=lambda: IMAGE)
    accepted = dataclasses.replace(an_edit(), decision=Decision.ACCEPTED, region=None, person="Ann Other")
    again = AnalysisResult.load(keep(saved, [accepted]))
    assert decided(again).findings[0].measurements[:-1] == measure(AFTER, volume=IMAGE)


def test_a_second_edit_has_its_own_numbers() -> None:
    result = a_result()
    wide = ball(0.25)
    reviews = with_measurements(result, [an_edit(), an_edit(wide)], lambda: IMAGE)
    found = decided(dataclasses.replace(result, reviews=reviews)).findings[0].measurements
    assert found[:-1] == measure(wide, volume=IMAGE)


def test_the_image_is_not_read_where_nothing_was_edited() -> None:
    def never() -> Volume:
        raise AssertionError("the image was read")

    accepted = dataclasses.replace(an_edit(), decision=Decision.ACCEPTED, region=None)
    assert with_measurements(a_result(), [accepted], never) == (accepted,)


def test_a_number_of_another_method_is_no_number_of_this_one() -> None:
    by_hand = Measurement(name=LONG_AXIS, value=4.0, unit=MILLIMETER)
    (found,) = measured_again([by_hand], AFTER)
    assert (found.missing, found.method) == (NOT_AGAIN, None)
