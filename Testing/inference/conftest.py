"""Bundles to run, and images whose truth is analytic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slicermedai.bundles.deepbet import write_bundle
from slicermedai.bundles.registry import resolve
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from Testing.fixtures.phantoms import Ellipsoid
from Testing.inference.brain_source import brain_wheel_in
from Testing.inference.tiny_bundle import write_tiny_bundle

BODY = Ellipsoid(center=(6.0, -9.0, 14.0), radii=(38.0, 52.0, 44.0))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The folder of the bundle that says "above one half"."""
    return write_tiny_bundle(tmp_path / "tiny@0.1")


@pytest.fixture(scope="session")
def brain(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> BundleRef:
    """The brain bundle around the weights of deepbet 1.0.2."""
    wheel = brain_wheel_in(data_folder, tmp_path_factory.mktemp("wheel"))
    folder = tmp_path_factory.mktemp("models") / "brain@1.0.2"
    folder.mkdir()
    write_bundle(wheel, folder)
    return resolve(str(folder))


def points_of(geometry: Geometry) -> np.ndarray:
    """(slices, rows, columns, 3) LPS mm of all voxel centres."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in geometry.shape), indexing="ij"), axis=-1)
    return geometry.to_lps(index.reshape(-1, 3)).reshape(*geometry.shape, 3)


def body_on(geometry: Geometry, *, modality: str = "MR") -> tuple[Volume, np.ndarray]:
    """An ellipsoid whose surface lies where the image is one half, and its truth."""
    distance = BODY.distance(points_of(geometry).reshape(-1, 3)).reshape(geometry.shape)
    values = np.clip(0.5 - distance / 12.0, 0.0, 1.0).astype(np.float32)
    return Volume(array=values, geometry=geometry, modality=modality), distance <= 0


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Dice's overlap of two masks."""
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))
