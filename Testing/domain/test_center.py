"""A place inside a finding, the same one however it was found."""

from __future__ import annotations

import numpy as np
import pytest

from slicermedai.domain.center import finding_center
from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.volume import LabelMap
from slicermedai.errors import InputError
from slicermedai.measure.structure import boxes_of
from Testing.export.cases import LESION
from Testing.fixtures.grids import AXIAL, grid, rotated

GRID = rotated(grid(AXIAL, shape=(7, 9, 11), spacing=(2.5, 0.7, 0.9)), (20.0, -10.0, 5.0))


def of(region: Mask | PackedMask) -> Finding:
    return Finding(tracking_uid="2.25.1", label=LESION, region=region)


def test_packed_shared_and_bounded_masks_have_one_middle_which_lies_inside() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        array = np.zeros(GRID.shape, np.uint8)
        start = [int(rng.integers(0, n - 2)) for n in GRID.shape]
        array[start[0] : start[0] + 3, start[1] : start[1] + 4, start[2] : start[2] + 5] = 2
        array[rng.random(GRID.shape) < 0.5] = 0
        if not (array == 2).any():
            continue
        shared = LabelMap(array=array, geometry=GRID)
        center = finding_center(of(Mask(label_map=shared, value=2)))
        bounded = finding_center(of(Mask(label_map=shared, value=2)), within=boxes_of(shared)[2])
        packed = finding_center(of(PackedMask.from_array(array == 2, GRID)))
        assert np.array_equal(center, bounded) and np.array_equal(center, packed)
        assert array[tuple(np.rint(GRID.to_index(center)).astype(int))] == 2


def test_an_empty_packed_mask_has_none() -> None:
    with pytest.raises(InputError, match="empty"):
        finding_center(of(PackedMask.from_array(np.zeros(GRID.shape, bool), GRID)))
