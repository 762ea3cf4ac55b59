"""The worker's side of a job: run one job file, speak the protocol on stdout, stop when asked to.

It is asked by SIGTERM or SIGINT, and where a supervisor started it also by the end of its stdin, which comes when the
supervisor is gone. The next progress call then raises; a worker that is too busy for that removes its unfinished
output after a second and kills itself with all that it started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from slicermedai.domain.storage import missing_parents, remove_empty, sweep_partials
from slicermedai.errors import JobCancelled, MedAIError
from slicermedai.jobs import crash, tree
from slicermedai.jobs.files import read_job
from slicermedai.jobs.folder import sweep
from slicermedai.jobs.kinds import Executor
from slicermedai.jobs.protocol import Done, Failed
from slicermedai.jobs.reporter import Reporter

EXIT_DONE, EXIT_FAILED, EXIT_CANCELLED = 0, 1, 130
GRACE = 1.0
"""Seconds between being asked to stop and stopping hard."""


def serve(path: Path, execute: Executor, *, supervised: bool = False) -> int:
    """Run the job in ``path`` by ``execute``; returns the exit code (0 done, 1 failed, 130 cancelled).

    stdout carries lines of the protocol and nothing else: what libraries print goes to stderr. Must be called in
    the main thread of a process of its own.
    """
    with _protocol_stream() as stream:
        stop = _Stop(path, supervised=supervised)
        reporter = Reporter(stream, check=stop.check)
        final = _attempt(path, execute, reporter, stop)
        reporter.send(final)
    stop.close()
    if isinstance(final, Done):
        return EXIT_DONE
    return EXIT_CANCELLED if stop.asked else EXIT_FAILED


def _attempt(path: Path, execute: Executor, reporter: Reporter, stop: _Stop) -> Done | Failed:
    try:
        job_id, job = read_job(path)
        stop.watch(Path(job.output))
        reporter.plan(job)
        reporter("start", 0.0)  # from here on a patient's data may be read, and the supervisor quotes no stderr
        folder = execute(job, job_id=job_id, progress=reporter)
    except MedAIError as error:
        return Failed(error=error.to_dict())
    except BaseException as error:  # noqa: BLE001  # the worker's outer boundary: all else is a crash with a cause
        if stop.asked:
            return Failed(error=JobCancelled("the job was cancelled").to_dict())
        return Failed(error=crash.from_exception(error).to_dict())
    return Done(folder=str(folder))


@contextlib.contextmanager
def _protocol_stream() -> Iterator[TextIO]:
    """The real stdout; descriptor 1 itself leads to stderr until the end, for libraries of any language."""
    sys.stdout.flush()
    real = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(real), "w", encoding="ascii", newline="\n") as stream:
            yield stream
    finally:
        sys.stdout.flush()
        os.dup2(real, 1)
        os.close(real)


class _Stop:
    """Whether this worker was asked to stop, and what then happens.

    Python runs signal handlers between its own steps, so one long native step would delay them; the wakeup descriptor
    is written by the system's handler at once, and a thread reads it.
    """

    def __init__(self, job: Path, *, supervised: bool) -> None:
        self.asked = False
        self._output: Path | None = None
        self._made_above: list[Path] = []
        self._job, self._supervised = job, supervised
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._listen_to_signals()
        if supervised:
            threading.Thread(target=self._await_end_of_stdin, daemon=True).start()

    def watch(self, output: Path) -> None:
        """``output`` is what the job makes: nothing half-written stays there, and no folder made above it."""
        self._output, self._made_above = output, missing_parents(output)

    def check(self) -> None:
        """Raises :class:`JobCancelled` where it was asked to stop."""
        if self.asked:
            raise JobCancelled("the job was cancelled")

    def close(self) -> None:
        """The job has ended: nothing is stopped hard any more; after a stop what this worker started is killed."""
        self._ended.set()
        if self.asked:
            self._leave_nothing()

    def _listen_to_signals(self) -> None:
        self._signals, wakeup = socket.socketpair()
        wakeup.setblocking(False)
        self._wakeup = wakeup
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._await_signal, daemon=True).start()

    def _on_signal(self, number: int, frame: Any) -> None:
        self.asked = True

    def _await_signal(self) -> None:
        while True:
            if self._signals.recv(1)[0] in (signal.SIGTERM, signal.SIGINT):
                self._stop()

    def _await_end_of_stdin(self) -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        self._stop()

    def _stop(self) -> None:
        with self._lock:
            if self._ended.is_set():
                return
            self.asked = True
        if not self._ended.wait(GRACE):
            self._stop_hard()

    def _stop_hard(self) -> None:
        if self._output is not None:
            sweep_partials(self._output.parent, own=True)
            remove_empty(self._made_above)
        self._leave_nothing()
        os._exit(EXIT_CANCELLED)

    def _leave_nothing(self) -> None:
        """Kill what this worker started; where its supervisor died, remove the job's temporary folder too."""
        if not self._supervised:
            return
        sweep(self._job.resolve().parent.parent)
        if tree.is_leader():
            tree.kill(os.getpid())
