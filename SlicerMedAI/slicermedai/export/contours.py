"""The outlines of a mask in one image plane, as closed polygons along the edges of its pixels.

A polygon encloses exactly the area of its pixels: its area is their number, and whoever fills it and asks at the pixel
centres gets the mask back. A hole is joined to its outline by a channel of no width (the keyhole of PS3.3 C.8.8.6.3),
so that readers need no rule for polygons inside polygons. Pixels that touch at a corner alone are apart.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Corner = tuple[float, float]
_Loop = list[Corner]
_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # right, down, left, up: each is a turn to the right of the one before


def outlines(plane: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Polygons of ``plane`` (rows, columns), each N x 2 (row, column) in pixels, centres at whole numbers.

    The last corner is joined to the first one and is not repeated.
    """
    labels, count = ndimage.label(plane)
    boxes = ndimage.find_objects(labels, max_label=count)
    return [_outline(labels[box] == number, box) for number, box in enumerate(boxes, 1) if box is not None]


def _outline(piece: NDArray[np.bool_], box: tuple[slice, slice]) -> NDArray[np.float64]:
    """The one polygon of a piece that hangs together; holes are joined from the top one down."""
    loops = sorted(_loops(piece), key=lambda loop: min(loop))
    polygon = loops[0]
    for hole in loops[1:]:
        polygon = _joined(polygon, hole)
    corner = np.array([box[0].start, box[1].start], dtype=np.float64) - 0.5
    return np.asarray(np.array(polygon, dtype=np.float64) + corner)


def _loops(piece: NDArray[np.bool_]) -> Iterator[_Loop]:
    """Closed walks along the pixel edges with the piece on the right, as the corners where they turn.

    Corner (r, c) is the upper left one of pixel (r, c).
    """
    edges = _edges(piece)
    while edges:
        corner = next(iter(edges))
        direction = edges[corner][0]
        loop: _Loop = []
        while corner in edges:
            direction = _leave(edges, corner, direction, loop)
            corner = (corner[0] + _STEPS[direction][0], corner[1] + _STEPS[direction][1])
        yield _without_straight(loop)


def _edges(piece: NDArray[np.bool_]) -> dict[tuple[int, int], list[int]]:
    """From each corner the directions in which an edge of the piece leaves it."""
    padded = np.pad(piece, 1)
    inner = padded[1:-1, 1:-1]
    sides = (
        (inner & ~padded[:-2, 1:-1], (0, 0)),  # the upper edge runs to the right
        (inner & ~padded[1:-1, 2:], (0, 1)),  # the right one down
        (inner & ~padded[2:, 1:-1], (1, 1)),  # the lower one to the left
        (inner & ~padded[1:-1, :-2], (1, 0)),  # the left one up
    )
    edges: dict[tuple[int, int], list[int]] = {}
    for direction, (found, start) in enumerate(sides):
        for row, column in (np.argwhere(found) + start).tolist():
            edges.setdefault((row, column), []).append(direction)
    return edges


def _leave(edges: dict[tuple[int, int], list[int]], corner: tuple[int, int], came: int, loop: _Loop) -> int:
    """Take an edge away from ``corner``; where two leave it, the one to the right, which stays with the pixel."""
    choices = edges[corner]
    right = (came + 1) % 4
    direction = right if right in choices else choices[0]
    choices.remove(direction)
    if not choices:
        del edges[corner]
    loop.append(corner)
    return direction


def _without_straight(loop: _Loop) -> _Loop:
    """The corners where the walk turns."""
    points = np.array(loop)
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return [(int(r), int(c)) for r, c in points[(before != after).any(axis=1)]]


def _joined(polygon: _Loop, hole: _Loop) -> _Loop:
    """``polygon`` with ``hole`` on a channel straight up, a quarter of a pixel off the centres."""
    top, column = min(hole)
    place = column + 0.25
    start = next(n for n in range(len(hole)) if _spans(hole, n, place) and hole[n][0] == top)
    above = [n for n in range(len(polygon)) if _spans(polygon, n, place) and polygon[n][0] < top]
    end = max(above, key=lambda n: polygon[n][0])
    on_hole, on_polygon = (float(top), place), (polygon[end][0], place)
    way = [*hole[start + 1 :], *hole[: start + 1]]
    return [*polygon[: end + 1], on_polygon, on_hole, *way, on_hole, on_polygon, *polygon[end + 1 :]]


def _spans(loop: _Loop, number: int, column: float) -> bool:
    """True where the side from corner ``number`` to the next one lies across ``column``."""
    first, second = loop[number], loop[(number + 1) % len(loop)]
    return first[0] == second[0] and min(first[1], second[1]) < column < max(first[1], second[1])
