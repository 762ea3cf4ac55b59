"""Intensities have the unit that their image has, or are not there."""

from __future__ import annotations

import tracemalloc
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.sr.codedict import codes as standard

from slicermedai.domain.codes import HOUNSFIELD, LONG_AXIS, NO_UNITS, SHORT_AXIS, Code
from slicermedai.domain.finding import Box, Mask, PackedMask, Point
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import LabelMap, SuvScale, Volume
from slicermedai.errors import GeometryError, InputError
from slicermedai.measure import codes
from slicermedai.measure.methods import DEFAULT, METHODS, measure, measure_all
from Testing.measure.shapes import measured, region

STATISTICS = ("mean", "standard deviation", "median", "minimum", "maximum", "10th percentile", "90th percentile")
GEOMETRY = Geometry.from_axes((4, 5, 6), spacing=(3.0, 1.0, 0.5))
BQML = codes.BECQUERELS_PER_ML


def an_image(modality: str, unit: Code, *, suv: SuvScale | None = None) -> Volume:
    array = np.arange(120, dtype=np.int16).reshape(4, 5, 6) - 40
    return Volume(array=array, geometry=GEOMETRY, modality=modality, unit=unit, suv=suv)


def some_voxels() -> Mask:
    return region(np.arange(120).reshape(4, 5, 6) % 7 == 3, GEOMETRY)


@pytest.mark.parametrize(
    ("volume", "name", "unit", "factor"),
    [
        (an_image("CT", HOUNSFIELD), standard.DCM.AttenuationCoefficient, "[hnsf'U]", 1.0),
        (an_image("MR", NO_UNITS), standard.DCM.MRSignalIntensity, "1", 1.0),
        (an_image("PT", BQML, suv=SuvScale(factor=0.25)), standard.DCM.Suvbw, "g/ml{SUVbw}", 0.25),
        (an_image("PT", BQML, suv=SuvScale(reason="no weight")), None, "Bq/ml", 1.0),
    ],
)
def test_every_statistic_is_that_of_the_voxels_in_the_unit_of_the_image(
    volume: Volume, name: Code | None, unit: str, factor: float
) -> None:
    mask = some_voxels()
    values = volume.array[mask.to_array()].astype(float) * factor
    found = measured(mask, *STATISTICS, volume=volume)
    expected = [values.mean(), values.std(), np.median(values), values.min(), values.max()]
    expected += [np.percentile(values, 10), np.percentile(values, 90)]
    assert [found[one].value for one in STATISTICS] == pytest.approx(expected, rel=1e-12)
    assert {one.unit.value for one in found.values()} == {unit}
    assert len({one.derivation for one in found.values()}) == len(STATISTICS)
    if name is not None:
        assert {one.name.value for one in found.values()} == {name.value}


@pytest.mark.parametrize(
    "volume",
    [an_image("CT", NO_UNITS), an_image("PT", NO_UNITS), an_image("", NO_UNITS), an_image("US", NO_UNITS), None],
)
def test_what_has_no_known_unit_has_no_intensity(volume: Volume | None) -> None:
    found = measure(some_voxels(), volume=volume)
    assert [one.name for one in found] == [one.name for one in measure(some_voxels())]
    assert len(found) == 5


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), density=st.floats(0, 1), scale=st.floats(1e-3, 1e6))
def test_a_packed_mask_and_a_shared_label_map_measure_the_same(seed: int, density: float, scale: float) -> None:
    random = np.random.default_rng(seed)
    inside = random.random(GEOMETRY.shape) < density
    image = Volume(array=(random.random(GEOMETRY.shape) * scale), geometry=GEOMETRY, modality="MR")
    both = [measure(one, volume=image) for one in (PackedMask.from_array(inside, GEOMETRY), region(inside, GEOMETRY))]
    assert repr(both[0]) == repr(both[1])


def test_a_constant_image_spreads_by_nothing_however_bright() -> None:
    bright = float(np.float32(16777217.1))
    image = Volume(array=np.full(GEOMETRY.shape, bright, np.float32), geometry=GEOMETRY, modality="MR")
    found = measured(some_voxels(), "mean", "standard deviation", volume=image)
    assert found["mean"].value == pytest.approx(bright, rel=1e-15)
    assert found["standard deviation"].value == pytest.approx(0, abs=1e-6)


