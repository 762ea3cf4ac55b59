"""What the cuts of a plan take away, and what is left, counted in parts of voxels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.domain.finding import PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.plan import BoxCut, Cut, Plan, PlaneCut, Role
from slicermedai.errors import InputError
from slicermedai.plan.border import Window, window_of
from slicermedai.plan.checks import lesion
from slicermedai.plan.fractions import Shares, beyond_plane, within_box
from slicermedai.plan.margins import organ_with_lesions, reach

_PART = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """A lesion that is not wholly taken away: ``ml`` of it stay."""

    lesion: str
    ml: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resection:
    """All cuts of a plan together, ml.

    ``organ`` is the whole with its lesions, ``functional`` the whole without them; ``remnant`` is what stays of the
    functional part, ``resected`` what goes of the whole. ``resected_region`` and ``remnant_region`` (of the functional
    part) are the voxels that lie there by half at least. ``cut_through`` names the vessels that go in part.
    """

    organ: float
    functional: float
    resected: float
    remnant: float
    left_behind: tuple[LeftBehind, ...]
    resected_region: PackedMask
    remnant_region: PackedMask
    cut_through: tuple[str, ...] = ()

    @property
    def of_functional(self) -> float:
        """Remnant to functional volume, 0 to 1."""
        return self.remnant / self.functional

    @property
    def of_organ(self) -> float:
        """Remnant to whole volume, 0 to 1."""
        return self.remnant / self.organ


def resect(plan: Plan) -> Resection | None:
    """What all cuts of ``plan`` together do; None where it has none.

    A voxel that two cuts share counts by the larger share.

    Raises
    ------
    InputError
        A cut that misses the organ or takes all of it, or an organ that is nothing but lesion.
    """
    if not plan.cuts:
        return None
    whole = organ_with_lesions(plan)
    window = window_of(whole)
    whole = whole[window.slices]
    gone = _gone(plan, whole, window)
    sick = np.zeros(window.shape, dtype=bool)
    for one in plan.having(Role.LESION):
        sick |= one.region.to_array()[window.slices]
    return _counted(plan, window, gone, (whole, whole & ~sick))


def _gone(plan: Plan, whole: NDArray[np.bool_], window: Window) -> Shares:
    """The share of each voxel of ``window`` that goes."""
    gone = np.zeros(window.shape, dtype=np.float32)
    for cut in plan.cuts:
        shares = _shares(plan, cut, window)
        if not shares[whole].any():
            raise InputError(
                f"the cut {cut.name!r} misses {plan.organ!r}: it takes nothing away",
                attribute="cuts",
                advice="Move it into the organ, or remove it.",
            )
        np.maximum(gone, shares, out=gone)
    if (gone[whole] >= 1).all():
        raise InputError(
            f"the cuts leave nothing of {plan.organ!r}: {plan.cuts[-1].name!r} does not run through it",
            attribute="cuts",
            advice="Move the cut into the organ, or turn its direction round.",
        )
    return gone


def _shares(plan: Plan, cut: Cut, window: Window) -> Shares:
    grid = plan.geometry.cropped(window.start, window.stop)
    if isinstance(cut, PlaneCut):
        return beyond_plane(grid, cut.point, cut.normal)
    if isinstance(cut, BoxCut):
        return within_box(grid, cut.box)
    return reach(lesion(plan, cut.lesion).region, cut.width).over(window)


def _counted(plan: Plan, window: Window, gone: Shares, parts: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> Resection:
    whole, functional = parts
    grid = plan.geometry
    if not functional.any():
        raise InputError(
            f"{plan.organ!r} has no voxel outside of its lesions", attribute="structures", advice="Correct the lesions."
        )
    return Resection(
        organ=_voxels_ml(whole.sum(), grid),
        functional=_voxels_ml(functional.sum(), grid),
        resected=_voxels_ml(gone[whole].sum(dtype=np.float64), grid),
        remnant=_voxels_ml((1 - gone[functional]).sum(dtype=np.float64), grid),
        left_behind=_left_behind(plan, window, gone),
        resected_region=_packed(grid, window, whole & (gone >= 0.5)),
        remnant_region=_packed(grid, window, functional & (gone < 0.5)),
        cut_through=tuple(_cut_through(plan, window, gone, whole)),
    )


def _cut_through(plan: Plan, window: Window, gone: Shares, whole: NDArray[np.bool_]) -> Iterator[str]:
    """Vessels of which a hundredth at least goes and as much stays, of what of them lies in the organ or borders on it.

    What runs beside the organ is not cut: a plane goes through all of the image.
    """
    for one in plan.having(Role.VESSEL):
        mask = one.region.to_array()[window.slices]
        inside = mask & whole
        if not inside.any() and mask.any():
            box = window_of(mask).grown((1, 1, 1)).within(mask.shape).slices
            inside[box] = mask[box] & ndimage.binary_dilation(whole[box], np.ones((3, 3, 3), dtype=bool))
        share = float(gone[inside].mean()) if inside.any() else 0.0
        if _PART < share < 1 - _PART:
            yield one.name


def _left_behind(plan: Plan, window: Window, gone: Shares) -> tuple[LeftBehind, ...]:
    """Lesions of which more than a thousandth stays."""
    found = []
    for one in plan.having(Role.LESION):
        mask = one.region.to_array()[window.slices]
        stays = float((1 - gone[mask]).sum(dtype=np.float64))
        if stays > 1e-3 * mask.sum():
            found.append(LeftBehind(lesion=one.name, ml=_voxels_ml(stays, plan.geometry)))
    return tuple(found)


def functional_ml(plan: Plan) -> tuple[float, float]:
    """ml of the organ with its lesions, and without them."""
    whole = organ_with_lesions(plan)
    sick = np.zeros_like(whole)
    for one in plan.having(Role.LESION):
        sick |= one.region.to_array()
    return _voxels_ml(whole.sum(), plan.geometry), _voxels_ml((whole & ~sick).sum(), plan.geometry)


def _packed(geometry: Geometry, window: Window, part: NDArray[np.bool_]) -> PackedMask:
    whole = np.zeros(geometry.shape, dtype=bool)
    whole[window.slices] = part
    return PackedMask.from_array(whole, geometry)


def _voxels_ml(voxels: float, geometry: Geometry) -> float:
    return float(voxels) * geometry.voxel_volume / 1000
