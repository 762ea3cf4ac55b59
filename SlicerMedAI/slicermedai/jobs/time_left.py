"""How long a job still takes, as a number that people can watch."""

from __future__ import annotations

import math
from collections.abc import Callable

ENOUGH_DONE, ENOUGH_SECONDS = 0.2, 2.0
"""No estimate is told before this fraction of the job and this many seconds: there is too little evidence for one."""

_FALL, _RISE = 0.5, 20.0
"""Seconds in which the told time follows a new estimate that is lower, or higher, than what was told."""


class TimeLeft:
    """Counts down, and bends towards what the pace so far says: quickly where that is less, slowly where it is more.

    So a stage that takes longer than its weight makes the number stand still rather than jump up.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = self._last = clock()
        self._told: float | None = None

    def at(self, fraction: float) -> float | None:
        """Seconds left when ``fraction`` (0 to 1) is done now; None while there is too little evidence."""
        now = self._clock()
        elapsed, passed = now - self._began, now - self._last
        if fraction >= 1.0:
            self._told = 0.0
        elif fraction >= ENOUGH_DONE and elapsed >= ENOUGH_SECONDS:
            self._told = self._bent(elapsed * (1.0 - fraction) / fraction, passed)
        self._last = now
        return None if self._told is None else round(self._told, 1)

    def _bent(self, estimate: float, passed: float) -> float:
        if self._told is None:
            return estimate
        counted = max(self._told - passed, 0.0)
        pace = _FALL if estimate < counted else _RISE
        return counted + (estimate - counted) * (1.0 - math.exp(-passed / pace))
