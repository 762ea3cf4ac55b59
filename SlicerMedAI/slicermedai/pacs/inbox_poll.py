"""Looking for studies at an archive, by date or by order, and fetching each when it has stopped growing."""

from __future__ import annotations

import shutil
import time
from datetime import datetime, timedelta
from pathlib import Path

from slicermedai.errors import InputError
from slicermedai.pacs.hl7 import Order, Ordered, parse_order
from slicermedai.pacs.inbox import Inbox, sender_folder, study_key
from slicermedai.pacs.objects import is_uid
from slicermedai.pacs.run_worthy import what_was_made
from slicermedai.pacs.store import Level, Pace, Record, Store, instances

_DAY = 24 * 3600.0


class Poller:
    """Asks ``store``, the archive called ``name``, for ``inbox``."""

    def __init__(self, inbox: Inbox, store: Store, name: str, *, pace: Pace | None = None) -> None:
        self._inbox, self._store, self._name = inbox, store, name
        self._pace = pace or Pace()

    @property
    def orders(self) -> Path:
        """Where orders wait, a file of HL7 each, until their study is there."""
        return self._inbox.folder / "orders"

    def poll(self) -> int:
        """Look at the studies of the last days; returns how many were fetched.

        Raises
        ------
        PeerError
            The archive cannot be asked.
        """
        today = datetime.fromtimestamp(self._inbox.clock())
        first = today - timedelta(days=self._inbox.rules.poll.days)
        dates = f"{first:%Y%m%d}-{today + timedelta(days=1):%Y%m%d}"
        found = self._store.find(Level.STUDY, {"StudyDate": dates})
        return sum(self._consider(study, urgent=False) for study in found)

    def follow_orders(self) -> int:
        """Look for the studies that orders name; returns how many were fetched. Cancelled and old orders are dropped,
        and each other one when all studies are here that it names, as far as the archive knows them.

        A final report (ORU) means that its images are complete: they are fetched at once.
        """
        fetched = 0
        for path in sorted(self.orders.glob("*.hl7")):
            order = _read(path)
            if order is None or not order.wanted or time.time() - path.stat().st_mtime > 7 * _DAY:
                path.unlink()
                continue
            done = [self._follow(one) for one in order.wanted]
            fetched += sum(count for count, _ in done)
            if all(is_whole for _, is_whole in done):
                path.unlink()
        return fetched

    def _follow(self, one: Ordered) -> tuple[int, bool]:
        """(how many studies were fetched now, whether there are some and all of them are here)."""
        found = self._store.find(Level.STUDY, _keys(one))
        fetched = sum(self._consider(study, urgent=one.is_final) for study in found)
        return fetched, bool(found) and all(self._is_here(study) for study in found)

    def _is_here(self, study: Record) -> bool:
        """True where it was fetched as it now stands at the archive."""
        query = "SELECT 1 FROM seen WHERE uid = ? AND count > 0 AND fetched = count"
        return bool(self._inbox.ledger.rows(query, (study.get("StudyInstanceUID", ""),)))

    def expected(self, study_uid: str) -> int | None:
        """How many instances the archive has of a study, None where it does not know it; results, which come there from
        elsewhere, are not counted.
        """
        found = instances(self._store, study_uid)
        return sum(not what_was_made(one.get("SOPClassUID", "")) for one in found) if found else None

    def _consider(self, study: Record, *, urgent: bool) -> bool:
        """True where it was fetched now: it has not grown for the quiet time, or need not be waited for."""
        uid = study.get("StudyInstanceUID", "")
        if not is_uid(uid):
            return False
        count, now = self._count(study), self._inbox.clock()
        rows = self._inbox.ledger.rows("SELECT * FROM seen WHERE uid = ?", (uid,))
        if rows and rows[0]["fetched"] == count:
            return False
        if not rows or rows[0]["count"] != count:
            self._note(uid, count, now)
            rows = self._inbox.ledger.rows("SELECT * FROM seen WHERE uid = ?", (uid,))
        if not urgent and now - rows[0]["since"] < self._inbox.rules.quiet_seconds:
            return False
        return self._fetch(uid, count)

    def _count(self, study: Record) -> int:
        told = study.get("NumberOfStudyRelatedInstances", "")
        return int(told) if told.isdigit() and int(told) else len(instances(self._store, study["StudyInstanceUID"]))

    def _note(self, uid: str, count: int, now: float) -> None:
        with self._inbox.ledger.change() as change:
            change.execute(
                "INSERT INTO seen (uid, count, since) VALUES (?, ?, ?)"
                " ON CONFLICT (uid) DO UPDATE SET count = excluded.count, since = excluded.since",
                (uid, count, now),
            )

    def _fetch(self, uid: str, count: int) -> bool:
        """Whole or not at all: a study that came short is looked for again at the next poll."""
        folder = self._inbox.folder / "fetching" / study_key(uid)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        try:
            self._store.retrieve(uid, folder, pace=self._pace)
            files = list(folder.glob("*.dcm"))
            if not files or len(files) < count:
                return False
            place = self._inbox.incoming / sender_folder(self._name)
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path in files:
                path.replace(place / path.name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        with self._inbox.ledger.change() as change:
            change.execute("UPDATE seen SET fetched = ? WHERE uid = ?", (count, uid))
        return True


def _read(path: Path) -> Order | None:
    try:
        return parse_order(path.read_bytes())
    except InputError:
        return None


def _keys(one: Ordered) -> dict[str, str]:
    return {"StudyInstanceUID": one.study_uid} if one.study_uid else {"AccessionNumber": one.accession}
