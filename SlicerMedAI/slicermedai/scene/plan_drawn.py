"""The voxels of a segment, read where they lie and nowhere else: large images take a moment, not a second."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import slicer
import vtk

from slicermedai.domain.finding import PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.scene.volumes import LPS_TO_RAS, from_matrix, voxels_of

_LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
_ALIKE = 1e-3


def drawn_part(node: Any, uid: str, geometry: Geometry) -> PackedMask | None:
    """The segment ``uid`` on ``geometry``; None where it has to be resampled for that, or reaches beyond it."""
    segment = node.GetSegmentation().GetSegment(uid)
    image = segment.GetRepresentation(_LABELMAP) if segment is not None else None
    if image is None or image.GetPointData().GetScalars() is None or node.GetParentTransformNode() is not None:
        return None
    start = _start(image, geometry)
    if start is None:
        return None
    array = voxels_of(image) == segment.GetLabelValue()
    grid = geometry.cropped(_whole(start), _whole(start + np.array(array.shape)))
    part = PackedMask.from_array(array, grid)
    low, high = start + np.array(part.start), start + np.array(part.stop)
    if not array.any():
        return PackedMask(bits=part.bits, start=(0, 0, 0), stop=(0, 0, 0), geometry=geometry)
    if (low < 0).any() or (high > geometry.shape).any():
        return None
    return replace(part, start=_whole(low), stop=_whole(high), geometry=geometry)


def _start(image: Any, geometry: Geometry) -> Any | None:
    """Where the image begins in ``geometry``, (slice, row, column); None where it lies on other voxels."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    own, wanted = LPS_TO_RAS @ from_matrix(matrix), geometry.ijk_to_lps
    if np.abs(own[:3, :3] - wanted[:3, :3]).max() > _ALIKE * geometry.spacing.min() / max(geometry.shape):
        return None
    offset = np.linalg.solve(wanted[:3, :3], own[:3, 3] - wanted[:3, 3])
    if np.abs(offset - np.rint(offset)).max() > _ALIKE:
        return None
    return (np.rint(offset).astype(int) + np.array(image.GetExtent()[0::2]))[::-1]


def _whole(values: Any) -> tuple[int, int, int]:
    return int(values[0]), int(values[1]), int(values[2])
