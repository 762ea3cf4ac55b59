"""Which source image each slice of a grid came from; what is not the source's own grid is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from slicermedai.domain.geometry import Geometry
from slicermedai.errors import FormatError
from slicermedai.export.context import ExportContext

_FloatArray = NDArray[np.float64]
_SAME_PLACE = 1e-3
"""mm within which two planes lie at one place."""
_PLANE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceFrame:
    """One source image plane: its instance, its frame in it (from 1; None in a single-frame image), its place.

    ``position`` is LPS mm of the first voxel; ``axes`` is 3 x 2, the steps in mm along rows and along columns.
    """

    sop_class_uid: str
    sop_instance_uid: str
    number: int | None
    position: _FloatArray
    axes: _FloatArray
    size: tuple[int, int]


def source_frames(context: ExportContext, geometry: Geometry) -> tuple[SourceFrame, ...]:
    """The source plane of each slice of ``geometry``, in its order.

    A plane belongs to a slice where its size is the same, and its corners lie within a quarter of a voxel: a series
    whose spacing varies a little is still itself, a resampled one is not.

    Raises
    ------
    FormatError
        The grid is sheared, is not the source's, a header lacks what places it, or several planes lie at a slice and
        the result does not say which it was made of; the attribute is named.
    """
    if not geometry.is_orthogonal:
        raise FormatError(
            "the slices of the result lean (a tilted gantry), and segmentations are read as upright stacks",
            attribute="ImageOrientationPatient",
            advice="Run again with the tilt resampled, or export as csv.",
        )
    _check_space(context.headers[0], geometry)
    frames = source_planes(context)
    positions = np.array([frame.position for frame in frames])
    return tuple(_nearest(frames, positions, geometry, index) for index in range(geometry.shape[0]))


def source_planes(context: ExportContext) -> list[SourceFrame]:
    """The image planes that were analysed, in the order of the headers and their frames.

    Raises
    ------
    FormatError
        A header lacks what places it, or there are no such planes; the attribute is named.
    """
    planes = [frame for header in context.headers for frame in _frames(header) if _is_chosen(frame, context)]
    if not planes:
        raise FormatError("the source has none of the frames that the result is of", attribute="ReferencedFrameNumber")
    return planes


def _is_chosen(frame: SourceFrame, context: ExportContext) -> bool:
    """An image of one frame is that frame, even where somebody cites it by the number 1."""
    return frame.number is None or frame.number in context.chosen.get(frame.sop_instance_uid, (frame.number,))


def _check_space(header: Dataset, geometry: Geometry) -> None:
    space = str(header.get("FrameOfReferenceUID", ""))
    if geometry.frame_of_reference_uid not in ("", space):
        raise FormatError("the result lies in another space than its source", attribute="FrameOfReferenceUID")


def _nearest(frames: list[SourceFrame], positions: _FloatArray, geometry: Geometry, index: int) -> SourceFrame:
    wanted = geometry.to_lps((index, 0, 0))
    away = ((positions - wanted) ** 2).sum(axis=1)
    frame = frames[int(np.argmin(away))]
    if frame.size != geometry.shape[1:]:
        raise FormatError(
            f"the result has {geometry.shape[1]} x {geometry.shape[2]} voxels in a slice, its source "
            f"{frame.size[0]} x {frame.size[1]}",
            attribute="Rows, Columns",
            advice="Results on a resampled grid are not written yet; map the result back onto its source.",
        )
    if _shift(frame, geometry, index) > 0.25:
        raise FormatError(
            f"slice {index + 1} of the result lies on no image of its source",
            attribute="ImagePositionPatient",
            advice="Results on a resampled grid are not written yet; map the result back onto its source.",
        )
    if sum(_lies_alike(frames[int(one)], frame) for one in np.flatnonzero(away <= away.min() + _SAME_PLACE**2)) > 1:
        raise FormatError(
            f"several images of the source lie at slice {index + 1} of the result, which does not say of which it was "
            "made",
            attribute="ReferencedFrameNumber",
            advice="Run again on the stack that is meant.",
        )
    return frame


def _lies_alike(one: SourceFrame, other: SourceFrame) -> bool:
    return one.size == other.size and np.allclose(one.axes, other.axes, atol=_SAME_PLACE)


def _shift(frame: SourceFrame, geometry: Geometry, index: int) -> float:
    """The largest distance, in voxels along any axis, between the corners of ``frame`` and of a slice."""
    rows, columns = frame.size
    ends = np.array([(0, 0), (rows - 1, 0), (0, columns - 1), (rows - 1, columns - 1)], dtype=np.float64)
    corners = frame.position + ends @ frame.axes[:, ::-1].T
    wanted = np.column_stack([np.full(4, index), ends])
    return float(np.abs(geometry.to_index(corners) - wanted).max())


def _frames(header: Dataset) -> Iterator[SourceFrame]:
    if "PerFrameFunctionalGroupsSequence" not in header:
        yield _frame(header, {keyword: _required(header, keyword) for keyword in _PLANE}, None)
        return
    shared = _planes(_required(header, "SharedFunctionalGroupsSequence")[0])
    for number, group in enumerate(header.PerFrameFunctionalGroupsSequence, 1):
        yield _frame(header, shared | _planes(group), number)


def _planes(group: Dataset) -> dict[str, Any]:
    """Position, orientation and spacing, as far as one item of functional groups has them (C.7.6.16.2)."""
    macros = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
    items = [group[macro][0] for macro in macros if group.get(macro)]
    return {keyword: item[keyword].value for item in items for keyword in _PLANE if keyword in item}


def _frame(header: Dataset, plane: dict[str, Any], number: int | None) -> SourceFrame:
    missing = [keyword for keyword in _PLANE if keyword not in plane]
    if missing:
        raise FormatError("the source does not say it", attribute=missing[0])
    cosines = np.array(plane["ImageOrientationPatient"], dtype=np.float64)
    spacing = np.array(plane["PixelSpacing"], dtype=np.float64)
    return SourceFrame(
        sop_class_uid=str(_required(header, "SOPClassUID")),
        sop_instance_uid=str(_required(header, "SOPInstanceUID")),
        number=number,
        position=np.array(plane["ImagePositionPatient"], dtype=np.float64),
        axes=np.column_stack([cosines[:3] * spacing[1], cosines[3:] * spacing[0]]),
        size=(int(_required(header, "Rows")), int(_required(header, "Columns"))),
    )


def _required(header: Dataset, keyword: str) -> Any:
    value = header.get(keyword)
    if value is None or value == "":
        raise FormatError("the source does not say it", attribute=keyword)
    return value
