"""nnU-Net's way over an image, written anew from its description: windows, weights, scores back, labels last.

Isensee et al., Nature Methods 18 (2021) 203, supplementary note 4, and the documentation of nnU-Net v2: windows half a
patch apart at most and evenly spread, Gaussian weights of an eighth of the patch around its voxel n // 2, an image that
is smaller than a patch filled up with zeros on both sides, logits averaged over folds, brought back linearly to the
cropped image, and the nearest plane along an axis that is more than 3 times coarser than another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage


def scores_of_windows(
    image: np.ndarray, patch: Sequence[int], network: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Averaged scores (classes, *space) of ``image`` (channels, *space)."""
    missing = [max(0, p - n) for p, n in zip(patch, image.shape[1:], strict=True)]
    pads = [(m // 2, m - m // 2) for m in missing]
    filled = np.pad(image, [(0, 0), *pads])
    weights = bell(patch)
    total, count = None, np.zeros(filled.shape[1:])
    for start in itertools.product(*(places(n, p) for n, p in zip(filled.shape[1:], patch, strict=True))):
        box = tuple(slice(a, a + n) for a, n in zip(start, patch, strict=True))
        answer = network(filled[(slice(None), *box)])
        total = np.zeros((len(answer), *filled.shape[1:])) if total is None else total
        total[(slice(None), *box)] += answer * weights
        count[box] += weights
    assert total is not None
    inside = tuple(slice(a, a + n) for (a, _), n in zip(pads, image.shape[1:], strict=True))
    return (total / count)[(slice(None), *inside)]


def places(size: int, patch: int) -> list[int]:
    """First voxels of the windows along one axis."""
    if patch == 1:
        return list(range(size))
    steps = math.ceil((size - patch) / (patch / 2))
    return [0] if steps == 0 else [int(np.round((size - patch) / steps * n)) for n in range(steps + 1)]


def bell(patch: Sequence[int]) -> np.ndarray:
    """A Gaussian is separable: the product of what each axis has by itself."""
    made = np.ones(())
    for n in patch:
        impulse = np.zeros(n)
        impulse[n // 2] = 1
        axis = ndimage.gaussian_filter1d(impulse, n / 8, mode="constant")
        made = made[..., None] * axis
    made = made / made.max()
    return np.where(made > 0, made, made[made > 0].min())


def brought_back(
    scores: np.ndarray, shape: Sequence[int], network: Sequence[float], source: Sequence[float]
) -> np.ndarray:
    """(classes, *shape) scores, from the ``network``'s spacing to the ``source``'s, mm."""
    coarse = next((s for s in (network, source) if max(s) / min(s) > 3), None)
    axis = None if coarse is None else int(np.argmax(coarse))
    if axis is not None and list(coarse).count(max(coarse)) > 1:
        axis = None
    made = scores
    if axis is not None:
        n, old = shape[axis], scores.shape[axis + 1]
        plane = np.floor((np.arange(n) + 0.5) * old / n - 0.5 + 0.5).clip(0, old - 1).astype(int)
        made = made.take(plane, axis=axis + 1)
    factors = [new / old for new, old in zip(shape, made.shape[1:], strict=True)]
    return np.stack([ndimage.zoom(one, factors, order=1, mode="nearest", grid_mode=True) for one in made])
