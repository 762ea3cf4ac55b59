"""Names with one wrong letter, as they were heard or typed: another one, one too many or too few, or two turned round.

Of many names one letter makes a word of some language, and no list of all words is at hand. So a misspelt name counts
only beside another word of the name, or where it has eight letters; its first letter is right; and it is no common or
clinical word, in no form of one, and no name of a disease.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from slicermedai.deid.clinical import is_clinical
from slicermedai.deid.spans import Span
from slicermedai.deid.terms import is_also_a_term, is_in_term
from slicermedai.deid.tokens import Kind, Token, common_words, fold

_SHORTEST, _ALONE, _BESIDE, _LEAST = 6, 8, 3, 3
"""Letters of a name that may be misspelt, and of one that counts alone; characters between two words of a name, and
letters of the other one."""
_WORD = re.compile(rf"[^\W\d_]{{{_LEAST},}}")
_ENDINGS = re.compile(r"(?:s|es|ed|e|d|n|en|er|y|ly|al|ic|ing|ity|i|a|um)$")


class Spellings(NamedTuple):
    """Words of names, folded: those that may be misspelt, by their first letter and length, and all."""

    alike: dict[tuple[str, int], tuple[str, ...]]
    words: frozenset[str]


def spellings_of(tokens: Iterable[Token]) -> Spellings | None:
    """What is needed of ``tokens``; None where no word of a name is long enough."""
    words = frozenset(fold(token.text) for token in tokens if token.kind is Kind.NAME and token.text.isalpha())
    alike: dict[tuple[str, int], tuple[str, ...]] = {}
    for word in sorted(word for word in words if len(word) >= _SHORTEST and word.isascii()):
        alike[word[0], len(word)] = (*alike.get((word[0], len(word)), ()), word)
    return Spellings(alike, words) if alike else None


def misspelt_spans(folded: str, names: Spellings) -> list[Span]:
    """(start, end) of words in ``folded`` that are nearly one of the names."""
    words = list(_WORD.finditer(folded))
    found = []
    for number, word in enumerate(words):
        if len(word[0]) + 1 < _SHORTEST or word[0] in names.words or not _is_near(word[0], names):
            continue
        alone = len(word[0]) >= _ALONE or _is_beside(words, number, names.words)
        if alone and not _is_a_word(word[0]) and not is_in_term(folded, *word.span()):
            found.append(word.span())
    return found


def _is_near(word: str, names: Spellings) -> bool:
    letter, size = word[0], len(word)
    near = (names.alike.get((letter, length), ()) for length in (size - 1, size, size + 1))
    return any(_is_one_apart(word, name) for some in near for name in some)


def _is_one_apart(word: str, name: str) -> bool:
    """True where one letter tells them apart, or two neighbours that changed their places; lengths are nearly equal."""
    more, least = len(word) - len(name), min(len(word), len(name))
    at = next((n for n in range(1, least) if word[n] != name[n]), least)
    if more:
        return word[at + (more > 0) :] == name[at + (more < 0) :]
    turned = word[at : at + 2] == name[at : at + 2][::-1] and word[at + 2 :] == name[at + 2 :]
    return turned or word[at + 1 :] == name[at + 1 :]


def _is_beside(words: list[re.Match[str]], number: int, names: frozenset[str]) -> bool:
    """True where the word before or behind is another word of the name."""
    word = words[number]
    near: Iterator[re.Match[str]] = (
        other
        for other in (*words[max(number - 1, 0) : number], *words[number + 1 : number + 2])
        if max(other.start() - word.end(), word.start() - other.end()) <= _BESIDE
    )
    return any(other[0] in names for other in near)


def _is_a_word(word: str) -> bool:
    """True for words of medicine and of every day, in all their forms, and for names that are terms."""
    stems = {word, _ENDINGS.sub("", word)}
    forms = {stem + ending for stem in stems for ending in ("", "e", "s", "y", "al", "ic")}
    return is_also_a_term(word) or any(form in common_words() or is_clinical(form) for form in forms)
