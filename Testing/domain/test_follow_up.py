"""A change is told of what both images hold whole."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from slicermedai.domain.codes import MILLILITER, VOLUME, VOXEL_SUMMATION
from slicermedai.domain.counting import edge_warning, milliliters, reaches_edge
from slicermedai.domain.finding import Box, Finding, Mask, Measurement, PackedMask
from slicermedai.domain.follow_up import followed_up
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import LabelMap
from slicermedai.report.follow_up import follow_up_section
from Testing.export.cases import BRAIN_LABEL, a_case
from Testing.fixtures.grids import AXIAL, grid

GRID = grid(AXIAL, shape=(10, 12, 14), spacing=(5.0, 2.0, 2.0))


def block(first: int, last: int) -> PackedMask:
    """Slices ``first`` to ``last`` (excluded) of the middle of the image."""
    array = np.zeros(GRID.shape, dtype=bool)
    array[first:last, 3:9, 4:10] = True
    return PackedMask.from_array(array, GRID)


def result_of(time: str, region: PackedMask) -> AnalysisResult:
    base = a_case(masks=()).result
    volume = Measurement(name=VOLUME, value=milliliters(region), unit=MILLILITER, method=VOXEL_SUMMATION)
    found = Finding(tracking_uid=f"2.25.{time}", label=BRAIN_LABEL, region=region, measurements=(volume,))
    study = replace(base.study, patient_id="P-1", study_uid=f"2.25.9{time}", date=f"2026010{time}")
    return replace(base, findings=(found,), volume_geometry=GRID, study=study)


@pytest.mark.parametrize(
    ("then", "now", "where"),
    [
        ((1, 9), (0, 4), "in this image"),
        ((6, 10), (1, 9), "in the earlier image"),
        ((0, 8), (0, 4), "in both images"),
    ],
)
def test_what_an_image_does_not_hold_whole_has_no_change_and_the_report_says_why(
    then: tuple[int, int], now: tuple[int, int], where: str
) -> None:
    result = followed_up(result_of("2", block(*now)), result_of("1", block(*then)))
    assert result.follow_up is not None
    (change,) = result.follow_up.changes
    assert math.isnan(change.percent) and math.isnan(change.difference)
    assert (change.before, change.after) == pytest.approx((milliliters(block(*then)), milliliters(block(*now))))
    assert change.note == f"it reaches the edge {where}: what lies beyond is in no volume"
    said = follow_up_section(result)
    assert said.count(change.note) == 2
    assert "%</td>" not in said and "-50" not in said


def test_what_the_run_of_a_leaning_stack_warned_of_as_cut_has_no_change_either() -> None:
    now, then = result_of("2", block(1, 5)), result_of("1", block(1, 9))
    said = (edge_warning(BRAIN_LABEL.name),)
    result = followed_up(now, replace(then, provenance=replace(then.provenance, warnings=said)))
    assert result.follow_up is not None
    (change,) = result.follow_up.changes
    assert math.isnan(change.percent)
    assert "in the earlier image" in change.note


def test_what_both_images_hold_whole_has_its_change() -> None:
    result = followed_up(result_of("2", block(1, 5)), result_of("1", block(1, 9)))
    assert result.follow_up is not None
    (change,) = result.follow_up.changes
    assert change.note == ""
    assert change.percent == pytest.approx(-50.0)
    assert change.difference == pytest.approx(change.after - change.before)
    assert "edge" not in follow_up_section(result)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", [0, -1])
def test_a_region_reaches_the_edge_by_any_outermost_plane(axis: int, end: int) -> None:
    array = np.zeros(GRID.shape, dtype=np.uint8)
    array[5, 5, 5] = 2
    place = [5, 5, 5]
    place[axis] = end
    array[tuple(place)] = 1
    labels = LabelMap(array=array, geometry=GRID)
    assert [reaches_edge(Mask(label_map=labels, value=value)) for value in (1, 2, 3)] == [True, False, False]
    assert [reaches_edge(PackedMask.from_array(array == value, GRID)) for value in (1, 2, 3)] == [True, False, False]


def test_what_has_no_voxels_reaches_no_edge() -> None:
    assert not reaches_edge(None)
    assert not reaches_edge(Box(low=(0, 0, 0), high=(8, 8, 8)))
