"""Shapes whose volume, surface and diameters are known, painted on any grid, and the grids to paint them on."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from slicermedai.domain.finding import Mask, Measurement
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import LabelMap, Volume
from slicermedai.measure.methods import measure

ORIENTATIONS = [
    np.eye(3)[:, list(order)] * np.array(signs)
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]


def turned(*degrees: float) -> NDArray[np.float64]:
    """3 x 3 directions of a grid that is turned about all three axes of the patient."""
    return np.asarray(Rotation.from_euler("xyz", degrees, degrees=True).as_matrix())


def grid_around(
    extent: float,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    *,
    directions: NDArray[np.float64] | None = None,
    tilt: float = 0.0,
) -> Geometry:
    """A grid that holds a ball of ``extent`` mm around LPS (40, -25, 60); ``tilt`` degrees shear its slices."""
    lean = np.tan(np.radians(tilt))
    room = extent * (1 + abs(lean)) + 4 * max(spacing)
    shape = tuple(int(np.ceil(room / step)) for step in spacing)
    straight = Geometry.from_axes((shape[0], shape[1], shape[2]), spacing=spacing, directions=directions)
    affine = np.array(straight.affine)
    affine[:3, 0] += straight.directions[:, 1] * lean * spacing[0]
    middle = affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    affine[:3, 3] = CENTRE - middle + affine[:3, :3] @ (0.21, 0.37, -0.13)
    return Geometry(shape=straight.shape, affine=affine)


CENTRE = np.array([40.0, -25.0, 60.0])


def places(geometry: Geometry) -> NDArray[np.float64]:
    """(slices, rows, columns, 3): every voxel centre in mm from the middle, LPS."""
    index = np.stack(np.indices(geometry.shape), axis=-1).reshape(-1, 3)
    return (geometry.to_lps(index) - CENTRE).reshape(*geometry.shape, 3)


def ellipsoid(geometry: Geometry, radii: tuple[float, float, float]) -> Mask:
    """With ``radii`` in mm along L, P and S."""
    return region(((places(geometry) / radii) ** 2).sum(axis=-1) <= 1, geometry)


def box(geometry: Geometry, sizes: tuple[float, float, float]) -> Mask:
    """With edges of ``sizes`` mm along L, P and S."""
    return region((np.abs(places(geometry)) <= np.array(sizes) / 2).all(axis=-1), geometry)


def cylinder(geometry: Geometry, *, axis: NDArray[np.float64], radius: float, length: float) -> Mask:
    """Around the unit vector ``axis``, LPS."""
    at = places(geometry)
    along = at @ axis
    off = np.linalg.norm(at - along[..., None] * axis, axis=-1)
    return region((np.abs(along) <= length / 2) & (off <= radius), geometry)


def region(inside: NDArray[np.bool_], geometry: Geometry) -> Mask:
    return Mask(label_map=LabelMap(array=inside.astype(np.uint8), geometry=geometry), value=1)


def measured(mask: Mask, *wanted: str, volume: Volume | None = None) -> dict[str, Measurement]:
    """The measurements of one region by the names they were asked for."""
    return dict(zip(wanted, measure(mask, volume=volume, wanted=wanted), strict=True))


def diagonal(geometry: Geometry) -> float:
    """mm between opposite corners of a voxel, the longest."""
    signs = np.array(list(product((1, -1), repeat=3)))
    return float(np.linalg.norm(signs @ geometry.affine[:3, :3].T, axis=1).max())
