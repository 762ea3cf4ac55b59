"""One structure at two time points: a result takes over the tracking UIDs that an earlier one of the patient has.

Anatomical structures are the same where each result has one of that name, codes and side. Lesions keep their own UIDs,
one beside one too, as does what is there several times: which is which only a person can say.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from slicermedai.domain.codes import Code
from slicermedai.domain.finding import Finding
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import IdentityError, InputError

_ANATOMY = {("123037004", "SCT"), ("91723000", "SCT"), ("T-D000A", "SRT")}
"""Categories of what a body has (CID 7150): Anatomical Structure."""

_Key = tuple[str, Code, Code, Code | None]


def followed(result: AnalysisResult, earlier: AnalysisResult) -> AnalysisResult:
    """``result`` with the tracking UIDs of ``earlier``, wherever it names findings.

    Raises
    ------
    IdentityError
        The results are of two patients, one of them is of nobody, or they are of two identity routes.
    InputError
        No anatomical structure of the one is in the other.
    """
    _check_patient(result, earlier)
    before = _alone(earlier)
    uids = {one.tracking_uid: before[key].tracking_uid for key, one in _alone(result).items() if key in before}
    if not uids:
        raise InputError("no anatomical structure of the earlier result is in this one", attribute="earlier")
    others = {one.tracking_uid for one in result.findings} - set(uids)
    return _renamed(result, {old: new for old, new in uids.items() if new not in others})


def _check_patient(result: AnalysisResult, earlier: AnalysisResult) -> None:
    one, other = result.study, earlier.study
    if not one.patient_id or one.patient_id != other.patient_id:
        raise IdentityError("the earlier result is not known to be of the same patient", attribute="PatientID")
    if one.identity is not other.identity:
        raise IdentityError("the earlier result is of the other identity route", attribute="identity")


def _key(one: Finding) -> _Key:
    return one.label.name, one.label.category, one.label.type, one.label.modifier


def _alone(result: AnalysisResult) -> dict[_Key, Finding]:
    """The anatomical structures that are there once."""
    often = Counter(map(_key, result.findings))
    return {_key(one): one for one in result.findings if often[_key(one)] == 1 and _is_anatomy(one)}


def _is_anatomy(one: Finding) -> bool:
    return (one.label.category.value, one.label.category.scheme) in _ANATOMY


def _renamed(result: AnalysisResult, uids: dict[str, str]) -> AnalysisResult:
    def named(one: Any) -> Any:
        return replace(one, tracking_uid=uids.get(one.tracking_uid, one.tracking_uid))

    def structures(found: Any) -> Any:
        return None if found is None else replace(found, structures=tuple(map(named, found.structures)))

    return replace(
        result,
        findings=tuple(map(named, result.findings)),
        quality=tuple(map(named, result.quality)),
        reviews=tuple(map(named, result.reviews)),
        maps=tuple(replace(one, explains=tuple(uids.get(uid, uid) for uid in one.explains)) for one in result.maps),
        uncertainty=structures(result.uncertainty),
        stability=structures(result.stability),
    )
