"""The printed plan: one A4 page, whatever the plan holds, with every number that it shows true to the table."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slicermedai.console import planning
from slicermedai.domain.finding import Box, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.plan import Body, BoxCut, MarginCut, Plan, PlaneCut, Role
from slicermedai.domain.study import Identity
from slicermedai.errors import OutputError
from slicermedai.plan import edits, phases
from slicermedai.plan.keep import save_plan
from slicermedai.plan.numbers import table_of
from slicermedai.plan.shapes import COLORS, MARGIN, REMNANT, RESECTION, TOUCH
from slicermedai.plan.start import start_plan
from slicermedai.report.plan_legend import short_names
from slicermedai.report.plan_page import PlanContext, render_plan_page, write_plan_page
from slicermedai.scene.pictures import Picture
from Testing.browser import printed, screenshot
from Testing.fixtures import liver
from Testing.plan.cases import ROLES, SMALL, a_plan, a_result
from Testing.plan.test_contours import some_answers

PLANE = PlaneCut(name="right half", point=(-24.0, 2.0, 8.0), normal=(-0.8, 0.36, 0.48))
GREEN = (10, 220, 30)


@pytest.fixture(scope="module")
def plan() -> Plan:
    made = edits.with_margin(edits.with_cut(a_plan(), PLANE), "lesion", 14.0)
    made = edits.with_cut(made, MarginCut(name="wide", lesion="lesion", width=5.0))
    return edits.with_notes(edits.with_body(made, Body(height_cm=171, weight_kg=68)), ["Vena <cava> is free."])


def pictures(folder: Path, count: int = 4) -> tuple[Picture, ...]:
    made = []
    for number in range(count):
        path = folder / f"{number}.png"
        Image.new("RGB", (300, 300), GREEN).save(path)
        made.append(Picture(path=path, title=f"View {number}", kind="axial"))
    return tuple(made)


def context_of(plan: Plan, folder: Path, **fields: object) -> PlanContext:
    given = {"pictures": pictures(folder), "person": "Hopper^Grace", "day": "20261122", **fields}
    return PlanContext(plan=plan, table=table_of(plan), result=a_result(), **given)


def pages(paper: Path) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes()))


def test_it_prints_on_one_a4_page(plan, tmp_path):
    paper = printed(write_plan_page(context_of(plan, tmp_path), tmp_path), tmp_path)
    assert pages(paper) == 1
    width, height = map(float, re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", paper.read_bytes())[0])
    assert (width, height) == pytest.approx((595, 842), abs=2)


def a_crowded_plan(plan: Plan) -> Plan:
    """Far more structures, margins, warnings and notes than a page holds, with long names."""
    small = replace(liver.LESION, radii=(6.0, 6.0, 6.0))
    label = plan.structures[1].label
    for number in range(16):
        place = replace(small, center=(-75.0 + 24 * (number % 4), -20.0 + 14 * (number // 4), 10.0))
        region = PackedMask.from_array(liver.inside(place, SMALL), SMALL)
        name = f"metastasis number {number} in a segment with a long name"
        plan = edits.with_structure(plan, name, role=Role.LESION, label=label, region=region)
        plan = edits.with_margin(plan, name, 10.0)
    return edits.with_notes(plan, [f"Note {number}: {'very long words ' * 30}" for number in range(12)])


def test_a_crowded_plan_still_prints_on_one_page_and_says_what_is_not_on_it(plan, tmp_path):
    crowded = a_crowded_plan(plan)
    page = write_plan_page(context_of(crowded, tmp_path, pictures=pictures(tmp_path, 6)), tmp_path)
    assert pages(printed(page, tmp_path)) == 1
    said = page.read_text(encoding="utf-8")
    table = table_of(crowded)
    distances = sum(row.name == "shortest distance" for row in table.rows)
    assert f"and {distances - 12} more numbers: see table.csv" in said
    assert f"and {len(crowded.structures) - 12} more structures" in said
    assert "and 2 more pictures" in said
    assert f"and {len(table.warnings) - 5} more: see warnings.txt of the saved plan" in said


def test_structures_whose_names_differ_in_the_middle_are_told_apart_and_so_is_what_they_are_near(plan, tmp_path):
    said = render_plan_page(context_of(a_crowded_plan(plan), tmp_path))
    names = re.findall(r'<th scope="row"><span title="(metastasis[^":]*name)">([^<]*)<', said)
    assert len(names) == len(set(names)) == 8
    assert len({short for _, short in names}) == 8
    assert all(len(short) <= 21 and re.search(rf"\b{re.findall(r'[0-9]+', name)[0]}\b", short) for name, short in names)
    distances = said[said.index("Distances</h2>") : said.index("</table>", said.index("Distances</h2>"))]
    assert distances.count("</tr>") == 12
    assert len(re.findall(r"(?:to (?:hepatic vein|portal vein|the border of liver))", distances)) >= 12


def test_short_names_of_two_stay_two():
    long = "the same beginning of a name, and "
    names = ["liver", f"{long}one end", f"{long}two end", f"{long}two end of all", "x" * 40, "x" * 30 + "y" * 10]
    found = short_names(names)
    assert found["liver"] == "liver"
    assert len(set(found.values())) == len(names)
    assert max(map(len, found.values())) <= 21
    alike = [f"{'same ' * 9}{number}{' same' * 9}" for number in range(3)]
    assert len(set(short_names(alike).values())) == 3


def test_every_number_on_it_is_one_of_the_table(plan, tmp_path):
    said = render_plan_page(context_of(plan, tmp_path))
    shown = [float(value) for value in re.findall(r'<data value="([^"]+)"', said)]
    known = {row.value for row in table_of(plan).rows}
    assert len(shown) > 25
    assert set(shown) <= known
    remnant = table_of(plan).value("liver", "remnant volume")
    assert f"<strong>{remnant:.1f} ml</strong>" in said


def test_what_was_not_assessed_and_who_it_is_are_said(plan, tmp_path):
    said = render_plan_page(context_of(plan, tmp_path))
    for words in ("not assessed", "Quillfeather, Ambrosia", "ID QF-7391586", "Hopper, Grace", "2026-11-22"):
        assert words in said
    for words in ("Research use only", "Vauthey 2002", "reaches hepatic vein", "plane through (-24.0, 2.0, 8.0)"):
        assert words in said
    assert "Vena &lt;cava&gt; is free." in said
    assert ">lesion + 14 mm: lesion and margin in the organ<" in said
    assert "takes away what lies right, superior and posterior of it, along (-0.80, 0.36, 0.48)" in said


@pytest.mark.parametrize(
    ("normal", "words"),
    [
        ((0.0, 0.0, -3.0), "inferior"),
        ((0.1, -2.0, 0.1), "anterior"),
        ((1.0, 0.0, 1.0), "left and superior"),
        ((-1.0, 1.0, 1.0), "right, posterior and superior"),
    ],
)
def test_what_a_plane_takes_away_is_told_in_the_words_of_the_patients_sides(plan, tmp_path, normal, words):
    cut = PlaneCut(name="side", point=(-30.0, 4.0, 10.0), normal=normal)
    said = render_plan_page(context_of(edits.with_cut(plan, cut), tmp_path))
    assert f"side: plane through (-30.0, 4.0, 10.0), takes away what lies {words} of it" in said


def test_boxes_that_differ_are_printed_differently_with_all_that_draws_them_again(plan, tmp_path):
    slanted = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    grid = Geometry.from_axes((1, 1, 1), origin=(-20.0, 0.0, 0.0), directions=slanted)
    name = f"box {'with a long name ' * 9}1"
    oblique = BoxCut(name=name, box=Box.along(grid, (-15.0, -40.0, -30.0), (15.0, 40.0, 30.0)))
    upright = BoxCut(name=name, box=Box(low=oblique.box.low, high=oblique.box.high))
    said = [render_plan_page(context_of(edits.with_cut(plan, one), tmp_path)) for one in (oblique, upright)]
    told = "oblique box, middle (-20.0, 0.0, 0.0), 30.0 x 80.0 x 60.0 mm along (0.60, 0.80, 0.00), (-0.80, 0.60, 0.00)"
    assert f"{told}, (0.00, 0.00, 1.00)" in said[0], "nothing of it is clipped"
    assert "box from (-61.0, -36.0, -30.0) to (21.0, 36.0, 30.0)" in said[1]
    assert oblique.box.frame[0] == pytest.approx(upright.box.frame[0])


def test_on_a_pseudonymous_page_stand_no_person_and_no_true_date(plan, tmp_path):
    result = a_result()
    shifted = replace(result, study=replace(result.study, identity=Identity.DEIDENTIFY, date="19991231"))
    said = render_plan_page(replace(context_of(plan, tmp_path), result=shifted))
    assert "1999-12-31" in said
    for words in ("Grace", "Hopper", "2026"):
        assert words not in said
    planning.print_page(plan, shifted.save(tmp_path / "run" / "result").parent, person="Hopper^Grace", day="20261122")
    assert "Grace" not in (tmp_path / "run" / "plan.html").read_text(encoding="utf-8")


def test_the_warnings_of_the_run_stand_above_the_numbers_too(plan, tmp_path):
    result = a_result()
    made = replace(result.provenance, warnings=("The image looks like noise.", "Plan: old"), demonstration=True)
    said = render_plan_page(replace(context_of(plan, tmp_path), result=replace(result, provenance=made)))
    assert "The image looks like noise." in said and "trained for demonstration" in said and "Plan: old" not in said
    assert said.index("looks like noise") < said.index("<strong>")


def test_repeated_answers_are_no_probability_and_an_edited_structure_is_told(plan, tmp_path):
    result, said = a_result(), render_plan_page(context_of(plan, tmp_path))
    assert "edited" not in said and "no probability" not in said
    started = start_plan(replace(result, uncertainty=some_answers()), ROLES)
    changed = edits.with_region(started, "liver", liver.inside(liver.LIVER, SMALL))
    said = render_plan_page(context_of(changed, tmp_path))
    assert "Inner to outer: share of 8 answers (flips), no probability, level 0.9, voxel by voxel: lesion." in said
    assert '<span class="missing">not assessed (edited)</span>' in said
    assert "Edited by a person: liver." in said
    assert "Segmented by liver 1.2.0, but for liver: edited by a person." in said


def test_what_is_left_between_phases_stands_by_the_distances_of_what_was_brought(plan, tmp_path):
    same = phases.between_points(np.eye(3), np.eye(3) + 0.5)
    lying = phases.compared(plan.geometry, plan.geometry, moving="arterial", residual=same)
    region = PackedMask.from_array(liver.inside(liver.ARTERY, SMALL), SMALL)
    made = edits.with_structure(
        phases.with_alignment(plan, lying), "artery", role=Role.VESSEL, label=plan.structures[2].label, region=region,
        phase="arterial",
    )  # fmt: skip
    said = render_plan_page(context_of(made, tmp_path))
    assert "artery is of arterial, 0.9 mm off (at most 0.9 mm)" in said
    assert "those of artery are off by what is left between the phases too" in said


def test_nothing_of_the_run_is_crowded_out_by_the_warnings_of_the_plan(plan, tmp_path):
    for width in range(15, 25):
        plan = edits.with_margin(plan, "lesion", float(width))
    result, lines = a_result(), tuple(f"Of the run {number}: {'long words ' * 20}end {number}." for number in range(7))
    made = replace(result.provenance, warnings=lines, demonstration=True)
    result = replace(result, provenance=made, notes=("Two slices are missing.",))
    said = render_plan_page(replace(context_of(plan, tmp_path), result=result))
    own = table_of(plan).warnings
    assert len(own) > 10
    for line in (*lines, "trained for demonstration", "Two slices are missing."):
        assert line in said
        assert said.index(line) < said.index(own[0])
    folder = save_plan(plan, result.save(tmp_path / "case" / "result").parent)
    assert (folder / "plan" / "warnings.txt").read_text(encoding="utf-8").splitlines() == list(own)


def test_the_colours_of_the_pictures_are_told(plan, tmp_path):
    said = render_plan_page(context_of(plan, tmp_path))
    for kind, words in ((RESECTION, "goes"), (REMNANT, "stays"), (MARGIN, "margin"), (TOUCH, "margin in a vessel")):
        color = ", ".join(map(str, COLORS[kind]))
        assert f'<i style="background:rgb({color})"></i>{words}</span>' in said
    assert "margin beyond the organ" not in said and "contour</span>" not in said
    assert 'rgb(60, 90, 220)"></i>hepatic vein</span>' in said
    bare = render_plan_page(context_of(a_plan(), tmp_path))
    assert ">goes</span>" not in bare and ">margin</span>" not in bare
    assert "legend" not in re.sub(
        r"<style>.*?</style>", "", render_plan_page(context_of(plan, tmp_path, pictures=())), flags=re.DOTALL
    )


def test_without_pictures_it_says_why_and_a_missing_picture_is_refused(plan, tmp_path):
    said = render_plan_page(context_of(plan, tmp_path, pictures=(), no_pictures="no OpenGL here"))
    assert "No pictures: no OpenGL here." in said
    lost = Picture(path=tmp_path / "lost.png", title="x", kind="3d")
    with pytest.raises(OutputError, match=r"lost\.png"):
        write_plan_page(context_of(plan, tmp_path, pictures=(lost,)), tmp_path)


def test_a_browser_draws_it(plan, tmp_path):
    page = write_plan_page(context_of(plan, tmp_path), tmp_path)
    seen = np.asarray(Image.open(screenshot(page, tmp_path, "--window-size=780,1100")).convert("RGB")).astype(int)
    assert (np.abs(seen - np.array(GREEN)).max(axis=-1) <= 3).mean() > 0.08, "the pictures are there"
    assert (seen.min(axis=-1) > 250).mean() > 0.3, "on white paper"


@pytest.mark.parametrize("crowded", [False, True])
def test_nothing_runs_off_the_right_edge(plan, tmp_path, crowded):
    made = a_crowded_plan(plan) if crowded else plan
    page = write_plan_page(context_of(made, tmp_path, pictures=()), tmp_path)
    seen = np.asarray(Image.open(screenshot(page, tmp_path, "--window-size=780,1500")).convert("RGB")).astype(int)
    edge = int(np.flatnonzero((seen[60] > 250).all(axis=-1)).max())  # of the sheet
    assert (seen[100:, edge - 8 : edge + 25].min(axis=-1) > 200).all()
