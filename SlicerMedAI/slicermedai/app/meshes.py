"""Surfaces in a file between two processes; :mod:`slicermedai.plan.shapes` writes it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.codec import reading_array

Mesh = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]
"""Vertices (N, 3) LPS mm, faces (M, 3), normals (N, 3)."""
MESHES = "meshes.npz"


def each_mesh(path: Path) -> Iterator[tuple[str, Mesh] | None]:
    """The surfaces in a file one after the other, by the tracking UID of what they are of; None between two pieces."""
    with zipfile.ZipFile(path) as archive:
        for uid in [name.removesuffix(".faces.npy") for name in archive.namelist() if name.endswith(".faces.npy")]:
            arrays = []
            for part in ("vertices", "faces", "normals"):
                arrays.append((yield from reading_array(archive, f"{uid}.{part}")))
            yield uid, (arrays[0], arrays[1], arrays[2])


def read_meshes(path: Path) -> dict[str, Mesh]:
    """All of them."""
    return dict(one for one in each_mesh(path) if one is not None)
