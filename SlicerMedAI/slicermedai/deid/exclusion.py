"""The exclusion list: patients who opted out, checked before anything is written.

In doubt a file is excluded: identifiers are compared without case, diacritics, punctuation and leading zeros (which
spreadsheets drop), an issuer counts only where both sides name one, and a name only together with the birth date,
unless the file has none. A reason names the line of the list, never the identity on it.
"""

from __future__ import annotations

import codecs
import csv
import functools
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from slicermedai.errors import InputError, UnreadableFileError

COLUMNS = Path(__file__).with_name("exclusion_columns.json")
_UID = re.compile(r"[0-2](\.(0|[1-9]\d*)){3,}", re.ASCII)
_SPREADSHEET_NUMBER = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE | re.ASCII)
_LONGEST = 64
"""Characters of a Patient ID (LO) or a UID (PS3.5 6.2)."""
_LARGEST = 50_000_000
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_UMLAUTS = re.compile(r"(?<=[aou])e")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One line of the list, folded for comparison."""

    line: int
    patient: str = field(default="", repr=False)
    issuer: str = field(default="", repr=False)
    name: frozenset[str] = field(default=frozenset(), repr=False)
    births: frozenset[date] = field(default=frozenset(), repr=False)
    accession: str = field(default="", repr=False)
    study: str = field(default="", repr=False)


def excluded(line: int, why: str) -> str:
    """The reason, in words without identity."""
    return f"on the exclusion list (line {line}, {why})"


class ExclusionList:
    """Who must not be passed on, not even without a name."""

    def __init__(self, entries: Iterable[_Entry]) -> None:
        self._count = 0
        self._patients: defaultdict[str, list[_Entry]] = defaultdict(list)
        self._accessions: dict[str, _Entry] = {}
        self._studies: dict[str, _Entry] = {}
        self._names: defaultdict[str, list[_Entry]] = defaultdict(list)
        for entry in entries:
            self._add(entry)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"ExclusionList({self._count} lines)"

    @staticmethod
    def from_file(path: Path) -> ExclusionList:
        """Read a list: text with one Patient ID or Study Instance UID a line, or a table (comma, semicolon, tab).

        A table needs a line of column names: PatientID, IssuerOfPatientID, PatientName (or family and given name)
        with PatientBirthDate, AccessionNumber, StudyInstanceUID, in any order and under their usual names. Other
        columns are passed over; so are empty lines and those that begin with "#".

        Raises
        ------
        UnreadableFileError
            It cannot be read, is empty, or is no text (a spreadsheet, a DICOM file).
        InputError
            Columns cannot be told, or a line cannot be used; it is named by its number.
        """
        return ExclusionList(_entries(Path(path), _text_of(Path(path))))

    def matches(self, attributes: Mapping[str, Any]) -> str | None:
        """Why these attributes of a file (by keyword) are excluded, in words without identity; None if they are not.

        Parameters
        ----------
        attributes:
            As in :meth:`found`.
        """
        found = self.found(attributes)
        return excluded(found[0][1], f"by {found[0][0]}") if found else None

    def found(self, attributes: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
        """(attribute, line of the list) of everything that these attributes of a file (by keyword) are excluded by.

        Parameters
        ----------
        attributes:
            PatientID, OtherPatientIDs, IssuerOfPatientID, PatientName, PatientBirthDate, AccessionNumber,
            StudyInstanceUID; what is missing or empty is not compared. Values are text, or lists of it. The IDs of
            Other Patient IDs Sequence belong to OtherPatientIDs.
        """
        checks: tuple[tuple[str, Callable[[Mapping[str, Any]], _Entry | None]], ...] = (
            ("StudyInstanceUID", self._by_study),
            ("PatientID", self._by_patient),
            ("AccessionNumber", self._by_accession),
            ("PatientName and PatientBirthDate", self._by_name),
        )
        found = ((name, check(attributes)) for name, check in checks)
        return tuple((name, entry.line) for name, entry in found if entry is not None)

    def _add(self, entry: _Entry) -> None:
        self._count += 1
        if entry.patient:
            self._patients[entry.patient].append(entry)
        if entry.accession:
            self._accessions.setdefault(entry.accession, entry)
        if entry.study:
            self._studies.setdefault(entry.study, entry)
        for word in entry.name:
            self._names[word].append(entry)

    def _by_study(self, attributes: Mapping[str, Any]) -> _Entry | None:
        return next(
            (self._studies[uid] for uid in _values(attributes, "StudyInstanceUID") if uid in self._studies), None
        )

    def _by_accession(self, attributes: Mapping[str, Any]) -> _Entry | None:
        folded = map(_identifier, _values(attributes, "AccessionNumber"))
        return next((self._accessions[number] for number in folded if number in self._accessions), None)

    def _by_patient(self, attributes: Mapping[str, Any]) -> _Entry | None:
        issuer = next(map(_identifier, _values(attributes, "IssuerOfPatientID")), "")
        own = ((value, issuer) for value in _values(attributes, "PatientID"))
        other = ((value, "") for value in _values(attributes, "OtherPatientIDs"))
        for value, who in (*own, *other):
            for entry in self._patients.get(_identifier(value), ()):
                if not (entry.issuer and who) or entry.issuer == who:
                    return entry
        return None

    def _by_name(self, attributes: Mapping[str, Any]) -> _Entry | None:
        births = {day for value in _values(attributes, "PatientBirthDate") for day in _days(value)}
        for value in _values(attributes, "PatientName"):
            for words in filter(None, map(_words, value.split("="))):
                for entry in (found for word in words for found in self._names.get(word, ())):
                    if _same_name(entry.name, words) and (not births or births & entry.births):
                        return entry
        return None


def _text_of(path: Path) -> str:
    try:
        raw = path.read_bytes() if path.stat().st_size <= _LARGEST else b"\0"
    except OSError as error:
        raise _unreadable(path, f"cannot be read ({type(error).__name__})") from error
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = raw.decode("utf-16", "replace")
    elif b"\0" in raw or raw.startswith((b"PK\x03\x04", b"%PDF", b"{\\rtf", b"\xd0\xcf\x11\xe0")):
        raise _unreadable(path, "is no text")
    else:
        text = _decoded(raw)
    if not text.strip():
        raise _unreadable(path, "is empty")
    return text


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _unreadable(path: Path, message: str) -> UnreadableFileError:
    return UnreadableFileError(
        message, file=path, attribute="exclusion list", advice="Save it as CSV or as text, one patient a line."
    )


def _entries(path: Path, text: str) -> Iterator[_Entry]:
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    if not lines:
        raise _unreadable(path, "holds no patient")
    delimiter = max("\t;,", key=lines[0][1].count)
    columns = [_column(cell) for cell in _cells(lines[0][1], delimiter)]
    if not any(columns):
        if any(mark in lines[0][1] for mark in "\t;,"):
            raise _wrong(path, lines[0][0], "has several columns, and no line says what they are")
        yield from (_from_value(path, number, line.strip()) for number, line in lines)
        return
    if not set(columns) & {"PatientID", "AccessionNumber", "StudyInstanceUID", "PatientBirthDate"}:
        raise _wrong(path, lines[0][0], "names no column that tells patients apart")
    if len(set(filter(None, columns))) < len(list(filter(None, columns))):
        raise _wrong(path, lines[0][0], "names two columns alike")
    for number, line in lines[1:]:
        cells = _cells(line, delimiter)
        if any(cell.strip() for cell in cells):
            yield _from_row(path, number, dict(zip(columns, cells, strict=False)))


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


@functools.cache
def _known_columns() -> dict[str, str]:
    groups = json.loads(COLUMNS.read_text(encoding="utf-8"))
    return {name: keyword for keyword, names in groups.items() for name in names}


def _column(text: str) -> str:
    return _known_columns().get(_identifier(text), "")


def _from_value(path: Path, line: int, value: str) -> _Entry:
    _check_value(path, line, value)
    if _UID.fullmatch(value):
        return _Entry(line=line, study=value, patient=_identifier(value))
    return _Entry(line=line, patient=_identifier(value))


def _from_row(path: Path, line: int, row: Mapping[str, str]) -> _Entry:
    row = {keyword: text.strip() for keyword, text in row.items()}
    for keyword in ("PatientID", "AccessionNumber", "StudyInstanceUID"):
        if row.get(keyword):
            _check_value(path, line, row[keyword])
    if row.get("StudyInstanceUID") and not _UID.fullmatch(row["StudyInstanceUID"]):
        raise _wrong(path, line, "has a Study Instance UID that is none")
    name = row.get("PatientName") or f"{row.get('FamilyName', '')} {row.get('GivenName', '')}"
    births = _births(path, line, row.get("PatientBirthDate", ""))
    entry = _Entry(
        line=line,
        patient=_identifier(row.get("PatientID", "")),
        issuer=_identifier(row.get("IssuerOfPatientID", "")),
        name=_words(name) if births else frozenset(),
        births=births,
        accession=_identifier(row.get("AccessionNumber", "")),
        study=row.get("StudyInstanceUID", ""),
    )
    if not (entry.patient or entry.accession or entry.study or entry.name):
        raise _wrong(path, line, "tells no patient: an identifier, or a name with a birth date, is needed")
    return entry


def _births(path: Path, line: int, text: str) -> frozenset[date]:
    days = _days(text)
    if text and not days:
        raise _wrong(path, line, "has a birth date that cannot be read")
    return days


def _check_value(path: Path, line: int, value: str) -> None:
    if _SPREADSHEET_NUMBER.fullmatch(value):
        raise _wrong(path, line, "holds a number that a spreadsheet has shortened (as in 1.2E+10)")
    if len(value) > _LONGEST or not _identifier(value):
        raise _wrong(path, line, f"holds no identifier of at most {_LONGEST} characters")


def _wrong(path: Path, line: int, message: str) -> InputError:
    return InputError(
        f"line {line} {message}",
        file=path,
        attribute="exclusion list",
        advice="Columns are PatientID, IssuerOfPatientID, PatientName, PatientBirthDate, AccessionNumber and "
        "StudyInstanceUID; or one Patient ID a line.",
    )


def _values(attributes: Mapping[str, Any], keyword: str) -> list[str]:
    """The values of an attribute as text, without empty ones."""
    value = attributes.get(keyword)
    many = value if isinstance(value, list | tuple) else [value]
    texts = [part.strip(" \0") for one in many if one is not None for part in str(one).split("\\")]
    return [text for text in texts if text]


def _identifier(text: str) -> str:
    """Letters and digits alone, without case, diacritics and leading zeros; what is nothing but zeros is "0"."""
    folded = "".join(c for c in _folded(text) if c.isalnum())
    return folded.lstrip("0") or folded[:1]


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def _words(name: str) -> frozenset[str]:
    """The words of a name, in any order, in which ü, ue and u are one letter."""
    words = re.split(r"[\W_]+", _folded(name))
    return frozenset(_UMLAUTS.sub("", word) for word in words if word)


def _same_name(one: frozenset[str], other: frozenset[str]) -> bool:
    """Alike, or one has further words (second given names, titles) beside two that agree."""
    fewer, more = sorted((one, other), key=len)
    return one == other or (len(fewer) >= 2 and fewer <= more)


def _days(text: str) -> frozenset[date]:
    """The days that a date can mean: 8/7/1951 is both the 8th of July and the 7th of August."""
    text = text.strip()
    if re.fullmatch(r"\d{8}", text, re.ASCII):
        return _existing((text[:4], text[4:6], text[6:]))
    parts = re.fullmatch(r"(\d{1,4})\s*([-./ ])\s*(\d{1,2})\s*\2\s*(\d{1,4})", text, re.ASCII)
    if not parts:
        return frozenset()
    one, mark, two, three = parts.groups()
    if len(one) == 4:
        return _existing((one, two, three))
    if len(three) != 4:
        return frozenset()
    return _existing((three, two, one)) | (frozenset() if mark == "." else _existing((three, one, two)))


def _existing(parts: tuple[str, str, str]) -> frozenset[date]:
    try:
        return frozenset({date(*map(int, parts))})
    except ValueError:
        return frozenset()
