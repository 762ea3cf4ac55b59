"""The image that a bundle brings to be tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slicermedai.dicom.inputs import IMAGE_SUFFIXES, open_source
from slicermedai.domain.volume import Volume
from slicermedai.errors import MedAIError

FOLDERS = ("sample", "samples", "sample_data", "test", "test_data")
"""Folders of a bundle that may hold it."""


def open_sample(bundle: Path) -> tuple[Volume | None, str]:
    """The sample of the bundle in the folder ``bundle``, None where it brings none; and what is to be said of it.

    It is the one image file in one of :data:`FOLDERS`, or the one DICOM series there. Where several could be it (one
    may be a drawn reference), or none can be read, there is none, and the words say why.
    """
    folder = next((bundle / name for name in FOLDERS if _holds_files(bundle / name)), None)
    if folder is None:
        return None, ""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    images = [path for path in files if path.name.lower().endswith(IMAGE_SUFFIXES)]
    if len(images) > 1:
        return (
            None,
            f"sample: none, for its folder {folder.name} holds {len(images)} images, and none is named as the one",
        )
    try:
        volume = open_source(images[0] if images else folder).volume
    except MedAIError as error:
        return None, f"sample: none, for what lies in its folder {folder.name} cannot be read: {error}"
    return volume, (images[0] if images else folder).relative_to(bundle).as_posix()


def middle_of(volume: Volume) -> tuple[float, float, float]:
    """LPS mm."""
    left, posterior, superior = volume.geometry.to_lps((np.array(volume.geometry.shape) - 1) / 2)
    return float(left), float(posterior), float(superior)


def _holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(path.is_file() for path in folder.rglob("*"))
