"""One geometry, LPS, right in all 48 orientations, oblique, anisotropic and tilted."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st

from slicermedai import Geometry
from slicermedai.domain.geometry import Space
from slicermedai.errors import GeometryError
from Testing.domain.strategies import ORIENTATIONS, geometries, rotation

NAMES = {0: "RL", 1: "AP", 2: "IS"}


def test_an_axial_head_first_stack_is_the_default() -> None:
    geometry = Geometry.from_axes((3, 4, 5), origin=(10, 20, 30), spacing=(3, 2, 1))
    assert geometry.axis_codes == ("S", "P", "L")
    assert geometry.is_right_handed
    np.testing.assert_allclose(geometry.to_lps((1, 0, 0)), (10, 20, 33))
    np.testing.assert_allclose(geometry.to_lps((0, 1, 0)), (10, 22, 30))
    np.testing.assert_allclose(geometry.to_lps((0, 0, 1)), (11, 20, 30))


@pytest.mark.parametrize("directions", ORIENTATIONS, ids=range(48))
def test_axis_codes_name_every_orientation(directions: np.ndarray) -> None:
    geometry = Geometry.from_axes((3, 4, 5), directions=directions)
    for axis, code in enumerate(geometry.axis_codes):
        world = int(np.flatnonzero(directions[:, axis])[0])
        assert code == NAMES[world][int(directions[world, axis] > 0)]
    assert geometry.is_right_handed == (np.linalg.det(directions[:, ::-1]) > 0)


@pytest.mark.parametrize("directions", ORIENTATIONS, ids=range(48))
def test_a_slightly_oblique_grid_keeps_its_axis_codes(directions: np.ndarray) -> None:
    oblique = rotation((1, 2, 3), 0.2) @ directions
    assert (
        Geometry.from_axes((2, 2, 2), directions=oblique).axis_codes
        == Geometry.from_axes((2, 2, 2), directions=directions).axis_codes
    )


@given(geometries())
def test_points_go_there_and_back(geometry: Geometry) -> None:
    index = np.array([[0.0, 0.0, 0.0], [1.5, -2.0, 3.25]])
    np.testing.assert_allclose(geometry.to_index(geometry.to_lps(index)), index, atol=1e-6)


@given(geometries(), st.sampled_from(list(permutations(range(3)))))
def test_a_permuted_array_lies_where_it_lay(geometry: Geometry, order: tuple[int, int, int]) -> None:
    index = np.array([0, 1, 2])[: len(geometry.shape)]
    moved = geometry.permuted(order)
    np.testing.assert_allclose(moved.to_lps(index[list(order)]), geometry.to_lps(index), atol=1e-6)
    assert moved.shape == tuple(np.zeros(geometry.shape).transpose(order).shape)


@given(geometries(), st.sets(st.integers(0, 2)))
def test_a_flipped_array_lies_where_it_lay(geometry: Geometry, axes: set[int]) -> None:
    array = np.arange(np.prod(geometry.shape)).reshape(geometry.shape)
    flipped, moved = np.flip(array, tuple(axes)), geometry.flipped(tuple(axes))
    for value in (0, array.size - 1, array.size // 2):
        before = geometry.to_lps(np.argwhere(array == value)[0])
        after = moved.to_lps(np.argwhere(flipped == value)[0])
        np.testing.assert_allclose(after, before, atol=1e-6)


@given(geometries())
def test_a_crop_keeps_places(geometry: Geometry) -> None:
    crop = geometry.cropped((1, -2, 0), (4, 3, 2))
    assert crop.shape == (3, 5, 2)
    np.testing.assert_allclose(crop.to_lps((1, 3, 1)), geometry.to_lps((2, 1, 1)), atol=1e-6)


@given(geometries(), st.tuples(*[st.integers(1, 12)] * 3))
def test_resizing_covers_the_same_box(geometry: Geometry, shape: tuple[int, int, int]) -> None:
    np.testing.assert_allclose(geometry.resized(shape).corners, geometry.corners, atol=1e-6)


@given(geometries())
def test_voxel_volume_times_count_is_the_volume_of_the_box(geometry: Geometry) -> None:
    corners = geometry.corners
    edges = np.stack([corners[i] - corners[0] for i in (4, 2, 1)])
    assert abs(np.linalg.det(edges)) == pytest.approx(geometry.voxel_volume * np.prod(geometry.shape), rel=1e-6)


@given(geometries().filter(lambda g: g.is_orthogonal))
def test_simpleitk_agrees_on_every_point(geometry: Geometry) -> None:
    image = SimpleITK.Image([int(n) for n in geometry.shape[::-1]], SimpleITK.sitkUInt8)
    matrix = geometry.ijk_to_lps
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
    image.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    there = image.TransformContinuousIndexToPhysicalPoint((1.0, 2.0, 0.5))
    np.testing.assert_allclose(geometry.to_lps((0.5, 2.0, 1.0)), there, atol=1e-5)


@given(geometries())
def test_ijk_order_is_only_another_way_to_write_it(geometry: Geometry) -> None:
    same = Geometry.from_ijk_lps(
        geometry.shape, geometry.ijk_to_lps, frame_of_reference_uid=geometry.frame_of_reference_uid
    )
    assert same == geometry
    assert hash(same) == hash(geometry)


def test_a_shift_of_a_hundredth_millimetre_is_another_grid() -> None:
    first = Geometry.from_axes((3, 4, 5))
    assert not first.same_grid(Geometry.from_axes((3, 4, 5), origin=(0, 0, 0.01)))
    assert first.same_grid(Geometry.from_axes((3, 4, 5), origin=(0, 0, 0.0001)))


@pytest.mark.parametrize(
    ("affine", "reason"),
    [
        (np.zeros((4, 4)), "last row"),
        (np.diag([1.0, 1.0, 0.0, 1.0]), "singular"),
        (np.diag([1.0, np.nan, 1.0, 1.0]), "finite"),
        (np.eye(3), "4 x 4"),
        (np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1.0]]), "singular"),
    ],
)
def test_a_grid_that_is_none_is_refused(affine: np.ndarray, reason: str) -> None:
    with pytest.raises(GeometryError, match=reason):
        Geometry(shape=(2, 2, 2), affine=affine)


@pytest.mark.parametrize("shape", [(0, 2, 2), (2, 2), (-1, 2, 2)])
def test_a_shape_that_is_none_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(GeometryError, match="positive sizes"):
        Geometry(shape=shape, affine=np.eye(4))


def test_a_geometry_cannot_be_changed() -> None:
    geometry = Geometry.from_axes((2, 2, 2))
    with pytest.raises(ValueError, match="read-only"):
        geometry.affine[0, 3] = 7
    with pytest.raises(AttributeError):
        geometry.shape = (3, 3, 3)  # type: ignore[misc]


@pytest.mark.parametrize("space", [Space.PLANE, Space.PIXELS])
def test_the_plane_of_a_picture_stays_one_whatever_is_done_to_it(space: Space) -> None:
    placed = Geometry.from_axes((1, 20, 30), spacing=(1.0, 0.2, 0.3))
    flat = replace(placed, space=space)
    for made in (
        flat.permuted((2, 1, 0)),
        flat.flipped((1,)),
        flat.cropped((0, 1, 1), (1, 9, 9)),
        flat.resized((1, 5, 5)),
    ):
        assert made.space is space and not made.is_in_patient
    assert placed.is_in_patient and flat != placed and hash(flat) != hash(placed)
    assert flat.in_words.startswith("20 x 30 pixels") and ("mm" in flat.in_words) == (space is Space.PLANE)
