"""Between the domain and MONAI: the one place of this layer where RAS is made (MONAI's affines are RAS)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume

FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
"""LPS to RAS and back."""


def to_metatensor(volume: Volume) -> Any:
    """(1, slices, rows, columns) float32 MetaTensor in memory; its affine takes that index to RAS mm."""
    values = torch.from_numpy(np.array(volume.array, dtype=np.float32, order="C", copy=True))[None]
    return metatensor_on(values, volume.geometry)


def metatensor_on(values: torch.Tensor, geometry: Geometry) -> Any:
    """(channels, *geometry.shape) ``values`` as a MetaTensor that lies where ``geometry`` says."""
    affine = torch.from_numpy(FLIP @ geometry.affine)
    return MetaTensor(values, affine=affine, meta={"original_channel_dim": 0, "space": "RAS"})


def geometry_of(tensor: Any, *, frame_of_reference_uid: str = "") -> Geometry:
    """The LPS grid of a channel-first MetaTensor, after whatever transforms moved it."""
    shape = tuple(int(n) for n in tensor.shape[1:])
    affine = FLIP @ np.asarray(tensor.affine, dtype=np.float64)
    return Geometry(shape=(shape[0], shape[1], shape[2]), affine=affine, frame_of_reference_uid=frame_of_reference_uid)


def grid_of(tensor: Any) -> Geometry:
    """As :func:`geometry_of`, also of a (channels, a, b) MetaTensor: a grid of one slice, the last axis."""
    flat = tensor.as_tensor().dim() == 3
    return geometry_of(MetaTensor(tensor.as_tensor()[..., None], affine=tensor.affine) if flat else tensor)
