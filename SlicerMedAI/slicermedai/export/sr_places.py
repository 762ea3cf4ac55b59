"""Places that reports give in space count in the frame of reference of the image alone (PS3.3 C.18.9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from slicermedai.export.sr_read import ReadGroup, ReadReport


def in_space(reports: Sequence[ReadReport], known: Iterable[str]) -> tuple[list[ReadReport], str, list[str]]:
    """``reports`` without the places of other spaces, the space of those that are left, and what was left out.

    ``known`` are the frames of reference of segmentations and maps. Where there are none, that of the images counts
    that the reports are about; of several, the one that places are in; where they name none, the one that all places
    are in. Where places are in several of the images' no place counts, since nothing says which image is meant.
    """
    wanted = set(filter(None, known)) or {one for report in reports for one in report.spaces}
    said = {one for report in reports for group in report.groups for one in group.spaces}
    wanted = wanted or (said - {""} if len(said) == 1 else set())
    torn = wanted & said if len(wanted) > 1 else set()
    wanted = wanted if len(wanted) == 1 else torn if len(torn) == 1 else set()
    kept = [replace(one, groups=tuple(_placed(group, wanted) for group in one.groups)) for one in reports]
    before, after = (sum(_count(one) for one in these) for these in (reports, kept))
    where = "another frame of reference than the image's, or in none that is named"
    if len(torn) > 1:
        where = "several frames of reference, and nothing says which of them is the image's"
    lost = [f"{before - after} groups have places in {where}: these are not read, and their findings have no place."]
    return kept, next(iter(wanted), ""), lost if before > after else []


def _placed(group: ReadGroup, wanted: set[str]) -> ReadGroup:
    return group if set(group.spaces) <= wanted else replace(group, region=None)


def _count(report: ReadReport) -> int:
    return sum(group.region is not None for group in report.groups)
