"""What was written: each file with its size and hash, and what it is for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import quote

from slicermedai.errors import OutputError
from slicermedai.report.markup import Html, code, join, section, table, tag
from slicermedai.report.people import size

MANY = 8  # files of one folder from which on they are folded away
_WORDS: tuple[tuple[str, str], ...] = (
    ("dicom/source/*", "De-identified copy of a source image; all else was computed from these"),
    ("dicom/*seg*.dcm", "DICOM Segmentation: the regions, for PACS and viewers"),
    ("dicom/*sr*.dcm", "DICOM Structured Report (TID 1500): the measurements, coded, referring to the regions"),
    ("dicom/*.dcm", "DICOM object with results"),
    (
        "scene.mrb",
        "Scene for 3D Slicer: image, segmentation with its surfaces, and table; open it with File, Add Data",
    ),
    ("result/source/*", "Headers of the source images without pixels, for writing DICOM again later"),
    ("result/*", "The analysis result itself, without loss; everything else can be written from it again"),
    ("frames/*/dicom/*seg*.dcm", "DICOM Segmentation of one frame"),
    ("frames/*/dicom/*.dcm", "DICOM object with results of one frame"),
    ("frames/*/*/source/*", "Headers of the source images of one frame without pixels"),
    ("frames/*/*/*", "The analysis result of one frame, without loss"),
    ("over_time.csv", "Table of every structure's volume in every frame"),
    ("pictures/*", "Picture that is shown in this report"),
    ("report.html", "This page"),
    ("*.nii.gz", "NIfTI label map: 0 is background, then the findings in order"),
    ("*.csv", "Table of findings and measurements"),
    ("*.json", "Names, numbers and settings as JSON"),
    ("*.html", "Report"),
)


def files_section(files: Iterable[PurePath | str], folder: Path) -> Html:
    """Every file of ``files`` (relative to ``folder``).

    Raises
    ------
    OutputError
        A file that is said to have been written is not there.
    """
    paths = sorted({PurePosixPath(PurePath(path).as_posix()) for path in files}, key=lambda path: path.parts)
    if not paths:
        return section("files", "Files", tag("p", "No files were written beside this page."))
    groups = [(parent, list(group)) for parent, group in groupby(paths, key=_group)]
    few = [path for _, group in groups if len(group) < MANY for path in group]
    many = [(parent, group) for parent, group in groups if len(group) >= MANY]
    content = [_table("Files that were written", few, folder)] if few else []
    content += [_folded(parent, group, folder) for parent, group in many]
    return section("files", "Files", *content)


def _group(path: PurePosixPath) -> PurePosixPath:
    """The folder that ``path`` is listed under; all frames of a series over time are one."""
    return PurePosixPath("frames") if path.parts[0] == "frames" else path.parent


def explain(path: PurePath) -> str:
    """In a sentence, what the file at ``path`` (relative to the output folder) is for."""
    posix = PurePosixPath(path.as_posix())
    return next((words for pattern, words in _WORDS if _matches(posix, pattern)), "File written by this run")


def _matches(path: PurePosixPath, pattern: str) -> bool:
    wanted = PurePosixPath(pattern)
    if len(wanted.parts) == 1 and "*" in pattern:
        return path.match(pattern)
    return len(path.parts) == len(wanted.parts) and path.match(pattern)


def _folded(parent: PurePosixPath, group: list[PurePosixPath], folder: Path) -> Html:
    total = sum(_stat(folder / path) for path in group)
    summary = tag("summary", f"{len(group)} files in {parent}/ ({size(total)}): {explain(group[0])}")
    return tag("details", summary, _table(f"Files in {parent}/", group, folder))


def _table(caption: str, paths: list[PurePosixPath], folder: Path) -> Html:
    headings = ("File", "What it is", "Size", "SHA-256")
    return table(caption, headings, (_row(path, folder) for path in paths), class_="files")


def _row(path: PurePosixPath, folder: Path) -> tuple[object, ...]:
    link = tag("a", path, href=quote(str(path)))
    amount = tag("td", size(_stat(folder / path)), class_="number")
    return join([link]), explain(path), amount, code(_sha256(folder / path))


def _stat(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise OutputError("was to be listed in the report and is not there", file=path) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
