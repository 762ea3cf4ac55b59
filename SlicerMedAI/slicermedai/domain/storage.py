"""Files and folders that are there whole or not at all.

Everything is written beside its destination under a hidden name and renamed at the end, so that a kill at any
moment leaves either the old or the new. What a killed process left behind is swept at the next start.

A folder that is being written has a lock file beside it. Its lock ends with the process, however that dies, so it
tells the living from the dead also where a process number is used again; the number is asked only on file systems
without locks, and for single files.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from slicermedai.domain import locks
from slicermedai.errors import DiskFullError, FolderBusyError, OutputError, ResultExistsError

_HOST = re.sub(r"[^A-Za-z0-9]", "_", platform.node()) or "localhost"
_FOREIGN_AGE = 2 * 24 * 3600.0
_PARTIAL = re.compile(r"^\.(?P<name>.+)\.partial-(?P<host>\w+)-(?P<pid>\d+)-[0-9a-f]{8}(?P<lock>\.lock)?$")
_PATIENCE = 2.0 if os.name == "nt" else 0.0
"""Seconds that Windows may refuse a rename while a virus scanner or an indexer looks into the new file."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_PAUSE = 0.02
_TRIES = 100


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder`` to write into; on leaving without an error it becomes ``folder``.

    Raises
    ------
    ResultExistsError
        ``folder`` exists and is not empty.
    FolderBusyError
        A living process is writing ``folder`` at this moment.
    DiskFullError, OutputError
        The parent cannot be written; nothing is left behind.
    """
    folder = Path(folder)
    _refuse_used(folder)
    with contextlib.ExitStack() as stack:
        with _translated(folder, every_error=True):
            stack.enter_context(_parents_of(folder))
            partial = stack.enter_context(_claimed(folder))
        with _translated(folder):
            yield partial
            _refuse_used(folder)
            _sync_tree(partial)
        with _translated(folder, every_error=True):
            if folder.exists():
                folder.rmdir()
            _patiently(lambda: partial.rename(folder))


@contextlib.contextmanager
def atomic_file(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """A new file name beside ``path`` to write to; on leaving without an error it replaces ``path``.

    Parameters
    ----------
    sync:
        Wait until the disk has it, so that it outlives a loss of power; not needed inside of :func:`atomic_folder`.

    Raises
    ------
    DiskFullError, OutputError
        The folder cannot be written; the old file stays.
    """
    path = Path(path)
    partial = path.parent / _partial_name(path.name)
    try:
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            if sync:
                _sync_file(partial)
        with _translated(path, every_error=True):
            _patiently(lambda: partial.replace(path))
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def named(place: Path) -> contextlib.AbstractContextManager[None]:
    """While it lasts, what the system says against reading or writing ``place`` becomes an error of this library.

    Raises
    ------
    DiskFullError
        No space is left.
    OutputError
        Anything else that the system says.
    """
    return _translated(Path(place), every_error=True)


def refusal(error: OSError, what: str, place: Path) -> OutputError:
    """What to raise where the system refused ``what`` ("cannot be locked") at ``place``; a full disk is always one."""
    if error.errno in _FULL:
        return DiskFullError("no space left on the device", file=place, advice="Free some space; nothing was changed.")
    return OutputError(f"{what} ({error.strerror})", file=place)


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 ``text`` to ``path``, whole or not at all; errors are those of :func:`named`."""
    with named(path), atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    return path


