"""A day of a planner: every number within its bound on every kind of grid, after an edit, an undo, and saving."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicermedai.domain.plan import BoxCut, MarginCut, Plan, PlaneCut
from slicermedai.plan import edits
from slicermedai.plan.history import History
from slicermedai.plan.keep import load_plan, save_plan
from slicermedai.plan.margins import reach_of
from slicermedai.plan.numbers import PlanTable, table_of
from Testing.fixtures import liver
from Testing.plan.cases import a_plan, a_result

HALF_PERCENT = 0.005
PLANE = PlaneCut(name="right half", point=(-24.0, 2.0, 8.0), normal=(-0.8, 0.36, 0.48))
FUNCTIONAL = liver.LIVER.volume_ml - liver.LESION.volume_ml
REMNANTS = {
    "plane": (PLANE, liver.LIVER.volume_ml - liver.cut_off_ml(PLANE.point, PLANE.normal)),
    "box": (BoxCut(name="box", box=liver.BOX), liver.LIVER.volume_ml - liver.BOX_ML),
    "margin": (MarginCut(name="wide", lesion="lesion", width=10.0), liver.LIVER.volume_ml - liver.ball_ml(25.0)),
}
"""Cuts that take the whole lesion, and the ml that stay."""


@pytest.fixture(scope="module", params=liver.GRIDS)
def plan(request) -> Plan:
    return a_plan(liver.GRIDS[request.param])


def voxel(plan: Plan) -> float:
    """The largest edge of a voxel, mm."""
    return float(plan.geometry.spacing.max())


def test_volumes_are_within_half_a_percent(plan):
    table = table_of(plan)
    assert table.value("liver", "whole volume with lesions") == pytest.approx(liver.LIVER.volume_ml, rel=HALF_PERCENT)
    assert table.value("liver", "functional volume") == pytest.approx(FUNCTIONAL, rel=HALF_PERCENT)


SMALL_ONES = {"lesion": 0.01, "hepatic vein": 0.1, "portal vein": 0.1}
"""Whole voxels are counted: the thinner a structure, the less its volume can be known."""


@pytest.mark.parametrize("name", SMALL_ONES)
def test_volumes_of_small_structures_are_as_near_as_the_documentation_says(plan, name):
    known = liver.SOLIDS[name].volume_ml
    assert table_of(plan).value(name, "volume") == pytest.approx(known, rel=SMALL_ONES[name])


def test_diameters_are_within_a_voxel(plan):
    table = table_of(plan)
    for name in ("long axis", "short axis", "3D diameter"):
        assert abs(table.value("lesion", name) - 30.0) < np.linalg.norm(plan.geometry.spacing)
    assert abs(table.value("liver", "3D diameter") - 168.0) < np.linalg.norm(plan.geometry.spacing)


def test_distances_and_their_ends_are_within_a_voxel(plan):
    rows = {row.subject: row for row in table_of(plan).rows if row.name == "shortest distance"}
    truth = {
        "lesion to hepatic vein": (liver.LESION_TO_HEPATIC_VEIN, liver.HEPATIC_VEIN),
        "lesion to portal vein": (np.hypot(10.0, 36.0) - 15.0 - 6.0, liver.PORTAL_VEIN),
        "lesion to the border of liver": (liver.lesion_to_capsule(), liver.LIVER),
    }
    for subject, (known, target) in truth.items():
        assert abs(rows[subject].value - known) < voxel(plan), subject
        start, end = np.array(rows[subject].points)
        assert np.linalg.norm(end - start) == pytest.approx(rows[subject].value)
        assert abs(liver.LESION.distance(start[None])[0]) < voxel(plan)
        assert abs(target.distance(end[None])[0]) < voxel(plan)


@pytest.mark.parametrize("width", [2.0, 5.0, 10.0, 15.0])
def test_a_margin_is_as_wide_as_was_asked_for_within_a_voxel(plan, width):
    table = table_of(edits.with_margin(plan, "lesion", width))
    assert abs(radius_of(table, width) - 15.0 - width) < voxel(plan) / 4


def test_no_place_of_a_margin_is_a_voxel_off(plan):
    taken = reach_of(plan.structures[1].region.to_array(), plan.geometry, 10.0)
    index = np.argwhere(np.ones(taken.shares.shape, dtype=bool)) + taken.window.start
    away = liver.LESION.distance(plan.geometry.to_lps(index))
    inside = taken.shares.ravel() >= 0.5
    assert away[inside].max() < 10.0 + voxel(plan)
    assert away[~inside].min() > 10.0 - voxel(plan)


def radius_of(table: PlanTable, width: float) -> float:
    """mm of the ball that has the volume of the lesion with its margin."""
    found = table.value(f"lesion + {width:g} mm", "lesion and margin in the organ")
    return float((found * 1000 * 3 / (4 * np.pi)) ** (1 / 3))


@pytest.mark.parametrize("kind", REMNANTS)
def test_the_remnant_is_within_half_a_percent(plan, kind):
    cut, remnant = REMNANTS[kind]
    table = table_of(edits.with_cut(plan, cut))
    assert table.value("liver", "remnant volume") == pytest.approx(remnant, rel=HALF_PERCENT)
    assert table.value("liver", "remnant of functional volume") == pytest.approx(
        100 * remnant / FUNCTIONAL, rel=HALF_PERCENT
    )
    assert not any("stay behind" in line for line in table.warnings)


def test_a_margin_that_reaches_a_vessel_shows_the_part_as_its_own_mask(plan):
    from slicermedai.plan.margins import zone_of

    wide = edits.with_margin(plan, "lesion", 14.0)
    vessels = {one.name: one for one in zone_of(wide, wide.margins[0]).vessels}
    assert set(vessels) == {"hepatic vein"}
    places = plan.geometry.to_lps(np.argwhere(vessels["hepatic vein"].region.to_array()))
    assert (liver.HEPATIC_VEIN.distance(places) <= 0).all()
    assert (liver.LESION.distance(places) < 14.0 + voxel(plan)).all()
    missed = (liver.HEPATIC_VEIN.distance(places) <= 0).sum() * plan.geometry.voxel_volume / 1000
    assert missed == pytest.approx(vessels["hepatic vein"].ml, rel=0.25)


def test_a_margin_that_leaves_the_organ_is_told_with_what_lies_outside(plan):
    from slicermedai.plan.margins import zone_of

    wide = edits.with_margin(plan, "lesion", 37.0)
    zone = zone_of(wide, wide.margins[0])
    assert zone.beyond_organ is not None
    places = plan.geometry.to_lps(np.argwhere(zone.beyond_organ.region.to_array()))
    assert (liver.LIVER.distance(places) > 0).all()
    assert any("goes beyond liver" in line for line in table_of(wide).warnings)


def test_two_cuts_count_what_they_share_once(plan):
    both = edits.with_cut(edits.with_cut(plan, PLANE), MarginCut(name="wide", lesion="lesion", width=5.0))
    one = table_of(edits.with_cut(plan, PLANE)).value("liver", "resected volume")
    lies_wholly_beyond_the_plane = table_of(both).value("liver", "resected volume")
    assert lies_wholly_beyond_the_plane == pytest.approx(one, rel=0.001)


def test_the_table_follows_an_edit_and_an_undo(plan):
    history = History.of(plan).did(edits.with_cut(plan, PLANE))
    before = table_of(history.plan)
    moved = replace(PLANE, point=(-34.0, 2.0, 8.0))
    history = history.did(edits.with_cut(history.plan, moved))
    known = liver.LIVER.volume_ml - liver.cut_off_ml(moved.point, moved.normal)
    still = part_of_lesion_behind(moved)
    assert table_of(history.plan).value("liver", "remnant volume") == pytest.approx(known - still, rel=HALF_PERCENT)
    assert same(table_of(history.undone().plan), before)
    assert history.undone().redone().plan is history.plan


def part_of_lesion_behind(cut: PlaneCut) -> float:
    """ml of the lesion on the side that stays: a cap of a ball."""
    height = float(np.dot(np.subtract(cut.point, liver.LESION.center), -np.array(cut.normal)))
    share = np.clip(1 - height / 15.0, 0, 2)
    return float(liver.LESION.volume_ml * share**2 * (3 - share) / 4)


def test_an_edited_lesion_changes_every_number_that_rests_on_it(plan):
    small = liver.inside(replace(liver.LESION, radii=(11.0, 11.0, 11.0)), plan.geometry)
    start = edits.with_margin(edits.with_cut(plan, REMNANTS["margin"][0]), "lesion", 10.0)
    edited = edits.with_region(start, "lesion", small)
    table = table_of(edited)
    assert abs(radius_of(table, 10.0) - 21.0) < voxel(plan) / 4
    known = liver.LIVER.volume_ml - liver.ball_ml(21.0)
    assert table.value("liver", "remnant volume") == pytest.approx(known, rel=HALF_PERCENT)
    assert abs(table.value("lesion to hepatic vein", "shortest distance") - 14.0) < voxel(plan)
    assert {row.missing for row in table.rows if row.subject == "lesion" and row.missing} == {"not assessed (edited)"}
    assert same(table_of(History.of(start).did(edited).undone().plan), table_of(start))


def test_every_number_is_the_same_after_saving_and_reloading(plan, tmp_path):
    a_result(plan.geometry).save(tmp_path / "result")
    made = edits.with_margin(edits.with_cut(plan, PLANE), "lesion", 14.0)
    save_plan(made, tmp_path)
    assert same(table_of(load_plan(tmp_path)), table_of(made))


def same(one: PlanTable, other: PlanTable) -> bool:
    """Every number to its last digit; NaN is NaN."""
    return one.warnings == other.warnings and [str(row) for row in one.rows] == [str(row) for row in other.rows]
