"""Table, summary and quality sheet: every case is in them once, numbers are right, and the doubtful stand first."""

from __future__ import annotations

import csv
import re
import shutil
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai.batch import outputs, table
from slicermedai.batch.cohort import Case, Cohort, Standing, State
from slicermedai.batch.lettering import LINE, YELLOW, lettered
from slicermedai.batch.outliers import ranked, robust_z
from slicermedai.batch.outputs import write_outputs
from slicermedai.batch.sheet import sheet_page
from slicermedai.batch.summary import summarise
from slicermedai.batch.table import COLUMNS, Report
from slicermedai.batch.thumbnail import draw, png_of
from slicermedai.console import cohorts
from slicermedai.domain.codes import IN_BOX
from slicermedai.domain.finding import PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.notice import DEMONSTRATION
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.domain.reviewed import newest, save_reviewed
from Testing.batch.conftest import MakeWorker, drive
from Testing.fixtures.grids import grid, rotated
from Testing.scene.samples import small_head


def a_report(number: int, volume: float | None, **fields: Any) -> Report:
    case = Case(name=f"{number:04d}", key="k", patient=f"P{number:04d}", study_uid="1.2", study_time="", bundle="b")
    volumes = {} if volume is None else {"Liver": volume}
    given: dict[str, Any] = {
        "standing": Standing(state=State.DONE),
        "outcome": "complete",
        "volumes": volumes,
        **fields,
    }
    return Report(case=case, rows=(), **given)


def order(reports: list[Report]) -> list[str]:
    return [look.report.case.name for look in ranked(reports)]


def test_the_z_score_is_that_of_iglewicz_and_hoaglin() -> None:
    values = [2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3]
    found = robust_z(values)
    assert found[8] == pytest.approx((8.2 - 2.45) / (1.4826 * 0.15), rel=1e-6)
    assert [abs(z) >= 3.5 for z in found] == [False] * 8 + [True] * 2


def test_equal_values_and_few_values_have_no_outlier() -> None:
    assert robust_z([3.0] * 9) == [0.0] * 9
    assert robust_z([1.0, 1.0, 1.0, 99.0]) == [0.0] * 4
    assert robust_z([1.0] * 9 + [2.0])[-1] == pytest.approx(1.0 / (1.2533 * 0.1))


def test_warnings_red_lights_and_outliers_come_first() -> None:
    reports = [a_report(number, 1000.0 + 10 * number) for number in range(1, 9)]
    reports += [
        a_report(9, 4000.0),
        a_report(
            10,
            1040.0,
            lights=(("Liver", "red"),),
            why_red={"Liver": "unlike the patients of the record"},
            warnings=("a warning",),
        ),
        a_report(11, None),
    ]
    assert order(reports)[:3] == ["0010", "0009", "0011"] or order(reports)[:3] == ["0010", "0011", "0009"]
    by_name = {look.report.case.name: look.reasons for look in ranked(reports)}
    assert by_name["0010"][:2] == ("Liver: red light: unlike the patients of the record", "a warning")
    assert "volume unlike the others" in by_name["0009"][0]
    assert "not found unlike the others" in by_name["0011"][0]
    assert by_name["0004"] == ()


def test_two_cases_of_one_image_are_told() -> None:
    looks = ranked([a_report(1, 5.0, image="a"), a_report(2, 5.0, image="a"), a_report(3, 5.0, image="b")])
    told = [(look.report.case.name, look.reasons) for look in looks]
    assert told == [
        ("0001", ("the same image as case 0002",)),
        ("0002", ("the same image as case 0001",)),
        ("0003", ()),
    ]


def test_every_case_is_on_the_sheet_once_also_those_without_a_result() -> None:
    reports = [
        a_report(number, 100.0 + number, standing=Standing(state=state, reason=f"why {number} & <so>"))
        for number, state in enumerate(State, 1)
    ]
    text = sheet_page(reports, [], title="Sheet")
    assert sorted(re.findall(r'id="case-(\d+)"', text)) == [one.case.name for one in reports]
    assert "why 4 &amp; &lt;so&gt;" in text


def test_summary_counts_cases_patients_and_missing_values() -> None:
    row = {name: "" for name in COLUMNS} | {"structure": "Liver", "measurement": "Volume", "unit": "ml"}
    values = [(1, "P1", 10.0), (2, "P1", 20.0), (3, "P2", 60.0), (4, "P3", None)]
    (found,) = summarise([{**row, "case": case, "patient": patient, "value": value} for case, patient, value in values])
    assert (found["cases"], found["patients"], found["missing"]) == (4, 3, 1)
    assert (found["mean"], found["median"], found["q1"], found["q3"]) == (30.0, 20.0, 15.0, 40.0)
    assert found["sd"] == pytest.approx(26.457513)
    assert summarise([{**row, "measurement": ""}]) == []


