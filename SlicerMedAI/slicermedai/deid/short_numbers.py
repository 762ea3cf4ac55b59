"""Numbers of few characters: of an identity only after a label, or they would be echo times, b-values and volumes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from slicermedai.deid.dictionary import tag_of
from slicermedai.deid.tokens import Kind, Token, fold

_LABELS = (
    "id|nr|no|num|number|nummer|mrn|pid|acc|accession|study|stud|pat|patient|patients|patiente|paciente|paziente|pt|case|"
    "exam|fall|record|akte|order|visit|admission|serial|sn|device|station|tel|phone|ext|#"
)
_LABELLED = re.compile(rf"(?<![^\W\d_])(?:{_LABELS})(?![^\W\d_])[ .:#=_/-]{{0,3}}([^\W_]{{2,5}})(?![^\W_])")
_OF_A_NUMBER = frozenset("0123456789.")
_SHORT, _SHORT_DIGITS, _LEAST = 3, 5, 5
_NUMBERS = re.compile(rb"[0-9.+\-eE \\\\\0]*")
_MEASURED = frozenset({0x0018, 0x0028, 0x0054, 0x0070, *range(0x3002, 0x3011, 2)})
_GEOMETRY = frozenset(map(tag_of, ("ImagePositionPatient", "ImageOrientationPatient", "SliceLocation")))
_FRACTION = re.compile(r"0\.(?!0[1-9][0-9]{6}(?![0-9]))[0-9]+")
_WHOLE = re.compile(r"\.0*$")
Span = tuple[int, int]


def is_short(token: Token) -> bool:
    """True for identifiers of at most three characters or five digits."""
    if token.kind not in (Kind.IDENTIFIER, Kind.DEVICE):
        return False
    return len(token.text) <= (_SHORT_DIGITS if token.text.isdigit() else _SHORT)


def short_numbers(tokens: Iterable[Token]) -> frozenset[str]:
    """The texts of such identifiers."""
    return frozenset(fold(token.text) for token in tokens if is_short(token))


def labelled_spans(folded: str, numbers: frozenset[str]) -> list[Span]:
    """(start, end) of such ``numbers`` after a label, or of one of five digits that is all of ``folded``."""
    if not numbers:
        return []
    whole = folded.strip(" \0")
    if len(whole) >= _LEAST and whole in numbers:
        return [(folded.index(whole), folded.index(whole) + len(whole))]
    return [match.span(1) for match in _LABELLED.finditer(folded) if match[1] in numbers]


def is_fraction(text: str, start: int, end: int) -> bool:
    """True where the digits between ``start`` and ``end`` are zeros and more behind "0." ("0.00010000").

    Eight digits that begin with one zero are none: they may be a day.
    """
    first, last = start, end
    while first and text[first - 1] in _OF_A_NUMBER:
        first -= 1
    while last < len(text) and text[last] in _OF_A_NUMBER:
        last += 1
    return "0" in text[start : start + 1] and _FRACTION.fullmatch(text[first:last].rstrip(".")) is not None


def long_numbers(tokens: Iterable[Token]) -> frozenset[str]:
    """Tokens of six digits or more: what is searched for in numbers, where a whole value is one."""
    return frozenset(t.text for t in tokens if t.text.isdigit() and len(t.text) > _SHORT_DIGITS)


def is_measured(tag: int, raw: bytes) -> bool:
    """True for lists of what was measured or set (acquisition, image, dose, plan; geometry): never searched."""
    return b"\\" in raw and (tag >> 16 in _MEASURED or tag in _GEOMETRY)


def is_numeric(raw: bytes) -> bool:
    """True where a value of VR DS or IS is what it should be."""
    return _NUMBERS.fullmatch(raw) is not None


def holds_number(raw: bytes, numbers: frozenset[str]) -> bool:
    """True where one of the values in a numeric DS or IS is, as a whole, one of ``numbers``."""
    parts = (part.strip(b" \0+").decode("latin-1") for part in raw.split(b"\\") if numbers)
    return any(part in numbers or _WHOLE.sub("", part) in numbers for part in parts)
