"""A result with what is planned as findings of their own: remnant, what is taken away, margins and what they meet.

Each planned region is coded as the anatomy that it lies in, as tissue beyond the organ; its name and definition say
that it is planned. All findings with voxels get the same measurements in the same order, as tables and TID 1411 groups
want: to those of the run come the volume ratio and the distance to the nearest vessel, said to be missing where they
have no meaning.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from slicermedai.domain.codes import MILLILITER, MILLIMETER, NO_UNITS, VOLUME, Code, Label
from slicermedai.domain.decisions import WHOLE
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, Mask, Measurement, PackedMask
from slicermedai.domain.plan import Plan, PlanStructure, Role
from slicermedai.domain.provenance import Provenance, Step
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.measure.codes import MINIMUM
from slicermedai.plan.belonging import check_belongs, plan_uid
from slicermedai.plan.checks import structure
from slicermedai.plan.drawn import added, changed_in, measured_as, redrawn, sizes_of, warnings_of
from slicermedai.plan.margins import zone_of
from slicermedai.plan.numbers import DISTANCE, VOLUME_RATIO, PlanTable, distance, title
from slicermedai.plan.resection import resect

PREFIX = "Plan: "
"""Begins the warnings of a result that come from its plan."""

_STEP = "planned finding"
_NOT_PLANNED = "not planned for this structure"
_NOT_MEASURED = "not measured of a planned region"
_TISSUE = Code(value="85756007", scheme="SCT", meaning="Tissue")
_BY_A_PERSON = Confidence(
    state=ConfidenceState.NOT_ASSESSED_EDITED, reason="planned by a person, not found by the model"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlannedRegion:
    """A planned region, and its ml counted in parts of voxels; ``ratio`` is to the functional volume."""

    name: str
    label: Label
    region: PackedMask
    ml: float
    definition: str
    ratio: float = math.nan


def planned_result(result: AnalysisResult, plan: Plan, table: PlanTable) -> AnalysisResult:
    """``result`` with the plan's regions as findings and its numbers as measurements.

    Structures that a person edited in the plan have its voxels and are measured anew, those that were added are
    findings of their own. Findings of an earlier plan are replaced. The plan's warnings become warnings of the result,
    which must be read before its numbers; a step of the provenance says that there is a plan.

    Raises
    ------
    GeometryError
        The plan lies on another grid than the result.
    InputError
        It is of other findings, or people since decided otherwise: see :mod:`slicermedai.plan.belonging`.
    """
    check_belongs(plan, result)
    changed = changed_in(plan, result)
    result = redrawn(result, changed)
    regions = list(planned_regions(plan))
    uids = {plan_uid(result, one.name) for one in regions}
    earlier = {step.detail for step in result.provenance.steps if step.name == _STEP}
    kept = [one for one in result.findings if one.tracking_uid not in uids | earlier]
    columns = _columns(kept)
    more = added(result, plan, [*(one.tracking_uid for one in kept), *uids], columns)
    own = [replace(one, measurements=_with_plan(one, plan)) if one.measurements else one for one in (*kept, *more)]
    made = [_finding(result, one, columns) for one in regions]
    told = (*warnings_of(changed), *table.warnings)
    return replace(
        result,
        findings=_numbered([*own, *made]),
        reviews=tuple(one for one in result.reviews if not _of_the_whole(one)),
        provenance=_provenance(result, told, [*more, *made]),
    )


def _numbered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Where findings have numbers that they are known by, what has none gets the next that nothing has."""
    had = [one.number for one in findings]
    if not any(had):
        return tuple(findings)
    free = count(1 + max(had))
    return tuple(one if one.number else replace(one, number=next(free)) for one in findings)


def as_found(result: AnalysisResult) -> AnalysisResult:
    """``result`` without what an earlier plan made: that is worked out anew from the plan."""
    planned = {step.detail for step in result.provenance.steps if step.name == _STEP}
    kept = tuple(one for one in result.findings if one.tracking_uid not in planned)
    return replace(result, findings=kept) if len(kept) < len(result.findings) else result


def _columns(findings: Sequence[Finding]) -> tuple[Measurement, ...]:
    """What findings with voxels are measured by, but for the numbers of a plan: of a box it is measured otherwise."""
    measured = (one.measurements for one in findings if isinstance(one.region, Mask | PackedMask))
    columns: tuple[Measurement, ...] = next(filter(None, measured), ())
    return tuple(one for one in columns if one.name not in (VOLUME_RATIO, DISTANCE))


def _of_the_whole(review: Review) -> bool:
    """Who accepted the result as a whole did not see what is planned."""
    return review.tracking_uid == WHOLE and review.decision is Decision.ACCEPTED


