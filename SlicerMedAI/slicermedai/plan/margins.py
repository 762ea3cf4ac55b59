"""All within so many millimetres of a lesion's border, whatever the spacing and the tilt of the grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.plan import Margin, Plan, Role
from slicermedai.plan.border import Window, border_points, window_of
from slicermedai.plan.checks import lesion, structure
from slicermedai.plan.fractions import Shares, share_beyond


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reach:
    """The share of each voxel of ``window`` that a margin takes, the lesion itself included, 0 to 1."""

    window: Window
    shares: Shares

    def over(self, window: Window) -> Shares:
        """The shares on ``window`` of the same grid; 0 outside of its own."""
        made = np.zeros(window.shape, dtype=np.float32)
        low = np.maximum(self.window.start, window.start)
        high = np.maximum(np.minimum(self.window.stop, window.stop), low)
        here = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, self.window.start, strict=True))
        there = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, window.start, strict=True))
        made[there] = self.shares[here]
        return made


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crossing:
    """What of a margin lies in ``name`` (a vessel), or beyond the organ's border: its own mask, and its ml."""

    name: str
    region: PackedMask
    ml: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarginZone:
    """A margin as voxels: those at least half of which lie within it, and what it meets on its way.

    ``ml`` counts parts of voxels; lesion and margin together, as far as they lie in the organ. ``cut_off`` is True
    where the margin reaches the edge of the image, beyond which nothing is counted.
    """

    margin: Margin
    region: PackedMask
    ml: float
    vessels: tuple[Crossing, ...]
    beyond_organ: Crossing | None
    cut_off: bool = False


def reach_of(mask: NDArray[np.bool_], geometry: Geometry, width: float) -> Reach:
    """The lesion ``mask`` (slices, rows, columns) and all within ``width`` mm of its border, as shares of voxels.

    The distance of a voxel is to the nearest point of the lesion's border, exact in mm on any grid; a voxel on the edge
    of the margin counts by the share that lies within. Wrong by less than a voxel: see the tests' phantoms.
    """
    window = _room(mask, geometry, width)
    box = mask[window.slices]
    if width <= 0:
        return Reach(window=window, shares=box.astype(np.float32))
    grid = geometry.cropped(window.start, window.stop)
    shares = box.astype(np.float32)
    index = _doubtful(box, grid, width)
    places = grid.to_lps(index)
    points = border_points(mask, geometry)
    away, nearest = cKDTree(points).query(places)
    outward = (places - points[nearest]) / np.maximum(away, 1e-6)[:, None]
    shares[tuple(index.T)] = share_beyond(width - away, outward @ grid.affine[:3, :3])
    return Reach(window=window, shares=shares)


@lru_cache(maxsize=16)
def reach(region: Mask | PackedMask, width: float) -> Reach:
    """:func:`reach_of` a region, remembered: a plane that is moved leaves the margins as they are."""
    made = reach_of(region.to_array(), region.geometry, width)
    made.shares.setflags(write=False)
    return made


def _room(mask: NDArray[np.bool_], geometry: Geometry, width: float) -> Window:
    """The lesion's box, with the margin around it as far as the grid goes."""
    normals = np.linalg.inv(geometry.affine[:3, :3])  # rows: an index step as a function of mm
    room = np.ceil(width * np.linalg.norm(normals, axis=1)).astype(int) + 2
    grown = window_of(mask).grown((int(room[0]), int(room[1]), int(room[2])))
    return grown.within(geometry.shape)


def _doubtful(box: NDArray[np.bool_], grid: Geometry, width: float) -> NDArray[np.intp]:
    """(N, 3) voxels outside of the lesion that may lie in the margin."""
    if not grid.is_orthogonal:
        return np.argwhere(~box)
    away = ndimage.distance_transform_edt(~box, sampling=grid.spacing)
    return np.argwhere(~box & (away <= width + np.linalg.norm(grid.spacing)))


def zone_of(plan: Plan, margin: Margin) -> MarginZone:
    """The margin in ``plan``: its region in the organ, what of it lies in each vessel, and what lies beyond the organ.

    The lesion itself is no crossing: a vessel that runs in the lesion is told by their distance. Raises as
    :func:`slicermedai.plan.checks.lesion` does.
    """
    region = lesion(plan, margin.lesion).region
    mask, taken = region.to_array(), reach(region, margin.width)
    within = taken.window.slices
    organ = organ_with_lesions(plan)[within]
    shell = np.where(mask[within], np.float32(0), taken.shares)
    vessels = [
        _crossing(plan, taken.window, vessel.name, np.where(vessel.region.to_array()[within], shell, np.float32(0)))
        for vessel in plan.having(Role.VESSEL)
    ]
    own = np.where(organ, taken.shares, np.float32(0))
    return MarginZone(
        margin=margin,
        region=_packed(plan, taken.window, own >= 0.5),
        ml=_ml(own, plan.geometry),
        vessels=tuple(one for one in vessels if one is not None),
        beyond_organ=_crossing(plan, taken.window, plan.organ, np.where(organ, np.float32(0), shell)),
        cut_off=_is_cut_off(taken, plan.geometry),
    )


def _is_cut_off(taken: Reach, geometry: Geometry) -> bool:
    """True where a voxel on the edge of the image lies in it as a whole."""
    window = taken.window
    return any(
        bool((np.moveaxis(taken.shares, axis, 0)[end] > 0.999).any())
        for axis in range(3)
        for end, at_edge in ((0, window.start[axis] == 0), (-1, window.stop[axis] == geometry.shape[axis]))
        if at_edge
    )


def organ_with_lesions(plan: Plan) -> NDArray[np.bool_]:
    """(slices, rows, columns): the organ and all lesions, which exclusive labels cut out of it."""
    organ = structure(plan, plan.organ).region.to_array()
    for one in plan.having(Role.LESION):
        organ |= one.region.to_array()
    return organ


def _crossing(plan: Plan, window: Window, name: str, shares: Shares) -> Crossing | None:
    """None where not one voxel lies in it by half."""
    region = shares >= 0.5
    if not region.any():
        return None
    return Crossing(name=name, region=_packed(plan, window, region), ml=_ml(shares, plan.geometry))


def _packed(plan: Plan, window: Window, part: NDArray[np.bool_]) -> PackedMask:
    whole = np.zeros(plan.geometry.shape, dtype=bool)
    whole[window.slices] = part
    return PackedMask.from_array(whole, plan.geometry)


def _ml(shares: Shares, geometry: Geometry) -> float:
    return float(shares.sum(dtype=np.float64)) * geometry.voxel_volume / 1000
