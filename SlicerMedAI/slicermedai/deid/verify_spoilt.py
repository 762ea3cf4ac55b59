"""Names as systems spoil them, which the verifier looks for too: cut by a field's length, or with encoded letters.

The verifier's own code: with what masks them it shares the guards alone, so that they agree on what is identity.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

from slicermedai.deid.clinical import is_clinical
from slicermedai.deid.terms import is_in_term
from slicermedai.deid.tokens import Kind, Token, common_words, fold, is_short_for_a_word

_LEAST, _LEAST_WITH_STOP = 7, 5
_WORD = re.compile(r"[^\W\d_]+")
_JSON = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_SOFT = re.compile("=\r?\n")
_TIMES = 3
_RTF = re.compile(r"\\'(?=[0-9a-fA-F]{2})")
_MARKS = frozenset("&%=\\")


class SpoiltNames:
    """The names among ``tokens``; ``holds`` tells whether folded text holds any token."""

    def __init__(self, tokens: Iterable[Token], holds: Callable[[str], bool]) -> None:
        names = {fold(token.text) for token in tokens if token.kind is Kind.NAME}
        words = {name for name in names if name.isalpha()}
        self._cut = {word[:size] for word in words for size in range(_LEAST, len(word))} - words - common_words()
        self._stopped = {
            letters: {other[0] for other in words if not other.startswith(letters)}
            for letters in {word[:size] for word in words for size in range(_LEAST_WITH_STOP, min(_LEAST, len(word)))}
            if letters not in words and not is_short_for_a_word(letters)
        }
        self._holds = holds

    def stand_in(self, text: str) -> bool:
        """True where a name stands in ``text`` in such a form."""
        folded = fold(text)
        if any(self._is_cut(folded, word) for word in _WORD.finditer(folded)):
            return True
        return any(self._holds(fold(plain)) for plain in _decoded(text))

    def _is_cut(self, folded: str, word: re.Match[str]) -> bool:
        if word[0] in self._stopped and folded.startswith(".", word.end()):
            beside = {*_beside(folded[word.end() + 1 :]), *_beside(folded[: word.start()][::-1])}
            return bool(beside & self._stopped[word[0]]) and not is_in_term(folded, *word.span())
        return word[0] in self._cut and not is_clinical(word[0]) and not is_in_term(folded, *word.span())


def _beside(text: str) -> str:
    """The letter that stands alone at the beginning of ``text``, behind what parts names; "" where none does."""
    at = next((at for at, letter in enumerate(text[:4]) if letter not in ". ,^"), 4)
    follows = text[at + 1 : at + 2]
    return text[at] if text[at : at + 1].isalpha() and not (follows.isalnum() or follows in ("_", "-")) else ""


def _decoded(text: str) -> set[str]:
    """Everything that it may stand for, where something was escaped, and escaped again."""
    found, last = set[str](), {text}
    for _ in range(_TIMES):
        last = {plain for one in last for plain in _once(one)} - found - {text}
        found |= last
    return found


def _once(text: str) -> Iterator[str]:
    if _MARKS.isdisjoint(text):
        return
    plain = html.unescape(_JSON.sub(lambda said: chr(int(said[1] or said[2], 16)), _SOFT.sub("", text)))
    yield plain
    for percent in (plain, plain.replace("=", "%"), _RTF.sub("%", plain)):
        yield unquote(percent)
        yield unquote(percent, "latin-1")
