"""What people decided about the findings of a result, applied: in scene, report and every exported object alike.

The last decision about a finding counts, and an edit that was accepted stays one. A rejected finding is left out and an
edited one has the person's voxels, with the numbers that were measured anew when the edit was saved. Until then its
volume alone is counted; its other numbers, and for good its confidence and its expected quality, are of voxels that are
no more, and are said to be missing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from slicermedai.domain.change import FollowUp
from slicermedai.domain.counting import is_counted, milliliters
from slicermedai.domain.course import Course, Ejection
from slicermedai.domain.finding import (
    Confidence,
    ConfidenceState,
    Finding,
    Mask,
    Measurement,
    PackedMask,
    Region,
    numbered,
)
from slicermedai.domain.nodule import Nodule
from slicermedai.domain.result import AnalysisResult, Decision, Quality, Review
from slicermedai.domain.stability import Stability
from slicermedai.domain.study import Identity
from slicermedai.domain.uncertainty import Uncertainty
from slicermedai.errors import FormatError

_T = TypeVar("_T", Uncertainty, Stability)
WHOLE = ""
"""The tracking UID of a review of the result as a whole."""

_CHANGES = {
    Decision.REJECTED: "rejected by a person, and is left out",
    Decision.EDITED: "edited by a person",
}
NOT_AGAIN = "not measured again after a person edited the voxels"
"""Why an edited finding lacks a number."""
_NOT_OVER_TIME = "a person edited or rejected it in the frame that is shown, and its volumes are the model's"
_EDITED = "a person edited this structure: what was predicted is not what is there now"


def decided(result: AnalysisResult) -> AnalysisResult:
    """``result`` with the decisions applied and a warning for each change; where nobody changed it, or it was applied
    before, as it is.

    Raises
    ------
    FormatError
        A review of a finding that is not there, or an edit without voxels.
    """
    last = last_decisions(result)
    _check_known(result, last)
    findings = numbered(result.findings)
    kept = tuple(_edited(one, last.get(one.tracking_uid)) for one in findings if not _rejected(one, last))
    remarks = [line for line in _remarks(result, last) if line not in result.provenance.warnings]
    if not remarks:
        return result
    made = dataclasses.replace(result.provenance, warnings=(*result.provenance.warnings, *remarks))
    quality = tuple(_expected(one, last.get(one.tracking_uid)) for one in result.quality if not _rejected(one, last))
    return dataclasses.replace(
        result,
        findings=kept,
        quality=quality,
        uncertainty=_unchanged(result.uncertainty, last),
        stability=_unchanged(result.stability, last),
        course=_without_changed(result.course, last),
        follow_up=_of_the_model(result.follow_up, last),
        provenance=made,
    )


def is_edited(result: AnalysisResult, finding: Finding) -> bool:
    """True where the voxels of ``finding`` are not what the model found: a person changed or planned them."""
    review = last_decisions(result).get(finding.tracking_uid)
    if finding.confidence.state is ConfidenceState.NOT_ASSESSED_EDITED:
        return True
    return review is not None and review.decision is Decision.EDITED


def last_decisions(result: AnalysisResult) -> dict[str, Review]:
    """The last review of each finding by its tracking UID, and of the whole by :data:`WHOLE`.

    Who accepts an edited finding accepts the edit: its voxels stay, and the decision is theirs. What a person entered
    of a nodule stays until it is entered anew or taken back, or the finding is rejected.
    """
    last: dict[str, Review] = {}
    for review in result.reviews:
        last[review.tracking_uid] = _on_top(last.get(review.tracking_uid), review)
    return last


def _on_top(before: Review | None, review: Review) -> Review:
    if before is not None and review.nodule is None and review.decision is not Decision.REJECTED:
        review = dataclasses.replace(review, nodule=_nodule_of(before, review))
    if before is None or before.decision is not Decision.EDITED or review.decision is not Decision.ACCEPTED:
        return review
    return dataclasses.replace(
        before,
        person=review.person,
        time=review.time,
        reason=review.reason or before.reason,
        rating=review.rating or before.rating,
        nodule=review.nodule,
    )


def _nodule_of(before: Review, review: Review) -> Nodule | None:
    """What was entered before; sizes that a person measured are not those of voxels that were drawn since."""
    nodule = before.nodule
    if nodule is None or review.decision is not Decision.EDITED or _same_voxels(before.region, review.region):
        return nodule
    return dataclasses.replace(nodule, diameter=None, solid_part=None)


def _same_voxels(one: Region | None, other: Region | None) -> bool:
    if one is other:
        return True
    if not isinstance(one, Mask | PackedMask) or not isinstance(other, Mask | PackedMask):
        return False
    return one.geometry.same_grid(other.geometry) and np.array_equal(one.to_array(), other.to_array())


def _check_known(result: AnalysisResult, last: dict[str, Review]) -> None:
    known = {WHOLE, *(finding.tracking_uid for finding in result.findings)}
    unknown = [uid for uid, review in last.items() if uid not in known and review.decision is not Decision.REJECTED]
    if unknown:
        raise FormatError(f"{len(unknown)} reviews are of findings that the result has not", attribute="reviews")


def _rejected(one: Finding | Quality, last: dict[str, Review]) -> bool:
    review = last.get(one.tracking_uid)
    return review is not None and review.decision is Decision.REJECTED


def _edited(finding: Finding, review: Review | None) -> Finding:
    if review is None or review.decision is not Decision.EDITED:
        return finding
    region = review.region
    if not isinstance(region, (Mask, PackedMask)):
        raise FormatError(
            f"finding {finding.label.name!r} was edited, and its new voxels are not there", attribute="reviews"
        )
    return dataclasses.replace(
        finding,
        region=region,
        measurements=tuple(_again(one, region, review.measurements) for one in finding.measurements),
        confidence=Confidence(state=ConfidenceState.NOT_ASSESSED_EDITED),
    )


def _expected(quality: Quality, review: Review | None) -> Quality:
    if review is None or review.decision is not Decision.EDITED:
        return quality
    return Quality(tracking_uid=quality.tracking_uid, state="not assessed (edited)", reason=_EDITED)


def _unchanged(found: _T | None, last: dict[str, Review]) -> _T | None:
    """Only structures that nobody rejected or edited: samples and checks are of the network's answer alone."""
    if found is None:
        return None
    changed = {uid for uid, review in last.items() if review.decision in _CHANGES}
    kept = tuple(one for one in found.structures if one.tracking_uid not in changed)
    return dataclasses.replace(found, structures=kept)


