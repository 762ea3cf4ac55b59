"""Small files with identity, and what to look for in them afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from slicermedai.deid.profile import Profile
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.run import deidentify
from slicermedai.domain.result import Deidentification
from slicermedai.domain.volume import Volume
from Testing.fixtures.grids import grid
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series

KEY = ProjectKey(bytes(range(32)))
OTHER_KEY = ProjectKey(bytes(range(1, 33)))
SLICES = 2


def a_series(folder: Path, *, spec: SeriesSpec | None = None) -> list[Path]:
    """Two slices of 16 x 12 voxels, full of identity."""
    spec = spec or SeriesSpec()
    voxels = np.random.default_rng(7).integers(0, 900, (SLICES, 16, 12)).astype(np.int16)
    volume = Volume(array=voxels, geometry=grid(shape=voxels.shape, spacing=(2.0, 1.0, 1.0)), modality=spec.modality)
    return write_series(volume, folder, spec=spec)


def an_image(folder: Path, **attributes: object) -> Path:
    """One slice of that series with more attributes, given by keyword."""
    path = a_series(folder)[0]
    dataset = dcmread(path)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


def without_identity(files: list[Path], folder: Path, *, key: ProjectKey = KEY) -> Deidentification:
    """De-identify into ``folder`` by the Basic profile."""
    return deidentify(files, folder, profile=Profile(), key=key)


def copies(folder: Path) -> list[Dataset]:
    """The written datasets, in order."""
    return [dcmread(path) for path in sorted(folder.iterdir())]


def found_tokens(folder: Path, identity: Identity | None = None) -> set[str]:
    """Tokens of the identity in the raw bytes of anything in ``folder``, in any case and three encodings."""
    tokens = identity_tokens(identity or Identity())
    data = b"\0".join(path.read_bytes().lower() for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        token
        for token in tokens
        for codec in ("utf-8", "latin-1", "utf-16-le")
        if token.lower().encode(codec, "ignore") and token.lower().encode(codec, "ignore") in data
    }
