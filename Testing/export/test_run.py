"""Exports: the same result, the same bytes; the formats are a table that costs nothing to read."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread

from slicermedai.dicom.headers import load_headers, save_headers
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.errors import FormatError, JobCancelled
from slicermedai.export.formats import FORMATS, chosen, fitting
from slicermedai.export.obstacle import NEEDED, Obstacle, obstacle_of
from slicermedai.export.run import export_result
from slicermedai.export.uids import UidPlan, is_uid, named_uid
from Testing.export.cases import BRAIN_LABEL, GRIDS, Case, a_ball, a_case, a_finding, with_label_map
from Testing.fixtures.grids import tilted

_ALL = tuple(FORMATS)
NO_PATIENT = Obstacle(reason="no patient")


def exported(case: Case, folder: Path, formats: tuple[str, ...] = _ALL) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    paths = export_result(case.result, headers=case.headers, folder=folder, formats=formats)
    assert sorted(paths) == sorted(folder.iterdir())
    return {path.name: path.read_bytes() for path in paths}


def changed(case: Case, **fields: object) -> Case:
    return dataclasses.replace(case, result=dataclasses.replace(case.result, **fields))


def uids_of(folder: Path) -> set[str]:
    return {str(dcmread(path).SOPInstanceUID) for path in folder.glob("*.dcm")}


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    case = with_label_map(a_case())
    first = exported(case, tmp_path / "first")
    maps = {"seg-labelmap.dcm", "seg-labelmap-plain.dcm"}
    research = {"segmentation.nii.gz", "segmentation.labels.json", "segmentation.seg.nrrd", "findings.csv"}
    reports = {"sr.dcm", "sr-plain.dcm", "sr-lengths.dcm", "text.dcm", "fhir-r4.json", "fhir-r5.json", "result.hl7"}
    assert set(first) == {"seg.dcm", *maps, "rtstruct.dcm", *reports, *research}
    assert exported(case, tmp_path / "second") == first


def test_a_result_that_was_saved_and_loaded_gives_the_same_bytes(tmp_path: Path) -> None:
    case = with_label_map(a_case())
    first = exported(case, tmp_path / "first")
    loaded = AnalysisResult.load(case.result.save(tmp_path / "result"))
    assert exported(dataclasses.replace(case, result=loaded), tmp_path / "second") == first


def test_whatever_changes_in_a_result_changes_its_uids(tmp_path: Path) -> None:
    case = a_case()
    made = case.result.provenance
    finding = case.result.findings[0]
    mask = np.array(case.masks[0])
    mask[0, 0, 0] = True
    others = {
        "weights": changed(case, provenance=dataclasses.replace(made, weights_sha256="00" * 32)),
        "version": changed(case, provenance=dataclasses.replace(made, bundle_version="1.2.1")),
        "seed": changed(case, provenance=dataclasses.replace(made, seed=8)),
        "time": changed(case, provenance=dataclasses.replace(made, finished="2026-11-22T01:02:04+00:00")),
        "voxel": changed(case, findings=(a_finding(mask, case.geometry, label=finding.label, number=1),)),
        "number": changed(case, findings=(dataclasses.replace(finding, measurements=finding.measurements * 2),)),
    }
    exported(case, tmp_path / "first", ("seg", "sr"))
    seen = uids_of(tmp_path / "first")
    for name, other in others.items():
        exported(other, tmp_path / name, ("seg", "sr"))
        assert seen.isdisjoint(uids_of(tmp_path / name)), name
        seen |= uids_of(tmp_path / name)


def test_a_corrected_patient_makes_new_objects(tmp_path: Path) -> None:
    case = a_case()
    exported(case, tmp_path / "first", ("seg", "sr"))
    for header in case.headers:
        header.PatientID = "corrected"
    exported(case, tmp_path / "second", ("seg", "sr"))
    assert uids_of(tmp_path / "first").isdisjoint(uids_of(tmp_path / "second"))


def test_uids_are_well_formed_and_apart() -> None:
    plan = UidPlan.of("anything")
    uids = {plan.series("seg"), plan.series("sr"), plan.instance("seg"), plan.instance("seg", 2), plan.other("x")}
    assert len(uids) == 5
    assert all(is_uid(uid) and len(uid) <= 44 for uid in uids)
    assert named_uid("a", "b") != named_uid("a", "c")


def test_values_that_look_alike_are_not_taken_for_one_another() -> None:
    alike = [("ab", "c"), ("a", "bc"), ("abc",), ("1",), (1,), (1.0,), (True,), (None,), ("None",), ((), "1")]
    assert len({UidPlan.of(*values).root for values in alike}) == len(alike)


def test_what_is_cited_is_written_first(tmp_path: Path) -> None:
    case = a_case()
    paths = export_result(case.result, headers=case.headers, folder=tmp_path, formats=("csv", "sr", "seg"))
    assert [path.name for path in paths] == ["seg.dcm", "sr.dcm", "findings.csv"]


def test_a_report_is_not_written_without_the_segmentation_it_cites(tmp_path: Path) -> None:
    case = a_case()
    with pytest.raises(FormatError, match="seg,sr"):
        export_result(case.result, headers=case.headers, folder=tmp_path, formats=("sr",))


@pytest.mark.parametrize("names", [("dvd",), ("seg", "dvd"), ()])
def test_an_unknown_format_is_named_with_those_there_are(names: tuple[str, ...]) -> None:
    with pytest.raises(FormatError, match="formats"):
        chosen(names)


def test_progress_is_told_and_can_stop_the_export(tmp_path: Path) -> None:
    case = a_case()
    told: list[float] = []

    def progress(stage: str, fraction: float) -> None:
        told.append(fraction)
        if fraction >= 0.5:
            raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        export_result(case.result, headers=case.headers, folder=tmp_path, formats=("seg", "csv"), progress=progress)
    assert told == [0.0, 0.5]
    assert [path.name for path in tmp_path.iterdir()] == ["seg.dcm"]


def test_reading_the_table_loads_no_format() -> None:
    code = (
        "import sys, slicermedai.export.formats;"
        "print([m for m in ('pydicom', 'highdicom', 'SimpleITK', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout.strip() == "[]"


def _environment() -> dict[str, str]:
    root = Path(__file__).resolve().parents[2] / "SlicerMedAI"
    return {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "SYSTEMROOT": "C:\\Windows"}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_the_table_can_be_loaded(name: str) -> None:
    made = FORMATS[name]
    assert callable(made.write)
    assert made.read is None or callable(made.read)
    assert made.name == name
    assert all(list(FORMATS).index(cited) < list(FORMATS).index(name) for cited in made.cites)


def test_headers_that_were_kept_beside_the_result_give_the_same_bytes(tmp_path: Path) -> None:
    case = with_label_map(a_case())
    first = exported(case, tmp_path / "first")
    save_headers(case.headers, tmp_path / "headers")
    again = dataclasses.replace(case, headers=load_headers(tmp_path / "headers"))
    assert exported(again, tmp_path / "second") == first


def test_a_leaning_stack_of_which_nothing_was_found_still_has_its_report(tmp_path: Path) -> None:
    case = a_case(tilted(GRIDS["axial"], 15.0), masks=(), status=Status.NO_FINDING)
    assert set(exported(case, tmp_path / "out", ("seg", "sr"))) == {"sr.dcm"}


def test_a_result_in_another_space_is_refused(tmp_path: Path) -> None:
    case = a_case()
    geometry = Geometry(shape=case.geometry.shape, affine=case.geometry.affine, frame_of_reference_uid="2.25.5")
    finding = a_finding(a_ball(geometry), geometry, label=BRAIN_LABEL, number=1)
    with pytest.raises(FormatError, match="FrameOfReferenceUID"):
        exported(changed(case, volume_geometry=geometry, findings=(finding,)), tmp_path / "out", ("seg",))


def test_a_leaning_stack_is_refused_for_dicom_and_nifti_and_not_for_the_table(tmp_path: Path) -> None:
    case = a_case(tilted(GRIDS["axial"], 15.0))
    for name in ("seg", "nifti"):
        with pytest.raises(FormatError):
            export_result(case.result, headers=case.headers, folder=tmp_path, formats=(name,))
    assert "findings.csv" in exported(case, tmp_path / "csv", ("csv",))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("finer", lambda g: g.resized((g.shape[0], g.shape[1] * 2, g.shape[2]))),
        ("half a slice on", lambda g: moved(g, (0.5, 0.0, 0.0))),
        ("half a voxel aside", lambda g: moved(g, (0.0, 0.0, 0.5))),
        ("turned", lambda g: g.flipped((1, 2))),
        ("other spacing", lambda g: g.resized((g.shape[0] * 2, g.shape[1], g.shape[2]))),
    ],
)
def test_a_result_on_another_grid_than_its_source_is_refused(name: str, change: object, tmp_path: Path) -> None:
    source = a_case()
    assert callable(change)
    geometry = change(source.geometry)
    finding = a_finding(a_ball(geometry), geometry, label=BRAIN_LABEL, number=1)
    result = dataclasses.replace(source.result, volume_geometry=geometry, findings=(finding,))
    with pytest.raises(FormatError, match=r"Rows, Columns|ImagePositionPatient"):
        export_result(result, headers=source.headers, folder=tmp_path, formats=("seg", "sr"))


def moved(geometry: Geometry, index: tuple[float, float, float]) -> Geometry:
    affine = np.array(geometry.affine)
    affine[:3, 3] = geometry.to_lps(index)
    return Geometry(shape=geometry.shape, affine=affine)


def test_a_spacing_that_varies_a_little_is_still_its_own_source(tmp_path: Path) -> None:
    case = a_case()
    for number, header in enumerate(case.headers):
        header.ImagePositionPatient[2] = str(float(header.ImagePositionPatient[2]) + 0.1 * (number % 2))
    assert exported(case, tmp_path / "out", ("seg",))


@pytest.mark.parametrize("name", ["axial", "oblique", "flipped everywhere"])
def test_a_nifti_label_map_lies_where_the_mask_lies(name: str, tmp_path: Path) -> None:
    geometry = GRIDS[name]
    case = with_label_map(a_case(geometry, masks=(a_ball(geometry), a_ball(geometry, radius=(0.2, 0.1, 0.1)))))
    exported(case, tmp_path / "out", ("nifti",))
    image = SimpleITK.ReadImage(str(tmp_path / "out" / "segmentation.nii.gz"))
    for value, mask in enumerate(case.masks, 1):
        places = geometry.to_lps(np.argwhere(mask))
        assert all(image[image.TransformPhysicalPointToIndex([float(v) for v in p])] == value for p in places)
        assert int((SimpleITK.GetArrayFromImage(image) == value).sum()) == len(places)
    about = json.loads((tmp_path / "out" / "segmentation.labels.json").read_text(encoding="utf-8"))
    assert {value: label["name"] for value, label in about["labels"].items()} == {"1": "Brain", "2": "Lesion"}


def test_a_nifti_label_map_says_what_made_it_and_what_its_values_mean(tmp_path: Path) -> None:
    case = with_label_map(a_case(masks=(a_ball(GRIDS["axial"]),)))
    made = dataclasses.replace(case.result.provenance, warnings=("cut by the edge",))
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, provenance=made))
    exported(case, tmp_path / "out", ("nifti",))
    about = json.loads((tmp_path / "out" / "segmentation.labels.json").read_text(encoding="utf-8"))
    finding = case.result.findings[0]
    assert about["labels"]["1"]["type"].startswith(f"{finding.label.type.scheme}:{finding.label.type.value} ")
    assert about["model"] == f"{made.bundle}@{made.bundle_version}"
    assert about["weights_sha256"] == made.weights_sha256
    assert about["warnings"] == ["cut by the edge"] and "read it first" in about["status"]
    assert "not a medical device" in about["note"] and about["software"].startswith("SlicerMedAI ")
    header = gzip.decompress((tmp_path / "out" / "segmentation.nii.gz").read_bytes())[148:228]  # descrip, NIfTI-1
    assert f"{made.bundle}@{made.bundle_version}".encode() in header and b"research use only" in header


def test_a_label_map_of_overlapping_findings_is_refused(tmp_path: Path) -> None:
    case = a_case(masks=(a_ball(GRIDS["axial"]), a_ball(GRIDS["axial"], radius=(0.2, 0.2, 0.2))))
    with pytest.raises(FormatError, match="overlap"):
        export_result(case.result, headers=(), folder=tmp_path, formats=("nifti",))


def test_the_table_has_a_row_for_each_number_and_no_patient(tmp_path: Path) -> None:
    case = with_label_map(a_case(masks=(a_ball(GRIDS["axial"]), a_ball(GRIDS["axial"], radius=(0.2, 0.1, 0.1)))))
    files = exported(case, tmp_path / "out", ("csv",))
    rows = list(csv.DictReader(files["findings.csv"].decode("utf-8").splitlines()))
    numbers = [(f.label.name, m.name.value, m.value) for f in case.result.findings for m in f.measurements]
    told = [(row["label"], row["measurement_code"].split(":")[1], float(row["value"])) for row in rows]
    assert told == numbers
    assert len(rows) > len(case.result.findings)
    assert {row["confidence"] for row in rows} == {"not calibrated"}
    assert str(case.headers[0].PatientID).encode() not in files["findings.csv"]


def test_the_table_of_a_result_without_findings_says_so(tmp_path: Path) -> None:
    files = exported(a_case(masks=(), status=Status.NO_FINDING), tmp_path / "out", ("csv",))
    (row,) = csv.DictReader(files["findings.csv"].decode("utf-8").splitlines())
    assert (row["status"], row["label"], row["bundle"]) == ("no finding", "", "brain")


@pytest.mark.parametrize(
    ("names", "obstacle", "orthogonal", "formats", "refused"),
    [
        ((), None, True, ("seg", "sr"), 0),
        ((), NO_PATIENT, True, ("nifti", "csv"), 1),
        ((), NO_PATIENT, False, ("csv",), 2),
        (("csv",), NO_PATIENT, False, ("csv",), 0),
        (("seg",), None, True, ("seg",), 0),
    ],
)
def test_formats_that_fit_are_chosen_and_the_others_named(
    names: tuple[str, ...], obstacle: Obstacle | None, orthogonal: bool, formats: tuple[str, ...], refused: int
) -> None:
    found, left_out = fitting(names, obstacle=obstacle, orthogonal=orthogonal)
    assert found == formats
    assert len(left_out) == refused


def test_models_without_voxels_get_formats_that_can_hold_what_they_find() -> None:
    assert fitting((), obstacle=None, task="detection")[0] == ("sr-regions",)
    assert fitting((), obstacle=None, task="classification")[0] == ("sr-image", "csv")
    for task in ("detection", "classification"):
        formats, refused = fitting((), obstacle=NO_PATIENT, task=task)
        assert formats == ("csv",) and len(refused) == 1


@pytest.mark.parametrize(
    ("names", "obstacle", "orthogonal", "words"),
    [(("seg",), NO_PATIENT, True, "no patient"), (("nifti",), NO_PATIENT, False, "right angles")],
)
def test_a_format_asked_for_by_name_that_does_not_fit_is_refused(
    names: tuple[str, ...], obstacle: Obstacle | None, orthogonal: bool, words: str
) -> None:
    with pytest.raises(FormatError, match=words):
        fitting(names, obstacle=obstacle, orthogonal=orthogonal)


@pytest.mark.parametrize("keyword", NEEDED)
def test_what_a_dicom_result_must_cite_is_looked_for_in_every_file_of_the_source(keyword: str) -> None:
    headers, files = a_case().headers, [Path(f"{number}.dcm") for number in range(GRIDS["axial"].shape[0])]
    assert obstacle_of(headers, files, resampled=False) is None
    setattr(headers[3], keyword, "")
    found = obstacle_of(headers, files, resampled=False)
    assert found is not None
    assert (found.file, found.attribute) == (files[3], keyword)
    assert "3.dcm" not in found.in_words
    with pytest.raises(FormatError, match=f"3.dcm, {keyword}"):
        fitting(("seg",), obstacle=found)


def test_a_volume_that_is_not_that_of_its_mask_is_exported_by_no_format(tmp_path: Path) -> None:
    case = a_case()
    finding = case.result.findings[0]
    volume = finding.measurements[0]
    for factor, fits in ((1.00005, True), (1.0002, False), (0.5, False)):
        numbers = (dataclasses.replace(volume, value=volume.value * factor), *finding.measurements[1:])
        other = changed(case, findings=(dataclasses.replace(finding, measurements=numbers),))
        for name in ("seg", "csv"):
            if fits:
                exported(other, tmp_path / f"{factor} {name}", (name,))
            else:
                with pytest.raises(FormatError, match="measurements"):
                    exported(other, tmp_path / f"{factor} {name}", (name,))
