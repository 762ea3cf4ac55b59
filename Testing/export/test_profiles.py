"""Formats that go together: each profile is written whole, is valid, and comes back byte for byte."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pydicom import dcmread

from slicermedai.cli.commands import understand
from slicermedai.cli.execute import export_saved
from slicermedai.dicom.headers import save_headers
from slicermedai.domain.observer import silent
from slicermedai.domain.result import Status
from slicermedai.errors import FormatError
from slicermedai.export.formats import FORMATS
from slicermedai.export.profiles import PROFILES, formats_of
from slicermedai.export.run import export_pictured, export_result
from slicermedai.export.sr_read import read
from slicermedai.jobs.files import make_job
from slicermedai.jobs.specs import ExportJob
from Testing.export.cases import GRIDS, SPECS, Case, a_ball, a_case, with_label_map
from Testing.export.test_pmap import a_map, with_maps
from Testing.export.validators import dcentvfy_errors, dciodvfy_errors, pixelmed_errors, tid1500reader

_AXIAL = GRIDS["axial"]


def a_whole_case() -> Case:
    masks = (a_ball(_AXIAL), a_ball(_AXIAL, radius=(0.2, 0.2, 0.1)))
    case = with_label_map(a_case(masks=masks))
    return with_maps(case, a_map(case))


def saved(case: Case, folder: Path) -> Path:
    case.result.save(folder / "result")
    save_headers(case.headers, folder / "result" / "source")
    return folder


def exported(case: Case, folder: Path, formats: tuple[str, ...]) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    export_result(case.result, headers=case.headers, folder=folder, formats=formats)
    export_pictured(case.result, headers=case.headers, folder=folder, formats=formats, pictures=())
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


FILES = {
    "archive": {"seg.dcm", "sr.dcm", "pmap-1.dcm"},
    "viewer": {"seg.dcm", "sr-plain.dcm", "sr-lengths.dcm"},
    "legacy": {"rtstruct.dcm", "text.dcm", "capture-1.dcm"},
}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_written_whole_and_valid(profile: str, tmp_path: Path) -> None:
    case = a_whole_case()
    job = ExportJob(source=str(saved(case, tmp_path / "run")), output=str(tmp_path / "out"), profile=profile)
    out = export_saved(job, job_id="j", progress=silent)
    assert {path.name for path in out.iterdir()} == FILES[profile]
    assert {path.name: dciodvfy_errors(path) for path in out.iterdir()} == {name: [] for name in FILES[profile]}
    sources = [tmp_path / f"source{number}.dcm" for number in range(len(case.headers))]
    for header, file in zip(case.headers, sources, strict=True):
        header.save_as(file)
    study = str(case.headers[0].StudyInstanceUID)  # which a structure set must cite as if it were an instance
    assert [error for error in dcentvfy_errors([*out.iterdir(), *sources]) if study not in error] == []


def test_formats_are_those_of_the_profile_and_those_asked_for_each_once() -> None:
    assert formats_of(()) == ("seg", "sr")
    assert formats_of(("csv", "seg"), "archive") == ("seg", "sr", "pmap", "csv")
    assert set(formats_of((), "legacy")) == set(PROFILES["legacy"])
    with pytest.raises(FormatError, match="archive, viewer, legacy"):
        formats_of((), "museum")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_has_what_its_formats_cite_and_is_offered_by_the_command(profile: str) -> None:
    names = PROFILES[profile]
    assert all(cited in names for name in names for cited in FORMATS[name].cites)
    assert make_job(ExportJob, {"source": "a", "profile": profile}).profile == profile


def test_the_command_takes_both_spellings(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        understand(["export", "--help"])
    told = capsys.readouterr().out
    assert "--formats" in told and "--to" in told and "--output" in told and "--out " in told
    for name, members in PROFILES.items():
        assert f"{name} ({', '.join(members)})" in " ".join(told.split())


def test_every_format_writes_the_same_bytes_again(tmp_path: Path) -> None:
    case = a_whole_case()
    first = exported(case, tmp_path / "first", tuple(FORMATS))
    assert exported(case, tmp_path / "second", tuple(FORMATS)) == first
    assert {"rtstruct.dcm", "capture-1.dcm", "fhir-r4.json", "result.hl7", "text.dcm"} <= set(first)
    uids = [str(dcmread(path).SOPInstanceUID) for path in (tmp_path / "first").glob("*.dcm")]
    assert len(set(uids)) == len(uids)


@pytest.mark.parametrize("kind", SPECS)
def test_reports_for_older_readers_of_every_kind_of_source_are_valid(kind: str, tmp_path: Path) -> None:
    case = a_case(spec=SPECS[kind])
    exported(case, tmp_path, ("seg", "sr-plain", "text"))
    assert [dciodvfy_errors(tmp_path / name) for name in ("sr-plain.dcm", "text.dcm")] == [[], []]


def test_a_comprehensive_report_says_what_the_three_dimensional_one_says(tmp_path: Path) -> None:
    case = a_whole_case()
    exported(case, tmp_path, ("seg", "sr", "sr-plain"))
    one, other = read(tmp_path / "sr.dcm"), read(tmp_path / "sr-plain.dcm")
    assert one.groups == other.groups and one.sop_instance_uid != other.sop_instance_uid
    assert pixelmed_errors(tmp_path / "sr-plain.dcm") == []
    found = tid1500reader(tmp_path / "sr-plain.dcm", tmp_path)["Measurements"]
    assert [group["ReferencedSegment"] for group in found] == [1, 2]


@pytest.mark.parametrize("status", Status)
def test_a_text_report_says_the_result_in_words(status: Status, tmp_path: Path) -> None:
    masks = (a_ball(_AXIAL),) if status is Status.COMPLETE else ()
    case = a_case(masks=masks, status=status)
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, message="out of memory"))
    exported(case, tmp_path, ("text",))
    dataset = dcmread(tmp_path / "text.dcm")
    texts = [item.TextValue for section in dataset.ContentSequence[-2:] for item in section.ContentSequence]
    expected = {
        Status.COMPLETE: "1. Brain (Brain)",
        Status.NO_FINDING: "The algorithm ran and found nothing.",
        Status.FAILED: "The algorithm failed: out of memory. Nothing follows from this for the patient.",
    }
    assert expected[status] in texts and "Research use only. Not for primary diagnosis." in texts
    assert dataset.VerificationFlag == "UNVERIFIED"
    assert dataset.CompletionFlag == ("PARTIAL" if status is Status.FAILED else "COMPLETE")
    assert dciodvfy_errors(tmp_path / "text.dcm") == []
    assert pixelmed_errors(tmp_path / "text.dcm") == []
