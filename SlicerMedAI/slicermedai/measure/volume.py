"""How large a region is, by its voxels."""

from __future__ import annotations

from slicermedai.domain.codes import MILLILITER, VOLUME, VOXEL_SUMMATION
from slicermedai.domain.finding import Measurement
from slicermedai.domain.geometry import Geometry

MM3_PER_ML = 1000.0


def volume_of(voxels: int, geometry: Geometry) -> Measurement:
    """Volume in ml of ``voxels`` voxels of ``geometry``, by summation (PS3.16 CID 7472 and CID 7474).

    The voxel is a parallelepiped, so that anisotropic, oblique and sheared grids are right.
    """
    millilitres = voxels * geometry.voxel_volume / MM3_PER_ML
    return Measurement(name=VOLUME, value=millilitres, unit=MILLILITER, method=VOXEL_SUMMATION)
