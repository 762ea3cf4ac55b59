"""Dates, times and ages in text, shifted by whole days or cut down to the year. Pure functions from text to text.

All of them return None for what is no valid value of its VR (PS3.5 6.2), so that the caller empties the element:
text that cannot be read as a date is never passed on. An empty value stays empty.

Limits, chosen so that a shift gives nothing away:

- Dates lie in the years 1800 to 2199, before and after the shift; anything else is a placeholder or a mistake.
- :data:`PLACEHOLDERS` (1900-01-01 and the like) are not shifted but refused, since whoever knows the placeholder
  could read the shift from the result.
- Nothing here asks for today's date. Shifts of a project are negative, so that no date moves towards the future.

Dates of year or month precision are shifted from the middle of that year or month and cut again: they may be one
year or month off, and a shift there and back need not return to them. Full dates keep every interval.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from enum import Enum
from functools import lru_cache

FIRST_YEAR, LAST_YEAR = 1800, 2199
OLDEST_AGE = 89
"""Years. Higher ages are given as 90 (45 CFR 164.514(b)(2)(i)(C): "a single category of age 90 or older")."""
PLACEHOLDERS = frozenset(
    date(*parts)
    for parts in (
        (1800, 1, 1),
        (1858, 11, 17),
        (1899, 12, 30),
        (1899, 12, 31),
        (1900, 1, 1),
        (1901, 1, 1),
        (1970, 1, 1),
    )
)
"""Dates that systems write for "unknown": lowest year, epochs of VMS, of spreadsheets, of Windows and of Unix."""

_LENGTHS = {4: "year", 6: "month", 8: "day"}
_DA = r"\d{8}|\d{4}\.\d{2}\.\d{2}|\d{6}|\d{4}"
_DT = r"\d{4}(?:\d{2}){0,5}(?:(?<=\d{14})\.\d{1,6})?"
_OFFSET = r"[+-](?:0\d|1[0-4])[0-5]\d"
_TM = re.compile(r"(?:[01]\d|2[0-3])(?:(?::?)[0-5]\d(?:(?::?)(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?", re.ASCII)
_DA_VALUE = re.compile(rf"(?P<date>{_DA})", re.ASCII)
_DT_VALUE = re.compile(rf"(?P<stamp>{_DT})(?P<offset>{_OFFSET})?", re.ASCII)
_DA_RANGE = re.compile(rf"(?P<first>{_DA})?\s*-\s*(?P<last>{_DA})?", re.ASCII)
_DT_RANGE = re.compile(rf"(?P<first>{_DT}(?:{_OFFSET})?)?\s*-\s*(?P<last>{_DT}(?:{_OFFSET})?)?", re.ASCII)
_TM_RANGE = re.compile(rf"(?P<first>{_TM.pattern})?\s*-\s*(?P<last>{_TM.pattern})?", re.ASCII)
_AGE = re.compile(r"(?P<number>\d{1,3})(?P<unit>[DWMY])", re.ASCII)

_Change = Callable[[str], str | None]


class DateRule(str, Enum):
    """What becomes of dates and times (VR DA, DT and TM) that the profile does not remove whole.

    The engine's hook: where the table's action for an option is K or C and the VR is DA, DT or TM, it writes
    ``rule.apply(vr, text, days)``; None means that the element is emptied, or gets a dummy where it may not be empty.
    """

    REMOVE = "remove"
    SHIFT = "shift"
    YEAR_ONLY = "year-only"
    KEEP = "keep"

    @property
    def option(self) -> str | None:
        """Code of the option of PS3.15 Table E.1-1 that it carries out; None for the Basic profile's own way."""
        return {"shift": "113107", "year-only": "113107", "keep": "113106"}.get(self.value)

    @property
    def modified(self) -> str:
        """Value of Longitudinal Temporal Information Modified (0028,0303), PS3.3 C.12.1.1."""
        return {"remove": "REMOVED", "keep": "UNMODIFIED"}.get(self.value, "MODIFIED")

    def apply(self, vr: str, text: str, days: int) -> str | None:
        """A value of VR DA, DT or TM under this rule; ``days`` is the patient's shift."""
        if self is DateRule.REMOVE:
            return None
        if self is DateRule.KEEP:
            return text
        return shift(vr, text, days) if self is DateRule.SHIFT else year_only(vr, text)


class AgeRule(str, Enum):
    """What becomes of ages (VR AS, at any depth, and numbers of years in reports) that the profile keeps."""

    AS_IT_IS = "as-it-is"
    CAP = "cap-at-90"

    def apply(self, text: str) -> str | None:
        """An AS value under this rule; None where it is no age."""
        return cap_age(text) if self is AgeRule.CAP else text

    def apply_years(self, years: float) -> float:
        """An age in years (UCUM "a") under this rule, as in a numeric content item (121033 DCM Subject Age)."""
        return 90.0 if self is AgeRule.CAP and years > OLDEST_AGE else years


def shift_da(text: str, days: int) -> str | None:
    """A DA value moved by ``days``: single, several (backslash), or a range; YYYY, YYYYMM and YYYY.MM.DD as well."""
    return _each(text, lambda value: _ranged(value, _DA_RANGE, lambda one: _shift_date(one, days)))


