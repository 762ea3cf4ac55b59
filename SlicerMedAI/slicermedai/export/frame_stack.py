"""The grid that the frames of a multi-frame object lie on (PS3.3 C.7.6.16), of ours and of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from slicermedai.domain.geometry import Geometry
from slicermedai.errors import FormatError

_SAME = 1e-4
"""How far numbers of frames may differ that are said once for each, and are the same."""
_WHOLE = 0.01
"""How far from a whole number of slices two frames may be apart, in slices."""


def stack_of(dataset: Dataset, path: Path) -> tuple[Geometry, NDArray[np.intp]]:
    """The grid that spans all frames, and the slice of each frame in it.

    Raises
    ------
    FormatError
        The frames are no regular stack, or nothing says how far apart its slices are; the attribute is named.
    """
    across, down = np.array(_shared(dataset, "PlaneOrientationSequence", "ImageOrientationPatient", path)).reshape(2, 3)
    rows, columns = _shared(dataset, "PixelMeasuresSequence", "PixelSpacing", path)
    positions = _positions(dataset)
    spacing = _spacing(dataset, positions @ np.cross(across, down), path)
    step, slices = _stack(dataset, positions, normal=np.cross(across, down), spacing=spacing)
    affine = np.eye(4)
    first = positions[int(np.argmin(slices))]
    affine[:3] = np.column_stack([step, down * rows, across * columns, first])
    if np.abs(first + np.outer(slices, step) - positions).max() > _WHOLE * spacing:
        raise FormatError("the frames are no regular stack", file=path, attribute="ImagePositionPatient")
    geometry = Geometry(
        shape=(int(slices.max()) + 1, int(dataset.Rows), int(dataset.Columns)),
        affine=affine,
        frame_of_reference_uid=str(dataset.FrameOfReferenceUID),
    )
    return geometry, slices


def _shared(dataset: Dataset, macro: str, keyword: str, path: Path) -> list[float]:
    """What holds for all frames, be it said once for all or for each."""
    items = [part for group in dataset.get("SharedFunctionalGroupsSequence") or () for part in group.get(macro) or ()]
    items = items or [part for group in _groups(dataset) for part in group.get(macro) or ()]
    values = [[float(one) for one in item.get(keyword) or ()] for item in items]
    if not values or not values[0]:
        raise FormatError("does not say it", file=path, attribute=keyword)
    if len({len(one) for one in values}) > 1 or np.ptp(np.array(values), axis=0).max() > _SAME:
        raise FormatError("the frames are no regular stack", file=path, attribute=keyword)
    return values[0]


def _spacing(dataset: Dataset, along: NDArray[Any], path: Path) -> float:
    """Between slices: as it is said, else the thickness of slices where all frames lie whole slices of it apart."""
    holders = [*(dataset.get("SharedFunctionalGroupsSequence") or ()), *_groups(dataset)[:1]]
    measures = next((part for group in holders for part in group.get("PixelMeasuresSequence") or ()), Dataset())
    if measures.get("SpacingBetweenSlices"):
        return float(measures.SpacingBetweenSlices)
    thickness = float(measures.get("SliceThickness") or 0)
    apart = (along - along.min()) / thickness if thickness > 0 else np.full(1, np.nan)
    if not np.abs(apart - np.rint(apart)).max() <= _WHOLE:
        raise FormatError(
            "does not say how far apart its slices are, and slices without a finding may be left out",
            file=path,
            attribute="SpacingBetweenSlices",
        )
    return thickness


def _stack(
    dataset: Dataset, positions: NDArray[Any], *, normal: NDArray[Any], spacing: float
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The step in mm from slice to slice, and the slice of each frame, from 0, in the order of their indices."""
    along = positions @ normal
    order = np.array([_last_index(group) for group in _groups(dataset)])
    first, last = int(np.argmin(along)), int(np.argmax(along))
    if order[first] > order[last]:
        first, last = last, first
    count = round(float(np.linalg.norm(positions[last] - positions[first])) / spacing)
    if count == 0:
        return normal * spacing, np.zeros(len(positions), dtype=np.intp)
    step = (positions[last] - positions[first]) / count
    slices = np.rint((along - along[first]) / float(step @ normal)).astype(np.intp)
    return step, slices


def _last_index(group: Dataset) -> int:
    """The place along the slices, which may be the only dimension, or none; others may count segments last."""
    content = group.get("FrameContentSequence") or [Dataset()]
    values = content[0].get("DimensionIndexValues")
    if values is None:
        return 0
    return int(values if isinstance(values, int) else values[-1])


def _positions(dataset: Dataset) -> NDArray[Any]:
    """(frames, 3), LPS mm of the first voxels."""
    places = [group.PlanePositionSequence[0].ImagePositionPatient for group in _groups(dataset)]
    return np.array(places, dtype=np.float64)


def _groups(dataset: Dataset) -> list[Dataset]:
    return list(dataset.PerFrameFunctionalGroupsSequence)
