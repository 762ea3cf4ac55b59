"""nnU-Net's preparation of an image, as dictionary transforms that keep the image's place in space.

Crop to what is not zero, normalize each channel by its scheme, resample to the plans' spacing: in this order, as the
trained networks saw it. Each transform takes and gives (channels, *space) images whose affine stays true, so that the
result can be carried back by position alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform, SpatialCrop
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.errors import BundleError

Values = NDArray[np.float32]
_ANISOTROPY = 3.0
_SMALLEST = 1e-8


class CropToContentd(MapTransform):
    """Crop to the box around all voxels that are not 0 in some channel; an image of zeros stays whole."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The same dictionary with its images cropped."""
        return {**data, **{key: _cropped(data[key]) for key in self.key_iterator(data)}}


class NormalizeByPlansd(MapTransform):
    """Normalize each channel by its scheme.

    ``schemes`` names one for each channel; ``masked`` says for each whether only voxels inside the content count and
    change; ``statistics`` has for each the intensities of the training data (``mean``, ``std``, ``percentile_00_5``,
    ``percentile_99_5``). Raises :class:`BundleError` for an unknown scheme or another number of channels.
    """

    def __init__(
        self, keys: Any, schemes: Sequence[str], masked: Sequence[bool], statistics: Sequence[Mapping[str, float]]
    ) -> None:
        super().__init__(keys)
        unknown = sorted(set(schemes) - set(SCHEMES))
        if unknown:
            raise BundleError(f"{unknown[0]} is not known here", attribute="normalization_schemes")
        self.channels = list(zip(schemes, masked, statistics, strict=True))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The same dictionary with its images normalized."""
        return {**data, **{key: self._normalized(data[key]) for key in self.key_iterator(data)}}

    def _normalized(self, image: MetaTensor) -> MetaTensor:
        values = _array(image).copy()
        if len(values) != len(self.channels):
            raise BundleError(f"needs {len(self.channels)} channels, has {len(values)}", attribute="inputs")
        inside = _content(values) if any(masked for _, masked, _ in self.channels) else None
        for channel, (scheme, masked, statistics) in zip(values, self.channels, strict=True):
            SCHEMES[scheme](channel, statistics, inside if masked else None)
        return MetaTensor(torch.from_numpy(values), meta=image.meta)


class ResampleByPlansd(MapTransform):
    """Resample to ``spacing`` mm along the image's own axes, edge to edge, with splines of ``order``.

    Where one axis is more than 3 times coarser than another, it is resampled by ``order_z`` after the two others. A
    ``spacing`` of two numbers leaves the first axis as it is.
    """

    def __init__(self, keys: Any, spacing: Sequence[float], order: int = 3, order_z: int = 0) -> None:
        super().__init__(keys)
        self.spacing, self.order, self.order_z = tuple(spacing), order, order_z

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The same dictionary with its images resampled."""
        return {**data, **{key: self._resampled(data[key]) for key in self.key_iterator(data)}}

    def _resampled(self, image: MetaTensor) -> MetaTensor:
        present = [float(step) for step in np.linalg.norm(np.asarray(image.affine)[:3, :3], axis=0)]
        wanted = self.spacing if len(self.spacing) == 3 else (present[0], *self.spacing)
        shape = new_shape(image.shape[1:], present, wanted)
        values = self._values(image, shape, coarse_axis(present, wanted))
        scale = np.array([old / new for old, new in zip(image.shape[1:], shape, strict=True)])
        moved = np.diag([*scale, 1.0])
        moved[:3, 3] = (scale - 1) / 2
        affine = np.asarray(image.affine, dtype=np.float64) @ moved
        meta = {**image.meta, "affine": torch.from_numpy(affine)}
        return MetaTensor(values, meta=meta)

    def _values(self, image: MetaTensor, shape: tuple[int, ...], axis: int | None) -> torch.Tensor:
        """The voxels on ``shape``; of an image that has none (device "meta") the shape alone."""
        if image.device.type == "meta":
            return torch.empty((image.shape[0], *shape), device="meta")
        return torch.from_numpy(resized(_array(image), shape, axis=axis, orders=(self.order, self.order_z)))


def new_shape(shape: Sequence[int], present: Sequence[float], wanted: Sequence[float]) -> tuple[int, ...]:
    """Voxels at the ``wanted`` spacing (mm) of what has ``shape`` voxels at the ``present`` one."""
    return tuple(round(a / b * n) for n, a, b in zip(shape, present, wanted, strict=True))


