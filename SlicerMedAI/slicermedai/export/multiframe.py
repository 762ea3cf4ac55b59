"""Functional groups of the multi-frame objects that we write (PS3.3 C.7.6.16, C.7.6.17)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import format_number_as_ds

from slicermedai.domain.codes import Code
from slicermedai.domain.geometry import Geometry
from slicermedai.export.codes import PROCESSED_FROM, concept
from slicermedai.export.source import SourceFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame to be written: the slice of the grid (from 0) and, for a BINARY segmentation, the segment (from 1)."""

    index: int
    segment: int | None = None


def decimal_strings(values: ArrayLike) -> list[str]:
    """DS texts of at most 16 characters, rounding noise below 1e-13 taken away."""
    numbers = np.asarray(values, dtype=np.float64)
    return [format_number_as_ds(float(v)) for v in np.where(np.abs(numbers) < 1e-13, 0.0, numbers)]


def item(**values: object) -> Dataset:
    """A data set of ``keyword=value``."""
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def shared_groups(geometry: Geometry) -> Dataset:
    """Orientation and spacing, the same for all frames (C.7.6.16.2.1, C.7.6.16.2.4)."""
    slices, rows, columns = decimal_strings(geometry.spacing)
    across, down = geometry.directions[:, 2], geometry.directions[:, 1]
    return item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=decimal_strings([*across, *down]))],
        PixelMeasuresSequence=[
            item(PixelSpacing=[rows, columns], SliceThickness=slices, SpacingBetweenSlices=slices),
        ],
    )


def frame_groups(frame: Frame, geometry: Geometry, *, order: int, source: Dataset) -> Dataset:
    """What is a frame's own: its place, its segment, its source; ``order`` is its place along the slices, from 1."""
    position = decimal_strings(geometry.to_lps((frame.index, 0, 0)))
    made = item(
        FrameContentSequence=[item(DimensionIndexValues=[*([frame.segment] if frame.segment else []), order])],
        PlanePositionSequence=[item(ImagePositionPatient=position)],
        DerivationImageSequence=[source],
    )
    if frame.segment is not None:
        made.SegmentIdentificationSequence = [item(ReferencedSegmentNumber=frame.segment)]
    return made


def derivation(source: SourceFrame, code: Code) -> Dataset:
    """How a frame was derived, and from which image plane (C.7.6.16.2.6)."""
    image = item(
        ReferencedSOPClassUID=source.sop_class_uid,
        ReferencedSOPInstanceUID=source.sop_instance_uid,
        PurposeOfReferenceCodeSequence=[concept(PROCESSED_FROM)],
        SpatialLocationsPreserved="YES",
    )
    if source.number is not None:
        image.ReferencedFrameNumber = source.number
    return item(SourceImageSequence=[image], DerivationCodeSequence=[concept(code)])


_BY_SEGMENT = ("ReferencedSegmentNumber", "SegmentIdentificationSequence", "Segment")
_BY_POSITION = ("ImagePositionPatient", "PlanePositionSequence", "Position")


def dimensions(uid: str, *, by_segment: bool = True) -> Dataset:
    """Frames are told apart by segment, where each has its own, then by place along the slices (C.7.6.17)."""
    pointers = (_BY_SEGMENT, _BY_POSITION) if by_segment else (_BY_POSITION,)
    return item(
        DimensionOrganizationSequence=[item(DimensionOrganizationUID=uid)],
        DimensionIndexSequence=[
            item(
                DimensionOrganizationUID=uid,
                DimensionIndexPointer=Tag(pointer),
                FunctionalGroupPointer=Tag(group),
                DimensionDescriptionLabel=label,
            )
            for pointer, group, label in pointers
        ],
    )


def referenced_series(series_uid: str, frames: tuple[SourceFrame, ...]) -> list[Dataset]:
    """Common Instance Reference (C.12.2): each source instance once."""
    instances = dict.fromkeys((frame.sop_class_uid, frame.sop_instance_uid) for frame in frames)
    return [item(SeriesInstanceUID=series_uid, ReferencedInstanceSequence=[sop_reference(*one) for one in instances])]


def sop_reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """A reference to one instance (PS3.3 table 10-11)."""
    return item(ReferencedSOPClassUID=sop_class_uid, ReferencedSOPInstanceUID=sop_instance_uid)
