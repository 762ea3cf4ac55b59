"""An independent look at what was written: bytes are read with code of its own, not by the reader that wrote them.

Every element at every depth is searched for the identity's tokens in the encodings in which text occurs; pixel data
and other binary values too, for tokens that are too long to turn up by chance.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from slicermedai.deid.tokens import Kind, Scope, Token, fold, inside_common_word
from slicermedai.deid.verify_bytes import Element, elements
from slicermedai.errors import IdentityError

__all__ = ["Element", "Hit", "Retained", "check_file", "elements", "find"]

_LONG = 4096
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_SCRIPTS = (
    "iso8859_2",
    "iso8859_3",
    "iso8859_4",
    "iso8859_5",
    "iso8859_6",
    "iso8859_7",
    "iso8859_8",
    "iso8859_9",
    "iso8859_15",
    "tis_620",
    "cp1252",
    "iso2022_jp_2",
    "shift_jis",
    "euc_jp",
    "iso2022_kr",
    "euc_kr",
    "gb18030",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A token found: where, and of what kind it is, never which."""

    tag: int
    offset: int
    kind: str

    @property
    def attribute(self) -> str:
        """(gggg,eeee)"""
        return f"({self.tag >> 16:04X},{self.tag & 0xFFFF:04X})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """What an option keeps, and so is no leak where it belongs.

    Parameters
    ----------
    days:
        (year, month, day) that values of VR DA and DT may show.
    uids:
        UIDs stay as they are: values of VR UI that hold nothing but UIDs are not searched.
    """

    days: frozenset[tuple[int, int, int]] = frozenset()
    uids: bool = False

    def covers(self, element: Element) -> bool:
        """True where the value is one that is kept."""
        if element.vr == "UI":
            return self.uids and re.fullmatch(rb"[0-9.\\]*[ \0]?", element.value) is not None
        if element.vr not in ("DA", "DT") or not self.days:
            return False
        return all(self._is_kept(value) for value in re.split(rb"[\\]", element.value))

    def _is_kept(self, value: bytes) -> bool:
        digits = value.strip(b" \0").replace(b".", b"", 2)[:8]
        return not digits or (
            digits.isdigit() and (int(digits[:4]), int(digits[4:6] or 0), int(digits[6:] or 0)) in self.days
        )


NOTHING_RETAINED = Retained()


def check_file(
    path: Path, tokens: frozenset[Token], *, source: Path | None = None, retained: Retained = NOTHING_RETAINED
) -> None:
    """Refuse a file that still holds identity.

    Parameters
    ----------
    source:
        The file that it was made from, which the error then names.

    Raises
    ------
    IdentityError
        A token is in it; the message names kind, attribute and offset.
    UnreadableFileError
        Its bytes are no whole DICOM file.
    """
    for hit in find(path, tokens, retained):
        raise IdentityError(
            f"a {hit.kind} of the patient is still in the value at byte {hit.offset}",
            file=source or path,
            attribute=hit.attribute,
            advice="Nothing was handed out; leave this file out, or look at that attribute.",
        )


def find(path: Path, tokens: frozenset[Token], retained: Retained = NOTHING_RETAINED) -> Iterator[Hit]:
    """Every element of the file that holds a token, at most one hit for each."""
    searcher, last = _searcher(tokens), -1
    for element in elements(Path(path)):
        found = None if element.start == last >= 0 or retained.covers(element) else searcher.search(element)
        if found is not None:
            last = element.start
            yield Hit(tag=element.tag, offset=element.offset + found[0], kind=found[1])


class _Searcher:
    """The tokens as byte patterns, one for each scope."""

    def __init__(self, tokens: frozenset[Token]) -> None:
        self._needles = {scope: _Needles(_byte_forms(tokens, scope)) for scope in Scope}
        self._text = _text_pattern(tokens)
        self._tokens = tokens

    def search(self, element: Element) -> tuple[int, str] | None:
        """(offset within the value, kind of the token) of the first hit, or None."""
        scope = element.scope
        match = self._needles[scope].search(element.value if scope is Scope.PIXELS else element.value.lower())
        if match is not None and not _is_part_of_common_word(match):
            return match.start(), self._kind(match.group().lower())
        if scope is Scope.TEXT and self._text and not element.value.isascii() and self._folded_hit(element.value):
            return 0, "name"
        return None

    def _folded_hit(self, value: bytes) -> bool:
        texts = {value.decode(codec, "replace") for codec in ("utf-8", "latin-1")}
        return any(
            not inside_common_word(folded, *match.span())
            for folded in map(fold, texts)
            for match in (self._text.finditer(folded) if self._text is not None else ())
        )

    def _kind(self, found: bytes) -> str:
        def is_it(token: Token) -> bool:
            return any(found in _narrow(text) | _wide(text) for text in _written(token))

        return next((token.kind.value for token in sorted(self._tokens) if is_it(token)), "name")


class _Needles:
    """Many byte strings searched at once.

    Long values are first looked through for the forms' first two pairs of bytes with two tables of 65,536 entries,
    at even and odd offsets, which is some 50 times faster than the expression; small ones are not worth it.
    """

    def __init__(self, forms: set[tuple[bytes, bytes, bytes]]) -> None:
        ordered = [left + re.escape(text) + right for left, text, right in sorted(forms, key=_longest_first)]
        self._pattern = re.compile(b"|".join(ordered)) if ordered else None
        self._tables = np.zeros((2, 65536), dtype=bool)
        self._short = any(len(text) < 4 for _, text, _ in forms)
        for _, text, _ in forms:
            self._tables[0, int.from_bytes(text[:2], "little")] = True
            self._tables[1, int.from_bytes(text[2:4], "little")] = True

    def search(self, value: bytes) -> re.Match[bytes] | None:
        """The first match, or None."""
        if self._pattern is None:
            return None
        if self._short or len(value) < _LONG:
            return self._pattern.search(value)
        places = sorted(place for odd in (0, 1) for place in self._candidates(value, odd))
        return next((match for place in places if (match := self._pattern.match(value, place))), None)

    def _candidates(self, value: bytes, odd: int) -> list[int]:
        pairs = np.frombuffer(value, dtype="<u2", offset=odd, count=(len(value) - odd) // 2)
        wanted = self._tables[0][pairs[:-1]] & self._tables[1][pairs[1:]]
        return [int(place) * 2 + odd for place in np.flatnonzero(wanted)]


@functools.lru_cache(maxsize=8)
def _searcher(tokens: frozenset[Token]) -> _Searcher:
    return _Searcher(tokens)


def _is_part_of_common_word(match: re.Match[bytes]) -> bool:
    """The guard of :func:`inside_common_word` in bytes of one character each."""
    text = match.string[max(0, match.start() - 32) : match.end() + 32].decode("latin-1")
    start = min(match.start(), 32)
    return match.group().isalpha() and inside_common_word(text, start, start + len(match.group()))


def _written(token: Token) -> set[str]:
    """The ways in which a date is written; anything else as it is."""
    text = token.text
    if token.kind is not Kind.DATE or not text.isdigit():
        return {text}
    try:
        day = date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return {text}
    return {text, *_date_forms(day)} if day.year >= 1800 else {text}


def _date_forms(day: date) -> set[str]:
    y, m, d = f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}"
    forms = {y + m + d, d + m + y, m + d + y}
    for mark in "-./ ":
        forms.update(mark.join(p) for p in ((y, m, d), (d, m, y), (m, d, y)))
        forms.update(mark.join(p) for p in ((str(day.day), str(day.month), y), (str(day.month), str(day.day), y)))
    for month in (_MONTHS[day.month - 1], _MONTHS[day.month - 1][:3]):
        for number in (d, str(day.day)):
            forms.update({f"{number} {month} {y}", f"{number}. {month} {y}", f"{number}-{month}-{y}"})
            forms.update({f"{month} {number}, {y}", f"{month} {number} {y}", f"{number}{month}{y}"})
    return forms


def _byte_forms(tokens: frozenset[Token], scope: Scope) -> set[tuple[bytes, bytes, bytes]]:
    """(what may not stand before, bytes, what may not stand after); edges hold for one byte a character."""
    forms: set[tuple[bytes, bytes, bytes]] = set()
    for token in tokens:
        if not token.searched_in(scope):
            continue
        if scope is Scope.PIXELS:
            variants = (token.text, token.text.upper(), token.text.title())
            forms.update((b"", variant.encode(), b"") for variant in variants)
            continue
        for text in _written(token):
            if text != token.text and scope is not Scope.TEXT:
                continue
            edges = ("", "") if scope is Scope.BINARY else Token(text, token.kind).edges
            left, right = (edge.encode() for edge in edges)
            forms.update((left, raw, right) for raw in _narrow(text))
            forms.update((b"", raw, b"") for raw in _wide(text) if len(text) >= 4)
    return forms


def _longest_first(form: tuple[bytes, bytes, bytes]) -> tuple[int, bytes]:
    return -len(form[1]), form[1]


def _text_pattern(tokens: frozenset[Token]) -> re.Pattern[str] | None:
    forms = {"".join((t.edges[0], re.escape(fold(t.text)), t.edges[1])) for t in tokens if not t.text.isdigit()}
    return re.compile("|".join(sorted(forms, key=lambda form: (-len(form), form)))) if forms else None


def _narrow(text: str) -> set[bytes]:
    """``text`` in UTF-8, Latin-1 and, where it is not ASCII, in the other character sets of PS3.3 C.12.1.1.2."""
    if text.isascii():
        return {text.encode("ascii")}
    found = set()
    for variant in {text, text.upper(), text.title(), fold(text)}:
        for codec in ("utf-8", "latin-1", *_SCRIPTS):
            try:
                found.add(variant.encode(codec).lower())
            except UnicodeEncodeError:
                continue
    return found


def _wide(text: str) -> set[bytes]:
    return {variant.encode(codec).lower() for variant in (text, fold(text)) for codec in ("utf-16-le", "utf-16-be")}