@pytest.fixture
def worked(cohort: Cohort, quick: MakeWorker) -> Cohort:
    """Three cases: done, failed, done."""
    drive(quick(cohort, "if '/0002/' in job.output:\n    raise BundleError('the network is broken')"))
    return cohort


def test_the_table_holds_what_the_results_hold_and_every_other_case(worked: Cohort) -> None:
    rows = cohorts.to_rows(worked.folder)
    assert [name for name in dict.fromkeys(row["case"] for row in rows)] == worked.names()
    result = AnalysisResult.load(worked.result("0001"))
    told = [(row["structure"], row["measurement"], row["value"], row["unit"]) for row in rows if row["case"] == "0001"]
    assert told == [
        (finding.label.name, one.title, one.value, one.unit.value)
        for finding in result.findings
        for one in finding.measurements
    ]
    (failed,) = [row for row in rows if row["case"] == "0002"]
    assert (failed["state"], failed["reason"], failed["value"]) == ("failed", "the network is broken", None)
    assert failed["patient_id"] == "ZZ-1"


def test_how_a_number_was_measured_is_in_the_table(worked: Cohort) -> None:
    folder = worked.result("0001")
    result = AnalysisResult.load(folder)
    first, *others = result.findings
    in_box, plain = (replace(first.measurements[0], method=method) for method in (IN_BOX, None))
    shutil.rmtree(folder)
    findings = (replace(first, measurements=(in_box, plain)), *others)
    replace(result, findings=findings).save(folder)
    rows = [row for row in cohorts.to_rows(worked.folder) if row["case"] == "0001"]
    assert [row["method_code"] for row in rows[:2]] == ["99MEDAI:MEDAI-IN-BOX", ""]


def test_files_are_written_with_the_same_rows_and_what_is_absent_is_named(worked: Cohort) -> None:
    made = write_outputs(worked)
    rows = cohorts.to_rows(worked.folder)
    with made.table.open(newline="", encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    assert [row["case"] for row in read] == [row["case"] for row in rows]
    assert [float(row["value"]) for row in read if row["value"]] == [
        row["value"] for row in rows if row["value"] is not None
    ]
    text = made.sheet.read_text(encoding="utf-8")
    assert sorted(re.findall(r'id="case-(\d+)"', text)) == worked.names()
    assert "Liver" not in text
    assert "ZZ-1" not in text


def test_the_table_is_written_as_parquet_with_numbers_as_numbers(worked: Cohort) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="absent: pyarrow")
    made = write_outputs(worked)
    assert made.absent == ()
    read = parquet.read_table(made.parquet)
    assert read.column_names == list(table.COLUMNS)
    plain = [{name: row[name] if row[name] != "" else None for name in table.COLUMNS} for row in read.to_pylist()]
    rows = cohorts.to_rows(worked.folder)
    assert plain == [{name: row[name] if row[name] != "" else None for name in table.COLUMNS} for row in rows]
    assert {str(read.schema.field(name).type) for name in table.NUMBERS} == {"double"}


def test_without_the_package_for_parquet_that_is_said(worked: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "find_spec", lambda name: None)
    made = write_outputs(worked)
    assert (made.parquet, made.absent) == (None, ("table.parquet: the package pyarrow is not installed",))
    assert made.table.is_file()


def test_a_damaged_result_is_told_and_stops_no_table(worked: Cohort) -> None:
    (worked.result("0001") / "result" / "result.json").write_text("{")
    by_case = {row["case"]: row["state"] for row in cohorts.to_rows(worked.folder)}
    assert by_case == {"0001": "failed", "0002": "failed", "0003": "done"}


def test_table_summary_and_sheet_hold_what_people_decided(worked: Cohort) -> None:
    """Also where it was decided in two sittings: the newest result holds all decisions so far."""
    place = worked.result("0001")
    first, second = AnalysisResult.load(place).findings[:2]
    for finding in (first, second):
        one = Review(tracking_uid=finding.tracking_uid, person="N", decision=Decision.REJECTED, time="2026-01-01")
        save_reviewed(newest(place), [one])
    rows = [row for row in cohorts.to_rows(worked.folder) if row["case"] == "0001"]
    assert rows
    assert not {first.label.name, second.label.name} & {row["structure"] for row in rows}
    assert "rejected by a person" in rows[0]["warnings"]
    made = write_outputs(worked)
    with made.summary.open(newline="", encoding="utf-8") as stream:
        counted = {row["structure"]: row["cases"] for row in csv.DictReader(stream)}
    assert (counted[first.label.name], counted[second.label.name]) == ("1", "1")
    assert made.sheet.read_text(encoding="utf-8").count("the picture shows what the model found") == 1


