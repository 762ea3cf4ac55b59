"""Structures as closed surfaces in millimetres, for printing and for other programs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import FloatArray
from slicermedai.domain.plan import PlanStructure
from slicermedai.domain.words import Words
from slicermedai.measure.surface import triangles
from slicermedai.plan.border import window_of

_SMOOTHING = 12
_SHRINK, _GROW = 0.5, -0.53


class Space(Words):
    """Which way the axes of a file run: x to the patient's left (L) or right (R), y to posterior or anterior, z up."""

    LPS = "LPS"
    RAS = "RAS"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """A closed surface: ``vertices`` (N, 3) mm in ``space``, ``faces`` (M, 3) counter-clockwise from outside."""

    name: str
    vertices: FloatArray
    faces: NDArray[np.int64]
    color: tuple[int, int, int] = (200, 200, 200)
    space: Space = Space.LPS

    @property
    def ml(self) -> float:
        """What it encloses, by the divergence theorem; negative where it is inside out."""
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        return float((np.cross(a, b) * c).sum() / 6000)

    def turned_to(self, space: Space) -> Surface:
        """The same surface in ``space``; LPS and RAS are half a turn apart, so that no side is swapped."""
        if space is self.space:
            return self
        vertices = self.vertices * (-1.0, -1.0, 1.0)
        return Surface(name=self.name, vertices=vertices, faces=self.faces, color=self.color, space=space)


def surface_of(one: PlanStructure, *, smoothing: int = _SMOOTHING) -> Surface:
    """The surface of a structure that is not empty, LPS mm.

    Marching cubes at half the edge voxels, then ``smoothing`` rounds of Taubin's filter (SIGGRAPH 1995), which takes
    the steps of the voxels off and keeps the volume; 0 leaves the steps. No number of the plan is measured on it.
    """
    return region_surface(one.region, name=one.name, color=one.label.color, smoothing=smoothing)


def region_surface(
    region: Mask | PackedMask,
    *,
    name: str,
    color: tuple[int, int, int] = (200, 200, 200),
    smoothing: int = _SMOOTHING,
) -> Surface:
    """As :func:`surface_of`, of any region that is not empty."""
    mask, grid = region.to_array(), region.geometry
    window = window_of(mask)
    corners = triangles(mask[window.slices]).reshape(-1, 3) + window.start
    index, faces = np.unique(np.round(corners, 5), axis=0, return_inverse=True)
    faces = faces.reshape(-1, 3)
    if np.linalg.det(grid.affine[:3, :3]) < 0:
        faces = faces[:, ::-1]
    vertices = _smoothed(grid.to_lps(index), faces, smoothing)
    return Surface(name=name, vertices=vertices, faces=np.asarray(faces, dtype=np.int64), color=color)


def _smoothed(vertices: FloatArray, faces: NDArray[np.int64], rounds: int) -> FloatArray:
    """Each vertex towards the mean of its neighbours, and a little further back (Taubin 1995)."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    size = len(vertices)
    ones = np.ones(len(pairs))
    touching = sparse.csr_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    touching = ((touching + touching.T) > 0).astype(np.float64)
    mean = sparse.diags(1 / np.maximum(np.asarray(touching.sum(axis=1)).ravel(), 1)) @ touching
    for _ in range(rounds):
        for step in (_SHRINK, _GROW):
            vertices = vertices + step * (mean @ vertices - vertices)
    return vertices
