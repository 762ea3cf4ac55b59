"""The outbox: what is to be sent lies here, on disk and in a ledger, before any network is touched.

Under ``outbox/`` in the home (mode 0700: it holds patient data) lie ``outbox.sqlite`` and ``files/``, named by their
SHA-256. Each object has a state for each destination. Only a proof (storage commitment, or a query that finds it)
makes it PROVED; a kill at any moment leaves each object where it is, and an object whose sending was cut is looked for
at the destination before it is sent again.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicermedai.audit.log import append
from slicermedai.domain import locks
from slicermedai.domain.study import Identity
from slicermedai.domain.words import Words
from slicermedai.errors import ConflictError, OutboxError
from slicermedai.jobs.home import home
from slicermedai.pacs.keep import Keep, Kept, hash_of_hashes
from slicermedai.pacs.ledger import Ledger
from slicermedai.pacs.objects import ObjectRef
from slicermedai.pacs.peers import Peer, check_object
from slicermedai.pacs.store import SendItem

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    uid TEXT PRIMARY KEY, sop_class TEXT NOT NULL, study TEXT NOT NULL, series TEXT NOT NULL, syntax TEXT NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, identity TEXT NOT NULL, kept INTEGER NOT NULL, added REAL NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (
    uid TEXT NOT NULL REFERENCES object, destination TEXT NOT NULL, state TEXT NOT NULL, fallback TEXT NOT NULL,
    job_id TEXT NOT NULL, changed REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0, faults INTEGER NOT NULL DEFAULT 0,
    looks INTEGER NOT NULL DEFAULT 0, next_try REAL NOT NULL DEFAULT 0, unsure INTEGER NOT NULL DEFAULT 0,
    owner TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (uid, destination));
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (destination, state, next_try)
"""
_JOINED = "SELECT delivery.*, object.* FROM delivery JOIN object USING (uid)"
_WAIT = 60.0
_OLD = 24 * 3600.0


