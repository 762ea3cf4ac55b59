"""The private temporary folder of one job: inputs, job file, events, and whatever libraries put into a temp folder.

It lies in ``<temp>/slicermedai-<user number>/job-<host>-<pid>-<id>`` with mode 0700, and nothing of the patient is in
its name. It is removed when the job ends and when this process ends; what a killed process left is removed by the
next :func:`sweep`, which every start calls, with what its worker left half-written beside its output. A lock held
by the owner tells the living from the dead, since the system takes it back at any death, and process numbers are used
again.
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
from pathlib import Path
from types import TracebackType

from slicermedai.domain import locks
from slicermedai.domain.storage import process_alive, sweep_partials
from slicermedai.errors import MedAIError, OutputError
from slicermedai.jobs.specs import read_job

_HOST = (re.sub(r"[^A-Za-z0-9]", "_", platform.node()) or "localhost")[:16]
_NAME = re.compile(r"^job-(?P<host>\w+)-(?P<pid>\d+)-[0-9a-f]{8}$")
_LOCK = "lock"
_JOB = "job.json"
_BEING_MADE = 5.0

_open: set[JobFolder] = set()


class JobFolder:
    """A temporary folder that belongs to this process; use as context manager, or call :meth:`remove`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock
        self._owner = os.getpid()
        _open.add(self)

    @classmethod
    def create(cls) -> JobFolder:
        """A new one.

        Raises
        ------
        OutputError
            The temporary folder cannot be written, or belongs to somebody else.
        """
        try:
            root = temp_root()
            path = root / f"job-{_HOST}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
            path.mkdir(mode=0o700)
            return cls(path, locks.take(path / _LOCK))
        except OSError as error:
            raise OutputError(
                f"the temporary folder cannot be used ({error.strerror})",
                file=tempfile.gettempdir(),
                advice="Point TMPDIR (TEMP on Windows) to a folder of yours with space in it.",
            ) from error

    @property
    def job_file(self) -> Path:
        """Where the job is written for the worker; not yet made."""
        return self.path / _JOB

    @property
    def inputs(self) -> Path:
        """Where inputs that exist only in memory are saved for the job; not yet made."""
        return self.path / "inputs"

    def remove(self) -> None:
        """Remove it with all it holds; a second call does nothing, and neither does a forked copy."""
        if self._lock is None or self._owner != os.getpid():
            return
        locks.release(self._lock)
        self._lock = None
        _remove(self.path)
        _open.discard(self)

    def __enter__(self) -> JobFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def temp_root() -> Path:
    """The folder of all jobs of this user, made where missing: ours, mode 0700, no link.

    Raises
    ------
    OutputError
        Something else is at its place.
    """
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    root = Path(tempfile.gettempdir()) / f"slicermedai{user}"
    root.mkdir(mode=0o700, exist_ok=True)
    about = root.lstat()
    if not stat.S_ISDIR(about.st_mode) or (hasattr(os, "getuid") and about.st_uid != os.getuid()):
        raise OutputError(
            "is not a folder of yours", file=root, advice="Remove it, or point TMPDIR to a folder of yours."
        )
    if os.name != "nt" and stat.S_IMODE(about.st_mode) != 0o700:
        root.chmod(0o700)
    return root


def sweep(root: Path | None = None) -> list[Path]:
    """Remove the folders of dead processes of this machine in ``root``; returns what was removed.

    What their workers left half-written, wherever that lies, is removed before.
    """
    root = temp_root() if root is None else root
    ours = {folder.path for folder in _open}
    found = [path for path in sorted(root.iterdir()) if path not in ours and _is_orphan(path)] if root.is_dir() else []
    for path in found:
        _sweep_output(path / _JOB)
        _remove(path)
    return found


def _sweep_output(job_file: Path) -> None:
    """A job file that is damaged or absent, or a place that cannot be reached now, tells of nothing to remove."""
    with contextlib.suppress(MedAIError, OSError):
        _, job = read_job(job_file)
        sweep_partials(Path(job.output).parent)


def _is_orphan(path: Path) -> bool:
    match = _NAME.match(path.name)
    if not match or match["host"] != _HOST:
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


def _remove(path: Path) -> None:
    """Remove a tree, also where a program left folders in it without write permission."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for folder in [path, *(entry for entry in path.rglob("*") if entry.is_dir())]:
            with contextlib.suppress(OSError):
                folder.chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)


@atexit.register
def _remove_all() -> None:
    for folder in list(_open):
        folder.remove()
