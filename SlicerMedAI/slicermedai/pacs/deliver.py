"""From the outbox to a destination: claim, send, prove; whatever is cut is taken up again.

Nothing here knows how a destination is spoken to. Two processes may deliver at once: each object is claimed by one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from slicermedai.audit.log import append
from slicermedai.domain.observer import Progress
from slicermedai.domain.routes import check_destination
from slicermedai.domain.storage import sha256_file
from slicermedai.errors import IdentityError, PeerError, PeerRefusedError
from slicermedai.pacs.keep import hash_of_hashes
from slicermedai.pacs.outbox import OPEN, Delivery, Outbox, State
from slicermedai.pacs.peers import Peer
from slicermedai.pacs.store import Outcome, Store, Verdict

_PAUSE = 0.02
_CHANGED = "its bytes were changed since it was queued"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When to try again. Seconds double from ``base`` up to ``cap``, of which a random half is taken off.

    ``faults``: failures of one object by itself before it is set aside. ``looks``: searches in vain before it is sent
    again. ``batch``: objects claimed at a time.
    """

    base: float = 5.0
    cap: float = 3600.0
    faults: int = 8
    looks: int = 3
    batch: int = 32
    chance: Callable[[], float] = random.random
    clock: Callable[[], float] = time.time

    def next_try(self, tries: int) -> float:
        """Seconds since the epoch at which the try after ``tries`` may begin."""
        wait = min(self.cap, self.base * 2.0 ** min(tries, 30))
        return self.clock() + wait * (0.5 + 0.5 * self.chance())


@dataclass(slots=True)
class Summary:
    """What one :func:`deliver` did. ``waiting`` is what is neither proved nor given up; ``trouble`` why, or ""."""

    sent: int = 0
    proved: int = 0
    refused: int = 0
    failed: int = 0
    waiting: int = 0
    trouble: str = ""
    hashes: list[str] = field(default_factory=list)


