"""Bundles and model folders that tests may damage."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from Testing.inference.brain_source import brain_wheel_in
from Testing.inference.tiny_bundle import write_tiny_bundle, write_torchscript_bundle

collect_ignore = [] if os.environ.get("SLICERMEDAI_PEERS") else ["test_nnunet_parity.py"]
"""A comparison with a peer of some hundred MB, made on demand: ``SLICERMEDAI_PEERS=1 Scripts/test Testing/bundles``."""


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Application data of this test alone, and no shared model folders."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SLICERMEDAI_MODELS", raising=False)
    return tmp_path / "home"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The folder of a bundle without code."""
    return write_tiny_bundle(tmp_path / "tiny@0.1")


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Path]:
    """The folder of a bundle whose network is TorchScript."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.")
        folder = write_torchscript_bundle(tmp_path / "scripted@0.1")
    yield folder


@pytest.fixture(scope="session")
def brain_wheel(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of deepbet 1.0.2; found before any test changes where models lie."""
    return brain_wheel_in(data_folder, tmp_path_factory.mktemp("wheel"))
