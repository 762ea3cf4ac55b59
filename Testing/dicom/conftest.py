"""Small heads, written as series: what most tests of the reader begin with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slicermedai.domain.volume import Volume
from Testing.fixtures.grids import grid, rotated
from Testing.fixtures.phantoms import HeadSpec, head_phantom
from Testing.fixtures.series_writer import SeriesSpec, write_series


@pytest.fixture(scope="session")
def a_head() -> Volume:
    """An oblique, anisotropic T1-like head of 20 x 36 x 32 voxels."""
    return head_phantom(rotated(grid(shape=(20, 36, 32), spacing=(12.0, 6.5, 6.0)), (7, -12, 4)))[0]


@pytest.fixture(scope="session")
def a_ct_head() -> Volume:
    """An axial CT-like head in Hounsfield units."""
    return head_phantom(grid(shape=(12, 40, 36), spacing=(20.0, 6.0, 5.5)), spec=HeadSpec(modality="CT"))[0]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., list[Path]]:
    """``write(volume, **spec)`` writes a series into ``tmp_path / "series"`` (or ``folder=``)."""

    def write_one(volume: Volume, *, folder: str = "series", **spec: Any) -> list[Path]:
        wanted = SeriesSpec(modality=spec.pop("modality", volume.modality or "MR"), **spec)
        return write_series(volume, tmp_path / folder, spec=wanted)

    return write_one
