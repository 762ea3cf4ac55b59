"""Two phases: how they lie is measured, said, and nothing is carried over where it is unknown or too far off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicermedai.domain.finding import PackedMask
from slicermedai.domain.plan import Plan, Role
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, InputError, JobCancelled
from slicermedai.plan import edits, phases
from slicermedai.plan.landmarks import between_images
from slicermedai.plan.numbers import table_of
from slicermedai.plan.register import registered
from Testing.fixtures import liver
from Testing.fixtures.grids import covering, rotated
from Testing.plan.cases import LABELS, SMALL, a_plan

MOVE = liver.rigid((4.0, -3.0, 6.0), (5.0, -7.0, 4.0))
STILL = np.eye(4)
ARTERIAL = rotated(covering(spacing=(4.0, 2.5, 2.5), extent=(250.0, 190.0, 180.0)), (3.0, 0.0, 0.0))
LANDMARKS = np.array([liver.LESION.center, (-22.0, 0.0, 52.0), (-70.0, 10.0, -22.0), (20.0, 10.0, -22.0)])


def after(points: np.ndarray, transform: np.ndarray) -> np.ndarray:
    return points @ transform[:3, :3].T + transform[:3, 3]


def in_the_other_phase(solid, transform: np.ndarray = MOVE, grid=ARTERIAL) -> PackedMask:
    """The solid on the arterial phase's own grid, after the move."""
    places = grid.to_lps(np.argwhere(np.ones(grid.shape, dtype=bool)))
    inside = solid.distance(after(places, np.linalg.inv(transform))) <= 0
    return PackedMask.from_array(inside.reshape(grid.shape), grid)


@pytest.fixture(scope="module", params=["axial", "oblique", "anisotropic"])
def case(request):
    """Plan in the venous phase, and how the arterial phase was found to lie."""
    plan = a_plan(liver.GRIDS[request.param])
    venous = liver.phase("venous", plan.geometry)
    arterial = liver.phase("arterial", ARTERIAL, transform=MOVE)
    return plan, registered(venous, arterial, moving="arterial", within=plan.structures[0].region)


def test_registration_finds_the_move_and_says_what_is_left(case):
    plan, found = case
    there = after(LANDMARKS, MOVE)
    assert phases.between_points(LANDMARKS, there).mean > 8
    left = phases.between_points(LANDMARKS, there, transform=found.transform)
    assert left.mean < 2.0
    organ = plan.structures[0].region
    moved = in_the_other_phase(liver.LIVER)
    before = phases.between_borders(organ, moved, structure="liver")
    behind = phases.between_borders(organ, moved, structure="liver", transform=found.transform)
    assert behind.mean < 1.2 < 3 < before.mean
    assert np.allclose(found.transform[:3, :3] @ found.transform[:3, :3].T, np.eye(3))


def test_a_structure_of_the_other_phase_comes_over_and_is_planned_with(case):
    plan, found = case
    there = after(LANDMARKS, MOVE)
    found = phases.with_residual(found, phases.between_points(LANDMARKS, there, transform=found.transform))
    artery = phases.brought(in_the_other_phase(liver.ARTERY), found, plan.geometry)
    places = plan.geometry.to_lps(np.argwhere(artery.to_array()))
    assert np.abs(liver.ARTERY.distance(places)).max() < 3.0 + plan.geometry.spacing.max()
    table = table_of(with_artery(phases.with_alignment(plan, found), artery))
    known = liver.ARTERY.distance(np.array([liver.LESION.center]))[0] - 15.0
    assert abs(table.value("lesion to artery", "shortest distance") - known) < plan.geometry.spacing.max() + 2.0
    assert table.value("arterial", "residual") == found.residual.mean
    assert table.warnings == ()
    notes = {row.subject: row.note for row in table.rows if row.name in ("shortest distance", "volume")}
    said = f"artery is of arterial, {found.residual.mean:.1f} mm off (at most {found.residual.largest:.1f} mm)"
    assert notes["lesion to artery"] == notes["artery"] == said
    assert notes["lesion to hepatic vein"] == ""


