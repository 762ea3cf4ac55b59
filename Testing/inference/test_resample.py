"""Resampling against functions whose value is known everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from slicermedai.domain.geometry import Geometry
from slicermedai.inference.resample import resample
from Testing.fixtures.grids import AXIAL, ORIENTATIONS, covering, grid, rotated, tilted
from Testing.inference.conftest import points_of

WIDE = covering(spacing=(4.0, 5.0, 3.0), extent=(120.0, 120.0, 120.0))
SMALL = grid(shape=(11, 9, 13), spacing=(3.0, 5.0, 2.5), center=(4.0, -3.0, 5.0))


def plane(geometry: Geometry) -> np.ndarray:
    """A linear function of space: trilinear interpolation gives it exactly."""
    return (points_of(geometry) @ np.array([0.31, -0.17, 0.23]) + 4.0).astype(np.float32)


def variants() -> list[Geometry]:
    turned = [
        grid(codes, shape=SMALL.shape, spacing=(3.0, 5.0, 2.5), center=(4.0, -3.0, 5.0)) for codes in ORIENTATIONS
    ]
    oblique = [rotated(SMALL, angles) for angles in ((20, 0, 0), (10, -25, 40))]
    return [*turned, *oblique, tilted(SMALL, 18.0), rotated(tilted(SMALL, -12.0), (5, 6, 7))]


@pytest.mark.parametrize("target", variants(), ids=lambda g: "".join(g.axis_codes))
def test_a_linear_image_is_exact_on_every_grid(target: Geometry) -> None:
    assert np.allclose(resample(plane(WIDE), WIDE, target), plane(target), atol=1e-3)


@pytest.mark.parametrize("source", [rotated(WIDE, (12, 7, -30)), tilted(WIDE, 15.0), WIDE.permuted((2, 0, 1))])
def test_a_linear_image_is_exact_from_every_grid(source: Geometry) -> None:
    assert np.allclose(resample(plane(source), source, SMALL), plane(SMALL), atol=1e-3)


@pytest.mark.parametrize("target", variants()[::5], ids=lambda g: "".join(g.axis_codes))
def test_nearest_takes_the_voxel_that_the_point_lies_in(target: Geometry) -> None:
    labels = np.random.default_rng(0).integers(0, 65535, WIDE.shape).astype(np.uint16)
    index = WIDE.to_index(points_of(target).reshape(-1, 3))
    clear = (np.abs(index - np.floor(index) - 0.5) > 1e-3).all(axis=1)  # a tie has two right answers
    expected = labels[tuple(np.rint(index).astype(int).T)]
    found = resample(labels, WIDE, target, nearest=True).astype(np.uint16).ravel()
    assert np.array_equal(found[clear], expected[clear])
    assert clear.any()


@pytest.mark.parametrize("turn", [(0, 0, 0), (9, 4, 3)])
def test_outside_is_the_fill_value_and_the_edge_voxels_reach_to_their_faces(turn: tuple[float, ...]) -> None:
    source = grid(shape=(6, 7, 8), spacing=(5.0, 4.0, 3.0))
    target = rotated(covering(AXIAL, spacing=(1.9, 2.1, 1.7), extent=(60.0, 60.0, 60.0)), turn)
    index = source.to_index(points_of(target).reshape(-1, 3))
    inside = ((index > -0.499) & (index < np.array(source.shape) - 0.501)).all(axis=1)
    outside = ((index < -0.501) | (index > np.array(source.shape) - 0.499)).any(axis=1)
    found = resample(np.full(source.shape, 7, np.int16), source, target, fill=-3.0).ravel()
    assert np.allclose(found[inside], 7.0)
    assert np.all(found[outside] == -3.0)
    assert inside.any() and outside.any()


def test_the_same_grid_gives_the_same_numbers() -> None:
    values = np.random.default_rng(1).integers(-1000, 3000, SMALL.shape).astype(np.int16)
    assert np.array_equal(resample(values, SMALL, SMALL), values)
    flipped = resample(values, SMALL, SMALL.flipped((0, 2)))
    assert np.array_equal(flipped, values[::-1, :, ::-1])


def test_the_source_is_never_written_to() -> None:
    values = np.ones(SMALL.shape, dtype=np.float32)
    resample(values, SMALL, covering(spacing=(2, 2, 2), extent=(60, 60, 60)), fill=-1.0)
    assert np.all(values == 1.0)


def test_a_single_slice_can_be_resampled() -> None:
    flat = grid(shape=(1, 9, 13), spacing=(3.0, 5.0, 2.5))
    assert np.all(resample(np.full(flat.shape, 5.0), flat, flat.resized((3, 9, 13))) == 5.0)
