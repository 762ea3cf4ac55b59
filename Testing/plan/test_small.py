"""What is one voxel or one slice thick keeps its border, its margin and its distance."""

from __future__ import annotations

import numpy as np
import pytest

from slicermedai.domain.geometry import Geometry
from slicermedai.plan import edits
from slicermedai.plan.border import border_points, signed
from slicermedai.plan.distances import shortest
from slicermedai.plan.margins import reach_of
from slicermedai.plan.numbers import table_of
from slicermedai.plan.start import start_plan
from Testing.fixtures import liver
from Testing.plan.cases import ROLES, SMALL, a_result

CUBE = Geometry.from_axes((60, 60, 60), spacing=(1.0, 1.0, 1.0))
THICK = Geometry.from_axes((20, 60, 60), spacing=(5.0, 0.8, 0.8))
Z, Y, X = np.mgrid[:60, :60, :60]
BALL = (Z - 30) ** 2 + (Y - 30) ** 2 + (X - 20) ** 2 <= 64


def a_disc(pixels: int) -> np.ndarray:
    """In one slice of :data:`THICK`."""
    mask = np.zeros(THICK.shape, dtype=bool)
    rows, columns = np.mgrid[:60, :60]
    mask[10] = (rows - 30) ** 2 + (columns - 30) ** 2 <= pixels**2
    return mask


def within_of_voxels(mask: np.ndarray, width: float) -> float:
    """ml whose centres are within ``width`` mm of the voxels of ``mask``, boxes that they are; by search."""
    places = np.argwhere(np.ones(THICK.shape, dtype=bool))
    nearest = np.full(len(places), np.inf)
    for voxel in np.argwhere(mask):
        apart = np.maximum(np.abs(places - voxel) - 0.5, 0) * THICK.spacing
        nearest = np.minimum(nearest, np.linalg.norm(apart, axis=1))
    return float((nearest <= width).sum() * THICK.voxel_volume / 1000)


@pytest.mark.parametrize("pixels", [0, 1, 2, 3])
def test_a_lesion_in_one_slice_has_nearly_the_margin_of_its_voxels(pixels):
    mask = a_disc(pixels)
    made = float(reach_of(mask, THICK, 10.0).shares.sum()) * THICK.voxel_volume / 1000
    assert made == pytest.approx(within_of_voxels(mask, 10.0), rel=0.1)
    reach = np.ptp(border_points(mask, THICK), axis=0)
    assert reach == pytest.approx([(2 * pixels + 1) * 0.8, (2 * pixels + 1) * 0.8, 5.0], abs=0.8)


def test_a_satellite_of_one_voxel_has_a_margin_and_a_distance_of_its_own():
    lesion = BALL.copy()
    lesion[30, 30, 45] = True
    taken = reach_of(lesion, CUBE, 5.0)
    shares = np.zeros(CUBE.shape)
    shares[taken.window.slices] = taken.shares
    assert shares[30, 30, 47] == shares[30, 30, 43] == 1.0
    vessel = (X == 50) & (Z > 20)
    found = shortest(lesion, vessel, CUBE)
    assert found.mm == pytest.approx(4.0, abs=1.0)
    assert np.linalg.norm(np.array(found.start) - CUBE.to_lps([30, 30, 45])) < 1.0


def test_a_satellite_that_the_finer_grid_would_miss_is_on_the_border():
    grid = Geometry.from_axes((150, 150, 150), spacing=(1.0, 1.0, 1.0))
    z, y, x = np.mgrid[:150, :150, :150]
    mask = (z - 75) ** 2 + (y - 75) ** 2 + (x - 75) ** 2 <= 60**2
    mask[2:4, 2:4, 2:4] = True
    points = border_points(mask, grid)
    assert np.linalg.norm(points - grid.to_lps([2.5, 2.5, 2.5]), axis=1).min() < 2.0


@pytest.mark.parametrize("radius", [0.6, 1.0, 1.5])
def test_the_distance_to_a_thin_oblique_vessel_is_within_a_voxel(radius):
    away = np.stack([Z - 30, Y - 30, X - 35], axis=-1).astype(float)
    along = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    vessel = np.linalg.norm(away - (away @ along)[..., None] * along, axis=-1) <= radius
    assert shortest(BALL, vessel, CUBE).mm == pytest.approx(35 - 20 - 8 - radius, abs=1.0)


@pytest.mark.parametrize("grid", liver.GRIDS)
def test_no_voxel_changes_its_side(grid):
    geometry = liver.GRIDS[grid]
    for solid in (liver.LESION, liver.ARTERY):
        mask = liver.inside(solid, geometry)
        assert np.array_equal(signed(mask, geometry) < 0, mask)


def test_a_plan_with_a_lesion_of_one_voxel_has_all_its_numbers():
    masks = liver.structures_on(SMALL)
    one = np.zeros(SMALL.shape, dtype=bool)
    one[tuple(np.argwhere(masks["lesion"])[50])] = True
    plan = edits.with_margin(start_plan(a_result(masks={**masks, "lesion": one}), ROLES), "lesion", 5.0)
    table = table_of(plan)
    assert table.value("lesion to hepatic vein", "shortest distance") > 0
    assert table.value("lesion + 5 mm", "lesion and margin in the organ") == pytest.approx(liver.ball_ml(6.5), rel=0.35)
