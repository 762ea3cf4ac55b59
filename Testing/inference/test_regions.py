"""The largest component and filled holes, on shapes that can be counted."""

from __future__ import annotations

import numpy as np

from slicermedai.inference.regions import bounding_box, holes_filled, largest_component


def test_the_largest_component_alone_stays() -> None:
    mask = np.zeros((20, 20, 20), dtype=bool)
    mask[2:5, 2:5, 2:5] = True
    mask[8:15, 8:15, 8:15] = True
    found = largest_component(mask)
    assert found.sum() == 7**3
    assert not found[3, 3, 3]


def test_voxels_that_touch_at_a_corner_belong_together() -> None:
    mask = np.zeros((4, 4, 4), dtype=bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 2, 2] = True
    assert largest_component(mask).sum() == 3


def test_a_closed_hole_is_filled_and_an_open_one_is_not() -> None:
    mask = np.ones((9, 9, 9), dtype=bool)
    mask[4, 4, 4] = False
    assert holes_filled(mask).all()
    mask[4:, 4, 4] = False
    assert holes_filled(mask).sum() == 9**3 - 5


def test_a_hole_open_only_at_an_edge_is_closed() -> None:
    mask = np.ones((5, 5, 5), dtype=bool)
    mask[2, 2, 2] = mask[1, 1, 2] = mask[0, 0, 2] = False
    assert holes_filled(mask)[2, 2, 2]
    assert not holes_filled(mask)[0, 0, 2]


def test_nothing_stays_nothing() -> None:
    empty = np.zeros((5, 6, 7), dtype=bool)
    assert bounding_box(empty) is None
    assert not largest_component(empty).any()
    assert not holes_filled(empty).any()


def test_the_input_is_left_alone() -> None:
    mask = np.ones((5, 5, 5), dtype=bool)
    mask[2, 2, 2] = False
    holes_filled(mask)
    assert not mask[2, 2, 2]
