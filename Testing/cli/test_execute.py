"""A whole run with a tiny model: every step stands in the audit log, with hashes and without identity."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK
from PIL import Image
from pydicom import dcmread

from slicermedai.audit.log import log_path, verify
from slicermedai.audit.steps import hash_of_files
from slicermedai.cli.execute import execute
from slicermedai.dicom.inputs import open_source
from slicermedai.dicom.volumes import save_volume
from slicermedai.domain.digests import hash_of_image, hash_of_volume
from slicermedai.domain.provenance import InputDigest
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Study
from slicermedai.domain.volume import Volume
from slicermedai.errors import (
    FormatError,
    IdentityError,
    JobCancelled,
    OutputError,
    ResultExistsError,
    UnreadableFileError,
)
from slicermedai.jobs.specs import ExportJob, RunJob
from slicermedai.report import build as report
from Testing.fixtures import faults
from Testing.fixtures.grids import covering
from Testing.fixtures.leaks import leaks
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.inference.tiny_bundle import write_tiny_bundle

STEPS = ["run started", "read", "model ran", "result saved"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SLICERMEDAI_MODELS", raising=False)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny@0.1")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    volume, _ = head_phantom(covering("SPL", spacing=(8.0, 8.0, 8.0)))
    return write_series(volume, tmp_path_factory.mktemp("study"))


def run(study: list[Path], bundle: Path, output: Path, **options: object) -> Path:
    values = {"report": False, "device": "cpu", **options}
    job = RunJob(source=str(study[0].parent), bundle=str(bundle), output=str(output), **values)
    return execute(job, job_id="j")


def entries() -> list[dict]:
    assert verify().ok
    return [json.loads(line) for line in log_path().read_text().splitlines()]


def details(action: str) -> dict:
    (entry,) = [entry for entry in entries() if entry["action"] == action]
    return entry["details"]


def files_written() -> dict[str, str]:
    found = [entry["details"] for entry in entries() if entry["action"] == "file written"]
    return {detail["file"]: detail["sha256"] for detail in found}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_nobody_is_named() -> None:
    text = log_path().read_text()
    identity = SeriesSpec().identity
    for token in (identity.patient_id, *identity.patient_name.replace("=", "^").split("^")):
        assert not token or token not in text


def test_every_step_of_a_run_is_logged_with_its_hashes(study: list[Path], bundle: Path, tmp_path: Path) -> None:
    output = run(study, bundle, tmp_path / "out")
    names = ["dicom/seg.dcm", "dicom/sr.dcm"]
    assert [entry["action"] for entry in entries()] == [*STEPS, *["file written"] * 2, "run finished"]
    assert {entry["job_id"] for entry in entries()} == {"j"}
    assert details("read") == {
        "files": len(study),
        "slices": len(study),
        "route": "keep",
        "files_sha256": hash_of_files(study),
    }
    read = AnalysisResult.load(output / "result").provenance.input
    image = hash_of_image(open_source(study[0].parent).volume)
    assert read == InputDigest(sha256=hash_of_files(study), files=len(study), image=image)
    model = details("model ran")
    rest = [path for path in bundle.rglob("*") if path.is_file() and path.name != "model.pt"]
    assert model["bundle"] == "tiny@0.1"
    assert model["weights_sha256"] == sha256(bundle / "models" / "model.pt")
    assert (model["bundle_files"], model["bundle_files_sha256"]) == (len(rest), hash_of_files(rest))
    assert model["device"] == "cpu"
    saved = output / "result"
    hashes = {"result_sha256": sha256(saved / "result.json"), "arrays_sha256": sha256(saved / "arrays.npz")}
    assert details("result saved") == hashes
    assert files_written() == {name: sha256(output / name) for name in names}
    assert_nobody_is_named()


def test_a_pseudonymous_run_logs_what_was_done_and_no_way_back(study: list[Path], bundle: Path, tmp_path: Path) -> None:
    output = run(study, bundle, tmp_path / "out", identity="deidentify")
    copies = list((output / "dicom" / "source").glob("*.dcm"))
    assert [entry["action"] for entry in entries()][1:4] == ["read", "de-identified", "model ran"]
    assert details("read")["files_sha256"] == hash_of_files(copies)
    assert details("read")["route"] == "deidentify"
    assert details("de-identified")["files"] == len(study)
    assert "edition 20" in details("de-identified")["method"]
    assert sorted(files_written()) == ["dicom/seg.dcm", "dicom/sr.dcm"]
    assert AnalysisResult.load(output / "result").provenance.input.sha256 == hash_of_files(copies)
    written = [log_path(), *(path for path in output.rglob("*") if path.is_file())]
    assert not [path for path in written if hash_of_files(study).encode() in path.read_bytes()]
    assert_nobody_is_named()


@pytest.mark.parametrize("identity", ["keep", "deidentify"])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".nhdr", ""])
def test_whatever_was_read_is_in_result_and_log_by_its_hash(
    study: list[Path], bundle: Path, tmp_path: Path, suffix: str, identity: str
) -> None:
    volume = open_source(study[0].parent).volume
    image = an_image(volume, tmp_path / "in" / f"head{suffix}")
    job = RunJob(
        source=str(image),
        bundle=str(bundle),
        output=str(tmp_path / "out"),
        report=False,
        identity=identity,
        device="cpu",
    )
    found = AnalysisResult.load(execute(job, job_id="j") / "result").provenance.input
    name = "files_sha256" if found.files else "image_sha256"
    assert details("read")[name] == found.sha256
    opened = open_source(image).volume
    if identity == "keep" and suffix in (".nii.gz", ".nrrd"):
        assert found == InputDigest(sha256=hash_of_files([image]), files=1, image=hash_of_image(opened))
    else:
        assert found == InputDigest(sha256=hash_of_volume(opened), image=hash_of_image(opened))


def an_image(volume: Volume, path: Path) -> Path:
    if not path.suffix:
        return save_volume(volume, Study(), path)
    path.parent.mkdir()
    image = SimpleITK.GetImageFromArray(volume.array)
    SimpleITK.WriteImage(image, str(path))
    return path


def test_a_run_that_fails_at_its_end_logs_no_file(
    study: list[Path], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OutputError("cannot be drawn")

    monkeypatch.setattr(report, "build", fail)
    with pytest.raises(OutputError):
        run(study, bundle, tmp_path / "out", report=True)
    assert not (tmp_path / "out").exists()
    assert [entry["action"] for entry in entries()] == [*STEPS[:3], "run failed"]
    assert details("run failed") == {"error": "OutputError"}


def test_who_stops_it_while_the_report_is_made_gets_no_result(
    study: list[Path], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in the making of a report looks whether it was stopped: the last look is before the folder's name."""
    monkeypatch.setattr(report, "build", lambda *_, **__: None)

    def stopped(stage: str, fraction: float) -> None:
        if (stage, fraction) == ("report", 1.0):
            raise JobCancelled("stop")

    job = RunJob(source=str(study[0].parent), bundle=str(bundle), output=str(tmp_path / "new" / "out"), device="cpu")
    with pytest.raises(JobCancelled):
        execute(job, job_id="j", progress=stopped)
    assert not (tmp_path / "new").exists()
    assert [entry["action"] for entry in entries()][-1] == "run failed"


