"""Label maps and their BINARY twins among what is to be sent: an archive gets the one that it takes.

The SOP class Label Map Segmentation is newer than most archives. Two segmentations are twins that have the same
segments, by TrackingUID, of the same series.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from slicermedai.dicom.files import READ_ERRORS, quiet

_LABEL_MAP, _BINARY = "1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.66.4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """``files`` to queue, and for label maps the twin that goes in their place where they are not taken."""

    files: tuple[Path, ...]
    fallbacks: dict[Path, Path]


def with_twins(files: Sequence[Path]) -> Sending:
    """A twin is held back, and sent in its label map's place alone, unless another object cites it: it must not dangle.

    Files that cannot be read stay among ``files``, for the outbox to refuse by name.
    """
    found = {path: dataset for path in files if (dataset := _read(path)) is not None}
    twins = {_segments(one): path for path, one in found.items() if one.get("SOPClassUID") == _BINARY}
    maps = [path for path, one in found.items() if one.get("SOPClassUID") == _LABEL_MAP]
    fallbacks = {path: twins[key] for path in maps if (key := _segments(found[path])) in twins}
    cited = {uid for dataset in found.values() for uid in _cited(dataset)} if fallbacks else set()
    held = {path for path in fallbacks.values() if str(found[path].SOPInstanceUID) not in cited}
    return Sending(files=tuple(path for path in files if path not in held), fallbacks=fallbacks)


def _read(path: Path) -> Dataset | None:
    try:
        with quiet():
            return dcmread(path, stop_before_pixels=True)
    except READ_ERRORS:  # the outbox reads it again, and says what is wrong
        return None


def _segments(dataset: Dataset) -> tuple[str, ...]:
    tracked = (str(one.get("TrackingUID", "")) for one in dataset.get("SegmentSequence") or ())
    series = (str(one.get("SeriesInstanceUID", "")) for one in dataset.get("ReferencedSeriesSequence") or ())
    return (str(dataset.get("StudyInstanceUID", "")), *series, *sorted(filter(None, tracked)))


def _cited(dataset: Dataset) -> Iterator[str]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _cited(item)
        elif element.keyword == "ReferencedSOPInstanceUID":
            yield str(element.value)
