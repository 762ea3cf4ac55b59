"""A second phase joined to a plan: no vessel of it is lost in silence, and nobody is taken for another unsaid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slicermedai.app.plan_phases import Side, joined
from slicermedai.app.plan_roles import PLANNED, found_in, own_roles
from slicermedai.console import planning
from slicermedai.domain.codes import ANATOMY, Code, Label
from slicermedai.domain.finding import Box, Finding, PackedMask, tracking_uid
from slicermedai.domain.observer import silent
from slicermedai.domain.plan import Plan
from slicermedai.domain.provenance import Step
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Study
from slicermedai.errors import MixedPatientsError
from slicermedai.plan.distances import shortest
from slicermedai.plan.keep import load_plan, save_plan
from slicermedai.plan.start import Roles, start_plan
from Testing.app.plans import COARSE
from Testing.fixtures import liver
from Testing.plan.cases import LABELS, ROLES, a_result

ARTERY = Label(
    name="hepatic artery", category=ANATOMY, type=Code(value="76015000", scheme="SCT", meaning="Hepatic artery"),
    color=(200, 0, 0),
)  # fmt: skip
NEAR, FAR = (liver.LESION.center[0], liver.LESION.center[1] + 22.0, liver.LESION.center[2]), (60.0, 0.0, 10.0)


def ball(center: tuple[float, ...], radius: float = 6.0) -> PackedMask:
    return PackedMask.from_array(
        liver.inside(replace(liver.LESION, center=center, radii=(radius,) * 3), COARSE), COARSE
    )


def found(label: Label, *regions: object) -> tuple[Finding, ...]:
    return tuple(
        Finding(tracking_uid=tracking_uid(label.name, str(number)), label=label, region=region)  # type: ignore[arg-type]
        for number, region in enumerate(regions)
    )


@pytest.fixture(scope="module")
def own() -> AnalysisResult:
    return a_result(COARSE)


@pytest.fixture(scope="module")
def plan(own: AnalysisResult) -> Plan:
    return start_plan(own, ROLES)


def with_phase(plan: Plan, own: AnalysisResult, other: AnalysisResult) -> Plan:
    """As two runs lie whose images cannot be read."""
    sides = (Side(result=one, run=Path(), files=()) for one in (own, other))
    return joined(plan, *sides, silent)


def other_with(own: AnalysisResult, *findings: Finding) -> AnalysisResult:
    return replace(own, findings=(own.findings[0], *findings))


def test_of_several_vessels_of_one_name_all_come_over_numbered(plan: Plan, own: AnalysisResult) -> None:
    made = with_phase(plan, own, other_with(own, *found(ARTERY, ball(FAR), ball(NEAR))))
    names = ("hepatic artery (second phase)", "hepatic artery 2 (second phase)")
    assert made.names == (*plan.names, *names)
    table = planning.table(made)
    known = shortest(own.findings[1].region.to_array(), ball(NEAR).to_array(), COARSE).mm  # type: ignore[union-attr]
    assert table.value(f"lesion to {names[1]}", "shortest distance") == pytest.approx(known, abs=1.0)
    assert table.value(f"lesion to {names[0]}", "shortest distance") > 50
    assert made.alignments[0].remarks == ()
    again = with_phase(made, own, other_with(own, *found(ARTERY, ball(NEAR))))
    assert again.names == (*plan.names, names[0]), "what was brought before is not brought twice"


def test_a_vessel_of_a_type_that_the_plan_has_comes_over(plan: Plan, own: AnalysisResult) -> None:
    middle = replace(LABELS["hepatic vein"], name="middle hepatic vein")
    made = with_phase(plan, own, other_with(own, *found(middle, ball(NEAR))))
    assert made.names[-1] == "middle hepatic vein (second phase)"


def test_a_vessel_that_the_plan_has_is_left_out_and_told_and_one_that_goes_on_elsewhere_is_not(
    plan: Plan, own: AnalysisResult
) -> None:
    vein = next(one for one in own.findings if one.label.name == "portal vein")
    again = replace(vein, tracking_uid=tracking_uid("again", ""))
    made = with_phase(plan, own, other_with(own, again))
    told = "portal vein of the second phase was left out: the plan has it, nowhere 3 mm away."
    assert made.names == plan.names
    assert told in planning.table(made).warnings
    longer = PackedMask.from_array(vein.region.to_array() | ball(NEAR).to_array(), COARSE)  # type: ignore[union-attr]
    made = with_phase(plan, own, other_with(own, replace(again, region=longer)))
    assert made.names[-1] == "portal vein (second phase)"
    assert planning.table(made).value("lesion to portal vein (second phase)", "shortest distance") < 3


def test_a_vessel_that_cannot_be_used_is_named_and_the_others_come_over(plan: Plan, own: AnalysisResult) -> None:
    empty = PackedMask.from_array(np.zeros(COARSE.shape, dtype=bool), COARSE)
    box = Box(low=(0.0, 0.0, 0.0), high=(5.0, 5.0, 5.0))
    made = with_phase(plan, own, other_with(own, *found(ARTERY, ball(NEAR), box, empty)))
    assert made.names[len(plan.names) :] == ("hepatic artery (second phase)",)
    told = " ".join(planning.table(made).warnings)
    assert "hepatic artery 2 of the second phase was left out: it has no voxels" in told
    assert "hepatic artery 3 of the second phase was left out: the structure has no voxels" in told


def test_what_was_left_out_is_said_by_the_saved_plan_too(plan: Plan, own: AnalysisResult, tmp_path: Path) -> None:
    vein = replace(own.findings[-1], tracking_uid=tracking_uid("again", ""))
    made = with_phase(plan, own, other_with(own, vein, *found(ARTERY, ball(FAR), ball(NEAR))))
    folder = save_plan(made, own.save(tmp_path / "case" / "result").parent)
    again = load_plan(folder)
    assert planning.table(again).warnings == planning.table(made).warnings
    assert again.names == made.names


@pytest.mark.parametrize("which", ["own", "other", "both"])
def test_phases_of_which_nobody_knows_the_patient_are_joined_with_a_warning(
    plan: Plan, own: AnalysisResult, which: str
) -> None:
    nobody = replace(own, study=Study())
    sides = (nobody if which != "other" else own, nobody if which != "own" else own)
    made = with_phase(plan, *sides)
    assert any(
        line.startswith("Nothing says that the second phase is of the same") for line in made.alignments[0].remarks
    )
    assert made.alignments[0].remarks[0] in planning.table(made).warnings


def test_a_number_that_two_people_have_joins_no_phases(plan: Plan, own: AnalysisResult) -> None:
    known = replace(own, study=replace(own.study, patient_id="P-1", birth_date="19510823"))
    other = replace(known, study=replace(known.study, study_uid="2.25.99", birth_date="19990101"))
    with pytest.raises(MixedPatientsError) as caught:
        with_phase(plan, known, other)
    assert caught.value.attribute == "PatientBirthDate"


def test_one_study_is_one_patient(plan: Plan, own: AnalysisResult) -> None:
    same = replace(own, study=replace(own.study, patient_id=""), findings=own.findings[:1])
    assert with_phase(plan, same, same).alignments[0].remarks == ()


def test_the_organ_that_phases_are_measured_by_is_the_one_that_was_found(plan: Plan, own: AnalysisResult) -> None:
    organ = own.findings[0]
    remnant = Finding(
        tracking_uid=tracking_uid("plan", "remnant"),
        label=replace(organ.label, name="liver: planned remnant"),
        region=ball(FAR, 15.0),
    )
    part = replace(organ, label=replace(organ.label, name="left lobe"), region=ball(FAR, 15.0), tracking_uid="2.25.7")
    steps = (*own.provenance.steps, Step(name=PLANNED, detail=remnant.tracking_uid))
    other = replace(own, findings=(remnant, part, organ), provenance=replace(own.provenance, steps=steps))
    assert remnant not in found_in(other)
    left = with_phase(plan, own, other).alignments[0].residual
    assert left is not None
    assert left.mean == pytest.approx(0, abs=0.01)
    unnamed = replace(other, findings=(remnant,))
    assert with_phase(plan, own, unnamed).alignments[0].residual is None, "a planned remnant measures nothing"


def test_what_was_brought_from_another_phase_is_no_role_of_the_plans_own_findings(own: AnalysisResult) -> None:
    plan = start_plan(own, Roles(organ="liver", lesions=("lesion",), vessels=("hepatic vein",)))
    made = with_phase(plan, own, other_with(own, *found(LABELS["portal vein"], ball(NEAR))))
    assert made.names[-1] == "portal vein (second phase)"
    assert own_roles(made) == {"liver": "organ", "lesion": "lesion", "hepatic vein": "vessel"}
