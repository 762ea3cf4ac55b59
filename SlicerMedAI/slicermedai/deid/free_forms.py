"""Forms of identity in free text, whoever's it is: no header has to name the person.

Dates, telephone numbers, addresses of mail and web, numbers after labels, names after labels and forms of address. A
name that stands alone in a sentence has no form, and is found by none of these.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from slicermedai.deid.dateforms import found_dates
from slicermedai.deid.tokens import fold, fold_with_positions, technical_words

MASK = "XXXX"
Span = tuple[int, int]
_LETTER = r"[^\W\d_]"
_CAPITAL = r"[A-Z\u00C0-\u00DE\u0100-\u017F\u0391-\u03A9\u0410-\u042F]"
_NAME = rf"(?:{_CAPITAL}{_LETTER}*(?:['\u2019-]{_LETTER}+)*)"
_PARTICLES = "van von der den de del di da la le al bin ibn ter zu"
_PARTICLE = rf"(?:(?:{_PARTICLES.replace(' ', '|')})[ ]+){{0,3}}"
_NAMES = rf"((?:{_PARTICLE}{_NAME}\.?)(?:(?:,[ ]?|[ ]+|\^|\.[ ]?){_PARTICLE}{_NAME}){{0,3}})"
_PROPER = (
    rf"((?:{_PARTICLE}{_CAPITAL}(?=['\u2019]?{_LETTER}{{0,40}}[a-z\u00DF-\u00FF]){_LETTER}[\w'\u2019-]*)"
    rf"(?:[ ]+{_PARTICLE}{_NAME}){{0,2}})"
)
_NUMBER = r"([A-Za-z]{0,4}[-/ ]?[0-9][A-Za-z0-9./-]{2,}(?:[ -][0-9]{2,})*)"

_PLAIN = tuple(
    (needed, re.compile(pattern, re.IGNORECASE))
    for needed, pattern in (
        ("@", r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,9}"),
        ("://", r"https?://[^\s\\]+"),
        (".", r"www\.[^\s\\]+"),
        ("+", r"(?<![\w.])\+[0-9][0-9 ()./-]{6,}[0-9]"),
        (10, r"(?<![\w.])(?:\([0-9]{3}\) ?|[0-9]{3}[-. ])[0-9]{3}[-. ][0-9]{4}(?!\w)"),
        (10, r"(?<![\w.-])[0-9]{3}-[0-9]{7}(?![\w-])"),
        (9, r"(?<![\w.-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![\w-])"),
        ("^", rf"(?<!\w){_LETTER}[\w'-]{{1,63}}\^{_LETTER}[\w'-]{{0,63}}(?:\^[\w'.-]{{0,63}}){{0,3}}"),
    )
)
"""(a sign that has to be there, or how many digits; the form)"""
_SHORT = 1024
"""Characters of a text that is remembered."""
_FEWEST = 3
"""Digits of a number after a label."""
_TELEPHONE = (
    r"(?<![^\W_])(?:tel|telephone|telefon|telefono|phone|ph|mobile|mobil|handy|cell|fax|pager|call|contact)"
    r"(?:[ ]?(?:no|nr|number))?[.:#= ]*(\+?[0-9(][0-9() ./-]{3,}[0-9])"
)
_NUMBERED = (
    r"(?<![^\W_])(?:mrn|ssn|nhs|pid|pat(?:ient)?[.']?s?[ ]?(?:id|no|nr|number)|(?:medical[ ])?record[ ]?(?:no|number)|"
    r"hosp(?:ital)?[ .]*(?:no|nr|number)|case[ ]?(?:no|nr|number)|acc(?:ession)?[ .]*(?:no|nr|number)|accession|"
    r"insurance|policy|account|licen[cs]e|passport|id)(?:[ ]?(?:no|nr|number))?[.:#= ]+" + _NUMBER
)
_NATIONAL = (
    r"(?<![^\W_])(?:bsn|ahv|avs|svnr|kvnr|insee|cpr|pesel|personnummer|dni|cpf|ihi|phn|ohip|medicare|"
    r"medicaid|hicn)(?:[ -]?(?:no|nr|number|nummer))?[.:#= ]+"
    r"((?:[A-Za-z]{1,6})?[0-9][0-9A-Za-z]*(?:[ ./-][0-9]+)*)"
)
_FEWEST_OF_A_STATE = 8
"""Digits of a number of a person that a state or its health service gives."""
_BORN = (
    r"(?<![^\W_])(?:dob|d\.o\.b\.?|born|birth[ ]?date|date[ ]of[ ]birth|geb(?:oren)?\.?(?:[ ]?am)?|n[eé]e?[ ]le|"
    r"\*)[:= ]*(?:on[ ])?([0-9]{1,4}[-./ ][0-9]{1,2}[-./ ][0-9]{1,4})"
)
_TITLED = (
    r"(?<![^\W_])(?:Drs?|DR\.|Doctor|Prof(?:essor)?|PROF|Mr|Mrs|Ms|Miss|Herr|Hr|Frau|Fr(?=\.)|Mme|Sra|Dott|Dra)\.?[ ]+"
    rf"(?:med\.[ ]*)?{_NAMES}"
)
_RELATED = (
    r"(?<![^\W_])(?i:mother|father|wife|husband|spouse|son|daughter|brother|sister|guardian|partner|aunt|uncle|"
    r"next[ ]of[ ]kin|(?:referred|requested|asked|reported|read|seen|signed|performed|ordered)[ ]by|"
    r"operator|technologist|radiologist|physician|nurse)[ ,:=]+" + _PROPER
)
_LABELLED = (
    r"(?<![^\W_])(?i:patient(?:['\u2019]s)?(?:[ ]name)?|pat|pt|name|surname|first[ ]name|last[ ]name|nachname|vorname|"
    r"nom|nombre|apellido|mother|father|wife|husband|referring|ref|requested|reported|performed|operator|"
    r"technologist|tech|radiologist|physician|doctor|contact|attn|signed)\.?[ ]?[:=][ ]*" + _NAMES
)
_NUMBERS = tuple(
    (fewest, re.compile(pattern, re.IGNORECASE))
    for fewest, pattern in (
        (_FEWEST, _TELEPHONE),
        (_FEWEST, _NUMBERED),
        (_FEWEST_OF_A_STATE, _NATIONAL),
        (_FEWEST, _BORN),
    )
)
"""(the fewest digits of the number, the form)"""
_PEOPLE = tuple(
    (frozenset(labels.split()), re.compile(pattern))
    for labels, pattern in (
        ("dr drs doctor prof professor mr mrs ms miss herr hr frau fr mme sra dott dra", _TITLED),
        (
            "mother father wife husband spouse son daughter brother sister guardian partner aunt uncle next referred "
            "requested asked reported read seen signed performed ordered operator technologist radiologist physician "
            "nurse",
            _RELATED,
        ),
        (
            "patient pat pt name surname first last nachname vorname nom nombre apellido mother father wife husband "
            "referring ref requested reported performed operator technologist tech radiologist physician doctor "
            "contact attn signed",
            _LABELLED,
        ),
    )
)
"""(words of which one has to be there, the first ones of all labels; the form)"""
_ON_DAY = re.compile(
    r"(?<![^\W_])(?:(?:on|dated|since|from|until)[ ]+([0-9]{1,2}/[0-9]{1,2}/[0-9]{2})|"
    r"(?:am|vom|seit|bis|zum|du|le|depuis|del|dal|el|van|op|od|dnia)[ ]+([0-9]{1,2}([./-])[0-9]{1,2}\3[0-9]{2}))"
    r"(?![\w./-]*[0-9])",
    re.IGNORECASE,
)
"""Days with years of two digits, where a word before them says that they are days."""
_RUNS = re.compile(r"[^\W_]+")
_RUN = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?![0-9])")
_MARKED = re.compile(r"[-./\u5e74\ub144]|[^\W\d_]")
_WORD = re.compile(_LETTER + r"+(?:['\u2019-]" + _LETTER + "+)*")


def mask_forms(text: str, *, dates: bool = True) -> str:
    """``text`` with every such form masked; identical where there is none.

    Parameters
    ----------
    dates:
        Whether dates are masked too. Birth dates always are where a label says so.
    """
    find = _remembered if len(text) <= _SHORT else _masked
    return find(text, dates=dates)


def _masked(text: str, *, dates: bool) -> str:
    spans = sorted({*_of_numbers(text), *_of_people(text), *(_of_dates(text) if dates else ())})
    pieces, last = [], 0
    for start, end in spans:
        if end <= last:
            continue
        pieces += [text[last : max(start, last)], MASK if start >= last else ""]
        last = end
    return "".join([*pieces, text[last:]]) if spans else text


_remembered = functools.lru_cache(maxsize=4096)(_masked)
"""Files of one series repeat their texts."""


def _of_numbers(text: str) -> Iterator[Span]:
    """What has the signs or the digits that such a form needs; most text has not."""
    digits = sum(map(str.isdigit, text))
    for needed, pattern in _PLAIN:
        if digits >= needed if isinstance(needed, int) else needed in text:
            yield from (match.span() for match in pattern.finditer(text))
    for fewest, pattern in _NUMBERS:
        for match in pattern.finditer(text) if digits >= fewest else ():
            if sum(map(str.isdigit, match[1])) >= fewest:
                yield match.span(1)


def _of_people(text: str) -> Iterator[Span]:
    """The words up to the first one that is common and no surname, such as a part of the body."""
    words = set(_RUNS.findall(text.casefold()))
    for labels, pattern in _PEOPLE:
        position = len(text) + 1 if words.isdisjoint(labels) else 0
        while match := pattern.search(text, position):
            start, size = match.start(1), _size_of_name(match[1])
            position = start + size  # what is no name may be the title of the next one
            if size:
                yield start, start + size


def _size_of_name(text: str) -> int:
    size = 0
    for word in _WORD.finditer(text):
        if word[0] in _PARTICLES.split():
            continue
        if fold(word[0]) in technical_words() or word[0] == MASK:
            break
        size = word.end()
    return size


def _of_dates(text: str) -> Iterator[Span]:
    """Days of the years 1900 to 2099, and by the Buddhist calendar, whose parts are written with marks between them or
    as eight digits."""
    if not any(map(str.isdigit, text)):
        return
    yield from (match.span() for match in _RUN.finditer(text))
    yield from _of_short_years(text)
    folded, places = (text.lower(), None) if text.isascii() else fold_with_positions(text)
    for start, end, days in found_dates(folded):
        if _MARKED.search(folded, start, end) and any(_is_day(day) for day in days):
            last = end if places is None else places[end] if end < len(places) else len(text)
            yield (start if places is None else places[start]), last


def _of_short_years(text: str) -> Iterator[Span]:
    for match in _ON_DAY.finditer(text):
        group = 1 if match[1] else 2
        one, two, _ = map(int, re.findall("[0-9]+", match[group]))
        if 1 <= min(one, two) <= 12 and 1 <= max(one, two) <= 31:
            yield match.span(group)


def _is_day(day: tuple[int, int, int]) -> bool:
    return (1900 <= day[0] < 2100 or 2443 <= day[0] < 2643) and 1 <= day[1] <= 12 and 1 <= day[2] <= 31
