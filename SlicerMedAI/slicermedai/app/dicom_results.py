"""Which results of ours lie in Slicer's DICOM database, each whole: what its objects say on their outside.

Only ``database.fileValue`` is asked, which the database keeps ready, and no file is opened for more. No Qt in here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from slicermedai.app.words import Translate, untranslated
from slicermedai.dicom.implementation import MANUFACTURER

TAGS = {
    "classUID": "0008,0016",
    "instanceUID": "0008,0018",
    "contentDate": "0008,0023",
    "contentTime": "0008,0033",
    "modality": "0008,0060",
    "manufacturer": "0008,0070",
    "seriesDescription": "0008,103E",
    "patientID": "0010,0020",
    "softwareVersions": "0018,1020",
    "studyInstanceUID": "0020,000D",
    "seriesInstanceUID": "0020,000E",
    "seriesNumber": "0020,0011",
    "instanceNumber": "0020,0013",
    "frameOfReferenceUID": "0020,0052",
    "stepID": "0040,0253",
    "stepDescription": "0040,0254",
    "verification": "0040,A493",
}
"""What is asked of a file, under the names that Slicer's plugins use, so that the database can keep it ready."""

KINDS = {
    "1.2.840.10008.5.1.4.1.1.66.4": "segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "segmentation",
    "1.2.840.10008.5.1.4.1.1.30": "map",
    "1.2.840.10008.5.1.4.1.1.88.34": "report",
    "1.2.840.10008.5.1.4.1.1.88.33": "report",
}
"""SOP classes that make a result; pages to read and text are Slicer's own to load."""

