"""Which finding is which earlier one, as a table (CSV) that a person may change and give back."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from slicermedai.domain.tracking import Link
from slicermedai.errors import InputError, UnreadableFileError

FILE_NAME = "tracking.csv"
COLUMNS = ("finding", "earlier", "name", "how")
_ASKED = COLUMNS[:2]
_MOST = 1 << 20
"""Bytes of a table that is read."""


def write_table(links: Iterable[Link], path: Path) -> Path:
    """Write one row for each of ``links``."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(one, column) for column in COLUMNS] for one in links)
    return path


def read_table(path: Path) -> dict[str, str]:
    """What the columns ``finding`` and ``earlier`` of a table pair, in its order; further columns are passed over.

    Rows without a finding, which tell what was found in the earlier result alone, are passed over too.

    Raises
    ------
    UnreadableFileError
        No table, or without these columns, or a finding stands in it twice.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            text = stream.read(_MOST + 1)
        pairs = list(_pairs(csv.reader(text.splitlines(), delimiter=_delimiter(text), strict=True)))
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise UnreadableFileError(
            "cannot be read as a table with the columns finding and earlier",
            file=path,
            advice="Save it as CSV in UTF-8, as the file that an export with an earlier result wrote.",
        ) from error
    if len(text) > _MOST or len(dict(pairs)) < len(pairs):
        raise UnreadableFileError("is too long, or names one finding twice", file=path, attribute="finding")
    return dict(pairs)


def pairs_of(matches: str, *, earlier: str, named: str) -> dict[str, str]:
    """The pairs of the table ``matches`` of a job, {} where it names none; ``earlier`` is the result it is about.

    ``named`` is the job's own name for that result.

    Raises
    ------
    InputError
        A table without an earlier result.
    UnreadableFileError
        As :func:`read_table`.
    """
    if matches and not earlier:
        raise InputError(
            "a table of matches needs the earlier result that it is about",
            attribute="matches",
            advice=f"Name that result's folder as `{named}`.",
        )
    return read_table(Path(matches)) if matches else {}


def _pairs(rows: Iterator[list[str]]) -> Iterator[tuple[str, str]]:
    head = [cell.strip().casefold() for cell in next(rows, [])]
    places = [head.index(name) for name in _ASKED]
    for row in rows:
        one, other = (row[place].strip() if place < len(row) else "" for place in places)
        if one:
            yield one, other


def _delimiter(text: str) -> str:
    """Spreadsheets write semicolons where a comma is the decimal sign."""
    head = text.partition("\n")[0]
    return ";" if head.count(";") > head.count(",") else ","