def test_table_summary_and_sheet_say_demonstration_and_remark(worked: Cohort) -> None:
    place = worked.result("0001")
    result = AnalysisResult.load(place)
    assert not result.provenance.demonstration
    shutil.rmtree(place / "result")
    made = replace(result.provenance, demonstration=True, remark="A trial run.")
    replace(result, provenance=made).save(place / "result")
    outputs = write_outputs(worked)
    with outputs.table.open(newline="", encoding="utf-8") as stream:
        told = {(row["case"], row["demonstration"], row["remark"]) for row in csv.DictReader(stream)}
    assert told == {("0001", "yes", "A trial run."), ("0002", "", ""), ("0003", "no", "")}
    with outputs.summary.open(newline="", encoding="utf-8") as stream:
        assert {(row["demonstration"], row["remark"]) for row in csv.DictReader(stream)} == {("yes", "A trial run.")}
    text = outputs.sheet.read_text(encoding="utf-8")
    assert text.index(DEMONSTRATION) < text.index("A trial run.") < text.index('class="card')
    assert text.count(DEMONSTRATION) == 2


def test_the_sheet_says_no_z_score_where_too_few_cases_are_compared(worked: Cohort) -> None:
    page = write_outputs(worked).sheet.read_text(encoding="utf-8")
    assert " ml" in page
    assert ", z " not in page, "a z of 0 would say that a case is like the others"


def test_numbers_and_units_of_the_sheet_are_as_people_write_them() -> None:
    row = {name: "" for name in COLUMNS} | {"structure": "Brain", "bundle": "b", "case": "1", "patient": "P1"}
    measured = [("Surface", "mm2", 71900.4), ("Signal", "1", 666.04), ("Share", "%", 0.00123)]
    rows = [{**row, "measurement": name, "unit": unit, "value": value} for name, unit, value in measured]
    page = sheet_page([], summarise(rows), title="Sheet")
    for told in ("Surface, mm²<", "71900 (–)<", "Signal<", "666 (–)<", "Share, %<", "0.00123 (–)<"):
        assert told in page
    assert "The patient's left is on the right" in page


def test_numbers_of_several_models_are_not_pooled() -> None:
    row = {name: "" for name in COLUMNS} | {"structure": "Liver", "measurement": "Volume", "unit": "ml"}
    models = [("A", "1", 1500.0), ("A", "1", 1700.0), ("A", "2", 30.0), ("B", "1", 90.0)]
    rows = [
        {**row, "case": str(case), "patient": str(case), "bundle": name, "bundle_version": version, "value": value}
        for case, (name, version, value) in enumerate(models)
    ]
    found = summarise(rows)
    assert [(one["model"], one["cases"], one["mean"]) for one in found] == [
        ("A@1", 2, 1600.0),
        ("A@2", 1, 30.0),
        ("B@1", 1, 90.0),
    ]
    page = sheet_page([], found, title="Sheet")
    assert all(f"{one['model']}</td>" in page or f"{one['model']}</th>" in page for one in found)


def test_of_who_opted_out_after_the_run_no_number_is_told(
    tmp_path: Path, three_studies: Path, rules: Path, tiny: Path, quick: MakeWorker
) -> None:
    listed = tmp_path / "out.txt"
    listed.write_text("somebody else\n")
    cohort = cohorts.make(tmp_path / "c", three_studies, rules, bundle=str(tiny), exclude=listed)
    drive(quick(cohort))
    listed.write_text("ZZ-1\n")
    rows = [row for row in cohorts.to_rows(cohort.folder) if row["case"] == "0002"]
    assert [(row["state"], row["value"]) for row in rows] == [("excluded", None)]
    assert "its result was made before" in rows[0]["reason"]


