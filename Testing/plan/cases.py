"""The liver as a plan, and as the result of a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slicermedai.domain.codes import ANATOMY, Code, Label
from slicermedai.domain.finding import Finding, PackedMask, tracking_uid
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.plan import Plan, Role
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.measure.methods import measure
from slicermedai.plan.start import Roles, start_plan
from Testing.fixtures import liver
from Testing.scene.samples import a_provenance, a_study

ABNORMAL = Code(value="49755003", scheme="SCT", meaning="Morphologically Abnormal Structure")
LABELS = {
    "liver": Label(
        name="liver", category=ANATOMY, type=Code(value="10200004", scheme="SCT", meaning="Liver"), color=(150, 70, 60)
    ),
    "lesion": Label(
        name="lesion", category=ABNORMAL, type=Code(value="52988006", scheme="SCT", meaning="Lesion"),
        color=(240, 220, 60),
    ),
    "hepatic vein": Label(
        name="hepatic vein", category=ANATOMY, type=Code(value="8993003", scheme="SCT", meaning="Hepatic vein"),
        color=(60, 90, 220),
    ),
    "portal vein": Label(
        name="portal vein", category=ANATOMY, type=Code(value="32764006", scheme="SCT", meaning="Portal vein"),
        color=(70, 170, 220),
    ),
}  # fmt: skip
ROLES = Roles(organ="liver", lesions=("lesion",), vessels=("hepatic vein", "portal vein"))
FRAME = "2.25.300"
SMALL = replace(liver.covering(spacing=(4.0, 3.0, 3.0), extent=(230.0, 150.0, 144.0)), frame_of_reference_uid=FRAME)
"""A coarse grid, for tests that are not about accuracy."""


def a_result(geometry: Geometry = SMALL, *, masks: dict[str, np.ndarray] | None = None) -> AnalysisResult:
    """The run that found liver, lesion and veins on ``geometry``, each measured in all."""
    masks = liver.structures_on(geometry) if masks is None else masks
    regions = {name: PackedMask.from_array(mask, geometry) for name, mask in masks.items()}
    wanted = ("volume", "long axis", "short axis", "3D diameter")
    findings = tuple(
        Finding(
            tracking_uid=tracking_uid("liver phantom", name),
            label=LABELS[name],
            region=region,
            measurements=measure(region, wanted=wanted),
        )
        for name, region in regions.items()
    )
    study = a_study(geometry.shape[0])
    return AnalysisResult(
        status=Status.COMPLETE,
        study=replace(study, description="CT liver"),
        volume_geometry=geometry,
        provenance=replace(a_provenance(), bundle="liver"),
        findings=findings,
        sources=study.series,
    )


def a_plan(geometry: Geometry = SMALL) -> Plan:
    """Liver, lesion and two veins; nothing planned yet."""
    return start_plan(a_result(geometry), ROLES)


def without(plan: Plan, role: Role) -> Plan:
    """``plan`` without the structures of ``role``, unchecked."""
    return replace(plan, structures=tuple(one for one in plan.structures if one.role is not role))
