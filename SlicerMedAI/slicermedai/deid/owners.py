"""Whose files these are, once all headers were read.

Patient ID and issuer tell patients apart: two sites may give out one ID. What sites write for an issuer varies for one
patient too, and it may be missing: then name and birth date tell whether files with one ID are of one patient
(:mod:`slicermedai.deid.persons`). A file without ID is the only patient's whose ID other files of its study have. What
a re-identification table knows of earlier runs goes before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from slicermedai.deid.persons import Person, are_one, is_stranger, speaks_against, speaks_for_one
from slicermedai.deid.tokens import fold


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an earlier run said of one patient; ``issuers`` as :func:`issuer_key` writes them."""

    owner: str = field(repr=False)
    issuers: frozenset[str] = field(repr=False)
    people: tuple[Person, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Issuers of one Patient ID whose files were taken for one patient's; "" stands for none."""

    issuers: frozenset[str] = field(repr=False)
    people: frozenset[Person] = field(repr=False)

    def joined(self, others: Iterable[Group]) -> Group:
        """All of them together."""
        many = (self, *others)
        return Group(
            frozenset().union(*(one.issuers for one in many)), frozenset().union(*(one.people for one in many))
        )


@dataclass(slots=True, eq=False)
class Owners:
    """Collects what all headers say. ``known`` is what earlier runs said, by Patient ID."""

    known: dict[str, list[Known]] = field(default_factory=dict, repr=False)
    _by_study: dict[str, dict[Told, None]] = field(default_factory=dict)
    _people: defaultdict[str, dict[str, set[Person]]] = field(default_factory=lambda: defaultdict(dict))
    _groups: dict[str, dict[str, Group]] | None = None
    _named: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, told: Told, study: str, person: Person) -> None:
        """Take one file in; ``person`` is (name, birth date), "" where unknown."""
        self._by_study.setdefault(study, {})[told] = None
        self._groups = None
        if told.has_id:
            self._people[told.owner].setdefault(issuer_key(told.issuer), set()).add(person)

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

    def joined(self) -> tuple[str, ...]:
        """Owners of whom several issuers, or one and none, were taken for one patient's."""
        return tuple(
            owner for owners in self._all().values() for owner, group in owners.items() if len(group.issuers) > 1
        )

    def doubted(self) -> tuple[tuple[str, ...], ...]:
        """Owners of one Patient ID that were taken for several though something speaks for one patient."""
        found = []
        for owners in self._all().values():
            unsure = {
                name
                for one, group in owners.items()
                for other, another in owners.items()
                if one < other and speaks_for_one(group.people, another.people)
                for name in (one, other)
            }
            found += [tuple(sorted(unsure))] if unsure else []
        return tuple(found)

    def strangers(self) -> frozenset[str]:
        """Owners under whose name an earlier run has somebody else."""
        before = {one.owner: one for many in self.known.values() for one in many}
        return frozenset(
            owner
            for owners in self._all().values()
            for owner, group in owners.items()
            if owner in before and is_stranger(group.people, before[owner].people)
        )

    def _with_issuer(self, told: Told) -> str:
        self._all()
        return self._named.get((told.owner, issuer_key(told.issuer)), told.owner)

    def _all(self) -> dict[str, dict[str, Group]]:
        """Patient ID -> owner -> what was said of it."""
        if self._groups is None:
            self._groups, self._named = {}, {}
            for identifier, issuers in self._people.items():
                groups = _apart(issuers)
                made = self._groups[identifier] = _as_named(identifier, groups, self.known.get(identifier, ()))
                self._named.update(
                    ((identifier, issuer), owner) for owner, group in made.items() for issuer in group.issuers
                )
        return self._groups


def issuer_key(issuer: str) -> str:
    """An issuer as it is compared: letters and digits without case and diacritics."""
    return "".join(c for c in fold(issuer) if c.isalnum())


def _apart(issuers: dict[str, set[Person]]) -> list[Group]:
    """One group for each patient. Files without issuer are of the only one where nothing speaks against it."""
    groups: list[Group] = []
    for issuer in sorted(issuers):
        new = Group(frozenset({issuer}), frozenset(issuers[issuer]))
        same = [group for group in groups if are_one(group.people, new.people)]
        groups = [*(group for group in groups if group not in same), new.joined(same)]
    bare = [group for group in groups if group.issuers == {""}]
    if len(groups) == 2 and bare and not speaks_against(groups[0].people, groups[1].people):
        return [groups[0].joined(groups[1:])]
    return groups


def _as_named(identifier: str, groups: list[Group], known: Iterable[Known]) -> dict[str, Group]:
    """The groups by owner: the one that an earlier run gave, or the ID with its first issuer."""
    before, found = list(known), dict[str, Group]()
    for group in groups:
        issuer = min((issuer for issuer in group.issuers if issuer), default="")
        owner = _known_as(group, before) or (f"{identifier}|{issuer}" if issuer else identifier)
        found[owner] = group.joined([found[owner]]) if owner in found else group
    return found


def _known_as(group: Group, known: list[Known]) -> str:
    """The owner of an earlier run: by name and birth date, or else by the issuer; "" where there is none."""
    same = [one for one in known if not is_stranger(group.people, one.people)]
    alike = [one for one in same if are_one(group.people, one.people)]
    issued = [one for one in same if one.issuers & group.issuers]
    return next((one.owner for one in (*alike, *issued)), "")
