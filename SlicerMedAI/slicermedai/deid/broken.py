"""Names that are broken: by a hyphen, a line's end or a space within the word ("Quinta-valle", "Gil Dong")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from slicermedai.deid.tokens import Kind, Token, common_words, fold

_GAPS = "- \u2010\u2011\u00ad\n\r\t'\u2019"
_WITHOUT = str.maketrans(dict.fromkeys(_GAPS))
_GAP = re.compile(rf"[{_GAPS}]+")
_BETWEEN = re.compile(rf"[^\W\d_][{_GAPS}]{{1,3}}[^\W\d_]")
_LETTER = re.compile(r"[^\W\d_]")
_SHORTEST, _WIDEST = 6, 3
Span = tuple[int, int]


def breakable(tokens: Iterable[Token]) -> dict[str, tuple[str, ...]]:
    """Single words of names of six letters or more, folded, by their first six."""
    words = {fold(token.text) for token in tokens if token.kind is Kind.NAME and token.text.isalpha()}
    found: dict[str, tuple[str, ...]] = {}
    for word in sorted(word for word in words if len(word) >= _SHORTEST):
        found[word[:_SHORTEST]] = (*found.get(word[:_SHORTEST], ()), word)
    return found


def broken_spans(folded: str, words: dict[str, tuple[str, ...]]) -> list[Span]:
    """(start, end) of ``words`` in ``folded`` that have gaps within, and no letters beside them."""
    if not words or not _BETWEEN.search(folded):
        return []
    squeezed = folded.translate(_WITHOUT)
    if len(words) < len(squeezed):
        starts = {start for start in words if start in squeezed}
    else:
        starts = {squeezed[n : n + _SHORTEST] for n in range(len(squeezed) - _SHORTEST + 1)} & words.keys()
    there = sorted(word for start in starts for word in words[start] if word in squeezed)
    if not there:
        return []
    places = [n for n, character in enumerate(folded) if character not in _GAPS]
    return [span for word in there for span in _spans(folded, squeezed, places, word) if _is_one_word(folded, span)]


def _spans(folded: str, squeezed: str, places: list[int], word: str) -> Iterator[Span]:
    at = squeezed.find(word)
    while at >= 0:
        start, end = places[at], places[at + len(word) - 1] + 1
        if end - start > len(word):
            yield start, end
        at = squeezed.find(word, at + 1)


def _is_one_word(folded: str, span: Span) -> bool:
    """False where it is made of words of the language, or of parts of the words around it."""
    start, end = span
    if (start and _LETTER.match(folded[start - 1])) or _LETTER.match(folded[end : end + 1]):
        return False
    pieces, gaps = _GAP.split(folded[start:end]), _GAP.findall(folded[start:end])
    if any(len(gap) > _WIDEST for gap in gaps):
        return False
    common = [piece in common_words() for piece in pieces]
    if any(not gap.strip() for gap in gaps):
        return all(len(piece) == 1 for piece in pieces) or (len(pieces) == 2 and not any(common))
    return not all(common)
