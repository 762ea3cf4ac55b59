"""The hidden folder beside an output in which a job that can be gone on with is done. Loads nothing heavy."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from slicermedai.domain import locks
from slicermedai.domain.storage import remove_halves
from slicermedai.errors import FolderBusyError, JobCancelled, ResultExistsError
from slicermedai.jobs.places import unfinished, unfinished_prefix

COPIES = "dicom"
"""Folder of the output that holds the de-identified copies."""
_LOCK = "lock"


@contextlib.contextmanager
def workplace(output: Path, name: str) -> Iterator[Path]:
    """The folder ``.OUTPUT.unfinished-name``, with what an earlier run left in it, for this run alone.

    What a person stopped, or a kill ended, stays; what failed, or is done, does not. What other names left is removed.

    Raises
    ------
    FolderBusyError
        Another run works there.
    """
    folder = output.parent / f"{unfinished_prefix(output)}{name}"
    with _alone(folder), _removed_unless_stopped(folder):
        _sweep(output, keep=folder)
        remove_halves(folder / COPIES)
        yield folder


def refuse_used(output: Path) -> None:
    """Raise :class:`ResultExistsError` where something is in ``output``: before hours of work, not after."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ResultExistsError(
            "something is there already, and it is not overwritten",
            file=output,
            advice="Choose another folder, or move this one away.",
        )


@contextlib.contextmanager
def _removed_unless_stopped(folder: Path) -> Iterator[None]:
    """What a person stopped stays, to be gone on with; what failed, or is done, does not."""
    try:
        yield
    except JobCancelled:
        raise
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    (folder / COPIES).mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    try:
        held = locks.take(folder / _LOCK)
    except BlockingIOError as error:
        raise FolderBusyError(
            "another run is writing there", file=folder, advice="Wait until it has ended, or choose another output."
        ) from error
    try:
        yield
    finally:
        locks.release(held)


def _sweep(output: Path, *, keep: Path) -> None:
    """Remove what a killed job with other files or settings left, which nobody can go on with."""
    for folder in unfinished(output):
        if folder.name != keep.name and not locks.is_held(folder / _LOCK):
            shutil.rmtree(folder, ignore_errors=True)
