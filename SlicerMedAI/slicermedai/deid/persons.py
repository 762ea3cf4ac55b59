"""Whether two headers tell of one person: what names and birth dates say for it, and what against it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from slicermedai.deid.dates import as_date
from slicermedai.deid.tokens import fold
from slicermedai.deid.transliteration import spellings

_WORD = re.compile(r"[^\W\d_]+")
Person = tuple[str, str]
"""(name, birth date) as headers have them, "" where unknown."""


def are_one(some: Iterable[Person], others: Iterable[Person]) -> bool:
    """True where what two sides say speaks for one person, and nothing speaks against it; nothing known is not enough.

    A word of the family name has to agree where both tell names, and the birth date where both tell one that is no
    placeholder; where one tells no birth date, a given name or its first letter has to agree as well.
    """
    one, other = _known(some), _known(others)
    if one.births and other.births and not one.births & other.births:
        return False
    if not (one.words and other.words):
        return bool(one.births & other.births)
    return one.shares_family(other) and (bool(one.births & other.births) or one.shares_given(other))


def speaks_for_one(some: Iterable[Person], others: Iterable[Person]) -> bool:
    """True where something speaks for one person, whatever speaks against it."""
    one, other = _known(some), _known(others)
    return bool(one.births & other.births) or one.shares_family(other)


def speaks_against(some: Iterable[Person], others: Iterable[Person]) -> bool:
    """True where something speaks against one person, whatever speaks for it."""
    one, other = _known(some), _known(others)
    births = bool(one.births and other.births and not one.births & other.births)
    return births or bool(one.words and other.words and not one.shares_family(other))


def are_several(people: Iterable[Person]) -> bool:
    """True where two of these share neither a word of the name nor a birth date: hardly one person.

    Birth dates tell where both are known and no placeholders; where neither is, names alone do.
    """
    known = [found for found in (_known([person]) for person in people) if found.words]
    return any(_unlike(one, other) for n, one in enumerate(known) for other in known[n + 1 :])


def is_stranger(people: Iterable[Person], known: Iterable[Person]) -> bool:
    """True where one of ``people`` is hardly one of those that are ``known``, and shares nothing with any of them."""
    before = [_known([one]) for one in known]
    return any(_is_apart(_known([one]), before) for one in people)


def _is_apart(one: _Known, before: list[_Known]) -> bool:
    unlike = any(one.words and other.words and _unlike(one, other) for other in before)
    return unlike and not any(one.words & other.words or one.births & other.births for other in before)


@dataclass(frozen=True, slots=True)
class _Known:
    families: frozenset[str]
    givens: frozenset[str]
    births: frozenset[str]

    @property
    def words(self) -> frozenset[str]:
        return self.families | self.givens

    def shares_family(self, other: _Known) -> bool:
        """A family name of one is any word of the other's: names are written in both orders."""
        return bool(self.families & other.words or other.families & self.words)

    def shares_given(self, other: _Known) -> bool:
        """A given name agrees, or its first letter where that is all; or one of them tells none."""
        mine, theirs = self.givens - other.families, other.givens - self.families
        if not mine or not theirs or mine & theirs:
            return True
        return any(min(len(a), len(b)) == 1 and a[0] == b[0] for a in mine for b in theirs)


def _unlike(one: _Known, other: _Known) -> bool:
    differ = not one.births & other.births if one.births and other.births else not (one.births or other.births)
    return differ and not one.words & other.words


def _known(people: Iterable[Person]) -> _Known:
    families, givens, births = set[str](), set[str](), set[str]()
    for name, birth in people:
        family, given = _words(name)
        families |= family
        givens |= given
        births |= {birth} if as_date(birth) else set()
    return _Known(frozenset(families), frozenset(givens), frozenset(births))


@functools.lru_cache(maxsize=4096)
def _words(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Words of the family name, and all others, in every spelling; a name in one piece is a family name."""
    families, givens = set[str](), set[str]()
    for group in name.split("="):
        family, *others = group.split("^")[:3]
        families |= _spelt(family)
        givens |= _spelt(" ".join(others))
    return frozenset(families), frozenset(givens)


def _spelt(text: str) -> set[str]:
    return {fold(form) for word in _WORD.findall(text.lower()) for form in (word, *spellings(word))}