def planned_regions(plan: Plan) -> Iterator[PlannedRegion]:
    """Remnant, resection, each margin and what it meets: vessels, and what lies beyond the organ.

    Their names are those of the findings of a saved plan. Raises as :func:`slicermedai.plan.resection.resect` does.
    """
    organ = structure(plan, plan.organ)
    found = resect(plan)
    if found is not None:
        yield PlannedRegion(
            name=f"{plan.organ}: planned remnant", label=organ.label, region=found.remnant_region, ml=found.remnant,
            ratio=found.of_functional, definition="Functional part of the organ that stays; parts of voxels count.",
        )  # fmt: skip
        yield PlannedRegion(
            name=f"{plan.organ}: planned resection", label=organ.label, region=found.resected_region,
            ml=found.resected, definition="What is taken away, lesions included; parts of voxels count.",
        )  # fmt: skip
    for zone in (zone_of(plan, margin) for margin in plan.margins):
        words = f"Lesion and all within {zone.margin.width:g} mm of its border, in the organ."
        yield PlannedRegion(
            name=f"{title(zone.margin)}: planned margin", label=organ.label, region=zone.region, ml=zone.ml,
            definition=words,
        )  # fmt: skip
        for one in zone.vessels:
            yield PlannedRegion(
                name=f"{title(zone.margin)}: margin in {one.name}", label=structure(plan, one.name).label,
                region=one.region, ml=one.ml, definition="The part of the vessel that the safety margin reaches.",
            )  # fmt: skip
        if zone.beyond_organ is not None:
            yield PlannedRegion(
                name=f"{title(zone.margin)}: margin beyond {plan.organ}",
                label=replace(organ.label, category=_TISSUE, type=_TISSUE),
                region=zone.beyond_organ.region, ml=zone.beyond_organ.ml,
                definition="The part of the safety margin that lies beyond the border of the organ.",
            )  # fmt: skip


def _finding(result: AnalysisResult, one: PlannedRegion, columns: Sequence[Measurement]) -> Finding:
    volume = Measurement(name=VOLUME, value=one.ml, unit=MILLILITER)
    measurements = measured_as(columns, {**sizes_of(one.region), VOLUME: volume}, missing=_NOT_MEASURED)
    return Finding(
        tracking_uid=plan_uid(result, one.name),
        label=replace(one.label, name=one.name, definition=one.definition),
        region=one.region,
        measurements=(*measurements, _ratio(one.ratio), _shortest(None)),
        confidence=_BY_A_PERSON,
    )


def _with_plan(finding: Finding, plan: Plan) -> tuple[Measurement, ...]:
    """Its measurements, then ratio and distance; those of an earlier plan are dropped."""
    kept = [one for one in finding.measurements if one.name not in (VOLUME_RATIO, DISTANCE)]
    mine = next((one for one in plan.structures if _is_of(one, finding)), None)
    lesion = mine.region if mine is not None and mine.role is Role.LESION else None
    return (*kept, _ratio(math.nan), _shortest(lesion, plan))


def _is_of(one: PlanStructure, finding: Finding) -> bool:
    """A structure that was added in the plan is known by its region alone."""
    return one.tracking_uid == finding.tracking_uid if one.tracking_uid else one.region is finding.region


def _ratio(value: float) -> Measurement:
    missing = _NOT_PLANNED if math.isnan(value) else ""
    return Measurement(name=VOLUME_RATIO, value=value, unit=NO_UNITS, missing=missing)


def _shortest(lesion: Mask | PackedMask | None, plan: Plan | None = None) -> Measurement:
    """From a lesion to the nearest of all vessels."""
    vessels = plan.having(Role.VESSEL) if plan is not None and lesion is not None else ()
    if lesion is None or not vessels:
        return Measurement(name=DISTANCE, value=math.nan, unit=MILLIMETER, derivation=MINIMUM, missing=_NOT_PLANNED)
    found = min((distance(lesion, one.region) for one in vessels), key=lambda one: one.mm)
    return Measurement(
        name=DISTANCE, value=found.mm, unit=MILLIMETER, derivation=MINIMUM, points=(found.start, found.end)
    )


def _provenance(result: AnalysisResult, warnings: Sequence[str], made: Sequence[Finding]) -> Provenance:
    old = result.provenance
    kept = tuple(step for step in old.steps if step.name != _STEP)
    steps = tuple(Step(name=_STEP, detail=one.tracking_uid) for one in made)
    told = tuple(f"{PREFIX}{line}" for line in warnings)
    before = tuple(line for line in old.warnings if not line.startswith(PREFIX))
    return replace(old, steps=(*kept, *steps), warnings=(*before, *told))
