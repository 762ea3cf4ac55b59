"""The files of the outbox: linked or copied in, named by their SHA-256, synced before anybody is told of them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from slicermedai.domain.storage import sha256_file
from slicermedai.errors import DiskFullError, OutboxError, UnreadableFileError
from slicermedai.pacs.objects import ObjectRef, read_object

_NEW = ".new-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file that lies in the outbox. ``size`` is in bytes."""

    sha256: str
    size: int
    ref: ObjectRef


class Keep:
    """The folder of files. Whoever takes or sweeps holds the outbox's own lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, sha256: str) -> Path:
        """Where the file of that hash lies."""
        return self._folder / sha256[:2] / f"{sha256}.dcm"

    @contextlib.contextmanager
    def taking(self) -> Iterator[Callable[[Path], Kept]]:
        """A function that takes a file in; what was taken anew is removed again where the block fails.

        A hard link where the file system allows one, a copy else. Raises UnreadableFileError, DiskFullError and
        OutboxError.
        """
        taken: list[Path] = []
        for left in self._folder.glob(f"{_NEW}*"):
            left.unlink(missing_ok=True)

        def take(path: Path) -> Kept:
            with _translated(path):
                return self._take(path, taken)

        try:
            yield take
        except BaseException:
            for place in taken:
                place.unlink(missing_ok=True)
            raise

    def sweep(self, wanted: set[str]) -> None:
        """Remove all files but those with the hashes ``wanted``, with what a kill left half-taken."""
        for path in self._folder.rglob("*"):
            if path.is_file() and path.stem not in wanted:
                path.unlink(missing_ok=True)

    def _take(self, path: Path, taken: list[Path]) -> Kept:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._folder / f"{_NEW}{uuid.uuid4().hex}"
        try:
            _link_or_copy(path.resolve(), new)
            kept = Kept(sha256=sha256_file(new), size=new.stat().st_size, ref=_named(new, path))
            place = self.place(kept.sha256)
            if not place.exists():
                place.parent.mkdir(exist_ok=True, mode=0o700)
                taken.append(place)
                new.replace(place)
                _sync(place.parent)
            return kept
        finally:
            new.unlink(missing_ok=True)


def hash_of_hashes(hashes: Iterable[str]) -> str:
    """One SHA-256 over sorted SHA-256s, a line each."""
    return hashlib.sha256("".join(f"{one}\n" for one in sorted(hashes)).encode("ascii")).hexdigest()


def _link_or_copy(path: Path, new: Path) -> None:
    try:
        os.link(path, new)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOSPC, errno.EDQUOT):
            raise
        shutil.copyfile(path, new)
    _sync(new)


def _named(new: Path, path: Path) -> ObjectRef:
    """The reference of ``new``; errors name ``path``, which the person knows."""
    try:
        return read_object(new)
    except UnreadableFileError as error:
        raise UnreadableFileError(error.message, file=path, attribute=error.attribute, advice=error.advice) from error


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                "no space left in the outbox", file=path, advice="Free some; nothing was queued."
            ) from error
        raise OutboxError(f"cannot be kept in the outbox ({error.strerror})", file=path) from error
