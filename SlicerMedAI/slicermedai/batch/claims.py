"""One case, one worker: a claim is a folder that appears with its owner's name in it, by one rename.

Several processes, also of several machines, work on one queue. A claim holds what is being made; a result leaves it by
a rename out of that very claim, so that whoever lost a claim can finish nothing. A living owner touches its claim; one
on this machine that is dead is known by its lock, one of another machine by a claim that was not touched for
:data:`LEASE` seconds, by the clock of the disk both write to.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from slicermedai.domain import locks
from slicermedai.domain.storage import named, process_alive, refusal, sweep_partials
from slicermedai.errors import OutputError

LEASE = 180.0
"""Seconds after which an untouched claim of another machine is given to somebody else."""
BEAT = 5.0
"""Seconds between two touches."""
CLAIM = "claim"

_LONGEST = 24
_OWNER, _LOCK, _CLOCK = "owner.json", "lock", "clock"
_WAIT = 20.0
_BEING_MADE = 5.0


def _host(name: str) -> str:
    """A machine's name as a part of a file's name; of two that begin alike it stays two."""
    plain = re.sub(r"[^A-Za-z0-9]", "_", name) or "localhost"
    if len(plain) <= _LONGEST:
        return plain
    return f"{plain[: _LONGEST - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


_HOST = _host(platform.node())
_LEFT = re.compile(r"^\.(claim|released|stale|lock|clock)-(?P<token>(?P<host>\w+)-[0-9a-f]+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who holds a claim: machine, process, and the process that does its work (0 before it was started)."""

    token: str
    host: str
    pid: int
    child: int = 0


class ClaimLost(OutputError):
    """Somebody else has the case now, or the queue's folder was moved: nothing of it may be written any more."""


class Claim:
    """A case that this process holds. What is made for it is written to :attr:`attempt`."""

    def __init__(self, place: Path, owner: Owner, lock: int) -> None:
        self.place = place
        self.owner = owner
        self._lock: int | None = lock
        self._touched = time.monotonic()

    @property
    def folder(self) -> Path:
        """The claim itself."""
        return self.place / CLAIM

    @property
    def attempt(self) -> Path:
        """Where the result is made; nobody else's attempt has this name."""
        return self.folder / f"result-{self.owner.token}"

    def name_child(self, pid: int) -> None:
        """Note the process that does the work, so that nobody begins again while it still ends."""
        self.owner = Owner(token=self.owner.token, host=self.owner.host, pid=self.owner.pid, child=pid)
        _write_owner(self.folder, self.owner)

    def beat(self) -> None:
        """Touch the claim, where :data:`BEAT` seconds are over; raises :class:`ClaimLost`."""
        if time.monotonic() - self._touched < BEAT:
            return
        self.check()
        try:
            os.utime(self.folder / _OWNER)
        except OSError as error:
            raise ClaimLost(f"cannot be touched any more ({error.strerror})", file=self.folder) from error
        self._touched = time.monotonic()

    def check(self) -> None:
        """Raise :class:`ClaimLost` where it is not ours any more."""
        found = _owner_of(self.folder)
        if found is None or found.token != self.owner.token:
            raise ClaimLost(
                "is not held by this process any more",
                file=self.folder,
                advice="Was the folder moved? Begin again in its new place; nothing is lost.",
            )

    def commit(self, target: Path) -> None:
        """Give the finished attempt its name; where that raises, nothing was changed.

        Raises
        ------
        ClaimLost
            Somebody else has the case, or has put a result there.
        DiskFullError, OutputError
            The place itself cannot be written.
        """
        try:
            with named(target):
                self.attempt.rename(target)
        except OutputError as error:
            self.check()
            if self.attempt.is_dir() and not target.exists():
                raise
            raise ClaimLost("the result cannot be put into its place", file=target) from error

    def release(self) -> None:
        """Give the case back with all that is left of the attempt; a lost claim is let go. Once is enough."""
        if self._lock is None:
            return
        gone = self.place / f".released-{self.owner.token}"
        with contextlib.suppress(OSError, ClaimLost):
            self.check()
            self.folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        _unlock(self.place, self.owner.token, self._lock)
        self._lock = None