class State(Words):
    """Where one object stands at one destination."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    PROVED = "proved"
    REFUSED = "refused"
    FAILED = "failed"


OPEN = (State.QUEUED, State.SENDING, State.SENT)
"""Not proved yet, and not given up: never purged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One object on its way to one destination.

    ``tries`` counts attempts, ``faults`` those that failed by this object and not by the connection, ``looks`` how
    often it was looked for in vain. ``next_try`` is in seconds since the epoch. ``unsure``: it may be there already.
    """

    ref: ObjectRef
    file: Path
    sha256: str
    size: int
    identity: Identity
    destination: str
    state: State
    tries: int
    faults: int
    looks: int
    next_try: float
    unsure: bool
    fallback: str
    reason: str
    note: str
    job_id: str
    changed: float

    @property
    def item(self) -> SendItem:
        """What a store sends."""
        return SendItem(file=self.file, ref=self.ref)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """``new`` were queued; ``known`` were in the outbox for this destination already, whatever their state."""

    new: int
    known: int


def outbox_folder() -> Path:
    """``outbox`` in :func:`slicermedai.jobs.home.home`; it may not be there yet."""
    return home() / "outbox"


class Outbox:
    """The outbox in ``folder``; several processes may use it at once. Close it, or use it as context manager."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = Path(folder or outbox_folder())
        self._ledger = Ledger(self.folder / "outbox.sqlite", _SCHEMA)
        self._keep = Keep(self.folder / "files")

    def add(
        self,
        files: Iterable[Path],
        peer: Peer,
        *,
        identity: Identity | None = None,
        job_id: str = "",
        fallbacks: Mapping[Path, Path] | None = None,
    ) -> Added:
        """Queue ``files`` for ``peer``, all or none; the files are kept here when this returns.

        ``identity`` is the route on record for the result they belong to. ``fallbacks`` names, for a file, another
        one that is sent in its place where the destination does not take its SOP class (BINARY for LABELMAP); that it
        was is noted.

        Raises
        ------
        UnreadableFileError
            A file is no DICOM file, or has no usable UIDs.
        IdentityError
            It may not go there (see :func:`slicermedai.pacs.peers.check_object`).
        ConflictError
            Another file with the same SOP Instance UID was queued before.
        DiskFullError, OutboxError
            It cannot be kept; nothing was queued.
        """
        instead = dict(fallbacks or {})
        first = list(dict.fromkeys(files))
        with self._alone(), self._keep.taking() as take:
            kept = {path: take(path) for path in dict.fromkeys([*first, *instead.values()])}
            routes = {p: check_object(peer, k.ref, recorded=identity, file=p) for p, k in kept.items()}
            with self._ledger.change() as change:
                for path, one in kept.items():
                    _add_object(change, one, routes[path], path)
                new = [
                    _add_delivery(change, kept[p], peer.name, fallback=_uid(kept, instead.get(p)), job_id=job_id)
                    for p in first
                ]
        hashes = hash_of_hashes(kept[path].sha256 for path in first)
        append("objects queued", job_id=job_id, destination=peer.name, objects=len(first), objects_sha256=hashes)
        return Added(new=sum(new), known=len(new) - sum(new))

    def deliveries(self, destination: str = "", states: Iterable[State] = ()) -> list[Delivery]:
        """All, or those of one destination, or in some states; the oldest first."""
        wanted = [str(state) for state in states]
        marks = ",".join("?" * len(wanted))
        query = f"{_JOINED} WHERE (? = '' OR destination = ?) AND ({not wanted:d} OR state IN ({marks}))"
        rows = self._ledger.rows(f"{query} ORDER BY added, uid, destination", (destination, destination, *wanted))
        return [self._delivery(row) for row in rows]

    def due(self, destination: str, states: Iterable[State], now: float) -> list[Delivery]:
        """Those whose next try has come."""
        return [one for one in self.deliveries(destination, states) if one.next_try <= now]

    @contextlib.contextmanager
    def sender(self) -> Iterator[str]:
        """A token under which deliveries are claimed; what is still claimed at the end goes back to the queue."""
        token = uuid.uuid4().hex
        path = self._sender_lock(token)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = locks.take(path)
        try:
            yield token
        finally:
            self._release(token)
            path.unlink(missing_ok=True)
            locks.release(descriptor)

    def claim(self, destination: str, owner: str, *, limit: int, now: float) -> list[Delivery]:
        """Take at most ``limit`` due deliveries: they are SENDING, and nobody else's, when this returns."""
        with self._ledger.change() as change:
            rows = change.execute(
                f"{_JOINED} WHERE destination = ? AND state = 'queued' AND next_try <= ? AND NOT unsure"
                " ORDER BY next_try, added, uid LIMIT ?",
                (destination, now, limit),
            ).fetchall()
            change.executemany(
                "UPDATE delivery SET state = 'sending', owner = ?, changed = ? WHERE uid = ? AND destination = ?",
                [(owner, now, row["uid"], destination) for row in rows],
            )
        return [self._delivery(row) for row in rows]

    def reclaim(self) -> int:
        """Put back what senders left that are no longer alive, to be looked for first; returns how many."""
        self._drop_old_locks()
        owners = [row["owner"] for row in self._ledger.rows("SELECT DISTINCT owner FROM delivery WHERE owner <> ''")]
        return sum(self._release(owner) for owner in owners if not locks.is_held(self._sender_lock(owner)))

    def update(self, delivery: Delivery, state: State, **columns: Any) -> None:
        """Record a new state with other columns (``reason``, ``note``, ``next_try`` ...), on disk when it returns."""
        values = {"owner": "", "changed": time.time(), **columns, "state": str(state)}
        names = ", ".join(f"{name} = ?" for name in values)
        key = (delivery.ref.sop_instance_uid, delivery.destination)
        with self._ledger.change() as change:
            change.execute(f"UPDATE delivery SET {names} WHERE uid = ? AND destination = ?", (*values.values(), *key))

    def replace(self, delivery: Delivery, *, reason: str, note: str) -> None:
        """Record that ``delivery`` was refused and its fallback is queued in its place, as one step."""
        uid, destination = delivery.ref.sop_instance_uid, delivery.destination
        with self._ledger.change() as change:
            change.execute(
                "UPDATE delivery SET state = 'refused', owner = '', reason = ?, note = ?, changed = ?"
                " WHERE uid = ? AND destination = ?",
                (reason, "another object was queued in its place", time.time(), uid, destination),
            )
            change.execute(
                "INSERT OR IGNORE INTO delivery (uid, destination, state, fallback, job_id, changed, note)"
                " VALUES (?, ?, 'queued', '', ?, ?, ?)",
                (delivery.fallback, destination, delivery.job_id, time.time(), note),
            )

    def retry(self, destination: str = "", uids: Iterable[str] = ()) -> int:
        """Queue again what was refused or set aside; returns how many.

        What was set aside may have arrived, and is looked for first. What was refused has not: whatever has its UID
        there is another object, and no proof.
        """
        found = _chosen(self.deliveries(destination, (State.REFUSED, State.FAILED)), uids)
        for one in found:
            unsure = int(one.state is State.FAILED)
            self.update(one, State.QUEUED, tries=0, faults=0, looks=0, next_try=0.0, reason="", unsure=unsure)
        return len(found)

    def withdraw(self, destination: str, uids: Iterable[str], *, reason: str) -> int:
        """Refuse what waits for its first sending, and say why; what may have arrived stays. Returns how many."""
        with self._ledger.change() as change:
            return change.executemany(
                "UPDATE delivery SET state = 'refused', reason = ?, changed = ?"
                " WHERE uid = ? AND destination = ? AND state = 'queued' AND NOT unsure",
                [(reason, time.time(), uid, destination) for uid in uids],
            ).rowcount

    def forget(self, destination: str = "", uids: Iterable[str] = (), *, states: Iterable[State]) -> int:
        """Drop deliveries in ``states``, with their objects where nothing else needs them; returns how many."""
        found = _chosen(self.deliveries(destination, states), uids)
        with self._ledger.change() as change:
            change.executemany(
                "DELETE FROM delivery WHERE uid = ? AND destination = ? AND state = ?",
                [(one.ref.sop_instance_uid, one.destination, str(one.state)) for one in found],
            )
            change.execute(
                "DELETE FROM object WHERE uid NOT IN (SELECT uid FROM delivery)"
                " AND uid NOT IN (SELECT fallback FROM delivery)"
            )
        self._sweep()
        return len(found)

    def purge(self) -> int:
        """Remove the files of objects that are proved wherever they were to go; that they were sent stays known."""
        with self._ledger.change() as change:
            done = change.execute(
                "UPDATE object SET kept = 0 WHERE kept AND uid IN (SELECT uid FROM delivery) AND uid NOT IN"
                " (SELECT uid FROM delivery WHERE state <> 'proved')"
                " AND uid NOT IN (SELECT fallback FROM delivery WHERE state <> 'proved')"
            ).rowcount
        self._sweep()
        return int(done)

    def close(self) -> None:
        """Let go of the ledger."""
        self._ledger.close()

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else adds or sweeps files meanwhile."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locks.locked(self.folder / "add.lock", wait=_WAIT))
            except OSError as error:
                raise OutboxError("is held by another process", file=self.folder, advice="Try again.") from error
            yield

    def _sweep(self) -> None:
        """Remove files that no kept object has; never while somebody adds."""
        with self._alone():
            rows = self._ledger.rows("SELECT sha256 FROM object WHERE kept")
            self._keep.sweep({row["sha256"] for row in rows})

    def _release(self, owner: str) -> int:
        with self._ledger.change() as change:
            return change.execute(
                "UPDATE delivery SET state = 'queued', owner = '', unsure = 1 WHERE owner = ? AND state = 'sending'",
                (owner,),
            ).rowcount

    def _drop_old_locks(self) -> None:
        """Of senders long dead; a young one may be about to take its lock."""
        for path in (self.folder / "senders").glob("*"):
            if time.time() - path.stat().st_mtime > _OLD and not locks.is_held(path):
                path.unlink(missing_ok=True)

    def _sender_lock(self, token: str) -> Path:
        return self.folder / "senders" / token

    def _delivery(self, row: Any) -> Delivery:
        ref = ObjectRef(
            sop_class_uid=row["sop_class"],
            sop_instance_uid=row["uid"],
            study_uid=row["study"],
            series_uid=row["series"],
            transfer_syntax_uid=row["syntax"],
            sha256=row["sha256"],
        )
        same = ("sha256", "size", "destination", "tries", "faults", "looks", "next_try", "fallback", "reason", "note")
        return Delivery(
            ref=ref,
            file=self._keep.place(row["sha256"]),
            state=State(row["state"]),
            identity=Identity(row["identity"]),
            unsure=bool(row["unsure"]),
            job_id=row["job_id"],
            changed=row["changed"],
            **{name: row[name] for name in same},
        )


