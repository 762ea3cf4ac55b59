"""Long names that a field of few characters or a full stop has cut ("WOLFERSB", "Wolfe." of Wolfersbergmann)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from slicermedai.deid.clinical import is_clinical
from slicermedai.deid.terms import is_in_term
from slicermedai.deid.tokens import Kind, Token, common_words, fold, is_short_for_a_word

_LEAST, _LEAST_BEFORE_STOP = 7, 5
"""Letters that have to be left, and where a full stop tells that it was cut: with fewer many words begin."""
_WORD = re.compile(rf"[^\W\d_]{{{_LEAST},}}|[^\W\d_]{{{_LEAST_BEFORE_STOP},}}(?=\.)")
Span = tuple[int, int]


def cuttable(tokens: Iterable[Token]) -> dict[str, tuple[str, ...]]:
    """Words of names that may be cut, folded, by their first letters."""
    found: dict[str, tuple[str, ...]] = {}
    for word in sorted({fold(t.text) for t in tokens if t.kind is Kind.NAME and t.text.isalpha()}):
        if len(word) > _LEAST_BEFORE_STOP:
            first = word[:_LEAST_BEFORE_STOP]
            found[first] = (*found.get(first, ()), word)
    return found


def cut_spans(folded: str, words: dict[str, tuple[str, ...]]) -> list[Span]:
    """(start, end) of words in ``folded`` that one of ``words`` begins with, and that are no common words or terms.

    A word that is whole is found by other means, or spared by them. Of fewer letters before a full stop, none with
    which a common or clinical word begins: "contr." is contrast.
    """
    found = []
    for match in _WORD.finditer(folded):
        longer = words.get(match[0][:_LEAST_BEFORE_STOP])
        if longer and match[0] not in longer and any(word.startswith(match[0]) for word in longer):
            found += [] if _is_word(folded, match) else [match.span()]
    return found


def _is_word(folded: str, match: re.Match[str]) -> bool:
    word = match[0]
    if word in common_words() or is_clinical(word) or is_in_term(folded, *match.span()):
        return True
    return len(word) < _LEAST and is_short_for_a_word(word)
