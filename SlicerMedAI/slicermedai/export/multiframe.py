"""Functional groups of the multi-frame objects that we write (PS3.3 C.7.6.16, C.7.6.17)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag

from slicermedai.dicom.decimals import decimal_string
from slicermedai.domain.codes import Code
from slicermedai.domain.geometry import Geometry
from slicermedai.export.codes import PROCESSED_FROM, concept
from slicermedai.export.source import SourceFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame to be written: the slice of the grid (from 0) and, for a BINARY segmentation, the segment (from 1).

    ``segment`` is 0 where a frame holds all segments.
    """

    index: int
    segment: int = 0


def decimal_strings(values: ArrayLike) -> list[str]:
    """DS texts of at most 16 characters, rounding noise below 1e-13 taken away."""
    numbers = np.asarray(values, dtype=np.float64)
    return [decimal_string(v) for v in np.where(np.abs(numbers) < 1e-13, 0.0, numbers)]


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


def encoded_groups(
    frames: Sequence[Frame], geometry: Geometry, *, sources: Sequence[SourceFrame], derived: Code
) -> bytes:
    """The Per-frame Functional Groups Sequence (5200,9230) of ``frames`` in Explicit VR Little Endian.

    Each frame has its place, its segment, and its origin: ``sources`` has the image plane of each slice, ``derived``
    says how the frame was made of it. A slice and a segment are encoded once, for thousands of frames are made of them.
    """
    order = {index: place for place, index in enumerate(sorted({frame.index for frame in frames}), 1)}
    origin = _origins(derived)
    slices = {index: (origin(sources[index]), _place(geometry, index)) for index in order}
    segments = {number: _of_segment(number) for number in {frame.segment for frame in frames}}
    items = []
    for frame in frames:
        (made_of, place), (content, segment) = slices[frame.index], segments[frame.segment]
        parts = (made_of, content, struct.pack("<L", order[frame.index]), place, segment)
        items.append(_item_header(sum(map(len, parts))))
        items += parts
    return _sequence(0x5200, 0x9230, b"".join(items))


def _place(geometry: Geometry, index: int) -> bytes:
    position = decimal_strings(geometry.to_lps((index, 0, 0)))
    return encoded(item(PlanePositionSequence=[item(ImagePositionPatient=position)]))


def _of_segment(segment: int) -> tuple[bytes, bytes]:
    """Frame content up to the place along the slices, which follows as 4 bytes, and the segment of the frame."""
    values = [*([segment] if segment else []), 0]
    content = encoded(item(FrameContentSequence=[item(DimensionIndexValues=values)]))[:-4]
    if not segment:
        return content, b""
    return content, encoded(item(SegmentIdentificationSequence=[item(ReferencedSegmentNumber=segment)]))


def _origins(code: Code) -> Callable[[SourceFrame], bytes]:
    """:func:`derivation` as it is encoded; what all frames say alike is encoded once."""
    purpose = encoded(_purpose())
    derived = encoded(item(DerivationCodeSequence=[concept(code)]))

    def origin(source: SourceFrame) -> bytes:
        image = encoded(_reference(source)) + purpose
        images = _sequence(0x0008, 0x2112, _item_header(len(image)) + image)
        return _sequence(0x0008, 0x9124, _item_header(len(images) + len(derived)) + images + derived)

    return origin


def encoded(dataset: Dataset) -> bytes:
    """The elements of ``dataset`` in Explicit VR Little Endian."""
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = False, True
    write_dataset(stream, dataset)
    return bytes(stream.getvalue())


def _sequence(group: int, element: int, items: bytes) -> bytes:
    return struct.pack("<HH2sHL", group, element, b"SQ", 0, len(items)) + items


def _item_header(length: int) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, length)


def derivation(source: SourceFrame, code: Code) -> Dataset:
    """How a frame was derived, and from which image plane (C.7.6.16.2.6)."""
    image = _reference(source)
    image.update(_purpose())
    return item(SourceImageSequence=[image], DerivationCodeSequence=[concept(code)])


def _reference(source: SourceFrame) -> Dataset:
    image = sop_reference(source.sop_class_uid, source.sop_instance_uid)
    if source.number is not None:
        image.ReferencedFrameNumber = source.number
    return image


def _purpose() -> Dataset:
    return item(SpatialLocationsPreserved="YES", PurposeOfReferenceCodeSequence=[concept(PROCESSED_FROM)])


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