def sha256_file(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, read in pieces; raises OSError where it cannot be read."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sweep_partials(parent: Path, *, own: bool = False) -> list[Path]:
    """Remove what dead processes left half-written in ``parent``; returns what was removed, without lock files.

    Of this machine that is what no living process owns; of another one, what was not touched for two days.

    ``own`` also removes what this process itself is writing, for a process that is about to stop hard.
    """
    removed = []
    for entry in sorted(parent.iterdir()) if parent.is_dir() else []:
        match = _PARTIAL.match(entry.name)
        if match and _is_over(entry, match, own=own):
            _remove(entry)
            removed += [] if match["lock"] else [entry]
    return removed


def remove_halves(folder: Path) -> None:
    """Remove what was left half-written in ``folder`` and below, where nobody else can be writing."""
    for entry in [path for path in folder.rglob(".*") if _PARTIAL.match(path.name)]:
        _remove(entry)


def missing_parents(path: Path) -> list[Path]:
    """The folders above ``path`` that do not exist, innermost first."""
    return [parent for parent in Path(path).absolute().parents if not parent.exists()]


def remove_empty(folders: Sequence[Path]) -> None:
    """Remove those of ``folders`` that are there and empty, in the order given."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def _parents_of(folder: Path) -> Iterator[None]:
    """The folders above ``folder``, made where missing; after an error those that were made are gone again."""
    missing = missing_parents(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        remove_empty(missing)
        raise


def _remove(entry: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)


def _is_over(entry: Path, match: re.Match[str], *, own: bool) -> bool:
    """Whether nobody writes ``entry`` any more; of another machine only its age can be judged."""
    if match["host"] != _HOST:
        with contextlib.suppress(OSError):
            return time.time() - entry.stat().st_mtime > _FOREIGN_AGE
        return False
    pid = int(match["pid"])
    if own and pid == os.getpid():
        return True
    held = _is_held(entry, match)
    return not process_alive(pid) if held is None else not held


def _is_held(entry: Path, match: re.Match[str]) -> bool | None:
    """Whether the lock of a partial folder is held; None where only the process number can be asked."""
    if match["lock"]:
        return locks.is_held(entry)
    return locks.is_held(_lock_of(entry)) if entry.is_dir() else None


def process_alive(pid: int) -> bool:
    """True where a process of that number runs on this machine (and is not a zombie, where that can be seen)."""
    if os.name == "nt":
        return _windows_process_alive(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether all that is left is its number. A leader can be one while its threads still end and hold its files."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return False
    return status.rpartition(")")[2].split()[:1] == ["Z"] and threads <= 1


def _windows_process_alive(pid: int) -> bool:
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]  # exists on Windows alone
    handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return False
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == 259  # STILL_ACTIVE


def _partial_name(name: str) -> str:
    return f".{name}.partial-{_HOST}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


@contextlib.contextmanager
def _claimed(folder: Path) -> Iterator[Path]:
    """A new partial folder; it is gone on leaving, unless it was renamed. Of two claims at once at most one goes on."""
    sweep_partials(folder.parent)
    partial = folder.parent / _partial_name(folder.name)
    with _lock_beside(partial):
        try:
            partial.mkdir(mode=0o700)
            _refuse_another(partial, folder)
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _refuse_another(partial: Path, folder: Path) -> None:
    for entry in folder.parent.iterdir():
        match = _PARTIAL.match(entry.name)
        if match and not match["lock"] and match["name"] == folder.name and entry != partial:
            raise FolderBusyError(
                "another run is writing there",
                file=folder,
                advice=f"Wait until it has ended, choose another folder, or remove {entry.name} if it is left over.",
            )


@contextlib.contextmanager
def _lock_beside(partial: Path) -> Iterator[None]:
    """While ``partial`` is written its lock file is there, and held where the file system has locks."""
    path = _lock_of(partial)
    descriptor = _locked_file(path)
    try:
        yield
    finally:
        locks.release(descriptor)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _locked_file(path: Path) -> int:
    """Make it anew where a sweep in another process saw it before it was held, and took it for left over."""
    for _ in range(_TRIES):
        descriptor = locks.open_file(path)
        try:
            locks.hold(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            time.sleep(_PAUSE)
            continue
        except OSError:  # no locks here: whoever looks asks for the process number
            return descriptor
        if path.exists():
            return descriptor
        os.close(descriptor)
    raise BlockingIOError(errno.EAGAIN, "its lock file cannot be held")


def _lock_of(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.lock")


def _patiently(act: Callable[[], object]) -> None:
    """``act``, again and again for :data:`_PATIENCE` seconds while the system denies permission."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            act()
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _refuse_used(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists():
        raise ResultExistsError(
            "something is there already, and it is not overwritten",
            file=folder,
            advice="Choose another folder, or move this one away.",
        )


@contextlib.contextmanager
def _translated(path: Path, *, every_error: bool = False) -> Iterator[None]:
    """OSErrors of the file system become errors that say what to do.

    Inside the caller's own work only those that can be about nothing but the destination are translated.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise refusal(error, "", path) from error
        if every_error or error.errno == errno.EROFS:
            raise OutputError(
                f"cannot be written ({error.strerror})", file=path, advice="Choose a folder you may write to."
            ) from error
        raise


def _sync_file(path: Path) -> None:
    mode = "r+b" if os.name == "nt" else "rb"  # Windows syncs only what is open for writing
    with contextlib.suppress(OSError), path.open(mode) as stream:
        os.fsync(stream.fileno())


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            _sync_file(path)