def test_a_cohort_keeps_its_outputs_where_it_cannot_write(worked: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_outputs(worked).table.read_bytes()
    shutil.rmtree(worked.result("0003"))

    def full(self: Path, *rest: object, **named: object) -> int:
        raise OSError(28, "No space left on device")

    from slicermedai.errors import DiskFullError

    with monkeypatch.context() as patched, pytest.raises(DiskFullError):
        patched.setattr(Path, "write_text", full)
        write_outputs(worked)
    assert (worked.folder / "table.csv").read_bytes() == before


def test_a_demonstrations_picture_says_above_it_that_it_is_not_for_patients() -> None:
    made = small_head(spacing=8.0)
    plain = draw(made.result, made.volume)
    use = "Synthetic-trained, not for patients: shows how reports look."
    of_demonstration = replace(made.result.provenance, demonstration=True, intended_use=use)
    picture = draw(replace(made.result, provenance=of_demonstration), made.volume)
    assert np.array_equal(picture[-plain.shape[0] :], plain) and picture.shape[1] == plain.shape[1]
    strip = picture[: -plain.shape[0]]
    blank = np.zeros((0, plain.shape[1], 3), np.uint8)
    assert np.array_equal(strip, lettered(blank, "Synthetic-trained, not for patients"))
    assert (strip == YELLOW).all(axis=2).sum() > 300


def test_letters_are_told_apart_and_words_are_broken_into_lines_that_fit() -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-,.':/()"
    blank = np.zeros((0, 7, 3), np.uint8)
    assert len({lettered(blank, one).tobytes() for one in letters}) == len(letters)
    assert lettered(np.zeros((0, 31, 3), np.uint8), "not for patients").shape == (4 * LINE + 1, 31, 3)
    upper, lower = (lettered(blank, one) for one in "Tt")
    assert np.array_equal(upper, lower) and upper[1, 1:6].all() and not upper[2, 1].any()
    assert lettered(blank, "") is blank


def test_the_picture_shows_the_patients_left_on_the_right_and_superior_up() -> None:
    """The head's bright capsule lies at its left temple; its neck is cut off below."""
    made = small_head(spacing=5.0)
    picture = draw(made.result, made.volume)
    others = [
        draw(_on(made.result, grid_), _volume_on(made.volume, grid_))
        for grid_ in (made.volume.geometry.flipped((0, 2)),)
    ]
    assert picture.shape[2] == 3
    for other in others:
        assert np.array_equal(picture, other)


def _volume_on(volume: Any, geometry: Geometry) -> Any:
    return replace(volume, array=np.ascontiguousarray(volume.array[::-1, :, ::-1]), geometry=geometry)


def _on(result: AnalysisResult, geometry: Geometry) -> AnalysisResult:
    def turned(region: Any) -> PackedMask:
        return PackedMask.from_array(np.ascontiguousarray(region.to_array()[::-1, :, ::-1]), geometry)

    return replace(result, findings=tuple(replace(one, region=turned(one.region)) for one in result.findings))


def test_a_plane_is_where_it_belongs() -> None:
    """One bright voxel, left, anterior and superior of the middle."""
    geometry = rotated(grid("IAR", shape=(30, 20, 24), spacing=(4.0, 4.0, 4.0)), (4.0, -3.0, 5.0))
    middle = geometry.to_lps((np.array(geometry.shape) - 1) / 2)
    index = tuple(np.rint(geometry.to_index(middle + np.array([24.0, -20.0, 32.0]))).astype(int))
    made = small_head(spacing=8.0)
    array = np.zeros(geometry.shape, dtype=np.float32)
    array[index] = 100.0
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[tuple(slice(i - 1, i + 2) for i in index)] = True
    finding = replace(made.result.findings[0], region=PackedMask.from_array(mask, geometry))
    picture = draw(
        replace(made.result, findings=(finding,), volume_geometry=geometry),
        replace(made.volume, array=array, geometry=geometry),
    )
    red = (picture[:, :, 0].astype(int) - picture[:, :, 1]) > 100
    widths = [round(128 * 24 / 24), round(128 * 24 / 30), round(128 * 20 / 30)]
    starts = np.cumsum([0, widths[0] + 2, widths[1] + 2])
    for start, width, (right, low) in zip(starts, widths, [(True, False), (True, False), (False, False)], strict=True):
        rows, columns = np.nonzero(red[:, start : start + width])
        assert bool(columns.mean() > width / 2) is right
        assert bool(rows.mean() > red.shape[0] / 2) is low


def test_a_picture_is_a_png_that_others_read(tmp_path: Path) -> None:
    from PIL import Image

    picture = np.random.default_rng(1).integers(0, 255, (20, 31, 3), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(png_of(picture))
    with Image.open(tmp_path / "a.png") as read:
        assert np.array_equal(np.asarray(read), picture)
    assert struct.unpack(">I", png_of(picture)[-4:]) == (zlib.crc32(b"IEND"),)
