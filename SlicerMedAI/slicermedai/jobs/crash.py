"""Why a worker died, in words, and without what it may have printed about a patient."""

from __future__ import annotations

import re
import signal
import traceback
from pathlib import Path

from slicermedai.errors import WorkerCrashed
from slicermedai.jobs.tail import last_lines

_PACKAGE = Path(__file__).resolve().parents[1]
_REASONS = {
    "SIGKILL": "it was killed from outside, most often because memory ran out",
    "SIGSEGV": "a fault in native code",
    "SIGBUS": "a fault in native code, or a full temporary disk",
    "SIGABRT": "native code gave up",
    "SIGILL": "native code made for another processor",
    "SIGTERM": "somebody stopped it from outside",
}
_WINDOWS_REASONS = {0xC0000005: "access violation in native code", 0xC0000017: "memory ran out"}
_MEMORY = ("MemoryError", "OutOfMemoryError", "SIGKILL", "memory ran out")
_NO_ROOM = ("failed to map segment", "cannot allocate memory")
"""What the system's loader says of a library that memory has no room for."""
_LESS_MEMORY = "Close other programs, run it on another device, or use a machine with more memory."
_REPORT = "The study was not changed. Please report this line."
_INSTALL = "Press Install in the module MedAI, or call: slicermedai packages install."
_KNOWN_LINES = (
    re.compile(r"^Fatal Python error: [\w ]+"),
    re.compile(r'^  File "[^"]+", line \d+ in \w+'),
    re.compile(r"^[\w.]*(?:Error|Exception|Interrupt)(?=:|$)"),
    re.compile(r"^terminate called after throwing an instance of '[\w:<> ]+'"),
    re.compile(r"^\s+what\(\):\s+std::\w+$"),
)
_MOST_LINES = 6


def from_exit(code: int, stderr: Path, *, has_begun: bool) -> WorkerCrashed:
    """The error for a worker that ended with ``code`` and said nothing.

    ``stderr`` is quoted whole where the job had not begun, since nothing of a patient was read then; after that only
    lines whose form is known to hold none (frames, names of exceptions).
    """
    reason = _reason(code)
    lines = [line.rstrip() for line in last_lines(stderr) if line.strip()]
    kept = [found for line in lines if (found := _known(line))] if has_begun else lines
    quoted = " | ".join(line.strip() for line in kept[-_MOST_LINES:])
    return WorkerCrashed(
        f"the worker died: {reason}" + (f" ({quoted})" if quoted else ""),
        advice=_LESS_MEMORY if any(word in reason + quoted for word in _MEMORY) else _REPORT,
    )


def from_exception(error: BaseException) -> WorkerCrashed:
    """The error for an exception that nobody foresaw: its class and where, without its message."""
    name, lacking = type(error).__name__, _lacking(error)
    if lacking:
        return WorkerCrashed(f"the package {lacking} is not installed", advice=_INSTALL)
    if isinstance(error, ImportError) and any(words in str(error).lower() for words in _NO_ROOM):
        return WorkerCrashed(f"memory ran out while a library was loaded ({place_of(error)})", advice=_LESS_MEMORY)
    return WorkerCrashed(
        f"the worker failed with {place_of(error)}",
        advice=_LESS_MEMORY if name in _MEMORY else _REPORT,
    )


def _lacking(error: BaseException) -> str:
    """The package of others that was looked for in vain; "" for any other error."""
    name = (error.name or "") if isinstance(error, ModuleNotFoundError) else ""
    package = name.partition(".")[0]
    return package if package.isidentifier() and package != "slicermedai" else ""


def place_of(error: BaseException) -> str:
    """The class of ``error`` and where it was raised; not its message, which may quote a patient."""
    return f"{type(error).__name__} at {_where(error)}"


def _reason(code: int) -> str:
    if code in _WINDOWS_REASONS:
        return _WINDOWS_REASONS[code]
    number = -code if code < 0 else code - 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"exit code {code}, without a result"
    return f"{name}, {_REASONS[name]}" if name in _REASONS else name


def _known(line: str) -> str:
    matches = (pattern.match(line) for pattern in _KNOWN_LINES)
    return next((match.group() for match in matches if match), "")


def _where(error: BaseException) -> str:
    """``file:line`` of the innermost frame of this package, and of the innermost frame at all where that is another."""
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if not frames:
        return "an unknown place"
    ours = [(path.relative_to(_PACKAGE.parent), line) for path, line in frames if path.is_relative_to(_PACKAGE)]
    last, last_line = frames[-1]
    inner = f"{last.parent.name}/{last.name}:{last_line}"
    if not ours:
        return inner
    place = f"{ours[-1][0].as_posix()}:{ours[-1][1]}"
    return place if last.is_relative_to(_PACKAGE) else f"{place}, in {inner}"
