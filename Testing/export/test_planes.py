"""Planes of findings say what their whole grids say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import LabelMap
from slicermedai.errors import FormatError
from slicermedai.export.planes import Planes, exclusive, planes_of
from Testing.export.cases import BRAIN_LABEL

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 7), st.integers(1, 9))
SEEDS = st.integers(0, 2**32 - 1)


def findings(regions: list[Mask | PackedMask]) -> tuple[Finding, ...]:
    return tuple(Finding(tracking_uid=f"2.25.{n}", label=BRAIN_LABEL, region=one) for n, one in enumerate(regions, 1))


def grids(regions: list[Mask | PackedMask]) -> list[NDArray[np.bool_]]:
    return [one.to_array() for one in regions]


def assert_planes(planes: Planes, whole: list[NDArray[np.bool_]]) -> None:
    labels: NDArray[np.uint16] = np.zeros(whole[0].shape, np.uint16)
    for number, array in enumerate(whole, 1):
        labels[array] = number
    assert np.array_equal(planes.used, [array.any(axis=(1, 2)) for array in whole])
    assert planes.overlap == bool((np.sum(whole, axis=0) > 1).any())
    for index in range(labels.shape[0]):
        for number, array in enumerate(whole, 1):
            assert np.array_equal(planes.mask(number, index), array[index])
        for kind in (np.dtype("u1"), np.dtype("<u2")):
            found = planes.labels(index, kind)
            assert found.dtype == kind
            assert np.array_equal(found, labels[index])


@settings(deadline=None, max_examples=60)
@given(shape=SHAPES, seed=SEEDS, wide=st.booleans())
def test_values_of_one_label_map_are_numbered_in_the_order_of_the_findings(
    shape: tuple[int, int, int], seed: int, wide: bool
) -> None:
    random = np.random.default_rng(seed)
    kind = np.uint16 if wide else np.uint8
    values = random.choice(np.arange(1, 60000 if wide else 255), 4, replace=False)
    array = random.choice(np.array([0, *values]), shape).astype(kind)
    shared = LabelMap(array=array, geometry=Geometry.from_axes(shape))
    regions: list[Mask | PackedMask] = [Mask(label_map=shared, value=int(value)) for value in values[:3]]
    assert_planes(planes_of(findings(regions), shared.geometry), grids(regions))


@settings(deadline=None, max_examples=60)
@given(shape=SHAPES, seed=SEEDS, density=st.floats(0, 0.5))
def test_packed_masks_are_laid_over_each_other(shape: tuple[int, int, int], seed: int, density: float) -> None:
    random, geometry = np.random.default_rng(seed), Geometry.from_axes(shape)
    whole = [random.random(shape) < density for _ in range(3)]
    regions: list[Mask | PackedMask] = [PackedMask.from_array(one, geometry) for one in whole]
    assert_planes(planes_of(findings(regions), geometry), whole)


def mixed() -> tuple[Geometry, list[Mask | PackedMask]]:
    """A value of a label map, a packed mask, and the same value of another label map."""
    random, geometry = np.random.default_rng(3), Geometry.from_axes((4, 6, 5))
    maps = [LabelMap(array=random.integers(0, 3, geometry.shape).astype(np.uint8), geometry=geometry) for _ in "ab"]
    packed = PackedMask.from_array(random.random(geometry.shape) < 0.3, geometry)
    return geometry, [Mask(label_map=maps[0], value=1), packed, Mask(label_map=maps[1], value=1)]


def test_findings_of_several_kinds_go_together() -> None:
    geometry, regions = mixed()
    assert_planes(planes_of(findings(regions), geometry), grids(regions))


def test_one_value_twice_is_an_overlap() -> None:
    geometry, regions = mixed()
    planes = planes_of(findings([regions[0], regions[0]]), geometry)
    assert planes.overlap


def test_a_label_map_of_findings_that_overlap_is_refused_with_what_to_ask_for() -> None:
    geometry, regions = mixed()
    with pytest.raises(FormatError, match="seg \\(BINARY\\)"):
        exclusive(findings(regions), geometry)
