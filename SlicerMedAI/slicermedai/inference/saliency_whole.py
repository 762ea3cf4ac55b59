"""Whether the maps of windows add up: the same map with one window over all, on a piece of the image around the target.

Networks whose layers take their statistics from what they see (instance norm) answer a window by itself otherwise than
as a part of more; their maps of windows are then no map of the whole.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from slicermedai.inference.again import Answered
from slicermedai.inference.collect import Collector
from slicermedai.inference.windows import Triple

_WINDOWS = 2
"""How many windows the piece is wide along each axis, at most."""
Box = tuple[slice, slice, slice]


def around(answered: Answered, mask: NDArray[np.bool_]) -> Answered:
    """What a sweep would have left of a piece of the image around ``mask``, two windows wide where there is as much."""
    box = _box(mask, answered.plan.roi)
    made = Collector(shape=_shape(box), wanted=answered.found.wanted)
    made.classes, made.outputs = answered.found.classes, answered.found.outputs
    made.labels = answered.found.labels[box]
    channels = answered.found.channels
    made.channels = None if channels is None else channels[(slice(None), *box)]
    start, stop = ([part.start for part in box], [part.stop for part in box])
    grid = answered.grid.cropped((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    return replace(answered, image=answered.image[(slice(None), *box)].contiguous(), grid=grid, found=made)


def at_once(answered: Answered) -> Answered:
    """The same with one window over all of it, of a size that the network can halve as often as its own window.

    A network of two dimensions goes on to see slice after slice.
    """
    roi = answered.plan.roi
    sizes = [n if n <= r else -(-n // (r & -r)) * (r & -r) for n, r in zip(answered.grid.shape, roi, strict=True)]
    wide = [max(r, n) for r, n in zip(roi, sizes, strict=True)]
    if answered.across is not None:
        wide[answered.across] = roi[answered.across]
    plan = replace(answered.plan, roi=(wide[0], wide[1], wide[2]), mode="constant", overlap=(0.0,) * 3, even=False)
    return replace(answered, plan=replace(plan, half=False, chosen=None))


def _box(mask: NDArray[np.bool_], roi: Triple) -> Box:
    found = []
    for axis, (size, window) in enumerate(zip(mask.shape, roi, strict=True)):
        there = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        wide = min(size, _WINDOWS * window)
        start = min(max(0, (int(there[0]) + int(there[-1]) + 1 - wide) // 2), size - wide)
        found.append(slice(start, start + wide))
    return found[0], found[1], found[2]


def _shape(box: Box) -> Triple:
    a, b, c = (part.stop - part.start for part in box)
    return a, b, c
