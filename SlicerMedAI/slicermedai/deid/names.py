"""What is searched for because of a name, a number, a place, a date or a UID: the ways in which people write them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from datetime import date

from slicermedai.deid.clinical import stands_in_a_word
from slicermedai.deid.dateforms import BUDDHA
from slicermedai.deid.streets import abbreviated, postal_codes
from slicermedai.deid.tokens import Kind, Token, common_words, everyday_names, service_words, technical_words
from slicermedai.deid.transliteration import is_other_script, spellings, stems

_MARKED = r"\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u109f\u1780-\u17ff"
"""Vowels and marks that stand over and under letters, as in Thai: they part no words."""
_CHARACTER = rf"(?:[^\W_]|[{_MARKED}])"
WORD = re.compile(rf"{_CHARACTER}+")
_HYPHENATED = re.compile(rf"{_CHARACTER}+(?:-{_CHARACTER}+)*")
_PARTED = re.compile(r"[\s^=,;_]+")
_UNDECODED = re.compile(r"[\ud800-\udfff]")
_DIGITS = re.compile(r"[0-9]{5,}")
_MARKS = ("^", " ", ", ", ",", "_", "-", ".", "")
_ADDRESSES = (
    *("mr. ", "mrs ", "mrs. ", "ms. ", "miss ", "dr ", "dr. ", "prof. ", "herr ", "frau ", "mme ", "sra. ", "sr. "),
    *("pat. ", "pat.: ", "pat: ", "pt: ", "patient: ", "patient name: ", "patient's name: ", "patient=", "name: "),
    *("name=", "name:", "nachname: ", "surname: ", "last name: ", "first name: ", "family name: ", "given name: "),
)
_BEFORE_SURNAMES = ("mr ", "ms ", "hr ", "hr. ", "pt ", "pt. ", "patient ", "paciente ", "paziente ")
_TITLES = ("先生", "女士", "小姐", "太太", "夫人", "医生", "醫生", "教授", "さん", "様", "さま", "氏", "씨", "님")
_IDEOGRAPHS = re.compile(r"[\u3400-\u9fff\uac00-\ud7af]")
_NAME_ALONE = re.compile(r"[^\W\d_][^\W\d_.'\u2019-]*(?:[.'\u2019-][^\W\d_]*)*")
_LEAST_LEFT = 3
_LEAST_BARE, _LEAST_PADDED, _MOST_PADDED = 4, 5, 10
"""Digits of a number that systems fill up with zeros, or take them from."""
_DUMMY_DATE = "19000101"
_MOST_WORDS, _MOST_NAMES = 8, 4
_PARTICLES = frozenset({"van", "von", "der", "den", "de", "del", "di", "la", "le", "zu", "ter", "dos", "da"})
_LEAST_JOINED, _LEAST_TURNED = 4, 6


def name_tokens(value: str) -> set[Token]:
    """Parts of a person name (PN, or free form) and the ways in which two parts are written together."""
    return set(_name_tokens(value))


@functools.lru_cache(maxsize=1024)
def _name_tokens(value: str) -> frozenset[Token]:
    found: set[str] = set()
    for group in value.split("="):
        components = [c.strip().lower() for c in group.split("^")[:3]]
        words = _words(" ".join(components))
        found.update(words)
        parts = [part for part in components if part]
        if len(parts) == 1:
            found.update(*(_together(*pair) for pair in _without_caret(parts[0])))
        if len(parts) >= 2:
            found.update(_together(parts[0], parts[1]))
            found.update(_phrases(parts[0], " ".join(parts[1:])))
        elif parts and len(parts[0]) >= 6:
            found.add(parts[0])
        found.update(form for word in words for form in (*_addressed(word), *_garbled(word)))
        found.update(f"{family}{title}" for family in _ideographic(components[0]) for title in _TITLES)
        found.update(_joined(components))
    found.update(
        form for text in tuple(found) if text.isalnum() or not is_other_script(text) for form in spellings(text)
    )
    found |= {stem for text in found if text.isalpha() for stem in stems(text)}
    found |= {form[::-1] for word in _words(value.lower()) for form in spellings(word) if _is_turnable(form)}
    return frozenset(Token(text, Kind.NAME) for text in found)


def identifier_tokens(value: str, kind: Kind = Kind.IDENTIFIER) -> set[Token]:
    """An identifier or telephone number: whole, without separators, its words, and its longer runs of digits."""
    text = value.strip().lower()
    words = WORD.findall(text)
    found = {text, "".join(words), *words, *(_HYPHENATED.findall(text) if "-" in text else ())}
    found.update(_DIGITS.findall(text))
    if any(c.isdigit() for c in text):
        digits = re.sub(r"[^0-9]", "", text)
        bare = digits.lstrip("0")  # of a telephone number with its country's prefix in place of zeros too
        found.update({digits, bare} if len(bare) >= _LEAST_BARE else {digits})
        if text.isdigit() and len(bare) >= _LEAST_PADDED:
            found.update(bare.zfill(size) for size in range(len(bare) + 1, _MOST_PADDED + 1))
    return {Token(piece, kind) for piece in found}


def place_tokens(value: str) -> set[Token]:
    """An institution or address: whole, line by line, its words of four letters or more, streets as they are shortened
    and in their cases, and postal codes."""
    text = value.strip().lower()
    lines = {line.strip() for line in re.split(r"[\r\n,;]+", text) if len(line.strip()) >= 6}
    words = {word for word in _words(text) if len(word) >= 4}
    words |= {stem for word in words for stem in stems(word)} | abbreviated(words) | postal_codes(text)
    named = {Token(line, Kind.SURNAME) for line in lines | {text} if _is_named_service(line)}
    return named | {Token(form, Kind.PLACE) for line in lines | {text} | words for form in spellings(line)}


def _is_named_service(line: str) -> bool:
    """True for a department that has the name of a street, a month or the like ("May Dialysis", "Lane Trauma Center"):
    it is one hospital's where it is written as a name."""
    words = line.split()
    wanted = line.isascii() and 1 < len(words) <= _MOST_NAMES and all(map(str.isalpha, words))
    return wanted and not service_words().isdisjoint(words) and not everyday_names().isdisjoint(words)


