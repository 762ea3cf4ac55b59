"""A job that was started: progress, cancellation, result. No thread is in it, and nothing in it waits but ``wait``.

A script that ends while its job runs waits for the job, says so, and can be stopped by Ctrl-C. Inside Slicer a job ends
with the application.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

from slicermedai.audit.ends import record_end
from slicermedai.console.polled import Polled
from slicermedai.console.tell import tell
from slicermedai.domain.codec import loading
from slicermedai.domain.result import RESULT, AnalysisResult, result_folder
from slicermedai.errors import JobError, MedAIError
from slicermedai.jobs import crash
from slicermedai.jobs.protocol import Event, Progress
from slicermedai.jobs.supervisor import Running, State

_LOG = logging.getLogger("slicermedai")
_PAUSE = 0.03
_unfinished: set[JobHandle] = set()


def log_failure(error: MedAIError) -> None:
    """What is done about a job that did not succeed where nobody waits for it: its kind is logged."""
    _LOG.error("the job ended with %s; its result() says why", type(error).__name__)


class JobHandle(Polled):
    """A job that was started. It changes only inside :meth:`poll`, which a timer calls inside Slicer.

    Attributes
    ----------
    progress, stage, seconds_left:
        The whole's fraction 0 to 1, what is being done, and an estimate in seconds (None while there is none).
    state, done:
        ``"running"``, ``"done"``, ``"failed"`` or ``"cancelled"``; ``done`` is True for all but the first.
    output:
        The folder that the job makes. It is patient data and stays until somebody removes it.
    job_id:
        Its name in the audit log.
    callback_error:
        What ``on_done`` raised, or None. The job is done all the same, and its result is there.
    on_done, on_event, on_error:
        Called by :meth:`poll`: with the result of a job that is done; with each event; with what ended a job.
    """

    def __init__(self, running: Running, *, on_done: Callable[[AnalysisResult], object] | None = None) -> None:
        self.progress = 0.0
        self.stage = ""
        self.seconds_left: float | None = None
        self.state = State.RUNNING
        self.done = False
        self.output = running.output
        self.job_id = running.job_id
        self._running = running
        self.on_done = on_done
        self.on_event: Callable[[Event], object] | None = None
        self.on_error: Callable[[MedAIError], object] = log_failure
        self.callback_error: Exception | None = None
        self._owner = os.getpid()
        self._result: AnalysisResult | None = None
        _unfinished.add(self)

    def poll(self) -> None:
        """Take in what the worker said since the last call, without waiting; at the end calls ``on_done``.

        ``on_done`` gets the result of a job that is done; a failure is logged, and raised by :meth:`result`. What
        ``on_done`` raises changes nothing about the job: it is told once and kept as :attr:`callback_error`.
        """
        for event in self._running.poll():
            self._take(event)
        if not self.done and self._running.state is not State.RUNNING:
            self._end()

    def cancel(self) -> None:
        """Ask for an end and return at once; within two seconds all processes are gone and nothing is half-written."""
        self._running.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it has ended or ``timeout`` seconds are over; True where it has. Freezes a GUI meanwhile."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self.poll()
            if self.done or (deadline is not None and time.monotonic() >= deadline):
                return self.done
            time.sleep(_PAUSE)

    def result(self) -> AnalysisResult:
        """The result of a job that is done; never waits.

        Raises
        ------
        JobError
            It still runs.
        JobCancelled, WorkerCrashed, MedAIError
            What ended the job.
        """
        if not self.done:
            raise JobError("the job still runs", advice="Call wait() first, or give submit() an on_done.")
        if self.error is not None:
            raise self.error
        if self._result is None:
            self._result = AnalysisResult.load(self.folder)
        return self._result

    def loading(self) -> Generator[None, None, AnalysisResult]:
        """As :meth:`result`, in pieces: a window that takes one in each turn of its loop never waits for a large one.

        Raises
        ------
        JobError, JobCancelled, WorkerCrashed, MedAIError
            As :meth:`result` does.
        """
        if self.done and self.error is None and self._result is None:
            self._result = yield from loading(result_folder(self.folder), AnalysisResult, kind=RESULT)
        return self.result()

    @property
    def error(self) -> MedAIError | None:
        """What ended a job that did not succeed."""
        return self._running.error

    @property
    def folder(self) -> Path:
        """Where the result lies: ``output``, unless the worker said otherwise at its end."""
        return self._running.folder or self.output

    def finish(self) -> Path:
        """BLOCK until the job is done, and return its folder; an interrupt stops the job.

        Raises
        ------
        JobCancelled, WorkerCrashed, MedAIError
            What ended the job.
        """
        with self:
            self.on_error = lambda error: None  # it is raised
            self.wait()
        if self.error is not None:
            raise self.error
        return self.folder

    def close(self) -> None:
        """Kill the worker now where it still runs, for a caller that is itself being stopped."""
        self._running.close()
        self.poll()

    def _take(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress, self.stage, self.seconds_left = event.fraction, event.stage, event.seconds_left
        if self.on_event is not None:
            self.on_event(event)

    def _forget(self) -> None:
        _unfinished.discard(self)
        self._tick_no_more()

    def _end(self) -> None:
        self._forget()
        self.state, self.done, self.seconds_left = self._running.state, True, None
        if self.error is not None:
            record_end(self._running)
            self.on_error(self.error)
            return
        self.progress, self.seconds_left = 1.0, 0.0
        self._call_back()

    def _call_back(self) -> None:
        if self.on_done is not None:
            self.callback_error = told(self.on_done, self.result, "the job is done, its result() is there; on_done")


def told(
    heard: Callable[[AnalysisResult], object], result: Callable[[], AnalysisResult], what: str
) -> Exception | None:
    """Hand a result to a person's function; what that raises is logged as ``what`` failed, and given back."""
    try:
        heard(result())
    except Exception as error:  # noqa: BLE001  # anybody's function: it must not take a finished job with it
        why = str(error) if isinstance(error, MedAIError) else crash.place_of(error)
        _LOG.error("%s failed: %s", what, why)
        return error
    return None


@atexit.register
def _wait_for_all() -> None:
    """At the end of a script; the supervisor then ends what an interrupt left."""
    waiting = [handle for handle in _unfinished if handle._owner == os.getpid()]
    if hasattr(sys.modules.get("slicer"), "app"):
        return
    for handle in waiting:
        try:
            _wait_at_exit(handle)
        except KeyboardInterrupt:
            handle.close()
            tell("stopped; nothing was left behind")


def _wait_at_exit(handle: JobHandle) -> None:
    handle.poll()
    if handle.done:
        return
    tell(
        "the program has ended but its job has not: waiting for it. Ctrl-C stops it; call job.wait() to wait earlier. "
        f"Output: {handle.output}"
    )
    handle.on_error = lambda error: tell(f"the job failed: {error}")
    if handle.wait() and handle.error is None:
        tell(f"the job is done: {handle.folder}")
