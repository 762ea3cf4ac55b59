"""Runs what waits in a cohort, a job of its own for each case, several at once; it may be killed at any moment.

No threads and no waiting here, as in :mod:`slicermedai.jobs.supervisor`: whoever drives it calls :meth:`Worker.poll`.
What ends one case ends that case alone. What no case can help (no space left, the folder moved, a changed model, a list
of people that cannot be read) stops the worker; its cases wait again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from slicermedai.batch import claims
from slicermedai.batch.case_job import started
from slicermedai.batch.cohort import Case, Cohort, Standing, State
from slicermedai.batch.planning import why_excluded
from slicermedai.batch.reasons import reason_of
from slicermedai.batch.settings import check_models
from slicermedai.deid.exclusion import ExclusionList
from slicermedai.deid.sealed import PASSPHRASE_VARIABLE
from slicermedai.domain.storage import named, remove_empty
from slicermedai.errors import DiskFullError, InputError, MedAIError, OutputError, WorkerCrashed
from slicermedai.jobs import supervisor

PAUSE = 0.05
MOST_BEGUN = 10
"""A case that was begun so often, and always its worker died with it, is set aside."""
_LOOK = 2.0
"""Seconds between two looks at what other workers hold."""
_ENDED = (supervisor.State.DONE, supervisor.State.FAILED, supervisor.State.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A case that began or ended, for whoever tells people; ``standing`` is what was written of it."""

    case: str
    standing: Standing


@dataclass(slots=True)
class _Slot:
    case: Case
    claim: claims.Claim
    running: supervisor.Running
    began: float
    tries: int
    late: bool = False


