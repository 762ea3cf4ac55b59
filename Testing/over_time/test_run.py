"""A series over time through a whole run: every frame, one identity a structure, one network, whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from slicermedai.cli.execute import execute
from slicermedai.console.verbs import image_of
from slicermedai.dicom.headers import load_headers
from slicermedai.dicom.inputs import open_source
from slicermedai.domain.codes import VOLUME
from slicermedai.domain.finding import ConfidenceState, Mask, PackedMask
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.errors import GeometryError, InputError, JobCancelled, NoImagesError
from slicermedai.export.course_words import course_lines
from slicermedai.export.fhir_read import read as read_bundle
from slicermedai.export.read_back import read_result
from slicermedai.export.run import export_result
from slicermedai.inference import memory
from slicermedai.jobs.files import write_job
from Testing.export.validators import dciodvfy_errors, pixelmed_errors
from Testing.fixtures.beating import Beat, beating_heart
from Testing.fixtures.faults import edit
from Testing.fixtures.grids import AXIAL, covering, rotated
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.leaks import leaks
from Testing.fixtures.timed_writer import write_enhanced_over_time, write_nifti_over_time, write_over_time
from Testing.over_time.conftest import BEAT, Run, job

pytestmark = pytest.mark.xdist_group("beating heart")
SMALL = covering(AXIAL, spacing=(8.0, 5.0, 5.0), extent=(140.0, 140.0, 140.0))
SHORT, TEN = Beat(frames=3), Beat(frames=10)


def exported(run: Run, folder: Path, name: str) -> Path:
    headers = tuple(load_headers(run.folder / "result" / "source"))
    folder.mkdir(parents=True, exist_ok=True)
    files = {"fhir": "fhir-r4.json", "fhir-r5": "fhir-r5.json", "hl7": "result.hl7", "text": "text.dcm"}
    export_result(run.result, headers=headers, folder=folder, formats=("seg", "sr", name))
    return folder / files[name]


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "over_time.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_ejection_fraction_is_within_one_point_of_the_truth(beat_run: Run) -> None:
    (found,) = beat_run.course.ejections
    assert found.fraction is not None
    assert found.end_diastolic is not None
    assert found.end_systolic is not None
    assert found.fraction.value == pytest.approx(100 * BEAT.ejection_fraction, abs=1.0)
    assert found.end_diastolic.value == pytest.approx(max(BEAT.volumes), rel=0.02)
    assert found.end_systolic.value == pytest.approx(min(BEAT.volumes), rel=0.02)
    assert (found.diastole, found.systole) == (0, int(np.argmin(BEAT.volumes)))


def test_each_structure_has_one_identity_and_its_volume_in_every_frame(beat_run: Run) -> None:
    by_name = {curve.label.name: curve for curve in beat_run.course.curves}
    assert set(by_name) == {"Left ventricle", "Myocardium"}
    assert by_name["Left ventricle"].volumes == pytest.approx(BEAT.volumes, rel=0.03)
    assert by_name["Myocardium"].volumes == pytest.approx([BEAT.wall] * 12, rel=0.04)
    for index, frame in enumerate(beat_run.course.frames):
        result = AnalysisResult.load(beat_run.folder / frame.folder)
        assert result.moment == frame.moment
        assert frame.moment.seconds == pytest.approx(BEAT.times[index] / 1000)
        assert {one.label.name: one.tracking_uid for one in result.findings} == {
            name: curve.tracking_uid for name, curve in by_name.items()
        }


def test_the_table_holds_a_line_for_each_frame_and_structure(beat_run: Run) -> None:
    rows = [row for row in rows_of(beat_run.folder) if row["structure"] == "Left ventricle"]
    assert [float(row["seconds"]) for row in rows] == pytest.approx([time / 1000 for time in BEAT.times])
    assert [float(row["volume_ml"]) for row in rows] == pytest.approx(BEAT.volumes, rel=0.03)
    assert {row["time_from"] for row in rows} == {"TriggerTime"}
    assert {row["code"] for row in rows} == {"SCT 87878005"}
    assert [row["frame"] for row in rows if row["extreme"] == "largest"] == ["1"]
    assert [row["frame"] for row in rows if row["extreme"] == "smallest"] == [str(np.argmin(BEAT.volumes) + 1)]


def test_what_stands_for_the_series_says_first_that_it_is_of_one_frame(beat_run: Run) -> None:
    first = beat_run.result.provenance.warnings[0]
    assert (
        first == "Findings, pictures and scene are of frame 1 of 12; the volumes of all frames stand under Over time."
    )
    assert beat_run.result.needs_a_look
    assert {one.confidence.state.value for one in beat_run.result.findings} == {"not calibrated"}
    assert {one.light for one in beat_run.result.quality} <= {"not assessed"}


def test_the_report_draws_the_course_and_tells_the_fraction_first(beat_run: Run) -> None:
    page = (beat_run.folder / "report.html").read_text(encoding="utf-8")
    assert "Left ventricular ejection fraction by MR" in page
    assert page.index('id="course"') < page.index('id="findings"')
    assert page.count("<svg") == 2
    assert re.search(r"\d+ files in frames/", page)


@pytest.mark.parametrize("shown", [0, 4])
def test_the_image_of_the_result_is_the_frame_that_it_shows(beat_run: Run, tmp_path: Path, shown: int) -> None:
    result = replace(beat_run.result, moment=beat_run.course.frames[shown].moment)
    result.save(tmp_path / "result")
    image = image_of([path for frame in beat_run.files for path in frame], tmp_path)
    assert image.geometry.same_grid(result.volume_geometry)
    truth = open_source(beat_run.files[shown]).volume
    assert np.array_equal(image.array, truth.array)
    assert not np.array_equal(image.array, open_source(beat_run.files[2]).volume.array)


def test_files_of_fewer_frames_than_the_run_had_are_not_its_image(beat_run: Run) -> None:
    some = [path for frame in beat_run.files[:-1] for path in frame]
    with pytest.raises(InputError, match="holds 11 frames, and the result is of one of 12"):
        image_of(some, beat_run.folder)


def test_without_being_asked_for_every_frame_a_series_over_time_is_refused_by_name(beat_run: Run) -> None:
    files = [path for frame in beat_run.files for path in frame]
    with pytest.raises(InputError, match=r"one series over time, with 12 images of one body.*over_time"):
        open_source(files)


def test_the_objects_of_each_frame_cite_its_own_images(beat_run: Run) -> None:
    for number in (2, 7):
        own = {str(dcmread(path).SOPInstanceUID) for path in beat_run.files[number - 1]}
        made = dcmread(beat_run.folder / f"frames/{number:03d}/dicom/seg.dcm")
        assert _cited(made) == own
    shown = {str(dcmread(path).SOPInstanceUID) for path in beat_run.files[0]}
    assert _cited(dcmread(beat_run.folder / "dicom" / "seg.dcm")) == shown
    assert not (beat_run.folder / "frames/001/dicom").exists()


def test_the_fraction_is_coded_in_a_report_that_cites_both_frames(beat_run: Run) -> None:
    path = beat_run.folder / "dicom" / "sr-course.dcm"
    made = dcmread(path)
    (found,) = beat_run.course.ejections
    assert found.fraction is not None
    assert found.systole is not None
    numbers = {
        str(one.ConceptNameCodeSequence[0].CodeValue): float(one.MeasuredValueSequence[0].NumericValue)
        for one in _items(made)
        if one.ValueType == "NUM"
    }
    assert numbers["8811-2"] == pytest.approx(found.fraction.value, abs=1e-6)
    assert numbers["8821-1"] > numbers["8823-7"]
    shown, smallest = beat_run.files[0], beat_run.files[found.systole]
    assert {
        str(one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for one in _items(made) if "IMAGE" in one.ValueType
    } == {str(dcmread(one).SOPInstanceUID) for one in (*shown, *smallest)}
    said = " ".join(str(one.TextValue) for one in _items(made) if one.ValueType == "TEXT")
    assert "calibration: none (not assessed)" in said
    assert f"smallest volume: {beat_run.course.frames[found.systole].moment.in_words}" in said
    assert found.tracking_uid in [str(one.UID) for one in _items(made) if one.ValueType == "UIDREF"]
    assert dciodvfy_errors(path) == []
    assert pixelmed_errors(path) == []


@pytest.mark.parametrize(
    ("name", "models"), [("fhir", "fhir.resources.R4B.bundle"), ("fhir-r5", "fhir.resources.bundle")]
)
def test_fhir_has_the_volumes_of_all_frames_and_the_fraction_beside_the_frame_that_is_shown(
    beat_run: Run, tmp_path: Path, name: str, models: str
) -> None:
    bundle = pytest.importorskip(models, reason="absent: fhir.resources").Bundle
    path = exported(beat_run, tmp_path, name)
    body = json.loads(path.read_text("utf-8"))
    bundle.model_validate(body)
    resources = [entry["resource"] for entry in body["entry"]]
    of_all = [one for one in resources if one.get("code", {}).get("text") == "Measurements over time"]
    by_name = {one["valueCodeableConcept"]["text"]: one for one in of_all}
    parts = by_name["Left ventricle over time"]["component"]
    volumes = [one["valueQuantity"]["value"] for one in parts if one["code"]["text"].startswith("Volume, frame ")]
    assert volumes == list(next(one for one in beat_run.course.curves if one.label.name == "Left ventricle").volumes)
    assert parts[1]["code"]["text"] == f"Volume, {beat_run.course.frames[1].moment.in_words}"
    (found,) = beat_run.course.ejections
    assert found.fraction is not None
    fractions = [one["valueQuantity"] for one in parts if one["code"]["coding"][0]["code"] == "8811-2"]
    assert [(one["value"], one["code"]) for one in fractions] == [(found.fraction.value, "%")]
    assert "not calibrated, not assessed" in str(by_name["Left ventricle over time"]["note"])
    (report,) = [one for one in resources if one["resourceType"] == "DiagnosticReport"]
    assert {one["reference"] for one in report["result"]} >= {f"urn:uuid:{one['id']}" for one in of_all}
    assert report["conclusion"].startswith("Warning: Findings, pictures and scene are of frame 1 of 12")
    assert f"ejection fraction by MR of Left ventricle: {found.fraction.value:.1f} %" in report["conclusion"]


@pytest.mark.parametrize("name", ["fhir", "fhir-r5"])
def test_what_fhir_says_of_several_frames_is_no_finding_when_it_is_read_back(
    beat_run: Run, tmp_path: Path, name: str
) -> None:
    path = exported(beat_run, tmp_path, name)
    read = read_bundle(path)
    assert [one.tracking_uid for one in read.report.groups] == [one.tracking_uid for one in beat_run.result.findings]
    volumes = [next(item.value for item in one.measurements if item.name == VOLUME) for one in read.report.groups]
    assert volumes == [
        next(item.value for item in one.measurements if item.name == VOLUME) for one in beat_run.result.findings
    ]
    assert sum("several frames over time, and is not read" in line for line in read.lost) >= 1


def test_a_structure_that_a_person_rejected_is_left_out_of_what_is_written_over_time(
    beat_run: Run, tmp_path: Path
) -> None:
    uid = next(one.tracking_uid for one in beat_run.course.curves if one.label.name == "Myocardium")
    review = Review(tracking_uid=uid, person="Jane Roe", decision=Decision.REJECTED, time="2026-01-02T03:04:05Z")
    run = replace(beat_run, result=replace(beat_run.result, reviews=(review,)))
    body = json.loads(exported(run, tmp_path, "fhir").read_text("utf-8"))
    texts = [one["resource"].get("valueCodeableConcept", {}).get("text") for one in body["entry"]]
    assert "Left ventricle over time" in texts
    assert "Myocardium over time" not in texts
    assert not any("Volumes of Myocardium" in line for line in course_lines(run.result))


def test_hl7_and_the_text_report_tell_the_fraction_with_its_frames_and_that_nothing_calibrated_it(
    beat_run: Run, tmp_path: Path
) -> None:
    (found,) = beat_run.course.ejections
    assert found.fraction is not None
    message = exported(beat_run, tmp_path / "hl7", "hl7")
    report = exported(beat_run, tmp_path / "text", "text")
    said = " ".join(line.split("|")[5] for line in message.read_text("utf-8").splitlines() if line.startswith("OBX|"))
    told = " ".join(str(one.TextValue) for one in _items(dcmread(report)) if one.ValueType == "TEXT")
    for text in (said, told):
        assert f"of Left ventricle: {found.fraction.value:.1f} % (largest " in text
        assert "in frame 1 of 12; smallest " in text
        assert "not calibrated, not assessed, and without an interval" in text
        assert "Volumes of Myocardium in frames 1 to 12 (ml): " in text


@pytest.mark.parametrize("names", [("seg.dcm", "sr.dcm", "sr-course.dcm"), ("sr-course.dcm", "seg.dcm", "sr.dcm")])
def test_numbers_of_several_frames_are_none_of_the_frame_that_is_shown(
    names: tuple[str, ...], beat_run: Run, tmp_path: Path
) -> None:
    for number, name in enumerate(names):
        (tmp_path / f"{number}-{name}").write_bytes((beat_run.folder / "dicom" / name).read_bytes())
    found = read_result(sorted(tmp_path.iterdir()))
    assert len(found.result.findings) == len(beat_run.result.findings)
    for one in found.result.findings:
        assert not {number.name.value for number in one.measurements} & {"8811-2", "8821-1", "8823-7"}
        assert one.confidence.state is ConfidenceState.NOT_CALIBRATED
    told = "sr-course.dcm: not read, since its numbers are of several frames of a series over time."
    assert [text for text in found.lost if text.endswith(told)]


def test_the_report_of_several_frames_alone_is_no_result_of_one(beat_run: Run) -> None:
    with pytest.raises(NoImagesError):
        read_result([beat_run.folder / "dicom" / "sr-course.dcm"])


def test_the_report_of_each_frame_says_which_it_is(beat_run: Run) -> None:
    path = beat_run.folder / "frames/003/dicom/sr.dcm"
    said = [str(one.TextValue) for one in _items(dcmread(path)) if one.ValueType == "TEXT"]
    assert "frame 3 of 12, 140 ms after the first" in said
    assert dciodvfy_errors(path) == []


def _items(part: Dataset) -> Iterator[Dataset]:
    for one in part.get("ContentSequence", []):
        yield one
        yield from _items(one)


def _cited(made: Dataset) -> set[str]:
    return {
        str(one.ReferencedSOPInstanceUID)
        for series in made.ReferencedSeriesSequence
        for one in series.ReferencedInstanceSequence
    }


def test_segments_bear_the_same_tracking_uid_in_every_frame(beat_run: Run) -> None:
    found = [
        [str(one.TrackingUID) for one in dcmread(path).SegmentSequence]
        for path in sorted(beat_run.folder.rglob("seg.dcm"))
    ]
    assert len(found) == 12
    assert all(one == found[0] for one in found)


def test_the_network_is_loaded_once(heart_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, load = [], memory.load_network
    monkeypatch.setattr(memory, "load_network", lambda *given, **named: loaded.append(1) or load(*given, **named))
    write_over_time(beating_heart(SMALL, SHORT), SHORT.times, tmp_path / "series")
    folder = execute(job(tmp_path / "series", heart_bundle, tmp_path / "out"), job_id="once")
    assert len(loaded) == 1
    result = AnalysisResult.load(folder)
    assert result.course is not None
    assert [one.failed for one in result.course.frames] == ["", "", ""]
    assert "3 frames, and 10" in result.course.ejections[0].refused


def test_a_frame_that_fails_is_named_and_the_others_go_on(heart_bundle: Path, tmp_path: Path) -> None:
    files = write_over_time(beating_heart(SMALL, TEN), TEN.times, tmp_path / "series", interval=TEN.interval)
    edit(files[3][2], lambda dataset: setattr(dataset, "ModalityLUTSequence", []))
    folder = execute(job(tmp_path / "series", heart_bundle, tmp_path / "out"), job_id="failed")
    result = AnalysisResult.load(folder)
    assert result.course is not None
    (failed,) = result.course.failed
    assert failed.moment.number == 4
    assert failed.failed.startswith("ModalityLUTSequence: values go through a look-up table")
    assert any(text.startswith("Frame 4 has no result: ModalityLUT") for text in result.provenance.warnings)
    assert result.course.ejections[0].refused == "frames without a volume: 4"
    assert not (folder / "frames/004").exists()
    (row,) = [row for row in rows_of(folder) if row["frame"] == "4"]
    assert row["status"] == "failed"
    assert row["volume_ml"] == ""


def test_a_structure_that_a_frame_lacks_has_no_volume_there_and_not_zero(heart_bundle: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    volumes = beating_heart(SMALL, SHORT)
    volumes[1] = replace(volumes[1], array=np.minimum(volumes[1].array, 500.0))
    write_over_time(volumes, SHORT.times, tmp_path / "series")
    folder = execute(job(tmp_path / "series", heart_bundle, tmp_path / "out"), job_id="lacks")
    (row,) = [row for row in rows_of(folder) if row["frame"] == "2" and row["structure"] == "Left ventricle"]
    assert (row["status"], row["volume_ml"]) == ("not found", "")


def test_where_all_frames_fail_the_first_reason_is_raised_and_nothing_is_left(
    heart_bundle: Path, tmp_path: Path
) -> None:
    files = write_over_time(beating_heart(SMALL, SHORT), SHORT.times, tmp_path / "series")
    for frame in files:
        edit(frame[0], lambda dataset: setattr(dataset, "ModalityLUTSequence", []))
    with pytest.raises(InputError, match="ModalityLUTSequence"):
        execute(job(tmp_path / "series", heart_bundle, tmp_path / "out"), job_id="all")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["series"]


def test_a_cancellation_within_the_series_leaves_nothing(heart_bundle: Path, tmp_path: Path) -> None:
    write_over_time(beating_heart(SMALL, SHORT), SHORT.times, tmp_path / "series")
    seen: list[float] = []

    def stop(stage: str, fraction: float) -> None:
        if stage == "frames":
            seen.append(fraction)
        if seen and seen[-1] > 0.5:
            raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        execute(job(tmp_path / "series", heart_bundle, tmp_path / "out"), job_id="stop", progress=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["series"]
    assert seen == sorted(seen)


def test_a_worker_that_is_killed_within_the_series_leaves_no_result(heart_bundle: Path, tmp_path: Path) -> None:
    write_over_time(beating_heart(SMALL, SHORT), SHORT.times, tmp_path / "series")
    path = tmp_path / "job.json"
    write_job(job(tmp_path / "series", heart_bundle, tmp_path / "out"), path, job_id="killed")
    command = [sys.executable, "-m", "slicermedai", "run", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ) as worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            event = json.loads(line)
            if event.get("stage") == "frames" and event.get("stage_fraction", 0) > 0.34:
                worker.kill()
                break
    assert worker.returncode != 0
    assert not (tmp_path / "out").exists()


def test_on_the_pseudonymous_route_no_frame_holds_identity(heart_bundle: Path, tmp_path: Path) -> None:
    write_over_time(beating_heart(SMALL, SHORT), SHORT.times, tmp_path / "series")
    options = {"identity": "deidentify", "ocr": False, "deface": False}
    folder = execute(job(tmp_path / "series", heart_bundle, tmp_path / "out", **options), job_id="pseudo")
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert not leaks(written, identity_tokens(Identity()))
    copies = {str(dcmread(path).SOPInstanceUID) for path in (folder / "dicom" / "source").glob("*.dcm")}
    assert len(copies) == 3 * SMALL.shape[0]
    assert _cited(dcmread(folder / "frames/002/dicom/seg.dcm")) <= copies
    result = AnalysisResult.load(folder)
    assert result.course is not None
    assert [one.moment.seconds for one in result.course.frames] == pytest.approx([t / 1000 for t in SHORT.times])
    image = image_of(tmp_path / "series", folder)
    assert image.series_uid in {str(dcmread(path).SeriesInstanceUID) for path in (folder / "dicom/source").iterdir()}


def test_frames_of_an_enhanced_object_cite_their_own_frame_numbers(heart_bundle: Path, tmp_path: Path) -> None:
    write_enhanced_over_time(beating_heart(SMALL, SHORT), SHORT.times, tmp_path / "series" / "IM.dcm")
    folder = execute(job(tmp_path / "series", heart_bundle, tmp_path / "out"), job_id="enhanced")
    made = dcmread(folder / "frames/003/dicom/seg.dcm")
    numbers = {
        int(np.ravel(source.ReferencedFrameNumber)[0])
        for frame in made.PerFrameFunctionalGroupsSequence
        for derived in frame.DerivationImageSequence
        for source in derived.SourceImageSequence
    }
    slices = SMALL.shape[0]
    assert numbers
    assert min(numbers) > 2 * slices
    assert max(numbers) <= 3 * slices


def test_a_nifti_file_over_time_is_analysed_without_patient(heart_bundle: Path, tmp_path: Path) -> None:
    path = write_nifti_over_time(beating_heart(SMALL, TEN), tmp_path / "beat.nii.gz", step=84.0, unit="msec")
    folder = execute(job(path, heart_bundle, tmp_path / "out"), job_id="nifti")
    (found,) = (AnalysisResult.load(folder).course or pytest.fail("no course")).ejections
    assert found.fraction is not None
    assert found.fraction.name.value == "70822001"
    assert found.fraction.value == pytest.approx(100 * TEN.ejection_fraction, abs=2.0)


@pytest.mark.parametrize(
    ("options", "attribute"),
    [
        ({"uncertainty": "flips"}, "uncertainty"),
        ({"saliency": "hirescam"}, "saliency"),
        ({"stability": 2}, "stability"),
        ({"prompts": ("Left ventricle=0 0 0",)}, "prompts"),
        ({"inputs": ("FLAIR=x.nii.gz",)}, "inputs"),
    ],
)
def test_what_is_of_one_image_is_refused_before_anything_is_read(
    heart_bundle: Path, tmp_path: Path, options: dict[str, Any], attribute: str
) -> None:
    with pytest.raises(InputError, match="of one image, and this run is of many") as raised:
        execute(job(tmp_path / "nowhere", heart_bundle, tmp_path / "out", **options), job_id="no")
    assert raised.value.attribute == attribute


def test_bad_series_are_refused_by_name_and_leave_nothing(heart_bundle: Path, tmp_path: Path) -> None:
    files = write_over_time(beating_heart(SMALL, SHORT), SHORT.times, tmp_path / "series")
    files[1][4].unlink()
    with pytest.raises(GeometryError, match="a slice is missing in TemporalPositionIdentifier 2"):
        execute(job(tmp_path / "series", heart_bundle, tmp_path / "out"), job_id="bad")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["series"]


@pytest.mark.parametrize("codes", ["SPL", "RAI", "PLS", "IAR"])
def test_in_any_orientation_the_ventricle_lies_where_it_is_in_every_frame(
    heart_bundle: Path, tmp_path: Path, codes: str
) -> None:
    beat = Beat(frames=2)
    place = rotated(covering(codes, spacing=(7.0, 5.0, 4.0), extent=(130.0, 130.0, 130.0)), (15, 25, -10))
    write_over_time(beating_heart(place, beat), [0.0, 280.0], tmp_path / "series", by_slice=True)
    folder = execute(job(tmp_path / "series", heart_bundle, tmp_path / "out", formats=("csv",)), job_id="place")
    for number, wanted in ((1, beat.volumes[0]), (2, beat.volumes[1])):
        result = AnalysisResult.load(folder / f"frames/{number:03d}")
        found = next(one for one in result.findings if one.label.name == "Left ventricle")
        assert isinstance(found.region, (Mask, PackedMask))
        index = np.argwhere(found.region.to_array())
        middle = result.volume_geometry.to_lps(index).mean(axis=0)
        assert np.abs(middle - beat.center).max() < 1.0
        assert len(index) * place.voxel_volume / 1000 == pytest.approx(wanted, rel=0.05)
