"""A second phase joined to a plan: registered, what is left measured, its vessels brought over where that may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slicermedai.app.plan_roles import candidates, suggested
from slicermedai.console.verbs import image_of
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.observer import Progress
from slicermedai.domain.plan import Alignment, Plan, PlanStructure, Role
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.reviewed import newest
from slicermedai.domain.volume import Volume
from slicermedai.errors import IdentityError, MixedPatientsError
from slicermedai.plan import edits, phases
from slicermedai.plan.checks import structure
from slicermedai.plan.landmarks import between_images
from slicermedai.plan.register import registered

NAME = "second phase"
"""What the other phase is called: names of folders may name a patient."""


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
    _check_patient(own.result, other.result)
    images = own.image(), other.image()
    organ = structure(plan, plan.organ)
    found = phases.compared(plan.geometry, other.result.volume_geometry, moving=NAME)
    if images[0] is not None and images[1] is not None:
        progress("register", 0.2)
        found = registered(images[0], images[1], moving=NAME, within=organ.region)
    progress("register", 0.8)
    found = _measured(found, organ, other, images)
    made = phases.with_alignment(_without(plan), found)
    return _with_vessels(made, found, other.result) if found.accepted else made


def side(folder: Path, files: Sequence[str]) -> Side:
    """The last result of a run, or a result folder itself."""
    source = newest(folder)
    return Side(
        result=decided(AnalysisResult.load(source)), run=source.parent, files=tuple(Path(file) for file in files)
    )


def _check_patient(one: AnalysisResult, other: AnalysisResult) -> None:
    if one.study.identity is not other.study.identity:
        raise IdentityError(
            "one phase is pseudonymous and the other is not",
            attribute="identity",
            advice="Join phases that were run on the same route.",
        )
    known = one.study.patient_id, other.study.patient_id
    if all(known) and known[0] != known[1]:
        raise MixedPatientsError(
            "the phases are of two patients", attribute="PatientID", advice="Choose a run of the same patient."
        )


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
    for one in result.findings:
        if one.label.type == organ.label.type and isinstance(one.region, (Mask, PackedMask)):
            return one.region
    return None


def _without(plan: Plan) -> Plan:
    """Without what was brought over before."""
    for name in [one.name for one in plan.structures if one.phase == NAME]:
        plan = edits.without_structure(plan, name)
    return plan


def _with_vessels(plan: Plan, found: Alignment, other: AnalysisResult) -> Plan:
    for one in _vessels(other, {known.label.type for known in plan.structures}):
        region = one.region
        assert isinstance(region, (Mask, PackedMask))
        name = f"{one.label.name} ({NAME})"
        if name not in plan.names:
            here = phases.brought(region, found, plan.geometry)
            plan = edits.with_structure(plan, name, role=Role.VESSEL, label=one.label, region=here, phase=NAME)
    return plan


def _vessels(result: AnalysisResult, known: set[object]) -> list[Finding]:
    """Vessels of the other phase that the plan has not."""
    roles = suggested(candidates(result))
    found = [one for one in result.findings if roles.get(one.label.name) == Role.VESSEL]
    return [one for one in found if one.label.type not in known]
