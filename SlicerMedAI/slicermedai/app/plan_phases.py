"""A second phase joined to a plan: registered, what is left measured, its vessels brought over where that may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from slicermedai.app.plan_roles import candidates, found_in, suggested
from slicermedai.console.verbs import image_of
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.geometry import FloatArray
from slicermedai.domain.observer import Progress
from slicermedai.domain.plan import Alignment, Plan, PlanStructure, Role
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.reviewed import newest
from slicermedai.domain.tracking import contradictions
from slicermedai.domain.volume import Volume
from slicermedai.errors import IdentityError, InputError, MedAIError, MixedPatientsError
from slicermedai.plan import edits, phases
from slicermedai.plan.checks import structure
from slicermedai.plan.landmarks import between_images
from slicermedai.plan.register import registered

NAME = "second phase"
"""What the other phase is called: names of folders may name a patient."""
_NOBODY = f"Nothing says that the {NAME} is of the same patient: a PatientID is missing. Look before you go on."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """One phase: its result, the output of its run, and where its image can be read (nothing: not at all)."""

    result: AnalysisResult
    run: Path
    files: Sequence[Path]

    def image(self) -> Volume | None:
        """The image, None where nothing says where it is."""
        return image_of(list(self.files), self.run) if self.files else None


def joined(plan: Plan, own: Side, other: Side, progress: Progress) -> Plan:
    """``plan`` with how ``other`` lies to it, and its vessels where they may be used.

    Where both images can be read they are registered rigidly, else the phases are taken as they lie. What is left is
    measured by the organ's border where the other phase has the organ, else by places found in both images; where
    neither can be done the residual is not measured, and nothing is brought over.

    Raises
    ------
    IdentityError, MixedPatientsError
        One phase is pseudonymous and the other is not, or they are of two patients.
    GeometryError
        The images do not overlap.
    """
    told = _check_patient(own.result, other.result)
    images = own.image(), other.image()
    organ = structure(plan, plan.organ)
    found = phases.compared(plan.geometry, other.result.volume_geometry, moving=NAME)
    if images[0] is not None and images[1] is not None:
        progress("register", 0.2)
        found = registered(images[0], images[1], moving=NAME, within=organ.region)
    progress("register", 0.8)
    found = replace(_measured(found, organ, other, images), remarks=told)
    made = phases.with_alignment(_without(plan), found)
    return _with_vessels(made, found, other.result) if found.accepted else made


def side(folder: Path, files: Sequence[str]) -> Side:
    """The last result of a run, or a result folder itself."""
    source = newest(folder)
    return Side(
        result=decided(AnalysisResult.load(source)), run=source.parent, files=tuple(Path(file) for file in files)
    )


def _check_patient(one: AnalysisResult, other: AnalysisResult) -> tuple[str, ...]:
    """A warning where nothing says whether both are of one patient; () where they are known to be."""
    if one.study.identity is not other.study.identity:
        raise IdentityError(
            "one phase is pseudonymous and the other is not",
            attribute="identity",
            advice="Join phases that were run on the same route.",
        )
    known = one.study.patient_id, other.study.patient_id
    two = all(known) and known[0] != known[1]
    attribute = "PatientID" if two else next(contradictions(one.study, other.study), "")
    if attribute:
        raise MixedPatientsError(
            "the phases are of two patients", attribute=attribute, advice="Choose a run of the same patient."
        )
    studies = one.study.study_uid, other.study.study_uid
    return () if all(known) or (all(studies) and studies[0] == studies[1]) else (_NOBODY,)


def _measured(
    found: Alignment, organ: PlanStructure, other: Side, images: tuple[Volume | None, Volume | None]
) -> Alignment:
    same = _same_organ(organ, other.result)
    if same is not None:
        residual = phases.between_borders(organ.region, same, structure=organ.name, transform=found.transform)
        return phases.with_residual(found, residual)
    if images[0] is None or images[1] is None:
        return found
    by_images = between_images(images[0], images[1], within=organ.region, transform=found.transform)
    return found if by_images is None else phases.with_residual(found, by_images)


def _same_organ(organ: PlanStructure, result: AnalysisResult) -> Mask | PackedMask | None:
    """The region of that organ as it was found, not planned: that of its name first, else that of its type."""
    found = [one for one in found_in(result) if one.label.type == organ.label.type]
    for one in sorted(found, key=lambda one: one.label.name != organ.label.name):
        if isinstance(one.region, (Mask, PackedMask)):
            return one.region
    return None


def _without(plan: Plan) -> Plan:
    """Without what was brought over before."""
    for name in [one.name for one in plan.structures if one.phase == NAME]:
        plan = edits.without_structure(plan, name)
    return plan


def _with_vessels(plan: Plan, found: Alignment, other: AnalysisResult) -> Plan:
    """All vessels of the other phase; what the plan has already, or cannot have, is left out and told."""
    own, remarks = plan.structures, list(found.remarks)
    for one, title in _vessels(other):
        same = [known for known in own if known.label.name.casefold() == one.label.name.casefold()]
        try:
            here = _brought(one, found, plan)
        except MedAIError as error:
            remarks.append(f"{title} of the {NAME} was left out: {error.message}.")
            continue
        if _is_known(here, same, found.limit):
            remarks.append(f"{title} of the {NAME} was left out: the plan has it, nowhere {found.limit:g} mm away.")
            continue
        name = _free(f"{title} ({NAME})", plan.names)
        plan = edits.with_structure(plan, name, role=Role.VESSEL, label=one.label, region=here, phase=NAME)
    return phases.with_alignment(plan, replace(found, remarks=tuple(remarks)))


def _vessels(result: AnalysisResult) -> Iterator[tuple[Finding, str]]:
    """Vessels as they were found, with their names: several of one name are numbered as a plan numbers its own."""
    roles, counts = suggested(candidates(result)), Counter[str]()
    for one in found_in(result):
        name = one.label.name
        if roles.get(name) == Role.VESSEL:
            counts[name] += 1
            yield one, name if counts[name] == 1 else f"{name} {counts[name]}"


def _brought(one: Finding, found: Alignment, plan: Plan) -> PackedMask:
    if not isinstance(one.region, (Mask, PackedMask)):
        raise InputError("it has no voxels", attribute="findings")
    return phases.brought(one.region, found, plan.geometry)


def _is_known(here: PackedMask, same: Sequence[PlanStructure], limit: float) -> bool:
    """True where no voxel is ``limit`` mm or more from those of ``same``."""
    if not same:
        return False
    known, asked = (_places(regions) for regions in ([one.region for one in same], [here]))
    return bool((cKDTree(known).query(asked, distance_upper_bound=limit)[0] < limit).all())


def _places(regions: Sequence[Mask | PackedMask]) -> FloatArray:
    """(N, 3) centres of voxels, LPS mm."""
    return np.concatenate([one.geometry.to_lps(np.argwhere(one.to_array())) for one in regions])


def _free(name: str, names: Sequence[str]) -> str:
    """``name``, with a number where the plan has it already."""
    tried = chain([name], (f"{name} {number}" for number in count(2)))
    return next(one for one in tried if one not in names)
