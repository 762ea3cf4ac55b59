"""Whose files these are, once all headers were read.

The Patient ID tells patients apart; where several issuers gave out the same one, and it stands with different names and
birth dates, ID and issuer do: what sites write for an issuer varies for one patient too. A file without ID is the only
patient's whose ID other files of its study have.
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
    _issuers: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _people: defaultdict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    _counted: frozenset[str] | None = None

    def add(self, told: Told, study: str, person: tuple[str, str]) -> None:
        """Take one file in; ``person`` is (name, birth date), "" where unknown."""
        self._by_study.setdefault(study, {})[told] = None
        self._counted = None
        if told.has_id and told.issuer:
            self._issuers[told.owner].add(told.issuer)
            self._people[told.owner].add(person)

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
        return f"{told.owner}|{told.issuer}" if told.issuer and told.owner in self._shared() else told.owner

    def _shared(self) -> frozenset[str]:
        """The IDs that several issuers gave to several people; counted anew once something was taken in."""
        if self._counted is None:
            doubled = [owner for owner, issuers in self._issuers.items() if len(issuers) > 1]
            self._counted = frozenset(one for one in doubled if are_several(self._people[one]))
        return self._counted


def are_several(people: Iterable[tuple[str, str]]) -> bool:
    """True where two of these (name, birth date) share neither a word of the name nor the date: hardly one person."""
    known = [(set(_WORD.findall(fold(name))), birth) for name, birth in people]
    known = [(words, birth) for words, birth in known if words and birth]
    return any(one[1] != other[1] and not one[0] & other[0] for n, one in enumerate(known) for other in known[n + 1 :])
