"""How far an edit went from the network's voxels, on any grid and in any packing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from slicermedai.domain.counting import milliliters, voxels
from slicermedai.domain.edits import edit_distance, on_grid
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.result import Decision, EditDistance, Review
from slicermedai.domain.volume import LabelMap
from slicermedai.errors import GeometryError, InputError
from Testing.export.cases import GRIDS, a_ball


def a_mask(geometry: Geometry, array: np.ndarray) -> PackedMask:
    return PackedMask.from_array(np.asarray(array, dtype=bool), geometry)


@pytest.mark.parametrize("name", ["axial", "oblique", "flipped everywhere", "one slice"])
def test_dice_and_volumes_are_those_of_the_arrays(name: str) -> None:
    geometry = GRIDS[name]
    before, after = a_ball(geometry), np.roll(a_ball(geometry), (0, 2, 1), (0, 1, 2))
    found = edit_distance(a_mask(geometry, before), a_mask(geometry, after))
    ml = geometry.voxel_volume / 1000
    assert found.dice == pytest.approx(2 * (before & after).sum() / (before.sum() + after.sum()))
    assert found.added == pytest.approx((after & ~before).sum() * ml)
    assert found.removed == pytest.approx((before & ~after).sum() * ml)
    assert found.changed == pytest.approx((before ^ after).sum() * ml)


def test_a_value_of_a_label_map_is_a_region_too() -> None:
    geometry = GRIDS["oblique"]
    ball = a_ball(geometry)
    shared = Mask(label_map=LabelMap(array=(ball * 3).astype(np.uint8), geometry=geometry), value=3)
    assert edit_distance(shared, a_mask(geometry, ball)) == EditDistance(dice=1.0, added=0.0, removed=0.0)


def test_regions_that_do_not_touch_have_nothing_in_common() -> None:
    geometry = GRIDS["axial"]
    first, second = np.zeros((2, *geometry.shape), bool)
    first[0, 0, 0] = second[-1, -1, -1] = True
    assert edit_distance(a_mask(geometry, first), a_mask(geometry, second)).dice == 0.0
    nothing = a_mask(geometry, np.zeros(geometry.shape))
    assert edit_distance(nothing, nothing).dice == 1.0


def test_a_region_on_another_grid_is_refused_with_what_to_do() -> None:
    ball = a_ball(GRIDS["axial"])
    moved = dataclasses.replace(GRIDS["axial"], affine=GRIDS["axial"].affine + np.diag([0.1, 0, 0, 0]))
    with pytest.raises(GeometryError, match="any more") as told:
        edit_distance(a_mask(GRIDS["axial"], ball), a_mask(moved, ball))
    assert "Segment Editor" in str(told.value.advice)


def test_the_frame_of_reference_of_the_analysed_grid_stays() -> None:
    named = dataclasses.replace(GRIDS["axial"], frame_of_reference_uid="2.25.4")
    assert on_grid(a_mask(GRIDS["axial"], a_ball(GRIDS["axial"])), named).geometry.frame_of_reference_uid == "2.25.4"


def test_bits_are_counted_without_their_padding() -> None:
    geometry = GRIDS["oblique"]
    ball = a_ball(geometry)
    region = a_mask(geometry, ball)
    assert voxels(region) == int(ball.sum())
    assert milliliters(region) == pytest.approx(ball.sum() * geometry.voxel_volume / 1000)


@pytest.mark.parametrize("rating", [0, 6])
def test_a_rating_is_from_one_to_five(rating: int) -> None:
    with pytest.raises(InputError, match="from 1 to 5"):
        Review(tracking_uid="", person="Jane Roe", decision=Decision.ACCEPTED, rating=rating)
