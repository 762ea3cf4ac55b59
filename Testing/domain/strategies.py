"""Hypothesis strategies: grids of every kind that scanners and formats make."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from hypothesis import strategies as st

from slicermedai import Geometry

ORIENTATIONS = [
    np.eye(3)[:, list(order)] * np.array(signs)
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
"""The 48 ways to lay three array axes along the patient axes: columns are LPS directions."""


def rotation(axis: tuple[float, float, float], angle: float) -> np.ndarray:
    """3 x 3 rotation by ``angle`` radians about ``axis`` (Rodrigues)."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


_unit = st.floats(-1, 1, allow_nan=False).map(lambda v: round(v, 3))
_axes = st.tuples(_unit, _unit, _unit).filter(lambda v: np.linalg.norm(v) > 0.1)
_spacings = st.tuples(*[st.floats(0.2, 8.0)] * 3)
_origins = st.tuples(*[st.floats(-500, 500)] * 3)
_shapes = st.tuples(*[st.integers(1, 9)] * 3)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Any orientation, rotated obliquely, anisotropic, and sheared like a tilted gantry."""
    directions = draw(st.sampled_from(ORIENTATIONS))
    directions = rotation(draw(_axes), draw(st.floats(-0.6, 0.6))) @ directions
    columns = directions * np.array(draw(_spacings))
    columns[:, 0] += columns[:, 1] * draw(st.sampled_from((0.0, 0.0, 0.3, -0.4)))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = columns, draw(_origins)
    return Geometry(shape=draw(_shapes), affine=affine, frame_of_reference_uid=draw(st.sampled_from(("", "1.2.3"))))
