"""Dates as people write them in text: found by form, so that one expression serves every date of every patient."""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from slicermedai.deid.tokens import fold

Day = tuple[int, int, int]
"""(year, month, day); a year below 100 was written with two digits."""

_MONTH_NAMES = (  # English, German, French, Spanish, Italian, Portuguese and Dutch
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
_MORE_NAMES = (  # Polish, Czech, Scandinavian, Finnish, Hungarian, Romanian, Turkish, Russian, Ukrainian, Greek
    "stycznia leden ledna tammikuuta ianuarie ocak января январь янв січня ιανουαριου januar",
    "lutego unor unora helmikuuta februarie subat февраля февраль фев лютого φεβρουαριου",
    "marca brezen brezna mars maaliskuuta marcius martie mart марта март березня μαρτιου",
    "kwietnia duben dubna huhtikuuta aprilis aprilie nisan апреля апрель апр квітня απριλιου",
    "maja kveten kvetna maj toukokuuta majus mayis мая май травня μαιου",
    "czerwca cerven cervna kesakuuta junius iunie haziran июня июнь июн червня ιουνιου",
    "lipca cervenec cervence heinakuuta julius iulie temmuz июля июль июл липня ιουλιου",
    "sierpnia srpen srpna augusti elokuuta augusztus agustos августа август авг серпня αυγουστου",
    "wrzesnia zari syyskuuta szeptember septembrie eylul сентября сентябрь сен вересня σεπτεμβριου",
    "pazdziernika rijen rijna lokakuuta oktober octombrie ekim октября октябрь окт жовтня οκτωβριου",
    "listopada listopad listopadu marraskuuta noiembrie kasim ноября ноябрь ноя листопада νοεμβριου",
    "grudnia prosinec prosince joulukuuta decembrie aralik desember декабря декабрь дек грудня δεκεμβριου",
)
_THAI_NAMES = (
    *("มกราคม มกรา ม.ค.", "กุมภาพันธ์ กุมภา ก.พ.", "มีนาคม มีนา มี.ค.", "เมษายน เมษา เม.ย.", "พฤษภาคม พฤษภา พ.ค."),
    *("มิถุนายน มิถุนา มิ.ย.", "กรกฎาคม กรกฎา ก.ค.", "สิงหาคม สิงหา ส.ค.", "กันยายน กันยา ก.ย.", "ตุลาคม ตุลา ต.ค."),
    *("พฤศจิกายน พฤศจิกา พ.ย.", "ธันวาคม ธันวา ธ.ค."),
)
_TENS, _UNITS = ("", "x", "xx", "xxx"), ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")
_ROMAN_NUMBERS = {tens + units: 10 * n + m for n, tens in enumerate(_TENS) for m, units in enumerate(_UNITS) if n or m}
_ROMANS = {name: number for name, number in _ROMAN_NUMBERS.items() if number <= 12}
_MONTHS = {
    fold(name): number
    for names in (_MONTH_NAMES, _MORE_NAMES, _THAI_NAMES)
    for number, said in enumerate(names, 1)
    for name in said.split()
} | _ROMANS
_NAME = "|".join(
    re.escape(name) for name in sorted(_MONTHS.keys() - _ROMANS.keys(), key=lambda name: (-len(name), name))
)
_ROMAN = "|".join(sorted(_ROMANS, key=len, reverse=True))
_ROMAN_DAY = "|".join(sorted(_ROMAN_NUMBERS, key=len, reverse=True))
_END = r"(?![^\W\d_])"
_YEAR = r"((?:18|19|20|21|24|25)[0-9]{2}|'?[0-9]{2})(?![0-9])"
BUDDHA = 543
"""Years more than by the Gregorian calendar, in Thailand."""
_NTH = r"(?:st|nd|rd|th|er|\.|º|o)?"
_OF = r"[ \-_/.]{0,2}(?:of |de |del |di )?"
_GAP = r"[ \-_/.,]{0,2}(?:of |de |del |di |พ\.?ศ\.? ?|b\.?e\.? ?)?"
_FORMS = (
    (re.compile(r"(?<![0-9])([0-9]{4})[-./ _:\\](0?[1-9]|1[0-2])[-./ _:\\](0?[1-9]|[12][0-9]|3[01])(?![0-9])"), "ymd"),
    (re.compile(r"(?<![0-9])([0-9]{4})年 ?([0-9]{1,2})月 ?([0-9]{1,2})日?"), "ymd"),
    (re.compile(r"(?<![0-9])([0-9]{4})년 ?([0-9]{1,2})월 ?([0-9]{1,2})일?"), "ymd"),
    (re.compile(rf"(?<![0-9])([0-9]{{1,2}})[-./ _] ?([0-9]{{1,2}})[-./ _] ?{_YEAR}"), "dmy mdy"),
    (re.compile(r"(?<![0-9])([0-9]{2})[-./]([0-9]{2})[-./]([0-9]{2})(?![0-9])"), "ymd"),
    (re.compile(rf"(?<![0-9])([0-9]{{1,2}}){_NTH}{_OF}({_NAME}){_END}{_GAP}{_YEAR}"), "dny"),
    (re.compile(rf"(?<![^\W\d_])({_NAME}){_END}[ \-_/.]{{0,2}}([0-9]{{1,2}}){_NTH}{_GAP}{_YEAR}"), "ndy"),
    (re.compile(rf"(?<![^\W_])([0-9]{{1,2}})\.?[-./ ] ?({_ROMAN})\.?[-./ ] ?([0-9]{{4}})(?![0-9])"), "dny"),
    (re.compile(rf"(?<![^\W_])([0-9]{{1,2}})[-./]({_ROMAN})[-./]'?([0-9]{{2}})(?![0-9])"), "dny"),
    (re.compile(rf"(?<![^\W_])({_ROMAN_DAY})\.?[-./ ] ?({_ROMAN})\.?[-./ ] ?([0-9]{{4}})(?![0-9])"), "rny"),
    (re.compile(r"(?<![0-9])([0-9]{4})[-./]([0-3][0-9]{2})(?![0-9])"), "yc"),
    (
        re.compile(rf"(?<![0-9])([0-9]{{4}})[ \-_/.]{{0,2}}({_NAME}){_END}[ \-_/.]{{0,2}}([0-9]{{1,2}})(?![0-9])"),
        "ynd",
    ),
)
_ERAS = {"昭和": 1925, "平成": 1988, "令和": 2018, "大正": 1911, "明治": 1867, "民国": 1911}
_ERA_LETTERS = {"昭": 1925, "平": 1988, "令": 2018, "大": 1911, "明": 1867}
_ERA_LETTERS |= {"m": 1867, "t": 1911, "s": 1925, "h": 1988, "r": 2018}
"""The year before the first one of emperors, and of the Republic of China, in folded text; their letters."""
_OF_ERAS = re.compile(
    rf"({'|'.join(_ERAS)}) ?([0-9]{{1,3}}|元)[年./-] ?([0-9]{{1,2}})[月./-] ?([0-9]{{1,2}})(?![0-9])日?"
)
_OF_LETTERS = re.compile(
    rf"((?<![^\W_])[mtshr]|[{''.join(era for era in _ERA_LETTERS if not era.isascii())}])\.?"
    r"([0-9]{1,2}|元)[年./-] ?([0-9]{1,2})[月./-] ?([0-9]{1,2})(?![0-9])日?"
)
_AFTER_A_NAME = re.compile(rf"[^\W\d_][ \-_/.]{{0,2}}[0-9]{{1,2}}{_NTH}{_GAP}{_YEAR}")
"""What stands in every date that begins with a month's name: names take long to look for."""
_COMPACT = re.compile(r"(?<![0-9.])([0-9]{2})([0-9]{2})([0-9]{2})(?!\.?[0-9])")


def found_dates(text: str) -> Iterator[tuple[int, int, frozenset[Day]]]:
    """(start, end, what days it may mean) of everything in folded ``text`` that looks like a date, or may be one."""
    for pattern, orders in _FORMS:
        position = 0 if orders != "ndy" or _AFTER_A_NAME.search(text) else len(text)
        while match := pattern.search(text, position):
            position = match.start() + 1
            yield match.start(), match.end(), frozenset(_day(match, order) for order in orders.split())
    for match in _OF_ERAS.finditer(text):
        yield match.start(), match.end(), frozenset({_day_of_era(match)})


def compact_dates(text: str) -> Iterator[tuple[int, int, frozenset[Day]]]:
    """The same of every run of six digits (YYMMDD, DDMMYY, MMDDYY), and of years of an era with its letter (S26.4.12):
    they may be any number, and count only if known."""
    for match in _OF_LETTERS.finditer(text):
        yield match.start(), match.end(), frozenset({_day_of_era(match)})
    for match in _COMPACT.finditer(text):
        one, two, three = map(int, match.groups())
        days = ((one, two, three), (three, two, one), (three, one, two))
        yield match.start(), match.end(), frozenset(day for day in days if 1 <= day[1] <= 12 and 1 <= day[2] <= 31)


def is_one_of(days: frozenset[Day], known: frozenset[Day], known_short: frozenset[Day]) -> bool:
    """True where one of ``days`` is known; ``known_short`` are those with years of two digits."""
    return any(_gregorian(day) in (known_short if day[0] < 100 else known) for day in days)


def shortened(known: frozenset[Day]) -> frozenset[Day]:
    """The same days with years of two digits, as in Thailand too."""
    return frozenset((year % 100, month, day) for y, month, day in known for year in (y, y + BUDDHA))


def years_of(known: Iterable[Day]) -> frozenset[str]:
    """The last two digits with which :func:`found_dates` may write the years of days in ASCII, as in Thailand too."""
    return frozenset(f"{one % 100:02d}" for year, _, _ in known for one in (year, year + BUDDHA))


def _gregorian(day: Day) -> Day:
    return (day[0] - BUDDHA, *day[1:]) if 2400 <= day[0] < 2700 else day


def _day_of_era(match: re.Match[str]) -> Day:
    year = 1 if match[2] == "元" else int(match[2])
    return (_ERAS | _ERA_LETTERS)[match[1]] + year, int(match[3]), int(match[4])


def _day(match: re.Match[str], order: str) -> Day:
    parts = dict(zip(order, match.groups(), strict=True))
    if "c" in parts:
        return _counted(int(parts["y"]), int(parts["c"]))
    month = _MONTHS[parts["n"]] if "n" in parts else int(parts["m"])
    return int(parts["y"].strip("'")), month, _ROMAN_NUMBERS[parts["r"]] if "r" in parts else int(parts["d"])


def _counted(year: int, count: int) -> Day:
    """The day of that number in its year (ISO 8601), month 0 where the year has none."""
    last = 366 if isleap(year) else 365
    day = date(max(year, 1), 1, 1) + timedelta(days=max(count, 1) - 1)
    return (year, day.month, day.day) if 0 < count <= last else (year, 0, 0)
