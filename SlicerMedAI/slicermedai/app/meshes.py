"""Surfaces in a file between two processes; :mod:`slicermedai.plan.shapes` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Mesh = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]
"""Vertices (N, 3) LPS mm, faces (M, 3), normals (N, 3)."""
MESHES = "meshes.npz"


def each_mesh(path: Path) -> Iterator[tuple[str, Mesh]]:
    """The surfaces in a file one after the other, by the tracking UID of what they are of."""
    with np.load(path, allow_pickle=False) as held:
        for uid in [name.removesuffix(".faces") for name in held.files if name.endswith(".faces")]:
            yield uid, (held[f"{uid}.vertices"], held[f"{uid}.faces"], held[f"{uid}.normals"])


def read_meshes(path: Path) -> dict[str, Mesh]:
    """All of them."""
    return dict(each_mesh(path))
