"""What a person drew in a plan, as findings of its result: redrawn structures in place of what the model found, and
added ones beside it, all measured in their voxels as they are now.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from slicermedai.domain.codes import Code
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, Mask, Measurement, PackedMask
from slicermedai.domain.plan import Plan, PlanStructure
from slicermedai.domain.result import AnalysisResult, Quality
from slicermedai.domain.stability import Stability
from slicermedai.domain.uncertainty import Uncertainty
from slicermedai.measure.methods import METHODS, measure
from slicermedai.plan.belonging import drawn_uid, same_voxels

SIZES = tuple(name for name in METHODS if name in {"volume", "long axis", "short axis", "3D diameter", "surface area"})

_T = TypeVar("_T", Uncertainty, Stability)
_REDRAWN = "redrawn by a person in the plan"
_ADDED = "added by a person to the plan"
_NOT_MEASURED = "not measured of what a person drew in the plan"


def changed_in(plan: Plan, result: AnalysisResult) -> Mapping[str, PlanStructure]:
    """Structures that a person edited in ``plan``, by the tracking UID of the finding that has other voxels."""
    now = {one.tracking_uid: one for one in decided(result).findings}
    edited = [one for one in plan.structures if one.edited and one.tracking_uid in now]
    return {one.tracking_uid: one for one in edited if not same_voxels(one.region, now[one.tracking_uid])}


def redrawn(result: AnalysisResult, changed: Mapping[str, PlanStructure]) -> AnalysisResult:
    """``result`` with the voxels of ``changed``, measured anew.

    What was decided and expected of the earlier voxels is left out; it stays in the result the plan was made of.
    """
    if not changed:
        return result
    return replace(
        result,
        findings=tuple(_redrawn(one, changed.get(one.tracking_uid)) for one in result.findings),
        reviews=tuple(one for one in result.reviews if one.tracking_uid not in changed),
        quality=tuple(_quality(one, changed) for one in result.quality),
        uncertainty=_without(result.uncertainty, changed),
        stability=_without(result.stability, changed),
    )


def warnings_of(changed: Mapping[str, PlanStructure]) -> list[str]:
    """What must be known of the findings that :func:`redrawn` changed."""
    return [f"{one.name} was {_REDRAWN}: what was decided about it before is left out." for one in changed.values()]


def added(result: AnalysisResult, plan: Plan, known: Iterable[str], columns: Sequence[Measurement]) -> list[Finding]:
    """A finding for each structure of ``plan`` whose tracking UID is not among ``known``, measured as ``columns``."""
    there = set(known)
    return [_added(result, one, columns) for one in plan.structures if one.tracking_uid not in there]


def measured_as(
    columns: Sequence[Measurement], found: Mapping[Code, Measurement], *, missing: str
) -> list[Measurement]:
    """``columns`` with the numbers of ``found``; where it has none, ``missing`` says why. ``found`` without columns."""
    return [_column(one, found.get(one.name), missing) for one in columns] if columns else list(found.values())


def sizes_of(region: Mask | PackedMask) -> dict[Code, Measurement]:
    """:data:`SIZES` of a region by the codes of their names."""
    return {one.name: one for one in measure(region, wanted=SIZES)}


def _column(column: Measurement, found: Measurement | None, missing: str) -> Measurement:
    if found is not None and column.derivation is None and found.unit == column.unit:
        return found
    return replace(column, value=math.nan, interval=None, points=(), missing=missing)


def _redrawn(finding: Finding, one: PlanStructure | None) -> Finding:
    if one is None:
        return finding
    measurements = finding.measurements
    if measurements:
        measurements = tuple(measured_as(measurements, sizes_of(one.region), missing=_NOT_MEASURED))
    return replace(finding, region=one.region, measurements=measurements, confidence=_by_hand(_REDRAWN))


def _added(result: AnalysisResult, one: PlanStructure, columns: Sequence[Measurement]) -> Finding:
    return Finding(
        tracking_uid=one.tracking_uid or drawn_uid(result, one.name),
        label=replace(one.label, name=one.name),
        region=one.region,
        measurements=tuple(measured_as(columns, sizes_of(one.region), missing=_NOT_MEASURED)),
        confidence=_by_hand(f"brought from the phase {one.phase}" if one.phase else _ADDED),
    )


def _by_hand(reason: str) -> Confidence:
    return Confidence(state=ConfidenceState.NOT_ASSESSED_EDITED, reason=reason)


def _quality(one: Quality, changed: Mapping[str, PlanStructure]) -> Quality:
    if one.tracking_uid not in changed:
        return one
    return Quality(tracking_uid=one.tracking_uid, state=ConfidenceState.NOT_ASSESSED_EDITED.value, reason=_REDRAWN)


def _without(found: _T | None, changed: Mapping[str, PlanStructure]) -> _T | None:
    if found is None:
        return None
    return replace(found, structures=tuple(one for one in found.structures if one.tracking_uid not in changed))
