"""Fetching many studies from an archive: resumable, each study whole or not at all, and nothing missing unsaid."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from pydicom import dcmread

from slicermedai.audit.log import append
from slicermedai.dicom.files import READ_ERRORS, quiet
from slicermedai.domain.observer import Progress
from slicermedai.domain.storage import atomic_folder, write_text
from slicermedai.domain.words import Words
from slicermedai.errors import DiskFullError, InputError, OutputError, PeerError, PeerUnreachableError
from slicermedai.pacs.objects import is_uid
from slicermedai.pacs.opt_out import NAMED_BY, OptedOut
from slicermedai.pacs.store import Level, Pace, Record, Store, instances

TABLE = "retrieved.csv"
COLUMNS = {
    "accession": "AccessionNumber",
    "accessionnumber": "AccessionNumber",
    "study": "StudyInstanceUID",
    "studyinstanceuid": "StudyInstanceUID",
    "patient": "PatientID",
    "patientid": "PatientID",
}
"""Heading of a column, in any case and without spaces or underscores -> what is asked for."""
_WILD = re.compile(r"[*?\\\x00-\x1f]")
_EVERY = 2.0
_T = TypeVar("_T")


class Fate(Words):
    """What became of one study, or of a row that found none."""

    DONE = "done"
    MISSING = "missing"
    REFUSED = "refused"
    OPTED_OUT = "opted out"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One row of a list: all of ``keys`` (DICOM keyword -> value) must match. ``row`` is its line in the file."""

    row: int
    keys: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of the table of what was fetched. ``expected`` and ``received`` count instances."""

    row: int
    asked_by: str
    study: str
    fate: Fate
    expected: int = 0
    received: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """``tries`` at each study, with ``wait`` seconds between them; ``pace`` limits objects a second."""

    opted_out: OptedOut | None = None
    pace: Pace
    tries: int = 3
    wait: float = 5.0


def read_list(path: Path) -> list[Wanted]:
    """The rows of a CSV file whose columns are named accession, study or patient (:data:`COLUMNS`).

    A row with several of them asks for studies that match all. Other columns are left alone.

    Raises
    ------
    InputError
        It cannot be read, or no column is known, or it has no rows.
    """
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
        known = {name: COLUMNS[plain] for name in reader.fieldnames or () if (plain := _plain(name)) in COLUMNS}
        rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read ({type(error).__name__})", file=path) from error
    if not known:
        raise InputError("has no column that is known", file=path, advice="Name it accession, study or patient.")
    keys = [(line, {known[name]: (row[name] or "").strip() for name in known}) for line, row in rows]
    found = [Wanted(row=line, keys={name: value for name, value in one.items() if value}) for line, one in keys]
    if not found:
        raise InputError("has no rows", file=path)
    return found


def retrieve_list(
    wanted: Sequence[Wanted], store: Store, output: Path, *, terms: Terms, progress: Progress | None = None
) -> list[Line]:
    """Fetch what is ``wanted`` into ``output/STUDY UID/``; ``output/retrieved.csv`` says what became of each.

    A study that is there already is counted, not fetched again: after a kill, call it again. ``output`` is patient
    data.

    Raises
    ------
    PeerUnreachableError
        The archive cannot be reached any more; the table says how far it went.
    DiskFullError, OutputError
        ``output`` cannot be written.
    """
    output.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines: list[Line] = []
    told = 0.0
    try:
        for number, one in enumerate(wanted):
            lines += _fetch_row(one, store, output, terms)
            if time.monotonic() - told > _EVERY:
                _save(lines, output)
                told = time.monotonic()
            if progress is not None:
                progress("retrieve", (number + 1) / len(wanted))
    finally:
        _save(lines, output)
        done = [line for line in lines if line.fate is Fate.DONE]
        received = sum(line.received for line in done)
        append("studies retrieved", job_id="", rows=len(wanted), studies=len(done), objects=received)
    return lines


def _fetch_row(wanted: Wanted, store: Store, output: Path, terms: Terms) -> list[Line]:
    by = "+".join(wanted.keys)
    if not wanted.keys or any(_WILD.search(value) for value in wanted.keys.values()):
        return [Line(row=wanted.row, asked_by=by, study="", fate=Fate.REFUSED, reason="empty, or with wildcards")]
    try:
        studies = _again(terms, lambda: store.find(Level.STUDY, wanted.keys))
    except PeerUnreachableError:
        raise
    except PeerError as error:
        return [Line(row=wanted.row, asked_by=by, study="", fate=Fate.FAILED, reason=error.message)]
    if not studies:
        return [Line(row=wanted.row, asked_by=by, study="", fate=Fate.MISSING, reason="the archive has no such study")]
    return [_fetch_study(wanted, by, study, _Source(store, output, terms)) for study in studies]


@dataclass(frozen=True, slots=True)
class _Source:
    store: Store
    output: Path
    terms: Terms


class _NotWhole(Exception):
    """Leaves the folder of a study as if it had never been made."""

    def __init__(self, fate: Fate, received: int, reason: str) -> None:
        super().__init__(reason)
        self.fate, self.received, self.reason = fate, received, reason


def _fetch_study(wanted: Wanted, by: str, study: Record, source: _Source) -> Line:
    uid = study.get("StudyInstanceUID", "")

    def line(fate: Fate, reason: str = "", *, expected: int = 0, received: int = 0) -> Line:
        name = uid if is_uid(uid) else ""
        return Line(
            row=wanted.row, asked_by=by, study=name, fate=fate, expected=expected, received=received, reason=reason
        )

    refusal = _refusal(study, source.terms.opted_out)
    if refusal is not None:
        return line(*refusal)
    expected: frozenset[str] = frozenset()
    try:
        expected = _again(source.terms, lambda: _expected(source.store, uid))
        received = _present(source.output / uid, expected) or _fetch(uid, expected, source)
    except _NotWhole as short:
        return line(short.fate, short.reason, expected=len(expected), received=short.received)
    except (PeerUnreachableError, DiskFullError):
        raise
    except (PeerError, OutputError) as error:
        return line(Fate.FAILED, error.message, expected=len(expected))
    return line(Fate.DONE, expected=len(expected), received=received)


def _refusal(study: Record, opted_out: OptedOut | None) -> tuple[Fate, str] | None:
    if not is_uid(study.get("StudyInstanceUID", "")):
        return Fate.FAILED, "the archive named no StudyInstanceUID"
    if opted_out is None:
        return None
    if not study.get("PatientID", "").strip():
        return Fate.REFUSED, "the archive does not say whose study it is (PatientID), and there is an opt-out list"
    return (Fate.OPTED_OUT, "on the opt-out list") if opted_out(study) else None


def _expected(store: Store, study_uid: str) -> frozenset[str]:
    return frozenset(record["SOPInstanceUID"] for record in instances(store, study_uid))


def _present(folder: Path, expected: frozenset[str]) -> int:
    """How many instances lie there from an earlier call; 0 where the study is not there."""
    if not folder.is_dir():
        return 0
    have = {path.stem for path in folder.glob("*.dcm")}
    if expected - have:
        raise _NotWhole(Fate.INCOMPLETE, len(have), "has grown at the archive since; move its folder away to fetch it")
    return len(have)


def _fetch(uid: str, expected: frozenset[str], source: _Source) -> int:
    if not expected:
        raise _NotWhole(Fate.MISSING, 0, "the archive lists no instances of it")
    with atomic_folder(source.output / uid) as partial:
        for attempt in range(source.terms.tries):
            time.sleep(source.terms.wait if attempt else 0)
            _again(source.terms, lambda: source.store.retrieve(uid, partial, pace=source.terms.pace))
            received = _checked(partial, uid, source.terms.opted_out)
            if expected <= received:
                return len(received)
        raise _NotWhole(Fate.INCOMPLETE, len(received & expected), f"{len(expected - received)} instances did not come")


def _checked(folder: Path, uid: str, opted_out: OptedOut | None) -> set[str]:
    """The instances that lie in ``folder``, each looked into: an archive may send what nobody asked for."""
    received = set()
    for path in folder.glob("*.dcm"):
        record = _header(path)
        if record["StudyInstanceUID"] != uid:
            raise _NotWhole(Fate.FAILED, 0, "the archive sent an object of another study")
        if opted_out is not None and opted_out(record):
            raise _NotWhole(Fate.OPTED_OUT, 0, "on the opt-out list")
        received.add(record["SOPInstanceUID"])
    return received


def _header(path: Path) -> Record:
    names = (*NAMED_BY, "SOPInstanceUID")
    try:
        with quiet():
            dataset = dcmread(path, stop_before_pixels=True, specific_tags=list(names))
            return {name: str(dataset.get(name, "") or "") for name in names}
    except READ_ERRORS as error:
        raise _NotWhole(Fate.FAILED, 0, f"a file that came cannot be read ({type(error).__name__})") from error


def _again(terms: Terms, act: Callable[[], _T]) -> _T:
    for attempt in range(terms.tries):
        try:
            return act()
        except PeerUnreachableError:
            if attempt + 1 >= terms.tries:
                raise
            time.sleep(terms.wait)
    raise AssertionError("tries is at least 1")


def _save(lines: Sequence[Line], output: Path) -> None:
    text = io.StringIO()
    names = [field.name for field in fields(Line)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([str(getattr(line, name)) for name in names] for line in lines)
    write_text(output / TABLE, text.getvalue())


def _plain(name: str) -> str:
    return re.sub(r"[\s_]", "", name).casefold()
