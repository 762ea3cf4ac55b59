"""The tokens of a patient as they are searched for in one text: by their first letters, and in all forms."""

from __future__ import annotations

import functools
import itertools
import re
from typing import NamedTuple

from slicermedai.deid.broken import breakable, broken_spans
from slicermedai.deid.cut import Cuttable
from slicermedai.deid.dateforms import compact_dates, found_dates, is_one_of, shortened, years_of
from slicermedai.deid.memo import Memo
from slicermedai.deid.misspelt import misspelt_spans, spellings_of
from slicermedai.deid.names import days_of
from slicermedai.deid.short_numbers import is_fraction, is_short, labelled_spans, short_numbers
from slicermedai.deid.spans import Span, merged
from slicermedai.deid.terms import is_also_a_term, is_in_term
from slicermedai.deid.tokens import Kind, Scope, Token, fold, inside_common_word, is_masked

_MAY_BE_DATED = re.compile(r"[0-9][^0-9]*[0-9][^0-9]*[0-9]|元")
"""No form of a date has fewer digits, but for the first years of eras."""
_SPREAD = re.compile(r"[0-9](?:[^0-9]{0,12}[0-9]){4}")
_NUMBER = re.compile(r"[0-9]{2,}")
_GRAM = 3
_SHORT = 1024
"""Characters of a text that is remembered."""


class _Form(NamedTuple):
    """A folded token: what may not stand before and after it, and whether words around it are looked at.

    ``term`` is True for a word that terms of medicine begin with.
    """

    text: str
    left: re.Pattern[str] | None
    right: re.Pattern[str] | None
    guarded: bool
    term: bool


class Index:
    """Tokens by their first letters, so that the time for one text hardly grows with their number."""

    def __init__(self, tokens: list[Token], scope: Scope) -> None:
        self._short = short_numbers(tokens)
        self._breakable = breakable(tokens) if scope is Scope.TEXT else {}
        self._cuttable = Cuttable(tokens if scope is Scope.TEXT else ())
        self._spellings = spellings_of(tokens) if scope is Scope.TEXT else None
        forms = {_form(token) for token in tokens if not is_short(token)}
        self._grams: dict[str, list[_Form]] = {}
        self._pairs: dict[str, list[_Form]] = {}
        for form in sorted(forms, key=lambda f: (-len(f.text), f.text)):
            size = min(_GRAM, len(form.text))
            (self._grams if size == _GRAM else self._pairs).setdefault(form.text[:size], []).append(form)
        in_text = scope is Scope.TEXT
        self._days = days_of(tokens) if in_text else frozenset()
        self._short_days = shortened(self._days)
        self._years = years_of(self._days)
        self._known = Memo[str, list[Span]]()
        self._joined = _joined(tokens) if in_text else {}
        self._digits = frozenset(_digits(text) for texts in self._joined.values() for text in texts)

    def spans(self, folded: str) -> list[Span]:
        """(start, end) of what is found, in order and without overlap."""
        known = self._known.get(folded)
        if known is None:
            known = self._found(folded)
            if len(folded) <= _SHORT:
                self._known.keep(folded, known)
        return known

    def _found(self, folded: str) -> list[Span]:
        found, is_near = self._plain(folded)
        if self._days and _MAY_BE_DATED.search(folded):
            found += [s for s in self._dated(folded) if s not in found]
        if self._breakable:
            found += broken_spans(folded, self._breakable)
        if self._cuttable and is_near:
            found += self._cuttable.spans(folded)
        if self._spellings is not None:
            found += misspelt_spans(folded, self._spellings)
        if self._short:
            found += labelled_spans(folded, self._short)
        if self._joined and _SPREAD.search(folded) and any(map(_digits(folded).__contains__, self._digits)):
            found += self._spread(folded)
        return merged(found) if len(found) > 1 else found

    def _plain(self, folded: str) -> tuple[list[Span], bool]:
        """What stands there as it is; and False where nothing begins with the first letters of a token either."""
        found, position, size, is_near = [], 0, len(folded), False
        grams, pairs = self._grams, self._pairs
        while position < size - 1:
            forms = grams.get(folded[position : position + _GRAM])
            end = 0
            if forms:
                is_near, end = True, _first(forms, folded, position)
            if not end and pairs and (forms := pairs.get(folded[position : position + 2])):
                end = _first(forms, folded, position)
            if end:
                found.append((position, end))
                position = end
            else:
                position += 1
        return found, is_near or bool(found)

    def _dated(self, folded: str) -> list[Span]:
        found = itertools.chain(found_dates(folded) if self._may_name_a_year(folded) else (), compact_dates(folded))
        return [(s, e) for s, e, days in found if is_one_of(days, self._days, self._short_days)]

    def _may_name_a_year(self, folded: str) -> bool:
        """False where no number ends like the year of one of the days: to look for all forms of a date takes longer."""
        years = self._years
        numbers = _NUMBER.findall(folded)
        return not folded.isascii() or any(number[-2:] in years for number in numbers)

    def _spread(self, folded: str) -> list[Span]:
        """Numbers whose digits are grouped in another way than in the identity: telephone numbers above all."""
        places = [n for n, character in enumerate(folded) if character.isalnum()]
        squeezed = "".join(folded[n] for n in places)
        found = []
        for position in range(len(squeezed) - 6):
            for text in self._joined.get(squeezed[position : position + _GRAM], ()):
                end = position + len(text)
                if squeezed.startswith(text, position) and _stands_apart(folded, places, position, end):
                    span = (places[position], places[end - 1] + 1)
                    found += [] if is_fraction(folded, *span) else [span]
        return found


