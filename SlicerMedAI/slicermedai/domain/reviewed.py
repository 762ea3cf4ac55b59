"""A result with what people decided about it, as a new result folder beside the old one, which stays as it was."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from slicermedai.domain.codec import write_object
from slicermedai.domain.decisions import decided
from slicermedai.domain.result import RESULT, AnalysisResult, Review, result_folder
from slicermedai.domain.seal import seal
from slicermedai.domain.storage import atomic_folder
from slicermedai.errors import NewerResultError, ResultExistsError

REVIEWED = "reviewed"
"""Folders of reviewed results beside ``result``: ``reviewed-1``, ``reviewed-2`` ..., each with all decisions so far."""

_NUMBERED = re.compile(rf"(?:(.+)-)?{REVIEWED}-(\d{{1,6}})")


def save_reviewed(folder: Path, reviews: Iterable[Review]) -> Path:
    """Add ``reviews`` to the result in ``folder`` and save that beside it, whole or not at all; returns the new folder.

    ``folder`` holds the last decisions so far: what is not in it would be lost to those who come later. What lies in
    the folder beside the result itself (the source's headers) is taken along.

    Raises
    ------
    UnreadableFileError
        No result is there, or it is damaged.
    FormatError
        A review of a finding that the result has not, or an edit without voxels.
    NewerResultError
        A later result lies beside it, with decisions that this one has not.
    OutputError
        The place cannot be written; nothing is left behind.
    """
    source = result_folder(Path(folder))
    result = AnalysisResult.load(source)
    made = dataclasses.replace(result, reviews=(*result.reviews, *reviews))
    decided(made)
    target = _next(source)  # before one looks whether it is the next: who saves meanwhile is seen, or takes its name
    _refuse_older(source)
    try:
        _write(made, target, source=source)
    except ResultExistsError as error:
        raise _outdated(target) from error
    return target


def newest(folder: Path) -> Path:
    """The result folder in the output of a run that holds the last decisions; a result folder itself stays itself."""
    first = result_folder(Path(folder))
    if first == Path(folder):
        return first
    return max([first, *_siblings(first)], key=_number)


def _write(made: AnalysisResult, target: Path, *, source: Path) -> None:
    with atomic_folder(target) as partial:
        for extra in [path for path in source.iterdir() if path.is_dir() and not path.name.startswith(".")]:
            shutil.copytree(extra, partial / extra.name)
        write_object(made, partial, kind=RESULT)
        seal(partial)


def _refuse_older(source: Path) -> None:
    last = max([source, *_siblings(source)], key=_number)
    if _number(last) > _number(source):
        raise _outdated(last)


def _outdated(newer: Path) -> NewerResultError:
    return NewerResultError(
        "holds decisions that were saved since this result was opened",
        file=newer,
        advice="Open the result again: your decisions stay, on top of those. Look at all of them, then save.",
    )


def _next(source: Path) -> Path:
    stem = _stem(source)
    number = 1 + max((_number(path) for path in source.parent.iterdir() if _stem_of_reviewed(path) == stem), default=0)
    return source.parent / "-".join(filter(None, [stem, REVIEWED, str(number)]))


def _siblings(source: Path) -> list[Path]:
    found = [path for path in source.parent.iterdir() if _stem_of_reviewed(path) == _stem(source)]
    return [path for path in found if (path / f"{RESULT}.json").is_file()]


def _stem(folder: Path) -> str:
    """What the names of reviewed results begin with: "" in the output of a run."""
    known = _stem_of_reviewed(folder)
    return ("" if folder.name == RESULT else folder.name) if known is None else known


def _stem_of_reviewed(folder: Path) -> str | None:
    match = _NUMBERED.fullmatch(folder.name)
    return (match[1] or "") if match else None


def _number(folder: Path) -> int:
    match = _NUMBERED.fullmatch(folder.name)
    return int(match[2]) if match else 0
