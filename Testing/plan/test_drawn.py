"""What a person drew in a plan is what the saved result holds, in its voxels, its numbers and its trust."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from slicermedai.domain.codes import IN_BOX, SHORT_AXIS, VOLUME
from slicermedai.domain.decisions import WHOLE, decided, is_edited
from slicermedai.domain.finding import Box, ConfidenceState, Finding, PackedMask
from slicermedai.domain.plan import Role
from slicermedai.domain.result import AnalysisResult, Decision, Quality, Review
from slicermedai.errors import InputError
from slicermedai.plan import edits
from slicermedai.plan.keep import load_plan, save_plan
from slicermedai.plan.numbers import table_of
from slicermedai.plan.planned import planned_result
from slicermedai.plan.start import start_plan
from Testing.fixtures import liver
from Testing.plan.cases import LABELS, ROLES, SMALL, a_plan, a_result

SMALLER = liver.inside(replace(liver.LESION, radii=(9.0, 9.0, 9.0)), SMALL)
ARTERY = PackedMask.from_array(liver.inside(liver.ARTERY, SMALL), SMALL)
ARTERY_LABEL = replace(LABELS["portal vein"], name="artery")


def found(result: AnalysisResult, name: str) -> Finding:
    return next(one for one in result.findings if one.label.name == name)


def numbers(finding: Finding) -> dict[str, float]:
    return {one.name.meaning: one.value for one in finding.measurements}


def reviewed(result: AnalysisResult, decision: Decision, **fields: object) -> AnalysisResult:
    uid = found(result, "lesion").tracking_uid
    return replace(result, reviews=(Review(tracking_uid=uid, person="Hopper^Grace", decision=decision, **fields),))


def test_a_redrawn_lesion_is_the_one_that_is_saved_with_the_numbers_of_the_table(tmp_path):
    a_result().save(tmp_path / "result")
    plan = edits.with_region(edits.with_margin(a_plan(), "lesion", 10.0), "lesion", SMALLER)
    saved = AnalysisResult.load(save_plan(plan, tmp_path))
    lesion, table = found(saved, "lesion"), table_of(plan)
    assert np.array_equal(lesion.region.to_array(), SMALLER)
    assert numbers(lesion)["Volume"] == table.value("lesion", "volume")
    assert numbers(lesion)["Distance"] == table.value("lesion to hepatic vein", "shortest distance")
    assert lesion.confidence.state is ConfidenceState.NOT_ASSESSED_EDITED and is_edited(saved, lesion)
    assert any("lesion was redrawn by a person in the plan" in line for line in saved.provenance.warnings)
    assert decided(saved) is saved
    assert save_plan(load_plan(tmp_path), tmp_path / "planned-1").name == "planned-2"


def test_what_a_plan_adds_takes_no_number_that_a_finding_is_known_by():
    known = a_result()
    last = len(known.findings) + 1
    result = replace(known, findings=tuple(replace(one, number=last - n) for n, one in enumerate(known.findings)))
    plan = edits.with_margin(a_plan(), "lesion", 10.0)
    saved = planned_result(result, plan, table_of(plan))
    assert [one.number for one in saved.findings[: last - 1]] == [one.number for one in result.findings]
    assert [one.number for one in saved.findings[last - 1 :]] == list(range(last + 1, len(saved.findings) + 2))
    again = planned_result(saved, plan, table_of(plan))
    assert [one.number for one in again.findings] == [one.number for one in saved.findings]


def test_what_is_planned_is_not_measured_as_a_box_is():
    plain = a_result()
    lesion = found(plain, "lesion")
    why = {"value": math.nan, "points": (), "method": IN_BOX, "missing": "a rim"}
    sizes = tuple(replace(lesion.measurements[0], name=name, **why) for name in (VOLUME, SHORT_AXIS))
    region = Box(low=(0.0, 0.0, 0.0), high=(9.0, 9.0, 9.0))
    box = replace(lesion, tracking_uid="2.25.77", region=region, measurements=sizes)
    result, plan = replace(plain, findings=(box, *plain.findings)), edits.with_margin(a_plan(), "lesion", 10.0)
    _, *made = planned_result(result, plan, table_of(plan)).findings
    wanted = planned_result(plain, plan, table_of(plan)).findings
    assert [repr(one.measurements) for one in made] == [repr(one.measurements) for one in wanted]


def test_findings_without_numbers_stay_known_by_their_place():
    plan = edits.with_margin(a_plan(), "lesion", 10.0)
    assert {one.number for one in planned_result(a_result(), plan, table_of(plan)).findings} == {0}


def test_what_was_decided_and_expected_of_the_earlier_voxels_is_left_out():
    result = reviewed(a_result(), Decision.EDITED, region=found(a_result(), "lesion").region)
    uid = found(result, "lesion").tracking_uid
    whole = Review(tracking_uid=WHOLE, person="Hopper^Grace", decision=Decision.ACCEPTED)
    result = replace(result, quality=(Quality(tracking_uid=uid, expected_dice=0.9),), reviews=(*result.reviews, whole))
    plan = edits.with_region(start_plan(result, ROLES), "lesion", SMALLER)
    made = decided(planned_result(result, plan, table_of(plan)))
    assert np.array_equal(found(made, "lesion").region.to_array(), SMALLER)
    assert (made.reviews, made.quality[0].expected_dice) == ((), None)
    assert not math.isnan(numbers(found(made, "lesion"))["Volume"])


def test_an_edit_of_a_review_that_the_plan_began_with_is_kept_as_the_review_of_its_person():
    result = reviewed(a_result(), Decision.EDITED, region=PackedMask.from_array(SMALLER, SMALL))
    plan = start_plan(result, ROLES)
    made = planned_result(result, plan, table_of(plan))
    assert [one.person for one in made.reviews] == ["Hopper^Grace"]
    assert np.array_equal(found(decided(made), "lesion").region.to_array(), SMALLER)
    assert not any("redrawn" in line for line in made.provenance.warnings)


def test_an_added_structure_becomes_a_finding_and_is_replaced_when_planned_again(tmp_path):
    a_result().save(tmp_path / "result")
    plan = edits.with_structure(a_plan(), "artery", role=Role.VESSEL, label=ARTERY_LABEL, region=ARTERY)
    second = replace(liver.LESION, center=(10.0, 0.0, 10.0), radii=(9.0, 9.0, 9.0))
    other = PackedMask.from_array(liver.inside(second, SMALL), SMALL)
    plan = edits.with_structure(plan, "second", role=Role.LESION, label=LABELS["lesion"], region=other)
    folder = save_plan(plan, tmp_path)
    saved = AnalysisResult.load(folder)
    artery = found(saved, "artery")
    assert np.array_equal(artery.region.to_array(), ARTERY.to_array())
    assert numbers(artery)["Volume"] == table_of(plan).value("artery", "volume")
    assert is_edited(saved, artery)
    away = [table_of(plan).value(f"second to {name}", "shortest distance") for name in (*ROLES.vessels, "artery")]
    assert numbers(found(saved, "second"))["Distance"] == min(away)
    columns = [[(one.name, one.unit) for one in finding.measurements] for finding in saved.findings]
    assert all(column == columns[0] for column in columns)
    again = start_plan(saved, replace(ROLES, vessels=(*ROLES.vessels, "artery")))
    twice = AnalysisResult.load(save_plan(again, folder))
    assert [one.label.name for one in twice.findings].count("artery") == 1
    assert [one.label.name for one in twice.findings].count("second") == 0
    assert found(twice, "artery").tracking_uid == artery.tracking_uid


def test_a_lesion_that_was_rejected_after_the_plan_began_is_refused():
    plan = edits.with_margin(a_plan(), "lesion", 10.0)
    with pytest.raises(InputError, match="rejected 'lesion' since the plan was begun"):
        planned_result(reviewed(a_result(), Decision.REJECTED), plan, table_of(plan))
    bare = edits.without_structure(plan, "lesion")
    assert planned_result(reviewed(a_result(), Decision.REJECTED), bare, table_of(bare)).reviews


def test_a_lesion_that_was_edited_after_the_plan_began_is_refused():
    changed = reviewed(a_result(), Decision.EDITED, region=PackedMask.from_array(SMALLER, SMALL))
    plan = a_plan()
    with pytest.raises(InputError, match="other voxels of 'lesion'"):
        planned_result(changed, plan, table_of(plan))
