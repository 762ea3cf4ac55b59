"""The presenter of the module MedAI: choose, install, run, watch, show. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slicermedai.app.installing import InstallStep
from slicermedai.app.moments import Arrived
from slicermedai.app.presenter import Ask
from slicermedai.app.run_choice import RunChoice
from slicermedai.app.run_inputs import Candidate
from slicermedai.app.run_options import as_job_options
from slicermedai.app.run_queue import CANCELLED, DONE, FAILED, Order, RunQueue
from slicermedai.app.signal import Signal
from slicermedai.app.state import Handle, Phase
from slicermedai.app.words import Translate, reason_text, summary, untranslated
from slicermedai.domain.bundle import BundleRef
from slicermedai.errors import JobCancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A run that is asked for beside what is chosen: ``image`` for people, ``open`` gives its source, ``further`` the
    options of a job that are its own. Both are called when it is put into the queue."""

    image: str
    open: Callable[[], Any]
    further: Callable[[], Mapping[str, Any]] = dict


MODEL = "brain"
"""What is fetched where there is no model."""


class GuidedRun(RunChoice):
    """One run at a time, from a chosen source to a shown result; what is added meanwhile waits for its turn.

    Parameters
    ----------
    submit:
        Starts a job and returns at once: ``submit(source, bundle, **options) -> Handle``.
    bundles, images, missing, translate:
        As :class:`~slicermedai.app.run_choice.RunChoice` has them.
    """

    def __init__(
        self,
        *,
        submit: Callable[..., Handle],
        bundles: Callable[[], list[BundleRef]],
        images: Callable[[], Sequence[Candidate]] = tuple,
        missing: Callable[[], Sequence[str]] = tuple,
        translate: Translate = untranslated,
    ) -> None:
        super().__init__(bundles=bundles, images=images, missing=missing, translate=translate)
        self.finished = Signal()
        """Emitted with the :class:`Order` whenever a run has succeeded."""
        self._submit = submit
        self._queue = RunQueue()
        self._order: Order | None = None

    # --- installing --------------------------------------------------------------------------------------------------

    def ask_and_install(self, ask: Ask) -> None:
        """Look what is missing and how it can be brought, ``ask`` the person, and where they agree bring it.

        Returns at once. Whatever fails becomes the message.
        """
        self._ask_and_install(self._packages, model="" if self.choices else MODEL, ask=ask)

    def install(self, steps: Sequence[InstallStep]) -> None:
        """Start to do ``steps`` and return at once; the person was asked before. Whatever fails becomes the message."""
        if not self.busy and steps:
            self._install(steps)

    def _look_again(self) -> None:
        self.refresh_bundles()

    # --- running -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the job; whatever keeps it from starting becomes the message. Earlier runs leave the list."""
        if not self.can_run:
            return
        self._begin_list()
        self._take_order()

    def add(self) -> None:
        """Let it wait until those before it have ended; what is chosen now is kept for it."""
        if self.can_add:
            self._take_order()

    @property
    def can_queue(self) -> bool:
        """True where runs can be asked for that bring their own images: a model is chosen, and nothing is missing."""
        return self.state.bundle is not None and self.editable and not self.missing and not self.refusal

    def queue_all(self, wanted: Sequence[Wanted]) -> None:
        """Let each of these wait for its turn, with the model and options that are chosen now; the first may begin."""
        if not (wanted and self.can_queue):
            return
        if not self.busy:
            self._begin_list()
        for one in wanted:
            options = as_job_options(self.state.options, self.state.identity) | dict(one.further())
            self._queue.add(one.open(), image=one.image, title=self.state.title, options=options)
        self._set(queue=self._queue.rows)
        self._go_on()

    def remove(self, numbers: Sequence[int]) -> None:
        """Take runs off the list, but for the one that goes on; the result of one that leaves is looked at no more."""
        self._queue.remove(numbers)
        gone = {"result": None, "folder": None, "shown": 0} if self.state.shown in numbers else {}
        self._set(queue=self._queue.rows, **gone)

    def stop_runs(self) -> None:
        """Nothing more is run, and the one that goes on is cancelled."""
        self._queue.drop_waiting()
        self._set(queue=self._queue.rows)
        if self._working is not None:
            self.cancel()

    def tell(self, order: Order, text: str) -> None:
        """Say something of a run, and keep it in the list: what is said of the next one comes soon."""
        order.why = text
        self._set(message=f"{order.image}: {text}", queue=self._queue.rows)

    def forget(self) -> None:
        """Its images go: nothing more is run, and no result of theirs is looked at beside those that come next."""
        self.stop_runs()
        self._queue.clear_ended()
        if self._order is not None:
            self._order.forgotten = True
        self._set(result=None, folder=None, shown=0, queue=self._queue.rows)
        if not self.busy:
            self._rest()

    def look_at(self, number: int) -> None:
        """Look at the result of a run of the list that has ended well."""
        if number == self.state.shown or number not in [row.number for row in self._queue.rows if row.state == DONE]:
            return
        order = self._queue[number]
        assert order.result is not None
        told = f"{order.image}: {summary(order.result, self.translate)}"
        self._set(result=order.result, folder=order.folder, shown=number, **({} if self.busy else {"message": told}))

    @property
    def shown(self) -> Order | None:
        """The run whose result is looked at."""
        known = [row.number for row in self._queue.rows]
        return self._queue[self.state.shown] if self.state.shown in known else None

    @property
    def analysed(self) -> Any:
        """The source of the run that is looked at: what its result belongs to, whatever is chosen by now."""
        return None if self.shown is None else self.shown.source

    def _begin_list(self) -> None:
        """Earlier runs leave the list, and no result is looked at."""
        self._queue.clear_ended()
        self._set(result=None, folder=None, shown=0, message="")

    def _take_order(self) -> None:
        source, title, options = self.asked
        image = self.state.inputs[0].text if self.state.inputs else self.state.source_name
        self._queue.add(source, image=image, title=title, options=options)
        self._set(queue=self._queue.rows)
        self._go_on()

    def _go_on(self) -> None:
        """Start what waits, where nothing runs; what cannot be started has failed, and the next one is tried."""
        while self._working is None and (order := self._queue.next) is not None:
            order.begin()
            try:
                self._working = self._submit(order.source, order.title, **order.options)
            except Exception as error:  # noqa: BLE001  # whatever it is: this run has failed, and no other one
                self._close(order, FAILED, reason_text(error))
                continue
            self._order = order
            begun = {"phase": Phase.RUNNING, "stage": "start", "progress": 0.0, "seconds_left": None}
            self._set(queue=self._queue.rows, **begun)

    def _end(self, working: Handle | Arrived) -> None:
        if not isinstance(working, Arrived):
            self._working = Arrived(working)
            self._poll_working(self._working)
            return
        order, self._order = self._order, None
        assert order is not None
        try:
            self._conclude(order, working)
        finally:
            self._go_on()

    def _conclude(self, order: Order, working: Arrived) -> None:
        try:
            order.succeed(working.output, working.result())
        except JobCancelled:
            self._close(order, CANCELLED, self.translate("Stopped. Nothing was written."))
        except Exception as error:  # noqa: BLE001  # whatever it is: this run has failed, and no other one
            self._close(order, FAILED, reason_text(error))
        else:
            (self._leave if order.forgotten else self._finish)(order)

    def _leave(self, order: Order) -> None:
        """It came to its end while it was being stopped, and what it was of is gone."""
        self._queue.remove([order.number])
        self._rest()

    def _rest(self) -> None:
        """Say what can be done now, and nothing of what was."""
        self._set(phase=Phase.IDLE, stage="", progress=0.0, seconds_left=None, queue=self._queue.rows)
        self._explain()

    def _close(self, order: Order, ended: str, why: str) -> None:
        order.end(ended, why)
        phase = Phase.CANCELLED if ended == CANCELLED else Phase.FAILED
        told = self._told(order, why)
        self._set(phase=phase, message=told, stage="", seconds_left=None, queue=self._queue.rows)

    def _finish(self, order: Order) -> None:
        """Its result is looked at where none is yet: a person may be looking at another one."""
        assert order.result is not None
        told = f"{order.image}: {summary(order.result, self.translate)}"
        ended = {"phase": Phase.DONE, "stage": "done", "progress": 1.0, "seconds_left": None, "message": told}
        if self.state.result is None:
            ended |= {"result": order.result, "folder": order.folder, "shown": order.number}
        self._set(queue=self._queue.rows, **ended)
        self.finished.emit(order)

    def _told(self, order: Order, text: str) -> str:
        return f"{order.image}: {text}" if len(self._queue) > 1 else text
