"""How nnU-Net lays its windows and brings scores back: what its plans mean beside MONAI's way of doing so.

MONAI steps by a fixed share of a window and moves the last one inwards; nnU-Net spreads the same number of windows
evenly. Its weights within a window have their top half a voxel further on, and end at four standard deviations. MONAI's
inversion of labels asks for the nearest voxel; nnU-Net resamples the scores, and labels come last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.bundles.plans_transforms import coarse_axis, resized
from slicermedai.errors import BundleError


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


def scores_back(
    scores: NDArray[np.float32], shape: Sequence[int], *, present: Sequence[float], wanted: Sequence[float]
) -> NDArray[np.float32]:
    """(classes, *space) scores at ``present`` mm on ``shape`` voxels at ``wanted`` mm, over the same extent, linearly.

    An axis more than 3 times coarser than another takes the nearest plane.
    """
    return resized(scores, shape, axis=coarse_axis(present, wanted), orders=(1, 0))
