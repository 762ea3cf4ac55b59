"""From a network's outputs to margins, and the region around a prediction in which they are judged."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from slicermedai.confidence.sketch import CHUNK, MarginSketch
from slicermedai.errors import InputError

REGION_MM = 10.0
"""How far around a prediction its margins are judged. Far from it all is easy background, and says nothing."""

Array = NDArray[Any]
Box = tuple[slice, ...]


def margins_of_logits(logits: Array, value: int) -> Array:
    """Log-odds of class ``value`` against all others: ``z_v - logsumexp(z_others)``.

    ``logits`` is (classes, ...), two classes at least; the answer has the shape of one class, in float64.
    """
    if not 0 <= value < len(logits) or len(logits) < 2:
        raise InputError("the logits have no such class, or only one", attribute="value")
    others = np.delete(np.asarray(logits, dtype=np.float64), value, axis=0)
    top = others.max(axis=0)
    return np.asarray(logits[value] - (top + np.log(np.exp(others - top).sum(axis=0))))


def margins_of_probabilities(probabilities: Array) -> Array:
    """Log-odds ``log(p) - log(1 - p)`` in float64, cut where the probabilities' own type cannot tell them apart.

    A float32 probability is 1 from a margin of 17.3 on, a float16 one from 8.3 on: to call that infinite would make a
    sure network seem surer than it is.
    """
    given = np.asarray(probabilities)
    p = given.astype(np.float64)
    if p.size and not (p.min() >= 0 and p.max() <= 1):
        raise InputError("a probability lies between 0 and 1", attribute="probabilities")
    kind = given.dtype if given.dtype.kind == "f" else np.dtype(np.float64)
    limit = math.log(4 / float(np.finfo(kind).eps))
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(np.log(p) - np.log1p(-p), -limit, limit))


def region_around(mask: NDArray[np.bool_], spacing: Iterable[float], radius: float = REGION_MM) -> NDArray[np.bool_]:
    """All voxels within ``radius`` mm of a voxel of ``mask``, the mask included; (slices, rows, columns) bool.

    The mask is a prediction, never a reference: what is judged must be known where there is no reference. Distances
    are along the axes with ``spacing`` in mm, in the mask's bounding box alone.
    """
    steps = tuple(float(step) for step in spacing)
    region = np.zeros(mask.shape, dtype=bool)
    box = box_around(mask, tuple(math.ceil(radius / step) for step in steps))
    if box is not None:
        region[box] = distance_transform_edt(~mask[box], sampling=steps) <= radius
    return region


def box_around(mask: NDArray[np.bool_], margin: tuple[int, ...] = (0, 0, 0)) -> Box | None:
    """The bounding box of ``mask`` widened by ``margin`` voxels inside the array; None where it is empty."""
    if not mask.any():
        return None
    box = []
    for axis, wide in enumerate(margin):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        box.append(slice(max(0, int(hit[0]) - wide), int(hit[-1]) + 1 + wide))
    return tuple(box)


def sketch_of_logits(
    logits: Array, reference: NDArray[np.bool_], region: NDArray[np.bool_], *, value: int
) -> MarginSketch:
    """The sketch of class ``value`` in ``region``: logits (classes, slices, rows, columns), bool reference and region.

    Works through the volume in pieces of 2^18 voxels, so that its memory does not grow with it.
    """
    flat, truth, wanted = logits.reshape(len(logits), -1), reference.reshape(-1), region.reshape(-1)
    sketch = MarginSketch()
    for start in range(0, wanted.size, CHUNK):
        piece = slice(start, start + CHUNK)
        chosen = wanted[piece]
        if chosen.any():
            sketch.add(margins_of_logits(flat[:, piece][:, chosen], value), truth[piece][chosen])
    return sketch


def sketch_of_probabilities(
    probabilities: Array, reference: NDArray[np.bool_], region: NDArray[np.bool_]
) -> MarginSketch:
    """As :func:`sketch_of_logits` from one class's probabilities, (slices, rows, columns).

    Half-precision probabilities cannot tell margins above 7.6 apart: logits are to be preferred where they are there.
    """
    flat, truth, wanted = probabilities.reshape(-1), reference.reshape(-1), region.reshape(-1)
    sketch = MarginSketch()
    for start in range(0, wanted.size, CHUNK):
        piece = slice(start, start + CHUNK)
        chosen = wanted[piece]
        sketch.add(margins_of_probabilities(flat[piece][chosen]), truth[piece][chosen])
    return sketch
