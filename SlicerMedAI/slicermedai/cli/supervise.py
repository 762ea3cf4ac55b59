"""Run a job in a child, show how it goes, and let Ctrl-C end it within two seconds."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from slicermedai.audit.ends import record_end
from slicermedai.jobs.protocol import Event, Note, Progress
from slicermedai.jobs.specs import Job
from slicermedai.jobs.supervisor import Running, State, start

_STEP = 0.1


def supervise(job: Job) -> int:
    """Do ``job``; the folder of its result is the last line on stdout. Returns the exit code.

    Raises
    ------
    MedAIError
        What ended the job; JobCancelled after an interrupt.
    """
    lines = ProgressLines(sys.stderr)
    with _interruptible(), start(job) as running:
        try:
            running.wait(on_event=lines.show)
        except KeyboardInterrupt:
            _stop(running)
        lines.end()
    if running.state is State.DONE:
        print(running.folder)
        return 0
    error = running.error
    record_end(running)
    if error is None:
        raise AssertionError("a job that is not done has an error")
    raise error


def _stop(running: Running) -> None:
    """Stop in good order; a second interrupt stops at once."""
    try:
        running.cancel()
        running.wait()
    except KeyboardInterrupt:
        running.close()


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


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """A closed terminal or a ``kill`` ends the job as Ctrl-C does."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
