"""A child process that answers one request after another, and keeps what it has loaded: both of its sides.

The asking side has no threads and never waits: requests are lines of JSON on the child's stdin, and what it says are
lines on its stdout, by the number of the request: "progress" ([stage, fraction]), "answer", or "error" (a
:class:`~slicermedai.errors.MedAIError` as plain values). The child ends where its stdin does, and when nobody has asked
for a while; what is asked next starts another, since every request says all that it needs.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from slicermedai.domain.observer import Progress
from slicermedai.errors import JobCancelled, MedAIError, WorkerCrashed
from slicermedai.jobs import crash, interpreter, tree
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.interrupts import EXIT_CANCELLED, interruptible

_CHUNK, _AT_ONCE = 1 << 16, 16
_GOING = 5.0
_living: set[Standing] = set()
Answer = Callable[[dict[str, Any], Progress], Any]
"""Answers a request; raises MedAIError, and lets JobCancelled from the progress through."""


class Standing:
    """The asking side: ``python -m module`` with ``arguments``, started when something is asked.

    Attributes
    ----------
    starts:
        How often it was started.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self.starts = 0
        self._module, self._arguments = module, arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: JobFolder | None = None
        self._rest = b""

    @property
    def pid(self) -> int | None:
        """Of the process, None where there is none."""
        return None if self._process is None else self._process.pid

    def send(self, request: dict[str, Any]) -> None:
        """Hand on a request, to a new process where there is none.

        Raises
        ------
        WorkerCrashed, OutputError
            It cannot be started.
        """
        line = json.dumps(request).encode("ascii") + b"\n"
        with contextlib.suppress(OSError):
            self._stdin().write(line)
            return
        self.close()  # it had died unseen
        self._stdin().write(line)

    def events(self) -> Iterator[dict[str, Any]]:
        """What it said since the last time."""
        for _ in range(_AT_ONCE):
            if self._process is None or self._process.stdout is None:
                return
            try:
                raw = os.read(self._process.stdout.fileno(), _CHUNK)
            except BlockingIOError:
                return
            if not raw:
                return
            *lines, self._rest = (self._rest + raw).split(b"\n")
            yield from (json.loads(line) for line in lines)

    def ended(self) -> MedAIError | None:
        """Why it is gone, told once, and then it is forgotten; None while it lives, and where there is none."""
        tree.reap()
        code = None if self._process is None else self._process.poll()
        if code is None or self._folder is None:
            return None
        error = crash.from_exit(code, self._folder.path / "stderr", has_begun=True)
        self._forget()
        return error

    def stop(self) -> None:
        """Ask it to end, and return at once; what is sent next starts another."""
        if self._process is not None:
            tree.ask_to_stop(self._process.pid)
            if self._process.stdin is not None:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()

    def kill(self) -> None:
        """Kill it, with all that it started; does not wait."""
        if self._process is not None:
            tree.kill(self._process.pid)

    def close(self) -> None:
        """End it, and wait until it is gone: a moment."""
        self.kill()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GOING)
            self._forget()

    def _stdin(self) -> Any:
        self.ended()
        if self._process is not None and self._process.stdin is not None and self._process.stdin.closed:
            self.close()  # it was asked to end
        if self._process is None:
            self._folder = JobFolder.create("ask")
            try:
                self._process = self._started(self._folder)
            except BaseException:
                self._folder.remove()
                raise
            self.starts += 1
            _living.add(self)
        return self._process.stdin

    def _started(self, folder: JobFolder) -> subprocess.Popen[bytes]:
        with (folder.path / "stderr").open("wb") as errors:
            try:
                process = subprocess.Popen(
                    [interpreter.python(), "-m", self._module, *self._arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    bufsize=0,
                    env=interpreter.environment(folder.path),
                    **tree.own_group(),
                )
            except OSError as error:
                raise WorkerCrashed("cannot be started", file=self._module, attribute=str(error.strerror)) from error
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        return process

    def _forget(self) -> None:
        assert self._process is not None and self._folder is not None
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]  # both are pipes
        self._folder.remove()
        self._process, self._folder, self._rest = None, None, b""
        _living.discard(self)


@atexit.register
def _close_all() -> None:
    for one in list(_living):
        one.close()


# --- the child ---------------------------------------------------------------------------------------------------


def answer_requests(
    answer: Answer, *, idle: float | None, gives_way: Callable[[dict[str, Any]], bool] = lambda asked: True
) -> int:
    """Be the child: answer requests until nobody has asked for ``idle`` seconds (None: ever); returns the exit code.

    A request that ``gives_way`` ends at its next progress call where another has come meanwhile.
    """
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    stream = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    os.dup2(2, 1)  # what libraries print is not for the pipe

    def say(event: dict[str, Any]) -> None:
        stream.write(json.dumps(event) + "\n")
        stream.flush()

    try:
        with interruptible():
            while (line := _next(lines, idle)) is not None:
                asked = json.loads(line)
                is_last = lines.empty if gives_way(asked) else _stays
                if not _answered(answer, asked, is_last, say):
                    return 1
    except KeyboardInterrupt:
        return EXIT_CANCELLED
    return 0


def _stays() -> bool:
    return True


def _answered(
    answer: Answer, asked: dict[str, Any], is_last: Callable[[], bool], say: Callable[[dict[str, Any]], None]
) -> bool:
    """Answer one request; False where something happened that nobody foresaw: what is kept may then be wrong."""
    number = asked["id"]

    def progress(stage: str, fraction: float) -> None:
        say({"id": number, "progress": [stage, min(max(float(fraction), 0.0), 1.0)]})
        if not is_last():
            raise JobCancelled("something else was asked for")

    try:
        say({"id": number, "answer": answer(asked, progress)})
    except MedAIError as error:
        say({"id": number, "error": error.to_dict()})
    except Exception as error:  # noqa: BLE001  # the child's outer boundary: all else is a crash with a cause
        say({"id": number, "error": crash.from_exception(error).to_dict()})
        return False
    return True


def _next(lines: queue.SimpleQueue[str], idle: float | None) -> str | None:
    try:
        return lines.get(timeout=idle)
    except queue.Empty:
        return None


def _listen(lines: queue.SimpleQueue[str]) -> None:
    """Hand on each request; with the asking process the work ends too."""
    for line in sys.stdin:
        lines.put(line)
    os._exit(1)
