"""The key of a project and its way back to the patients: both encrypted at rest and opened by a passphrase.

Neither is ever written into a folder of images, logged, or kept in plain text unless somebody asks for that
(:meth:`ReidentificationTable.export_csv`).
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from slicermedai.deid.persons import is_stranger
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.sealed import COST, Cost, Sealer, is_sealed, open_sealed, refuse_inside, write_private
from slicermedai.domain import locks
from slicermedai.errors import FolderBusyError, IdentityError, OutputError, ResultExistsError

KEY_KIND = "project key"
TABLE_KIND = "re-identification table"
_WAIT = 60.0
"""Seconds to wait for another run that is writing the same table."""


class PlainKeyWarning(UserWarning):
    """A project key lies on the disk without encryption."""


def save_key(
    path: Path, key: ProjectKey, passphrase: str, *, away_from: Iterable[Path] = (), cost: Cost = COST
) -> Path:
    """Write a project key that ``passphrase`` opens, mode 0600. An existing file is never overwritten.

    Parameters
    ----------
    away_from:
        Folders of images (input and output) that it must not lie in.

    Raises
    ------
    IdentityError
        It would lie in one of them, the passphrase is too short, or ``cryptography`` is not installed.
    ResultExistsError
        Something is there: without the old key nobody finds the way back.
    OutputError, DiskFullError
        It cannot be written.
    """
    refuse_inside(path, away_from, attribute="project_key")
    if os.path.lexists(path):
        raise ResultExistsError(
            "is there already, and a key cannot be made twice",
            file=path,
            attribute="project_key",
            advice="Choose another name.",
        )
    return Sealer.new(KEY_KIND, passphrase, cost=cost).write(path, key.secret)


def load_key(path: Path, passphrase: str | None = None, *, away_from: Iterable[Path] = ()) -> ProjectKey:
    """The project key in ``path``; a plain one of earlier versions is read with a :class:`PlainKeyWarning`.

    Raises
    ------
    IdentityError
        No key, no or a wrong passphrase, a changed file, a key in a folder of images, or a plain one that other
        users of the computer can read.
    """
    refuse_inside(path, away_from, attribute="project_key")
    if not needs_passphrase(path):
        return _plain_key(path)
    if passphrase is None:
        raise IdentityError("a passphrase is needed to open it", file=path, attribute="passphrase")
    return ProjectKey(open_sealed(path, KEY_KIND, passphrase)[1])


def change_passphrase(path: Path, old: str | None, new: str, *, cost: Cost = COST) -> Path:
    """Seal the key in ``path`` with another passphrase; a plain key gets its first one (``old`` is None then).

    Raises
    ------
    IdentityError
        As :func:`load_key` and :func:`save_key`; the file stays as it was.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PlainKeyWarning)
        key = load_key(path, old)
    return Sealer.new(KEY_KIND, new, cost=cost).write(path, key.secret)


