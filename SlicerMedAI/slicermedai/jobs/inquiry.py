"""A child process that is asked one thing while the window lives, and answers through a pipe: nothing is on a disk.

What goes in (a passphrase) and what comes out (values of a patient) is in memory alone. No threads and no waiting here.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import time
from typing import Any

from slicermedai.errors import JobCancelled, MedAIError, WorkerCrashed, from_dict
from slicermedai.jobs import interpreter, tree
from slicermedai.jobs.folder import JobFolder

GRACE = 1.0
"""Seconds between asking the child to stop and killing it."""
_CHUNK, _AT_ONCE = 1 << 16, 16
_running: set[Inquiry] = set()


class Inquiry:
    """A child that was asked one thing; :meth:`poll` drives it and never blocks.

    Parameters
    ----------
    module:
        What the child runs, ``python -m module``. It reads one line of JSON from stdin, writes lines of JSON with
        "progress" ([stage, fraction]), "answer" or "error" (a :class:`MedAIError` as plain values) to stdout, and ends
        where stdin does.
    request:
        The line that it reads.
    folder:
        Its temporary folder, removed at its end.

    Attributes
    ----------
    progress, stage, done, error, answer:
        Where it stands; ``answer`` is None until it has ended well.

    Raises
    ------
    WorkerCrashed
        It cannot be started.
    """

    def __init__(self, module: str, request: dict[str, Any], folder: JobFolder) -> None:
        self.progress, self.stage = 0.0, "start"
        self.seconds_left: float | None = None
        self.done = False
        self.error: MedAIError | None = None
        self.answer: Any = None
        self._deadline: float | None = None
        self._rest = b""
        self._module, self._folder = module, folder
        try:
            self._process = self._started(request)
        except BaseException:
            self._folder.remove()
            raise
        _running.add(self)

    def poll(self) -> None:
        """Take in what it said since the last time; kill it where it was asked to stop and does not."""
        tree.reap()
        if self.done:
            return
        code = self._process.poll()
        self._listen()
        if self._deadline is not None and time.monotonic() >= self._deadline:
            tree.kill(self._process.pid)
        if code is not None:
            self._finish(code)

    def cancel(self) -> None:
        """Ask it to stop and return at once."""
        if not self.done and self._deadline is None:
            self._deadline = time.monotonic() + GRACE
            tree.ask_to_stop(self._process.pid)

    def close(self) -> None:
        """Kill it where it still runs, and wait until it is gone."""
        if not self.done:
            self._deadline = time.monotonic()
            tree.kill(self._process.pid)
            self._finish(self._process.wait())

    def _started(self, request: dict[str, Any]) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                [interpreter.python(), "-m", self._module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=interpreter.environment(self._folder.path),
                **tree.own_group(),
            )
        except OSError as error:
            raise WorkerCrashed("cannot be started", file=self._module, attribute=str(error.strerror)) from error
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
        process.stdin.flush()
        os.set_blocking(process.stdout.fileno(), False)
        return process

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for _ in range(_AT_ONCE):
            try:
                raw = os.read(self._process.stdout.fileno(), _CHUNK)
            except BlockingIOError:
                return
            if not raw:
                return
            *lines, self._rest = (self._rest + raw).split(b"\n")
            for line in lines:
                self._take(json.loads(line))

    def _take(self, event: dict[str, Any]) -> None:
        if "progress" in event:
            self.stage, self.progress = event["progress"]
        elif "error" in event:
            self.error = from_dict(event["error"])
        elif "answer" in event:
            self.answer = event["answer"]

    def _finish(self, code: int) -> None:
        self._listen()
        if self._deadline is not None:
            self.error = JobCancelled("it was cancelled")
        elif self.error is None and self.answer is None:
            self.error = WorkerCrashed("ended before it was done", file=self._module, attribute=f"status {code}")
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]  # both are pipes
        self._folder.remove()
        self.done = True
        _running.discard(self)


@atexit.register
def _close_all() -> None:
    for inquiry in list(_running):
        inquiry.close()
