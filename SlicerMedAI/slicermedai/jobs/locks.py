"""Locks between processes that the operating system takes back when their holder dies, however it dies."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_PAUSE = 0.01


def take(path: Path) -> int:
    """An open descriptor that holds the lock of ``path`` (made where missing); give it to :func:`release`.

    Raises
    ------
    BlockingIOError
        Another process, or another descriptor of this one, holds it.
    OSError
        The file cannot be made or opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        _lock(descriptor)
    except OSError as error:
        os.close(descriptor)
        raise BlockingIOError(f"{path.name} is locked") from error
    return descriptor


def release(descriptor: int) -> None:
    """Give the lock back."""
    os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, *, wait: float) -> Iterator[None]:
    """Hold the lock of ``path``, waiting at most ``wait`` seconds for it; raises :class:`BlockingIOError`."""
    descriptor = _take_within(path, time.monotonic() + wait)
    try:
        yield
    finally:
        release(descriptor)


def _take_within(path: Path, deadline: float) -> int:
    while True:
        try:
            return take(path)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
