"""Locks between processes that the operating system takes back when their holder dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_PAUSE = 0.01
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


def take(path: Path) -> int:
    """An open descriptor that holds the lock of ``path`` (made where missing); give it to :func:`release`.

    Raises
    ------
    BlockingIOError
        Another process, or another descriptor of this one, holds it.
    OSError
        The file cannot be made or opened, or this file system has no locks.
    """
    descriptor = open_file(path)
    try:
        hold(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_file(path: Path) -> int:
    """A descriptor of the lock file ``path``, made where missing, that holds nothing yet; raises :class:`OSError`."""
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)


def hold(descriptor: int) -> None:
    """Let an open lock file hold its lock; errors are those of :func:`take`."""
    with _named():
        _lock(descriptor)


def is_held(path: Path) -> bool | None:
    """Whether a living process holds the lock of ``path``; None where this file system has no locks.

    A missing file is held by nobody. Nothing is made, and askers do not disturb each other (on Windows: hardly).
    """
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        with _named():
            _look(descriptor)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False


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


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """What systems call a lock that another one holds becomes :class:`BlockingIOError`."""
    try:
        yield
    except OSError as error:
        if error.errno in _HELD:
            raise BlockingIOError(errno.EWOULDBLOCK, "is locked") from error
        raise


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    _look = _lock

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _look(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
