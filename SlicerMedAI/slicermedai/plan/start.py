"""A plan from what a run found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from slicermedai.confidence.structure import contours
from slicermedai.domain.decisions import decided, is_edited
from slicermedai.domain.finding import Finding, Mask, PackedMask, Region
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.plan import Contours, Plan, PlanStructure, Role
from slicermedai.domain.result import AnalysisResult, Map
from slicermedai.domain.suggest import did_you_mean
from slicermedai.errors import InputError
from slicermedai.plan.checks import check_plan

BoolVolume = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which findings, by the names of their labels, are what; all others with voxels are left out of the plan."""

    organ: str
    lesions: Sequence[str] = ()
    vessels: Sequence[str] = ()
    others: Sequence[str] = ()

    def by_name(self) -> Mapping[str, Role]:
        """Each name and its role, the organ first."""
        return {
            self.organ: Role.ORGAN,
            **dict.fromkeys(self.lesions, Role.LESION),
            **dict.fromkeys(self.vessels, Role.VESSEL),
            **dict.fromkeys(self.others, Role.OTHER),
        }


def start_plan(result: AnalysisResult, roles: Roles) -> Plan:
    """A plan on the grid of ``result``, with what people decided about its findings applied.

    Of several findings of one name each becomes a structure of its own: "Lesion", "Lesion 2" ... Contours are taken
    where the result has a calibrated probability map of the finding's name, else where it has inner and outer regions
    of repeated answers, else they are not assessed. Several findings of one name share its map:
    each has what is nearest to it.

    Raises
    ------
    InputError
        A name that no finding has, a finding without voxels, or a lesion outside of the organ.
    GeometryError
        A region on another grid.
    """
    found_first, result = result.findings, decided(result)
    found = [one for name, role in roles.by_name().items() for one in _structures(result, name, role)]
    return check_plan(
        Plan(
            geometry=result.volume_geometry,
            organ=roles.organ,
            structures=tuple(found),
            contours=tuple(_contours(result, found, found_first)),
            sources=tuple(one.series_uid for one in result.sources),
        )
    )


def _structures(result: AnalysisResult, name: str, role: Role) -> list[PlanStructure]:
    findings = [one for one in result.findings if one.label.name == name]
    if not findings:
        known = [one.label.name for one in result.findings]
        advice = did_you_mean(name, known) or f"It has {', '.join(sorted(set(known))) or 'no findings'}."
        raise InputError(f"the result has no finding {name!r}", attribute="findings", advice=advice)
    return [_structure(result, one, name if n == 1 else f"{name} {n}", role) for n, one in enumerate(findings, 1)]


def _structure(result: AnalysisResult, finding: Finding, name: str, role: Role) -> PlanStructure:
    region = finding.region
    if not isinstance(region, (Mask, PackedMask)):
        raise InputError(
            f"the finding {name!r} has no voxels", attribute="findings", advice="Segment it first, or leave it out."
        )
    return PlanStructure(
        name=name,
        role=role,
        label=finding.label,
        region=region,
        tracking_uid=finding.tracking_uid,
        edited=is_edited(result, finding),
    )


def _contours(
    result: AnalysisResult, structures: Sequence[PlanStructure], findings: Sequence[Finding]
) -> list[Contours]:
    """``findings`` are those of the model, of which people may have rejected some since."""
    maps = {one.name: one for one in result.maps if one.calibration != "none"}
    made = (
        _contour(one, maps[one.label.name], _beside(one, structures, findings))
        if _fits(one, maps.get(one.label.name))
        else _by_samples(result, one)
        for one in structures
    )
    return [one for one in made if one is not None]


def _beside(one: PlanStructure, structures: Sequence[PlanStructure], findings: Sequence[Finding]) -> BoolVolume:
    """(slices, rows, columns): all other structures and findings of the name of ``one``, rejected ones too."""
    name = one.label.name
    others: list[Region | None] = [
        other.region for other in structures if other is not one and other.label.name == name
    ]
    others += [
        other.region for other in findings if other.tracking_uid != one.tracking_uid and other.label.name == name
    ]
    made = np.zeros(one.region.geometry.shape, dtype=bool)
    for region in others:
        if isinstance(region, (Mask, PackedMask)):
            made |= region.to_array()
    return made


def _by_samples(result: AnalysisResult, one: PlanStructure) -> Contours | None:
    """What most and what some of the network's repeated answers give to the structure."""
    known = result.uncertainty
    spread = None if known is None or one.edited else known.of(one.tracking_uid)
    if known is None or spread is None or spread.inner is None or spread.outer is None:
        return None
    basis = f"share of {known.samples} answers ({known.method}), no probability"
    return Contours(structure=one.name, inner=spread.inner, outer=spread.outer, level=known.level, basis=basis)


def _fits(one: PlanStructure, found: Map | None) -> bool:
    return found is not None and not one.edited and found.geometry.same_grid(one.region.geometry)


def _contour(one: PlanStructure, found: Map, beside: BoolVolume) -> Contours:
    grid, mask = one.region.geometry, one.region.to_array()
    inner, outer = contours(np.asarray(found.array), mask, level=0.9)
    other = beside & ~mask
    if other.any():
        outer &= ~_nearer(outer & ~mask, other, mask, grid)
    return Contours(
        structure=one.name, inner=PackedMask.from_array(inner, grid), outer=PackedMask.from_array(outer, grid)
    )


def _nearer(asked: BoolVolume, other: BoolVolume, own: BoolVolume, grid: Geometry) -> BoolVolume:
    """Those of ``asked`` whose nearest voxel, in mm, is of ``other`` and not of ``own``."""
    index = np.argwhere(asked)
    places = grid.to_lps(index)
    away, home = (cKDTree(grid.to_lps(np.argwhere(mask))).query(places)[0] for mask in (other, own))
    made = np.zeros(asked.shape, dtype=bool)
    made[tuple(index[away < home].T)] = True
    return made
