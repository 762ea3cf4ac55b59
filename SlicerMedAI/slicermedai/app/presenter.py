"""What all presenters share: a state that is told to whoever shows it, and one thing at a time that is worked on."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from slicermedai.app.installing import Installation, InstallStep
from slicermedai.app.signal import Signal
from slicermedai.app.state import BUSY, Phase, Work
from slicermedai.app.words import Translate

STOP_SECONDS = 5.0
"""How long :meth:`Presenter.wait` waits for what it has cancelled."""
PAUSE_SECONDS = 0.02


class Presenter(ABC):
    """``state`` is a frozen dataclass with ``phase``, ``message``, ``stage``, ``progress`` and ``seconds_left``."""

    state: Any

    def __init__(self, *, translate: Translate) -> None:
        self.changed = Signal()
        """Emitted with the new state."""
        self.translate = translate
        self._working: Any = None
        self._installation: Installation | None = None

    @property
    def busy(self) -> bool:
        """True while something is worked on, installed, or being stopped: :meth:`poll` must come."""
        return self.state.phase in BUSY

    @property
    def can_cancel(self) -> bool:
        """True where :meth:`cancel` would stop something."""
        return self.busy and self.state.phase is not Phase.STOPPING

    def cancel(self) -> None:
        """Ask what is going on to stop; it is gone within two seconds, and nothing half-written stays."""
        working = self._installation or self._working
        if working is not None and self.can_cancel:
            working.cancel()
            self._set(phase=Phase.STOPPING, message=self.translate("Stopping ..."))

    def poll(self) -> None:
        """To be called by a timer while :attr:`busy`; takes well under a millisecond when nothing is new."""
        if self._installation is not None:
            self._poll_installation(self._installation)
        elif self._working is not None:
            self._poll_working(self._working)

    def wait(self, seconds: float, *, breathe: Callable[[], object]) -> bool:
        """Poll until it has ended, with ``breathe`` in between; BLOCKS. After ``seconds`` it is cancelled.

        True where it ended by itself, False where it had to be cancelled.
        """
        if self._poll_until(time.monotonic() + seconds, breathe):
            return True
        self.cancel()
        self._poll_until(time.monotonic() + STOP_SECONDS, breathe)
        return False

    @abstractmethod
    def _look_again(self) -> None:
        """Something was installed, or should have been."""

    @abstractmethod
    def _end(self, working: Any) -> None:
        """The work has ended."""

    def _install(self, steps: Sequence[InstallStep], **more: Any) -> None:
        self._installation = Installation(steps, translate=self.translate)
        self._set(phase=Phase.INSTALLING, message=self._installation.message, stage="", progress=0.0, **more)
        self._poll_installation(self._installation)

    def _poll_installation(self, installation: Installation) -> None:
        installation.poll()
        if not installation.done:
            if self.state.phase is Phase.INSTALLING:
                self._set(message=installation.message)
            return
        self._installation = None
        self._set(phase=Phase.IDLE)
        self._look_again()
        rest = "" if installation.failure else self.state.message
        ended = Phase.CANCELLED if installation.cancelled else Phase.FAILED if installation.failure else Phase.IDLE
        self._set(phase=ended, message=" ".join(filter(None, [installation.outcome, rest])))

    def _poll_working(self, working: Work) -> None:
        working.poll()
        if working.done:
            self._working = None
            self._end(working)
        else:
            self._set(stage=working.stage, progress=working.progress, seconds_left=working.seconds_left)

    def _poll_until(self, deadline: float, breathe: Callable[[], object]) -> bool:
        while self.busy and time.monotonic() < deadline:
            breathe()
            time.sleep(PAUSE_SECONDS)
            self.poll()
        return not self.busy

    def _set(self, **values: Any) -> None:
        new = replace(self.state, **values)
        if new != self.state:
            self.state = new
            self.changed.emit(new)
