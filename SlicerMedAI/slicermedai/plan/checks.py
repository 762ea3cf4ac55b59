"""What cannot be planned is refused by name, before a number is made of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.domain.geometry import Geometry
from slicermedai.domain.plan import Alignment, Plan, PlanStructure, Role
from slicermedai.domain.suggest import did_you_mean
from slicermedai.errors import GeometryError, InputError

LIVER = ("SCT", "10200004")


def check_plan(plan: Plan) -> Plan:
    """``plan`` itself.

    Raises
    ------
    GeometryError
        A structure lies on another grid or in another frame of reference than the plan, or comes from a phase that was
        not aligned with it within the limit.
    InputError
        Two structures of one name, a name that is not there, a structure without voxels, a lesion outside the organ, or
        a standard liver for an organ that is none.
    """
    _check_names(plan)
    _check_liver(plan)
    for one in plan.structures:
        check_grid(one.name, one.region.geometry, plan.geometry)
        phase_of(plan, one)
        if not one.region.to_array().any():
            raise InputError(
                f"{one.name!r} has no voxels", attribute="structures", advice="Draw it, or leave it out of the plan."
            )
    organ = structure(plan, plan.organ).region.to_array()
    for lesion in plan.having(Role.LESION):
        if not touches(lesion.region.to_array(), organ):
            raise InputError(
                f"the lesion {lesion.name!r} lies outside of {plan.organ!r}",
                attribute="structures",
                advice="Correct one of them, or choose the organ that the lesion is in.",
            )
    return plan


def _check_liver(plan: Plan) -> None:
    label = structure(plan, plan.organ).label
    if plan.body is None or (label.type.scheme, label.type.value) == LIVER:
        return
    raise InputError(
        f"{plan.organ!r} is no liver, and has no standard liver volume",
        attribute="body",
        advice="Leave height and weight out, or choose the finding that is coded as liver (SCT 10200004).",
    )


def structure(plan: Plan, name: str) -> PlanStructure:
    """The structure of that name; raises InputError where there is none."""
    for one in plan.structures:
        if one.name == name:
            return one
    advice = did_you_mean(name, plan.names) or f"The plan has {', '.join(map(repr, plan.names))}."
    raise InputError(f"the plan has no structure {name!r}", attribute="structures", advice=advice)


def lesion(plan: Plan, name: str) -> PlanStructure:
    """The lesion of that name; raises InputError where there is none."""
    found = structure(plan, name)
    if found.role is not Role.LESION:
        raise InputError(
            f"{name!r} is no lesion of the plan", attribute="lesion", advice="A margin is drawn around a lesion."
        )
    return found


def check_grid(name: str, grid: Geometry, plan: Geometry) -> None:
    """Raises GeometryError where ``grid`` is not that of the plan."""
    frames = grid.frame_of_reference_uid, plan.frame_of_reference_uid
    if all(frames) and frames[0] != frames[1]:
        raise GeometryError(
            f"{name!r} lies in another frame of reference than the plan",
            attribute="FrameOfReferenceUID",
            advice="Align the phases first, and bring the structure over with the transform that was found.",
        )
    if not grid.same_grid(plan):
        raise GeometryError(
            f"{name!r} lies on another grid than the plan",
            attribute="geometry",
            advice="Bring it onto the grid of the plan's image first.",
        )


def phase_of(plan: Plan, one: PlanStructure) -> Alignment | None:
    """How the phase that a structure was brought from lies to the plan's; None where it is of the plan's own image.

    Raises GeometryError where that is not known, or refused.
    """
    if not one.phase:
        return None
    found = next((known for known in plan.alignments if known.moving == one.phase), None)
    if found is None or not found.accepted:
        why = "it is not known how that lies" if found is None else found.in_words
        raise GeometryError(
            f"{one.name!r} of the phase {one.phase!r} cannot be used here: {why}",
            attribute="alignments",
            advice="Register the phases, measure what is left by a structure or landmarks in both, and look at it.",
        )
    return found


def touches(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """True where masks overlap or are neighbours: exclusive labels cut a lesion out of its organ."""
    return bool((one & other).any()) or bool((ndimage.binary_dilation(one, _NEIGHBOURS) & other).any())


_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def _check_names(plan: Plan) -> None:
    doubled = {name for name in plan.names if plan.names.count(name) > 1}
    if doubled:
        raise InputError(
            f"two structures are called {sorted(doubled)[0]!r}", attribute="structures", advice="Rename one of them."
        )
    structure(plan, plan.organ)
    for margin in plan.margins:
        lesion(plan, margin.lesion)
    for pair in plan.pairs:
        for name in pair:
            structure(plan, name)
    cuts = [cut.name for cut in plan.cuts]
    if len(set(cuts)) < len(cuts):
        raise InputError("two cuts have one name", attribute="cuts", advice="Rename one of them.")
