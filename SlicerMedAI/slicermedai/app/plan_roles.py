"""Which structure of a result is what to a plan, as its codes suggest. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from slicermedai.domain.codes import Label
from slicermedai.domain.counting import is_counted
from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.plan import Plan, Role
from slicermedai.domain.result import AnalysisResult

LEFT_OUT = ""
"""The role of what is no part of the plan."""
PLANNED = "planned finding"
"""The step of the provenance whose detail is the tracking UID of a finding that an earlier plan made."""

_MOST_OTHERS = 6
_ABNORMAL = {"49755003", "M-01000"}
_LESIONS = {"52988006", "4147007", "108369006", "86049000", "14799000", "12494005", "441457006", "M-03000", "M-80003"}
_VESSELS = {
    "29092000", "51114001", "59820001", "8993003", "32764006", "64131007", "15825003", "76015000", "42258001",
    "35819009", "56400007", "2841007", "57850000", "48345005", "81040000", "122972007", "244411005",
}  # fmt: skip
_VESSEL_WORDS = ("vein", "artery", "arteries", "aorta", "vena cava", "vessel", "vascul")
_ORGANS = ("10200004", "64033007", "9846003", "18639004", "15776009", "39607008", "78961009", "41216001", "12738006")
"""Liver first, then kidneys, pancreas, lung, spleen, prostate, brain (SNOMED CT)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """All findings of one name that have voxels: how many, their label, and their volume together in ml."""

    label: Label
    count: int
    ml: float

    @property
    def name(self) -> str:
        """What people read."""
        return self.label.name


def found_in(result: AnalysisResult) -> tuple[Finding, ...]:
    """The findings of ``result`` that no earlier plan made, in their order."""
    planned = {step.detail for step in result.provenance.steps if step.name == PLANNED}
    return tuple(one for one in result.findings if one.tracking_uid not in planned)


def candidates(result: AnalysisResult) -> tuple[Candidate, ...]:
    """What can be planned with, in the order of ``result``; what an earlier plan made is none of it."""
    found: dict[str, list[Finding]] = {}
    for one in found_in(result):
        if isinstance(one.region, (Mask, PackedMask)):
            found.setdefault(one.label.name, []).append(one)
    return tuple(
        Candidate(label=same[0].label, count=len(same), ml=sum(_ml(one) for one in same)) for same in found.values()
    )


def suggested(known: Sequence[Candidate]) -> dict[str, str]:
    """A role for each name, from the codes of its label; :data:`LEFT_OUT` where none suggests itself."""
    roles = {one.name: _coded(one.label) for one in known}
    organ = _organ([one for one in known if not roles[one.name]])
    rest = [name for name, role in roles.items() if not role and name != organ]
    others = Role.OTHER if len(rest) <= _MOST_OTHERS else LEFT_OUT
    return {name: Role.ORGAN if name == organ else role or others for name, role in roles.items()}


def with_role(roles: Mapping[str, str], name: str, role: str) -> dict[str, str]:
    """``roles`` with another one of ``name``; there is one organ, so that the one before becomes another structure."""
    made = dict(roles)
    if role == Role.ORGAN:
        made = {one: Role.OTHER if known == Role.ORGAN else known for one, known in made.items()}
    made[name] = role
    return made


def roles_in(plan: Plan, known: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The roles of ``known`` names (with what they were before) as ``plan`` has them."""
    now = own_roles(plan)
    return tuple((name, now.get(name, LEFT_OUT)) for name, _ in known)


def own_roles(plan: Plan) -> dict[str, str]:
    """The role of each name of a finding in ``plan``; what was brought from another phase is none of its own."""
    return {one.label.name: str(one.role) for one in plan.structures if not one.phase}


def organ_of(roles: Mapping[str, str]) -> str:
    """The name of the organ, "" where none is chosen."""
    return next((name for name, role in roles.items() if role == Role.ORGAN), "")


def _coded(label: Label) -> str:
    if label.category.value in _ABNORMAL or label.type.value in _LESIONS:
        return Role.LESION
    words = label.type.meaning.lower()
    if label.type.value in _VESSELS or any(word in words for word in _VESSEL_WORDS):
        return Role.VESSEL
    return LEFT_OUT


def _organ(rest: Sequence[Candidate]) -> str:
    """The first of the known organs, else the largest structure; "" for none."""
    for code in _ORGANS:
        for one in rest:
            if one.label.type.value == code:
                return one.name
    return max(rest, key=lambda one: one.ml).name if rest else ""


def _ml(finding: Finding) -> float:
    return next((one.value for one in finding.measurements if is_counted(one)), 0.0)
