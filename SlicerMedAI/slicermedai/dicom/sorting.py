"""Files of many studies, sorted by study before anything is read of them: copies are left out, conflicts are told.

Nothing is lost on the way: each file is in one study, a copy, no DICOM image, or a stray that is told by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from slicermedai.dicom.files import READ_ERRORS, Header, NotAnImage, quiet, read_header, text_of
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.storage import sha256_file

_NAMES = ("StudyInstanceUID", "SOPInstanceUID")
_LATER = ("SeriesInstanceUID", "Rows")
"""Attributes that come later in a file than those of :data:`_NAMES`, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFiles:
    """The images of one study, and its damaged files, wherever they lie.

    ``copies`` are byte-identical files of an object that is among ``files``; ``conflicts`` are all files that share a
    SOP Instance UID with other bytes (PS3.5 9: a UID names one object), which are among ``files`` too.
    """

    uid: str
    files: tuple[Path, ...]
    copies: tuple[Path, ...] = ()
    conflicts: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """``strays`` should hold images, are damaged, and nothing says of which study; ``others`` counts other files."""

    studies: tuple[StudyFiles, ...]
    strays: tuple[Path, ...] = ()
    others: int = 0


def sort_files(paths: Iterable[Path], *, progress: Progress = silent) -> Sorted:
    """Sort ``paths`` by Study Instance UID; pixels are not read, but those of files with one SOP Instance UID.

    A damaged file whose header does not say its study belongs to each study that has files in its folder.
    """
    paths = list(paths)
    named: dict[str, dict[str, list[Path]]] = {}
    lost: list[Path] = []
    others = 0
    for index, path in enumerate(paths):
        progress("scan", index / len(paths))
        names = _names_of(path)
        if names is None:
            others += 1
        elif names[0]:
            named.setdefault(names[0], {}).setdefault(names[1] or str(path), []).append(path)
        else:
            lost.append(path)
    by_folder = _folders(named)
    strays = tuple(path for path in lost if path.parent not in by_folder)
    studies = [
        _study(uid, objects, [p for p in lost if uid in by_folder.get(p.parent, ())]) for uid, objects in named.items()
    ]
    return Sorted(studies=tuple(studies), strays=strays, others=others)


def _names_of(path: Path) -> tuple[str, str] | None:
    """(study, instance), "" where unknown; None for what is no image. An image without study is a study by folder."""
    found = read_header(path)
    if isinstance(found, NotAnImage):
        return None
    if isinstance(found, Header):
        study, instance = (text_of(found.dataset, name) for name in _NAMES)
        return study or f"folder {path.parent}", instance
    study, instance, _ = damaged_names(path)
    return study, instance


def damaged_names(path: Path) -> tuple[str, str, str]:
    """Study, SOP and Series Instance UID that a damaged file still says of itself, "" each where it does not.

    Where a file ends within a value, that value is short and nothing says so: one is believed where later ones follow.
    """
    try:
        with quiet():
            header = dcmread(path, stop_before_pixels=True, specific_tags=[*_NAMES, *_LATER], force=True)
    except READ_ERRORS:
        return "", "", ""
    study, instance, series = (text_of(header, name) for name in (*_NAMES, _LATER[0]))
    if _LATER[1] in header:
        return study, instance, series
    return (study, instance, "") if series else ("", "", "")


def _folders(named: Mapping[str, Mapping[str, list[Path]]]) -> dict[Path, set[str]]:
    found: dict[Path, set[str]] = {}
    for uid, objects in named.items():
        for path in (path for paths in objects.values() for path in paths):
            found.setdefault(path.parent, set()).add(uid)
    return found


def _study(uid: str, objects: Mapping[str, list[Path]], damaged: list[Path]) -> StudyFiles:
    files, copies, conflicts = list(damaged), [], []
    for paths in objects.values():
        first = {sha256_file(path): path for path in sorted(paths, reverse=True)} if len(paths) > 1 else {"": paths[0]}
        kept = sorted(first.values())
        files += kept
        copies += sorted(set(paths) - set(kept))
        conflicts += kept if len(kept) > 1 else []
    return StudyFiles(uid=uid, files=tuple(sorted(files)), copies=tuple(copies), conflicts=tuple(conflicts))
