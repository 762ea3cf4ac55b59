"""What must not survive of the other patients of a run: one patient's name typed into another one's file.

Only what is distinctive counts, and as whole words, however many patients there are: family names of five letters or
more that are no common words, written with a capital letter or of eight letters or more, and where they stand for a
disease or a place too (Bennett, Boston) only beside a title or a given name, and in no term; given names that stand
beside them; whole names in scripts without capital letters; Patient IDs of six characters or more, four of them digits
(seven, where all are).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from slicermedai.deid.terms import is_also_a_term, is_in_term
from slicermedai.deid.tokens import common_words, fold, fold_with_positions
from slicermedai.deid.transliteration import spellings

_WORD = re.compile(r"[^\W_]+")
_CHUNK = re.compile(r"[^\W_](?:[^\s,;:()|=\\]*[^\W_])?")
_UNCASED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u1100-\u11ff\uac00-\ud7af\u0e01-\u0e4e]{3,}")
_SHORTEST, _LONG, _NEAR = 5, 8, 3
_LONGEST_RUN = 12
_ADDRESSES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "hr", "fr", "mme", "sr", "sra"})
_ADDRESSES |= {"pt", "pat", "patient", "patientin", "name"}
_PUBLIC_SCHEMES = frozenset(b"SCT SRT SNM3 DCM LN UCUM RADLEX FMA NCIt UMLS MSH I9C I10 I10P C4 BI NDC".split())
SCHEME, MEANING, CODE = 0x00080102, 0x00080104, 0x00080100
"""Coding Scheme Designator, Code Meaning and Code Value."""
Span = tuple[int, int]


@dataclass(slots=True, eq=False)
class Crowd:
    """Folded words and numbers of all patients of a run."""

    families: set[str] = field(default_factory=set)
    givens: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)

    def add_name(self, value: str) -> None:
        """Take in a person name (PN)."""
        for group in value.split("="):
            components = [c.strip().lower() for c in group.split("^")[:3]]
            joined = fold("".join(components))
            self.runs.update({joined} if _UNCASED.fullmatch(joined) else ())
            self.families.update(form for form in _forms(components[:1]) if _is_distinctive(form))
            self.givens.update(form for form in _forms(components[1:]) if len(form) > 1)

    def add_number(self, value: str) -> None:
        """Take in a Patient ID."""
        text = "".join(_WORD.findall(fold(value)))
        digits = sum(map(str.isdigit, text))
        if digits >= (7 if text.isdigit() else 4) and len(text) >= 6:
            self.numbers.add(text)

    def update(self, other: Crowd) -> None:
        """Take in what another one knows."""
        self.families |= other.families
        self.givens |= other.givens
        self.runs |= other.runs
        self.numbers |= other.numbers

    def spans(self, text: str) -> list[Span]:
        """(start, end) in ``text`` of what is some patient's, in order; they may overlap."""
        if not text:
            return []
        folded, places = (text.lower(), None) if text.isascii() else fold_with_positions(text)
        found = [*self._names(text, folded, places), *self._numbers(folded)]
        found += self._runs(folded) if places is not None and self.runs else []
        if places is None or not found:
            return sorted(found)
        ends = [*places, len(text)]
        return sorted((ends[start], ends[end]) for start, end in found)

    def _names(self, text: str, folded: str, places: list[int] | None) -> Iterator[Span]:
        words = list(_WORD.finditer(folded))
        for number, word in enumerate(words):
            if word[0] not in self.families:
                continue
            first = text[word.start() if places is None else places[word.start()]]
            if first.islower() and len(word[0]) < _LONG:
                continue
            if is_in_term(folded, *word.span()) or (is_also_a_term(word[0]) and not self._is_named(words, number)):
                continue
            yield word.span()
            for other in (*words[max(0, number - 1) : number], *words[number + 1 : number + 2]):
                near = max(other.start() - word.end(), word.start() - other.end()) <= _NEAR
                if near and other[0] in self.givens:
                    yield other.span()

    def _is_named(self, words: list[re.Match[str]], number: int) -> bool:
        """True where a form of address or a given name stands beside the word, or a ^ behind it."""
        word = words[number]
        beside = [*words[max(0, number - 1) : number], *words[number + 1 : number + 2]]
        near = [w for w in beside if max(w.start() - word.end(), word.start() - w.end()) <= _NEAR]
        addressed = any(other[0] in _ADDRESSES and other.start() < word.start() for other in near)
        return addressed or word.string[word.end() :][:1] == "^" or any(other[0] in self.givens for other in near)

    def _numbers(self, folded: str) -> Iterator[Span]:
        if not self.numbers or not any(map(str.isdigit, folded)):
            return
        for pattern in (_CHUNK, _WORD):
            for match in pattern.finditer(folded):
                if "".join(c for c in match[0] if c.isalnum()) in self.numbers:
                    yield match.span()

    def _runs(self, folded: str) -> Iterator[Span]:
        for run in _UNCASED.finditer(folded):
            for start in range(run.start(), run.end() - 2):
                for end in range(start + 3, min(run.end(), start + _LONGEST_RUN) + 1):
                    if folded[start:end] in self.runs:
                        yield start, end


def is_public(scheme: bytes) -> bool:
    """True for designators of coding schemes whose meanings are published: no other patient is typed into them."""
    return scheme.strip(b" \0") in _PUBLIC_SCHEMES


def _forms(components: Iterable[str]) -> set[str]:
    words = {word for component in components for word in _WORD.findall(component)}
    return {fold(form) for word in words for form in spellings(word)}


def _is_distinctive(word: str) -> bool:
    return len(word) >= _SHORTEST and word.isalpha() and word not in common_words()
