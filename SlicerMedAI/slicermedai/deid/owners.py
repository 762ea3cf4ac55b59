"""Whose files these are, once all headers were read.

The Patient ID tells patients apart; where several issuers gave out the same one, ID and issuer do. What sites write for
an issuer varies for one patient too: issuers are of one patient where the birth date is the same, or, where one of them
tells none, a word of the name. A file without ID is the only patient's whose ID other files of its study have.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from slicermedai.deid.tokens import fold

_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One file: whose it is, and its identifiers (original ones). ``issuer`` is that of the Patient ID."""

    owner: str = field(repr=False)
    sop_class: str
    sop_instance: str
    study: str
    series: str
    syntax: str
    patient_id: str = field(default="", repr=False)
    issuer: str = field(default="", repr=False)

    @property
    def header(self) -> Told:
        """What the file itself says of whose it is."""
        return Told(self.owner, self.issuer, bool(self.patient_id))


@dataclass(frozen=True, slots=True)
class Told:
    """What headers say of whose a file is: alike for all files of one patient that were written alike."""

    owner: str = field(repr=False)
    issuer: str = field(repr=False)
    has_id: bool


@dataclass(slots=True, eq=False)
class Owners:
    """Collects what all headers say."""

    _by_study: dict[str, dict[Told, None]] = field(default_factory=dict)
    _issuers: defaultdict[str, dict[str, set[tuple[str, str]]]] = field(default_factory=lambda: defaultdict(dict))
    _named: dict[tuple[str, str], str] | None = None

    def add(self, told: Told, study: str, person: tuple[str, str]) -> None:
        """Take one file in; ``person`` is (name, birth date), "" where unknown."""
        self._by_study.setdefault(study, {})[told] = None
        self._named = None
        if told.has_id and told.issuer:
            self._issuers[told.owner].setdefault(told.issuer, set()).add(person)

    def owner(self, told: Told, study: str) -> str:
        """Whose a file is."""
        if told.has_id:
            return self._with_issuer(told)
        others = {self._with_issuer(other) for other in self._by_study[study] if other.has_id}
        return others.pop() if len(others) == 1 else told.owner

    def own(self) -> dict[str, frozenset[Told]]:
        """What was told of each owner."""
        found: defaultdict[str, set[Told]] = defaultdict(set)
        for study, many in self._by_study.items():
            for told in many:
                found[self.owner(told, study)].add(told)
        return {owner: frozenset(many) for owner, many in found.items()}

    def near(self) -> dict[str, frozenset[Told]]:
        """The same with what was told of anybody in the same studies, or under the same Patient ID."""
        found: defaultdict[str, set[Told]] = defaultdict(set)
        alike: defaultdict[str, set[Told]] = defaultdict(set)
        for study, many in self._by_study.items():
            for told in many:
                found[self.owner(told, study)].update(many)
                alike[told.owner].add(told)
        return {owner: frozenset(many.union(*(alike[told.owner] for told in many))) for owner, many in found.items()}

    def _with_issuer(self, told: Told) -> str:
        if self._named is None:
            self._named = {
                (owner, issuer): name
                for owner, issuers in self._issuers.items()
                for issuer, name in _apart(owner, issuers).items()
            }
        return self._named.get((told.owner, told.issuer), told.owner)


def _apart(owner: str, issuers: dict[str, set[tuple[str, str]]]) -> dict[str, str]:
    """Issuer -> owner: the ID with the first issuer of each patient; {} where all are of one, whose name is the ID."""
    groups: list[tuple[list[str], set[tuple[str, str]]]] = []
    for issuer in sorted(issuers):
        joined = [group for group in groups if are_one(group[1], issuers[issuer])]
        names = [name for group in joined for name in group[0]]
        people = set(issuers[issuer]).union(*(group[1] for group in joined))
        groups = [*(group for group in groups if group not in joined), ([*names, issuer], people)]
    if len(groups) < 2:
        return {}
    return {issuer: f"{owner}|{min(names)}" for names, _ in groups for issuer in names}


def are_one(some: Iterable[tuple[str, str]], others: Iterable[tuple[str, str]]) -> bool:
    """True where what two issuers say of (name, birth date) speaks for one person: nothing known speaks for none."""
    words, births = _known(some)
    other_words, other_births = _known(others)
    return bool(births & other_births if births and other_births else words & other_words)


def _known(people: Iterable[tuple[str, str]]) -> tuple[set[str], set[str]]:
    known = list(people)
    return {word for name, _ in known for word in _WORD.findall(fold(name))}, {birth for _, birth in known if birth}


def are_several(people: Iterable[tuple[str, str]]) -> bool:
    """True where two of these (name, birth date) share neither a word of the name nor the date: hardly one person."""
    known = [(set(_WORD.findall(fold(name))), birth) for name, birth in people]
    known = [(words, birth) for words, birth in known if words and birth]
    return any(one[1] != other[1] and not one[0] & other[0] for n, one in enumerate(known) for other in known[n + 1 :])
