"""What a cohort is made of: a DICOM folder, a table, or studies that a caller hands over as lists of files.

A table is CSV with the column ``path`` (a folder or file of one study, relative to the table), and optionally
``patient`` (a Patient ID, for images that do not say whose they are). NIfTI, NRRD and MetaImage files are cases as they
are: rules look at DICOM alone.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from slicermedai.batch.choosing import Choice, Image
from slicermedai.dicom.inputs import IMAGE_SUFFIXES
from slicermedai.dicom.series import list_files
from slicermedai.dicom.sorting import Sorted, StudyFiles, sort_files
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.storage import sha256_file
from slicermedai.errors import InputError, NoImagesError, UnreadableFileError

Source = str | Path | Sequence[Sequence[str | Path]]
"""A folder, a table, or for each study the list of its files (as ``slicer.dicomDatabase`` has them)."""
_HEADERS = (".mhd", ".nhdr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What was found. ``plain`` are no DICOM, ``strays`` damaged and of no study, ``others`` counts no images."""

    studies: tuple[StudyFiles, ...]
    plain: tuple[Choice, ...]
    strays: tuple[Path, ...]
    others: int


def list_studies(source: Source, *, progress: Progress = silent) -> Listed:
    """All studies in ``source``.

    Raises
    ------
    UnreadableFileError, InputError
        It does not exist, or is a table that cannot be read; the column is named.
    NoImagesError
        Nothing there is an image.
    """
    paths, patients = _paths(source)
    plain = [path for path in paths if path.name.lower().endswith(IMAGE_SUFFIXES)]
    found = sort_files([path for path in paths if path not in set(plain)], progress=progress)
    if not (found.studies or plain or found.strays):
        raise NoImagesError("no image is there", file=None if _is_lists(source) else str(source))
    return _listed(found, plain, patients)


def stray(path: Path) -> Choice:
    """A damaged file that says of no study, as a study that cannot be run: it is accounted for like any other."""
    return Choice(
        study_uid=f"file {_digest(path)}",
        study_time="",
        who={"PatientID": ""},
        refused="a damaged file that does not say of which study it is",
    )


def _listed(found: Sorted, plain: Sequence[Path], patients: Mapping[Path, str]) -> Listed:
    return Listed(
        studies=found.studies,
        plain=tuple(_plain(path, patients.get(path, "")) for path in plain),
        strays=found.strays,
        others=found.others,
    )


def _plain(path: Path, patient: str) -> Choice:
    choice = Choice(study_uid=f"file {_digest(path)}", study_time="", who={"PatientID": patient})
    try:
        digest = _content_of(path)
    except OSError as error:
        return replace(choice, refused=f"cannot be read ({type(error).__name__})")
    return replace(choice, images=(Image(name="", files=(path,), digest=digest),))


def _content_of(path: Path) -> str:
    """Hash of the file, and for a mere header also of the files beside it that hold its voxels: those that it names, or
    all where it names them by a pattern.
    """
    if not path.name.lower().endswith(_HEADERS):
        return sha256_file(path)
    text = path.read_bytes()
    beside = sorted(one for one in path.parent.iterdir() if one != path and one.is_file())
    named = [one for one in beside if one.name.encode() in text or b"%" in text]
    return hashlib.sha256("\n".join(map(sha256_file, (path, *named))).encode()).hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]


def _paths(source: Source) -> tuple[list[Path], dict[Path, str]]:
    if not isinstance(source, (str, Path)):
        return _unique(Path(path) for study in source for path in list_files(list(study))), {}
    place = Path(source).expanduser()
    if place.is_file() and place.suffix.lower() == ".csv":
        return _of_table(place)
    return _unique(list_files(place)), {}


def _of_table(table: Path) -> tuple[list[Path], dict[Path, str]]:
    found: list[Path] = []
    patients: dict[Path, str] = {}
    for number, row in enumerate(_rows(table), 2):
        if not row.get("path"):
            raise InputError(f"line {number} has no path", file=table, attribute="path")
        files = list_files(table.parent / row["path"])
        found += files
        patients |= {file.absolute(): row.get("patient", "") for file in files}
    return _unique(found), patients


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            rows = [{(k or "").strip(): (v or "").strip() for k, v in row.items()} for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise UnreadableFileError(f"cannot be read as a table ({type(error).__name__})", file=table) from error
    if rows and "path" not in rows[0]:
        raise InputError("the table lacks a column", file=table, attribute="path", advice="Name a column 'path'.")
    return rows


def _unique(paths: Iterable[Path]) -> list[Path]:
    return list(dict.fromkeys(path.absolute() for path in paths))


def _is_lists(source: Source) -> bool:
    return not isinstance(source, (str, Path))
