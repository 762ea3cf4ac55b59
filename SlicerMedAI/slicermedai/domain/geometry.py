"""Where the voxels of an array lie in the patient: the one geometry type, in LPS millimetres.

Arrays are indexed ``[slice, row, column]``, as numpy and SimpleITK hand them out. The affine takes a homogeneous
index in that order to a point in the patient coordinate system of DICOM PS3.3 C.7.6.2.1.1: x to the patient's
left, y to posterior, z to superior (LPS), in millimetres, at voxel centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slicermedai.domain.words import Words
from slicermedai.errors import GeometryError

FloatArray = NDArray[np.float64]


class Space(Words):
    """What the numbers of a grid mean.

    A projection or a photograph has no place in the patient: x then runs to the right of the picture and y down, in mm
    of the plane that its header names (detector, film, or calibrated for an object), or in pixels where it names none.
    """

    PATIENT = "LPS mm in the patient"
    PLANE = "mm in the plane of the picture"
    PIXELS = "pixels of the picture"


_AXIS_NAMES = (("R", "L"), ("A", "P"), ("I", "S"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Geometry:
    """A regular grid in LPS space.

    Parameters
    ----------
    shape:
        (slices, rows, columns), each at least 1.
    affine:
        4 x 4, (slice, row, column, 1) -> (L, P, S, 1) in mm at voxel centres. Axes may be flipped, permuted,
        oblique or sheared (a tilted gantry); a singular matrix is refused.
    frame_of_reference_uid:
        DICOM Frame of Reference UID (0020,0052), or "" where the source has none.
    space:
        Where the grid lies: in the patient, or nowhere but in its picture.

    Raises
    ------
    GeometryError
        For a shape that is not three positive numbers, or an affine that is not finite and invertible.
    """

    shape: tuple[int, int, int]
    affine: FloatArray
    frame_of_reference_uid: str = ""
    space: Space = Space.PATIENT

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise GeometryError(f"a grid needs three positive sizes, not {shape}", attribute="shape")
        affine = np.array(self.affine, dtype=np.float64)
        _check_affine(affine)
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def from_ijk_lps(cls, shape: tuple[int, int, int], matrix: ArrayLike, **fields: Any) -> Geometry:
        """From a matrix whose columns are in (column, row, slice) order, as ITK, NIfTI and Slicer have it."""
        return cls(shape=shape, affine=np.asarray(matrix, dtype=np.float64)[:, [2, 1, 0, 3]], **fields)

    @classmethod
    def from_axes(
        cls,
        shape: tuple[int, int, int],
        *,
        origin: ArrayLike = (0.0, 0.0, 0.0),
        spacing: ArrayLike = (1.0, 1.0, 1.0),
        directions: ArrayLike | None = None,
        frame_of_reference_uid: str = "",
    ) -> Geometry:
        """From parts: origin in LPS mm, spacing in mm and unit direction columns, all in slice-row-column order.

        ``directions`` defaults to an axial, head-first stack: slices to superior, rows to posterior, columns to
        the patient's left.
        """
        columns = np.eye(3)[:, ::-1] if directions is None else np.asarray(directions, dtype=np.float64)
        affine = np.eye(4)
        affine[:3, :3] = columns * np.asarray(spacing, dtype=np.float64)
        affine[:3, 3] = np.asarray(origin, dtype=np.float64)
        return cls(shape=shape, affine=affine, frame_of_reference_uid=frame_of_reference_uid)

    # --- parts -------------------------------------------------------------------------------------------------

    @property
    def spacing(self) -> FloatArray:
        """(slice, row, column) distances between neighbouring voxel centres along each axis, mm."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0), dtype=np.float64)

    @property
    def directions(self) -> FloatArray:
        """3 x 3, unit LPS vectors of the (slice, row, column) axes as columns."""
        return np.asarray(self.affine[:3, :3] / self.spacing, dtype=np.float64)

    @property
    def origin(self) -> FloatArray:
        """LPS mm of the centre of voxel (0, 0, 0)."""
        return np.array(self.affine[:3, 3])

    @property
    def ijk_to_lps(self) -> FloatArray:
        """4 x 4, (column, row, slice, 1) -> LPS mm, the order that ITK, NIfTI and MRML use."""
        return np.array(self.affine[:, [2, 1, 0, 3]])

    @property
    def voxel_volume(self) -> float:
        """mm^3 of one voxel, right for sheared grids too."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def is_in_patient(self) -> bool:
        """False for the plane of a projection or photograph, in which nothing has a place in the patient."""
        return self.space is Space.PATIENT

    @property
    def is_orthogonal(self) -> bool:
        """True where the three axes stand at right angles within 1e-4 (cosine)."""
        gram = self.directions.T @ self.directions
        return bool(np.allclose(gram, np.eye(3), atol=1e-4))

    @property
    def is_right_handed(self) -> bool:
        """True where (column, row, slice) axes form a right-handed system, as DICOM image planes stack."""
        return bool(np.linalg.det(self.ijk_to_lps[:3, :3]) > 0)

    @property
    def axis_codes(self) -> tuple[str, str, str]:
        """For (slice, row, column): the letter of L/R, P/A, S/I that the axis runs towards, each once."""
        order = _closest_axes(self.directions)
        signs = [self.directions[world, axis] >= 0 for axis, world in enumerate(order)]
        first, second, third = (_AXIS_NAMES[w][int(s)] for w, s in zip(order, signs, strict=True))
        return first, second, third

    @property
    def corners(self) -> FloatArray:
        """8 x 3 LPS mm: the outer corners of the corner voxels."""
        ends = [(-0.5, n - 0.5) for n in self.shape]
        return self.to_lps(np.array(list(product(*ends))))

    # --- points ------------------------------------------------------------------------------------------------

    @property
    def in_words(self) -> str:
        """For people: "181 x 217 x 181 voxels of 1 x 1 x 1 mm", (slices, rows, columns)."""
        if not self.is_in_patient:
            return self._flat_words
        shape = " x ".join(str(count) for count in self.shape)
        return f"{shape} voxels of {' x '.join(f'{step:.3g}' for step in self.spacing)} mm"

    @property
    def _flat_words(self) -> str:
        """(rows, columns) of one picture: "2048 x 1536 pixels of 0.14 x 0.14 mm in the plane of the picture"."""
        picture = f"{self.shape[1]} x {self.shape[2]} pixels"
        if self.space is Space.PIXELS:
            return f"{picture}, whose size is not known"
        return f"{picture} of {' x '.join(f'{step:.3g}' for step in self.spacing[1:])} {self.space.value}"

    def to_lps(self, index: ArrayLike) -> FloatArray:
        """N x 3 (or 3) fractional (slice, row, column) indices -> LPS mm, same shape."""
        points = np.asarray(index, dtype=np.float64)
        return np.asarray(points @ self.affine[:3, :3].T + self.affine[:3, 3], dtype=np.float64)

    def to_index(self, point: ArrayLike) -> FloatArray:
        """N x 3 (or 3) LPS mm -> fractional (slice, row, column) indices, same shape."""
        inverse = np.linalg.inv(self.affine)
        points = np.asarray(point, dtype=np.float64)
        return np.asarray(points @ inverse[:3, :3].T + inverse[:3, 3], dtype=np.float64)

    def contains(self, point: ArrayLike) -> bool:
        """True where all LPS points lie inside the voxels' outer faces."""
        index = np.atleast_2d(self.to_index(point))
        return bool(np.all(index >= -0.5) and np.all(index <= np.array(self.shape) - 0.5))

    # --- other grids -------------------------------------------------------------------------------------------

    def permuted(self, order: tuple[int, int, int]) -> Geometry:
        """The grid of ``array.transpose(order)``."""
        shape = (self.shape[order[0]], self.shape[order[1]], self.shape[order[2]])
        return self._with(shape, self.affine[:, [*order, 3]])

    def flipped(self, axes: tuple[int, ...]) -> Geometry:
        """The grid of ``numpy.flip(array, axes)``."""
        affine = np.array(self.affine)
        for axis in axes:
            affine[:3, 3] += affine[:3, axis] * (self.shape[axis] - 1)
            affine[:3, axis] *= -1
        return self._with(self.shape, affine)

    def cropped(self, start: tuple[int, int, int], stop: tuple[int, int, int]) -> Geometry:
        """The grid of ``array[start[0]:stop[0], start[1]:stop[1], start[2]:stop[2]]``; may reach outside."""
        shape = (stop[0] - start[0], stop[1] - start[1], stop[2] - start[2])
        affine = np.array(self.affine)
        affine[:3, 3] = self.to_lps(start)
        return self._with(shape, affine)

    def resized(self, shape: tuple[int, int, int]) -> Geometry:
        """The grid with ``shape`` voxels that covers the same box, edge to edge."""
        scale = np.array(self.shape) / np.array(shape)
        affine = np.array(self.affine)
        affine[:3, :3] *= scale
        affine[:3, 3] = self.to_lps(scale / 2 - 0.5)
        return self._with(shape, affine)

    def _with(self, shape: tuple[int, int, int], affine: FloatArray) -> Geometry:
        return Geometry(
            shape=shape, affine=affine, frame_of_reference_uid=self.frame_of_reference_uid, space=self.space
        )

    # --- comparison --------------------------------------------------------------------------------------------

    def same_grid(self, other: Geometry, *, tolerance: float = 1e-3) -> bool:
        """True where both grids have one shape and every corner lies within ``tolerance`` mm."""
        return self.shape == other.shape and bool(np.abs(self.corners - other.corners).max() <= tolerance)

    def same_box(self, other: Geometry) -> bool:
        """True where both grids hold the same voxels in space, whatever the order of their axes.

        Corners may lie a tenth of the finest spacing apart, which is what formats with few digits lose.
        """
        apart = np.linalg.norm(self.corners[:, None] - other.corners[None], axis=2).min(axis=1).max()
        sizes = np.sort(self.shape), np.sort(other.shape)
        return bool(np.array_equal(*sizes) and apart <= 0.1 * min(self.spacing.min(), other.spacing.min()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Geometry):
            return NotImplemented
        return (
            self.shape == other.shape
            and self.frame_of_reference_uid == other.frame_of_reference_uid
            and self.space is other.space
            and bool(np.array_equal(self.affine, other.affine))
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.affine.tobytes(), self.frame_of_reference_uid, self.space))


def _check_affine(affine: FloatArray) -> None:
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise GeometryError("the affine must be a finite 4 x 4 matrix", attribute="affine")
    if not np.allclose(affine[3], (0.0, 0.0, 0.0, 1.0)):
        raise GeometryError("the affine's last row must be 0 0 0 1", attribute="affine")
    columns = affine[:3, :3]
    lengths = np.linalg.norm(columns, axis=0)
    if lengths.min() < 1e-6 or abs(np.linalg.det(columns / np.maximum(lengths, 1e-12))) < 1e-3:
        raise GeometryError("the affine is singular: axes are missing or parallel", attribute="affine")


def _closest_axes(directions: FloatArray) -> tuple[int, ...]:
    """For each array axis its world axis, each used once, with the largest sum of absolute cosines."""
    weight = np.abs(directions)
    return max(permutations(range(3)), key=lambda order: sum(weight[w, a] for a, w in enumerate(order)))
