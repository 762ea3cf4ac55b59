"""A process with all that it starts, as one thing that can be asked to stop, and killed.

A worker is the leader of its own session. On Linux processes that left the group are found through ``/proc``; on
other systems the group is what is killed, and on Windows the tree that ``taskkill /T`` sees.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

Member = tuple[int, int]
"""Process number and start time in clock ticks: together they are not used twice."""

_killers: dict[int, subprocess.Popen[bytes]] = {}


def own_group() -> dict[str, Any]:
    """Arguments of :class:`subprocess.Popen` that make the process a leader of its own group (and session)."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def is_leader() -> bool:
    """True where this process leads its group, so that killing the group kills nobody else's process."""
    return sys.platform != "win32" and os.getpgrp() == os.getpid()


def members(leader: int) -> set[Member]:
    """The living processes of ``leader``'s session and their descendants, itself included; empty outside Linux."""
    table = _process_table()
    family = {pid for pid, (_, session, _) in table.items() if leader in (pid, session)}
    grown = True
    while grown:
        more = {pid for pid, (parent, _, _) in table.items() if parent in family} - family
        family |= more
        grown = bool(more)
    return {(pid, table[pid][2]) for pid in family}


def ask_to_stop(leader: int) -> None:
    """SIGTERM to the group; on Windows nothing (there the end of the worker's stdin is what asks)."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGTERM)


def kill(leader: int, *, known: set[Member] | None = None) -> None:
    """Kill the group of ``leader``, its descendants, and those of ``known`` that still live; does not wait."""
    if sys.platform == "win32":
        _taskkill(leader)
        return
    family = members(leader) | (known or set())
    own = os.getpid()
    for pid, started in family:
        if pid != own and _started(pid) == started:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def reap(*, wait: float = 0.0) -> None:
    """Take leave of the ``taskkill`` programs that have ended; ``wait`` seconds are given to those that have not."""
    deadline = time.monotonic() + wait
    for leader, killer in list(_killers.items()):
        with contextlib.suppress(subprocess.TimeoutExpired):
            killer.wait(max(deadline - time.monotonic(), 0.0))
            del _killers[leader]


def _taskkill(leader: int) -> None:
    """Start one, unless one for the same leader still runs; :func:`reap` takes leave of it."""
    reap()
    if leader in _killers:
        return
    command, none = ["taskkill", "/T", "/F", "/PID", str(leader)], subprocess.DEVNULL
    with contextlib.suppress(OSError):
        _killers[leader] = subprocess.Popen(command, stdin=none, stdout=none, stderr=none)


def _process_table() -> dict[int, tuple[int, int, int]]:
    """Process number -> (parent, session, start time), from proc_pid_stat(5); zombies are left out."""
    table = {}
    for entry in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        fields = _stat_fields(int(entry.name))
        if fields and fields[0] != "Z":
            table[int(entry.name)] = (int(fields[1]), int(fields[3]), int(fields[19]))
    return table


def _started(pid: int) -> int | None:
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else None


def _stat_fields(pid: int) -> list[str]:
    """The fields of ``/proc/<pid>/stat`` after the command's name: state, parent, group, session, ..."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
