"""What reports say of the images that they are about, in their Image Library (PS3.16 TID 1600 to 1604)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pydicom.dataset import Dataset

from slicermedai.domain.study import InstanceRef, SeriesRef
from slicermedai.export.codes import FRAME_OF_REFERENCE, IMAGE_LIBRARY
from slicermedai.export.sr_sites import children_of, name_of


def spaces_of(report: Dataset) -> tuple[str, ...]:
    """The frames of reference of the images, each once."""
    said = (str(one.get("UID") or "") for one in _library(report) if name_of(one) == FRAME_OF_REFERENCE)
    return tuple(dict.fromkeys(filter(None, said)))


def with_frames(series: Iterable[SeriesRef], reports: Iterable[Dataset]) -> tuple[SeriesRef, ...]:
    """``series`` with the numbers of those frames of their instances that ``reports`` name; without names, all are."""
    named = {uid: frames for report in reports for uid, frames in _frames(report)}

    def chosen(one: InstanceRef) -> InstanceRef:
        return replace(one, chosen=named.get(one.sop_instance_uid, one.chosen))

    return tuple(replace(one, instances=tuple(map(chosen, one.instances))) for one in series)


def _frames(report: Dataset) -> Iterator[tuple[str, tuple[int, ...]]]:
    for one in _library(report):
        for cited in one.get("ReferencedSOPSequence") or ():
            numbers = cited.get("ReferencedFrameNumber")
            if numbers:
                listed = [numbers] if isinstance(numbers, int) else numbers
                yield str(cited.ReferencedSOPInstanceUID), tuple(int(number) for number in listed)


def _library(report: Dataset) -> Iterator[Dataset]:
    """All content of the Image Library, its groups and what they hold."""
    for part in children_of(report):
        if name_of(part) == IMAGE_LIBRARY:
            yield from _below(part)


def _below(item: Dataset) -> Iterator[Dataset]:
    for child in children_of(item):
        yield child
        yield from _below(child)
