"""Measures how long Qt's event loop stood still."""

import time

from PySide6 import QtCore

INTERVAL_MS = 5


class Heartbeat:
    """A timer that notes the longest gap between two of its beats, in milliseconds."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._last = 0.0
        self._timer = QtCore.QTimer(interval=INTERVAL_MS, timerType=QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begins to measure; what happens before is not counted."""
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> None:
        """Ends the measurement, and counts the gap since the last beat."""
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        now = time.perf_counter()
        gap = (now - self._last) * 1000 - INTERVAL_MS
        self.longest_ms = max(self.longest_ms, gap)
        self._last = now