def shift_dt(text: str, days: int) -> str | None:
    """A DT value moved by ``days``; precision, time of day, fraction and UTC offset stay as they are.

    A hyphen and four digits at the end is an offset where it can be one (-1459 to +1459), and else a range.
    """
    return _each(text, lambda value: _ranged(value, _DT_RANGE, lambda one: _shift_stamp(one, days)))


def shift_tm(text: str, days: int) -> str | None:
    """A TM value as it is, since ``days`` are whole days: None where it is no time of day (also HH:MM:SS, ranges)."""
    del days
    return _each(text, lambda value: _ranged(value, _TM_RANGE, lambda one: one if _TM.fullmatch(one) else None))


def year_of_da(text: str) -> str | None:
    """A DA value with nothing but its year: YYYY0101, since DA has no shorter form (PS3.5 6.2)."""
    return _each(text, lambda value: _ranged(value, _DA_RANGE, lambda one: _year(_DA_VALUE, one, "0101")))


def year_of_dt(text: str) -> str | None:
    """A DT value with nothing but its year: YYYY, without UTC offset."""
    return _each(text, lambda value: _ranged(value, _DT_RANGE, lambda one: _year(_DT_VALUE, one, "")))


def cap_age(text: str) -> str | None:
    """An AS value; ages over 89 years become "090Y". None where it is no age."""
    return _each(text, _cap_one)


def shift(vr: str, text: str, days: int) -> str | None:
    """A value of VR DA, DT or TM moved by ``days`` (whole days, negative ones into the past)."""
    return {"DA": shift_da, "DT": shift_dt, "TM": shift_tm}[vr](text, days)


def year_only(vr: str, text: str) -> str | None:
    """A value of VR DA or DT with nothing but its year; None for TM: a time of day is more specific than a year."""
    return {"DA": year_of_da, "DT": year_of_dt}.get(vr, lambda _: None)(text)


def as_date(text: str) -> date | None:
    """The day that a single DA (or the beginning of a DT) names; None where it names none, or a placeholder."""
    digits = text.strip().replace(".", "")[:8]
    day = _day_of(digits) if len(digits) == 8 and digits.isascii() and digits.isdigit() else None
    return None if day in PLACEHOLDERS else day


def _each(text: str, change: _Change) -> str | None:
    """Every one of several values. Of those that are invalid an empty one is left; None where none is valid."""
    values = [value.strip(" \0") for value in text.split("\\")]
    changed = [change(value) if value else "" for value in values]
    if any(values) and not any(changed):
        return None
    return "\\".join(value or "" for value in changed)


def _ranged(value: str, pattern: re.Pattern[str], change: _Change) -> str | None:
    """A single value, or both ends of a range (PS3.4 C.2.2.2.5); an invalid end makes the range invalid."""
    single = change(value)
    match = None if single is not None else pattern.fullmatch(value)
    if match is None or not (match["first"] or match["last"]):
        return single
    first, last = (change(end) if end else "" for end in (match["first"], match["last"]))
    return None if first is None or last is None else f"{first}-{last}"


def _shift_stamp(value: str, days: int) -> str | None:
    match = _DT_VALUE.fullmatch(value)
    if not match or not _TM.fullmatch(match["stamp"][8:] or "00"):
        return None
    moved = _shift_date(match["stamp"][:8], days)
    return None if moved is None else f"{moved}{match['stamp'][8:]}{match['offset'] or ''}"


@lru_cache(maxsize=4096)
def _shift_date(value: str, days: int) -> str | None:
    """YYYY, YYYYMM, YYYYMMDD or YYYY.MM.DD moved, in the same form."""
    if not _DA_VALUE.fullmatch(value):
        return None
    digits = value.replace(".", "")
    day = _day_of(digits)
    moved = None if day is None or day in PLACEHOLDERS else _moved(day, days)
    if moved is None:
        return None
    text = f"{moved:%Y%m%d}"
    return f"{text[:4]}.{text[4:6]}.{text[6:]}" if "." in value else text[: len(digits)]


def _day_of(digits: str) -> date | None:
    """The day, or the middle of the year or month; None where the calendar has no such day."""
    middle = digits + {"year": "0701", "month": "15", "day": ""}[_LENGTHS[len(digits)]]
    try:
        day = date(int(middle[:4]), int(middle[4:6]), int(middle[6:8]))
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def _moved(day: date, days: int) -> date | None:
    try:
        moved = date.fromordinal(day.toordinal() + days)
    except (ValueError, OverflowError):
        return None
    return moved if FIRST_YEAR <= moved.year <= LAST_YEAR else None


def _year(pattern: re.Pattern[str], value: str, rest: str) -> str | None:
    match = pattern.fullmatch(value)
    if not match:
        return None
    day = _day_of(match[1].replace(".", "")[:8])
    return None if day is None or day in PLACEHOLDERS else f"{day.year:04d}{rest}"


def _cap_one(value: str) -> str | None:
    match = _AGE.fullmatch(value)
    if not match:
        return None
    over = match["unit"] == "Y" and int(match["number"]) > OLDEST_AGE
    return "090Y" if over else f"{int(match['number']):03d}{match['unit']}"
