"""One structure at two time points: a result takes over the tracking UIDs that an earlier one of the patient has.

Anatomical structures are the same where each result has one of that name, codes and side, unless one frame of reference
shows that they lie apart. Lesions, and lymph nodes, of which a body has many, are the same where they lie at one place,
which can be known in one frame of reference alone, or where a person says so. All else keeps its own UID, one beside
one too, and is told as not matched.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count, filterfalse
from typing import Any

from slicermedai.domain.codes import Code
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Finding, numbered
from slicermedai.domain.overlap import extent_of, lie_apart, overlap
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Study
from slicermedai.errors import IdentityError, InputError

_ANATOMY = {("123037004", "SCT"), ("91723000", "SCT"), ("T-D000A", "SRT")}
"""Categories of what a body has (CID 7150): Anatomical Structure."""
_MANY = re.compile(r"\blymph nodes?\b", re.IGNORECASE)
"""Meanings of codes of which a body has many: one in each study may be two."""
_APART = "not matched: they lie apart in one frame of reference"
_ENOUGH = 0.5
"""The share of the smaller of two lesions that lies in the larger, from which on they are one."""

_Key = tuple[str, Code, Code, Code | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A finding of either result, and how it was known in the other, or why not.

    ``finding`` is its tracking UID as it was before, "" for one of the earlier result alone; ``earlier`` is that of the
    earlier finding, "" where none is known.
    """

    finding: str
    earlier: str
    name: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A result with the tracking UIDs of an earlier one, and what of both is which."""

    result: AnalysisResult
    links: tuple[Link, ...]


def followed(result: AnalysisResult, earlier: AnalysisResult, *, pairs: Mapping[str, str] | None = None) -> Followed:
    """``result`` with the tracking UIDs of ``earlier``, wherever it names findings.

    ``pairs`` is what a person says: a finding of ``result`` -> the earlier one, or "" for none; each by its tracking
    UID, or by its name where that is there once. It goes before all else.

    Raises
    ------
    IdentityError
        The results are of two patients, one of them is of nobody, or they are of two identity routes.
    InputError
        No finding of the one is known in the other, or ``pairs`` names what is not there, or one finding twice.
    """
    check_patient(result.study, earlier.study)
    search = _Search(result, earlier)
    search.by_person(pairs or {})
    search.by_name()
    search.by_place()
    search.without_taken()
    if not search.found:
        raise InputError(
            "no finding of the earlier result is known in this one",
            attribute="earlier",
            advice="Say in a table which finding is which: columns finding and earlier, by tracking UID or name.",
        )
    findings = _numbered(result.findings, numbered(earlier.findings), search.found)
    return Followed(result=_renamed(replace(result, findings=findings), search.found), links=tuple(search.links()))


def check_pairs(pairs: Mapping[str, str], earlier: AnalysisResult) -> None:
    """Raise :class:`InputError` where ``pairs`` name a finding that ``earlier`` has not, or one of it twice.

    That can be told before a model has found anything.
    """
    side = _Side(earlier)
    for known in filter(None, pairs.values()):
        side.said[side.named(known).tracking_uid] = "by the table"


def _numbered(now: tuple[Finding, ...], then: tuple[Finding, ...], uids: Mapping[str, str]) -> tuple[Finding, ...]:
    """What is known has the number that it had, what is new the next that nothing had."""
    had = {one.tracking_uid: one.number for one in then}
    free = count(1 + max(had.values(), default=0))
    return tuple(replace(one, number=had.get(uids.get(one.tracking_uid, ""), 0) or next(free)) for one in now)


def is_earlier(study: Study, other: Study) -> bool:
    """True where ``other`` is another study of the patient, and no later one, as far as both say."""
    try:
        check_patient(study, other)
    except IdentityError:
        return False
    return other.study_uid != study.study_uid and (not study.date or other.date <= study.date)


def check_patient(one: Study, other: Study) -> None:
    """Raise :class:`IdentityError` unless both are known to be of one patient, and of one identity route."""
    if not one.patient_id or one.patient_id != other.patient_id:
        raise IdentityError("the earlier result is not known to be of the same patient", attribute="PatientID")
    for attribute in contradictions(one, other):
        raise IdentityError("the earlier result has that patient's number and is of another", attribute=attribute)
    if one.identity is not other.identity:
        raise IdentityError("the earlier result is of the other identity route", attribute="identity")


def contradictions(one: Study, other: Study) -> Iterator[str]:
    """The attributes beside PatientID that both say of their patient, and say otherwise; of names the one may say more
    than the other.
    """
    if "" != one.issuer != other.issuer != "":
        yield "IssuerOfPatientID"
    if "" != one.birth_date != other.birth_date != "":
        yield "PatientBirthDate"
    said = [set(re.findall(r"\w+", study.patient_name.casefold())) for study in (one, other)]
    if all(said) and not (said[0] <= said[1] or said[1] <= said[0]):
        yield "PatientName"


def _key(one: Finding) -> _Key:
    return one.label.name, one.label.category, one.label.type, one.label.modifier


def _alone(findings: Iterable[Finding]) -> dict[_Key, Finding]:
    """The anatomical structures that are there once."""
    findings = list(findings)
    often = Counter(map(_key, findings))
    return {_key(one): one for one in findings if often[_key(one)] == 1 and _is_anatomy(one)}


def _is_anatomy(one: Finding) -> bool:
    """A structure that a body has once, or once on each side."""
    label = one.label
    return (label.category.value, label.category.scheme) in _ANATOMY and not _MANY.search(label.type.meaning)


def _is_alike(one: Finding, other: Finding) -> bool:
    """Lesions of one kind, on sides that do not contradict each other."""
    if _is_anatomy(one) or _is_anatomy(other):
        return False
    a, b = one.label, other.label
    return (a.category, a.type) == (b.category, b.type) and (
        None in (a.modifier, b.modifier) or a.modifier == b.modifier
    )


class _Side:
    """The findings of one of the two results, and what was said of each, by its UID."""

    def __init__(self, result: AnalysisResult) -> None:
        self.result = decided(result)
        self.said: dict[str, str] = {}

    @property
    def left(self) -> list[Finding]:
        """What nothing was said of yet."""
        return [one for one in self.result.findings if one.tracking_uid not in self.said]

    def named(self, name: str) -> Finding:
        """The finding of that UID, or the one of that name."""
        found = [one for one in self.result.findings if one.tracking_uid == name]
        found = found or [one for one in self.result.findings if one.label.name == name]
        if len(found) != 1:
            raise InputError(
                f"the table names a finding that {'is there several times' if found else 'is not there'}",
                attribute="matches",
                advice="Name it by its tracking UID, as findings.csv has it.",
            )
        if found[0].tracking_uid in self.said:
            raise InputError("the table names one finding twice", attribute="matches")
        return found[0]

    def doubt(self, touched: Mapping[str, int], why: str) -> None:
        """Say of the lesions that are left why none of them was known."""
        for one in filterfalse(_is_anatomy, self.left):
            known = touched.get(one.tracking_uid, 0)
            told = "too little of them lies at one place, or the other touches a further one" if known else why
            told = f"it touches {known} of the other result" if known > 1 else told
            self.said[one.tracking_uid] = f"not matched: {told}"


class _Search:
    """``found``: a finding's UID -> that of the earlier one; ``whole``: also the findings that a person rejected."""

    def __init__(self, result: AnalysisResult, earlier: AnalysisResult) -> None:
        self.now, self.then, self.whole = _Side(result), _Side(earlier), result.findings
        self.found: dict[str, str] = {}

    def _join(self, one: Finding, other: Finding, how: str) -> None:
        self.found[one.tracking_uid] = other.tracking_uid
        self.now.said[one.tracking_uid] = self.then.said[other.tracking_uid] = how

    def by_person(self, pairs: Mapping[str, str]) -> None:
        for own, known in pairs.items():
            one = self.now.named(own)
            if known:
                self._join(one, self.then.named(known), "by the table")
            else:
                self.now.said[one.tracking_uid] = "not matched: the table says so"

    def by_name(self) -> None:
        before = _alone(self.then.left)
        for key, one in _alone(self.now.left).items():
            other = before.get(key)
            if other is not None and self._is_shared and lie_apart(one.region, other.region):
                self.now.said[one.tracking_uid] = self.then.said[other.tracking_uid] = _APART
            elif other is not None:
                self._join(one, other, "the same structure, there once")

    @property
    def _is_shared(self) -> bool:
        """True where places of both results can be compared."""
        spaces = {side.result.volume_geometry.frame_of_reference_uid for side in (self.now, self.then)}
        return len(spaces) == 1 and "" not in spaces

    def by_place(self) -> None:
        """Those pairs of lesions of which neither touches a further one."""
        shared = self._is_shared
        touching = list(_touching(self.now.left, self.then.left)) if shared else []
        now = Counter(one.tracking_uid for one, _, _ in touching)
        then = Counter(other.tracking_uid for _, other, _ in touching)
        for one, other, share in touching:
            if share >= _ENOUGH and now[one.tracking_uid] == then[other.tracking_uid] == 1:
                self._join(one, other, f"at the same place ({share:.0%} of the smaller lies in the larger)")
        why = "nothing of its kind lies there" if shared else "places say nothing without a common frame of reference"
        self.now.doubt(now, why)
        self.then.doubt(then, why)

    def without_taken(self) -> None:
        """Drop what would get a UID that another finding of the result keeps; who keeps its own may be another such."""
        every = {one.tracking_uid for one in self.whole}
        while taken := [own for own, known in self.found.items() if known in every - set(self.found)]:
            for own in taken:
                known = self.found.pop(own)
                self.now.said[own] = self.then.said[known] = "not matched: another finding has its tracking UID"

    def links(self) -> Iterator[Link]:
        """All findings of the result, then those of the earlier one that were not found in it."""
        why = "not matched: not there once in each with that name, codes and side"
        for one in self.now.result.findings:
            uid = one.tracking_uid
            how = self.now.said.get(uid, why)
            yield Link(finding=uid, earlier=self.found.get(uid, ""), name=one.label.name, how=how)
        for one in self.then.result.findings:
            uid = one.tracking_uid
            if uid not in self.found.values():
                yield Link(finding="", earlier=uid, name=one.label.name, how=self.then.said.get(uid, why))


