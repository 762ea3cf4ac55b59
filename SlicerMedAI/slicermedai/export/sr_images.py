"""What reports say of the images that they are about, in their Image Library (PS3.16 TID 1600 to 1604)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pydicom.dataset import Dataset

from slicermedai.dicom.implementation import MANUFACTURER
from slicermedai.domain.codes import Code
from slicermedai.domain.study import InstanceRef, SeriesRef
from slicermedai.export.codes import FRAME_OF_REFERENCE, IMAGE_LIBRARY
from slicermedai.export.sr_sites import children_of, name_of

OVER_TIME = " over time"
"""Ends the Tracking Identifiers of numbers that are of several frames."""
_GROUP = Code(value="125007", scheme="DCM", meaning="Measurement Group")
_TRACKED = Code(value="112039", scheme="DCM", meaning="Tracking Identifier")


def spaces_of(report: Dataset) -> tuple[str, ...]:
    """The frames of reference of the images, each once."""
    said = (str(one.get("UID") or "") for one in _library(report) if name_of(one) == FRAME_OF_REFERENCE)
    return tuple(dict.fromkeys(filter(None, said)))


def is_course(report: Dataset) -> bool:
    """True for our report of what a series over time gave, whose numbers are of several frames."""
    groups = [one for part in children_of(report) for one in children_of(part) if name_of(one) == _GROUP]
    said = [str(one.get("TextValue", "")) for group in groups for one in children_of(group) if name_of(one) == _TRACKED]
    return said != [] and report.get("Manufacturer") == MANUFACTURER and all(one.endswith(OVER_TIME) for one in said)


def with_frames(series: Iterable[SeriesRef], reports: Iterable[Dataset]) -> tuple[SeriesRef, ...]:
    """``series`` with the numbers of those frames of their instances that ``reports`` name; without names, all are.

    All that one report names count, and all that several do. What is of several frames by its nature does not.
    """
    named: dict[str, set[int]] = {}
    for uid, frames in (one for report in reports for one in _frames(report).items()):
        named.setdefault(uid, set()).update(frames)

    def chosen(one: InstanceRef) -> InstanceRef:
        frames = named.get(one.sop_instance_uid)
        return one if frames is None else replace(one, chosen=tuple(sorted(frames)))

    return tuple(replace(one, instances=tuple(map(chosen, one.instances))) for one in series)


def told_apart(reports: Iterable[Dataset]) -> list[str]:
    """A sentence where reports name other frames of one image than others do."""
    named: dict[str, set[frozenset[int]]] = {}
    for uid, frames in (one for report in reports for one in _frames(report).items()):
        named.setdefault(uid, set()).add(frozenset(frames))
    torn = sum(len(frames) > 1 for frames in named.values())
    return [f"{torn} images are cited with other frames in one report than in another; all of these count."] * bool(
        torn
    )


def _frames(report: Dataset) -> dict[str, set[int]]:
    """By SOP Instance UID, the numbers of frames that its library names; nothing of a course."""
    found: dict[str, set[int]] = {}
    for cited in () if is_course(report) else _cited(report):
        numbers = cited.get("ReferencedFrameNumber")
        if numbers:
            listed = [numbers] if isinstance(numbers, int) else numbers
            found.setdefault(str(cited.ReferencedSOPInstanceUID), set()).update(int(number) for number in listed)
    return found


def _cited(report: Dataset) -> Iterator[Dataset]:
    return (cited for one in _library(report) for cited in one.get("ReferencedSOPSequence") or ())


def _library(report: Dataset) -> Iterator[Dataset]:
    """All content of the Image Library, its groups and what they hold."""
    for part in children_of(report):
        if name_of(part) == IMAGE_LIBRARY:
            yield from _below(part)


def _below(item: Dataset) -> Iterator[Dataset]:
    for child in children_of(item):
        yield child
        yield from _below(child)
