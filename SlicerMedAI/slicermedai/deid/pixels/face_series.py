"""The face of a series: found in its volume, taken out of each of its files as they are stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from slicermedai.deid.pixels.edited import edited
from slicermedai.deid.pixels.faces import FaceEvidence, FaceStaysError, deface
from slicermedai.deid.pixels.frames import FileFrames
from slicermedai.deid.pixels.head import Mask
from slicermedai.deid.pixels.kinds import PixelReplacement
from slicermedai.dicom.inputs import open_source
from slicermedai.domain.volume import Volume

BrainMask = Callable[[Volume], Mask]
"""Volume -> (slices, rows, columns) on its grid: where the brain is."""

_HEAD = ("HEAD", "BRAIN", "SKULL", "FACE", "NECK", "ORBIT", "SINUS", "NEURO", "CRANI", "EAR", "IAC", "MAXILL", "KOPF")


@dataclass(frozen=True, slots=True, eq=False)
class FaceEdit:
    """Which pixels of one file's frames are the face. An edit of stored values (see ``kinds.Edit``)."""

    frames: dict[int, Mask] = field(default_factory=dict)

    def __call__(self, frame: NDArray[Any], number: int) -> None:
        """Write the stored value that most pixels of the frame's edge have; the rest stays as it is stored."""
        mask = self.frames.get(number)
        if mask is not None and mask.any():
            frame[mask] = _edge_value(frame)

    def replacement(self, path: Path) -> PixelReplacement:
        """The pixel data of ``path`` without the face."""
        return edited(FileFrames.open(path), self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FacelessSeries:
    """An edit for each file, and what the check measured: the series may then carry 113102."""

    edits: dict[Path, FaceEdit]
    evidence: FaceEvidence


def may_show_face(dataset: Dataset) -> bool:
    """True for CT and MR of the head, or of a part that nobody named."""
    if str(dataset.get("Modality") or "") not in ("CT", "MR"):
        return False
    part = str(dataset.get("BodyPartExamined") or "").upper()
    words = f"{part} {dataset.get('SeriesDescription') or ''} {dataset.get('StudyDescription') or ''}".upper()
    return not part or any(word in words for word in _HEAD)


def deface_series(files: Sequence[Path], brain_mask: BrainMask | None) -> FacelessSeries:
    """Take the face out of a series of head CT or MR, single files or one multi-frame file, in any orientation.

    Parameters
    ----------
    brain_mask:
        Finds the brain; the face is never taken off without it.

    Raises
    ------
    UnsupportedImageError
        No brain mask, no brain, no face in view, or the face is still there afterwards.
    InputError
        The files are no volume: two-dimensional, several series, a tilted gantry, positions that contradict.
    """
    if brain_mask is None:
        raise FaceStaysError(
            "faces cannot be taken off without a model that finds the brain",
            file=files[0] if files else None,
            attribute="brain mask",
            advice="Install the brain model, or leave the Clean Recognizable Visual Features Option out.",
        )
    source = open_source([str(path) for path in files])
    found = deface(source.volume, np.asarray(brain_mask(source.volume), dtype=bool))
    edits = {Path(path): FaceEdit() for path in source.files}
    for region, (file, frame) in zip(found.region, source.slices, strict=True):
        edits[Path(source.files[file])].frames[frame - 1] = region
    return FacelessSeries(edits=edits, evidence=found.evidence)


def _edge_value(frame: NDArray[Any]) -> Any:
    """The darkest of the values that are common at the edge of a frame: one that the image has."""
    edge = np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]])
    low = edge[edge <= np.median(edge)]
    values, counts = np.unique(low, return_counts=True)
    return values[counts.argmax()]
