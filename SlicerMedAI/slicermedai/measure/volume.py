"""How large a region is, by its voxels."""

from __future__ import annotations

import numpy as np

from slicermedai.domain.codes import MILLILITER, VOLUME, VOXEL_SUMMATION
from slicermedai.domain.finding import Mask, Measurement, PackedMask
from slicermedai.domain.geometry import Geometry

MM3_PER_ML = 1000.0


def volume_of(voxels: int, geometry: Geometry) -> Measurement:
    """Volume in ml of ``voxels`` voxels of ``geometry``, by summation (PS3.16 CID 7472 and CID 7474).

    The voxel is a parallelepiped, so that anisotropic, oblique and sheared grids are right.
    """
    millilitres = voxels * geometry.voxel_volume / MM3_PER_ML
    return Measurement(name=VOLUME, value=millilitres, unit=MILLILITER, method=VOXEL_SUMMATION)


def voxel_count(region: Mask | PackedMask) -> int:
    """How many voxels lie in ``region``; padding bits of a packed mask are not counted."""
    if isinstance(region, Mask):
        return int(np.count_nonzero(region.label_map.array == region.value))
    size = int(np.prod(np.subtract(region.stop, region.start)))
    return int(np.count_nonzero(np.unpackbits(region.bits, count=size)))