def deliver(
    outbox: Outbox,
    peer: Peer,
    store: Store,
    *,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Send what is due for ``peer`` by ``store`` and prove it; returns when nothing is due any more.

    The identity routes are held once more: what ``peer`` may not get any more is refused.
    Trouble of the destination is no error here: it stands in the summary, and the objects wait for their next try.

    Raises
    ------
    OutboxError, DiskFullError, AuditError
        The outbox or the audit log cannot be written. What was claimed goes back to the queue, also on JobCancelled.
    """
    work = _Work(outbox, peer, store, patience or Patience(), progress)
    with outbox.sender() as owner:
        outbox.reclaim()
        work.run(owner)
    work.summary.waiting = len(outbox.deliveries(peer.name, OPEN))
    _log(peer.name, work.summary)
    return work.summary


class _Work:
    """One pass over the deliveries of one destination."""

    def __init__(self, outbox: Outbox, peer: Peer, store: Store, patience: Patience, progress: Progress | None) -> None:
        self._outbox, self._peer, self._store = outbox, peer, store
        self._patience, self._progress = patience, progress
        self.summary = Summary()

    def run(self, owner: str) -> None:
        """Look for what is unsure, send what is due, look for what was sent."""
        self._prove([one for one in self._due(State.QUEUED) if one.unsure])
        total = len(self._due(State.QUEUED))
        done = 0
        while not self.summary.trouble and (batch := self._claim(owner)):
            self._send(batch)
            done += len(batch)
            if self._progress is not None:
                self._progress("send", min(done / max(total, 1), 1.0))
        if not self.summary.trouble:
            self._prove(self._due(State.SENT))

    def _due(self, state: State) -> list[Delivery]:
        return self._outbox.due(self._peer.name, (state,), self._patience.clock())

    def _claim(self, owner: str) -> list[Delivery]:
        limit, now = self._patience.batch, self._patience.clock()
        return self._outbox.claim(self._peer.name, owner, limit=limit, now=now)

    def _send(self, batch: Sequence[Delivery]) -> None:
        batch = [one for one in batch if self._may_go(one)]
        open_ = {one.ref.sop_instance_uid: one for one in batch}
        for one in [one for one in batch if not _is_whole(one)]:
            self._give_up(open_.pop(one.ref.sop_instance_uid), _CHANGED)
        try:
            for outcome in self._store.send([one.item for one in open_.values()]):
                self._record(open_.pop(outcome.sop_instance_uid), outcome)
        except PeerError as error:  # nobody's fault: the one that was on its way has its outcome already
            self.summary.trouble = error.message
            for one in open_.values():
                self._wait(one, State.QUEUED, error.message)
            return
        for one in open_.values():
            self._fault(one, "the destination did not say what became of it", unsure=True)

    def _may_go(self, one: Delivery) -> bool:
        """The destination may have been marked otherwise since the object was queued."""
        try:
            check_destination(one.identity, destination_is_research=self._peer.research)
        except IdentityError as error:
            self._outbox.update(one, State.REFUSED, reason=error.message)
            self.summary.refused += 1
            return False
        return True

    def _record(self, one: Delivery, outcome: Outcome) -> None:
        note = outcome.note or one.note
        if outcome.verdict is Verdict.ACCEPTED:
            self._outbox.update(one, State.SENT, tries=one.tries + 1, looks=0, next_try=0.0, reason="", note=note)
            self.summary.sent += 1
        elif outcome.verdict is Verdict.FAILED:
            self._fault(one, outcome.reason, unsure=outcome.unsure)
        elif outcome.unsupported and one.fallback:
            self._outbox.replace(one, reason=outcome.reason, note=f"in place of another object: {outcome.reason}")
        else:
            self._outbox.update(one, State.REFUSED, reason=outcome.reason, note=note)
            self.summary.refused += 1

    def _wait(self, one: Delivery, state: State, reason: str, *, unsure: bool = False) -> None:
        next_try = self._patience.next_try(one.tries)
        self._outbox.update(one, state, tries=one.tries + 1, next_try=next_try, reason=reason, unsure=int(unsure))

    def _fault(self, one: Delivery, reason: str, *, unsure: bool = False) -> None:
        if one.faults + 1 >= self._patience.faults:
            self._give_up(one, f"set aside after {one.faults + 1} tries: {reason}")
            return
        self._outbox.update(
            one,
            State.QUEUED,
            tries=one.tries + 1,
            faults=one.faults + 1,
            looks=0,
            next_try=self._patience.next_try(one.tries),
            reason=reason,
            unsure=int(unsure),
        )

    def _give_up(self, one: Delivery, reason: str) -> None:
        self._outbox.update(one, State.FAILED, reason=reason)
        self.summary.failed += 1

    def _prove(self, waiting: Sequence[Delivery]) -> None:
        size = self._patience.batch
        for start in range(0, len(waiting), size):
            self._prove_batch(waiting[start : start + size])

    def _prove_batch(self, batch: Sequence[Delivery]) -> None:
        try:
            there = self._store.verify([one.ref for one in batch])
        except PeerRefusedError as error:
            self._not_provable(batch, error)
            return
        except PeerError as error:
            self.summary.trouble = error.message
            for one in batch:
                self._wait(one, one.state, error.message, unsure=one.unsure)
            return
        for one in batch:
            if one.ref.sop_instance_uid in there:
                self._proved(one)
            elif one.state is State.QUEUED:
                self._outbox.update(one, State.QUEUED, unsure=0)
            else:
                self._not_there(one)

    def _proved(self, one: Delivery) -> None:
        self._outbox.update(one, State.PROVED, reason="", unsure=0)
        self.summary.proved += 1
        self.summary.hashes.append(one.sha256)

    def _not_there(self, one: Delivery) -> None:
        if one.looks + 1 >= self._patience.looks:
            self._fault(one, "it was accepted, and cannot be found there")
            return
        next_try = self._patience.next_try(one.looks)
        reason = "accepted, and not found there yet"
        self._outbox.update(one, State.SENT, looks=one.looks + 1, next_try=next_try, reason=reason)

    def _not_provable(self, batch: Sequence[Delivery], error: PeerError) -> None:
        """Nothing can be asked: what was sent waits for a proof, what may be there is sent again (same UID)."""
        self.summary.trouble = f"nothing can be proved: {error.message}"
        for one in batch:
            if one.state is State.QUEUED:
                self._outbox.update(one, State.QUEUED, unsure=0)
            else:
                self._wait(one, State.SENT, f"sent, and not proved: {error.message}")


def _is_whole(one: Delivery) -> bool:
    try:
        return sha256_file(one.file) == one.sha256
    except OSError:
        return False


def _log(destination: str, done: Summary) -> None:
    if done.sent or done.proved or done.refused or done.failed:
        append(
            "objects sent",
            job_id="",
            destination=destination,
            sent=done.sent,
            proved=done.proved,
            refused=done.refused,
            failed=done.failed,
            proved_sha256=hash_of_hashes(done.hashes),
        )


def keep_delivering(
    outbox: Outbox, peer: Peer, store: Store, *, seconds: float, patience: Patience | None = None
) -> Summary:
    """:func:`deliver`, again and again as tries come due, until nothing waits or ``seconds`` are over.

    Returns the sums of all passes; ``waiting`` and ``trouble`` are those of the last one.
    """
    patience = patience or Patience()
    end = patience.clock() + seconds
    total = Summary()
    while True:
        done = deliver(outbox, peer, store, patience=patience)
        _sum(total, done)
        if not done.waiting or patience.clock() >= end:
            return total
        due = min(one.next_try for one in outbox.deliveries(peer.name, OPEN))
        time.sleep(max(min(due, end) - patience.clock(), _PAUSE))


def _sum(total: Summary, done: Summary) -> None:
    for name in ("sent", "proved", "refused", "failed"):
        setattr(total, name, getattr(total, name) + getattr(done, name))
    total.hashes += done.hashes
    total.waiting, total.trouble = done.waiting, done.trouble
