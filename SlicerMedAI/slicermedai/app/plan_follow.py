"""A person's hand in the scene is followed once it rests, and not while it moves. No Qt and no MRML in here."""

from __future__ import annotations

import time
from collections.abc import Callable

from slicermedai.app.signal import Signal

REST = 0.3
"""Seconds without a change after which a plane or a drawing is taken over."""


class Following:
    """Calls ``follow`` when nothing has changed for :data:`REST` seconds; to be polled while :attr:`busy`.

    It waits while ``is_held`` says so (something is worked out), and while :attr:`is_watched` is False: nobody looks at
    the numbers then, and drawing is not disturbed.
    """

    def __init__(
        self, follow: Callable[[], object], *, is_held: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.changed = Signal()
        """Emitted when there is something to wait for: :meth:`poll` must come."""
        self.is_watched = True
        self._follow, self._is_held, self._clock = follow, is_held, clock
        self._since: float | None = None

    @property
    def busy(self) -> bool:
        """True while a change waits to be followed."""
        return self._since is not None and self.is_watched

    def note(self) -> None:
        """Something was changed just now."""
        self._since = self._clock()
        self.changed.emit()

    def poll(self) -> None:
        """Follow, where the hand rests."""
        if self.busy and not self._is_held() and self._clock() - (self._since or 0.0) >= REST:
            self._since = None
            self._follow()

    def cancel(self) -> None:
        """Follow no more."""
        self._since = None
