"""What every kind of destination can do: one Protocol, with a folder, DIMSE and DICOMweb behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from slicermedai.domain.words import Words
from slicermedai.pacs.objects import ObjectRef

Record = dict[str, str]
"""What a query says of one study, series or instance: DICOM keyword -> value as text ("" where it says nothing)."""


class Level(Words):
    """Query/Retrieve levels of the Study Root (PS3.4 C.6.2)."""

    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


KEYS: dict[Level, tuple[str, ...]] = {
    Level.STUDY: (
        *("StudyInstanceUID", "PatientID", "AccessionNumber", "StudyDate", "StudyDescription"),
        *("ModalitiesInStudy", "NumberOfStudyRelatedInstances"),
    ),
    Level.SERIES: ("StudyInstanceUID", "SeriesInstanceUID", "Modality", "BodyPartExamined", "SeriesDescription"),
    Level.IMAGE: ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"),
}
"""What a query asks to be told at each level."""


class Verdict(Words):
    """What the destination said of one instance."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer for one instance. ``reason`` says why not; ``note`` records a downgrade that was needed.

    FAILED may go well another time (out of resources, busy); REFUSED will not. ``unsupported`` is True where the
    destination does not take the SOP class at all, so that another object may be sent in its place. ``unsure`` is True
    where the connection was lost while this one was on its way: it may be there.
    """

    sop_instance_uid: str
    verdict: Verdict
    reason: str = ""
    note: str = ""
    unsupported: bool = False
    unsure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SendItem:
    """A file to send, with what it says of itself."""

    file: Path
    ref: ObjectRef


@dataclass(slots=True)
class Pace:
    """At most ``per_second`` objects in a second (0: no limit); call it once for each object."""

    per_second: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _next: float = field(default=0.0, init=False)

    def __call__(self) -> None:
        """Wait until the next object may pass."""
        if self.per_second <= 0:
            return
        now = self.clock()
        if now < self._next:
            self.sleep(self._next - now)
        self._next = max(now, self._next) + 1 / self.per_second


class Store(Protocol):
    """A place that keeps DICOM objects. Every call ends within the peer's timeouts.

    All raise :class:`~slicermedai.errors.PeerUnreachableError` where there is no connection or no answer, and
    :class:`~slicermedai.errors.PeerRefusedError` where the whole request is refused.
    """

    def echo(self) -> None:
        """Return where it answers."""

    def send(self, items: Sequence[SendItem]) -> Iterator[Outcome]:
        """One outcome for each item, as it comes. What was not answered for when it raises may or may not be there."""

    def find(self, level: Level, keys: Mapping[str, str]) -> list[Record]:
        """What matches ``keys`` exactly, with the attributes of :data:`KEYS` at this level."""

    def retrieve(self, study_uid: str, folder: Path, *, pace: Pace) -> None:
        """Fetch a study into ``folder``, a file an instance, each there whole or not at all; the caller counts."""

    def verify(self, refs: Sequence[ObjectRef]) -> frozenset[str]:
        """The SOP Instance UIDs out of ``refs`` that it has for certain (storage commitment, or a query).

        Where it can see bytes, an object with others than ``sha256`` says is not had.
        """


def matches(record: Record, keys: Mapping[str, str]) -> bool:
    """True where ``record`` has all of ``keys`` exactly: peers may match without regard to case, or ignore a key.

    A range of dates (``20260101-20260131``, PS3.4 C.2.2.2.5) is matched as such.
    """
    return all(_fits(name, record.get(name, "").strip(), value.strip()) for name, value in keys.items())


def _fits(name: str, has: str, wanted: str) -> bool:
    if name.endswith("Date") and "-" in wanted:
        first, _, last = wanted.partition("-")
        return first <= has <= last
    return has == wanted


def instances(store: Store, study_uid: str) -> list[Record]:
    """All instances of a study, series by series: a strict archive wants every level above named (PS3.4 C.4.1.2)."""
    found = []
    for series in store.find(Level.SERIES, {"StudyInstanceUID": study_uid}):
        keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series["SeriesInstanceUID"]}
        found += store.find(Level.IMAGE, keys)
    return found
