"""A list of files as a source: what a series in Slicer's DICOM database is, whose files may lie anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from slicermedai.domain.storage import write_text
from slicermedai.errors import UnreadableFileError

_NAME = "medai-file-list.json"


def save_file_list(paths: Iterable[str | Path], folder: Path) -> Path:
    """Write the absolute ``paths`` into ``folder``, which then stands for them as a source."""
    names = [_absolute(os.fspath(path)) for path in paths]
    write_text(Path(folder) / _NAME, json.dumps({"files": names}))
    return Path(folder)


def _absolute(path: str) -> str:
    """As a database has it already, at once: it may name many thousands."""
    is_absolute = os.path.isabs(path)  # noqa: PTH117 - making a Path of each takes several times as long
    return path if is_absolute else str(Path(path).expanduser().absolute())


def is_file_list(folder: Path) -> bool:
    """True where :func:`save_file_list` wrote ``folder``."""
    return (Path(folder) / _NAME).is_file()


def load_file_list(folder: Path) -> list[Path]:
    """The files that ``folder`` stands for.

    Raises
    ------
    UnreadableFileError
        The list is damaged.
    """
    path = Path(folder) / _NAME
    try:
        return [Path(name) for name in json.loads(path.read_text(encoding="utf-8"))["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(f"cannot be read ({type(error).__name__})", file=path, attribute="files") from error
