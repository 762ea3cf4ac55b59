"""A console object that changes only where somebody polls it: a timer does so, and a block closes it at its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

_TICK = 200
"""Milliseconds between two looks of Slicer's timer."""


class Polled(ABC):
    """It changes only inside :meth:`poll`, which a timer calls inside Slicer; a block closes it at its end."""

    _stop_ticking: Callable[[], None] | None = None

    @abstractmethod
    def poll(self) -> Any:
        """Take in what happened since the last time; never waits."""

    @abstractmethod
    def close(self) -> None:
        """End what runs now."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def tick(self) -> None:
        """Let a timer of Slicer's window poll from now on, or Python's prompt while it waits; else nothing happens."""
        from slicermedai.console.prompt import while_waiting
        from slicermedai.scene.ticker import every

        self._stop_ticking = every(_TICK, self.poll) or while_waiting(self.poll)

    def _tick_no_more(self) -> None:
        """No timer polls any more."""
        if self._stop_ticking is not None:
            self._stop_ticking()
            self._stop_ticking = None