def needs_passphrase(path: Path) -> bool:
    """Whether :func:`load_key` wants one for ``path``; raises :class:`IdentityError` where it cannot be read."""
    try:
        return is_sealed(path)
    except OSError as error:
        raise IdentityError(
            f"cannot be read ({type(error).__name__})", file=path, attribute="project_key", advice="Check the path."
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRecord:
    """One patient's way back.

    Parameters
    ----------
    pseudonym:
        Patient ID in the output.
    key:
        Fingerprint of the project key.
    owner:
        What :meth:`ProjectKey.patient` made the pseudonym from.
    patient_ids, names, birth_dates, issuers:
        The values that were found, as they were written; ``issuers`` has "" for files that name none.
    people:
        (name, birth date) as they stand together, "" where unknown.
    shift_days:
        By how many days dates were moved; None where they were not.
    uids:
        New UID -> original UID.
    """

    pseudonym: str
    key: str
    owner: str = field(repr=False)
    patient_ids: tuple[str, ...] = field(default=(), repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)
    birth_dates: tuple[str, ...] = field(default=(), repr=False)
    issuers: tuple[str, ...] = field(default=(), repr=False)
    people: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    shift_days: int | None = field(default=None, repr=False)
    uids: Mapping[str, str] = field(default_factory=dict, repr=False)

    def merged(self, other: PatientRecord) -> PatientRecord:
        """Both together.

        Raises
        ------
        IdentityError
            They are not of the same patient, or say different things of one UID or of the shift, or of the person:
            neither a word of the name nor the birth date agrees.
        """
        _refuse_conflict(self, other)
        return replace(
            self,
            patient_ids=_union(self.patient_ids, other.patient_ids),
            names=_union(self.names, other.names),
            birth_dates=_union(self.birth_dates, other.birth_dates),
            issuers=_union(self.issuers, other.issuers),
            people=tuple(dict.fromkeys((*self.people, *other.people))),
            shift_days=self.shift_days if other.shift_days is None else other.shift_days,
            uids={**self.uids, **other.uids},
        )


class ReidentificationTable:
    """Pseudonym -> original Patient IDs, names, birth dates, UIDs and date shift, encrypted in one file.

    Records are collected in memory and join the file in :meth:`save`, which locks it, reads what other runs have
    added, and replaces it whole: a kill at any moment leaves the old or the new. Save before the output gets its
    final name, so that no output is ever without its way back.
    """

    def __init__(self, path: Path, passphrase: str, *, away_from: Iterable[Path] = (), cost: Cost = COST) -> None:
        """Open the table in ``path``, which is made where it is missing: an unusable place shows before any work.

        Raises
        ------
        IdentityError
            It lies in one of the folders ``away_from``, the passphrase is wrong or too short, or it was changed.
        FolderBusyError, OutputError
            As in :meth:`save`.
        """
        refuse_inside(path, away_from, attribute="table")
        self.path = Path(path)
        self._sealer, self._records = self._first_read(passphrase, cost)
        self._new: dict[str, PatientRecord] = {}

    def __repr__(self) -> str:
        return f"ReidentificationTable({str(self.path)!r}, {len(self.records)} patients)"

    @property
    def records(self) -> tuple[PatientRecord, ...]:
        """All patients, by pseudonym: those of the file and those to be saved."""
        return tuple(found for _, found in sorted(_joined(self._records, self._new.values()).items()))

    def add(self, record: PatientRecord) -> None:
        """Collect a patient, or more of one. Nothing is written before :meth:`save`.

        Raises
        ------
        IdentityError
            Another patient has this pseudonym, or one of the UIDs stood for another one.
        """
        for known in (self._records.get(record.pseudonym), self._new.get(record.pseudonym)):
            if known:
                _refuse_conflict(known, record)
        known = self._new.get(record.pseudonym)
        self._new[record.pseudonym] = known.merged(record) if known else record

    def find(self, pseudonym: str) -> PatientRecord | None:
        """The patient behind a pseudonym."""
        return _joined(self._records, self._new.values()).get(pseudonym)

    def original_uid(self, uid: str) -> str | None:
        """The original of a UID in the output."""
        return next((record.uids[uid] for record in self.records if uid in record.uids), None)

    def save(self) -> Path:
        """Add what was collected to the file.

        Raises
        ------
        IdentityError
            The file was changed, has another passphrase by now, or contradicts what was collected.
        FolderBusyError
            Another run held it for a minute.
        OutputError, DiskFullError
            It cannot be written; the old file stays.
        """
        with _exclusive(self.path):
            records = _joined(self._read(), self._new.values())
            self._sealer.write(self.path, _to_json(records))
        self._records, self._new = records, {}
        return self.path

    def change_passphrase(self, new: str, *, cost: Cost = COST) -> Path:
        """Seal the table with another passphrase, and save it. Other runs that have it open fail when they save.

        Raises
        ------
        IdentityError, FolderBusyError, OutputError
            As in :meth:`save`; or the passphrase is too short. The file stays as it was.
        """
        sealer = Sealer.new(TABLE_KIND, new, cost=cost)
        with _exclusive(self.path):
            records = _joined(self._read(), self._new.values())
            sealer.write(self.path, _to_json(records))
        self._sealer, self._records, self._new = sealer, records, {}
        return self.path

    def export_csv(self, path: Path, *, away_from: Iterable[Path] = ()) -> Path:
        """Write the table in plain text (pseudonym, attribute, original), for whoever asks for that; mode 0600.

        A cell that a spreadsheet would take for a formula begins with an apostrophe.

        Raises
        ------
        IdentityError
            ``path`` lies in one of the folders ``away_from``.
        """
        refuse_inside(path, away_from, attribute="table")
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(("pseudonym", "attribute", "original"))
        writer.writerows(tuple(map(_cell, row)) for record in self.records for row in _rows(record))
        return write_private(path, text.getvalue().encode("utf-8"))

    def _first_read(self, passphrase: str, cost: Cost) -> tuple[Sealer, dict[str, PatientRecord]]:
        """Two runs that begin a table at once agree on its salt, since the second one finds the file of the first."""
        with _exclusive(self.path):
            if not self.path.exists():
                Sealer.new(TABLE_KIND, passphrase, cost=cost).write(self.path, _to_json({}))
        sealer, content = open_sealed(self.path, TABLE_KIND, passphrase)
        return sealer, _from_json(content, self.path)

    def _read(self) -> dict[str, PatientRecord]:
        return _from_json(self._sealer.open(self.path), self.path)


def way_back(table: ReidentificationTable, sought: str) -> list[tuple[str, str]]:
    """(attribute, original) behind a pseudonym, or behind a UID of a copy; nothing where the table knows neither."""
    record = table.find(sought)
    if record is not None:
        return [(attribute, original) for _, attribute, original in _rows(record)]
    original = table.original_uid(sought)
    return [("UID", original)] if original is not None else []


def _plain_key(path: Path) -> ProjectKey:
    key = ProjectKey.from_file(path)
    if os.name != "nt" and Path(path).stat().st_mode & 0o077:
        raise IdentityError(
            "is a plain key that other users can read",
            file=path,
            attribute="project_key",
            advice="Take their rights away (chmod 600), and seal it with a passphrase.",
        )
    warnings.warn(
        f"{path}: this project key is not encrypted; seal it with a passphrase", PlainKeyWarning, stacklevel=3
    )
    return key


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Nobody else writes ``path`` meanwhile. The lock file beside it stays; it is empty."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locks.locked(path.with_name(f"{path.name}.lock"), wait=_WAIT):
            yield
    except BlockingIOError as error:
        raise FolderBusyError(
            "another run is writing it", file=path, advice="Try again when that has ended."
        ) from error
    except OSError as error:
        raise OutputError(
            f"cannot be locked or written ({error.strerror})",
            file=path,
            attribute="table",
            advice="Choose another place.",
        ) from error


def _joined(known: Mapping[str, PatientRecord], new: Iterable[PatientRecord]) -> dict[str, PatientRecord]:
    joined = dict(known)
    for record in new:
        before = joined.get(record.pseudonym)
        joined[record.pseudonym] = before.merged(record) if before else record
    return joined


def _refuse_conflict(one: PatientRecord, other: PatientRecord) -> None:
    facts = (
        ("owner", one.owner, other.owner),
        ("pseudonym", one.pseudonym, other.pseudonym),
        ("key", one.key, other.key),
    )
    wrong = next((name for name, mine, theirs in facts if mine != theirs), "")
    if not wrong and None not in (one.shift_days, other.shift_days) and one.shift_days != other.shift_days:
        wrong = "shift_days"
    if not wrong and any(one.uids.get(new, old) != old for new, old in other.uids.items()):
        wrong = "uids"
    if not wrong and is_stranger(other.people, one.people):
        wrong = "PatientID"
    if wrong:
        raise IdentityError(
            "two patients or instances would share a pseudonym, or one of them has two",
            attribute=wrong,
            advice="Keep one table for each project key.",
        )


def _union(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _to_json(records: Mapping[str, PatientRecord]) -> bytes:
    return json.dumps({"version": 1, "patients": [asdict(records[name]) for name in sorted(records)]}).encode("ascii")


def _from_json(content: bytes, path: Path) -> dict[str, PatientRecord]:
    try:
        records = [PatientRecord(**_tuples(values)) for values in json.loads(content)["patients"]]
    except (ValueError, KeyError, TypeError) as error:
        raise IdentityError(f"holds no table ({type(error).__name__})", file=path, attribute="table") from error
    return {record.pseudonym: record for record in records}


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _tuple(values: list[Any]) -> tuple[Any, ...]:
    return tuple(_tuple(value) if isinstance(value, list) else value for value in values)


def _rows(record: PatientRecord) -> Iterator[tuple[str, str, str]]:
    groups = (
        ("PatientID", record.patient_ids),
        ("IssuerOfPatientID", tuple(filter(None, record.issuers))),
        ("PatientName", record.names),
        ("PatientBirthDate", record.birth_dates),
        ("shift_days", () if record.shift_days is None else (str(record.shift_days),)),
    )
    yield from ((record.pseudonym, name, value) for name, found in groups for value in found)
    yield from ((record.pseudonym, new, old) for new, old in sorted(record.uids.items()))


def _cell(text: str) -> str:
    formula = text[:1] in "=+@\t\r" or (text[:1] == "-" and not text[1:].isdigit())
    return f"'{text}" if text and formula else text