def with_artery(plan: Plan, region: PackedMask) -> Plan:
    label = replace(LABELS["portal vein"], name="artery")
    return edits.with_structure(plan, "artery", role=Role.VESSEL, label=label, region=region, phase="arterial")


def test_a_structure_of_another_phase_is_refused_on_the_plans_own_grid_too():
    plan = a_plan()
    artery = PackedMask.from_array(liver.inside(liver.ARTERY, SMALL), SMALL)
    with pytest.raises(GeometryError, match=r"'artery' of the phase 'arterial'.*not known"):
        with_artery(plan, artery)
    unmeasured = phases.compared(plan.geometry, SMALL, moving="arterial")
    with pytest.raises(GeometryError, match="not measured"):
        with_artery(phases.with_alignment(plan, unmeasured), artery)
    same = phases.between_points(LANDMARKS, LANDMARKS + 0.5)
    good = phases.with_alignment(plan, phases.with_residual(unmeasured, same))
    made = with_artery(good, artery)
    assert "0.9 mm off" in next(row.note for row in table_of(made).rows if row.subject == "lesion to artery")
    with pytest.raises(GeometryError, match="not measured"):
        phases.with_alignment(made, unmeasured)
    with pytest.raises(GeometryError, match="not known"):
        table_of(replace(made, alignments=()))


def test_a_known_transform_brings_a_structure_over_within_a_voxel():
    plan = a_plan()
    exact = replace(phases.compared(plan.geometry, ARTERIAL, moving="arterial"), transform=MOVE)
    exact = phases.with_residual(exact, phases.between_points(LANDMARKS, after(LANDMARKS, MOVE), transform=MOVE))
    assert exact.residual.mean == pytest.approx(0, abs=1e-9)
    back = phases.brought(in_the_other_phase(liver.LESION), exact, plan.geometry)
    places = plan.geometry.to_lps(np.argwhere(back.to_array()))
    assert places.mean(axis=0) == pytest.approx(liver.LESION.center, abs=0.7)
    assert len(places) * plan.geometry.voxel_volume / 1000 == pytest.approx(liver.LESION.volume_ml, rel=0.06)


@pytest.mark.parametrize(
    ("frames", "known"),
    [(("2.25.1", "2.25.1"), True), (("2.25.1", "2.25.2"), False), (("2.25.1", ""), None), (("", ""), None)],
)
def test_frames_of_reference_are_compared_and_told(frames, known):
    one, other = (replace(ARTERIAL, frame_of_reference_uid=uid) for uid in frames)
    found = phases.compared(one, other, moving="arterial")
    assert found.same_frame is known
    assert "frame of reference" in found.in_words


def test_one_frame_of_reference_is_no_proof_and_nothing_comes_over_unmeasured():
    plan = a_plan()
    found = phases.compared(plan.geometry, ARTERIAL, moving="arterial")
    with pytest.raises(GeometryError, match="was not measured"):
        phases.brought(in_the_other_phase(liver.LESION), found, plan.geometry)
    table = table_of(phases.with_alignment(plan, found))
    assert any("residual not measured: refused" in line for line in table.warnings)
    assert [row.missing for row in table.rows if row.subject == "arterial"] == ["not measured"]


def test_phases_too_far_apart_are_refused_with_the_number():
    plan = a_plan()
    residual = phases.between_borders(plan.structures[0].region, in_the_other_phase(liver.LIVER), structure="liver")
    found = phases.compared(plan.geometry, ARTERIAL, moving="arterial", residual=residual)
    assert not found.accepted
    with pytest.raises(GeometryError, match=r"are 4\.\d mm apart by the border of liver.*more than 3 mm"):
        phases.brought(in_the_other_phase(liver.LESION), found, plan.geometry)
    assert any("refused" in line for line in table_of(phases.with_alignment(plan, found)).warnings)