class Worker:
    """One process of possibly many that work on a cohort.

    Parameters
    ----------
    processes:
        How many cases are run at once.
    secrets:
        Variables for the environment of the jobs alone (the passphrase of the project key).
    start:
        What starts a job; :func:`slicermedai.jobs.supervisor.start` by default.

    Raises
    ------
    BundleError, UnknownBundleError
        A model is another one than when the cohort was made, or is not there.
    IdentityError, InputError, OutputError
        A list of people who opted out, the project key or the cohort cannot be read, or its making was cut off.
    """

    def __init__(
        self,
        cohort: Cohort,
        *,
        processes: int = 1,
        secrets: Mapping[str, str] | None = None,
        start: Callable[..., supervisor.Running] = supervisor.start,
    ) -> None:
        if processes < 1:
            raise InputError("must be at least 1", attribute="processes")
        cohort.wait_until_whole()
        check_models(cohort.models, file=cohort.folder)
        cohort.settings.check_key((secrets or {}).get(PASSPHRASE_VARIABLE))
        self.cohort = cohort
        self._processes, self._secrets, self._start = processes, dict(secrets or {}), start
        self._slots: list[_Slot] = []
        self._exclusions: ExclusionList | None = cohort.settings.exclusions()
        self._read_at = _modified(cohort.settings.exclude)
        self._open = cohort.names()
        _sweep(cohort)
        self._next_look = 0.0
        self._stopping = False
        self.error: MedAIError | None = None
        """What stopped the worker before all was done; None where nothing did."""

    @property
    def done(self) -> bool:
        """True where nothing waits any more and nobody runs anything, or it was stopped."""
        return not self._slots and (self._stopping or not self._open)

    @property
    def running(self) -> list[str]:
        """The cases that this worker runs now."""
        return [slot.case.name for slot in self._slots]

    def poll(self) -> list[Change]:
        """Take in what happened, begin what is next, and never wait; :attr:`done` says when to stop calling it."""
        changes: list[Change] = []
        for slot in list(self._slots):
            changes += self._guarded(partial(self._look_after, slot))
        if not self._stopping:
            changes += self._guarded(self._fill)
        return changes

    def _guarded(self, act: Callable[[], list[Change]]) -> list[Change]:
        """What goes wrong with the queue itself stops the worker; one case's jobs do not wait for another's."""
        try:
            with named(self.cohort.folder):
                return act()
        except MedAIError as error:
            self.error = self.error or _fault(self.cohort) or error
            self.cancel()
            return []

    def cancel(self) -> None:
        """Ask all jobs to stop and return at once; within two seconds their processes are gone, and the cases wait."""
        self._stopping = True
        for slot in self._slots:
            slot.running.cancel()

    def close(self) -> None:
        """Kill what still runs, now; the cases wait again."""
        self._stopping = True
        for slot in list(self._slots):
            slot.running.close()
            self._drop(slot)
        if self.cohort.is_there:
            with contextlib.suppress(MedAIError):  # what is left is removed at the next start
                _sweep(self.cohort)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # --- beginning -------------------------------------------------------------------------------------------------

    def _fill(self) -> list[Change]:
        """Begin cases while there is room. Those that others hold are looked at again every :data:`_LOOK` seconds."""
        changes: list[Change] = []
        if len(self._slots) >= self._processes or time.monotonic() < self._next_look:
            return changes
        for name in list(self._open):
            changes += self._try(name)
            if len(self._slots) >= self._processes:
                return changes
        self._next_look = time.monotonic() + _LOOK
        return changes

    def _try(self, name: str) -> list[Change]:
        """Claim a case and begin it, or forget it where it is not for us any more."""
        if name in self.running:
            return []
        self.cohort.check()
        if not self._waits(name):
            self._open.remove(name)
            return []
        place = self.cohort.place(name)
        claim = claims.take(place) or (claims.take(place) if claims.take_back(place) else None)
        if claim is None:
            return []
        try:
            return self._begin(name, claim)
        except BaseException:
            claim.release()
            raise

    def _waits(self, name: str) -> bool:
        """Whether it is to be run, or has a result in its place that nobody wrote down."""
        now = self.cohort.written(name)
        return now.state is State.WAITING or (now.state is State.DONE and not now.ended)

    def _begin(self, name: str, claim: claims.Claim) -> list[Change]:
        """With the claim held, what was read before may be over: look again, then start the job."""
        now = self.cohort.written(name)
        if now.state is not State.WAITING:
            return self._finish_for_another(name, now, claim)
        case = self.cohort.case(name)
        excluded = why_excluded(case, self._current_exclusions())
        if excluded:
            return [self._end(name, claim, Standing(state=State.EXCLUDED, reason=excluded))]
        if now.tries >= MOST_BEGUN:
            reason = f"was begun {now.tries} times and never came to an end"
            return [self._end(name, claim, Standing(state=State.FAILED, reason=reason, tries=now.tries))]
        begun = Standing(state=State.WAITING, tries=now.tries + 1)
        kept = self.cohort.settle(name, begun)
        if kept is not begun:
            claim.release()
            return [Change(case=name, standing=kept)]
        try:
            running = started(case, self.cohort, claim, partial(self._start, secrets=self._secrets))
        except BaseException:
            self._wait_again(name, begun.tries)
            raise
        self._slots.append(_Slot(case, claim, running, time.monotonic(), begun.tries))
        return [Change(case=name, standing=Standing(state=State.RUNNING, tries=begun.tries))]

    def _finish_for_another(self, name: str, now: Standing, claim: claims.Claim) -> list[Change]:
        """Somebody put the result into its place and died before writing that down."""
        if now.state is State.DONE and not now.ended:
            return [self._end(name, claim, Standing(state=State.DONE, tries=now.tries, ended=_now()))]
        claim.release()
        return []

    def _current_exclusions(self) -> ExclusionList | None:
        """As the list stands now: somebody may have opted out since the last case."""
        changed = _modified(self.cohort.exclude_now())
        if changed != self._read_at:
            self._exclusions, self._read_at = self.cohort.settings.exclusions(), changed
        return self._exclusions

    # --- ending ----------------------------------------------------------------------------------------------------

    def _look_after(self, slot: _Slot) -> list[Change]:
        slot.running.poll()
        if slot.running.state in _ENDED:
            return self._after(slot)
        self.cohort.check()
        try:
            slot.claim.beat()
        except claims.ClaimLost:  # this computer slept, and somebody else has the case
            slot.running.close()
            return self._after(slot)
        if time.monotonic() - slot.began > self.cohort.settings.minutes * 60 and not slot.late:
            slot.late = True
            slot.running.cancel()
        return []

    def _after(self, slot: _Slot) -> list[Change]:
        self._slots.remove(slot)
        self._next_look = 0.0
        try:
            return self._ended(slot)
        except claims.ClaimLost:
            self.cohort.check()
            return []
        finally:
            slot.claim.release()
            if not self.cohort.is_there:  # folders that a job made anew for its output; files stay
                place = self.cohort.folder
                remove_empty([*sorted(place.rglob("*"), reverse=True), place])

    def _ended(self, slot: _Slot) -> list[Change]:
        name, error = slot.case.name, slot.running.error
        self.cohort.check()
        slot.claim.check()
        if error is None:
            self._commit(slot)
            return [self._end(name, slot.claim, _standing(slot, State.DONE))]
        if slot.late:
            error = MedAIError(f"took longer than {self.cohort.settings.minutes:g} minutes")
        elif slot.running.state is supervisor.State.CANCELLED:
            kept = self.cohort.settle(name, Standing(state=State.WAITING, tries=slot.tries - 1))
            return [Change(case=name, standing=kept)]
        if type(error) in (DiskFullError, OutputError):
            self._wait_again(name, slot.tries)
            raise error
        if isinstance(error, WorkerCrashed) and slot.tries < self.cohort.settings.tries:
            return [Change(case=name, standing=Standing(state=State.WAITING, reason=error.message, tries=slot.tries))]
        state = State.REFUSED if isinstance(error, InputError) else State.FAILED
        return [self._end(name, slot.claim, _standing(slot, state, error))]

    def _commit(self, slot: _Slot) -> None:
        """Put the result into its place. Where nothing can be put there, no other case would fare better."""
        try:
            slot.claim.commit(self.cohort.result(slot.case.name))
        except OutputError as error:
            if not isinstance(error, claims.ClaimLost):
                self._wait_again(slot.case.name, slot.tries)
            raise

    def _end(self, name: str, claim: claims.Claim, standing: Standing) -> Change:
        """What a later plan made of the case while it was run stays, and so does the result."""
        claim.check()
        kept = self.cohort.settle(name, standing)
        claim.release()
        if name in self._open:
            self._open.remove(name)
        return Change(case=name, standing=kept)

    def _wait_again(self, name: str, tries: int) -> None:
        """The try does not count: it was not the case's fault."""
        with contextlib.suppress(MedAIError, OSError):
            self.cohort.settle(name, Standing(state=State.WAITING, tries=tries - 1))

    def _drop(self, slot: _Slot) -> None:
        self._slots.remove(slot)
        self._wait_again(slot.case.name, slot.tries)
        slot.claim.release()


def _fault(cohort: Cohort) -> MedAIError | None:
    """That the folder is gone, which explains whatever else went wrong."""
    try:
        cohort.check()
    except MedAIError as error:
        return error
    return None


def _sweep(cohort: Cohort) -> None:
    """Remove what killed workers left half-made in the queue."""
    for place in map(cohort.place, cohort.names()):
        with named(place):
            claims.take_back(place)
            claims.sweep(place)


def _standing(slot: _Slot, state: State, error: MedAIError | None = None) -> Standing:
    """What is written of a case that ended. Files are left out of the reason: their names may tell who it is."""
    files = [file for image in slot.case.images for file in image.files]
    return Standing(
        state=state,
        reason="" if error is None else reason_of(error, files),
        error="" if error is None else type(error).__name__,
        tries=slot.tries,
        seconds=round(time.monotonic() - slot.began, 2),
        job_id=slot.running.job_id,
        host=slot.claim.owner.host,
        ended=_now(),
    )


def _modified(path: str) -> float:
    try:
        return Path(path).stat().st_mtime if path else 0.0
    except OSError:
        return -1.0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
