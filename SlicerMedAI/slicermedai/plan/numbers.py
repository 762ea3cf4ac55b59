"""The table of a plan: worked out anew from the plan alone, so that it follows every edit and every undo.

What is slow and depends on few regions alone (diameters, distances) is remembered for as long as it is among the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from slicermedai.domain.codes import MILLILITER, MILLIMETER, VOLUME, Code, ucum
from slicermedai.domain.finding import Mask, Measurement, PackedMask
from slicermedai.domain.plan import Contours, Margin, Place, Plan, PlanStructure, Role
from slicermedai.domain.words import Words
from slicermedai.measure.methods import measure
from slicermedai.plan.body import standard_liver
from slicermedai.plan.border import reaches_edge, window_of
from slicermedai.plan.checks import check_plan, phase_of, structure, touches
from slicermedai.plan.distances import Distance, shortest, to_border
from slicermedai.plan.margins import MarginZone, reach, zone_of
from slicermedai.plan.resection import Resection, functional_ml, resect

DISTANCE = Code(value="121206", scheme="DCM", meaning="Distance")
VOLUME_RATIO = Code(value="113288", scheme="DCM", meaning="Volume Ratio")
PERCENT = ucum("%", "percent")
SQUARE_METER = ucum("m2", "square meter")
SIZES = ("volume", "long axis", "short axis", "3D diameter")
NOT_ASSESSED = "not assessed"
EDITED = "edited by a person"

Region = Mask | PackedMask


class Part(Words):
    """The parts of the table, in their order."""

    SIZES = "Volumes and diameters"
    DISTANCES = "Distances"
    MARGINS = "Safety margins"
    RESECTION = "Resection"
    BODY = "Standard liver"
    CONTOURS = "Inner and outer contour"
    ALIGNMENT = "Phases"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One number of the plan.

    ``code`` is the concept that names the number in a structured report, None where no standard has one. ``points`` are
    its ends in LPS mm. ``missing`` says why there is no number; ``value`` is then NaN.
    """

    part: Part
    subject: str
    name: str
    value: float
    unit: Code
    code: Code | None = None
    note: str = ""
    points: tuple[Place, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTable:
    """All numbers of a plan, and what must be read before them."""

    rows: tuple[PlanRow, ...]
    warnings: tuple[str, ...]

    def value(self, subject: str, name: str) -> float:
        """The number ``name`` of ``subject``; raises KeyError where there is none."""
        for row in self.rows:
            if (row.subject, row.name) == (subject, name):
                return row.value
        raise KeyError((subject, name))

    def to_rows(self) -> list[dict[str, str | float]]:
        """One dict of plain values for each number, for data frames and CSV; points as "x y z; x y z" in LPS mm."""
        return [
            {
                "part": str(row.part),
                "structure": row.subject,
                "quantity": row.name,
                "value": row.value,
                "unit": row.unit.value,
                "code": "" if row.code is None else f"{row.code.scheme}:{row.code.value}",
                "points_lps_mm": "; ".join(" ".join(f"{x:.2f}" for x in point) for point in row.points),
                "missing": row.missing,
                "note": row.note,
            }
            for row in self.rows
        ]


def table_of(plan: Plan) -> PlanTable:
    """All that follows from ``plan``.

    Raises
    ------
    GeometryError, InputError
        As :func:`slicermedai.plan.checks.check_plan`, :func:`slicermedai.plan.resection.resect` and
        :func:`slicermedai.plan.body.standard_liver` do: the plan cannot be carried out as it stands.
    """
    check_plan(plan)
    resection = resect(plan)
    zones = tuple(zone_of(plan, margin) for margin in plan.margins)
    rows = (
        *(row for one in plan.structures for row in _sizes(plan, one)),
        *_distances(plan),
        *(row for zone in zones for row in _margin(plan, zone)),
        *_resection(plan, resection),
        *_body(plan, resection),
        *_contours(plan),
        *_alignments(plan),
    )
    return PlanTable(rows=rows, warnings=tuple(_warnings(plan, zones, resection)))


# --- the parts -----------------------------------------------------------------------------------------------------


def _sizes(plan: Plan, one: PlanStructure) -> Iterator[PlanRow]:
    note = _brought(plan, one) or (EDITED if one.edited else "")
    for name, found in zip(SIZES, measured(one.region), strict=True):
        yield PlanRow(
            part=Part.SIZES, subject=one.name, name=name, value=found.value, unit=found.unit, code=found.name,
            note=note, points=found.points, missing=found.missing,
        )  # fmt: skip


@lru_cache(maxsize=32)
def measured(region: Region) -> tuple[Measurement, ...]:
    """:data:`SIZES` of a region, remembered."""
    return measure(region, wanted=SIZES)


def _distances(plan: Plan) -> Iterator[PlanRow]:
    for lesion in plan.having(Role.LESION):
        for vessel in plan.having(Role.VESSEL):
            yield _between(plan, lesion, vessel)
        yield _to_border(plan, lesion)
    for first, second in plan.pairs:
        yield _between(plan, structure(plan, first), structure(plan, second))


def _to_border(plan: Plan, lesion: PlanStructure) -> PlanRow:
    """Other lesions that exclusive labels cut out of the organ are no border of it."""
    organ = structure(plan, plan.organ)
    whole = together(organ.region, *(one.region for one in plan.having(Role.LESION)))
    row = _distance(f"{lesion.name} to the border of {organ.name}", border_distance(lesion.region, whole))
    notes = [_brought(plan, lesion) if lesion.phase != organ.phase else ""]
    for vessel in plan.having(Role.VESSEL):
        if cut_out_of(vessel.region, organ.region) and distance_to(row.points[1], vessel.region) < _diagonal(plan):
            notes.append(f"the border here is that of {vessel.name}, which was cut out of {organ.name}")
    return replace(row, note="; ".join(filter(None, notes)))


def _between(plan: Plan, one: PlanStructure, other: PlanStructure) -> PlanRow:
    row = _distance(f"{one.name} to {other.name}", distance(one.region, other.region))
    if one.phase == other.phase:
        return row
    return replace(row, note="; ".join(filter(None, (row.note, *(_brought(plan, each) for each in (one, other))))))


def _brought(plan: Plan, one: PlanStructure) -> str:
    """How far off a structure of another phase may be; "" for one of the plan's own image."""
    found = phase_of(plan, one)
    if found is None or found.residual is None:
        return ""
    left = found.residual
    return f"{one.name} is of {one.phase}, {left.mean:.1f} mm off (at most {left.largest:.1f} mm)"


@lru_cache(maxsize=64)
def distance(one: Region, other: Region) -> Distance:
    """The shortest between two regions on one grid, remembered; see :func:`slicermedai.plan.distances.shortest`."""
    return shortest(one.to_array(), other.to_array(), one.geometry)


@lru_cache(maxsize=32)
def border_distance(one: Region, organ: Region) -> Distance:
    """From a lesion to the border of its organ, remembered."""
    return to_border(one.to_array(), organ.to_array(), one.geometry)


@lru_cache(maxsize=8)
def together(*regions: Region) -> PackedMask:
    """All that lies in one of them, remembered."""
    made = regions[0].to_array().copy()
    for one in regions[1:]:
        made |= one.to_array()
    return PackedMask.from_array(made, regions[0].geometry)


@lru_cache(maxsize=32)
def cut_out_of(one: Region, organ: Region) -> bool:
    """True where ``one`` borders on ``organ`` and has no voxel in common with it, as exclusive labels make it."""
    mask, other = one.to_array(), organ.to_array()
    box = window_of(mask).grown((1, 1, 1))
    return not (mask & other).any() and touches(box.of(mask), box.of(other))


def distance_to(place: Place, region: Region) -> float:
    """mm from a place to the nearest voxel's centre of a region."""
    centres = region.geometry.to_lps(np.argwhere(region.to_array()))
    return float(np.linalg.norm(centres - np.asarray(place), axis=1).min())


def _diagonal(plan: Plan) -> float:
    return float(np.linalg.norm(plan.geometry.spacing))


def _distance(subject: str, found: Distance) -> PlanRow:
    note = f"they overlap by {found.overlap_ml:.2f} ml" if found.overlap_ml else ""
    return PlanRow(
        part=Part.DISTANCES, subject=subject, name="shortest distance", value=found.mm, unit=MILLIMETER,
        code=DISTANCE, note=note, points=(found.start, found.end),
    )  # fmt: skip


def title(margin: Margin) -> str:
    """For people: "lesion + 10 mm"."""
    return f"{margin.lesion} + {margin.width:g} mm"


def _margin(plan: Plan, zone: MarginZone) -> Iterator[PlanRow]:
    subject = title(zone.margin)
    yield _milliliters(Part.MARGINS, subject, "lesion and margin in the organ", zone.ml)
    for one in zone.vessels:
        note = _brought(plan, structure(plan, one.name))
        yield _milliliters(Part.MARGINS, subject, f"margin in {one.name}", one.ml, note)
    if zone.beyond_organ is not None:
        yield _milliliters(Part.MARGINS, subject, f"margin beyond {plan.organ}", zone.beyond_organ.ml)


def _resection(plan: Plan, found: Resection | None) -> Iterator[PlanRow]:
    whole, functional = (found.organ, found.functional) if found else functional_ml(plan)
    yield _milliliters(Part.RESECTION, plan.organ, "whole volume with lesions", whole)
    yield _milliliters(Part.RESECTION, plan.organ, "functional volume", functional, "whole volume less lesions")
    if found is None:
        return
    yield _milliliters(Part.RESECTION, plan.organ, "resected volume", found.resected, "lesions in it included")
    yield _milliliters(Part.RESECTION, plan.organ, "remnant volume", found.remnant, "functional volume that stays")
    yield _percent(Part.RESECTION, plan.organ, "remnant of functional volume", found.of_functional)
    yield _percent(Part.RESECTION, plan.organ, "remnant of whole volume", found.of_organ)


def _body(plan: Plan, found: Resection | None) -> Iterator[PlanRow]:
    if plan.body is None:
        return
    standard = standard_liver(plan.body)
    yield PlanRow(
        part=Part.BODY, subject="patient", name="body surface area", value=standard.surface_m2, unit=SQUARE_METER,
        note=standard.formulae,
    )  # fmt: skip
    yield _milliliters(Part.BODY, "patient", "standard liver volume", standard.ml, standard.formulae)
    if found is not None:
        share = found.remnant / standard.ml
        yield _percent(Part.BODY, plan.organ, "remnant of standard liver volume", share, standard.formulae)


def _contours(plan: Plan) -> Iterator[PlanRow]:
    known = {one.structure: one for one in plan.contours}
    for one in plan.structures:
        yield from _contour(one, known.get(one.name))


def _contour(one: PlanStructure, found: Contours | None) -> Iterator[PlanRow]:
    if found is None or one.edited:
        reason = f"{NOT_ASSESSED} (edited)" if one.edited else NOT_ASSESSED
        yield PlanRow(
            part=Part.CONTOURS, subject=one.name, name="inner and outer volume", value=math.nan, unit=MILLILITER,
            missing=reason,
        )  # fmt: skip
        return
    for name, region in (("inner volume", found.inner), ("outer volume", found.outer)):
        ml = float(region.to_array().sum()) * region.geometry.voxel_volume / 1000
        yield _milliliters(Part.CONTOURS, one.name, name, ml, f"{found.basis}, level {found.level:g}, voxel by voxel")


def _alignments(plan: Plan) -> Iterator[PlanRow]:
    for one in plan.alignments:
        left = one.residual
        yield PlanRow(
            part=Part.ALIGNMENT, subject=one.moving, name="residual", value=math.nan if left is None else left.mean,
            unit=MILLIMETER, note=one.in_words, missing="not measured" if left is None else "",
        )  # fmt: skip


def _warnings(plan: Plan, zones: tuple[MarginZone, ...], found: Resection | None) -> Iterator[str]:
    """The gravest first: not all of them may find room where they are shown."""
    yield from (one.in_words for one in plan.alignments if not one.accepted)
    for phase in plan.alignments:
        left = phase.residual
        if phase.accepted and left is not None and left.largest > phase.limit:
            yield f"{phase.moving} lies up to {left.largest:.1f} mm off in places, more than {phase.limit:g} mm."
    yield from (line for one in plan.alignments for line in one.remarks)
    for rest in found.left_behind if found else ():
        yield f"{f'{rest.ml:.1f}' if rest.ml >= 0.1 else 'Less than 0.1'} ml of {rest.lesion} stay behind."
    for name in found.cut_through if found else ():
        yield f"{name} is cut through: a part of it goes, and a part stays."
    yield from _at_edge(plan, zones)
    organ = structure(plan, plan.organ)
    for vessel in plan.having(Role.VESSEL):
        if cut_out_of(vessel.region, organ.region):
            yield f"{vessel.name} is no part of {plan.organ}, whose volumes lack it and whose border may be that to it."
    for zone in zones:
        for one in zone.vessels:
            yield f"The margin {title(zone.margin)} reaches {one.name}: {one.ml:.1f} ml of it lie there."
        if zone.beyond_organ is not None:
            yield f"The margin {title(zone.margin)} goes beyond {plan.organ}: by {zone.beyond_organ.ml:.1f} ml."


def _at_edge(plan: Plan, zones: tuple[MarginZone, ...]) -> Iterator[str]:
    for one in plan.structures:
        if _reaches_edge(one.region):
            yield f"{one.name} reaches the edge of the image: what lies beyond is in no volume, distance or remnant."
    for zone in zones:
        if zone.cut_off:
            yield f"The margin {title(zone.margin)} reaches the edge of the image: what lies beyond is not counted."


@lru_cache(maxsize=32)
def _reaches_edge(region: Region) -> bool:
    return reaches_edge(region.to_array())


def _milliliters(part: Part, subject: str, name: str, ml: float, note: str = "") -> PlanRow:
    return PlanRow(part=part, subject=subject, name=name, value=ml, unit=MILLILITER, code=VOLUME, note=note)


def _percent(part: Part, subject: str, name: str, share: float, note: str = "") -> PlanRow:
    return PlanRow(part=part, subject=subject, name=name, value=100 * share, unit=PERCENT, code=VOLUME_RATIO, note=note)


def forget() -> None:
    """Drop what is remembered of regions: when a case is closed."""
    for remembered in (measured, distance, border_distance, reach, _reaches_edge, together, cut_out_of):
        remembered.cache_clear()