def test_the_border_of_the_same_structure_on_two_grids_is_nothing_apart():
    found = phases.between_borders(
        a_plan().structures[0].region, in_the_other_phase(liver.LIVER, STILL), structure="liver"
    )
    assert found.mean < 1.0


def test_a_residual_counts_only_for_the_transform_that_it_was_measured_after():
    plan = a_plan()
    after_it = phases.between_points(LANDMARKS, after(LANDMARKS, MOVE), transform=MOVE)
    as_it_lies = phases.compared(plan.geometry, ARTERIAL, moving="arterial")
    with pytest.raises(InputError, match="after another transform"):
        phases.with_residual(as_it_lies, after_it)
    with pytest.raises(InputError, match="after another transform"):
        phases.compared(plan.geometry, ARTERIAL, moving="arterial", residual=after_it)
    by_hand = replace(as_it_lies, residual=after_it)
    assert not by_hand.accepted and "another transform: refused" in by_hand.in_words
    with pytest.raises(GeometryError, match="after another transform"):
        phases.brought(in_the_other_phase(liver.LESION), by_hand, plan.geometry)
    assert phases.with_residual(replace(as_it_lies, transform=MOVE), after_it).accepted


def test_a_residual_that_is_small_on_the_mean_and_large_in_a_place_is_a_warning():
    plan = a_plan()
    there = LANDMARKS.copy()
    there[0, 0] += 6.0
    found = phases.compared(plan.geometry, SMALL, moving="arterial", residual=phases.between_points(LANDMARKS, there))
    assert found.accepted
    assert table_of(phases.with_alignment(plan, found)).warnings == (
        "arterial lies up to 6.0 mm off in places, more than 3 mm.",
    )


def test_images_that_do_not_overlap_are_refused():
    grid = covering(spacing=(8.0, 8.0, 8.0), extent=(230.0, 150.0, 144.0))
    away = np.eye(4)
    away[:3, 3] = 900.0
    venous = liver.phase("venous", grid)
    arterial = replace(liver.phase("arterial", grid), geometry=liver.moved(grid, away))
    with pytest.raises(GeometryError, match="do not overlap"):
        registered(venous, arterial, moving="arterial")


def test_images_with_two_frames_of_reference_are_laid_middle_to_middle_first():
    grid = covering(spacing=(6.0, 5.0, 5.0), extent=(230.0, 150.0, 144.0))
    away = np.eye(4)
    away[:3, 3] = 700.0, -300.0, 1500.0
    venous = liver.phase("venous", replace(grid, frame_of_reference_uid="2.25.1"))
    other = replace(liver.moved(grid, away), frame_of_reference_uid="2.25.2")
    found = registered(venous, replace(liver.phase("arterial", grid), geometry=other), moving="arterial")
    assert found.same_frame is False
    assert phases.between_points(LANDMARKS, after(LANDMARKS, away), transform=found.transform).mean < 3.0


def test_a_registration_can_be_stopped():
    def stop(stage: str, fraction: float) -> None:
        raise JobCancelled("stopped by a person")

    grid = covering(spacing=(8.0, 8.0, 8.0), extent=(230.0, 150.0, 144.0))
    with pytest.raises(JobCancelled, match="stopped by a person"):
        registered(liver.phase("venous", grid), liver.phase("arterial", grid), moving="arterial", progress=stop)


def test_landmarks_that_are_no_pairs_and_empty_structures_are_refused():
    for other in (LANDMARKS[:2], LANDMARKS[:, :2]):
        with pytest.raises(InputError, match="at least three points"):
            phases.between_points(LANDMARKS, other)
    empty = PackedMask.from_array(np.zeros(ARTERIAL.shape, dtype=bool), ARTERIAL)
    with pytest.raises(InputError, match="liver has no voxels"):
        phases.between_borders(a_plan().structures[0].region, empty, structure="liver")


