"""Segmentations of others lie where their frames say, in whatever way they say it; what does not say it is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.errors import FormatError
from slicermedai.export.run import export_result
from slicermedai.export.seg_read import ReadSegmentation, read
from Testing.export.cases import GRIDS, Case, a_ball, a_case

_KINDS = ("axial", "flipped slices", "oblique and anisotropic", "one slice")


def changed(case: Case, folder: Path, change: Callable[[Dataset], None]) -> ReadSegmentation:
    (path,) = export_result(case.result, headers=case.headers, folder=folder, formats=("seg",))
    dataset = dcmread(path)
    change(dataset)
    dataset.save_as(path)
    return read(path)


def for_each_frame(dataset: Dataset) -> None:
    """Orientation and spacing are said for each frame, and not for all."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for group in dataset.PerFrameFunctionalGroupsSequence:
        group.PlaneOrientationSequence = shared.PlaneOrientationSequence
        group.PixelMeasuresSequence = shared.PixelMeasuresSequence
    dataset.SharedFunctionalGroupsSequence = [Dataset()]


def by_thickness(dataset: Dataset) -> None:
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices


def segments_counted_last(dataset: Dataset) -> None:
    for group in dataset.PerFrameFunctionalGroupsSequence:
        content = group.FrameContentSequence[0]
        content.DimensionIndexValues = content.DimensionIndexValues[::-1]


def without_indices(dataset: Dataset) -> None:
    for group in dataset.PerFrameFunctionalGroupsSequence:
        del group.FrameContentSequence


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("change", [for_each_frame, by_thickness])
def test_the_grid_is_the_same_whoever_says_it(kind: str, change: Callable[[Dataset], None], tmp_path: Path) -> None:
    case = a_case(GRIDS[kind], masks=(a_ball(GRIDS[kind]), a_ball(GRIDS[kind], radius=(0.5, 0.1, 0.2))))
    found = changed(case, tmp_path, change)
    assert np.abs(found.geometry.affine - case.geometry.affine).max() < 1e-6
    for segment, mask in zip(found.segments, case.masks, strict=True):
        assert np.array_equal(segment.mask.to_array(), mask)


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("change", [segments_counted_last, without_indices])
def test_voxels_lie_where_they_lay_in_whatever_order_slices_are_counted(
    kind: str, change: Callable[[Dataset], None], tmp_path: Path
) -> None:
    case = a_case(GRIDS[kind], masks=(a_ball(GRIDS[kind]), a_ball(GRIDS[kind], radius=(0.5, 0.1, 0.2))))
    found = changed(case, tmp_path, change)
    for segment, mask in zip(found.segments, case.masks, strict=True):
        places = found.geometry.to_lps(np.argwhere(segment.mask.to_array()))
        wanted = case.geometry.to_lps(np.argwhere(mask))
        assert {tuple(np.round(one, 3) + 0.0) for one in places} == {tuple(np.round(one, 3) + 0.0) for one in wanted}


def without_any_spacing(dataset: Dataset) -> None:
    by_thickness(dataset)
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness


def by_another_thickness(dataset: Dataset) -> None:
    by_thickness(dataset)
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness = "1.3"


def turned(dataset: Dataset) -> None:
    for_each_frame(dataset)
    item = Dataset()
    item.ImageOrientationPatient = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
    dataset.PerFrameFunctionalGroupsSequence[1].PlaneOrientationSequence = [item]


def without_pixel_spacing(dataset: Dataset) -> None:
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence


@pytest.mark.parametrize(
    ("change", "attribute"),
    [
        (without_any_spacing, "SpacingBetweenSlices"),
        (by_another_thickness, "SpacingBetweenSlices"),
        (turned, "ImageOrientationPatient"),
        (without_pixel_spacing, "PixelSpacing"),
    ],
)
def test_what_is_not_said_or_is_no_stack_is_refused_by_name(
    change: Callable[[Dataset], None], attribute: str, tmp_path: Path
) -> None:
    with pytest.raises(FormatError) as caught:
        changed(a_case(), tmp_path, change)
    assert caught.value.attribute == attribute