def _touching(now: list[Finding], then: list[Finding]) -> Iterator[tuple[Finding, Finding, float]]:
    """Pairs of lesions of one kind that share some place, and how much of it (:func:`~.overlap.overlap`)."""
    before = [(one, extent_of(one.region)) for one in then]
    for one, extent in [(one, extent_of(one.region)) for one in filterfalse(_is_anatomy, now)]:
        for other, known in before:
            if extent is not None and known is not None and _is_alike(one, other):
                share = overlap(extent, known)
                if share:
                    yield one, other, share


def _renamed(result: AnalysisResult, uids: dict[str, str]) -> AnalysisResult:
    def named(one: Any) -> Any:
        return replace(one, tracking_uid=uids.get(one.tracking_uid, one.tracking_uid))

    def structures(found: Any) -> Any:
        return None if found is None else replace(found, structures=tuple(map(named, found.structures)))

    course = result.course
    if course is not None:
        course = replace(course, curves=tuple(map(named, course.curves)), ejections=tuple(map(named, course.ejections)))
    return replace(
        result,
        course=course,
        findings=tuple(map(named, result.findings)),
        quality=tuple(map(named, result.quality)),
        reviews=tuple(map(named, result.reviews)),
        maps=tuple(replace(one, explains=tuple(uids.get(uid, uid) for uid in one.explains)) for one in result.maps),
        uncertainty=structures(result.uncertainty),
        stability=structures(result.stability),
    )
