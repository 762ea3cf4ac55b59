"""Where the border of a mask runs, finer than its voxels: points on it in LPS mm, on any grid.

Between the centres of voxels the border is where the signed distance to the other side is zero, interpolated
(shape-based interpolation: Raya and Udupa, IEEE Trans Med Imaging 1990;9:32-42; distances by the exact transform with
the physical spacing). Half a voxel of smoothing takes the steps off, whose tips would make all distances too short. It
is sampled on a finer grid with equal steps, so that thick slices do not leave gaps between the points.

No voxel changes its side by that. What is one voxel thick along an axis has its border on the faces of its voxels
there, for no distance inside tells how far it reaches; so has what the finer grid would miss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from slicermedai.domain.geometry import FloatArray, Geometry

_CELLS = 600_000
_FINEST = 0.4
_SMOOTHING = 0.5  # voxels
_KEPT = 0.5  # of its distance at least, whatever the smoothing does to a voxel


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A box of indices, ``start`` to ``stop`` (excluded); it may reach beyond its grid, where nothing is inside."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        first, second, third = (b - a for a, b in zip(self.start, self.stop, strict=True))
        return first, second, third

    def grown(self, by: tuple[int, int, int]) -> Window:
        """Larger by so many voxels on each side."""
        return Window(
            start=(self.start[0] - by[0], self.start[1] - by[1], self.start[2] - by[2]),
            stop=(self.stop[0] + by[0], self.stop[1] + by[1], self.stop[2] + by[2]),
        )

    def within(self, shape: tuple[int, int, int]) -> Window:
        """The part of it that lies in an array of ``shape``."""
        start = [min(max(a, 0), n) for a, n in zip(self.start, shape, strict=True)]
        stop = [max(min(b, n), a) for b, a, n in zip(self.stop, start, shape, strict=True)]
        return Window(start=(start[0], start[1], start[2]), stop=(stop[0], stop[1], stop[2]))

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """To index an array with, where it lies within it."""
        first, second, third = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return first, second, third

    def of(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The part of ``mask`` (slices, rows, columns); False beyond its edge."""
        inner = self.within(mask.shape)
        room = [(a - s, t - b) for s, a, b, t in zip(self.start, inner.start, inner.stop, self.stop, strict=True)]
        return np.pad(mask[inner.slices], room)


def window_of(mask: NDArray[np.bool_]) -> Window:
    """The bounding box of a mask that is not empty."""
    hits = [np.flatnonzero(mask.any(axis=tuple(b for b in range(3) if b != axis))) for axis in range(3)]
    return around(np.array([[hit[0], hit[-1]] for hit in hits]).T)


def reaches_edge(mask: NDArray[np.bool_]) -> bool:
    """True where a mask (slices, rows, columns) has a voxel on the last plane of its array, on any side."""
    return any(bool(np.moveaxis(mask, axis, 0)[end].any()) for axis in range(3) for end in (0, -1))


def around(indices: NDArray[np.intp]) -> Window:
    """The bounding box of (N, 3) whole indices."""
    low, high = indices.min(axis=0), indices.max(axis=0) + 1
    return Window(start=(int(low[0]), int(low[1]), int(low[2])), stop=(int(high[0]), int(high[1]), int(high[2])))


def signed(inside: NDArray[np.bool_], geometry: Geometry) -> NDArray[np.float32]:
    """For each voxel mm to the nearest voxel centre of the other side, negative inside, smoothed; zero lies between.

    Each voxel keeps its sign: what is small does not vanish in what surrounds it.
    """
    spacing = geometry.spacing
    away = ndimage.distance_transform_edt(~inside, sampling=spacing)
    away -= ndimage.distance_transform_edt(inside, sampling=spacing)
    smooth = ndimage.gaussian_filter(away.astype(np.float32), _SMOOTHING)
    least = _KEPT * away
    return np.asarray(np.where(inside, np.minimum(smooth, least), np.maximum(smooth, least)), dtype=np.float32)


