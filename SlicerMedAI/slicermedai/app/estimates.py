"""What the chosen run would take, asked of a child once a choice has stayed a moment; torch is never loaded here."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slicermedai.app.presenter import Presenter
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate, untranslated
from slicermedai.console import estimates
from slicermedai.domain.estimate import Estimate
from slicermedai.errors import JobCancelled, MedAIError
from slicermedai.jobs.inquiry import Inquiry

PAUSE = 0.4
"""Seconds that a choice must stay before a child is asked: people pass over choices."""

Make = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateState:
    """``estimate`` is None while it is not known; ``message`` says why it cannot be.

    ``samples`` are ways to ask the model for further answers, each with why it cannot be asked so, "" where it can.
    """

    phase: Phase = Phase.IDLE
    message: str = ""
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None
    estimate: Estimate | None = None
    samples: tuple[tuple[str, str], ...] = ()


class Estimates(Presenter):
    """Asks about one choice at a time, and keeps answers: they depend on model and grid, not on voxels."""

    def __init__(
        self,
        *,
        ask: Callable[[Mapping[str, Any]], Inquiry] = estimates.ask,
        translate: Translate = untranslated,
    ) -> None:
        super().__init__(translate=translate)
        self._ask = ask
        self._choice: object = None
        self._request: Mapping[str, Any] | None = None
        self._asked: Mapping[str, Any] | None = None
        self._answers: dict[str, Mapping[str, Any]] = {}
        self._since = 0.0
        self.state: EstimateState = EstimateState()

    def consider(self, choice: object, make: Make | None) -> None:
        """What is chosen now: ``make`` gives the request, None where nothing can run. The same ``choice`` asks nothing.

        ``make`` is called only where ``choice`` is another one than before, compared by ``==``.
        """
        if choice == self._choice:
            return
        self._choice = choice
        self._request = self._made(make)
        if self._request is None or not self._tell(self._request):
            self._wait()

    def renew(self) -> None:
        """A run has ended: what earlier runs took is more than it was."""
        if self._request is not None:
            self._tell(self._request)

    def poll(self) -> None:
        """Ask once the choice has stayed; take in what the child said."""
        if self._working is not None:
            super().poll()
        elif self.busy and time.monotonic() - self._since >= PAUSE:
            self._begin()

    def cancel(self) -> None:
        """Ask nothing more."""
        self._request, self._choice = None, None
        if self._working is not None:
            self._working.cancel()
        else:
            self._set(phase=Phase.IDLE, message="")

    def _made(self, make: Make | None) -> Mapping[str, Any] | None:
        try:
            return make() if make is not None else None
        except MedAIError:
            return None  # the run says it, in its own place

    def _tell(self, request: Mapping[str, Any]) -> bool:
        """Whether the answer is known; then it is told."""
        answer = self._answers.get(_key(request))
        if answer is None:
            return False
        self._let_go()
        ways = tuple(answer.get("samples", {}).items())
        self._set(phase=self._resting(), message="", estimate=estimates.told(request, answer), samples=ways)
        return True

    def _wait(self) -> None:
        self._let_go()
        if self._request is None:
            self._set(phase=self._resting(), message="", estimate=None)
            return
        self._since = time.monotonic()
        self._set(phase=Phase.RUNNING, message=self.translate("Estimating time and memory ..."), estimate=None)

    def _resting(self) -> Phase:
        """A child that nobody waits for must still be driven to its end."""
        return Phase.IDLE if self._working is None else Phase.STOPPING

    def _let_go(self) -> None:
        """Of a child that was asked about another choice."""
        if self._working is not None:
            self._working.cancel()

    def _begin(self) -> None:
        if self._request is None:
            self._set(phase=Phase.IDLE, message="")
            return
        self._asked = self._request
        try:
            self._working = self._ask(self._request)
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error))

    def _end(self, working: Inquiry) -> None:
        if working.error is None and self._asked is not None:
            self._answers[_key(self._asked)] = working.answer
        if self._request is None:
            self._set(phase=Phase.IDLE, message="")
        elif self._tell(self._request) or self._request is not self._asked:
            return  # another one waits, and poll asks it
        elif isinstance(working.error, JobCancelled):
            self._set(phase=Phase.IDLE, message="")
        else:
            self._set(phase=Phase.FAILED, message=str(working.error))

    def _look_again(self) -> None:
        """Nothing is installed here."""


def _key(request: Mapping[str, Any]) -> str:
    """What an answer depends on; how long earlier runs took is looked up anew each time."""
    return json.dumps(
        [request[name] for name in ("bundle", "images", "device", "folds", "uncertainty", "over_time")], sort_keys=True
    )
