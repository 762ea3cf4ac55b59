"""A patient's own names that are common words too (Smith, Brown, Li): found where they are written as names are.

Such a word counts where it begins with a capital letter or is written in capitals, and is no part of a term such as
"white matter" or "Crohn disease". Words of anatomy, scanners, acquisition and laterality never count alone, but do
after "Mr" and "Ms".
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

from slicermedai.deid.terms import is_in_term
from slicermedai.deid.tokens import Kind, Token, common_surnames, common_words, eponyms, technical_words

RULES = Path(__file__).with_name("surname_rules.json")
_WORD = re.compile(r"[^\W_]+")
_TITLES = {"mr": "Mr", "ms": "Ms", "pt": "[Pp]t", "patient": "(?:[Pp]atient|PATIENT)"}
_NOT_BEFORE, _NOT_AFTER = r"(?<![^\W\d_])", r"(?![^\W\d_])"
_FOLLOWING = re.compile(r"(?:['\u2019]?[sS])?[ -]([^\W_]+)")
_TERM_LENGTH = 24
Span = tuple[int, int]


def surname_tokens(value: str) -> set[Token]:
    """The words of a patient's own name (PN) that are common words or have two letters, alone and with an initial."""
    found: set[str] = set()
    for group in value.split("="):
        components = [_WORD.findall(component.lower()) for component in group.split("^")[:3]]
        for number, words in enumerate(components):
            initials = {word[0] for n, others in enumerate(components) if n != number for word in others}
            for word in filter(_is_name, words):
                found.add(word)
                found.update(form for i in initials for form in (f"{word} {i}", f"{i} {word}"))
            found.update(f"mr {word}" for word in words if _is_technical(word))
            found.update(f"ms {word}" for word in words if _is_technical(word))
    return {Token(text, Kind.SURNAME) for text in found}


def surname_spans(text: str, tokens: frozenset[Token]) -> list[Span]:
    """(start, end) of such names in ``text`` as it stands, in order and without overlap.

    ``tokens`` may hold others too. Searching and verifying share this, so that they agree on what is identity.
    """
    pattern = _pattern(tokens)
    return [] if pattern is None else [match.span() for match in _named(pattern, text)]


def _named(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    low = text.lower()
    folded = low if len(low) == len(text) else text
    for match in pattern.finditer(text):
        if not _is_term(match[0], text[match.end() :][:_TERM_LENGTH]) and not is_in_term(folded, *match.span()):
            yield match


@functools.lru_cache(maxsize=64)
def _pattern(tokens: frozenset[Token]) -> re.Pattern[str] | None:
    texts = sorted((t.text for t in tokens if t.kind is Kind.SURNAME), key=lambda text: (-len(text), text))
    return re.compile("|".join(map(_written, texts))) if texts else None


def _written(text: str) -> str:
    words = text.split()
    after = r"(?![^\W_])" if len(words[-1]) == 1 else _NOT_AFTER
    return _NOT_BEFORE + "[., ]{1,3}".join(map(_word, words)) + after


def _word(word: str) -> str:
    if word in _TITLES:
        return _TITLES[word]
    if len(word) < 3:
        return word.title()
    return f"(?:{word.title()}|{word.upper()})"


def _is_term(word: str, after: str) -> bool:
    """True where the word begins a term; in capitals only a few terms are told from a name beside a word."""
    following = _FOLLOWING.match(after)
    if following is None:
        return False
    if word.lower() in eponyms():
        return following[1].lower() in _rules()["after eponyms"]
    term = f"{word.lower()} {following[1].lower()}"
    return term in _rules()["any"] or (following[1].islower() and term in _rules()["lower"])


def _is_name(word: str) -> bool:
    if not (word.isascii() and word.isalpha()):
        return False
    return word in common_surnames() or (
        len(word) == 2 and word not in _rules()["short"] and word not in common_words()
    )


def _is_technical(word: str) -> bool:
    return word.isascii() and word.isalpha() and len(word) > 2 and word in technical_words()


@functools.cache
def _rules() -> dict[str, frozenset[str]]:
    said = json.loads(RULES.read_text(encoding="utf-8"))
    return {
        "any": frozenset(said["terms_in_any_case"]),
        "lower": frozenset(said["terms_in_lower_case"]),
        "short": frozenset(said["words_of_two_letters"].split()),
        "after eponyms": frozenset(said["after_eponyms"].split()),
    }
