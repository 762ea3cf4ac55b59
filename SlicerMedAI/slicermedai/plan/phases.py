"""Whether two phases of one patient lie alike, by how much not, and what to do about it.

One frame of reference says that the scanner did not move, not that the patient held still. So how far apart two phases
are is measured: between the borders of one structure that was segmented in both, or between pairs of points. Without
such a measurement, or where it is larger than a limit, nothing is carried from one phase to the other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.plan import Alignment, Plan, Residual
from slicermedai.errors import GeometryError, InputError
from slicermedai.plan.border import border_points, signed, window_of
from slicermedai.plan.checks import phase_of

LIMIT = 3.0
"""mm; more than that apart, phases are not used together unless the caller says so."""

Region = Mask | PackedMask


def compared(
    plan: Geometry,
    other: Geometry,
    *,
    moving: str,
    residual: Residual | None = None,
    limit: float = LIMIT,
) -> Alignment:
    """Two phases as they lie: ``other`` (called ``moving``) to that of the ``plan``, with what was measured of it.

    Raises InputError where the residual was measured after a transform.
    """
    made = Alignment(
        moving=moving,
        transform=np.eye(4),
        same_frame=same_frame(plan, other),
        registered=False,
        residual=None,
        limit=limit,
    )
    return made if residual is None else with_residual(made, residual, limit=limit)


def same_frame(one: Geometry, other: Geometry) -> bool | None:
    """Whether both state one frame of reference; None where one of them states none."""
    frames = one.frame_of_reference_uid, other.frame_of_reference_uid
    return frames[0] == frames[1] if all(frames) else None


def between_borders(one: Region, other: Region, *, structure: str, transform: ArrayLike | None = None) -> Residual:
    """How far apart the borders of one structure lie in two phases, mean of both directions and largest, mm.

    Parameters
    ----------
    one, other:
        The structure in the plan's phase and in the other one, each on its own grid.
    transform:
        4 x 4, LPS mm of the plan's phase -> the other's; as they lie without it.

    A shift along the border is not seen by it: a whole organ shows less of a move than a point does. Raises InputError
    where one of them is empty.
    """
    here, there = _border(one, structure), _border(other, structure)
    moved = _moved(here, np.eye(4) if transform is None else transform)
    forth, back = cKDTree(there).query(moved)[0], cKDTree(moved).query(there)[0]
    return Residual(
        mean=float((forth.mean() + back.mean()) / 2),
        largest=float(max(forth.max(), back.max())),
        by=f"the border of {structure} in both phases",
        count=len(forth) + len(back),
        transform=_numbers(transform),
    )


def between_points(one: ArrayLike, other: ArrayLike, *, transform: ArrayLike | None = None) -> Residual:
    """How far apart pairs of points lie, mm: (N, 3) in each phase, LPS mm, at least three.

    Raises
    ------
    InputError
        Fewer than three pairs, or numbers that differ.
    """
    here, there = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if here.shape != there.shape or here.ndim != 2 or here.shape[1] != 3 or len(here) < 3:
        raise InputError(
            "landmarks are at least three points in each phase, in the same order", attribute="landmarks",
            advice="Set each point in both phases.",
        )  # fmt: skip
    apart = np.linalg.norm(_moved(here, np.eye(4) if transform is None else transform) - there, axis=1)
    return Residual(
        mean=float(apart.mean()),
        largest=float(apart.max()),
        by=f"{len(apart)} pairs of landmarks",
        count=len(apart),
        transform=_numbers(transform),
    )


def with_residual(alignment: Alignment, residual: Residual, *, limit: float = LIMIT) -> Alignment:
    """``alignment`` with what is left after its transform, measured; up to ``limit`` mm it is accepted.

    Raises InputError where ``residual`` was measured after another transform.
    """
    if not residual.is_after(alignment.transform):
        raise InputError(
            f"the residual of the phase {alignment.moving!r} was measured after another transform",
            attribute="residual",
            advice="Measure it with transform=alignment.transform.",
        )
    return replace(alignment, residual=residual, limit=limit)


def with_alignment(plan: Plan, alignment: Alignment) -> Plan:
    """``plan`` with how another phase lies to it, in place of what was known of that phase before.

    Raises GeometryError where it is refused, and the plan has structures of that phase.
    """
    kept = tuple(one for one in plan.alignments if one.moving != alignment.moving)
    made = replace(plan, alignments=(*kept, alignment))
    for one in made.structures:
        phase_of(made, one)
    return made


def brought(region: Region, alignment: Alignment, target: Geometry) -> PackedMask:
    """``region`` of the other phase on ``target``, the grid of the plan; finer than its voxels, by signed distance.

    Raises
    ------
    GeometryError
        The phases are not aligned within the limit, or nobody measured whether they are; or the structure lies
        outside of the plan's image.
    InputError
        It is empty.
    """
    if not alignment.accepted:
        raise GeometryError(
            f"a structure of the phase {alignment.moving!r} cannot be used here: {_why(alignment)}",
            attribute="alignments",
            advice="Register the phases, measure what is left by a structure or landmarks in both, and look at it.",
        )
    mask, source = region.to_array(), region.geometry
    _check_filled(mask, "the structure")
    window = window_of(mask).grown((3, 3, 3))
    grid = source.cropped(window.start, window.stop)
    field = signed(window.of(mask), grid)
    matrix = np.linalg.inv(grid.affine) @ alignment.transform @ target.affine
    made = ndimage.affine_transform(
        field, matrix[:3, :3], offset=matrix[:3, 3], output_shape=target.shape, order=1, cval=float(field.max())
    )
    if not (made < 0).any():
        raise GeometryError("the structure lies outside of the plan's image", attribute="geometry")
    return PackedMask.from_array(np.asarray(made < 0), target)


def _why(alignment: Alignment) -> str:
    left = alignment.residual
    if left is None:
        return "what separates the phases was not measured"
    if not left.is_after(alignment.transform):
        return "what separates them was measured after another transform"
    return f"they are {left.mean:.1f} mm apart by {left.by}, more than {alignment.limit:g} mm"


def _border(region: Region, structure: str) -> FloatArray:
    mask = region.to_array()
    _check_filled(mask, structure)
    return border_points(mask, region.geometry)


def _check_filled(mask: NDArray[np.bool_], structure: str) -> None:
    if not mask.any():
        raise InputError(f"{structure} has no voxels in one of the phases", attribute="structures")


def _numbers(transform: ArrayLike | None) -> tuple[float, ...]:
    """Row by row; () for none."""
    return () if transform is None else tuple(np.asarray(transform, dtype=np.float64).ravel().tolist())


def _moved(points: FloatArray, transform: ArrayLike) -> FloatArray:
    matrix = np.asarray(transform, dtype=np.float64)
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])
