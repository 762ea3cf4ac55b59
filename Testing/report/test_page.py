"""The page says all that the result says, nothing else, and loads nothing."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slicermedai.domain.codes import Code
from slicermedai.domain.finding import Box, Confidence, ConfidenceState, Interval, PackedMask
from slicermedai.domain.maps import DISAGREEMENT
from slicermedai.domain.provenance import InputDigest
from slicermedai.domain.result import (
    AnalysisResult,
    Decision,
    Deidentification,
    EditDistance,
    Map,
    Quality,
    Review,
    Status,
)
from slicermedai.domain.study import Identity, Study
from slicermedai.errors import OutputError
from slicermedai.report.context import ReportContext
from slicermedai.report.findings import NOT_CALIBRATED
from slicermedai.report.page import BANNER, DEMONSTRATION, write_report
from Testing.report.reading import Reader
from Testing.scene.samples import BRAIN_UID, VENTRICLE_UID

ROOT = Path(__file__).resolve().parents[2]


def read(context: ReportContext, folder: Path) -> Reader:
    return Reader(write_report(context, folder).read_text(encoding="utf-8"))


@pytest.fixture
def page(context: ReportContext, tmp_path: Path) -> Reader:
    """The whole report."""
    return read(context, tmp_path)


def of(result: AnalysisResult, tmp_path: Path, **fields: object) -> Reader:
    return read(ReportContext(result=result, **fields), tmp_path)


def test_the_page_is_well_formed_and_its_ids_are_unique(page: Reader):
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    targets = [a.attributes["href"][1:] for a in page.all("a") if a.attributes["href"].startswith("#")]
    assert set(targets) <= set(ids)
    assert len(page.all("h1")) == len(page.all("main")) == 1


def test_the_banner_stands_first(page: Reader):
    texts = [p.text for p in page.all("p")]
    assert texts[0] == BANNER == "Research use only. Not a medical device. Not for primary diagnosis."


@pytest.mark.parametrize("demonstration", [True, False])
def test_demonstration_weights_are_said_to_be_that(result, tmp_path: Path, demonstration):
    page = of(result, tmp_path, demonstration=demonstration)
    assert (DEMONSTRATION in [p.text for p in page.all("p")]) is demonstration


def test_every_number_in_the_page_is_the_results_own(context: ReportContext, page: Reader):
    shown = {float(element.attributes["value"]) for element in page.all("data")}
    findings = context.result.findings
    wanted = {m.value for f in findings for m in f.measurements} | {findings[0].confidence.raw_score}
    assert shown == wanted
    for element in page.all("data"):
        assert float(element.text) == pytest.approx(float(element.attributes["value"]), rel=5e-3)


def test_findings_are_listed_with_codes_units_and_methods(page: Reader):
    said = page.section("findings")
    for words in ("Brain", "SCT 12738006", "Left lateral ventricle", "SCT 7771000", "Volume", "ml", "voxel"):
        assert words in said
    assert {abbr.attributes["title"] for abbr in page.all("abbr")} == {"milliliter"}


def test_an_uncalibrated_score_is_never_a_probability(page: Reader):
    said = page.section("findings")
    assert NOT_CALIBRATED == "Not calibrated: the network's score cannot be read as a probability"
    assert NOT_CALIBRATED in said
    assert "0.973" not in said
    assert "%" not in said
    assert "Network output, not a probability" in page.section("provenance")
    assert "Brain 0.973" in page.section("provenance")


def with_confidence(result: AnalysisResult, confidence: Confidence) -> AnalysisResult:
    return replace(result, findings=(replace(result.findings[0], confidence=confidence),))


def test_a_calibrated_probability_names_its_calibration(result, tmp_path: Path):
    confidence = Confidence(
        state=ConfidenceState.CALIBRATED, probability=0.874, calibration="site A, 2025", raw_score=0.99
    )
    said = of(with_confidence(result, confidence), tmp_path).section("findings")
    assert "Calibrated probability 87.4% (calibration: site A, 2025)" in said
    assert NOT_CALIBRATED not in said


def test_an_edited_finding_is_not_assessed(result, tmp_path: Path):
    confidence = Confidence(state=ConfidenceState.NOT_ASSESSED_EDITED, reason="brush")
    said = of(with_confidence(result, confidence), tmp_path).section("findings")
    assert "Not assessed: a person edited this finding." in said
    assert "brush" in said


def test_intervals_are_shown_where_there_are_any(result, tmp_path: Path):
    finding = result.findings[0]
    assert "Interval" not in of(result, tmp_path).section("findings")
    sure = replace(finding.measurements[0], interval=Interval(low=1200.25, high=1300.5, level=0.9))
    changed = replace(result, findings=(replace(finding, measurements=(sure, finding.measurements[0])),))
    said = of(changed, tmp_path).section("findings")
    assert "1200.2 to 1300.5 (90%)" in said
    assert said.count(NOT_CALIBRATED) == 1, "said once for a finding, however many measurements it has"


def test_three_measurements_stand_at_a_glance_and_all_of_them_unfold(result, tmp_path: Path):
    finding = result.findings[0]
    numbers = tuple(replace(finding.measurements[0], value=100.0 + n) for n in range(7))
    page = of(replace(result, findings=(replace(finding, measurements=numbers),)), tmp_path)
    shown = [float(element.attributes["value"]) for element in page.all("data")]
    assert [shown.count(one.value) for one in numbers] == [2, 2, 2, 1, 1, 1, 1]
    assert "All 7 measurements" in [element.text for element in page.all("summary")]


def test_a_measurement_says_how_it_was_derived_or_why_it_is_missing(result, tmp_path: Path):
    mean = Code(value="373098007", scheme="SCT", meaning="Mean")
    finding = result.findings[0]
    derived = replace(finding.measurements[0], derivation=mean)
    absent = replace(finding.measurements[0], value=float("nan"), missing="the region has no voxels")
    page = of(replace(result, findings=(replace(finding, measurements=(derived, absent)),)), tmp_path)
    said = page.section("findings")
    assert "Mean" in said
    assert "not available: the region has no voxels" in said
    assert "nan" not in {element.attributes["value"] for element in page.all("data")}


def test_a_finding_without_measurements_is_listed_with_its_place(result, tmp_path: Path):
    box = Box(low=(1.0, 2.0, 3.0), high=(4.0, 5.0, 6.0))
    bare = replace(result, findings=(replace(result.findings[0], measurements=(), region=box),))
    said = of(bare, tmp_path).section("findings")
    assert "not measured" in said
    assert "box from (1.0, 2.0, 3.0) to (4.0, 5.0, 6.0) mm (LPS)" in said


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.COMPLETE, "Complete: the analysis ran to its end."),
        (Status.NO_FINDING, "That is not proof of absence."),
        (Status.FAILED, "Failed: the analysis did not run to its end."),
    ],
)
def test_the_status_is_said_in_words(result, tmp_path: Path, status, words):
    page = of(replace(result, status=status, findings=(), message="memory ran out"), tmp_path)
    (said,) = [p for p in page.all("p") if p.attributes.get("class", "").startswith("status")]
    assert words in said.text
    assert "memory ran out" in said.text
    assert "There are no findings in this result." in page.section("findings")


@pytest.mark.parametrize("status", [Status.COMPLETE, Status.NO_FINDING])
@pytest.mark.parametrize(("count", "words"), [(1, "with a warning: read it first."), (2, "with 2 warnings: read them")])
def test_a_result_with_warnings_is_never_shown_as_clean(result, tmp_path: Path, status, count, words):
    warnings = ("this looks like noise", "it is small")[:count]
    warned = replace(result, status=status, provenance=replace(result.provenance, warnings=warnings))
    page = of(warned, tmp_path)
    (said,) = [p for p in page.all("p") if p.attributes.get("class", "").startswith("status")]
    assert "warned" in said.attributes["class"].split()
    assert words in said.text
    assert "Complete: the" not in said.text
    assert "The analysis ran to its end" in said.text


def test_only_a_clean_complete_result_is_green():
    style = (ROOT / "SlicerMedAI" / "slicermedai" / "report" / "style.css").read_text(encoding="utf-8")
    amber = re.search(r"([^}]*)\{\s*background: var\(--warn\);", style)
    assert amber is not None
    assert ".status.warned" in amber[1]
    assert style.index(".status {") < style.index(".status.warned") < style.index(".status.failed")


def test_a_remark_is_shown_before_the_status_and_is_no_warning(result, tmp_path: Path):
    told = replace(result, provenance=replace(result.provenance, remark="This is a demonstration"))
    (header,) = of(told, tmp_path).all("header")
    assert header.text.index("This is a demonstration.") < header.text.index("Complete: the analysis ran to its end.")


def test_what_a_number_covers_stands_beside_it(result, tmp_path: Path):
    label = replace(result.findings[0].label, definition="All inside the skull; no brain volume.")
    said = of(replace(result, findings=(replace(result.findings[0], label=label),)), tmp_path).section("findings")
    assert "All inside the skull; no brain volume." in said
    assert f"What brain 1.2.0 is made for: {result.provenance.intended_use}" in said


def test_quality_is_not_assessed_and_the_page_says_why(page: Reader):
    said = page.section("quality")
    assert "not assessed this model has no quality estimate" in said
    assert "no reason was recorded" in said


def test_an_expected_dice_is_shown(result, tmp_path: Path):
    quality = Quality(tracking_uid=BRAIN_UID, expected_dice=0.9312, state="estimated")
    page = of(replace(result, quality=(quality,)), tmp_path)
    assert 0.9312 in {float(element.attributes["value"]) for element in page.all("data")}


def test_a_light_is_a_word_with_its_reasons_and_the_interval_of_what_is_expected(result, tmp_path: Path):
    quality = Quality(
        tracking_uid=BRAIN_UID, expected_dice=0.93, state="predicted", light="amber", reasons=("few patients", "thick"),
        interval=Interval(low=0.88, high=0.97, level=0.9),
    )  # fmt: skip
    said = of(replace(result, quality=(quality,)), tmp_path).section("quality")
    assert "amber" in said and "few patients; thick" in said
    assert "0.93" in said and "0.88 to 0.97 (90%)" in said


def test_refusals_and_missing_assessments_are_listed(page: Reader):
    said = page.section("refused")
    assert "Expected Dice: this model has no quality estimate" in said
    assert "Brain: confidence not calibrated" in said
    assert "Left lateral ventricle: confidence not assessed" in said


def test_a_rating_and_how_far_an_edit_went_are_said(result, tmp_path: Path):
    edit = EditDistance(dice=0.934, added=2.25, removed=0.5)
    region = result.findings[0].region
    review = Review(
        tracking_uid=BRAIN_UID, person="Dr. Who", decision=Decision.EDITED, rating=2, edit=edit, region=region
    )
    said = of(replace(result, reviews=(review,)), tmp_path).section("reviews")
    assert "2 of 5 Dice 0.93, 2.25 ml added, 0.50 ml removed" in said


def test_reviews_name_person_decision_and_reason(result, tmp_path: Path):
    assert "No person has reviewed" in of(result, tmp_path).section("reviews")
    review = Review(tracking_uid=BRAIN_UID, person="Dr. Who", decision=Decision.REJECTED, reason="leaks")
    said = of(replace(result, reviews=(review,)), tmp_path).section("reviews")
    assert "Brain rejected Dr. Who leaks" in said


def test_a_rejected_finding_is_no_finding_and_an_edited_one_is_the_persons(result, tmp_path: Path):
    edit = PackedMask.from_array(np.zeros(result.volume_geometry.shape, bool), result.volume_geometry)
    reviews = (
        Review(tracking_uid=BRAIN_UID, person="Dr. Who", decision=Decision.REJECTED, reason="leaks"),
        Review(tracking_uid=VENTRICLE_UID, person="Dr. Who", decision=Decision.EDITED, region=edit),
    )
    page = of(replace(result, reviews=reviews), tmp_path)
    assert "Brain" not in page.section("findings") + page.section("quality")
    assert "Not assessed: a person edited this finding." in page.section("findings")
    assert "Brain was rejected by a person, and is left out: leaks." in " ".join(page.all("body")[0].text.split())
    assert "Brain rejected Dr. Who leaks" in page.section("reviews")


def test_a_review_of_the_whole_says_so(result, tmp_path: Path):
    review = Review(tracking_uid="", person="Dr. Who", decision=Decision.ACCEPTED, reason="")
    assert "The result as a whole accepted Dr. Who" in of(replace(result, reviews=(review,)), tmp_path).section(
        "reviews"
    )


def test_reviewers_have_no_names_on_the_pseudonymous_route(pseudonymous, tmp_path: Path):
    review = Review(tracking_uid=BRAIN_UID, person="Dr. Who", decision=Decision.REJECTED, reason="not Ms. Doe's head")
    text = write_report(ReportContext(result=replace(pseudonymous, reviews=(review,))), tmp_path).read_text("utf-8")
    assert "rejected" in text
    assert not [word for word in ("Who", "Doe") if word in text]


def test_the_patient_is_named_on_the_route_keep(page: Reader):
    said = page.section("patient")
    for words in ("Quillfeather, Ambrosia", "QF-7391586", "1951-08-23", "2019-06-14 09:35:17", "2.25.200", "keep:"):
        assert words in said
    assert "Nothing was de-identified" in page.section("deidentification")


def test_the_pseudonym_is_called_one_on_the_route_deidentify(pseudonymous, tmp_path: Path):
    page = of(pseudonymous, tmp_path)
    said = page.section("patient")
    assert "Pseudonym MEDAI, 7F3K" in said
    assert "deidentify: everything that was written is pseudonymous" in said
    done = page.section("deidentification")
    for words in ("1203", "DCM 113100", "Private attributes were removed", "Faces were not removed", "burned into"):
        assert words in done


def test_a_pseudonymous_result_without_a_record_says_so(pseudonymous, tmp_path: Path):
    page = of(replace(pseudonymous, deidentification=None), tmp_path)
    assert "holds no record" in page.section("deidentification")


def test_a_source_without_patient_is_said_to_have_none(result, tmp_path: Path):
    page = of(replace(result, study=Study(), sources=()), tmp_path)
    assert "names no patient and no study" in page.section("patient")
    assert "carries the patient's identity" not in page.section("patient")
    assert "keep: there was none to keep" in page.section("patient")
    assert "names nobody" in page.section("deidentification")


def test_a_file_without_patient_on_the_route_deidentify_counts_no_files(result, tmp_path: Path):
    record = Deidentification(method="no DICOM source", done=("Names were left out",))
    page = of(replace(result, study=Study(identity=Identity.DEIDENTIFY), deidentification=record), tmp_path)
    assert "names and UIDs that came with the image were left out" in page.section("patient")
    assert "Files 0" not in page.section("deidentification")
    assert "Elements removed" not in page.section("deidentification")


def test_provenance_is_whole(result, page: Reader):
    said = page.section("provenance")
    made_by = result.provenance
    wanted = [made_by.weights_sha256, made_by.job_id, made_by.licence, made_by.intended_use, made_by.device]
    wanted += [made_by.precision, made_by.started, made_by.finished, "brain 1.2.0", "Seed 0"]
    wanted += [word for pair in made_by.versions for word in pair]
    wanted += [f"{step.seconds:.2f}" for step in made_by.steps]
    assert [words for words in wanted if words not in said] == []


@pytest.mark.parametrize(
    ("files", "words"),
    [(0, "of the voxels and their place"), (1, "of the file"), (181, "over the hashes of 181 files")],
)
def test_what_was_read_stands_there_by_its_hash(result, tmp_path: Path, files: int, words: str):
    read = InputDigest(sha256="cd" * 32, files=files)
    page = of(replace(result, provenance=replace(result.provenance, input=read)), tmp_path)
    assert f"Input SHA-256 {'cd' * 32} {words}" in page.section("provenance")


def test_maps_are_named_with_their_units(result, tmp_path: Path):
    entropy = Code(value="e", scheme="99TEST", meaning="Entropy")
    unit = Code(value="bit", scheme="UCUM", meaning="bits")
    geometry = result.volume_geometry
    a_map = Map(name="uncertainty", quantity=entropy, unit=unit, array=np.zeros(geometry.shape), geometry=geometry)
    page = of(replace(result, maps=(a_map,)), tmp_path)
    assert "uncertainty (bits)" in page.section("provenance")
    assert "Colours" not in page.section("maps")
    disagreement = replace(a_map, quantity=DISAGREEMENT)
    assert "Colours from 0 to 0.5" in of(replace(result, maps=(disagreement,)), tmp_path).section("maps")


def test_files_that_were_left_out_by_the_de_identifier_are_listed(pseudonymous, tmp_path: Path):
    record = replace(pseudonymous.deidentification or Deidentification(method="m"), refused=("a.dcm: burned-in text",))
    assert "left out: a.dcm" in of(replace(pseudonymous, deidentification=record), tmp_path).section("refused")


def test_warnings_stand_at_the_top(result, tmp_path: Path):
    warned = replace(result, provenance=replace(result.provenance, warnings=("spacing differs by 2 %",)))
    page = of(warned, tmp_path)
    (header,) = page.all("header")
    assert "spacing differs by 2 %" in header.text


def test_the_notes_of_the_gate_are_shown(page: Reader, result, tmp_path: Path):
    assert "Slices were sorted by position" in page.section("input")
    assert "taken as it is" in of(result, tmp_path).section("input")


def test_files_are_listed_with_size_hash_and_purpose(page: Reader, tmp_path: Path):
    said = page.section("files")
    for name, words in (("dicom/seg.dcm", "DICOM Segmentation"), ("dicom/sr.dcm", "TID 1500"), ("scene.mrb", "Slicer")):
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() in said
        assert words in said
    assert "1.3 kB" in said
    links = [a.attributes["href"] for a in page.all("a") if not a.attributes["href"].startswith("#")]
    assert links == ["dicom/seg.dcm", "dicom/sr.dcm", "scene.mrb"]
    assert all((tmp_path / link).is_file() for link in links)


def test_many_files_of_one_folder_are_folded_away_and_still_whole(result, tmp_path: Path):
    source = tmp_path / "dicom" / "source"
    source.mkdir(parents=True)
    names = [f"dicom/source/{number:05d}.dcm" for number in range(1, 21)]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    page = of(result, tmp_path, files=tuple(names))
    (summary,) = page.all("summary")
    assert summary.text.startswith("20 files in dicom/source/ (440 B): De-identified copy")
    assert all(name in page.section("files") for name in names)


def test_a_listed_file_that_is_missing_is_an_error_and_leaves_no_page(result, tmp_path: Path):
    with pytest.raises(OutputError, match="not there"):
        of(result, tmp_path, files=("ghost.dcm",))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_picture_is_an_error(context: ReportContext, tmp_path: Path):
    context.pictures[0].path.unlink()
    with pytest.raises(OutputError, match="not there"):
        write_report(context, tmp_path)


def test_pictures_are_in_the_page_and_described(page: Reader):
    images = page.all("img")
    assert [image.attributes["alt"] for image in images] == ["axial view of <the> brain", "3d view of <the> brain"]
    assert all(image.attributes["src"].startswith("data:image/png;base64,iVBOR") for image in images)
    assert [caption.text for caption in page.all("figcaption")] == ["axial view", "3d view"]


def test_the_pictures_say_of_which_series_they_are(page: Reader, result):
    grid = result.volume_geometry.in_words
    assert f"Image: T1 MPRAGE sagittal, MR, series 4, {grid}." in page.section("pictures")


def test_the_pictures_of_a_file_say_its_grid(context: ReportContext, tmp_path: Path):
    bare = replace(context.result, study=Study(), sources=())
    assert f"Image: {bare.volume_geometry.in_words}." in read(replace(context, result=bare), tmp_path).section(
        "pictures"
    )


def test_missing_pictures_are_never_passed_over(result, tmp_path: Path):
    page = of(result, tmp_path, no_pictures="no offscreen OpenGL is available")
    assert "Pictures could not be made: no offscreen OpenGL is available" in page.section("pictures")
    assert "Pictures could not be made" in of(result, tmp_path).section("pictures")


def test_nothing_is_loaded_from_anywhere_and_no_script_runs(context: ReportContext, page: Reader, tmp_path: Path):
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not page.all("script") + page.all("link") + page.all("iframe")
    assert not re.search(r"https?:|@import|url\(|javascript:", html)
    assert not [e for e in page.elements for name in e.attributes if name.startswith("on")]
    (policy,) = [m for m in page.all("meta") if "http-equiv" in m.attributes]
    assert policy.attributes["content"].startswith("default-src 'none'")


def test_whatever_comes_from_outside_is_escaped(result, tmp_path: Path):
    evil = "<script>alert(\"1\")</script><b title='x'>&amp;"
    label = replace(result.findings[0].label, name=evil)
    changed = replace(
        result,
        message=evil,
        study=replace(result.study, patient_name=evil, description=evil, patient_id=evil),
        findings=(replace(result.findings[0], label=label),),
        provenance=replace(result.provenance, bundle=evil, warnings=(evil,), versions=((evil, evil),)),
        reviews=(Review(tracking_uid=BRAIN_UID, person=evil, decision=Decision.ACCEPTED, reason=evil),),
    )
    page = of(changed, tmp_path, title=evil, notes=(evil,), no_pictures=evil)
    assert not page.all("script") + page.all("b")
    assert evil in page.section("provenance")
    assert page.all("h1")[0].text == evil


def test_tables_have_captions_and_headings_with_scopes(page: Reader):
    assert [t.children[0] for t in page.all("table")] == ["caption"] * len(page.all("table"))
    assert all(th.attributes.get("scope") in ("col", "row", "rowgroup") for th in page.all("th"))
    assert page.all("html")[0].attributes["lang"] == "en"


def test_the_page_is_written_again_in_the_place_of_the_old_one(context: ReportContext, tmp_path: Path):
    first = write_report(context, tmp_path)
    before = first.read_text(encoding="utf-8")
    assert write_report(replace(context, title="Other"), tmp_path) == first
    assert first.read_text(encoding="utf-8") != before
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_the_same_result_gives_the_same_page(context: ReportContext, tmp_path: Path):
    assert write_report(context, tmp_path).read_bytes() == write_report(context, tmp_path).read_bytes()


def test_writing_a_report_needs_neither_slicer_nor_vtk():
    program = (
        "import sys, slicermedai.report.page\n"
        "bad = {'slicer', 'vtk', 'torch', 'pydicom', 'scipy'} & set(sys.modules)\n"
        "sys.exit(', '.join(bad) or 0)"
    )
    path = str(ROOT / "SlicerMedAI")
    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": path}, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_a_unit_of_one_is_not_shown(result, tmp_path: Path):
    finding = result.findings[0]
    ratio = replace(finding.measurements[0], unit=Code(value="1", scheme="UCUM", meaning="no units"), value=0.00321456)
    page = of(replace(result, findings=(replace(finding, measurements=(ratio,)),)), tmp_path)
    assert not page.all("abbr")
    assert "0.00321" in page.section("findings")


def test_a_pseudonymous_result_shows_what_became_of_each_attribute_and_what_the_verifier_found(pseudonymous, tmp_path):
    shown = of(pseudonymous, tmp_path).section("deidentification")
    assert "searched all 50 files for identity, and found none" in shown
    assert "2 attributes, one by one" in shown
    assert "PatientName replaced 50 Table E.1-1: Z" in shown
    assert "StudyDate removed 1,153 Table E.1-1: X" in shown
