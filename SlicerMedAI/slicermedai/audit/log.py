"""The audit log: JSON lines that are only ever added, each bound to the one before by SHA-256.

Beside ``audit.jsonl`` lies ``head.json`` with the number of entries and the last hash, so that a log cut at its end
is seen too. It is there before the first entry: a log without it was tampered with. Each entry is written and synced
before its head, so the log may be one entry ahead of its head, after a kill between the two. A kill while an entry is
written leaves a torn line: it stays where it is, and the next entry says so ("log recovered", with the SHA-256 of what
was torn). Whoever can rewrite both files whole can forge both: the chain shows changes, and a head that was noted
elsewhere proves them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicermedai.audit.entry import FIRST, Entry, new_entry, parse
from slicermedai.domain import locks
from slicermedai.domain.storage import write_text
from slicermedai.errors import AuditError, OutputError
from slicermedai.jobs.home import home

RECOVERED = "log recovered"
_WAIT = 10.0
_WINDOW = 1 << 16
_EVIDENCE = "Keep the folder as evidence and move it away; a new log then begins."


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What :func:`verify` found.

    ``entries`` counts the good entries from the start. ``first_bad`` is the number of the first entry that is not as
    it was written (1 is the first), or None. ``reason`` is a sentence, "" where all is well. ``torn`` is True where
    a kill left an unfinished last line that the next entry will record. ``is_there`` is False where there is neither
    log nor head: nothing was logged yet, or somebody removed both.
    """

    entries: int
    ok: bool
    first_bad: int | None = None
    reason: str = ""
    torn: bool = False
    is_there: bool = True


@dataclass(frozen=True, slots=True)
class _Head:
    entries: int
    hash: str


@dataclass(frozen=True, slots=True)
class _Scan:
    entries: int = 0
    last: Entry | None = None
    torn: bytes = b""
    reason: str = ""
    is_there: bool = True


def log_path() -> Path:
    """``audit/audit.jsonl`` in :func:`slicermedai.jobs.home.home`; not yet made."""
    return home() / "audit" / "audit.jsonl"


def append(action: str, *, job_id: str, **details: str | int | float | bool) -> Entry:
    """Add one entry to the log of this installation, synced to disk; processes may do so at once.

    The end of the log is checked first, and the whole of it where it is short; :func:`verify` checks all.

    Raises
    ------
    AuditError
        An action, a job's name or a detail that may carry identity; a log that was changed; a folder that cannot be
        written.
    """
    return append_to(log_path(), action, job_id=job_id, details=dict(details))


