"""One line of the audit log, and the chain that binds it to the line before."""

from __future__ import annotations

import dataclasses
import getpass
import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from slicermedai.errors import AuditError

FIRST = "0" * 64
"""What the first entry has for the hash before it."""

Detail = str | int | float | bool
_LONGEST = 200
_IDENTITY = re.compile(
    r"patient|birth|accession|institution|physician|operator|address|phone|mail|personname|othernames|mrn|ssn"
    r"|studyinstance|seriesinstance|sopinstance|studyuid|seriesuid|studyid|studydate|seriesdate|acquisitiondate"
    r"|studydescription|seriesdescription|comments"
)
_PATH = re.compile(r"^(?:/|~|\\\\|[A-Za-z]:[\\/]|file:)")
_UID = re.compile(r"[0-2](?:\.\d+){5}")
_ACTION = re.compile(r"[a-z][a-z-]*(?: [a-z-]+){0,3}")
_JOB_ID = re.compile(r"[0-9a-z]{0,32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"[A-Za-z]\w{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Who did what, when, to which hashes. ``hash`` is SHA-256 over all the other fields as canonical JSON.

    ``who`` is the name of the account at the operating system, ``time`` is UTC (ISO 8601 with milliseconds).
    """

    sequence: int
    time: str
    who: str
    action: str
    job_id: str
    details: dict[str, Detail]
    prev_hash: str
    hash: str = field(default="")

    def sealed(self) -> Entry:
        """The same entry with its hash."""
        return dataclasses.replace(self, hash=self.digest())

    def digest(self) -> str:
        """SHA-256 in hexadecimal digits of all fields but ``hash``."""
        body = {name: value for name, value in dataclasses.asdict(self).items() if name != "hash"}
        return hashlib.sha256(canonical(body)).hexdigest()

    def line(self) -> bytes:
        """The entry as it stands in the log, with its end of line."""
        return canonical(dataclasses.asdict(self)) + b"\n"


def new_entry(action: str, *, job_id: str, details: dict[str, Any], before: Entry | None) -> Entry:
    """The entry that follows ``before``.

    Raises
    ------
    AuditError
        An action that is not a few lower-case words, a job's name that is neither a UUID nor a short token of small
        letters and digits (or empty), a detail that may carry identity, or is no text or number. No value is quoted.
    """
    _check_words(action, job_id)
    for name, value in details.items():
        _check_detail(name, value)
    return Entry(
        sequence=1 if before is None else before.sequence + 1,
        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        who=_account(),
        action=action,
        job_id=job_id,
        details=details,
        prev_hash=FIRST if before is None else before.hash,
    ).sealed()


def parse(line: bytes) -> Entry | None:
    """The entry of a line (without its end), or None where the line is no whole entry with the right hash."""
    try:
        body = json.loads(line)
        entry = Entry(**body)
        return entry if canonical(body) == line and entry.hash == entry.digest() else None
    except (ValueError, TypeError, RecursionError):
        return None


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, ASCII alone: one value, one text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _check_words(action: str, job_id: str) -> None:
    if len(action) > _LONGEST or not _ACTION.fullmatch(action):
        raise AuditError("is no action of a few lower-case words", attribute="action")
    if not _JOB_ID.fullmatch(job_id):
        raise AuditError("is no UUID or short token", attribute="job_id", advice="Use new_job_id().")


def _check_detail(name: str, value: Any) -> None:
    if not _NAME.fullmatch(name):
        raise AuditError("a detail has a name of letters, digits and underscores", attribute="details")
    if _IDENTITY.search(re.sub(r"[^a-z]", "", name.lower())):
        raise AuditError("the audit log takes no identity", attribute=name, advice="Log a hash or a count instead.")
    if isinstance(value, float) and value - value != 0.0:
        raise AuditError("is no finite number", attribute=name)
    if not isinstance(value, Detail):
        raise AuditError("a detail is a text or a number", attribute=name)
    if isinstance(value, str) and (len(value) > _LONGEST or "^" in value or _is_telling(value)):
        raise AuditError(
            f"a text of at most {_LONGEST} characters, no person's name, no path and no UID",
            attribute=name,
            advice="Log a hash or a count instead.",
        )


def _is_telling(value: str) -> bool:
    return bool(_PATH.match(value) or _UID.search(value))


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