def coarse_axis(present: Sequence[float], wanted: Sequence[float]) -> int | None:
    """The axis that is resampled by itself, or None: more than 3 times coarser before, or else after."""
    for spacing in (present, wanted):
        if max(spacing) / min(spacing) > _ANISOTROPY:
            coarsest = [n for n, step in enumerate(spacing) if step == max(spacing)]
            return coarsest[0] if len(coarsest) == 1 else None
    return None


def resized(values: Values, shape: Sequence[int], *, axis: int | None, orders: tuple[int, int]) -> Values:
    """(channels, *space) on ``shape`` voxels over the same extent; splines never leave the range they come from."""
    if tuple(values.shape[1:]) == tuple(shape):
        return values
    others = [n for n in range(3) if n != axis]
    result = values
    for n in others:
        result = _along(result, n, _weights(values.shape[n + 1], shape[n], orders[0]))
    over = tuple(n + 1 for n in others)
    low, high = values.min(axis=over, keepdims=True), values.max(axis=over, keepdims=True)
    result = np.clip(result, low, high)
    if axis is not None:
        result = _along(result, axis, _weights(values.shape[axis + 1], shape[axis], orders[1]))
    return np.ascontiguousarray(result, dtype=np.float32)


def _along(values: Values, axis: int, weights: Values | None) -> Values:
    if weights is None:
        return values
    moved = np.moveaxis(values, axis + 1, 0)
    flat = weights @ moved.reshape(len(moved), -1)
    return np.moveaxis(flat.reshape(len(flat), *moved.shape[1:]), 0, axis + 1)


@cache
def _weights(old: int, new: int, order: int) -> Values | None:
    """(new, old): what each new voxel takes of each old one, for splines that continue with their last value."""
    if old == new:
        return None
    places = (np.arange(new) + 0.5) * (old / new) - 0.5
    units = np.eye(old, dtype=np.float64)
    columns = [ndimage.map_coordinates(unit, places[None], order=order, mode="nearest") for unit in units]
    return np.stack(columns, axis=1).astype(np.float32)


def _cropped(image: MetaTensor) -> MetaTensor:
    inside = _content(_array(image))
    if not inside.any():
        return image
    spans = [np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != n))) for n in range(3)]
    slices = [slice(int(span[0]), int(span[-1]) + 1) for span in spans]
    cropped: MetaTensor = SpatialCrop(roi_slices=slices)(image)
    return cropped


def _content(values: Values) -> NDArray[np.bool_]:
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes((values != 0).any(axis=0))
    return filled


def _array(image: MetaTensor) -> Values:
    return np.asarray(image.detach().cpu().numpy(), dtype=np.float32)


def _as_ct(channel: Values, statistics: Mapping[str, float], inside: NDArray[np.bool_] | None) -> None:
    np.clip(channel, statistics["percentile_00_5"], statistics["percentile_99_5"], out=channel)
    channel -= statistics["mean"]
    channel /= max(statistics["std"], _SMALLEST)


def _z_score(channel: Values, statistics: Mapping[str, float], inside: NDArray[np.bool_] | None) -> None:
    chosen = slice(None) if inside is None else inside
    mean, spread = channel[chosen].mean(), channel[chosen].std()
    channel[chosen] = (channel[chosen] - mean) / max(float(spread), _SMALLEST)


def _to_one(channel: Values, statistics: Mapping[str, float], inside: NDArray[np.bool_] | None) -> None:
    channel -= channel.min()
    channel /= max(float(channel.max()), _SMALLEST)


def _bytes_to_one(channel: Values, statistics: Mapping[str, float], inside: NDArray[np.bool_] | None) -> None:
    channel /= 255.0


def _leave(channel: Values, statistics: Mapping[str, float], inside: NDArray[np.bool_] | None) -> None:
    """The scheme that changes nothing."""


SCHEMES: dict[str, Callable[[Values, Mapping[str, float], NDArray[np.bool_] | None], None]] = {
    "CTNormalization": _as_ct,
    "ZScoreNormalization": _z_score,
    "RescaleTo01Normalization": _to_one,
    "RGBTo01Normalization": _bytes_to_one,
    "NoNormalization": _leave,
}
"""What plans may name; each changes a channel in place, inside the content alone where that is given."""