def date_tokens(value: str) -> set[Token]:
    """A DA or DT value as runs of digits, in years of the Buddha too (Thailand counts 543 more); other forms of the day
    are found by :mod:`slicermedai.deid.dateforms`."""
    digits = re.sub(r"[^0-9]", "", value)[:8]
    try:
        year = int(digits[:4]) - (BUDDHA if "2400" <= digits[:4] < "2700" else 0)
        day = date(year, int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return set()
    if digits == _DUMMY_DATE or not 1800 <= day.year < 2200:
        return set()
    m, d = f"{day.month:02d}", f"{day.day:02d}"
    years = (f"{day.year:04d}", f"{day.year + BUDDHA:04d}")
    return {Token(form, Kind.DATE) for y in years for form in (y + m + d, d + m + y, m + d + y)}


def uid_tokens(value: str) -> set[Token]:
    """A UID that names one thing of this patient; what DICOM defines is none."""
    text = value.strip().strip("\0")
    wanted = text.count(".") >= 2 and not text.startswith("1.2.840.10008.")
    return {Token(text, Kind.UID)} if wanted else set()


def days_of(tokens: Iterable[Token]) -> frozenset[tuple[int, int, int]]:
    """The days among date tokens, as (year, month, day)."""
    texts = (t.text for t in tokens if t.kind is Kind.DATE and "1800" <= t.text[:4] < "2200")
    return frozenset((int(text[:4]), int(text[4:6]), int(text[6:8])) for text in texts if int(text[4:6]) <= 12)


def _together(family: str, given: str) -> set[str]:
    return _phrases(family, given) | _addressed_phrases(family, given)


def _without_caret(name: str) -> list[tuple[str, str]]:
    """(family, given) of a name in one piece: parted by a comma where it has one, else in both orders."""
    words = name.replace(",", " ").split()
    if not 1 < len(words) <= _MOST_NAMES or not all(map(_NAME_ALONE.fullmatch, words)):
        return []
    family, comma, given = (part.strip() for part in name.partition(","))
    if comma:
        return [(family, given)] if family and given else []
    return [(words[0], " ".join(words[1:])), (words[-1], " ".join(words[:-1]))]


def _words(text: str) -> set[str]:
    undecoded = filter(_UNDECODED.search, _PARTED.split(text)) if _UNDECODED.search(text) else ()
    return {*WORD.findall(text), *_HYPHENATED.findall(text), *undecoded}


def _phrases(family: str, given: str) -> set[str]:
    pairs = ((family, given), (given, family))
    found = {f"{a}{mark}{b}" for a, b in pairs for mark in _MARKS}
    if _is_guarded(family):
        letter = given[0]
        found.update(f"{family}{mark}{letter}" for mark in ("^", ", ", ","))
        found.update(f"{letter}{mark}{family}" for mark in (". ", "."))
    return found


def _joined(components: list[str]) -> set[str]:
    """Two words of the name without anything between them, and a family name with an initial ("GarciaLopez")."""
    words = [WORD.findall(component) for component in components]
    every = list(dict.fromkeys(word for part in words for word in part))[:_MOST_WORDS]
    found = {a + b for a in every for b in every if a != b and len(a + b) >= 6 and max(len(a), len(b)) >= 3}
    whole = {form for part in words if len(part) > 1 for form in _squeezed(part)}
    found |= whole
    families = {word for word in words[0] if len(word) >= 4 and not _is_guarded(word)} if words else set()
    families |= {form for form in whole if words and form == "".join(words[0])}
    initials = {word[0] for part in words[1:] for word in part}
    return found | {form for word in families for letter in initials for form in (word + letter, letter + word)}


def _squeezed(words: list[str]) -> set[str]:
    """A component of several words in one piece (O'Dea: ODEA, Le Roy: LEROY), particles by their letters (VDBERG)."""
    found = {"".join(words)}
    if len(words) > 2 and _PARTICLES.issuperset(words[:-1]):
        found.add("".join(word[0] for word in words[:-1]) + words[-1])
    return {form for form in found if len(form) >= _LEAST_JOINED and not _is_guarded(form)}


def _garbled(word: str) -> set[str]:
    """A word with marks as systems spoil it: read in the wrong character set, or with ? or _ for what it lacks."""
    if word.isascii() or is_other_script(word) or not word.isprintable():
        return set()
    found = {word.replace(c, mark) for mark in "?_" for c in word if not c.isascii()}
    found |= {"".join(c if c.isascii() else mark for c in word) for mark in "?_"}
    found = {form for form in found if sum(map(str.isalpha, form)) >= _LEAST_LEFT}
    for raw in (form.encode("utf-8", "ignore") for form in (word, word.title(), word.upper())):
        found.add(raw.decode("latin-1").lower())
        found.add(raw.decode("cp1252", "replace").lower())
    return {form for form in found if "\ufffd" not in form}


def _ideographic(family: str) -> set[str]:
    """A Chinese or Korean family name, or the first character of a whole name."""
    return {family[:2], family[:1]} if _IDEOGRAPHS.match(family) else set()


def _addressed(word: str) -> set[str]:
    """A word that is too common or too short to be searched for alone, where it stands as a name."""
    return {f"{address}{word}" for address in _addresses(word)} if len(word) > 1 and _is_guarded(word) else set()


def _addresses(word: str) -> tuple[str, ...]:
    """Before a word of anatomy or acquisition "MR" is a modality, and "patient" tells whose body it is."""
    return _ADDRESSES if word in technical_words() else _ADDRESSES + _BEFORE_SURNAMES


def _addressed_phrases(family: str, given: str) -> set[str]:
    """The whole name after a form of address; the shorter form would leave the rest of it."""
    pairs = [(a, b) for a, b in ((family, given), (given, family)) if _is_guarded(a)]
    return {f"{address}{a}{mark}{b}" for a, b in pairs for address in _addresses(a) for mark in (", ", ",", " ", "^")}


def _is_turnable(word: str) -> bool:
    """True for words that are long enough to be searched from the last letter to the first, and then are no others."""
    return len(word) >= _LEAST_TURNED and word.isalpha() and word.isascii() and not stands_in_a_word(word[::-1])


def _is_guarded(word: str) -> bool:
    return word.isascii() and word.isalpha() and (len(word) < 3 or word in common_words())
