"""The parent's side of a job: start a worker, look at it without waiting, stop it with all that it started.

No threads and no waiting here: in Slicer, Python threads stand still while Qt's loop idles, so a timer calls
:meth:`Running.poll`. The worker's stdout is a file in the job's folder that is read as it grows; its stderr is another,
from which the cause of a crash is taken; its stdin is a pipe whose end tells the worker that this process is gone.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import TracebackType

from slicermedai.domain import settings
from slicermedai.domain.storage import missing_parents, remove_empty, sweep_partials
from slicermedai.errors import JobCancelled, MedAIError, ProtocolError, WorkerCrashed, from_dict
from slicermedai.jobs import crash, interpreter, tree
from slicermedai.jobs.files import new_job_id, write_job
from slicermedai.jobs.folder import JobFolder, sweep
from slicermedai.jobs.protocol import Done, Event, Failed, decode, is_event
from slicermedai.jobs.specs import Job
from slicermedai.jobs.tail import Tail

GRACE = 1.0
"""Seconds between asking a worker to stop and killing it."""

_PAUSE = 0.03
_REAPING = 5.0
_running: set[Running] = set()


class State(str, Enum):
    """Where a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    def __str__(self) -> str:
        """The word itself."""
        return self.value


def start(
    job: Job,
    *,
    folder: JobFolder | None = None,
    python: str | None = None,
    command: Sequence[str] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Running:
    """Start a worker for ``job`` and return at once.

    Parameters
    ----------
    folder:
        The job's temporary folder where it was made before (for inputs from memory); from now on the job's own.
    python:
        The Python to run it in; by default :func:`slicermedai.jobs.interpreter.python`.
    command:
        Another worker: it gets the job file's path as its last argument and speaks :mod:`~slicermedai.jobs.protocol`.
    secrets:
        Variables of the worker's environment, which no file and no log holds.

    Raises
    ------
    WorkerCrashed
        The worker cannot be started.
    OutputError
        The temporary folder cannot be written.
    UnreadableFileError
        The settings are damaged, so that nobody knows what was set.
    """
    settings.check()
    sweep()
    folder = folder or JobFolder.create()
    try:
        return _start(job, folder, list(command or _worker(python)), dict(secrets or {}))
    except BaseException:
        folder.remove()
        raise


def _worker(python: str | None) -> list[str]:
    return [python or interpreter.python(), "-m", "slicermedai", "run", "--supervised"]


def _start(job: Job, folder: JobFolder, command: list[str], secrets: dict[str, str]) -> Running:
    job_id = new_job_id()
    job = dataclasses.replace(job, output=str(Path(job.output).absolute()))
    path = write_job(job, folder.job_file, job_id=job_id)
    made_above = missing_parents(Path(job.output))
    with (folder.path / "events").open("wb") as events, (folder.path / "stderr").open("wb") as errors:
        try:
            process = subprocess.Popen(
                [*command, str(path)],
                stdin=subprocess.PIPE,
                stdout=events,
                stderr=errors,
                env={**interpreter.environment(folder.path), **secrets},
                **tree.own_group(),
            )
        except OSError as error:
            raise WorkerCrashed(
                f"the worker cannot be started ({error.strerror})",
                file=command[0],
                advice="Is this Python there, and may it be run?",
            ) from error
    running = Running(process, folder, job_id=job_id, output=Path(job.output))
    running.made_above = made_above
    return running


class Running:
    """A worker that was started. Use as context manager, or poll it until it has ended.

    It ends by itself, by :meth:`cancel` or by :meth:`close`; in each case the processes that it started are dead
    and its temporary folder is gone afterwards.
    """

    def __init__(self, process: subprocess.Popen[bytes], folder: JobFolder, *, job_id: str, output: Path) -> None:
        self.job_id = job_id
        self.output = output
        self._process, self._folder = process, folder
        self._tail = Tail(folder.path / "events")
        self.made_above: list[Path] = []
        self._owner = os.getpid()
        self._final: Done | Failed | None = None
        self._final_time = 0.0
        self._has_begun = False
        self._cancel_time: float | None = None
        self._family: set[tree.Member] = set()
        self._state = State.RUNNING
        _running.add(self)

    @property
    def pid(self) -> int:
        """The number of the worker's process, which leads its group."""
        return self._process.pid

    @property
    def state(self) -> State:
        """Where the job stands; changes only inside :meth:`poll`, :meth:`wait` and :meth:`close`."""
        return self._state

    @property
    def folder(self) -> Path | None:
        """The result's folder once the job is done."""
        done = self._state is State.DONE and isinstance(self._final, Done)
        return Path(self._final.folder) if done and isinstance(self._final, Done) else None

    @property
    def error(self) -> MedAIError | None:
        """What went wrong, or that it was cancelled; None while it runs and when it is done."""
        ended = self._state is not State.RUNNING and isinstance(self._final, Failed)
        return from_dict(self._final.error) if ended and isinstance(self._final, Failed) else None

    def poll(self) -> list[Event]:
        """What happened since the last call, without waiting; the last event of all is Done or Failed."""
        tree.reap()
        if self._state is not State.RUNNING:
            return []
        events = self._read()
        self._enforce()
        if self._has_exited():
            events += self._finish()
        return events

    def cancel(self) -> None:
        """Ask the worker to stop and return at once; :meth:`poll` kills it where it does not within :data:`GRACE`."""
        if self._state is not State.RUNNING or self._cancel_time is not None:
            return
        self._cancel_time = time.monotonic()
        self._family = tree.members(self._process.pid)
        self._close_stdin()
        tree.ask_to_stop(self._process.pid)

    def wait(self, timeout: float | None = None, *, on_event: Callable[[Event], None] | None = None) -> State:
        """Block until it has ended or ``timeout`` seconds are over; ``on_event`` gets each event as it comes."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            for event in self.poll():
                if on_event is not None:
                    on_event(event)
            if self._state is not State.RUNNING or (deadline is not None and time.monotonic() >= deadline):
                return self._state
            time.sleep(_PAUSE)

    def close(self) -> None:
        """Kill what still runs, at once, and clean up; does nothing after the end or in a forked copy."""
        if self._state is not State.RUNNING or self._owner != os.getpid():
            return
        self._cancel_time = self._cancel_time or time.monotonic()
        self._kill()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_REAPING)
        finally:  # also where an impatient person interrupts the waiting
            self._finish()

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- inside ------------------------------------------------------------------------------------------------

    def _read(self) -> list[Event]:
        """New events but the final one, which is kept until the process has ended."""
        events: list[Event] = []
        for line in self._tail.lines():
            event = _understood(line)
            if isinstance(event, (Done, Failed)):
                self._keep_final(event)
            elif event is not None:
                events.append(event)
        self._has_begun = self._has_begun or bool(events)
        return events

    def _keep_final(self, event: Done | Failed) -> None:
        if self._final is None:
            self._final, self._final_time = event, time.monotonic()

    def _enforce(self) -> None:
        """Kill a worker that does not stop after it was asked to, or does not end after it said that it is done."""
        now = time.monotonic()
        cancelled = self._cancel_time is not None and now - self._cancel_time >= GRACE
        lingers = self._final is not None and now - self._final_time >= 2 * GRACE
        if cancelled or lingers:
            self._kill()

    def _kill(self) -> None:
        tree.kill(self._process.pid, known=self._family)

    def _has_exited(self) -> bool:
        """Looks without reaping where the system can, so that the group's number stays ours until it is killed."""
        if self._process.returncode is not None or not hasattr(os, "waitid"):
            return self._process.poll() is not None
        try:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._process.pid, flags) is not None
        except ChildProcessError:
            return True

    def _finish(self) -> list[Event]:
        self._kill()
        code = self._process.poll()
        events = self._read()
        while not self._tail.at_end:
            events += self._read()
        self._state, final = self._outcome(code if code is not None else -9)
        self._final = final
        self._close_stdin()
        if self._state is not State.DONE:
            with contextlib.suppress(OSError):  # a place that cannot be read now
                sweep_partials(self.output.parent)
            remove_empty(self.made_above)
        self._folder.remove()
        _running.discard(self)
        return [*events, final]

    def _outcome(self, code: int) -> tuple[State, Done | Failed]:
        if isinstance(self._final, Done):
            return State.DONE, self._final
        told = self._final.error.get("type") if self._final else None
        if self._cancel_time is not None or told == JobCancelled.__name__:
            return State.CANCELLED, Failed(error=JobCancelled("the job was cancelled").to_dict())
        if self._final is not None:
            return State.FAILED, self._final
        error = crash.from_exit(code, self._folder.path / "stderr", has_begun=self._has_begun)
        return State.FAILED, Failed(error=error.to_dict())

    def _close_stdin(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


def _understood(line: str) -> Event | None:
    if not is_event(line):
        return None
    try:
        return decode(line)
    except ProtocolError as error:
        return Failed(error=error.to_dict())


@atexit.register
def _close_all() -> None:
    for running in list(_running):
        running.close()
    tree.reap(wait=GRACE)
