"""What an image looks like, in a few numbers per check: what out-of-distribution checks compare.

A network's own features can be blind to noise, and grey values to anatomy; so both are compared, each by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume

SPACING = "voxel spacing"
EXTENT = "field of view"
INTENSITY = "intensities"
TEXTURE = "noise and sharpness"
NETWORK = "features of the network"
CHECKS = (SPACING, EXTENT, INTENSITY, TEXTURE, NETWORK)

_QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
_SAMPLE = 1 << 21
_SLABS = 48

FloatArray = NDArray[np.float64]


def appearance(volume: Volume, *, network: Iterable[float] | None = None) -> dict[str, FloatArray]:
    """Check -> its numbers; ``network`` is a feature vector of the network, where there is one."""
    found = {
        SPACING: np.log(np.sort(volume.geometry.spacing)),
        EXTENT: np.log(extents(volume.geometry)),
        INTENSITY: intensities(volume.array),
        TEXTURE: texture(volume.array),
    }
    if network is not None:
        found[NETWORK] = np.asarray(tuple(network), dtype=np.float64)
    return found


def extents(geometry: Geometry) -> FloatArray:
    """(3,) mm from edge to edge along the patient's left, posterior and superior axes."""
    corners = geometry.corners
    return np.asarray(corners.max(axis=0) - corners.min(axis=0))


def intensities(array: NDArray[Any]) -> FloatArray:
    """Seven quantiles of the values, of at most two million of them."""
    step = max(1, round((array.size / _SAMPLE) ** (1 / 3)))
    return np.asarray(np.quantile(array[::step, ::step, ::step].astype(np.float64), _QUANTILES))


def texture(array: NDArray[Any]) -> FloatArray:
    """(4,) logarithms: in the planes of the first axis and across them, how much neighbours differ against the spread
    of all values, and how ragged those differences are (white noise 1.7, smooth pictures far less)."""
    keep = np.unique(np.linspace(0, max(len(array) - 3, 0), min(_SLABS, len(array))).astype(int))
    spread = max(float(np.std(array[keep].astype(np.float64))), 1e-6)
    across = [_differences(array[k : k + 3].astype(np.float64), 0) for k in keep]
    within = [_differences(array[k].astype(np.float64), axis) for k in keep for axis in (0, 1)]
    return np.concatenate([_ragged(within, spread), _ragged(across, spread)])


def _differences(values: FloatArray, axis: int) -> tuple[float, float]:
    first = np.diff(values, axis=axis)
    second = np.diff(first, axis=axis)
    return (float(np.abs(first).mean()) if first.size else 0.0, float(np.abs(second).mean()) if second.size else 0.0)


def _ragged(differences: list[tuple[float, float]], spread: float) -> FloatArray:
    first, second = (max(float(v), 1e-9) for v in np.mean(differences, axis=0))
    return np.log([max(first / spread, 1e-6), max(second / first, 1e-6)])
