"""From a saved result to a saved plan, without Qt and MRML: roles, margins, cuts, edits, undo, saving, printing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from slicermedai.app import plan_words as words
from slicermedai.app.plan_ask import Child
from slicermedai.app.plan_follow import REST, Following
from slicermedai.app.plan_roles import LEFT_OUT, candidates, suggested
from slicermedai.app.plan_run import PlanRun
from slicermedai.app.plan_state import Around, Numbers
from slicermedai.app.state import Phase
from slicermedai.console import planning
from slicermedai.domain.codes import Code
from slicermedai.domain.plan import Margin, MarginCut, PlaneCut, Role
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.domain.reviewed import save_reviewed
from Testing.app.plans import (
    COARSE,
    PaperPlan,
    a_liver_run,
    nothing,
    pseudonymous,
    smaller_lesion,
    two_phases,
    uid_of,
)
from Testing.app.runs import until, until_idle
from Testing.fixtures import liver
from Testing.plan.cases import LABELS, a_result
from Testing.plan.test_contours import a_map


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and an application's data of the test's own."""
    (tmp_path / "user" / "Documents").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "data"))
    return tmp_path


class Desk:
    """A presenter with a scene of paper, and the settings of one person. All share one child, to save its start."""

    child = Child()

    def __init__(self, *, holds_image: bool = True) -> None:
        self.settings = dict[str, str]()
        self.scene = PaperPlan(holds_image=holds_image)
        self.editor = 0
        self.captured: list[tuple[Path, bool]] = []
        around = Around(
            open_editor=self._open,
            capture=self._capture,
            recall=lambda name: self.settings.get(name, ""),
            remember=self.settings.__setitem__,
        )
        self.plan = PlanRun(self.scene, around=around)
        self.plan.child = Desk.child

    def _open(self) -> None:
        self.editor += 1

    def _capture(self, folder: Path, only_slices: bool) -> list[dict[str, str]]:
        self.captured.append((folder, only_slices))
        if not only_slices:
            return []
        Image.new("RGB", (8, 8)).save(folder / "axial.png")
        return [{"path": str(folder / "axial.png"), "title": "Red view", "kind": "axial"}]

    def open(self, folder: Path) -> PlanRun:
        self.plan.choose_folder(str(folder))
        until_idle(self.plan)
        return self.plan


@pytest.fixture(scope="module", autouse=True)
def one_child() -> Iterator[None]:
    yield
    Desk.child.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    until_idle(made.plan)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return a_liver_run(tmp_path / "run")


def done(plan: PlanRun) -> None:
    until_idle(plan)
    assert plan.state.phase is not Phase.FAILED, plan.state.message


def number(plan: PlanRun, structure: str, quantity: str) -> float:
    assert plan.state.numbers is not None
    value = plan.state.numbers.value(structure, quantity)
    assert value is not None
    return value


