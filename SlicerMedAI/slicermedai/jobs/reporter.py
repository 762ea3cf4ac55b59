"""The child's side of progress: stages become one overall fraction, and a time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from slicermedai.jobs.kinds import STAGES, stages_of
from slicermedai.jobs.protocol import Event, Note, Progress, encode
from slicermedai.jobs.specs import Job
from slicermedai.jobs.time_left import TimeLeft

PARTS: dict[str, tuple[str, float, float]] = {
    "scan": ("read", 0.0, 0.5),
    "collect identity": ("deidentify", 0.0, 0.1),
    "de-identify": ("deidentify", 0.1, 0.45),
    "verify": ("deidentify", 0.45, 1.0),
    "frame": ("load model", 0.0, 0.2),
    "resample": ("load model", 0.2, 0.4),
    "load locator": ("load model", 0.4, 0.5),
    "locate": ("load model", 0.5, 0.7),
    "prepare": ("load model", 0.7, 0.8),
    "load network": ("load model", 0.8, 1.0),
    "clean up": ("measure", 0.0, 0.3),
    "labels to source grid": ("measure", 0.3, 0.6),
}
"""A step with a name of its own -> the stage that it belongs to, and from where to where in it, 0 to 1."""

_INTERVAL = 0.1


class Reporter:
    """A :class:`slicermedai.domain.observer.Progress` that writes events, at most ten a second.

    Parameters
    ----------
    stream:
        Where the lines go; each is flushed.
    check:
        Called at every progress call; raises :class:`~slicermedai.errors.JobCancelled` when somebody stopped it.
    clock:
        Seconds, monotonic.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        check: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream, self._check, self._clock = stream, check, clock
        self._time_left = TimeLeft(clock)
        self._stages = dict(STAGES)
        self._fraction = 0.0
        self._last: tuple[str, float] = ("", float("-inf"))

    def plan(self, job: Job) -> None:
        """Weigh the stages that ``job`` goes through, and no others."""
        self._stages = stages_of(job)

    def __call__(self, stage: str, fraction: float) -> None:
        """Report ``fraction`` (0 to 1, held to that range) of ``stage``; see :class:`Reporter`."""
        self._check()
        part = min(max(float(fraction), 0.0), 1.0)
        self._fraction = max(self._fraction, self._overall(stage, part))
        if self._is_due(stage, part):
            self._last = (stage, self._clock())
            left = self._time_left.at(self._fraction)
            self.send(Progress(stage=stage, fraction=self._fraction, stage_fraction=part, seconds_left=left))

    def note(self, text: str) -> None:
        """A sentence for people; without patient data."""
        self.send(Note(text=text))

    def send(self, event: Event) -> None:
        """Write one event and flush."""
        self._stream.write(encode(event) + "\n")
        self._stream.flush()

    def _overall(self, stage: str, part: float) -> float:
        stage, start, end = PARTS.get(stage, (stage, 0.0, 1.0))
        if stage not in self._stages:
            return 0.0
        part = start + part * (end - start)
        names = list(self._stages)
        before = sum(self._stages[name] for name in names[: names.index(stage)])
        return min((before + part * self._stages[stage]) / sum(self._stages.values()), 1.0)

    def _is_due(self, stage: str, part: float) -> bool:
        last_stage, last_time = self._last
        return stage != last_stage or part >= 1.0 or self._clock() - last_time >= _INTERVAL
