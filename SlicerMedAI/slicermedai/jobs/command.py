"""A program as a child process, looked at without waiting: an installer, whose last line people want to see.

No threads and no waiting here, as in :mod:`~slicermedai.jobs.supervisor`: a timer calls :meth:`Command.poll`.
"""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import time
from collections.abc import Mapping, Sequence

from slicermedai.errors import WorkerCrashed
from slicermedai.jobs import interpreter, tree
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.tail import Tail

GRACE = 1.0
"""Seconds between asking a program to stop and killing it with all that it started."""

_REAPING = 5.0
_running: set[Command] = set()


class Command:
    """A Python command line that was started; it ends by itself, by :meth:`cancel`, or with this process.

    Parameters
    ----------
    arguments:
        What follows the Python of workers, for instance ``("-m", "pip", "install", ...)``. It gets no input, and its
        temporary files lie in a folder that is removed at its end.
    secrets:
        Variables of its environment, which no file and no log holds.

    Raises
    ------
    WorkerCrashed
        It cannot be started.
    OutputError
        The temporary folder cannot be written.
    """

    def __init__(self, arguments: Sequence[str], *, secrets: Mapping[str, str] | None = None) -> None:
        self.last_line = ""
        """What it said last, output and errors alike; "" where it said nothing yet."""
        self.returncode: int | None = None
        """None while it runs."""
        self.cancelled = False
        self._deadline = 0.0
        self._family: set[tree.Member] = set()
        self._folder = JobFolder.create()
        self._tail = Tail(self._folder.path / "output")
        try:
            self._process = self._started([interpreter.python(), *arguments], dict(secrets or {}))
        except BaseException:
            self._folder.remove()
            raise
        _running.add(self)

    def _started(self, command: list[str], secrets: dict[str, str]) -> subprocess.Popen[bytes]:
        try:
            with (self._folder.path / "output").open("wb") as output:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**interpreter.environment(self._folder.path), **secrets},
                    **tree.own_group(),
                )
        except OSError as error:
            raise WorkerCrashed(
                f"the program cannot be started ({error.strerror})",
                file=command[0],
                advice="Is this Python there, and may it be run?",
            ) from error

    def poll(self) -> None:
        """Take in what it said and whether it ended; never blocks."""
        tree.reap()
        if self.returncode is not None:
            return
        self._listen()
        if self.cancelled and time.monotonic() >= self._deadline:
            tree.kill(self._process.pid, known=self._family)
        code = self._process.poll()
        if code is not None:
            self._finish(code)

    def cancel(self) -> None:
        """Ask it to stop and return at once; :meth:`poll` kills it where it does not within :data:`GRACE`."""
        if self.returncode is not None or self.cancelled:
            return
        self.cancelled, self._deadline = True, time.monotonic() + GRACE
        self._family = tree.members(self._process.pid)
        tree.ask_to_stop(self._process.pid)

    def close(self) -> None:
        """Kill it where it still runs, and wait until it is gone."""
        if self.returncode is None:
            self.cancelled = True
            tree.kill(self._process.pid, known=self._family)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_REAPING)
            self._finish(self._process.poll() or -9)

    def _listen(self) -> None:
        said = [line.strip() for line in self._tail.lines() if line.strip()]
        self.last_line = said[-1] if said else self.last_line

    def _finish(self, code: int) -> None:
        tree.kill(self._process.pid, known=self._family)
        while not self._tail.at_end:
            self._listen()
        self.returncode = code
        self._folder.remove()
        _running.discard(self)


@atexit.register
def _close_all() -> None:
    for command in list(_running):
        command.close()
