"""Do a job through the console, show how it goes, and let Ctrl-C end it within two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TextIO

from slicermedai.cli.last_words import tell
from slicermedai.console.handle import JobHandle
from slicermedai.console.verbs import submit_job
from slicermedai.jobs.interrupts import interruptible
from slicermedai.jobs.protocol import Event, Note, Progress
from slicermedai.jobs.specs import Job

_STEP = 0.1


def supervise(job: Job, *, secrets: Mapping[str, str] | None = None) -> int:
    """Do ``job``; the folder of its result is the last line on stdout. Returns the exit code.

    ``secrets`` are variables for the worker's environment alone.

    Raises
    ------
    MedAIError
        What ended the job; JobCancelled after an interrupt.
    """
    lines = ProgressLines(sys.stderr)
    with interruptible(), submit_job(job, secrets=secrets) as handle:
        handle.on_event, handle.on_error = lines.show, lambda error: None  # it is raised
        stopped = _wait(handle)
        lines.end()
    if handle.error is not None:
        raise handle.error
    if stopped:
        print("slicermedai: the job was done before it could be stopped", file=sys.stderr)
    if handle.folder is not None:
        tell(handle.folder)
    print(handle.folder)
    return 0


def _wait(handle: JobHandle) -> bool:
    """Wait for the end; True where a person asked for it. A second interrupt stops at once."""
    try:
        handle.wait()
    except KeyboardInterrupt:
        try:
            handle.cancel()
            handle.wait()
        except KeyboardInterrupt:
            handle.close()
        return True
    return False


class ProgressLines:
    """On a terminal one line that is rewritten; elsewhere a line for each stage and each tenth of the whole."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._width = 0
        self._told: tuple[str, float] = ("", -1.0)
        self._began = time.monotonic()

    def show(self, event: Event) -> None:
        """Write what ``event`` says, where it says something new."""
        if isinstance(event, Note):
            self._line(event.text)
        elif isinstance(event, Progress):
            self._progress(event)

    def end(self) -> None:
        """Leave the terminal's line."""
        if self._live and self._width:
            self._stream.write("\n")
            self._stream.flush()

    def _progress(self, event: Progress) -> None:
        text = f"{event.fraction:4.0%}  {event.stage}{time_left(event.seconds_left)}"
        if self._live:
            self._stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
            self._stream.flush()
            return
        stage, fraction = self._told
        if event.stage != stage or event.fraction - fraction >= _STEP:
            self._told = (event.stage, event.fraction)
            self._line(text)

    def _line(self, text: str) -> None:
        start = "\r" + " " * self._width + "\r" if self._live else ""
        self._stream.write(f"{start}{text}\n")
        self._stream.flush()


def time_left(seconds: float | None) -> str:
    """ "  0:42 left", or "" where it is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"  {minutes}:{rest:02d} left"
