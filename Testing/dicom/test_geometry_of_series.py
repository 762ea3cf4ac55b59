"""What is written in any orientation comes back with the exact grid and the exact voxels."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slicermedai.dicom.inputs import Source, open_source
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from Testing.fixtures.grids import ORIENTATIONS, grid, rotated, tilted
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import SeriesSpec, write_series

Write = Callable[..., list[Path]]


def _as_read(volume: Volume) -> tuple[np.ndarray, Geometry]:
    """Slices in the direction of the image plane's normal, as the reader orders them."""
    if volume.geometry.is_right_handed:
        return volume.array, volume.geometry
    return np.flip(volume.array, 0), volume.geometry.flipped((0,))


def _assert_same(source: Source, volume: Volume) -> None:
    array, geometry = _as_read(volume)
    assert source.volume.geometry.same_grid(geometry, tolerance=1e-4)
    assert np.array_equal(source.volume.array, array)
    assert source.volume.array.dtype == np.int16


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_a_head_in_each_of_48_orientations_comes_back_exactly(codes: str, write: Write) -> None:
    volume = head_phantom(grid(codes, shape=(8, 28, 20), spacing=(25.0, 9.0, 11.0), center=(3.0, -5.0, 11.0)))[0]
    _assert_same(open_source(write(volume, order="shuffled")[0].parent), volume)


_ANGLE = st.floats(-60, 60)
_STEP = st.floats(0.3, 12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    codes=st.sampled_from(ORIENTATIONS),
    degrees=st.tuples(_ANGLE, _ANGLE, _ANGLE),
    spacing=st.tuples(_STEP, _STEP, _STEP),
    center=st.tuples(*[st.floats(-400, 400)] * 3),
    order=st.sampled_from(["forward", "reverse", "shuffled"]),
    enhanced=st.booleans(),
)
def test_any_oblique_anisotropic_series_comes_back_exactly(
    codes: str,
    degrees: tuple[float, float, float],
    spacing: tuple[float, float, float],
    center: tuple[float, float, float],
    order: str,
    enhanced: bool,
) -> None:
    geometry = rotated(grid(codes, shape=(5, 7, 6), spacing=spacing, center=center), degrees)
    values = np.random.default_rng(1).integers(0, 4000, geometry.shape).astype(np.int16)
    volume = Volume(array=values, geometry=geometry, modality="MR")
    with tempfile.TemporaryDirectory() as folder:
        write_series(volume, Path(folder), spec=SeriesSpec(order=order, enhanced=enhanced))
        _assert_same(open_source(folder), volume)


@settings(max_examples=15, deadline=None)
@given(degrees=st.floats(2, 35) | st.floats(-35, -2), codes=st.sampled_from(ORIENTATIONS))
def test_a_tilted_stack_is_made_straight_where_it_is_asked_for(degrees: float, codes: str) -> None:
    straight = grid(codes, shape=(9, 40, 30), spacing=(20.0, 6.0, 8.0))
    leaning, _ = head_phantom(tilted(straight, degrees))
    with tempfile.TemporaryDirectory() as folder:
        write_series(leaning, Path(folder))
        source = open_source(folder, tilt="resample")
    truth, masks = head_phantom(source.volume.geometry)
    assert source.resampled
    assert source.volume.geometry.is_orthogonal
    assert f"{abs(degrees):.1f} degrees" in " ".join(source.notes)
    inside = masks["scalp"]
    off = np.abs(source.volume.array[inside].astype(float) - truth.array[inside])
    assert np.median(off) <= 40  # of 780: interpolation within slices, nothing is displaced
    assert np.corrcoef(source.volume.array[inside], truth.array[inside])[0, 1] > 0.9


def test_a_straightened_stack_keeps_every_corner_of_the_leaning_one(write: Write) -> None:
    leaning = head_phantom(tilted(grid(shape=(9, 40, 30), spacing=(20.0, 6.0, 8.0)), 18))[0]
    source = open_source(write(leaning)[0].parent, tilt="resample")
    inner = leaning.geometry.to_lps([(0, 0, 0), (8, 39, 29), (8, 0, 0), (0, 39, 29)])
    assert source.volume.geometry.contains(inner)


def test_slices_come_with_their_own_headers_in_slice_order(a_head: Volume, write: Write) -> None:
    source = open_source(write(a_head, order="shuffled")[0].parent)
    positions = [np.array(header.ImagePositionPatient, dtype=float) for header in source.headers]
    wanted = source.volume.geometry.to_lps([(index, 0, 0) for index in range(len(positions))])
    assert np.abs(np.array(positions) - wanted).max() < 1e-4
    assert source.slices == tuple((index, 1) for index in range(len(positions)))
    assert all("PixelData" not in header for header in source.headers)


def test_frames_of_a_shuffled_multi_frame_object_are_told_by_number(a_head: Volume, write: Write) -> None:
    source = open_source(write(a_head, enhanced=True, order="shuffled")[0])
    header = source.headers[0]
    groups = header.PerFrameFunctionalGroupsSequence
    places = [groups[frame - 1].PlanePositionSequence[0].ImagePositionPatient for _, frame in source.slices]
    wanted = source.volume.geometry.to_lps([(index, 0, 0) for index in range(len(places))])
    assert len(source.headers) == 1
    assert np.abs(np.array(places, dtype=float) - wanted).max() < 1e-4


def test_the_frame_of_reference_goes_with_the_grid(a_head: Volume, write: Write) -> None:
    source = open_source(write(a_head)[0].parent)
    assert source.volume.geometry.frame_of_reference_uid == source.headers[0].FrameOfReferenceUID


def test_slice_thickness_and_spacing_between_slices_are_never_asked(a_head: Volume, write: Write) -> None:
    from Testing.fixtures.faults import set_value

    files = write(a_head)
    set_value(files, "SliceThickness", "1.0")
    set_value(files, "SpacingBetweenSlices", "-77")
    _assert_same(open_source(files[0].parent), a_head)


def test_simpleitk_agrees_on_a_plain_series(a_head: Volume, write: Write) -> None:
    source = open_source(write(a_head)[0].parent)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in source.files])
    image = reader.Execute()
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), source.volume.array)
    assert np.allclose(image.GetOrigin(), source.volume.geometry.origin, atol=1e-4)
    assert np.allclose(image.GetSpacing(), source.volume.geometry.spacing[::-1], atol=1e-4)
    assert np.allclose(np.reshape(image.GetDirection(), (3, 3)), source.volume.geometry.directions[:, ::-1], atol=1e-4)


@pytest.mark.fetched
@pytest.mark.parametrize("plane", ["axial", "sagittal"])
def test_a_real_head_is_written_and_read_back_exactly(plane: str, colin27: Path, write: Write) -> None:
    whole = open_source(colin27 / "ch2.nii.gz").volume
    part = whole.geometry.cropped((80, 0, 0), (92, 217, 181))
    head = Volume(array=whole.array[80:92], geometry=part, modality="MR")
    if plane == "sagittal":
        head = Volume(array=whole.array.transpose(2, 0, 1)[90:100], geometry=_sagittal(whole), modality="MR")
    array, geometry = _as_read(head)
    source = open_source(write(head)[0].parent)
    assert np.array_equal(source.volume.array, array)
    assert source.volume.geometry.same_grid(geometry, tolerance=1e-4)


def _sagittal(whole: Volume) -> Geometry:
    turned = whole.geometry.permuted((2, 0, 1))
    return turned.cropped((90, 0, 0), (100, *turned.shape[1:]))