_SAME = ("patientID", "studyInstanceUID", "softwareVersions", "contentDate", "contentTime", "stepID")
_MODALITIES = ("SEG", "SR", "OT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One result that can be loaded.

    ``files`` are all its objects, first those of the series that the offer stands for. Slicer offers each series to
    all plugins; so there is an offer for each series that was asked about, of which ``is_companion`` marks all but the
    first: they load nothing more, and keep others from loading a part. ``images`` are the SOP Instance UIDs of the
    series that it was computed from, where that is in the database. ``key`` is the same for all offers of a result.
    """

    key: str
    files: tuple[str, ...]
    name: str
    tooltip: str
    warning: str = ""
    images: tuple[str, ...] = ()
    is_companion: bool = False


def find(database: Any, file_lists: Sequence[Sequence[str]], tr: Translate = untranslated) -> list[Offer]:
    """The results that the series in ``file_lists`` belong to, with their objects in other series of the study."""
    asked = [_ours(database, files) for files in file_lists]
    offers: list[Offer] = []
    seen: set[str] = set()
    for files in filter(None, asked):
        for group in _groups(database, _study_files(database, files)).values():
            mine = [path for path in group if path in files]
            if mine:
                offer = _offer(database, [*mine, *[path for path in group if path not in mine]], tr)
                offers.append(_companion(offer, tr) if offer.key in seen else offer)
                seen.add(offer.key)
    return offers


def value(database: Any, path: str, name: str) -> str:
    """One of :data:`TAGS` of a file."""
    return str(database.fileValue(path, TAGS[name]) or "").strip()


def _is_ours(database: Any, path: str) -> bool:
    """Asked in this order, for a series of images answers no at the first."""
    return (
        value(database, path, "modality") in _MODALITIES
        and value(database, path, "manufacturer") == MANUFACTURER
        and value(database, path, "classUID") in KINDS
    )


def _ours(database: Any, files: Sequence[str]) -> list[str]:
    """Those of ours among the files of one series; the first tells, so that images are not asked one by one."""
    if not files or not _is_ours(database, str(files[0])):
        return []
    return [str(path) for path in files if _is_ours(database, str(path))]


def _files(database: Any, series: str) -> list[str]:
    return [str(path) for path in database.filesForSeries(series)]


def _study_files(database: Any, files: Sequence[str]) -> list[str]:
    """All objects of ours in the study of ``files``, in the order of their series."""
    study = value(database, files[0], "studyInstanceUID")
    others = [path for series in database.seriesForStudy(study) for path in _ours(database, _files(database, series))]
    found = {*others, *files}
    return sorted(found, key=lambda path: (_number(database, path, "seriesNumber"), path))


def _groups(database: Any, files: Sequence[str]) -> dict[tuple[str, ...], list[str]]:
    """Files by result. Where several exports of one result cannot be told apart, each series is one of its own."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for path in files:
        groups.setdefault(_identity(database, path), []).append(path)
    apart: dict[tuple[str, ...], list[str]] = {}
    for key, group in groups.items():
        is_mixed = len({_place(database, path) for path in group}) < len(group)
        for path in group:
            series = value(database, path, "seriesInstanceUID") if is_mixed else ""
            apart.setdefault((*key, series), []).append(path)
    return apart


def _identity(database: Any, path: str) -> tuple[str, ...]:
    """What all objects of a result share; the series' number says of which source series they are."""
    source = str(_number(database, path, "seriesNumber") // 100)
    return (*(value(database, path, name) for name in _SAME), source)


def _place(database: Any, path: str) -> tuple[str, str, str]:
    kind = value(database, path, "seriesNumber"), value(database, path, "classUID")
    return (*kind, value(database, path, "instanceNumber"))


def _number(database: Any, path: str, name: str) -> int:
    try:
        return int(value(database, path, name))
    except ValueError:
        return 0


def _offer(database: Any, files: list[str], tr: Translate) -> Offer:
    uids = sorted(value(database, path, "instanceUID") for path in files)
    trust = _trust(database, files, tr)
    algorithm = _algorithm(database, files[0])
    kinds = [tr(one) for one in dict.fromkeys(KINDS[value(database, path, "classUID")] for path in files)]
    tooltip = tr("{algorithm}: {trust}. Made {when}. Not a medical device, not for primary diagnosis. Holds: {kinds}.")
    return Offer(
        key=f"dicom-{hashlib.sha256(' '.join(uids).encode()).hexdigest()[:24]}",
        files=tuple(files),
        name=f"{algorithm} ({trust})",
        tooltip=tooltip.format(
            algorithm=algorithm, trust=trust, when=_when(database, files[0]), kinds=", ".join(kinds)
        ),
        warning=_lacking(kinds, tr),
        images=_images(database, files),
    )


def _companion(offer: Offer, tr: Translate) -> Offer:
    name = tr("{name}: part of the result above").format(name=offer.name)
    return Offer(
        key=offer.key,
        files=offer.files,
        name=name,
        tooltip=offer.tooltip,
        images=offer.images,
        is_companion=True,
    )


def _algorithm(database: Any, path: str) -> str:
    """Name and version: the second of the Software Versions, or what the series is called."""
    versions = value(database, path, "softwareVersions").split("\\")
    return f"MedAI {versions[1].strip()}" if len(versions) > 1 else value(database, path, "seriesDescription")


def _trust(database: Any, files: Sequence[str], tr: Translate) -> str:
    """What the objects say of calibration and verification, in the words of their step; the least that is sure."""
    said = value(database, files[0], "stepDescription").split(", ")
    calibration = next((one for one in ("not calibrated", "partly calibrated", "calibrated") if one in said), "")
    words = {
        "not calibrated": tr("not calibrated"),
        "partly calibrated": tr("partly calibrated"),
        "calibrated": tr("calibrated"),
        "": tr("calibration is told once it is loaded"),
    }
    is_verified = "VERIFIED" in [value(database, path, "verification") for path in files] or "verified" in said
    standing = tr("verified by a person") if is_verified else tr("UNVERIFIED")
    return ", ".join((words[calibration], standing, tr("research use only")))


def _when(database: Any, path: str) -> str:
    day, time = value(database, path, "contentDate"), value(database, path, "contentTime")
    return f"{day[:4]}-{day[4:6]}-{day[6:8]} {time[:2]}:{time[2:4]}:{time[4:6]}"


def _lacking(kinds: Sequence[str], tr: Translate) -> str:
    """A report alone may have its segmentation elsewhere; loading says which numbers have no place then."""
    if tr("report") in kinds:
        return ""
    return tr("No report is here: numbers, calibration and what must be read first are missing.")


def _images(database: Any, files: Sequence[str]) -> tuple[str, ...]:
    """The images of the source series: the only one in the study of that number that is not of ours."""
    number = _number(database, files[0], "seriesNumber") // 100
    found = [series for series in _series_of(database, files[0]) if _is_source(database, series, number)]
    return tuple(str(uid) for uid in database.instancesForSeries(found[0])) if len(found) == 1 and number else ()


def _series_of(database: Any, path: str) -> Iterator[str]:
    yield from map(str, database.seriesForStudy(value(database, path, "studyInstanceUID")))


def _is_source(database: Any, series: str, number: int) -> bool:
    files = _files(database, series)
    return bool(files) and not _is_ours(database, files[0]) and _number(database, files[0], "seriesNumber") == number