def take(place: Path) -> Claim | None:
    """Claim the case in the folder ``place``; None where somebody has it. Of many at once one gets it.

    Raises
    ------
    OutputError, DiskFullError
        The folder cannot be written, or its file system has no locks.
    """
    token = f"{_HOST}-{uuid.uuid4().hex[:12]}"
    prepared = place / f".claim-{token}"
    owner = Owner(token=token, host=_HOST, pid=os.getpid())
    lock: int | None = None
    try:
        lock = locks.take(_lock_of(place, token))
        prepared.mkdir(mode=0o700)
        _write_owner(prepared, owner)
        prepared.rename(place / CLAIM)
    except OSError as error:
        shutil.rmtree(prepared, ignore_errors=True)
        _unlock(place, token, lock)
        if (place / CLAIM).exists() or error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return None
        raise refusal(error, "cannot be claimed", place) from error
    return Claim(place, owner, lock)


def holder(place: Path) -> Owner | None:
    """Who holds the case in ``place``; None where nobody does."""
    return _owner_of(place / CLAIM)


def take_back(place: Path) -> bool:
    """Remove the claim of a dead owner; True where the case is free now. Of many at once one does it.

    Raises
    ------
    OutputError
        The file system has no locks: it cannot be told whether somebody else is doing the same.
    """
    owner = holder(place)
    if not (place / CLAIM).exists():
        return True
    if not _is_over(place, owner):
        return False
    token = owner.token if owner else f"{_HOST}-{uuid.uuid4().hex[:12]}"
    with _alone(place):
        if not (place / CLAIM).exists():
            return True
        if holder(place) != owner or not _is_over(place, owner):
            return False
        gone = place / f".stale-{token}"
        (place / CLAIM).rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
    _unlock(place, token, None)
    return True


def _is_over(place: Path, owner: Owner | None) -> bool:
    """A claim whose owner cannot be read, as a loss of power leaves it, is nobody's once it is old: who lives, and
    cannot read it, gives it up by itself.
    """
    return is_stale(place, owner) if owner else _silence(place) > LEASE


def is_stale(place: Path, owner: Owner) -> bool:
    """Whether the owner is dead, with the process that worked for it, or was silent for :data:`LEASE` seconds."""
    if owner.host == _HOST:
        held = locks.is_held(_lock_of(place, owner.token))
        dead = not (process_alive(owner.pid) if held is None else held)
        if dead and not (owner.child and process_alive(owner.child)):
            return True
        if not dead:
            return False
    return _silence(place) > LEASE


def sweep(place: Path) -> None:
    """Remove what dead processes left of claims that were being made or given back, and of files half-written."""
    sweep_partials(place)
    owner = holder(place)
    for path in place.glob(".*"):
        match = _LEFT.match(path.name)
        if not match or (owner is not None and match["token"] == owner.token):
            continue  # what whoever has the case now needs: nobody touches its lock, so that it grows old
        with contextlib.suppress(OSError):
            if _is_left(place, path, match["host"], match["token"]):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _is_left(place: Path, path: Path, host: str, token: str) -> bool:
    """On this machine the lock tells, but for what was made just now; of another one only the age is known."""
    age = _now(place) - path.stat().st_mtime
    if host != _HOST:
        return age > LEASE
    return age > _BEING_MADE and not locks.is_held(_lock_of(place, token))


def _silence(place: Path) -> float:
    """Seconds since the claim was touched, both times by the clock of the disk; without an owner since it was made."""
    claim = place / CLAIM
    try:
        touched = claim / _OWNER if (claim / _OWNER).exists() else claim
        return _now(place) - touched.stat().st_mtime
    except OSError:
        return 0.0


def _now(place: Path) -> float:
    path = place / f".{_CLOCK}-{_HOST}-{os.getpid()}"
    path.touch()
    try:
        return path.stat().st_mtime
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    try:
        with locks.locked(place.parent / _LOCK, wait=_WAIT):
            yield
    except OSError as error:
        raise refusal(error, "the queue cannot be locked", place.parent) from error


def _owner_of(folder: Path) -> Owner | None:
    try:
        return Owner(**json.loads((folder / _OWNER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write_owner(folder: Path, owner: Owner) -> None:
    """Beside and renamed; the folder is never made, for it may have been moved away."""
    body = {"token": owner.token, "host": owner.host, "pid": owner.pid, "child": owner.child}
    partial = folder / f".{_OWNER}"
    partial.write_text(json.dumps(body), encoding="utf-8")
    partial.replace(folder / _OWNER)


def _lock_of(place: Path, token: str) -> Path:
    """Beside the claim: a folder with an open file in it cannot be renamed everywhere."""
    return place / f".lock-{token}"


def _unlock(place: Path, token: str, lock: int | None) -> None:
    if lock is not None:
        locks.release(lock)
    with contextlib.suppress(OSError):
        _lock_of(place, token).unlink(missing_ok=True)
