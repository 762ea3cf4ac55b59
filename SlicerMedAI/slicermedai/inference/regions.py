"""Clean-up of masks: the largest component, holes filled. Each works inside the mask's bounding box alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BoolArray = NDArray[np.bool_]


def largest_component(mask: BoolArray, *, count: int = 1, connectivity: int = 3) -> BoolArray:
    """The ``count`` largest components of a (slices, rows, columns) mask; an empty mask stays empty.

    ``connectivity`` is 1 for neighbours by faces, 2 by edges too, 3 by corners too.
    """
    out = np.zeros_like(mask)
    box = bounding_box(mask)
    if box is None:
        return out
    labels, found = ndimage.label(mask[box], structure=ndimage.generate_binary_structure(3, connectivity))
    if found <= count:
        return mask.copy()
    largest = np.argsort(-np.bincount(labels.ravel())[1:], kind="stable")[:count] + 1
    out[box] = np.isin(labels, largest)
    return out


def holes_filled(mask: BoolArray, *, connectivity: int = 1) -> BoolArray:
    """The mask with every background region filled that no path joins to the outside.

    A path goes from voxel to voxel by faces (``connectivity`` 1), by edges too (2), or by corners too (3).
    """
    box = bounding_box(mask)
    if box is None:
        return mask.copy()
    structure = ndimage.generate_binary_structure(3, connectivity)
    outside, count = ndimage.label(np.pad(~mask[box], 1, constant_values=True), structure=structure)
    out = mask.copy()
    if count > 1:
        out[box] = (outside != outside[0, 0, 0])[1:-1, 1:-1, 1:-1]
    return out


def bounding_box(mask: NDArray[Any]) -> tuple[slice, slice, slice] | None:
    """The smallest box around the True voxels, or None where there are none."""
    spans = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        if not hit.size:
            return None
        spans.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return spans[0], spans[1], spans[2]
