"""Rectangles filled with what is around them; nothing outside of them is touched."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from slicermedai.deid.pixels.kinds import Edit, TextBox

RING = 2
"""Pixels around a box that say what it is filled with."""


def fill(frame: NDArray[np.generic], boxes: Iterable[TextBox]) -> None:
    """Fill ``boxes`` of one frame in place: (rows, columns) or (rows, columns, samples) of stored values.

    Each box takes one value: the one in the middle of those in the ring of 2 pixels around it, channel by channel,
    so that it exists in the image (which a palette needs too).
    """
    for box in sorted(boxes, key=lambda one: -(one.x1 - one.x0) * (one.y1 - one.y0)):
        frame[box.area] = _around(frame, box)


def fill_all(boxes: tuple[TextBox, ...]) -> Edit:
    """The edit that fills ``boxes`` on every frame."""

    def edit(frame: NDArray[np.generic], number: int) -> None:
        fill(frame, boxes)

    return edit


def _around(frame: NDArray[np.generic], box: TextBox) -> NDArray[np.generic]:
    top, left = max(box.y0 - RING, 0), max(box.x0 - RING, 0)
    around = frame[top : box.y1 + RING, left : box.x1 + RING]
    ring = np.ones(around.shape[:2], dtype=bool)
    ring[box.y0 - top : box.y1 - top, box.x0 - left : box.x1 - left] = False
    values = around[ring] if ring.any() else around.reshape(-1, *around.shape[2:])
    ordered = np.sort(values, axis=0)
    return np.asarray(ordered[(len(ordered) - 1) // 2])
