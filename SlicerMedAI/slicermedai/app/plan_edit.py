"""What a person changes in a plan, as values; whether it can be carried out is found out by who works out its numbers.

Each function gives another plan; the first stays as it was, so that undo is going back to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from slicermedai.domain.finding import Box, Mask, PackedMask
from slicermedai.domain.geometry import FloatArray
from slicermedai.domain.plan import Body, BoxCut, Cut, Margin, Place, Plan, PlaneCut, PlanStructure, Role

_ROOM = 10.0
"""mm around a lesion, where a cut is put first."""

Step = Margin | Cut


def steps(plan: Plan) -> tuple[Step, ...]:
    """Margins, then cuts: what can be taken out of the plan again."""
    return (*plan.margins, *plan.cuts)


def with_step(plan: Plan, step: Step) -> Plan:
    """With a margin, or a cut in the place of the one of its name; nothing is doubled."""
    if isinstance(step, Margin):
        return replace(plan, margins=(*(one for one in plan.margins if one != step), step))
    cuts = tuple(step if one.name == step.name else one for one in plan.cuts)
    return replace(plan, cuts=cuts if step in cuts else (*cuts, step))


def without_step(plan: Plan, step: Step) -> Plan:
    """Without a margin or a cut."""
    return replace(
        plan,
        margins=tuple(one for one in plan.margins if one != step),
        cuts=tuple(one for one in plan.cuts if one != step),
    )


def with_cuts(plan: Plan, changed: Mapping[str, Cut | None]) -> Plan:
    """With cuts as somebody moved them in the scene, by their names; None for one that was deleted there."""
    cuts = (changed.get(one.name, one) for one in plan.cuts)
    return replace(plan, cuts=tuple(one for one in cuts if one is not None))


def with_regions(plan: Plan, drawn: Mapping[str, PackedMask]) -> Plan:
    """With voxels that a person drew, by the names of structures."""
    made = (replace(one, region=drawn[one.name], edited=True) if one.name in drawn else one for one in plan.structures)
    return replace(plan, structures=tuple(made))


def with_body(plan: Plan, body: Body | None) -> Plan:
    """With the patient's size, or without it."""
    return replace(plan, body=body)


def turned(cut: PlaneCut) -> PlaneCut:
    """The same plane, that takes the other side away."""
    left, posterior, superior = (-value for value in cut.normal)
    return replace(cut, normal=(left, posterior, superior))


def free_name(plan: Plan, word: str) -> str:
    """ "plane 1" or the next number that no cut has."""
    taken = {one.name for one in plan.cuts}
    return next(name for name in (f"{word} {number}" for number in range(1, len(taken) + 2)) if name not in taken)


def first_plane(plan: Plan, name: str) -> PlaneCut:
    """Where a plane is put first: beside the first lesion, so that it goes; else through the middle of the organ."""
    organ = next(one for one in plan.structures if one.name == plan.organ)
    middle, _ = middle_and_reach(organ.region)
    lesions = plan.having(Role.LESION)
    if not lesions:
        return PlaneCut(name=name, point=_place(middle), normal=(-1.0, 0.0, 0.0))
    center, reach = middle_and_reach(lesions[0].region)
    way = center - middle
    length = float(np.linalg.norm(way))
    unit = way / length if length > 1 else np.array([-1.0, 0.0, 0.0])
    return PlaneCut(name=name, point=_place(center - unit * (reach + _ROOM)), normal=_place(unit))


def first_box(plan: Plan, name: str) -> BoxCut:
    """Where a box is put first: around the first lesion with 10 mm of room, else in the middle of the organ."""
    lesions = plan.having(Role.LESION) or tuple(one for one in plan.structures if one.name == plan.organ)
    center, reach = middle_and_reach(lesions[0].region)
    half = reach + _ROOM if plan.having(Role.LESION) else reach / 3
    return BoxCut(name=name, box=Box(low=_place(center - half), high=_place(center + half)))


def middle_and_reach(region: Mask | PackedMask) -> tuple[FloatArray, float]:
    """The middle of a region's box, LPS mm, and half the longest of the box's edges, mm."""
    start, stop = np.zeros(3), np.array(region.geometry.shape, dtype=np.float64)
    if isinstance(region, PackedMask):
        start, stop = np.array(region.start, dtype=np.float64), np.array(region.stop, dtype=np.float64)
    edges = (stop - start) * region.geometry.spacing
    return np.asarray(region.geometry.to_lps((start + stop - 1) / 2)), float(edges.max() / 2)


def place_of(structure: PlanStructure) -> Place:
    """Where to look, LPS mm: the voxel of the structure nearest to the middle of its box."""
    region = structure.region
    middle, _ = middle_and_reach(region)
    inside = np.argwhere(_box(region)) + (region.start if isinstance(region, PackedMask) else (0, 0, 0))
    if not len(inside):
        return _place(middle)
    wanted = region.geometry.to_index(middle)
    return _place(region.geometry.to_lps(inside[np.square(inside - wanted).sum(axis=1).argmin()]))


def _box(region: Mask | PackedMask) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    if isinstance(region, Mask):
        return region.to_array()
    size = tuple(b - a for a, b in zip(region.start, region.stop, strict=True))
    return np.unpackbits(region.bits, count=math.prod(size)).reshape(size).astype(bool)


def _place(values: FloatArray) -> Place:
    return float(values[0]), float(values[1]), float(values[2])
