"""What all presenters share: a state that is told to whoever shows it, and one thing at a time that is worked on."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from slicermedai.app.install_ask import InstallPlan, plan_of, question, refused_text, start_look, steps_of
from slicermedai.app.installing import Installation, InstallStep
from slicermedai.app.signal import Signal
from slicermedai.app.state import BUSY, Phase, Work
from slicermedai.app.words import Translate
from slicermedai.errors import JobCancelled, MedAIError
from slicermedai.jobs.inquiry import Inquiry
from slicermedai.scene.packages import is_installing, torch_extension

Ask = Callable[[str], object]
"""Asks a person, and says whether they agree."""

STOP_SECONDS = 5.0
"""How long :meth:`Presenter.wait` waits for what it has cancelled."""
PAUSE_SECONDS = 0.02


class Presenter(ABC):
    """``state`` is a frozen dataclass with ``phase``, ``message``, ``stage``, ``progress`` and ``seconds_left``."""

    state: Any

    def __init__(self, *, translate: Translate) -> None:
        self.changed = Signal()
        """Emitted with the new state."""
        self.translate: Translate = cache(translate)  # a table of a hundred rows asks for the same dozen words
        self._held = False
        self._working: Any = None
        self._installation: Installation | None = None
        self._looking: Inquiry | None = None
        self._asking: tuple[Ask, str, dict[str, Any]] | None = None

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
        working = self._installation or self._looking or self._working
        if working is not None and self.can_cancel:
            working.cancel()
            self._set(phase=Phase.STOPPING, message=self.translate("Stopping ..."))

    def poll(self) -> None:
        """To be called by a timer while :attr:`busy`; takes well under a millisecond when nothing is new."""
        if self._installation is not None:
            self._poll_installation(self._installation)
        elif self._looking is not None:
            self._poll_look(self._looking)
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

    def _try(self, begin: Callable[[], Any], activity: str, *, message: str = "") -> None:
        """Begin one thing to work on, ``message`` beside it; what keeps it from beginning is told in words."""
        try:
            self._working = begin()
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error))
            return
        begun = {"phase": Phase.RUNNING, "stage": "start", "progress": 0.0, "seconds_left": None}
        self._set(activity=activity, message=message, **begun)

    def _ask_and_install(self, packages: Sequence[str], *, model: str = "", ask: Ask, **more: Any) -> None:
        """Look in a child what installing would do, ask the person once that is known, and begin where they agree."""
        if self.busy or not (packages or model):
            return
        self._asking = ask, model, more
        if not packages:
            self._decide_install(InstallPlan(model=model))
            return
        try:
            self._looking = start_look(packages)
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error))
            return
        told = self.translate("Looking what has to be installed ...")
        self._set(phase=Phase.INSTALLING, message=told, stage="", progress=0.0, **more)

    def _poll_look(self, looking: Inquiry) -> None:
        looking.poll()
        if not looking.done or self._asking is None:
            return
        self._looking = None
        if looking.error is not None:
            stopped = isinstance(looking.error, JobCancelled)
            message = self.translate("Stopped.") if stopped else str(looking.error)
            self._set(phase=Phase.CANCELLED if stopped else Phase.FAILED, message=message)
            return
        model = self._asking[1]
        self._decide_install(plan_of(looking.answer, model=model, extension=torch_extension(), tr=self.translate))

    def _decide_install(self, plan: InstallPlan) -> None:
        """Not busy while the person is asked: the box has a loop of its own, in which timers go on."""
        assert self._asking is not None
        ask, _, more = self._asking
        self._asking = None
        self._set(phase=Phase.IDLE)
        self._look_again()
        busy = self.translate("Slicer is installing packages: wait until that has ended")
        refused = (*plan.refused, *([busy] if is_installing() else []))
        if refused:
            self._set(phase=Phase.FAILED, message=refused_text(replace(plan, refused=refused), self.translate))
        elif (plan.packages or plan.model) and ask(question(plan, self.translate)) and not self.busy:
            self._install(steps_of(plan, self.translate), **more)

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

    @contextmanager
    def _as_one(self) -> Iterator[None]:
        """What is set meanwhile is told once, at the end: each time a panel looks through all of its tables."""
        before, was_held, self._held = self.state, self._held, True
        try:
            yield
        finally:
            self._held = was_held
            if not was_held and self.state is not before:
                self.changed.emit(self.state)

    def _set(self, **values: Any) -> None:
        new = replace(self.state, **values)
        if new != self.state:
            self.state = new
            if not self._held:
                self.changed.emit(new)