def _add_object(change: Any, one: Kept, identity: Identity, path: Path) -> None:
    ref = one.ref
    row = change.execute("SELECT sha256 FROM object WHERE uid = ?", (ref.sop_instance_uid,)).fetchone()
    if row is not None and row["sha256"] != one.sha256:
        raise ConflictError(
            "another object with the same UID, and other bytes, was queued before",
            file=path,
            attribute="SOPInstanceUID",
            advice="An object that is changed needs a new UID; nothing was queued.",
        )
    change.execute(
        "INSERT INTO object VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT (uid) DO UPDATE SET kept = 1",
        (
            *(ref.sop_instance_uid, ref.sop_class_uid, ref.study_uid, ref.series_uid, ref.transfer_syntax_uid),
            *(one.sha256, one.size, str(identity), time.time()),
        ),
    )


def _add_delivery(change: Any, one: Kept, destination: str, *, fallback: str, job_id: str) -> bool:
    """True where it is new."""
    done = change.execute(
        "INSERT OR IGNORE INTO delivery (uid, destination, state, fallback, job_id, changed) VALUES (?, ?, ?, ?, ?, ?)",
        (one.ref.sop_instance_uid, destination, str(State.QUEUED), fallback, job_id, time.time()),
    )
    return bool(done.rowcount)


def _uid(kept: Mapping[Path, Kept], path: Path | None) -> str:
    return "" if path is None else kept[path].ref.sop_instance_uid


def _chosen(found: list[Delivery], uids: Iterable[str]) -> list[Delivery]:
    wanted = set(uids)
    return [one for one in found if not wanted or one.ref.sop_instance_uid in wanted]
