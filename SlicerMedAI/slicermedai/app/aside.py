"""What goes on beside the work of a module, one thing after the other: chains of children and of short moments."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from slicermedai.app.batch_ask import left
from slicermedai.app.presenter import Presenter
from slicermedai.app.state import Phase, Work
from slicermedai.app.words import Translate, reason_text, stage_text, time_left, untranslated
from slicermedai.errors import JobCancelled

Chain = Generator[Work, None, None]
"""Yields what has to be driven, and goes on once that has ended; closed where nobody wants it any more."""
_TOLD_AFTER = 2.0
"""Seconds after which the time that is left is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsideState:
    """``message`` says what goes on, "" where nothing does."""

    phase: Phase = Phase.IDLE
    message: str = ""
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None


class Aside(Presenter):
    """One chain at a time, in the order in which they came; :meth:`forget` ends them all.

    What a chain raises ends it alone, and is said by the state until something else is done.
    """

    def __init__(self, *, translate: Translate = untranslated) -> None:
        super().__init__(translate=translate)
        self._waiting: deque[tuple[str, Chain]] = deque()
        self._chain: Chain | None = None
        self._unwanted = False
        self._since = 0.0
        self._failure = ""
        self.state: AsideState = AsideState()

    def add(self, text: str, chain: Chain) -> None:
        """Do it after what was added before; ``text`` says meanwhile what goes on."""
        self._waiting.append((text, chain))
        if self._chain is None:
            self._next()

    def forget(self) -> None:
        """Nobody wants any of it any more: what goes on is stopped, and what waits is not begun."""
        while self._waiting:
            self._waiting.popleft()[1].close()
        if self._chain is not None and not self._unwanted:
            self._unwanted = True
            super().cancel()

    def cancel(self) -> None:
        """As :meth:`forget`."""
        self.forget()

    def _next(self) -> None:
        while self._chain is None and self._waiting:
            text, self._chain = self._waiting.popleft()
            self._unwanted = False
            self._set(phase=Phase.RUNNING, message=text, stage="", progress=0.0, seconds_left=None)
            self._advance()
        if self._chain is None:
            ended = Phase.FAILED if self._failure else Phase.IDLE
            self._set(phase=ended, message=self._failure, stage="", progress=0.0, seconds_left=None)
            self._failure = ""

    def _advance(self) -> None:
        assert self._chain is not None
        try:
            self._working, self._since = next(self._chain), time.monotonic()
        except StopIteration:
            self._chain = None
        except Exception as error:  # noqa: BLE001  # whatever it is: this chain is over, and those that wait go on
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """The chain is over; it is closed, and what ended it is kept to be said."""
        if self._chain is not None:
            self._chain.close()
        self._chain = self._working = None
        self._failure = "" if isinstance(error, JobCancelled) else reason_text(error)

    def _poll_working(self, working: Any) -> None:
        try:
            super()._poll_working(working)
        except Exception as error:  # noqa: BLE001  # as in _advance: a timer would meet it again and again
            self._fail(error)
            self._next()
        if self.busy and self._working is working:
            elapsed = time.monotonic() - self._since
            self._set(seconds_left=left(elapsed, working.progress) if elapsed > _TOLD_AFTER else None)

    def _end(self, working: Any) -> None:
        if self._unwanted and self._chain is not None:
            self._chain.close()
            self._chain = None
        elif self._chain is not None:
            self._advance()
        if self._chain is None:
            self._next()

    def _look_again(self) -> None:
        """Nothing is installed here."""


def aside_text(state: AsideState, tr: Translate = untranslated) -> str:
    """What goes on in one line, "" where nothing does."""
    if not state.message:
        return ""
    doing = stage_text(state.stage, tr) if state.stage not in ("", "start") else ""
    share = tr("{percent} %").format(percent=round(100 * state.progress)) if doing and state.progress else ""
    return " – ".join(filter(None, [state.message, doing, share, time_left(state.seconds_left, tr)]))