def append_to(path: Path, action: str, *, job_id: str, details: dict[str, Any]) -> Entry:
    """As :func:`append`, to the log at ``path``."""
    new_entry(action, job_id=job_id, details=details, before=None)
    with _writable(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locks.locked(_lock_path(path), wait=_WAIT):
            scan = _scan_end(path)
            verdict = _judge(scan, _read_head(path))
            if not verdict.ok:
                raise AuditError(f"the audit log was changed: {verdict.reason}", file=path, advice=_EVIDENCE)
            if not path.exists():
                _write_head(path, _Head(0, FIRST))
            last = _recover(path, scan) if scan.torn else scan.last
            return _write(path, new_entry(action, job_id=job_id, details=details, before=last), _gap(path, scan))


def verify(path: Path | None = None) -> Verification:
    """Check every entry, the chain and the head.

    Finds edited, removed, inserted and reordered entries, entries cut from the end, and a head that is gone. The log
    of this installation (``path`` None) may not have begun yet.

    Raises
    ------
    AuditError
        The log at ``path`` is absent, and so is its head; or it cannot be read.
    """
    if path is not None and not Path(path).exists() and not _head_path(Path(path)).exists():
        raise AuditError("is not there", file=path, advice="Name the file audit.jsonl of an audit log.")
    path = log_path() if path is None else Path(path)
    with _quiet(path):
        return _judge(_scan(path), _read_head(path))


def _judge(scan: _Scan, head: _Head | None) -> Verification:
    reason = scan.reason or _against_head(scan, head)
    if not reason:
        return Verification(
            entries=scan.entries, ok=True, torn=bool(scan.torn), is_there=scan.is_there or head is not None
        )
    return Verification(entries=scan.entries, ok=False, first_bad=scan.entries + 1, reason=reason)


def _against_head(scan: _Scan, head: _Head | None) -> str:
    if head is None:
        return "the head is missing or damaged" if scan.is_there else ""
    if scan.entries < head.entries:
        return f"{head.entries - scan.entries} entries are missing at the end"
    if scan.entries > head.entries + 1:
        return "entries were added without the head"
    last, before = (scan.last.hash, scan.last.prev_hash) if scan.last else (FIRST, FIRST)
    return "" if head.hash == (last if scan.entries == head.entries else before) else "the head differs"


def _scan(path: Path) -> _Scan:
    """Follow the chain from the start to the first thing that is wrong."""
    entries, last, torn = 0, None, b""
    if not path.exists():
        return _Scan(is_there=False)
    for line in _lines(path):
        entry = parse(line.removesuffix(b"\n"))
        if entry is None:
            torn += line
            continue
        expected = last.hash if last else FIRST
        if torn and not _records(entry, torn):
            return _Scan(entries, last, b"", "an entry was changed")
        if entry.sequence != entries + 1 or entry.prev_hash != expected:
            return _Scan(entries, last, b"", "entries were removed, inserted or reordered")
        entries, last, torn = entries + 1, entry, b""
    return _Scan(entries, last, torn)


def _scan_end(path: Path) -> _Scan:
    """The last entry and what is torn after it, from the file's end alone; the whole scan where that holds none."""
    size = path.stat().st_size if path.exists() else 0
    if size <= _WINDOW:
        return _scan(path)
    with path.open("rb") as stream:
        stream.seek(size - _WINDOW)
        lines = stream.readlines()
    for number in range(len(lines) - 1, -1, -1):
        entry = parse(lines[number].removesuffix(b"\n"))
        if entry is not None:
            return _Scan(entry.sequence, entry, b"".join(lines[number + 1 :]))
    return _scan(path)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            yield from stream
    except FileNotFoundError:
        return
    except OSError as error:
        raise AuditError(f"cannot be read ({error.strerror})", file=path) from error


def _records(entry: Entry, torn: bytes) -> bool:
    """True where ``entry`` is the record of exactly these torn bytes; its own line break in front is not theirs."""
    return entry.action == RECOVERED and entry.details.get("sha256") == _sha256(torn.removesuffix(b"\n"))


def _recover(path: Path, scan: _Scan) -> Entry:
    details = {"bytes": len(scan.torn), "sha256": _sha256(scan.torn)}
    return _write(path, new_entry(RECOVERED, job_id="", details=details, before=scan.last), b"\n")


def _write(path: Path, entry: Entry, gap: bytes) -> Entry:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "ab") as stream:
        stream.write(gap + entry.line())
        stream.flush()
        os.fsync(stream.fileno())
    _write_head(path, _Head(entry.sequence, entry.hash))
    return entry


def _write_head(path: Path, head: _Head) -> None:
    write_text(_head_path(path), json.dumps({"entries": head.entries, "hash": head.hash}))


def _gap(path: Path, scan: _Scan) -> bytes:
    """A line break where a kill took just that from the last entry."""
    if scan.torn or not path.exists() or path.stat().st_size == 0:
        return b""
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return b"" if stream.read(1) == b"\n" else b"\n"


def _read_head(path: Path) -> _Head | None:
    try:
        body = json.loads(_head_path(path).read_text(encoding="utf-8"))
        return _Head(int(body["entries"]), str(body["hash"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _head_path(path: Path) -> Path:
    return path.with_name("head.json")


def _lock_path(path: Path) -> Path:
    return path.with_name("lock")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError as error:
        raise AuditError("another process holds the audit log", file=path, advice="Try again.") from error
    except (OSError, OutputError) as error:
        raise AuditError(
            f"cannot be written ({type(error).__name__})",
            file=path,
            advice="Is the disk full, or the folder read-only?",
        ) from error


@contextlib.contextmanager
def _quiet(path: Path) -> Iterator[None]:
    """Nobody appends meanwhile; a log that cannot be locked (read-only) or has no lock (a copy) is read as it is."""
    with contextlib.ExitStack() as stack:
        if _lock_path(path).is_file():
            with contextlib.suppress(OSError):
                stack.enter_context(locks.locked(_lock_path(path), wait=_WAIT))
        yield