def followed(plan: PlanRun) -> None:
    """A timer polls until the hand has rested and the numbers are there."""
    assert until(lambda: not plan.following.busy and not plan.busy, plan, plan.following)  # type: ignore[arg-type]


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_result_is_opened_with_roles_from_its_codes_and_all_numbers(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    assert plan.state.in_scene, plan.state.message
    assert dict(plan.state.roles) == {
        "liver": "organ", "lesion": "lesion", "hepatic vein": "vessel", "portal vein": "vessel",
    }  # fmt: skip
    assert number(plan, "lesion to hepatic vein", "shortest distance") > 0
    assert plan.state.pending == (), "nothing was done yet"
    assert "no remnant" in words.headline_text(plan.state)


def test_every_number_is_the_one_of_the_console(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.add_margin("lesion", 14)
    done(plan)
    plan.cut_plane()
    done(plan)
    assert plan.state.plan is not None
    said = planning.table(plan.state.plan)
    shown = plan.state.numbers
    assert shown is not None
    assert {(one.subject, one.name): one.value for one in said.rows if not one.missing} == {
        (one.structure, one.quantity): one.value for one in shown.rows if not one.missing
    }
    assert shown.warnings == said.warnings
    missing = [row for row in words.number_rows(shown) if row[2] == "not assessed"]
    assert len(missing) == sum(bool(one.missing) for one in said.rows) > 0


def test_a_damaged_result_is_told_and_nothing_is_planned(desk: Desk, run: Path) -> None:
    (run / "result" / "result.json").write_text("{}")
    plan = desk.open(run)
    assert plan.state.phase is Phase.FAILED
    assert plan.state.plan is None
    assert not plan.can_edit


def test_a_result_without_an_organ_asks_for_one(desk: Desk, tmp_path: Path) -> None:
    result = a_result(COARSE)
    only = replace(result, findings=tuple(one for one in result.findings if one.label.name == "lesion"))
    plan = desk.open(a_liver_run(tmp_path / "run", result=only))
    assert plan.state.plan is None
    assert "Choose what is the organ" in plan.state.message
    plan.set_role("lesion", Role.ORGAN)
    done(plan)
    assert plan.state.plan is not None
    assert plan.state.plan.organ == "lesion"


# --- roles -----------------------------------------------------------------------------------------------------------


def test_codes_suggest_roles_in_any_language() -> None:
    result = a_result(COARSE)
    named = replace(
        result,
        findings=tuple(
            replace(one, label=replace(one.label, name=f"S{number}")) for number, one in enumerate(result.findings)
        ),
    )
    assert list(suggested(candidates(named)).values()) == [Role.ORGAN, Role.LESION, Role.VESSEL, Role.VESSEL]


def test_many_other_structures_are_left_out_and_few_are_shown() -> None:
    result = a_result(COARSE)
    spleen = replace(LABELS["liver"], name="x", type=Code(value="1", scheme="99X", meaning="Something"))
    more = tuple(
        replace(result.findings[2], tracking_uid=f"2.25.{n}", label=replace(spleen, name=f"x{n}")) for n in range(7)
    )
    few = suggested(candidates(replace(result, findings=(*result.findings, *more[:3]))))
    many = suggested(candidates(replace(result, findings=(*result.findings, *more))))
    assert {few["x0"], few["x2"]} == {Role.OTHER}
    assert {many["x0"], many["x6"]} == {LEFT_OUT}
    assert few["liver"] == many["liver"] == Role.ORGAN


def test_another_role_makes_a_plan_that_keeps_what_still_holds_and_undo_brings_it_back(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.add_margin("lesion", 8)
    done(plan)
    plan.set_role("portal vein", LEFT_OUT)
    done(plan)
    assert plan.state.plan is not None
    assert plan.state.plan.names == ("liver", "lesion", "hepatic vein")
    assert plan.state.plan.margins == (Margin(lesion="lesion", width=8),)
    plan.set_role("lesion", Role.OTHER)
    done(plan)
    assert plan.state.plan.margins == (), "what is no lesion has no margin"
    plan.undo()
    done(plan)
    plan.undo()
    done(plan)
    assert plan.state.plan.margins == (Margin(lesion="lesion", width=8),)
    assert dict(plan.state.roles)["portal vein"] == "vessel"


# --- margins and cuts ------------------------------------------------------------------------------------------------


def test_a_margin_that_touches_a_vessel_is_a_warning_and_a_shape(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.add_margin("lesion", 20)
    done(plan)
    assert plan.state.numbers is not None
    assert any("reaches hepatic vein" in line for line in plan.state.numbers.warnings)
    kinds = {one.tracking_uid.partition(":")[0] for one in desk.scene.shapes}
    assert kinds == {"organ", "structure", "margin", "touch"}
    assert set(desk.scene.meshes) == {one.tracking_uid for one in desk.scene.shapes}


def test_a_margin_of_no_width_that_exists_is_refused(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.add_margin("lesion", 200)
    assert "from 0 to 100 mm" in plan.state.message
    assert plan.steps == ()


def test_cuts_by_plane_box_and_margin_take_the_lesion_away(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    for cut in (plan.cut_plane, plan.cut_box, lambda: plan.cut_margin("lesion", 5)):
        cut()
        done(plan)
        assert plan.state.numbers is not None
        assert not any("stay behind" in line for line in plan.state.numbers.warnings)
        assert 0 < number(plan, "liver", "remnant of functional volume") < 100
        plan.remove(len(plan.steps) - 1)
        done(plan)
    assert plan.steps == ()


def test_a_plane_that_is_turned_round_takes_the_other_side(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.cut_plane()
    done(plan)
    resected = number(plan, "liver", "resected volume")
    plan.turn(0)
    done(plan)
    whole = number(plan, "liver", "whole volume with lesions")
    assert number(plan, "liver", "resected volume") == pytest.approx(whole - resected, rel=1e-4)
    assert any("stay behind" in line for line in plan.state.numbers.warnings)  # type: ignore[union-attr]


def test_names_of_cuts_are_never_taken_twice(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    for _ in range(2):
        plan.cut_plane()
        done(plan)
    plan.remove(0)
    done(plan)
    plan.cut_plane()
    done(plan)
    assert sorted(one.name for one in plan.state.plan.cuts) == ["plane 1", "plane 2"]  # type: ignore[union-attr]


def test_the_size_of_the_patient_gives_a_standard_liver_or_is_refused(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    formulae = {"liver": "Vauthey 2002", "surface": "Mosteller 1987"}
    plan.set_size(1.71, 68, **formulae)
    assert "no patient has this height" in plan.state.message
    plan.set_size(90, 12, **formulae)
    until_idle(plan)
    assert "made of adults" in plan.state.message
    assert plan.state.plan is not None
    assert plan.state.plan.body is None, "what was refused is not in the plan"
    plan.set_size(171, 68, **formulae)
    done(plan)
    assert number(plan, "patient", "standard liver volume") == pytest.approx(1483.2, abs=0.1)
    plan.set_size(0, 0, **formulae)
    done(plan)
    assert plan.state.plan.body is None


def test_nothing_of_the_patients_size_is_in_what_a_state_says_of_itself(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.choose_person("Jane van Roe")
    plan.set_size(171.25, 68.75, liver="Vauthey 2002", surface="Mosteller 1987")
    done(plan)
    for secret in ("171.25", "68.75", "Roe"):
        assert secret not in repr(plan.state)


# --- the hand in the scene -------------------------------------------------------------------------------------------


def test_a_plane_that_is_moved_in_the_scene_changes_the_remnant_and_undo_puts_it_back(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.cut_plane()
    done(plan)
    before, cut = number(plan, "liver", "remnant volume"), plan.state.plan.cuts[0]  # type: ignore[union-attr]
    assert isinstance(cut, PlaneCut)
    moved = replace(cut, point=(cut.point[0] + 12, *cut.point[1:]))
    desk.scene.move("plane 1", moved)
    assert plan.state.stale == ("a cut",)
    assert not plan.can_write, "numbers of another plane are never saved"
    assert "not in the numbers yet" in words.warnings_text(plan.state)
    followed(plan)
    assert number(plan, "liver", "remnant volume") < before
    assert plan.state.stale == ()
    plan.undo()
    done(plan)
    assert number(plan, "liver", "remnant volume") == before
    assert desk.scene.cuts["plane 1"] == cut
    plan.redo()
    done(plan)
    assert desk.scene.cuts["plane 1"] == moved


def test_a_plane_that_misses_the_organ_is_put_back_and_said(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.cut_plane()
    done(plan)
    cut, before = plan.state.plan.cuts[0], plan.state.numbers  # type: ignore[union-attr]
    desk.scene.move("plane 1", replace(cut, point=(-500.0, 0.0, 0.0)))  # type: ignore[type-var]
    followed(plan)
    assert "misses 'liver'" in plan.state.message
    assert desk.scene.cuts["plane 1"] == cut
    assert plan.state.numbers is before
    assert plan.state.stale == ()


def test_a_markup_that_is_deleted_takes_its_cut_out_of_the_plan(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.cut_plane()
    done(plan)
    desk.scene.move("plane 1", None)
    followed(plan)
    assert plan.steps == ()
    plan.undo()
    done(plan)
    assert desk.scene.cuts["plane 1"] is not None


def test_an_edit_in_the_segment_editor_changes_every_number_that_rests_on_it(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.cut_margin("lesion", 10)
    done(plan)
    before = plan.state.numbers
    plan.choose("lesion")
    plan.edit()
    assert (desk.editor, plan.state.editing) == (1, "lesion")
    uid = uid_of(a_result(COARSE), "lesion")
    assert desk.scene.edited == [uid]
    desk.scene.draw(uid, smaller_lesion(COARSE))
    assert plan.state.stale == ("lesion",)
    followed(plan)
    assert number(plan, "lesion", "volume") < 10 < before.value("lesion", "volume")  # type: ignore[union-attr, operator]
    assert number(plan, "liver", "remnant volume") > before.value("liver", "remnant volume")  # type: ignore[union-attr, operator]
    row = next(one for one in plan.state.numbers.rows if one.missing and one.structure == "lesion")  # type: ignore[union-attr]
    assert row.missing == "not assessed (edited)"
    plan.undo()
    done(plan)
    assert plan.state.numbers == before
    shown = next(one for one in desk.scene.shown.findings if one.tracking_uid == uid)  # type: ignore[union-attr]
    assert shown.region.to_array().sum() == a_result(COARSE).findings[1].region.to_array().sum()  # type: ignore[union-attr]


def test_a_drawing_that_cannot_be_planned_with_stays_and_is_named(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    before = plan.state.numbers
    desk.scene.draw(uid_of(a_result(COARSE), "lesion"), nothing(COARSE))
    followed(plan)
    assert "has no voxels" in plan.state.message
    assert plan.state.stale == ("lesion",)
    assert plan.state.numbers is before
    assert not plan.can_write
    desk.scene.draw(uid_of(a_result(COARSE), "lesion"), smaller_lesion(COARSE))
    followed(plan)
    assert plan.state.stale == ()
    assert number(plan, "lesion", "volume") < 10


def test_a_drawing_that_changes_nothing_is_no_edit(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    uid = uid_of(a_result(COARSE), "lesion")
    desk.scene.draw(uid, desk.scene.drawn(uid))
    followed(plan)
    assert plan.state.history is not None
    assert not plan.state.history.can_undo
    assert desk.scene.changed == frozenset()


def test_what_is_drawn_while_numbers_are_worked_out_is_followed_afterwards(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.cut_margin("lesion", 10)
    desk.scene.draw(uid_of(a_result(COARSE), "lesion"), smaller_lesion(COARSE))
    followed(plan)
    assert number(plan, "lesion", "volume") < 10
    assert plan.steps == (MarginCut(name="lesion with 10 mm", lesion="lesion", width=10),)


def test_a_hand_is_followed_only_when_it_rests_and_somebody_looks() -> None:
    now, calls, held = [0.0], list[float](), [False]
    following = Following(lambda: calls.append(now[0]), is_held=lambda: held[0], clock=lambda: now[0])
    for _ in range(5):
        following.note()
        now[0] += REST / 2
        following.poll()
    assert calls == []
    now[0] += REST
    held[0] = True
    following.poll()
    held[0], following.is_watched = False, False
    following.poll()
    assert calls == [] and not following.busy
    following.is_watched = True
    following.poll()
    following.poll()
    assert len(calls) == 1


def test_an_edit_does_not_wait_for_surfaces_and_the_last_plan_is_what_is_shown(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.cut_margin("lesion", 5)
    assert until(lambda: plan.state.activity == "shapes" and plan.busy, plan)
    assert plan.can_edit
    assert not plan.can_write
    plan.add_margin("lesion", 20)
    assert plan.state.activity == "work"
    done(plan)
    assert {one.tracking_uid for one in desk.scene.shapes} >= {"remnant:liver", "margin:lesion + 20 mm"}
    assert plan.child._dropped == []
    assert len(plan.steps) == 2
    plan.cut_margin("lesion", 7)
    assert until(lambda: plan.state.activity == "shapes" and plan.busy, plan)
    plan.set_size(90, 12, liver="Vauthey 2002", surface="Mosteller 1987")
    until_idle(plan)
    assert "made of adults" in plan.state.message, "what was refused stays said"
    assert len(plan.steps) == 3
    assert plan.child._dropped == []


# --- saving ----------------------------------------------------------------------------------------------------------


def test_a_plan_that_was_saved_comes_back_with_equal_numbers(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.set_role("portal vein", LEFT_OUT)
    done(plan)
    plan.add_margin("lesion", 14)
    done(plan)
    plan.cut_plane()
    done(plan)
    desk.scene.draw(uid_of(a_result(COARSE), "lesion"), smaller_lesion(COARSE))
    followed(plan)
    assert "Not saved yet" in words.standing_text(plan.state)
    plan.save()
    done(plan)
    assert plan.state.saved == run / "planned-1"
    assert plan.state.pending == ()
    later = Desk()
    again = later.open(run)
    assert again.state.numbers == plan.state.numbers
    assert again.state.roles == plan.state.roles
    assert "Saved." in words.standing_text(again.state)
    assert later.scene.cuts.keys() == {"plane 1"}
    again.start_anew()
    done(again)
    assert again.steps == ()
    assert number(again, "lesion", "volume") > 10


def test_a_plan_of_findings_that_people_since_changed_is_not_gone_on_with(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.add_margin("lesion", 14)
    done(plan)
    plan.save()
    done(plan)
    uid = uid_of(a_result(COARSE), "portal vein")
    save_reviewed(run, [Review(tracking_uid=uid, person="Ann Other", decision=Decision.REJECTED, reason="not there")])
    later = Desk()
    again = later.open(run)
    assert again.steps == ()
    assert "rejected 'portal vein'" in words.warnings_text(again.state)


def test_a_plan_that_is_saved_nowhere_is_not_thrown_away_by_another_result(
    desk: Desk, run: Path, tmp_path: Path
) -> None:
    plan = desk.open(run)
    plan.cut_plane()
    done(plan)
    plan.choose_folder(str(a_liver_run(tmp_path / "other")))
    assert plan.state.asked.folder == str(run)
    assert "saved nowhere" in plan.state.message
    plan.save()
    done(plan)
    desk.open(tmp_path / "other")
    assert plan.state.folder == tmp_path / "other" / "result"
    assert plan.steps == ()


@pytest.mark.parametrize("kind", ["stl", "obj", "3mf"])
def test_surfaces_are_written_beside_the_result(desk: Desk, run: Path, kind: str) -> None:
    plan = desk.open(run)
    plan.write_surfaces(kind, "RAS")
    done(plan)
    names = sorted(path.name for path in (run / "surfaces").iterdir())
    assert names == (["plan.3mf"] if kind == "3mf" else [f"{name}.{kind}" for name in _STEMS])
    assert "Written" in plan.state.message


_STEMS = ("hepatic-vein", "lesion", "liver", "portal-vein")


def test_what_is_planned_is_written_as_surfaces_too(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.cut_margin("lesion", 5)
    done(plan)
    plan.add_margin("lesion", 20)
    done(plan)
    plan.write_surfaces("stl", "LPS")
    done(plan)
    planned = ("lesion-20-mm-margin-in-hepatic-vein", "lesion-20-mm-planned-margin")
    names = {path.stem for path in (run / "surfaces").iterdir()}
    assert names == {*_STEMS, *planned, "liver-planned-remnant", "liver-planned-resection"}


def test_a_page_is_printed_with_pictures_and_who_planned(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.choose_person("Jane van Roe")
    plan.cut_plane()
    done(plan)
    plan.print_page()
    done(plan)
    text = (run / "plan.html").read_text(encoding="utf-8")
    assert plan.state.page == run / "plan.html"
    assert "Jane van Roe" in text
    assert "data:image/png;base64," in text
    assert desk.captured[0][1] is False
    assert not desk.captured[0][0].exists(), "pictures that were captured are gone again"


def test_nothing_that_is_written_of_a_pseudonymous_result_names_a_person(desk: Desk, tmp_path: Path) -> None:
    run = a_liver_run(tmp_path / "run", result=pseudonymous(a_result(COARSE)))
    plan = desk.open(run)
    plan.choose_person("Jane van Roe")
    plan.cut_plane()
    done(plan)
    plan.print_page()
    done(plan)
    plan.save()
    done(plan)
    assert desk.captured[0][1] is True, "no picture may show a face"
    assert "Red view" in (run / "plan.html").read_text(encoding="utf-8")
    for path in [one for one in run.rglob("*") if one.is_file()]:
        assert b"van Roe" not in path.read_bytes(), path


# --- a second phase --------------------------------------------------------------------------------------------------


@pytest.fixture
def phases(tmp_path: Path) -> tuple[Path, Path]:
    return two_phases(tmp_path)


def test_a_second_phase_is_registered_its_residual_stated_and_its_vessels_brought_over(
    desk: Desk, phases: tuple[Path, Path]
) -> None:
    plan = desk.open(phases[0])
    assert "alignment not assessed" in words.phases_text(plan.state)
    plan.choose_phase(str(phases[1]))
    assert plan.can_join
    plan.join_phase()
    until_idle(plan)
    assert plan.state.phase is not Phase.FAILED, plan.state.message
    told = words.phases_text(plan.state)
    assert "registered rigidly" in told
    assert "residual" in told
    assert number(plan, "second phase", "residual") < 3
    name = "artery (second phase)"
    assert number(plan, name, "volume") == pytest.approx(liver.ARTERY.volume_ml, rel=0.35)
    assert number(plan, f"lesion to {name}", "shortest distance") > 0
    plan.undo()
    done(plan)
    assert name not in plan.state.plan.names  # type: ignore[union-attr]


def test_phases_of_two_routes_are_never_joined(desk: Desk, run: Path, tmp_path: Path) -> None:
    other = a_liver_run(tmp_path / "other", result=pseudonymous(a_result(COARSE)))
    plan = desk.open(run)
    plan.choose_phase(str(other))
    plan.join_phase()
    until_idle(plan)
    assert "one phase is pseudonymous and the other is not" in plan.state.message
    assert plan.state.plan is not None
    assert plan.state.plan.alignments == ()


def test_phases_of_two_patients_are_never_joined(desk: Desk, run: Path, tmp_path: Path) -> None:
    result = a_result(COARSE)
    stranger = replace(result, study=replace(result.study, patient_id="another"))
    plan = desk.open(run)
    plan.choose_phase(str(a_liver_run(tmp_path / "other", result=stranger)))
    plan.join_phase()
    until_idle(plan)
    assert "two patients" in plan.state.message
    assert "another" not in plan.state.message


# --- contours --------------------------------------------------------------------------------------------------------


def test_inner_and_outer_contours_are_shapes_where_the_result_has_calibrated_maps(desk: Desk, tmp_path: Path) -> None:
    result: AnalysisResult = replace(a_result(), maps=(a_map("platt"),))
    plan = desk.open(a_liver_run(tmp_path / "run", result=result))
    assert plan.state.has_contours
    assert "calibrated probability" in words.contours_text(plan.state)
    plan.show_contours(on=True)
    assert desk.scene.contours
    assert not {one for one in desk.scene.meshes if one.startswith(("inner:", "outer:"))}


# --- the child -------------------------------------------------------------------------------------------------------


def test_one_child_answers_all_and_a_dead_one_is_told_and_replaced(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    first = plan.child.number
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    plan.add_margin("lesion", 5)
    assert plan.child.number == first
    os.kill(first, signal.SIGKILL)
    until_idle(plan)
    assert plan.state.phase is Phase.FAILED
    assert plan.steps == (), "the numbers never show what was not worked out"
    plan.add_margin("lesion", 5)
    done(plan)
    assert plan.child.number not in (None, first)
    assert len(plan.steps) == 1


def test_cancelling_ends_the_child_within_two_seconds_and_keeps_the_plan(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.cut_plane()
    done(plan)
    before = plan.state.plan
    plan.print_page()
    assert plan.can_cancel
    began = time.monotonic()
    plan.cancel()
    until_idle(plan)
    assert time.monotonic() - began < 2
    assert plan.state.phase is Phase.CANCELLED
    assert plan.state.plan is before
    assert not (run / "plan.html").exists()
    plan.save()
    done(plan)


def test_closing_leaves_no_child_and_no_file(desk: Desk, run: Path, tmp_path: Path, monkeypatch: Any) -> None:
    import tempfile

    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    plan = desk.plan
    plan.child = Child()
    desk.open(run)
    plan.print_page()
    number = plan.child.number
    plan.close()
    assert number is not None
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    assert [path for path in (tmp_path / "temp").rglob("*") if path.is_file()] == []
    assert not plan.busy


def test_a_closed_scene_loses_no_plan(desk: Desk, run: Path) -> None:
    plan = desk.open(run)
    plan.cut_plane()
    done(plan)
    before = plan.state.numbers
    plan.scene_closed()
    assert not plan.state.in_scene
    assert plan.state.pending
    plan.look()
    done(plan)
    assert plan.state.in_scene
    assert plan.state.numbers == before
    assert desk.scene.cuts.keys() == {"plane 1"}


def test_numbers_that_are_not_there_are_no_numbers() -> None:
    with pytest.raises(KeyError):
        Numbers().value("liver", "volume")
    assert words.number_rows(None) == []


def test_a_plane_is_told_by_the_side_that_it_takes() -> None:
    cut = PlaneCut(name="half", point=(-24.0, 2.0, 8.0), normal=(-1.6, 0.2, 0.96))
    ((name, kind, where),) = words.step_rows([cut])
    assert (name, kind) == ("half", "cut by plane")
    assert where == "takes right, superior of (-24.0, 2.0, 8.0), along (-1.60, 0.20, 0.96)"
    ((_, _, where),) = words.step_rows([cut], lambda text: {"right": "rechts"}.get(text, text))
    assert where.startswith("takes rechts, superior")
