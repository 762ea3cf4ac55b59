"""How nnU-Net lays its windows and brings scores back: what its plans mean beside MONAI's way of doing so.

MONAI steps by a fixed share of a window and moves the last one inwards; nnU-Net spreads the same number of windows
evenly. Its weights within a window have their top half a voxel further on, and end at four standard deviations. MONAI's
inversion of labels asks for the nearest voxel; nnU-Net resamples the scores, and labels come last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.bundles.plans_transforms import coarse_axis
from slicermedai.errors import BundleError


class PlansWindowInferer:
    """The entry ``inferer`` of networks by their plans: windows of ``roi_size`` at most ``step`` of one apart."""

    def __init__(self, roi_size: Sequence[int], step: float = 0.5) -> None:
        self.roi_size, self.step = tuple(int(n) for n in roi_size), float(step)
        if not self.roi_size or min(self.roi_size) < 1 or not 0 < self.step <= 1:
            raise BundleError("needs windows of at least one voxel, and a step of 0 to 1", attribute="inferer")


class PlansSliceInferer(PlansWindowInferer):
    """The same for networks of two dimensions, which see one slice after the other along ``spatial_dim``."""

    def __init__(self, roi_size: Sequence[int], step: float = 0.5, spatial_dim: int = 0) -> None:
        super().__init__(roi_size, step)
        self.spatial_dim = int(spatial_dim)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoresBack:
    """The entry ``scores_back``: scores (not labels) go to the source's grid, linearly, and labels come last.

    ``spacing`` is the network's, mm, along its axes; two numbers leave the first axis at the source's spacing. An axis
    more than 3 times coarser than another takes the nearest plane where ``order_z`` is 0.
    """

    spacing: tuple[float, ...]
    order_z: int = 0

    @classmethod
    def from_entry(cls, entry: Any, *, file: str) -> ScoresBack | None:
        """From the configuration; None where it has no such entry. Raises :class:`BundleError`."""
        if entry is None:
            return None
        try:
            made = cls(spacing=tuple(float(step) for step in entry["spacing"]), order_z=int(entry.get("order_z", 0)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError("needs a spacing", file=file, attribute="scores_back") from error
        if len(made.spacing) not in (2, 3) or min(made.spacing) <= 0 or made.order_z not in (0, 1):
            raise BundleError("needs a spacing of 2 or 3 axes, order_z 0 or 1", file=file, attribute="scores_back")
        return made

    def nearest_axis(self, source: Sequence[float]) -> int | None:
        """The network's axis that takes the nearest plane; ``source`` is the source's spacing along those axes."""
        present = self.spacing if len(self.spacing) == 3 else (source[0], *self.spacing)
        return coarse_axis(present, source) if self.order_z == 0 else None


def even_starts(size: int, window: int, *, step: float = 0.5) -> list[int]:
    """First voxels of the windows along an axis of ``size`` >= ``window`` voxels: at most ``step`` of a window apart.

    Raises
    ------
    BundleError
        The axis is shorter than the window, or the step is no share of it.
    """
    if size < window or not 0 < step <= 1:
        raise BundleError(f"{size} voxels cannot be covered by windows of {window}", attribute="inferer")
    count = math.ceil((size - window) / (window * step)) + 1
    apart = (size - window) / (count - 1) if count > 1 else 0.0
    return [round(apart * n) for n in range(count)]


def window_weights(window: Sequence[int]) -> NDArray[np.float32]:
    """Weights over a window, 1 at the voxel n // 2 along each axis, Gaussian with an eighth of the window; never 0."""
    impulse = np.zeros(tuple(window))
    impulse[tuple(n // 2 for n in window)] = 1
    weights = ndimage.gaussian_filter(impulse, [n / 8 for n in window], mode="constant")
    weights /= weights.max()
    weights[weights == 0] = weights[weights > 0].min()
    return np.asarray(weights, dtype=np.float32)