def _without_changed(course: Course | None, last: dict[str, Review]) -> Course | None:
    """No ejection fraction of a structure that a person changed in the frame that is shown."""
    if course is None:
        return None
    changed = {uid for uid, review in last.items() if review.decision in _CHANGES}
    held = tuple(
        Ejection(tracking_uid=one.tracking_uid, label=one.label, refused=_NOT_OVER_TIME)
        if one.tracking_uid in changed and not one.refused
        else one
        for one in course.ejections
    )
    return dataclasses.replace(course, ejections=held)


def _of_the_model(found: FollowUp | None, last: dict[str, Review]) -> FollowUp | None:
    """No change of a structure whose volume is another now."""
    if found is None:
        return None
    changed = {uid for uid, review in last.items() if review.decision in _CHANGES}
    kept = tuple(one for one in found.changes if one.tracking_uid not in changed)
    lost = (f"{one.label.name}: {_EDITED}" for one in found.changes if one.tracking_uid in changed)
    return dataclasses.replace(found, changes=kept, unmatched=(*found.unmatched, *lost))


def _again(one: Measurement, region: Mask | PackedMask, measured: Sequence[Measurement]) -> Measurement:
    again = next((other for other in measured if is_same_number(one, other)), None)
    if again is not None:
        return again
    if is_counted(one):
        return dataclasses.replace(one, value=milliliters(region), interval=None)
    return dataclasses.replace(one, value=math.nan, interval=None, points=(), missing=NOT_AGAIN)


def is_same_number(one: Measurement, other: Measurement) -> bool:
    """True where both measure the same in the same way, whatever came of it."""
    named = [(item.name, item.derivation, item.method, item.unit) for item in (one, other)]
    return named[0] == named[1]


def _remarks(result: AnalysisResult, last: dict[str, Review]) -> list[str]:
    """What people must know of the changes, with the reasons that were given: free text, not for the other route."""
    told = []
    if WHOLE in last and last[WHOLE].decision is not Decision.ACCEPTED:
        told.append(f"The result as a whole was {last[WHOLE].decision} by a person{_reason(last[WHOLE], result)}.")
    for finding in result.findings:
        review = last.get(finding.tracking_uid)
        if review is not None and review.decision in _CHANGES:
            told.append(f"{finding.label.name} was {_CHANGES[review.decision]}{_reason(review, result)}.")
    return told


def _reason(review: Review, result: AnalysisResult) -> str:
    return f": {review.reason}" if review.reason and result.study.identity is Identity.KEEP else ""
