"""A plan is saved beside its result without loss, and the result then holds what is planned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slicermedai.domain.plan import Alignment, Body, BoxCut, Contours, MarginCut, Plan, PlaneCut, Residual
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.domain.reviewed import save_reviewed
from slicermedai.errors import GeometryError, UnreadableFileError
from slicermedai.plan import edits
from slicermedai.plan.keep import load_plan, save_plan
from slicermedai.plan.numbers import table_of
from Testing.fixtures import liver
from Testing.plan.cases import a_plan, a_result

PLANE = PlaneCut(name="right half", point=(-24.0, 2.0, 8.0), normal=(-0.8, 0.36, 0.48))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """The output of a run, with headers of its source."""
    (tmp_path / "made").mkdir()
    folder = a_result().save(tmp_path / "made" / "result")
    (folder / "source").mkdir()
    (folder / "source" / "headers.json").write_text("{}")
    return tmp_path / "made"


@pytest.fixture
def plan() -> Plan:
    """Everything that a plan can hold."""
    made = edits.with_margin(edits.with_cut(a_plan(), PLANE), "lesion", 14.0)
    made = edits.with_cut(made, BoxCut(name="box", box=liver.BOX))
    made = edits.with_cut(made, MarginCut(name="wide", lesion="lesion", width=5.0))
    made = edits.with_body(made, Body(height_cm=171.5, weight_kg=68.2))
    made = edits.with_pair(edits.with_notes(made, ["Vena cava is free."]), "hepatic vein", "portal vein")
    lesion = made.structures[1]
    shift = np.eye(4)
    shift[0, 3] = 1 / 3
    after = tuple(shift.ravel().tolist())
    residual = Residual(mean=0.8, largest=2.1, by="border of liver", count=4000, transform=after)
    return replace(
        made,
        contours=(Contours(structure="lesion", inner=lesion.region, outer=lesion.region),),
        alignments=(
            Alignment(
                moving="arterial", transform=shift, same_frame=None, registered=True, residual=residual, limit=3.0
            ),
        ),
    )


def test_a_plan_comes_back_without_loss(plan, output):
    folder = save_plan(plan, output)
    again = load_plan(output)
    assert folder == output / "planned-1"
    assert [str(row) for row in table_of(again).rows] == [str(row) for row in table_of(plan).rows]
    assert (again.cuts, again.margins, again.body, again.pairs) == (plan.cuts, plan.margins, plan.body, plan.pairs)
    assert again.notes == plan.notes and again.geometry == plan.geometry
    assert np.array_equal(again.alignments[0].transform, plan.alignments[0].transform)
    for one, other in zip(again.structures, plan.structures, strict=True):
        assert np.array_equal(one.region.to_array(), other.region.to_array())


def test_the_old_result_stays_and_its_source_headers_go_along(plan, output):
    before = {path: path.read_bytes() for path in (output / "result").rglob("*") if path.is_file()}
    folder = save_plan(plan, output)
    assert {path: path.read_bytes() for path in (output / "result").rglob("*") if path.is_file()} == before
    assert (folder / "source" / "headers.json").read_text() == "{}"
    assert sorted(path.name for path in output.iterdir()) == ["planned-1", "result"]


def test_the_result_holds_the_planned_regions_and_numbers(plan, output):
    result = AnalysisResult.load(save_plan(plan, output))
    found = {finding.label.name: finding for finding in result.findings}
    table = table_of(plan)
    remnant = {one.name.meaning: one for one in found["liver: planned remnant"].measurements}
    assert remnant["Volume"].value == table.value("liver", "remnant volume")
    assert remnant["Volume Ratio"].value == pytest.approx(table.value("liver", "remnant of functional volume") / 100)
    lesion = {one.name.meaning: one for one in found["lesion"].measurements}
    assert lesion["Distance"].value == table.value("lesion to hepatic vein", "shortest distance")
    columns = [[(one.name, one.unit) for one in finding.measurements] for finding in result.findings]
    assert all(column == columns[0] for column in columns)
    assert {"lesion + 14 mm: planned margin", "lesion + 14 mm: margin in hepatic vein"} < set(found)
    assert any("margin lesion + 14 mm reaches hepatic vein" in line for line in result.provenance.warnings)


def test_what_of_a_margin_lies_beyond_the_organ_is_a_finding_of_its_own(output):
    made = edits.with_margin(a_plan(), "lesion", 37.0)
    result = AnalysisResult.load(save_plan(made, output))
    beyond = next(one for one in result.findings if one.label.name == "lesion + 37 mm: margin beyond liver")
    numbers = {one.name.meaning: one.value for one in beyond.measurements}
    assert numbers["Volume"] == table_of(made).value("lesion + 37 mm", "margin beyond liver")
    places = made.geometry.to_lps(np.argwhere(beyond.region.to_array()))
    assert (liver.LIVER.distance(places) > 0).all()
    assert beyond.label.type.meaning == "Tissue"


def test_planning_again_replaces_what_was_planned_before(plan, output):
    first = save_plan(plan, output)
    bare = edits.without_cut(edits.without_cut(edits.without_cut(plan, "box"), "wide"), "right half")
    second = save_plan(edits.without_margin(bare, "lesion", 14.0), first)
    assert second == output / "planned-2"
    result = AnalysisResult.load(second)
    assert [one.label.name for one in result.findings] == ["liver", "lesion", "hepatic vein", "portal vein"]
    assert not [line for line in result.provenance.warnings if line.startswith("Plan: ")]
    assert load_plan(output).cuts == ()


def test_a_plan_is_saved_with_the_last_decisions_of_people(plan, output):
    uid = plan.structures[1].tracking_uid
    save_reviewed(output, [Review(tracking_uid=uid, person="Hopper^Grace", decision=Decision.ACCEPTED)])
    assert AnalysisResult.load(save_plan(plan, output)).reviews[0].person == "Hopper^Grace"


def test_a_plan_of_another_image_and_a_folder_without_a_plan_are_refused(output, tmp_path):
    with pytest.raises(GeometryError, match="another image"):
        save_plan(a_plan(liver.GRIDS["axial"]), output)
    with pytest.raises(UnreadableFileError, match="holds no plan"):
        load_plan(output)
    with pytest.raises(UnreadableFileError):
        save_plan(a_plan(), tmp_path)


def test_a_plan_is_found_by_the_result_that_it_lies_beside_and_never_guessed_among_cases(tmp_path):
    widths = {"caseA": 5.0, "caseA-2": 7.0, "caseB": 9.0}
    for name, width in widths.items():
        a_result().save(tmp_path / name)
        save_plan(a_plan(), tmp_path / name)
        save_plan(edits.with_margin(a_plan(), "lesion", width), tmp_path / name)
    for name, width in widths.items():
        assert load_plan(tmp_path / name).margins[0].width == width
        assert load_plan(tmp_path / f"{name}-planned-2").margins[0].width == width
    with pytest.raises(UnreadableFileError, match="plans of several cases"):
        load_plan(tmp_path)
    reviewed = save_reviewed(tmp_path / "caseB", [])
    assert save_plan(a_plan(), reviewed).name == "caseB-planned-3"
    assert load_plan(reviewed).margins == load_plan(tmp_path / "caseB").margins == ()


def test_the_plan_of_a_run_is_not_that_of_another_case_in_its_folder(output):
    save_plan(edits.with_margin(a_plan(), "lesion", 5.0), output)
    other = a_result().save(output / "other")
    for _ in range(2):
        save_plan(a_plan(), other)
    assert load_plan(output).margins[0].width == load_plan(output / "result").margins[0].width == 5.0


@pytest.mark.parametrize("name", ["plan.json", "arrays.npz"])
def test_a_plan_that_was_changed_afterwards_is_refused(plan, output, name):
    path = save_plan(plan, output) / "plan" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableFileError):
        load_plan(output)


def test_a_write_that_fails_leaves_nothing(plan, output, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("slicermedai.plan.keep.write_table", full)
    with pytest.raises(Exception, match="no space left"):
        save_plan(plan, output)
    assert [path.name for path in output.iterdir()] == ["result"]


def test_the_table_file_has_a_line_for_each_number(plan, output):
    text = (save_plan(plan, output) / "plan" / "table.csv").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert lines[0] == "part,structure,quantity,value,unit,code,points_lps_mm,missing,note"
    assert len(lines) == 1 + len(table_of(plan).rows)
    assert any(",not assessed," in line for line in lines)