@functools.cache
def _edge(pattern: str) -> re.Pattern[str] | None:
    inner = re.sub(r"^\(\?(?:<!|!)|\)$", "", pattern)
    return re.compile(inner) if inner else None


def _form(token: Token) -> _Form:
    left, right = token.edges
    text = fold(token.text)
    term = text.isalpha() and is_also_a_term(text)
    return _Form(text, _edge(left), _edge(right), text.isalpha() and len(text) >= 6, term)


def _first(forms: list[_Form], folded: str, position: int) -> int:
    """The end of the first (longest) form that stands at ``position``, or 0."""
    for text, left, right, guarded, term in forms:
        if folded.startswith(text, position):
            end = position + len(text)
            apart = not (left and position and left.match(folded[position - 1])) or is_masked(
                folded, position, before=True
            )
            if (
                apart
                and (not (right and right.match(folded, end)) or is_masked(folded, end, before=False))
                and not (guarded and inside_common_word(folded, position, end))
                and not (term and is_in_term(folded, position, end))
                and not (text[0] == "0" and is_fraction(folded, position, end))
            ):
                return end
    return 0


def _joined(tokens: list[Token]) -> dict[str, list[str]]:
    """Identifiers of seven letters and digits or more, without what separates them, by their beginning."""
    found: dict[str, list[str]] = {}
    for token in tokens:
        if token.kind not in (Kind.IDENTIFIER, Kind.DEVICE):
            continue
        text = "".join(filter(str.isalnum, fold(token.text)))
        if len(text) >= 7 and sum(map(str.isdigit, text)) >= 5:
            entries = found.setdefault(text[:_GRAM], [])
            entries += [] if text in entries else [text]
    return found


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _stands_apart(folded: str, places: list[int], start: int, end: int) -> bool:
    """True where no digit stands directly before or after what was found over gaps of at most three characters."""
    first, last = places[start], places[end - 1]
    if any(b - a > 4 for a, b in zip(places[start : end - 1], places[start + 1 : end], strict=True)):
        return False
    before = folded[first - 1 : first].isdigit()
    return not before and not folded[last + 1 : last + 2].isdigit()