@pytest.mark.parametrize("name", ["oblique", "anisotropic", "tilted"])
def test_images_alone_tell_aligned_phases_from_those_that_are_not(name):
    grid = liver.GRIDS[name]
    organ = PackedMask.from_array(liver.inside(liver.LIVER, grid), grid)
    move = liver.rigid((2.0, -1.0, 2.0), (3.0, -3.0, 3.0))
    venous, arterial = liver.phase("venous", grid), liver.phase("arterial", ARTERIAL, transform=move)
    left = between_images(venous, arterial, within=organ, transform=move)
    assert left is not None and left.mean < 2.0 and left.count >= 6
    places = grid.to_lps(np.argwhere(organ.to_array())[::200])
    known = np.linalg.norm(after(places, move) - places, axis=1).mean()
    apart = between_images(venous, arterial, within=organ)
    assert apart is not None and apart.mean == pytest.approx(known, abs=1.5)
    assert not phases.with_residual(phases.compared(grid, ARTERIAL, moving="arterial"), apart).accepted


def test_phases_much_farther_apart_than_can_be_seen_are_never_accepted():
    grid = liver.GRIDS["oblique"]
    organ = PackedMask.from_array(liver.inside(liver.LIVER, grid), grid)
    arterial = liver.phase("arterial", ARTERIAL, transform=liver.rigid((0.0, 0.0, 0.0), (22.0, 0.0, 10.0)))
    assert between_images(liver.phase("venous", grid), arterial, within=organ) is None


def with_still_bones(volume: Volume) -> Volume:
    """Small dense balls outside of the liver, and in its box: they hold still while it moves."""
    low, high = (np.array(liver.LIVER.center) + sign * np.array(liver.LIVER.radii) for sign in (-1, 1))
    places = np.random.default_rng(0).uniform(low + 4, high - 4, (4000, 3))
    places = places[liver.LIVER.distance(places) > 16]
    values = volume.array.astype(np.float64)
    grid = volume.geometry
    for place in places[:40]:
        index = np.linalg.inv(grid.affine) @ [*place, 1.0]
        box = tuple(slice(max(int(i) - 7, 0), int(i) + 8) for i in index[:3])
        corner = [one.start for one in box]
        apart = np.linalg.norm(grid.to_lps(np.argwhere(np.ones(values[box].shape)) + corner) - place, axis=1)
        share = np.clip(0.5 - (apart - 5.0) / 1.5, 0, 1).reshape(values[box].shape)
        values[box] += share * (500.0 - values[box])
    return replace(volume, array=np.rint(values).astype(np.int16))


@pytest.mark.parametrize(("shift", "known"), [(0.0, 0.0), (8.0, 8.0), (14.0, None), (20.0, None), (25.0, None)])
def test_a_liver_that_moved_past_still_bones_is_not_taken_for_still(shift, known):
    grid = liver.GRIDS["oblique"]
    organ = PackedMask.from_array(liver.inside(liver.LIVER, grid), grid)
    move = liver.rigid((0.0, 0.0, 0.0), (0.0, 0.0, shift))
    venous = with_still_bones(liver.phase("venous", grid))
    arterial = with_still_bones(liver.phase("arterial", ARTERIAL, transform=move))
    found = between_images(venous, arterial, within=organ)
    if known is None:
        assert found is None
    else:
        assert found is not None and found.mean == pytest.approx(known, abs=1.0)


def test_images_without_anything_in_common_give_no_residual():
    plan = a_plan()
    noise = np.random.default_rng(3).normal(0, 50, SMALL.shape).astype(np.int16)
    other = Volume(array=noise, geometry=SMALL, modality="CT")
    organ = plan.structures[0].region
    assert between_images(liver.phase("venous", SMALL), other, within=organ) is None
    flat = Volume(array=np.zeros(SMALL.shape, np.int16), geometry=SMALL, modality="CT")
    assert between_images(flat, flat, within=organ) is None
