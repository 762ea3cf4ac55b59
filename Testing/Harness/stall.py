"""Measures how long Qt's event loop stood still of its own doing.

What counts is time in which the loop's thread computed, slept, or waited for a lock, a file or another process. Time in
which it was ready and other processes had the processors is no doing of a module's, and is taken off where the system
tells it (Linux's ``schedstat``; elsewhere it counts).
"""

import time
from pathlib import Path

from PySide6 import QtCore

INTERVAL_MS = 5
SCHEDULER = Path("/proc/thread-self/schedstat")
"""Nanoseconds on a processor, nanoseconds ready without one, number of turns."""


def ready_without_processor() -> float:
    """Seconds in which the calling thread was ready while others had the processors; 0.0 where nothing tells."""
    try:
        return int(SCHEDULER.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


class Heartbeat:
    """A timer that notes the longest gap between two of its beats, in milliseconds."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._last = self._last_ready = 0.0
        self._timer = QtCore.QTimer(interval=INTERVAL_MS, timerType=QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begins to measure; what happens before is not counted."""
        self._last, self._last_ready = time.perf_counter(), ready_without_processor()
        self._timer.start()

    def stop(self) -> None:
        """Ends the measurement, and counts the gap since the last beat."""
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        now, ready = time.perf_counter(), ready_without_processor()
        gap = (now - self._last - (ready - self._last_ready)) * 1000 - INTERVAL_MS
        self.longest_ms = max(self.longest_ms, gap)
        self._last, self._last_ready = now, ready