def test_all_regions_get_the_same_columns_and_places_get_none() -> None:
    array = np.zeros(GEOMETRY.shape, np.uint16)
    array[1, 1:3, 2:4], array[2:, 3:, 4:] = 1, 700
    shared = LabelMap(array=array, geometry=GEOMETRY)
    masks = [Mask(label_map=shared, value=value) for value in (1, 700, 5)]
    packed = PackedMask.from_array(array == 700, GEOMETRY)
    box, point = Box(low=(0, 0, 0), high=(1, 1, 1)), Point(position=(0, 0, 0))
    found = measure_all([masks[0], None, masks[1], box, masks[2], point, packed], volume=an_image("CT", HOUNSFIELD))
    assert [len(one) for one in found] == [7, 0, 7, 0, 7, 0, 7]
    columns = {tuple((one.name, one.derivation, one.unit) for one in found[i]) for i in (0, 2, 4, 6)}
    assert len(columns) == 1
    assert repr(found[2]) == repr(found[6])
    assert [one.missing == "" for one in found[4]] == [True, False, False, False, True, False, False]


def test_an_image_on_another_grid_is_refused() -> None:
    other = Geometry.from_axes((4, 5, 6), spacing=(3.0, 1.0, 0.6))
    image = Volume(array=np.zeros(other.shape), geometry=other, modality="MR")
    with pytest.raises(GeometryError, match="different grids"):
        measure(some_voxels(), volume=image)


def test_a_mistyped_measurement_is_told_what_it_may_have_meant() -> None:
    with pytest.raises(InputError, match="Did you mean 'long axis'"):
        measure(some_voxels(), wanted=("longaxis",))
    assert measure(some_voxels(), wanted=()) == ()


def test_what_every_structure_gets_comes_first_in_the_table() -> None:
    assert DEFAULT == ("volume", "long axis", "short axis", "3D diameter", "surface area", "mean", "standard deviation")
    assert set(STATISTICS) < set(METHODS)


def test_codes_are_those_of_the_standard() -> None:
    """Compared with the dictionaries of PS3.16 in pydicom; the two percentiles are IBSI's alone and not in them."""
    known = {
        LONG_AXIS: standard.SCT.LongAxis,
        SHORT_AXIS: standard.SCT.ShortAxis,
        codes.MAXIMUM_3D_DIAMETER: standard.IBSI.Maximum3DDiameterOfAMesh,
        codes.SURFACE_AREA: standard.IBSI.SurfaceAreaOfMesh,
        codes.MESH_VOLUME: standard.IBSI.VolumeOfMesh,
        codes.ATTENUATION: standard.DCM.AttenuationCoefficient,
        codes.MR_SIGNAL: standard.DCM.MRSignalIntensity,
        codes.ACTIVITY: standard.DCM.NuclearMedicineTomographicActivity,
        codes.SUV_BODY_WEIGHT: standard.DCM.Suvbw,
        codes.SQUARE_MILLIMETER: standard.UCUM.SquareMillimeter,
        codes.BECQUERELS_PER_ML: standard.UCUM.BecquerelsPerMilliliter,
        codes.GRAMS_PER_ML_SUV: standard.UCUM.StandardizedUptakeValueBodyWeight,
        codes.IN_PLANE: standard.DCM.TwoDimensionalMethod,
        codes.SUV_METHOD: standard.DCM.SUVBodyWeightCalculationMethod,
        codes.MEAN: standard.cid7464.Mean,
        codes.MEDIAN: standard.cid7464.Median,
        codes.MINIMUM: standard.cid7464.Minimum,
        codes.MAXIMUM: standard.cid7464.Maximum,
        codes.STANDARD_DEVIATION: standard.cid7464.StandardDeviation,
    }
    for ours, theirs in known.items():
        assert (ours.value, ours.scheme, ours.meaning) == (theirs.value, theirs.scheme_designator, theirs.meaning)


def test_many_structures_are_measured_in_seconds_and_little_memory() -> None:
    """30 structures on 128 x 256 x 256: no structure costs an array of the whole grid."""
    shape = (128, 256, 256)
    random, array = np.random.default_rng(3), np.zeros((128, 256, 256), np.uint8)
    for value in range(1, 31):
        radii = random.uniform(5, 30, 3)
        middle = random.uniform((20, 40, 40), (108, 216, 216))
        low = np.maximum(0, middle - radii).astype(int)
        high = np.minimum(shape, middle + radii + 1).astype(int)
        inside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        at = np.ogrid[inside]
        array[inside][sum(((at[i] - middle[i]) / radii[i]) ** 2 for i in range(3)) < 1] = value
    geometry = Geometry.from_axes(shape)
    image = Volume(array=np.zeros(shape, np.int16), geometry=geometry, modality="CT", unit=HOUNSFIELD)
    shared = LabelMap(array=array, geometry=geometry)
    measure(Mask(label_map=shared, value=1))  # tables that are made once
    tracemalloc.start()
    began = process_time()
    found = measure_all([Mask(label_map=shared, value=value) for value in range(1, 31)], volume=image)
    seconds, peak = process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(one) for one in found] == [7] * 30
    assert peak < array.size  # one byte a voxel of the grid: 8.4 MB
    assert seconds < 10
