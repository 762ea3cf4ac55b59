"""Private temporary folders that belong to a process and are gone when it is, however it ends.

They lie in ``<temp>/slicermedai-<user number>/<kind>-<host>-<pid>-<id>`` with mode 0700, and nothing of a patient is in
their names. Each is removed when its work ends and when its process ends; what a killed process left is removed at the
next start. A lock held by the owner tells the living from the dead, since the system takes it back at any death, and
process numbers are used again.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import platform
import re
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from slicermedai.domain import locks, settings
from slicermedai.domain.pieces import PIECE
from slicermedai.domain.storage import process_alive
from slicermedai.errors import OutputError

_HOST = (re.sub(r"[^A-Za-z0-9]", "_", platform.node()) or "localhost")[:16]
_NAME = re.compile(r"^(?P<kind>[a-z]+)-(?P<host>\w+)-(?P<pid>\d+)-[0-9a-f]{8}$")
_LOCK = "lock"
_BEING_MADE = 5.0

_open: set[ScratchFolder] = set()


class ScratchFolder:
    """A temporary folder that belongs to this process; use as context manager, or call :meth:`remove`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock
        self._owner = os.getpid()
        _open.add(self)

    @classmethod
    def create(cls, kind: str) -> Self:
        """A new one; ``kind`` (small letters) begins its name.

        Raises
        ------
        OutputError
            The temporary folder cannot be written, or belongs to somebody else.
        """
        path = temp_root() / f"{kind}-{_HOST}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        with _usable():
            path.mkdir(mode=0o700)
            return cls(path, locks.take(path / _LOCK))

    def remove(self) -> None:
        """Remove it with all it holds; a second call does nothing, and neither does a forked copy."""
        if self._lock is None or self._owner != os.getpid():
            return
        locks.release(self._lock)
        self._lock = None
        remove_tree(self.path)
        _open.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def temp_root() -> Path:
    """The folder of all scratch folders of this user, made where missing: ours, mode 0700, no link.

    It lies where the setting ``scratch`` says, or in the system's folder for temporary files.

    Raises
    ------
    OutputError
        Something else is at its place, or it cannot be reached or made.
    """
    root = _root_in(settings.present("scratch"))
    with _usable():
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = root.lstat()
    if not _is_ours(about):
        raise OutputError(
            "is not a folder of yours", file=root, advice="Remove it, or point TMPDIR to a folder of yours."
        )
    _remember()
    if os.name != "nt" and stat.S_IMODE(about.st_mode) != 0o700:
        with _usable():
            root.chmod(0o700)
    return root


@contextlib.contextmanager
def _usable() -> Iterator[None]:
    """While it lasts, what the system says against the temporary folder becomes an error that names the setting."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"the temporary folder cannot be used ({error.strerror})",
            file=settings.present("scratch"),
            advice="Name a folder of yours with space in it: the setting scratch, or TMPDIR (TEMP on Windows).",
        ) from error


def temp_roots() -> list[Path]:
    """Where scratch folders can have been left: :func:`temp_root`, the system's folder, and what was set earlier.

    Raises as :func:`temp_root` does.
    """
    earlier = [root for root in map(_root_in, _remembered()) if _is_there(root)]
    return list(dict.fromkeys([temp_root(), _root_in(tempfile.gettempdir()), *earlier]))


def _remember() -> None:
    """Keep beside the file of settings where it says that scratch folders lie, for when it says another place.

    Where that cannot be kept, what a killed process leaves there is not found once the setting is another.
    """
    now = settings.found("scratch")
    if now.source is not settings.Source.FILE or now.text in _remembered():
        return
    with contextlib.suppress(OSError), _places().open("a", encoding="utf-8") as stream:
        stream.write(f"{now.text}\n")


def _remembered() -> list[str]:
    try:
        return list(filter(None, _places().read_text(encoding="utf-8").split("\n")))
    except (OSError, UnicodeDecodeError):
        return []


def _places() -> Path:
    return settings.settings_file().with_name("scratch-places.txt")


def _is_there(root: Path) -> bool:
    try:
        return _is_ours(root.lstat())
    except OSError:
        return False


def _is_ours(about: os.stat_result) -> bool:
    """A folder of this user's, and no link to one."""
    return stat.S_ISDIR(about.st_mode) and (not hasattr(os, "getuid") or about.st_uid == os.getuid())


def _root_in(place: str) -> Path:
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    return Path(place) / f"slicermedai{user}"


def orphans(root: Path, *, kind: str = "") -> list[Path]:
    """The scratch folders of dead processes of this machine in ``root``, of one ``kind`` or of all."""
    ours = {folder.path for folder in _open}
    entries = sorted(root.iterdir()) if root.is_dir() else []
    return [path for path in entries if path not in ours and _is_orphan(path, kind)]


def sweep_scratch(kind: str) -> list[Path]:
    """Remove what dead processes left of this ``kind``; returns what was removed. Raises as :func:`temp_root` does."""
    found = [path for root in temp_roots() for path in orphans(root, kind=kind)]
    for path in found:
        remove_tree(path)
    return found


def emptying(folder: Path) -> Iterator[None]:
    """Cut large files in ``folder`` short, in pieces, before it is removed: each holds whoever removes it at once.

    What cannot be cut is left as it is.
    """
    for path in [one for one in sorted(folder.rglob("*")) if one.is_file()]:
        with contextlib.suppress(OSError):
            for size in range(path.stat().st_size - PIECE, 0, -PIECE):
                os.truncate(path, size)
                yield


def remove_tree(path: Path) -> None:
    """Remove a tree, also where a program left folders in it without write permission."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for folder in [path, *(entry for entry in path.rglob("*") if entry.is_dir())]:
            with contextlib.suppress(OSError):
                folder.chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)


def _is_orphan(path: Path, kind: str) -> bool:
    match = _NAME.match(path.name)
    if not match or match["host"] != _HOST or kind not in ("", match["kind"]):
        return False
    if not process_alive(int(match["pid"])):
        return True
    return _was_left(path)


def _was_left(path: Path) -> bool:
    """The number is in use, perhaps by another process: True where nobody holds the lock, and it is not brand new."""
    try:
        if time.time() - path.stat().st_ctime < _BEING_MADE:
            return False
        locks.release(locks.take(path / _LOCK))
    except OSError:
        return False
    return True


@atexit.register
def _remove_all() -> None:
    for folder in list(_open):
        folder.remove()
