"""Volumes are right on every grid a scanner can make."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from slicermedai.domain.codes import MILLILITER, VOLUME, VOXEL_SUMMATION
from slicermedai.domain.finding import Box, Mask, PackedMask, Point
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import LabelMap
from slicermedai.measure.methods import measure
from slicermedai.measure.structure import structures

ORIENTATIONS = [
    np.eye(3)[:, list(order)] * np.array(signs)
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]


def a_cuboid(geometry: Geometry) -> Mask:
    array = np.zeros(geometry.shape, np.uint8)
    array[1:4, 2:6, 1:8] = 3
    return Mask(label_map=LabelMap(array=array, geometry=geometry), value=3)


def voxel_count(region: Mask | PackedMask) -> int:
    (found,) = structures([region], None)
    return found.voxels


def millilitres(region: Mask | PackedMask) -> float:
    return measure(region)[0].value


def test_a_volume_has_its_code_unit_and_method() -> None:
    found = measure(a_cuboid(Geometry.from_axes((6, 8, 9))))[0]
    assert (found.name, found.unit, found.method) == (VOLUME, MILLILITER, VOXEL_SUMMATION)
    assert found.value == pytest.approx(3 * 4 * 7 / 1000, rel=1e-12)


@pytest.mark.parametrize("directions", ORIENTATIONS)
def test_a_volume_is_the_same_in_all_48_orientations(directions: np.ndarray) -> None:
    geometry = Geometry.from_axes((6, 8, 9), spacing=(3.0, 0.5, 0.25), origin=(9, -8, 7), directions=directions)
    assert millilitres(a_cuboid(geometry)) == pytest.approx(84 * 0.375 / 1000, rel=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.05, 12)] * 3),
    tilt=st.floats(-30, 30),
)
def test_shearing_moves_slices_and_keeps_the_volume(
    angles: tuple[float, float, float], spacing: tuple[float, float, float], tilt: float
) -> None:
    straight = Geometry.from_axes(
        (6, 8, 9), spacing=spacing, directions=Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    )
    affine = np.array(straight.affine)
    affine[:3, 0] += straight.directions[:, 1] * np.tan(np.radians(tilt)) * spacing[0]
    sheared = Geometry(shape=straight.shape, affine=affine)
    expected = 84 * float(np.prod(spacing)) / 1000
    assert millilitres(a_cuboid(straight)) == pytest.approx(expected, rel=1e-9)
    assert millilitres(a_cuboid(sheared)) == pytest.approx(expected, rel=1e-6)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), density=st.floats(0, 1))
def test_a_packed_mask_measures_as_the_array_it_was_made_of(seed: int, density: float) -> None:
    geometry = Geometry.from_axes((3, 5, 7), spacing=(2, 1.5, 0.7))
    array = np.random.default_rng(seed).random(geometry.shape) < density
    packed = PackedMask.from_array(array, geometry)
    whole = Mask(label_map=LabelMap(array=array.astype(np.uint8), geometry=geometry), value=1)
    assert voxel_count(packed) == int(array.sum())
    assert repr(measure(packed)) == repr(measure(whole))  # NaN is not NaN


def test_two_findings_on_one_label_map_do_not_share_voxels() -> None:
    geometry = Geometry.from_axes((1, 2, 5))
    label_map = LabelMap(array=np.array([[[1, 1, 2, 0, 0], [1, 0, 2, 2, 2]]], np.uint16), geometry=geometry)
    assert [voxel_count(Mask(label_map=label_map, value=v)) for v in (1, 2, 9)] == [3, 4, 0]


def test_places_without_voxels_have_no_volume() -> None:
    assert measure(None) == ()
    assert measure(Point(position=(1, 2, 3))) == ()
    assert measure(Box(low=(0, 0, 0), high=(5, 5, 5))) == ()
