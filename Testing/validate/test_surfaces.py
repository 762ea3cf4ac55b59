"""Distances between borders: exact on boxes, on every grid; empty masks have defined answers."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from slicermedai.domain.geometry import Geometry
from slicermedai.errors import GeometryError
from slicermedai.validate.segmentation import CaseName, Kind, diagonal, score
from slicermedai.validate.surfaces import border, border_distances

SHAPE = (18, 20, 22)
SPACINGS = [(1.0, 1.0, 1.0), (5.0, 0.7, 0.7), (0.5, 2.0, 1.25)]
NAME = CaseName(case="a case", subject="s", structure="Blob")


def box(start: tuple[int, ...], stop: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


def grid(spacing: tuple[float, ...]) -> Geometry:
    return Geometry.from_axes(SHAPE, spacing=spacing, origin=(10.0, -7.0, 3.0))


@pytest.mark.parametrize(("spacing", "axis", "steps"), list(product(SPACINGS, range(3), (1, 3))))
def test_a_box_moved_along_an_axis_is_that_many_millimetres_away(spacing, axis: int, steps: int) -> None:  # type: ignore[no-untyped-def]
    moved = np.roll(box((4, 5, 6), (11, 13, 14)), steps, axis)
    found = border_distances(box((4, 5, 6), (11, 13, 14)), moved, grid(spacing))
    assert found.hausdorff() == pytest.approx(steps * spacing[axis], abs=1e-9)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_box_around_a_box_is_as_far_as_its_corner_and_its_nearest_face(spacing: tuple[float, ...]) -> None:
    inner, outer = box((6, 6, 6), (12, 13, 14)), box((4, 4, 4), (14, 15, 16))
    found = border_distances(inner, outer, grid(spacing))
    assert found.predicted.max() == pytest.approx(2 * np.linalg.norm(spacing), abs=1e-9)
    assert found.reference.min() == pytest.approx(2 * min(spacing), abs=1e-9)
    assert found.surface_dice(2 * np.linalg.norm(spacing) + 1e-9) == 1.0
    assert found.surface_dice(0.99 * 2 * min(spacing)) == 0.0


@pytest.mark.parametrize("spacing", SPACINGS)
def test_equal_masks_have_no_distance(spacing: tuple[float, ...]) -> None:
    mask = np.random.default_rng(0).random(SHAPE) < 0.3
    found = border_distances(mask, mask, grid(spacing))
    assert (found.hausdorff(), found.assd(), found.surface_dice(0.0)) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_the_border_of_a_box_has_the_area_of_a_box_with_its_edges_cut(spacing: tuple[float, ...]) -> None:
    sizes = (7, 8, 9)
    area = border(box((4, 5, 6), (11, 13, 15)), grid(spacing)).areas.sum()
    a, b, c = (n * step for n, step in zip(sizes, spacing, strict=True))
    whole = 2 * (a * b + b * c + a * c)
    assert 0.8 * whole < area < whole


def test_a_sheared_grid_measures_in_the_patient() -> None:
    affine = grid((2.0, 1.0, 1.0)).affine.copy()
    affine[:3, 0] = (0.0, 0.6, 2.0)
    mask = box((5, 5, 5), (9, 12, 12))
    found = border_distances(mask, np.roll(mask, 1, 0), Geometry(shape=SHAPE, affine=affine))
    assert 2.0 - 1e-9 <= found.hausdorff() <= np.hypot(0.6, 2.0) + 1e-9


def test_a_grid_with_other_axes_gives_the_same_numbers() -> None:
    reference, predicted = box((3, 4, 5), (10, 12, 9)), box((4, 4, 4), (12, 11, 10))
    geometry = grid((5.0, 0.7, 1.1))
    plain = border_distances(reference, predicted, geometry)
    turned = border_distances(
        np.flip(reference.transpose(2, 0, 1), 1),
        np.flip(predicted.transpose(2, 0, 1), 1),
        geometry.permuted((2, 0, 1)).flipped((1,)),
    )
    assert turned.assd() == pytest.approx(plain.assd(), abs=1e-9)
    assert turned.hausdorff(95) == pytest.approx(plain.hausdorff(95), abs=1e-9)


def test_the_percentile_is_by_area_and_not_by_count() -> None:
    flat = np.zeros((6, 60, 60), dtype=bool)
    flat[2:4, 5:55, 5:55] = True
    spur = flat.copy()
    spur[2:4, 30, 55:60] = True
    found = border_distances(flat, spur, Geometry.from_axes(flat.shape, spacing=(5.0, 1.0, 1.0)))
    assert found.hausdorff() == pytest.approx(5.0, abs=0.6)
    assert found.hausdorff(95) == 0.0


def test_masks_that_touch_the_edge_are_closed_there() -> None:
    full = np.ones((4, 5, 6), dtype=bool)
    found = border_distances(full, full, Geometry.from_axes((4, 5, 6), spacing=(1, 1, 1)))
    assert found.hausdorff() == 0.0
    assert found.reference_areas.sum() > 100


# --- cases -------------------------------------------------------------------------------------------------------

EMPTY, FULL = np.zeros(SHAPE, dtype=bool), box((4, 5, 6), (11, 13, 14))


@pytest.mark.parametrize(
    ("reference", "predicted", "kind", "dice"),
    [
        (EMPTY, EMPTY, Kind.NEITHER, 1.0),
        (FULL, EMPTY, Kind.MISSED, 0.0),
        (EMPTY, FULL, Kind.INVENTED, 0.0),
        (FULL, FULL, Kind.BOTH, 1.0),
    ],
    ids=["neither", "missed", "invented", "both"],
)
def test_every_case_has_every_number(reference: np.ndarray, predicted: np.ndarray, kind: Kind, dice: float) -> None:
    found = score(reference, predicted, grid((5.0, 0.7, 0.7)), name=NAME)
    assert (found.kind, found.dice, found.nsd) == (kind, dice, dice)
    worst = diagonal(grid((5.0, 0.7, 0.7)))
    assert found.hd95 == found.assd == (0.0 if dice else worst)
    assert np.isfinite([found.hd95, found.assd]).all()


def test_the_diagonal_is_that_of_the_image() -> None:
    assert diagonal(Geometry.from_axes((3, 4, 12), spacing=(1, 1, 1))) == pytest.approx(13.0)


def test_volumes_are_in_millilitres() -> None:
    found = score(FULL, EMPTY, grid((5.0, 2.0, 1.0)), name=NAME)
    assert (found.reference_ml, found.predicted_ml) == pytest.approx((7 * 8 * 8 * 10 / 1000, 0.0))


def test_dice_by_hand() -> None:
    found = score(box((0, 0, 0), (2, 2, 2)), box((1, 0, 0), (3, 2, 2)), grid((1, 1, 1)), name=NAME)
    assert found.dice == 0.5


def test_shapes_that_differ_are_refused_by_name() -> None:
    with pytest.raises(GeometryError, match="a case"):
        score(EMPTY, np.zeros((2, 2, 2), dtype=bool), grid((1, 1, 1)), name=NAME)
