"""Whether a plan and a result are of one case, and whether the result still says what the plan was begun with."""

from __future__ import annotations

import numpy as np

from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Finding, Mask, PackedMask, tracking_uid
from slicermedai.domain.plan import Plan, PlanStructure
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import GeometryError, InputError


def check_belongs(plan: Plan, result: AnalysisResult) -> None:
    """Nothing, where ``plan`` was made of ``result`` as it stands now.

    Raises
    ------
    GeometryError
        The plan lies on another grid.
    InputError
        The plan is of other series or findings, or people since decided otherwise about those that it rests on.
    """
    if not plan.geometry.same_grid(result.volume_geometry):
        raise GeometryError(
            "the plan is of another image than the result",
            attribute="geometry",
            advice="Give the result it was made of.",
        )
    if plan.sources and set(plan.sources) != {one.series_uid for one in result.sources}:
        raise InputError(
            "the plan is of another series than the result",
            attribute="SeriesInstanceUID",
            advice="Give the result it was made of.",
        )
    known = {one.tracking_uid for one in result.findings}
    now = {one.tracking_uid: one for one in decided(result).findings}
    for one in plan.structures:
        if one.tracking_uid in known:
            _check_decided(one, now.get(one.tracking_uid))
        elif one.tracking_uid not in ("", drawn_uid(result, one.name)):
            raise InputError(
                f"{one.name!r} is no finding of this result: the plan was made of another one",
                attribute="tracking_uid",
                advice="Give the result it was made of.",
            )


def _check_decided(one: PlanStructure, now: Finding | None) -> None:
    if now is None:
        raise InputError(
            f"a person has rejected {one.name!r} since the plan was begun",
            attribute="reviews",
            advice="Take it out of the plan, or start the plan again.",
        )
    if not one.edited and not same_voxels(one.region, now):
        raise InputError(
            f"the result has other voxels of {one.name!r} than the plan was begun with",
            attribute="reviews",
            advice="Start the plan again, or save it beside the result it was made of.",
        )


def same_voxels(region: Mask | PackedMask, finding: Finding) -> bool:
    """True where ``finding`` has the voxels of ``region``, on one grid."""
    other = finding.region
    if not isinstance(other, (Mask, PackedMask)):
        return False
    return other is region or bool(np.array_equal(region.to_array(), other.to_array()))


def plan_uid(result: AnalysisResult, name: str) -> str:
    """The tracking UID of a planned region of that name."""
    series = result.sources[0].series_uid if result.sources else ""
    return tracking_uid("plan", series, result.provenance.bundle, name)


def drawn_uid(result: AnalysisResult, name: str) -> str:
    """The tracking UID of a structure of that name that a person added to the plan."""
    return plan_uid(result, f"structure {name}")