def border_points(mask: NDArray[np.bool_], geometry: Geometry, window: Window | None = None) -> FloatArray:
    """(N, 3) LPS mm on the border of ``mask`` (slices, rows, columns), in ``window`` or all of it.

    Steps between them are half the finest spacing (0.4 mm at least), or as fine as 600,000 cells of the window
    allow. On the phantoms of the tests they lie within a quarter of the mean spacing of the true border, on average.
    """
    box = (window_of(mask) if window is None else window).grown((2, 2, 2))
    inside = box.of(mask)
    if inside.all() or not inside.any():
        return np.empty((0, 3))
    grid = geometry.cropped(box.start, box.stop)
    fine = _fine(grid)
    field = _sampled(signed(inside, grid), grid, fine)
    found = np.concatenate([_crossings(field, fine, axis) for axis in range(3)])
    faces = np.concatenate([_thin_faces(inside, axis) for axis in range(3)] + [_missed_faces(inside, grid, found)])
    return np.concatenate([found, grid.to_lps(faces)])


def _thin_faces(inside: NDArray[np.bool_], axis: int) -> FloatArray:
    """(N, 3) indices: the middles of both faces along ``axis`` of voxels that have neighbours on neither side of it."""
    along = np.moveaxis(inside, axis, 0)
    thin = np.zeros_like(inside)
    np.moveaxis(thin, axis, 0)[1:-1] = along[1:-1] & ~along[:-2] & ~along[2:]
    return _faces(thin, axis, (-0.5, 0.5))


def _missed_faces(inside: NDArray[np.bool_], grid: Geometry, found: FloatArray) -> FloatArray:
    """(N, 3) indices: the middles of outer faces of voxels that are farther than a voxel from all that was found."""
    edge = inside & ~ndimage.binary_erosion(inside, border_value=1)
    index = np.argwhere(edge)
    if len(found):
        away = cKDTree(found).query(grid.to_lps(index), distance_upper_bound=float(np.linalg.norm(grid.spacing)))[0]
        index = index[np.isinf(away)]
    missed = np.zeros_like(inside)
    missed[tuple(index.T)] = True
    sides = [(axis, side) for axis in range(3) for side in (-1, 1)]
    return np.concatenate([_faces(missed & ~np.roll(inside, -side, axis), axis, (side / 2,)) for axis, side in sides])


def _faces(mask: NDArray[np.bool_], axis: int, steps: tuple[float, ...]) -> FloatArray:
    """(N, 3) indices that lie ``steps`` along ``axis`` from the voxels of ``mask``."""
    index = np.argwhere(mask).astype(np.float64)
    return np.concatenate([index + step * np.eye(3)[axis] for step in steps])


def _fine(grid: Geometry) -> Geometry:
    """Right-angled, with equal steps, over the voxel centres of ``grid``; its axes are those of the image planes."""
    across = grid.directions[:, 1]
    along = grid.directions[:, 2] - across * float(across @ grid.directions[:, 2])
    along /= np.linalg.norm(along)
    axes = np.stack([np.cross(across, along), across, along], axis=1)
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T
    places = grid.to_lps(ends) @ axes
    low, size = places.min(axis=0), np.ptp(places, axis=0)
    step = max(_FINEST, float(grid.spacing.min()) / 2, float(np.prod(size + 1e-9) / _CELLS) ** (1 / 3))
    shape = np.maximum(np.ceil(size / step).astype(int) + 1, 2)
    return Geometry.from_axes(
        (int(shape[0]), int(shape[1]), int(shape[2])), origin=axes @ low, spacing=(step,) * 3, directions=axes
    )


def _sampled(field: NDArray[np.float32], grid: Geometry, fine: Geometry) -> NDArray[np.float32]:
    """``field`` on ``fine``, interpolated linearly; its edge goes on outside of it."""
    matrix = np.linalg.inv(grid.affine) @ fine.affine
    made = ndimage.affine_transform(
        field, matrix[:3, :3], offset=matrix[:3, 3], output_shape=fine.shape, order=1, mode="nearest"
    )
    return np.asarray(made, dtype=np.float32)


def _crossings(field: NDArray[np.float32], fine: Geometry, axis: int) -> FloatArray:
    """(N, 3) LPS mm where ``field`` changes its sign between neighbours along ``axis``."""
    lower = field[tuple(slice(None, -1) if one == axis else slice(None) for one in range(3))]
    upper = field[tuple(slice(1, None) if one == axis else slice(None) for one in range(3))]
    found = np.nonzero((lower <= 0) != (upper <= 0))
    index = np.stack(found, axis=1).astype(np.float64)
    index[:, axis] += lower[found] / (lower[found] - upper[found])
    return fine.to_lps(index)
