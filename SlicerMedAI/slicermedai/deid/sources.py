"""Which files there are: folders without loops, members of zip files, and never the output itself."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from slicermedai.deid.window import Origin, no_file
from slicermedai.errors import InputError, OutputError


def find_files(inputs: Iterable[Path], *, output: Path | None = None) -> list[Path]:
    """All files below ``inputs`` (files or folders), each once, in the order of their paths.

    Pipes, sockets, devices and links to nothing are among them: they are refused by name when they are to be opened.

    Symbolic links to files are followed, those to folders are not, so that no loop is possible.

    Raises
    ------
    InputError
        One of them does not exist.
    OutputError
        ``output`` lies in one of them or around one of them, and so would be read, or written over.
    """
    found: dict[Path, Path] = {}
    for given in map(Path, inputs):
        if not given.exists():
            raise InputError("does not exist", file=given, advice="Check the path.")
        _refuse_within(given, output)
        for path in _files(given):
            found.setdefault(path.absolute() if no_file(path) else path.resolve(), path)
    return list(found.values())


def origins_of(files: Sequence[Path | Origin]) -> Iterator[Origin]:
    """The files, and the members of those that are zip files, sorted by name."""
    for given in files:
        origin = given if isinstance(given, Origin) else Origin(Path(given))
        members = _members(origin.path) if not origin.member else []
        yield from [Origin(origin.path, member) for member in members] or [origin]


def _members(path: Path) -> list[str]:
    if no_file(path):
        return []
    try:
        with path.open("rb") as stream:
            if stream.read(2) != b"PK":
                return []
        with zipfile.ZipFile(path) as archive:
            return sorted({info.filename for info in archive.infolist() if not info.is_dir()})
    except (OSError, zipfile.BadZipFile):
        return []


def _files(given: Path) -> Iterator[Path]:
    if not given.is_dir():
        yield given
        return
    for folder, folders, names in os.walk(given, followlinks=False):
        folders.sort()
        yield from (Path(folder) / name for name in sorted(names))


def _refuse_within(given: Path, output: Path | None) -> None:
    if output is None or not given.is_dir():
        return
    inner, outer = Path(output).resolve(), given.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise OutputError(
            "the output lies within the input, or the input within the output",
            file=output,
            advice="Choose a folder outside of what is de-identified.",
        )
