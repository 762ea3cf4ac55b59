"""Long names that a field of few characters or a full stop has cut ("WOLFERSB", "Wolfe. H." of Wolfersbergmann)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from slicermedai.deid.clinical import is_clinical
from slicermedai.deid.terms import is_in_term
from slicermedai.deid.tokens import Kind, Token, common_words, fold, is_short_for_a_word

_LEAST, _LEAST_BEFORE_STOP = 7, 5
"""Letters that have to be left, and where a full stop and an initial tell that it was cut: many words have fewer."""
_WORD = re.compile(rf"[^\W\d_]{{{_LEAST},}}|[^\W\d_]{{{_LEAST_BEFORE_STOP},}}(?=\.)")
_INITIAL_AFTER = re.compile(r"\.[., ^]{0,3}([^\W\d_])(?![\w-])")
_INITIAL_BEFORE = re.compile(r"(?<![\w-])([^\W\d_])[., ^]{1,3}\Z")
_BEFORE = 5
"""Characters that an initial and what parts it from both sides take."""
Span = tuple[int, int]


class Cuttable:
    """Words of the names among ``tokens`` that may be cut."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._words: dict[str, tuple[str, ...]] = {}
        names = sorted({fold(token.text) for token in tokens if token.kind is Kind.NAME and token.text.isalpha()})
        for word in (name for name in names if len(name) > _LEAST_BEFORE_STOP):
            first = word[:_LEAST_BEFORE_STOP]
            self._words[first] = (*self._words.get(first, ()), word)
        self._names = names

    def __bool__(self) -> bool:
        return bool(self._words)

    def spans(self, folded: str) -> list[Span]:
        """(start, end) of words in ``folded`` that a name begins with, and that are no common words or terms.

        A word that is whole is found by other means, or spared by them. Of fewer letters before a full stop, only what
        stands beside an initial of another of the names ("Quillf. E." of Quillfeather, Edda): no list has all words
        that end a sentence ("Nodule stable." of a patient Stabler).
        """
        return [match.span() for match in _WORD.finditer(folded) if self._is_cut(folded, match)]

    def _is_cut(self, folded: str, match: re.Match[str]) -> bool:
        word = match[0]
        longer = self._words.get(word[:_LEAST_BEFORE_STOP], ())
        if word in longer or not any(one.startswith(word) for one in longer):
            return False
        if word in common_words() or is_clinical(word) or is_in_term(folded, *match.span()):
            return False
        return len(word) >= _LEAST or (not is_short_for_a_word(word) and self._has_initial(folded, match))

    def _has_initial(self, folded: str, match: re.Match[str]) -> bool:
        """True where one stands beside it, of a name that does not begin with the word."""
        after = _INITIAL_AFTER.match(folded, match.end())
        before = _INITIAL_BEFORE.search(folded[max(0, match.start() - _BEFORE) : match.start()])
        beside = {found[1] for found in (after, before) if found}
        return any(name[0] in beside and not name.startswith(match[0]) for name in self._names)
