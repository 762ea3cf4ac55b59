"""Edits of a plan. Each is a function from a plan to another that was checked; the first stays as it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.codes import Label
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.plan import Body, Cut, Margin, Plan, PlanStructure, Role
from slicermedai.errors import GeometryError, InputError
from slicermedai.plan.body import standard_liver
from slicermedai.plan.checks import check_plan, structure
from slicermedai.plan.resection import resect


def with_structure(  # noqa: PLR0913 - what a structure is
    plan: Plan, name: str, *, role: Role, label: Label, region: Mask | PackedMask, phase: str = ""
) -> Plan:
    """With one structure more, drawn in the plan's own image, or brought from another ``phase``.

    Raises as :func:`slicermedai.plan.checks.check_plan` does: GeometryError too where the plan has no alignment of that
    phase (:func:`slicermedai.plan.phases.with_alignment`), or one that is refused.
    """
    made = PlanStructure(name=name, role=role, label=label, region=region, edited=True, phase=phase)
    return check_plan(replace(plan, structures=(*plan.structures, made)))


def without_structure(plan: Plan, name: str) -> Plan:
    """Without a structure, and without the margins and cuts that are drawn around it.

    Raises
    ------
    InputError
        There is none of that name, or it is the organ.
    """
    structure(plan, name)
    if name == plan.organ:
        raise InputError("the organ cannot leave the plan", attribute="organ", advice="Start a plan of another organ.")
    return check_plan(
        replace(
            plan,
            structures=tuple(one for one in plan.structures if one.name != name),
            margins=tuple(one for one in plan.margins if one.lesion != name),
            cuts=tuple(one for one in plan.cuts if getattr(one, "lesion", "") != name),
            pairs=tuple(pair for pair in plan.pairs if name not in pair),
            contours=tuple(one for one in plan.contours if one.structure != name),
        )
    )


def with_region(plan: Plan, name: str, region: Mask | PackedMask | NDArray[np.bool_]) -> Plan:
    """With the voxels that a person drew for the structure ``name``: a region, or bool (slices, rows, columns).

    Raises
    ------
    GeometryError, InputError
        It lies elsewhere, is empty, or a lesion now lies outside of the organ, or a cut misses it.
    """
    old = structure(plan, name)
    if isinstance(region, np.ndarray):
        if region.shape != plan.geometry.shape:
            raise GeometryError(f"the mask of {name!r} has another shape than the plan's grid", attribute="shape")
        region = PackedMask.from_array(region.astype(bool), plan.geometry)
    new = replace(old, region=region, edited=True)
    made = check_plan(replace(plan, structures=tuple(new if one is old else one for one in plan.structures)))
    resect(made)
    return made


def with_margin(plan: Plan, lesion: str, width: float) -> Plan:
    """With a safety margin of ``width`` mm around ``lesion``; one that is there already is not doubled."""
    margin = Margin(lesion=lesion, width=width)
    kept = tuple(one for one in plan.margins if one != margin)
    return check_plan(replace(plan, margins=(*kept, margin)))


def without_margin(plan: Plan, lesion: str, width: float) -> Plan:
    """Without that margin; raises InputError where there is none."""
    margin = Margin(lesion=lesion, width=width)
    if margin not in plan.margins:
        raise InputError(f"the plan has no margin of {width:g} mm around {lesion!r}", attribute="margins")
    return replace(plan, margins=tuple(one for one in plan.margins if one != margin))


def with_cut(plan: Plan, cut: Cut) -> Plan:
    """With ``cut``, in the place of the one of its name where there is one: so a plane is moved.

    Raises
    ------
    InputError
        It misses the organ, leaves nothing of it, or is drawn around what is no lesion.
    """
    names = [one.name for one in plan.cuts]
    cuts = tuple(cut if one.name == cut.name else one for one in plan.cuts)
    made = check_plan(replace(plan, cuts=cuts if cut.name in names else (*plan.cuts, cut)))
    resect(made)
    return made


def without_cut(plan: Plan, name: str) -> Plan:
    """Without the cut of that name; raises InputError where there is none."""
    if name not in [one.name for one in plan.cuts]:
        raise InputError(f"the plan has no cut {name!r}", attribute="cuts")
    return replace(plan, cuts=tuple(one for one in plan.cuts if one.name != name))


def with_body(plan: Plan, body: Body | None) -> Plan:
    """With the patient's height and weight.

    Raises InputError where the formula was not made for such a patient, or the organ is no liver.
    """
    if body is not None:
        standard_liver(body)
    return check_plan(replace(plan, body=body))


def with_pair(plan: Plan, first: str, second: str) -> Plan:
    """With the distance between two structures in the table."""
    return check_plan(replace(plan, pairs=(*plan.pairs, (first, second))))


def with_notes(plan: Plan, notes: Iterable[str]) -> Plan:
    """With what a person wants every reader to know, in place of what was noted before."""
    return replace(plan, notes=tuple(notes))
