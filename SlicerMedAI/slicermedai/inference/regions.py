"""Clean-up of masks: the largest component, holes filled. Each works inside the mask's bounding box alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BoolArray = NDArray[np.bool_]
_CORNERS = np.ones((3, 3, 3), dtype=bool)


def largest_component(mask: BoolArray) -> BoolArray:
    """The largest 26-connected component of a (slices, rows, columns) mask; an empty mask stays empty."""
    out = np.zeros_like(mask)
    box = bounding_box(mask)
    if box is None:
        return out
    labels, count = ndimage.label(mask[box], structure=_CORNERS)
    if count == 1:
        return mask.copy()
    out[box] = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    return out


def holes_filled(mask: BoolArray) -> BoolArray:
    """The mask with every background region filled that no 6-connected path joins to the outside."""
    box = bounding_box(mask)
    if box is None:
        return mask.copy()
    outside, count = ndimage.label(np.pad(~mask[box], 1, constant_values=True))
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
