"""Dates as people write them in text: found by form, so that one expression serves every date of every patient."""

from __future__ import annotations

import re
from collections.abc import Iterator

Day = tuple[int, int, int]
"""(year, month, day); a year below 100 was written with two digits."""

_MONTH_NAMES = (
    "january jan januar janvier janv enero ene gennaio gen janeiro januari",
    "february feb februar fevrier fevr febrero febbraio fevereiro fev februari",
    "march mar marz maerz mars marzo marco maart mrz mrt",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag maio mei",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug julho",
    "august aug aout agosto ago augustus",
    "september sep sept septembre septiembre settembre set setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez decembre diciembre dic dicembre dezembro",
)
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names.split()}
_NAME = "|".join(sorted(_MONTHS, key=lambda name: (-len(name), name)))
_YEAR = r"((?:18|19|20|21)[0-9]{2}|'?[0-9]{2})(?![0-9])"
_NTH = r"(?:st|nd|rd|th|er|\.|º|o)?"
_OF = r"[ \-_/.]{0,2}(?:of |de |del |di )?"
_GAP = r"[ \-_/.,]{0,2}(?:of |de |del |di )?"
_FORMS = (
    (re.compile(r"(?<![0-9])([0-9]{4})[-./ _:\\](0?[1-9]|1[0-2])[-./ _:\\](0?[1-9]|[12][0-9]|3[01])(?![0-9])"), "ymd"),
    (re.compile(r"(?<![0-9])([0-9]{4})年 ?([0-9]{1,2})月 ?([0-9]{1,2})日?"), "ymd"),
    (re.compile(r"(?<![0-9])([0-9]{4})년 ?([0-9]{1,2})월 ?([0-9]{1,2})일?"), "ymd"),
    (re.compile(rf"(?<![0-9])([0-9]{{1,2}})[-./ _] ?([0-9]{{1,2}})[-./ _] ?{_YEAR}"), "dmy mdy"),
    (re.compile(r"(?<![0-9])([0-9]{2})[-./]([0-9]{2})[-./]([0-9]{2})(?![0-9])"), "ymd"),
    (re.compile(rf"(?<![0-9])([0-9]{{1,2}}){_NTH}{_OF}({_NAME})(?![a-z]){_GAP}{_YEAR}"), "dny"),
    (re.compile(rf"(?<![a-z])({_NAME})(?![a-z])[ \-_/.]{{0,2}}([0-9]{{1,2}}){_NTH}{_GAP}{_YEAR}"), "ndy"),
    (
        re.compile(rf"(?<![0-9])([0-9]{{4}})[ \-_/.]{{0,2}}({_NAME})(?![a-z])[ \-_/.]{{0,2}}([0-9]{{1,2}})(?![0-9])"),
        "ynd",
    ),
)


def found_dates(text: str) -> Iterator[tuple[int, int, frozenset[Day]]]:
    """(start, end, what days it may mean) of everything in folded ``text`` that looks like a date, or may be one."""
    for pattern, orders in _FORMS:
        position = 0
        while match := pattern.search(text, position):
            position = match.start() + 1
            yield match.start(), match.end(), frozenset(_day(match, order) for order in orders.split())


def is_one_of(days: frozenset[Day], known: frozenset[Day], known_short: frozenset[Day]) -> bool:
    """True where one of ``days`` is known; ``known_short`` are those with years of two digits."""
    return any(day in (known_short if day[0] < 100 else known) for day in days)


def shortened(known: frozenset[Day]) -> frozenset[Day]:
    """The same days with years of two digits."""
    return frozenset((year % 100, month, day) for year, month, day in known)


def _day(match: re.Match[str], order: str) -> Day:
    parts = dict(zip(order, match.groups(), strict=True))
    month = _MONTHS[parts["n"]] if "n" in parts else int(parts["m"])
    return int(parts["y"].strip("'")), month, int(parts["d"])
