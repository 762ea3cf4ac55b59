"""Long names that a field of few characters has cut short ("WOLFERSB" of Wolfersbergmann)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from slicermedai.deid.clinical import is_clinical
from slicermedai.deid.terms import is_in_term
from slicermedai.deid.tokens import Kind, Token, common_words, fold

_LEAST = 7
"""Letters that have to be left: of fewer many words begin with a name."""
_WORD = re.compile(rf"[^\W\d_]{{{_LEAST},}}")
Span = tuple[int, int]


def cuttable(tokens: Iterable[Token]) -> dict[str, tuple[str, ...]]:
    """Words of names that may be cut, folded, by their first letters."""
    found: dict[str, tuple[str, ...]] = {}
    for word in sorted({fold(t.text) for t in tokens if t.kind is Kind.NAME and t.text.isalpha()}):
        if len(word) >= _LEAST:
            found[word[:_LEAST]] = (*found.get(word[:_LEAST], ()), word)
    return found


def cut_spans(folded: str, words: dict[str, tuple[str, ...]]) -> list[Span]:
    """(start, end) of words in ``folded`` that one of ``words`` begins with, and that are no common words or terms.

    A word that is whole is found by other means, or spared by them.
    """
    found = []
    for match in _WORD.finditer(folded):
        longer = words.get(match[0][:_LEAST])
        if longer and match[0] not in longer and any(word.startswith(match[0]) for word in longer):
            is_word = match[0] in common_words() or is_clinical(match[0]) or is_in_term(folded, *match.span())
            found += [] if is_word else [match.span()]
    return found
