"""A job that was started: progress, cancellation, result. No thread is in it, and nothing in it waits but ``wait``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from slicermedai.audit.ends import record_end
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import JobError
from slicermedai.jobs.protocol import Event, Progress
from slicermedai.jobs.supervisor import Running, State

_LOG = logging.getLogger("slicermedai")
_TICK = 200
_PAUSE = 0.03


class JobHandle:
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
        self._result: AnalysisResult | None = None
        self._stop_ticking: Callable[[], None] | None = None

    def poll(self) -> None:
        """Take in what the worker said since the last call, without waiting; at the end calls ``on_done``.

        ``on_done`` gets the result of a job that is done; a failure is logged, and raised by :meth:`result`.
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
        error = self._running.error
        if error is not None:
            raise error
        if self._result is None:
            self._result = AnalysisResult.load(self._running.folder or self.output)
        return self._result

    def close(self) -> None:
        """Kill the worker now, for a caller that is itself being stopped."""
        self._running.close()

    def tick(self) -> None:
        """Let a timer of Slicer's window poll from now on; elsewhere nothing happens."""
        from slicermedai.scene.ticker import every

        self._stop_ticking = every(_TICK, self.poll)

    def _take(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress, self.stage, self.seconds_left = event.fraction, event.stage, event.seconds_left

    def _end(self) -> None:
        if self._stop_ticking is not None:
            self._stop_ticking()
        self.state, self.done, self.seconds_left = self._running.state, True, None
        if self.state is not State.DONE:
            _LOG.error("the job ended with %s; its result() says why", type(self._running.error).__name__)
            record_end(self._running)
            return
        self.progress, self.seconds_left = 1.0, 0.0
        if self.on_done is not None:
            self.on_done(self.result())
