"""The closed surface of a region at half its edge voxels, as marching cubes draws it: its area, and what it encloses.

Lorensen and Cline, "Marching cubes", SIGGRAPH 1987; IBSI reference manual 3.1.1 (mesh-based morphology). What a cell of
2 x 2 x 2 voxel centres adds to area and volume depends on which of its corners are inside alone, so cells are counted
by kind (256 of them) and no mesh is ever stored: exact, 10 bytes a voxel of one slab at a time, and sheared grids cost
nothing, for only the triangles of the 256 kinds are taken to millimetres. The loops on the faces of a cell always cut
off the inside corners, on both sides of a face alike, so the surface has no holes; a loop is filled from its middle,
so that no axis is favoured. Steps stay steps: a ball comes out 8 % too large on even voxels, 19 % on 3 x 0.8 x 0.6 mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_CORNERS = np.array(list(product((0, 1), repeat=3)), dtype=np.float64)  # corner 4 s + 2 r + c at (s, r, c)
_SLAB = 1 << 20  # cells counted at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cells:
    """For all kinds of cell: triangles (N, 3, 3) in index space, the kind of each (N), enclosed parts (256)."""

    triangles: FloatArray
    kinds: NDArray[np.intp]
    volumes: FloatArray


def cells_of(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many cells of each of the 256 kinds ``mask`` (slices, rows, columns) has; beyond its edge all is outside.

    The bit 4 s + 2 r + c of a kind says that the corner (s, r, c) is inside.
    """
    counts = np.zeros(256, dtype=np.int64)
    rows, columns = mask.shape[1] + 1, mask.shape[2] + 1
    step = max(1, _SLAB // (rows * columns))
    for first in range(-1, mask.shape[0], step):
        last = min(first + step, mask.shape[0])
        slab = np.zeros((last - first + 1, rows + 1, columns + 1), dtype=np.uint8)
        inside = mask[max(first, 0) : last + 1]
        begin = max(first, 0) - first
        slab[begin : begin + len(inside), 1:-1, 1:-1] = inside
        counts += np.bincount(_kinds(slab).ravel(), minlength=256)
    return counts


def area(cells: NDArray[np.int64], axes: FloatArray) -> float:
    """mm^2 of the surface; ``axes`` is the 3 x 3 matrix of the (slice, row, column) steps in mm as columns."""
    table = _cells()
    edges = (table.triangles[:, 1:] - table.triangles[:, :1]) @ axes.T
    areas = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1) / 2
    return float(np.bincount(table.kinds, weights=areas, minlength=256) @ cells)


def enclosed(cells: NDArray[np.int64], axes: FloatArray) -> float:
    """mm^3 inside the surface; ``axes`` as in :func:`area`."""
    return float(_cells().volumes @ cells) * abs(float(np.linalg.det(axes)))


def triangles(mask: NDArray[np.bool_]) -> FloatArray:
    """(N, 3, 3): the surface of ``mask`` as triangles of fractional (slice, row, column) corners, closed.

    Counter-clockwise from outside as (slice, row, column) axes are drawn right-handed. For one structure at a time:
    unlike the counts of :func:`cells_of` this holds every triangle.
    """
    table, kinds = _cells(), _kinds(np.pad(mask, 1).astype(np.uint8))
    made = [np.empty((0, 3, 3))]
    for kind in np.unique(kinds[(kinds > 0) & (kinds < 255)]):
        cells = np.argwhere(kinds == kind) - 1
        made.append((cells[:, None, None] + table.triangles[table.kinds == kind]).reshape(-1, 3, 3))
    return np.concatenate(made)


def _kinds(padded: NDArray[np.uint8]) -> NDArray[np.uint8]:
    lines = padded[:, :, :-1] | (padded[:, :, 1:] << 1)
    squares = lines[:, :-1] | (lines[:, 1:] << 2)
    return np.asarray(squares[:-1] | (squares[1:] << 4))


@lru_cache(maxsize=1)
def _cells() -> _Cells:
    triangles, kinds = [], []
    for kind in range(256):
        for loop in _loops(kind):
            middle = loop.mean(axis=0)
            triangles += [(middle, a, b) for a, b in zip(loop, np.roll(loop, -1, axis=0), strict=True)]
            kinds += [kind] * len(loop)
    made, owners = np.array(triangles), np.array(kinds)
    return _Cells(triangles=made, kinds=owners, volumes=_volumes(made, owners))


def _loops(kind: int) -> list[FloatArray]:
    """Closed lines around the inside corners, each (N, 3): midpoints of edges, counter-clockwise from outside."""
    following = {}
    for face in _faces():
        for enter, leave in _runs(face, kind):
            following[enter] = leave
    loops = []
    while following:
        edge, _ = next(iter(following.items()))
        loop = []
        while edge in following:
            loop.append(_CORNERS[list(edge)].mean(axis=0))
            edge = following.pop(edge)
        loops.append(np.array(loop))
    return loops


def _faces() -> list[tuple[int, ...]]:
    """The corners of the six faces, counter-clockwise as seen from outside."""
    faces = []
    for axis, side in product(range(3), (0, 1)):
        across, up = np.roll(np.eye(3), -axis, axis=0)[1:]
        start = side * np.eye(3)[axis]
        ring = [start, start + across, start + across + up, start + up]
        numbers = tuple(int(corner @ (4, 2, 1)) for corner in ring)
        faces.append(numbers if side else numbers[::-1])
    return faces


def _runs(face: tuple[int, ...], kind: int) -> list[tuple[frozenset[int], frozenset[int]]]:
    """For every run of inside corners around ``face``: the edges by which the ring enters and leaves it."""
    inside = [bool(kind >> corner & 1) for corner in face]
    runs = []
    for start in range(4):
        if inside[start] and not inside[start - 1]:
            end = next(n for n in range(start, start + 4) if not inside[(n + 1) % 4])
            enter = frozenset((face[start - 1], face[start]))
            runs.append((enter, frozenset((face[end % 4], face[(end + 1) % 4]))))
    return runs


def _volumes(triangles: FloatArray, kinds: NDArray[np.intp]) -> FloatArray:
    """The inside part of each kind of cell, 0 to 1, by the divergence theorem with the field (slice, 0, 0).

    Of the walls of the cell only that at slice 1 has a share: what marching squares encloses there.
    """
    edges = triangles[:, 1:] - triangles[:, :1]
    flux = np.cross(edges[:, 0], edges[:, 1])[:, 0] / 2 * triangles[:, :, 0].mean(axis=1)
    wall = [_square([bool(kind >> corner & 1) for corner in (4, 5, 7, 6)]) for kind in range(256)]
    return np.asarray(np.bincount(kinds, weights=flux, minlength=256) + np.array(wall))


def _square(ring: list[bool]) -> float:
    """The part of a square inside midpoint lines that cut off each run of inside corners."""
    if sum(ring) == 2:
        return 0.25 if ring[0] == ring[2] else 0.5
    return (0.0, 0.125, 0.0, 0.875, 1.0)[sum(ring)]