def test_scene_page_and_pictures_are_logged_too(
    study: list[Path], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(result: object, folder: Path, *, then: Callable[[tuple[Path, ...]], object], **_: object) -> None:
        for name in ("scene.mrb", "report.html", "pictures/axial.png"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(name)
        Image.new("RGB", (40, 30)).save(folder / "pictures" / "axial.png")
        then((folder / "pictures" / "axial.png",))

    monkeypatch.setattr(report, "build", build)
    output = run(study, bundle, tmp_path / "out", report=True, formats=("seg", "capture"))
    captures = ["dicom/capture-1.dcm", "dicom/capture-2.dcm"]
    names = [*captures, "dicom/seg.dcm", "pictures/axial.png", "report.html", "scene.mrb"]
    assert files_written() == {name: sha256(output / name) for name in names}


def test_an_export_logs_what_it_read_and_wrote(study: list[Path], bundle: Path, tmp_path: Path) -> None:
    result = run(study, bundle, tmp_path / "out")
    shutil.rmtree(tmp_path / "home")
    job = ExportJob(source=str(result), output=str(tmp_path / "again"), formats=("seg",))
    execute(job, job_id="e")
    actions = ["export started", "result read", "file written", "export finished"]
    assert [entry["action"] for entry in entries()] == actions
    assert details("result read")["result_sha256"] == sha256(result / "result" / "result.json")
    assert files_written() == {"seg.dcm": sha256(tmp_path / "again" / "seg.dcm")}
    with pytest.raises(ResultExistsError):
        execute(job, job_id="e")
    assert [entry["action"] for entry in entries()][4:] == ["export started", "result read", "export failed"]


def test_a_remark_that_names_the_patient_ends_a_pseudonymous_run(
    study: list[Path], bundle: Path, tmp_path: Path
) -> None:
    who = SeriesSpec().identity
    family = who.patient_name.partition("^")[0]
    for remark in (f"scan of {family}", f"scan of {who.patient_id}"):
        with pytest.raises(IdentityError, match="remark") as caught:
            run(study, bundle, tmp_path / "out", identity="deidentify", remark=remark)
        assert family not in str(caught.value)
        assert who.patient_id not in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert_nobody_is_named()


def test_an_output_folder_that_is_named_after_the_patient_leaves_no_trace_in_its_files(
    study: list[Path], bundle: Path, tmp_path: Path
) -> None:
    pytest.importorskip("slicer", reason="absent: slicer-core")
    family = SeriesSpec().identity.patient_name.partition("^")[0]
    assert family not in str(tmp_path)
    output = run(study, bundle, tmp_path / f"out {family}", identity="deidentify", report=True)
    assert (output / "scene.mrb").is_file()
    output = output.rename(tmp_path / "moved")  # the search looks at whole paths
    assert leaks([path for path in output.rglob("*") if path.is_file()], [family]) == []
    assert family not in log_path().read_text()


NEEDED = ("SeriesInstanceUID", "FrameOfReferenceUID", "StudyInstanceUID", "SOPInstanceUID")


@pytest.fixture
def copied(study: list[Path], tmp_path: Path) -> list[Path]:
    folder = shutil.copytree(study[0].parent, tmp_path / "copied")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("keyword", NEEDED)
def test_a_series_without_a_uid_is_still_analysed_and_says_what_could_not_be_written(
    keyword: str, copied: list[Path], bundle: Path, tmp_path: Path
) -> None:
    faults.remove_value(copied, keyword)
    output = run(copied, bundle, tmp_path / "out")
    assert {path.name for path in (output / "dicom").iterdir()} >= {"findings.csv"}
    assert not list(output.rglob("seg.dcm"))
    (said,) = [text for text in AnalysisResult.load(output).provenance.refusals if "No DICOM SEG" in text]
    assert keyword in said


@pytest.mark.parametrize("keyword", NEEDED)
def test_a_dicom_format_asked_for_by_name_is_refused_before_the_model_runs(
    keyword: str, copied: list[Path], bundle: Path, tmp_path: Path
) -> None:
    faults.remove_value(copied, keyword)
    with pytest.raises(FormatError) as caught:
        run(copied, bundle, tmp_path / "out", formats=("seg", "sr"))
    assert caught.value.attribute == keyword
    assert caught.value.file in {str(path) for path in copied}
    assert "nifti,csv" in str(caught.value)
    assert [entry["action"] for entry in entries()] == ["run started", "run failed"]


def test_what_is_doubtful_in_the_source_is_a_warning_of_the_result(
    copied: list[Path], bundle: Path, tmp_path: Path
) -> None:
    faults.set_value(copied, "ImagesInAcquisition", len(copied) + 1)
    for identity in ("keep", "deidentify"):
        result = AnalysisResult.load(run(copied, bundle, tmp_path / identity, identity=identity))
        assert result.needs_a_look
        assert any("ImagesInAcquisition" in text for text in result.provenance.warnings)


def test_each_instance_is_in_the_output_once_and_all_weights_are_named(
    study: list[Path], bundle: Path, tmp_path: Path
) -> None:
    output = run(study, bundle, tmp_path / "out", identity="deidentify")
    uids = [str(dcmread(path, force=True).get("SOPInstanceUID")) for path in output.rglob("*.dcm")]
    assert len(uids) == len(set(uids)) == len(study) + 2
    made = AnalysisResult.load(output).provenance
    assert [(one.file, one.sha256) for one in made.weights] == [("models/model.pt", made.weights_sha256)]
    changed = output / "result" / "source" / "headers.bin"
    changed.write_bytes(changed.read_bytes().replace(b"MR", b"CT"))
    with pytest.raises(UnreadableFileError, match="changed afterwards"):
        AnalysisResult.load(output)
