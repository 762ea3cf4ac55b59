"""Which vessels a resection cuts through: a surgeon must tie them, and no number of the table says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slicermedai.domain.finding import PackedMask
from slicermedai.domain.plan import MarginCut, Plan, PlaneCut, Role
from slicermedai.plan import edits
from slicermedai.plan.numbers import table_of
from slicermedai.plan.resection import resect
from Testing.fixtures import liver
from Testing.plan.cases import SMALL, a_plan

BESIDE = liver.Capsule(start=(-70.0, 72.0, 10.0), end=(20.0, 72.0, 10.0), radius=4.0)
"""Runs behind the liver, through every plane that divides right from left."""


def cut_through(plan: Plan) -> tuple[str, ...]:
    found = resect(plan)
    assert found is not None
    told = [line for line in table_of(plan).warnings if "is cut through" in line]
    assert told == [f"{name} is cut through: a part of it goes, and a part stays." for name in found.cut_through]
    return found.cut_through


def cut_at(plan: Plan, left: float) -> Plan:
    """What lies right of ``left`` (LPS mm) goes."""
    return edits.with_cut(plan, PlaneCut(name="plane", point=(left, 0.0, 0.0), normal=(-1.0, 0.0, 0.0)))


@pytest.mark.parametrize(
    ("left", "names"), [(-22.0, ("hepatic vein", "portal vein")), (-45.0, ("portal vein",)), (35.0, ()), (-90.0, ())]
)
def test_a_vessel_is_cut_through_where_a_part_goes_and_a_part_stays(left: float, names: tuple[str, ...]) -> None:
    assert cut_through(cut_at(a_plan(), left)) == names


def test_a_vessel_that_exclusive_labels_cut_out_of_the_organ_is_cut_through_too() -> None:
    plan = a_plan()
    organ, vein = plan.structures[0], next(one for one in plan.structures if one.name == "portal vein")
    left = organ.region.to_array() & ~vein.region.to_array()
    exclusive = replace(organ, region=PackedMask.from_array(left, SMALL))
    plan = replace(plan, structures=(exclusive, *plan.structures[1:]))
    assert cut_through(cut_at(plan, -45.0)) == ("portal vein",)


def test_what_runs_beside_the_organ_is_not_cut_by_a_plane_through_all_of_the_image() -> None:
    label = a_plan().structures[2].label
    region = PackedMask.from_array(liver.inside(BESIDE, SMALL), SMALL)
    plan = edits.with_structure(a_plan(), "vena cava", role=Role.VESSEL, label=label, region=region)
    assert cut_through(cut_at(plan, -45.0)) == ("portal vein",)


def test_a_margin_that_reaches_a_vessel_cuts_it_through() -> None:
    near = MarginCut(name="wide", lesion="lesion", width=14.0)
    assert cut_through(edits.with_cut(a_plan(), near)) == ("hepatic vein",)
    assert cut_through(edits.with_cut(a_plan(), replace(near, width=4.0))) == ()
