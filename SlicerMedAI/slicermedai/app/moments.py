"""Work in the window's process that a timer drives: as many steps at once as the window can spare."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from slicermedai.app.state import Handle
from slicermedai.app.words import reason_text
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import JobCancelled, MedAIError

_MOMENT = 0.02
"""Seconds of the window's time that are taken at once."""


def as_told(error: Exception) -> MedAIError:
    """The error as it is told to people, whatever it is."""
    return error if isinstance(error, MedAIError) else MedAIError(reason_text(error))


class Moments:
    """Steps of an iterator; ``total`` is how many there are, for the progress, 0 where nobody knows.

    At their end ``value`` is what a generator returned. What a step raises goes to whoever polls. Where nobody wants
    the rest, a generator is closed.
    """

    seconds_left: float | None = None
    stage = ""

    def __init__(self, steps: Iterator[object], *, total: int = 0) -> None:
        self._steps, self._total, self._count = steps, total, 0
        self.progress, self.done, self._ended = 0.0, False, False
        self.error: MedAIError | None = None
        self.value: Any = None

    def poll(self) -> None:
        """Take some steps; where the last ones took long, it is done at the next poll: what follows has its moment."""
        begun = time.monotonic()
        while not self._ended and time.monotonic() < begun + _MOMENT:
            self._step()
        self.done = self.done or (self._ended and time.monotonic() < begun + _MOMENT / 2)
        if self._total:
            self.progress = min(self._count / self._total, 1.0)

    def cancel(self) -> None:
        """Take no more steps."""
        if not self.done:
            self.done = self._ended = True
            self.error = JobCancelled("it was cancelled")
            self.clean()

    def clean(self) -> None:
        """Let go of the steps."""
        close = getattr(self._steps, "close", lambda: None)
        close()

    def _step(self) -> None:
        try:
            next(self._steps)
        except StopIteration as end:
            self._ended, self.value = True, end.value
        else:
            self._count += 1


class Taken(Moments):
    """The same for a presenter: what a step raises becomes ``error``."""

    def _step(self) -> None:
        try:
            super()._step()
        except Exception as error:  # noqa: BLE001  # whatever it is: this is over, and a timer must not meet it again
            self._ended = True
            self.error = as_told(error)


class Arrived(Taken):
    """A job that has ended, and its result, which is read a moment at a time; it is not stopped any more."""

    stage = "done"

    def __init__(self, job: Handle) -> None:
        super().__init__(job.loading())
        self.job, self.progress = job, 1.0

    @property
    def output(self) -> Path:
        """The job's folder."""
        return self.job.output

    def cancel(self) -> None:
        """Nothing: what the job wrote is there."""

    def result(self) -> AnalysisResult:
        """The result; raises what ended the job, or what keeps its result from being read."""
        if self.error is not None:
            raise self.error
        found: AnalysisResult = self.value
        return found


class Left:
    """What a child has left, beside its work: begun when that has ended well, and taken in a moment at a time.

    A child's errand has one, and asks it after each poll.
    """

    def __init__(self, steps: Callable[[], Iterator[object]]) -> None:
        self._begin = steps
        self._taken: Taken | None = None

    @property
    def begun(self) -> bool:
        """True once the child has ended well."""
        return self._taken is not None

    @property
    def value(self) -> Any:
        """What was read."""
        return None if self._taken is None else self._taken.value

    def poll(self) -> tuple[bool, MedAIError | None]:
        """Take some in; whether that was all, and what went wrong."""
        if self._taken is None:
            self._taken = Taken(self._begin())
        self._taken.poll()
        return self._taken.done or self._taken.error is not None, self._taken.error

    def cancel(self) -> MedAIError | None:
        """Take no more in."""
        if self._taken is not None:
            self._taken.cancel()
        return None if self._taken is None else self._taken.error
