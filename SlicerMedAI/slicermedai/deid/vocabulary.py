"""A patient's identity vocabulary: names, numbers, places and dates in the ways that people write them."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from slicermedai.deid.tokens import Kind, Scope, Token, fold, fold_with_positions

COMMON_WORDS = Path(__file__).with_name("common_words.json")
MASK = "XXXX"

_WORD = re.compile(r"[^\W_]+")
_HYPHENATED = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_DIGITS = re.compile(r"[0-9]{5,}")
_YEAR = re.compile(r"(?:19|20|21)[0-9]{2}")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_DUMMY_DATE = "19000101"


@functools.cache
def common_words() -> frozenset[str]:
    """Words of anatomy, scanners, hospitals and DICOM itself: never searched on their own."""
    groups = json.loads(COMMON_WORDS.read_text(encoding="utf-8"))
    return frozenset(word for words in groups.values() for word in words.split())


def name_tokens(value: str) -> set[Token]:
    """Parts of a person name (PN, or free form) and the ways in which two parts are written together."""
    found: set[Token] = set()
    for group in value.split("="):
        components = [c.strip().lower() for c in group.split("^")[:3]]
        found.update(_words(" ".join(components), Kind.NAME))
        parts = [part for part in components if part]
        if len(parts) >= 2:
            found.update(_phrases(parts[0], parts[1]))
        elif parts and len(parts[0]) >= 6:
            found.add(Token(parts[0], Kind.NAME))
    return {t for token in found for t in (token, Token(token.text.translate(_UMLAUTS), Kind.NAME))}


def identifier_tokens(value: str, kind: Kind = Kind.IDENTIFIER) -> set[Token]:
    """An identifier or telephone number: whole, without separators, its words, and its longer runs of digits."""
    text = value.strip().lower()
    found = {text, "".join(_WORD.findall(text)), *_HYPHENATED.findall(text), *_WORD.findall(text)}
    found.update(_DIGITS.findall(text))
    if any(c.isdigit() for c in text):
        found.add(re.sub(r"[^0-9]", "", text))
    return {Token(piece, kind) for piece in found}


def place_tokens(value: str) -> set[Token]:
    """An institution or address: whole, line by line, and its words of four letters or more."""
    text = value.strip().lower()
    lines = {line.strip() for line in re.split(r"[\r\n,;]+", text) if len(line.strip()) >= 6}
    words = {token for token in _words(text, Kind.PLACE) if len(token.text) >= 4}
    return {Token(line, Kind.PLACE) for line in (lines | {text})} | words


def date_tokens(value: str) -> set[Token]:
    """A DA or DT value as people write it: 19510823, 1951-08-23, 23.08.1951, 8/23/1951, 23 Aug 1951 ..."""
    digits = re.sub(r"[^0-9]", "", value)[:8]
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return set()
    if digits == _DUMMY_DATE:
        return set()
    return {Token(form, Kind.DATE) for form in _date_forms(day)}


def uid_tokens(value: str) -> set[Token]:
    """A UID that names one thing of this patient; what DICOM defines is none."""
    text = value.strip().strip("\0")
    wanted = text.count(".") >= 2 and not text.startswith("1.2.840.10008.")
    return {Token(text, Kind.UID)} if wanted else set()


def _words(text: str, kind: Kind) -> set[Token]:
    return {Token(word, kind) for word in [*_WORD.findall(text), *_HYPHENATED.findall(text)]}


def _phrases(family: str, given: str) -> set[Token]:
    pairs = ((family, given), (given, family))
    return {Token(f"{a}{mark}{b}", Kind.NAME) for a, b in pairs for mark in ("^", " ", ", ", ",", "_", "-", ".", "")}


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


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The tokens of one patient that are searched, and how many were left out as too short or too common."""

    tokens: frozenset[Token] = frozenset()
    left_out: int = 0
    _patterns: dict[Scope, re.Pattern[str] | None] | None = None

    @staticmethod
    def of(tokens: Iterable[Token], *, equipment: frozenset[str] = frozenset()) -> Vocabulary:
        """A vocabulary of what is distinctive among ``tokens``.

        Parameters
        ----------
        equipment:
            Words of the manufacturer's and model's name: no name of a station, which often repeats them.
        """
        given = {token for token in tokens if token.text.strip()}
        kept = frozenset(token for token in given if _distinctive(token, equipment))
        return Vocabulary(kept, len({t.text for t in given} - {t.text for t in kept}), _compiled(kept))

    def scrub(self, text: str, scope: Scope = Scope.TEXT) -> str:
        """``text`` with every token masked; identical where none is in it."""
        pattern = (self._patterns or {}).get(scope)
        if pattern is None or not text:
            return text
        if text.isascii():
            return _splice(text, pattern.finditer(text.lower()), None)
        folded, positions = fold_with_positions(text)
        return _splice(text, pattern.finditer(folded), positions)

    def hits(self, text: str, scope: Scope = Scope.TEXT) -> bool:
        """True where ``text`` holds a token."""
        pattern = (self._patterns or {}).get(scope)
        return pattern is not None and pattern.search(fold(text)) is not None

    @property
    def long_numbers(self) -> frozenset[str]:
        """Runs of six digits or more, which no pseudonymous UID may contain by chance."""
        return frozenset(t.text for t in self.tokens if t.text.isdigit() and len(t.text) >= 6)


def _distinctive(token: Token, equipment: frozenset[str]) -> bool:
    """PS3.15 does not say how: fewer than 3 letters (2 ideographs), fewer than 4 digits and common words are out."""
    text = token.text
    if text.isdigit():
        return len(text) >= 4 and not _YEAR.fullmatch(text) and text not in common_words()
    folded = fold(text)
    if folded in common_words() or (token.kind is Kind.DEVICE and folded in equipment):
        return False
    return len(text) >= (3 if text.isascii() else 2) and any(c.isalnum() for c in text)


def _compiled(tokens: frozenset[Token]) -> dict[Scope, re.Pattern[str] | None]:
    return {scope: _pattern([t for t in tokens if t.searched_in(scope)]) for scope in Scope}


def _pattern(tokens: list[Token]) -> re.Pattern[str] | None:
    """One expression for all tokens, the longest first."""
    forms = {(fold(t.text), t.edges) for t in tokens}
    ordered = sorted(forms, key=lambda form: (-len(form[0]), form))
    return re.compile("|".join(f"{left}{re.escape(text)}{right}" for text, (left, right) in ordered)) if forms else None


def _splice(text: str, matches: Iterable[re.Match[str]], positions: list[int] | None) -> str:
    pieces, last = [], 0
    for match in matches:
        start, end = match.span()
        if positions is not None:
            start, end = positions[start], positions[end - 1] + 1
        pieces += [text[last:start], MASK[: end - start]]
        last = max(last, end)
    return "".join([*pieces, text[last:]])
