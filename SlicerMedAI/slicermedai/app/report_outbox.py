"""The presenter of the outbox in the module MedAI Report: choose a destination, send, follow, try again. No Qt here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slicermedai.app.presenter import Ask, Presenter
from slicermedai.app.report_ask import (
    Servers,
    outbox_from,
    start_changing,
    start_delivering,
    start_listing,
    start_sending,
)
from slicermedai.app.report_state import DeliveryShown, OutboxState, PeerShown, Written
from slicermedai.app.report_words import sent_text
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate, untranslated
from slicermedai.domain.routes import check_destination
from slicermedai.errors import IdentityError, JobCancelled
from slicermedai.jobs.inquiry import Inquiry

LIST, SEND, RETRY, FORGET, INSTALL = "list", "send", "retry", "forget", "install"
"""What can be going on."""
TRY_AGAIN = frozenset({"refused", "failed"})
"""States from which an object can be queued again."""
REMOVABLE = TRY_AGAIN | {"proved"}
"""States in which an object can be removed: never while it waits."""


class OutboxRun(Presenter):
    """One thing at a time: listing, sending, trying again, removing, installing.

    Parameters
    ----------
    servers:
        Slicer's own list of servers, as :func:`slicermedai.app.report_peers.slicers_servers` reads it.
    missing:
        The packages for sending that are not installed, as requirements (PEP 508).
    translate:
        Gives an English text in the language of the person.
    """

    def __init__(
        self,
        *,
        servers: Callable[[], Servers] = list,
        missing: Callable[[], Sequence[str]] = tuple,
        translate: Translate = untranslated,
    ) -> None:
        super().__init__(translate=translate)
        self._servers, self._find_missing = servers, missing
        self.missing: tuple[str, ...] = ()
        """Packages for sending that are not installed, as requirements."""
        self.state: OutboxState = OutboxState()

    # --- choosing ----------------------------------------------------------------------------------------------------

    def choose_peer(self, name: str) -> None:
        """A destination by its name."""
        self._set(peer=name)

    @property
    def peer(self) -> PeerShown | None:
        """The chosen destination."""
        return next((one for one in self.state.peers if one.name == self.state.peer), None)

    def obstacle(self, written: Written | None) -> str:
        """What stands in the way of sending, for people; "" where nothing does. The routes are among it."""
        tr = self.translate
        if written is None:
            return tr("Write something first.")
        if not written.has_dicom:
            return tr("Nothing of what was written is DICOM: archives take DICOM objects alone.")
        if self.peer is None:
            return tr("Add a destination to Slicer's list of servers (Application Settings, DICOM), or to peers.toml.")
        try:
            check_destination(written.identity, destination_is_research=self.peer.research)
        except IdentityError as error:
            return str(error)
        return ""

    def can_send(self, written: Written | None) -> bool:
        """True where nothing stands in the way."""
        return not self.busy and not self.obstacle(written)

    @property
    def is_waiting(self) -> bool:
        """True where something in the outbox has not arrived and is not given up."""
        return any(one.state not in REMOVABLE for one in self.state.deliveries)

    # --- doing -------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Start to read the outbox and the destinations again; does nothing while something else goes on."""
        self.missing = tuple(self._find_missing())
        self._try(lambda: start_listing(self._servers()), LIST)

    def send(self, written: Written | None) -> None:
        """Start to queue what was written and to send what is due at the chosen destination."""
        if written is not None and self.can_send(written):
            self._try(lambda: start_sending(written, self.state.peer, self._servers()), SEND)

    def deliver(self) -> None:
        """Start to send all that is due, wherever it is to go."""
        self._try(lambda: start_delivering(self._servers()), SEND)

    def retry(self, found: Sequence[DeliveryShown]) -> None:
        """Start to queue again those of ``found`` that were refused or set aside; one destination at a time."""
        self._change(RETRY, [one for one in found if one.state in TRY_AGAIN])

    def forget(self, found: Sequence[DeliveryShown]) -> None:
        """Start to remove those of ``found`` that do not wait any more; one destination at a time."""
        self._change(FORGET, [one for one in found if one.state in REMOVABLE])

    def ask_and_install(self, ask: Ask) -> None:
        """Start to bring the packages for sending, once it is known how and the person was asked."""
        self._ask_and_install(self.missing, ask=ask, activity=INSTALL)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _change(self, what: str, found: Sequence[DeliveryShown]) -> None:
        same = [one for one in found if one.destination == found[0].destination]
        if same:
            self._try(lambda: start_changing(what, same, self._servers()), what)

    def _try(self, begin: Callable[[], Any], activity: str, *, message: str = "") -> None:
        if not self.busy:
            super()._try(begin, activity, message=self.state.message if activity == LIST else message)

    def _end(self, working: Inquiry) -> None:
        activity, error = self.state.activity, working.error
        ended = {"stage": "", "progress": 0.0, "seconds_left": None}
        if isinstance(error, JobCancelled):
            told = self.translate("Stopped. What was queued waits in the outbox.")
            self._set(phase=Phase.CANCELLED, message=told, **ended)
            self.refresh()
        elif error is not None:
            self._set(phase=Phase.FAILED, message=str(error), **ended)
        else:
            self._take(working.answer)
            self._set(phase=Phase.IDLE, message=self._told(activity, working.answer), **ended)

    def _take(self, answer: dict[str, Any]) -> None:
        peers, deliveries = outbox_from(answer)
        kept = self.state.peer if any(one.name == self.state.peer for one in peers) else ""
        self._set(peers=peers, deliveries=deliveries, peer=kept or (peers[0].name if peers else ""))

    def _told(self, activity: str, answer: dict[str, Any]) -> str:
        if activity == SEND:
            return sent_text(answer, self.translate)
        if activity == RETRY:
            return self.translate("{count} waiting again.").format(count=answer["queued"])
        if activity == FORGET:
            return self.translate("{count} removed.").format(count=answer["forgotten"])
        return self.state.message

    def _look_again(self) -> None:
        self.missing = tuple(self._find_missing())
