"""The console: jobs that never block, every kind of input, and results that come back."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

import slicermedai
from slicermedai import AnalysisResult, JobHandle, MedAIError, RunJob, Volume
from slicermedai.console import handle as job_handle
from slicermedai.console.sources import as_volume
from slicermedai.dicom.volumes import load_volume
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.study import Study
from slicermedai.errors import (
    InputError,
    JobCancelled,
    JobError,
    ProtocolError,
    UnknownBundleError,
    UnreadableFileError,
)
from slicermedai.scene import ticker
from Testing.console.conftest import WORKER
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series

Head = tuple[Volume, AnalysisResult]
SMALL = Geometry.from_axes((3, 4, 5), spacing=(1.0, 1.0, 1.0))
worker = pytest.mark.usefixtures("with_worker")


def same(first: AnalysisResult, second: AnalysisResult) -> bool:
    return (first.study, first.provenance, first.status) == (second.study, second.provenance, second.status) and [
        finding.measurements for finding in first.findings
    ] == [finding.measurements for finding in second.findings]


def job_folders(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "temp").glob("slicermedai*/job-*"))


@worker
def test_submit_returns_at_once_and_the_callback_gets_the_result(tmp_path: Path, head: Head) -> None:
    results: list[AnalysisResult] = []
    began = time.perf_counter()
    handle = slicermedai.submit(tmp_path / "study", "brain", output=tmp_path / "out", on_done=results.append)
    assert time.perf_counter() - began < 0.3
    assert isinstance(handle, JobHandle)
    assert (handle.state, handle.done, handle.progress) == ("running", False, 0.0)
    fractions = []
    while not handle.done:
        handle.poll()
        fractions.append(handle.progress)
        time.sleep(0.01)
    assert fractions == sorted(fractions)
    assert len(set(fractions)) > 3
    assert (handle.state, handle.progress, handle.stage, handle.seconds_left) == ("done", 1.0, "segment", 0.0)
    assert len(results) == 1
    assert results[0] is handle.result()
    assert same(results[0], head[1])
    assert handle.output == tmp_path / "out"
    handle.poll()
    assert len(results) == 1


@worker
def test_the_timer_that_drives_a_job_stops_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def every(milliseconds: int, callback: object) -> Callable[[], None]:
        told.append(f"every {milliseconds}")
        return lambda: told.append("stop")

    monkeypatch.setattr(ticker, "every", every)
    handle = slicermedai.submit(tmp_path / "study", output=tmp_path / "out", on_done=lambda result: told.append("done"))
    handle.wait(20)
    assert told == ["every 200", "stop", "done"]


@worker
def test_run_blocks_and_says_so(tmp_path: Path, head: Head, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="slicermedai"):
        result = slicermedai.run(str(tmp_path / "study"), output=tmp_path / "out")
    assert same(result, head[1])
    assert "blocks" in caplog.text
    assert "BLOCK" in (slicermedai.run.__doc__ or "")


@worker
def test_a_running_job_has_no_result_and_never_waits_for_one(tmp_path: Path) -> None:
    handle = slicermedai.submit(tmp_path / "study", output=tmp_path / "out")
    with pytest.raises(JobError, match="still runs"):
        handle.result()
    assert handle.wait(0.0) is False
    assert handle.wait(10) is True


@worker
def test_a_cancelled_job_raises_that_and_calls_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    called: list[object] = []
    handle = slicermedai.submit(tmp_path / "study", output=tmp_path / "out", on_done=called.append, series="endless")
    while not handle.progress:
        handle.poll()
    handle.cancel()
    assert handle.wait(2.0)
    assert handle.state == "cancelled"
    with pytest.raises(JobCancelled):
        handle.result()
    assert called == []
    assert "JobCancelled" in caplog.text
    assert job_folders(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


@worker
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.sleep

    def interrupt(seconds: float) -> None:
        monkeypatch.setattr(job_handle.time, "sleep", real)
        raise KeyboardInterrupt

    monkeypatch.setattr(job_handle.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        slicermedai.run(tmp_path / "study", output=tmp_path / "out", series="endless")
    assert job_folders(tmp_path) == []


# --- inputs ----------------------------------------------------------------------------------------------------------


def given_to_worker(source: object, tmp_path: Path, **options: object) -> tuple[Volume, Study]:
    handle = slicermedai.submit(source, output=tmp_path / "out", **options)
    assert handle.wait(20)
    handle.result()
    assert job_folders(tmp_path) == []
    return load_volume(tmp_path / "out" / "given")


@worker
@pytest.mark.parametrize("affine", ["geometry", "matrix"])
def test_an_array_with_an_affine_arrives_where_it_lies(tmp_path: Path, head: Head, affine: str) -> None:
    volume = head[0]
    place = volume.geometry if affine == "geometry" else volume.geometry.ijk_to_lps
    arrived, _ = given_to_worker(np.array(volume.array), tmp_path, affine=place, convention="itk")
    assert np.array_equal(arrived.array, volume.array)
    assert arrived.geometry.same_grid(volume.geometry, tolerance=1e-9)


@worker
def test_a_volume_arrives_whole_with_the_study_that_was_named(tmp_path: Path, head: Head) -> None:
    volume, result = head
    arrived, study = given_to_worker(volume, tmp_path, study=result.study)
    assert np.array_equal(arrived.array, volume.array)
    assert arrived.geometry == volume.geometry
    assert (arrived.modality, arrived.name, arrived.series_uid) == (volume.modality, volume.name, volume.series_uid)
    assert study == result.study


@worker
def test_a_simpleitk_image_arrives_where_it_lies(tmp_path: Path, head: Head) -> None:
    sitk = pytest.importorskip("SimpleITK")
    volume = head[0]
    image = sitk.GetImageFromArray(volume.array)
    geometry = volume.geometry
    image.SetOrigin(geometry.origin.tolist())
    image.SetSpacing(geometry.spacing[::-1].tolist())
    image.SetDirection(geometry.directions[:, ::-1].ravel().tolist())
    arrived, study = given_to_worker(image, tmp_path)
    assert np.array_equal(arrived.array, volume.array)
    assert arrived.geometry.same_grid(geometry)
    assert not study.has_context


@worker
def test_a_volume_node_arrives_where_it_lies(tmp_path: Path, head: Head) -> None:
    slicer = pytest.importorskip("slicer", reason="absent: slicer-core")
    from slicermedai.scene.volumes import volume_to_node

    scene = slicer.vtkMRMLScene()
    arrived, _ = given_to_worker(volume_to_node(head[0], scene), tmp_path)
    assert np.array_equal(arrived.array, head[0].array)
    assert arrived.geometry.same_grid(head[0].geometry)


def test_another_kind_of_node_is_refused_by_name() -> None:
    slicer = pytest.importorskip("slicer", reason="absent: slicer-core")
    with pytest.raises(InputError, match="vtkMRMLTableNode") as caught:
        slicermedai.submit(slicer.vtkMRMLTableNode())
    assert caught.value.attribute == "source"


@pytest.mark.parametrize(
    ("source", "options", "error", "attribute"),
    [
        (np.zeros((3, 4, 5)), {}, InputError, "affine"),
        (np.zeros((3, 4, 5)), {"affine": np.eye(4)}, InputError, "convention"),
        (np.zeros((3, 4, 5)), {"affine": np.eye(4), "convention": "ras"}, InputError, "convention"),
        (object(), {}, InputError, "source"),
        (None, {}, InputError, "source"),
        (SimpleITK.Image(3, 4, 5, SimpleITK.sitkInt16), {"affine": np.eye(4)}, InputError, "affine"),
        (SimpleITK.Image(3, 4, 5, SimpleITK.sitkInt16), {"convention": "itk"}, InputError, "convention"),
        (Volume(array=np.zeros((3, 4, 5)), geometry=SMALL), {"affine": np.eye(4)}, InputError, "affine"),
        ("folder", {"affine": np.eye(4)}, InputError, "affine"),
        ("folder", {"convention": "itk"}, InputError, "convention"),
        ("folder", {"study": Study()}, InputError, "study"),
        ("folder", {"colour": "red"}, ProtocolError, "colour"),
        ("folder", {"identity": "maybe"}, ProtocolError, "identity"),
        (np.zeros((3, 4, 5)), {"convention": "itk", "affine": np.eye(4), "seed": "x"}, ProtocolError, "seed"),
        (np.zeros((3, 4)), {"convention": "itk", "affine": np.eye(4)}, MedAIError, "array"),
        (np.zeros((3, 4, 5)), {"convention": "itk", "affine": np.zeros((4, 4))}, MedAIError, "affine"),
        (np.full((3, 4, 5), np.nan), {"convention": "itk", "affine": np.eye(4)}, MedAIError, "PixelData"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_starts(
    tmp_path: Path, source: object, options: dict, error: type[MedAIError], attribute: str
) -> None:
    with pytest.raises(error) as caught:
        slicermedai.submit(source, **options)
    assert caught.value.attribute == attribute
    assert job_folders(tmp_path) == []


def test_the_documented_options_are_the_fields_of_the_job() -> None:
    named = set(inspect.signature(slicermedai.submit).parameters) - {"on_done", "options"}
    assert named <= {field.name for field in dataclasses.fields(RunJob)}


# --- results ---------------------------------------------------------------------------------------------------------


@worker
def test_without_an_output_a_new_folder_in_documents_is_made_and_named(tmp_path: Path) -> None:
    (tmp_path / "user" / "Documents").mkdir(parents=True)
    first, second = slicermedai.submit(tmp_path / "study"), slicermedai.submit(tmp_path / "study")
    assert first.wait(20)
    assert second.wait(20)
    assert first.output != second.output
    assert first.output.parent == tmp_path / "user" / "Documents"
    assert first.output.name.startswith("MedAI-")
    assert (first.output / "result" / "result.json").exists()


def test_a_result_is_loaded_from_the_jobs_folder_or_the_result_in_it(tmp_path: Path, head: Head) -> None:
    head[1].save(tmp_path / "out" / "result")
    assert same(slicermedai.load(tmp_path / "out"), head[1])
    assert same(slicermedai.load(str(tmp_path / "out" / "result")), head[1])
    with pytest.raises(UnreadableFileError):
        slicermedai.load(tmp_path)


def test_an_export_of_a_folder_and_of_an_object_are_the_same(tmp_path: Path, prepared: Path, head: Head) -> None:
    """The whole road: supervisor, command line, the real export."""
    first = slicermedai.export_result(prepared, ["csv"], tmp_path / "first")
    second = slicermedai.export_result(head[1], ["csv"], tmp_path / "second")
    names = sorted(path.name for path in first.rglob("*") if path.is_file())
    assert names
    assert names == sorted(path.name for path in second.rglob("*") if path.is_file())
    assert job_folders(tmp_path) == []


def test_an_export_that_cannot_be_made_raises_its_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        slicermedai.export_result(tmp_path, ["csv"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_job_for_a_model_that_is_not_there_says_so(tmp_path: Path) -> None:
    """The whole road: supervisor, command line, pipeline, registry."""
    with pytest.raises(UnknownBundleError):
        slicermedai.run(tmp_path / "study", "tea", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert slicermedai.list_models() == []


def test_a_result_and_a_folder_are_shown_in_the_scene_that_is_given(prepared: Path, head: Head) -> None:
    slicer = pytest.importorskip("slicer", reason="absent: slicer-core")
    scene = slicer.vtkMRMLScene()
    shown = slicermedai.show(prepared, scene, head[0])
    assert shown.volume_node.GetScene() is scene
    other = slicermedai.show(head[1], slicer.vtkMRMLScene(), shown.volume_node)
    assert other.volume_node is shown.volume_node
    assert other.segmentation_node.GetSegmentation().GetNumberOfSegments() == 2


@pytest.mark.usefixtures("with_worker")
def test_a_list_of_files_is_a_source(head: Head, tmp_path: Path) -> None:
    from slicermedai.dicom.file_list import load_file_list

    files = write_series(replace(head[0], name="T1"), tmp_path / "series")
    handle = slicermedai.submit(files, output=tmp_path / "out")
    assert handle.wait(30)
    assert load_file_list(tmp_path / "out" / "given") == files


def test_a_list_of_files_is_read_as_their_folder_is(head: Head, tmp_path: Path) -> None:
    files = write_series(replace(head[0], name="T1"), tmp_path / "series")
    listed, folder = slicermedai.open_image(files), slicermedai.open_image(tmp_path / "series")
    assert listed.geometry == folder.geometry
    np.testing.assert_array_equal(listed.array, folder.array)


@pytest.fixture
def outside_slicer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys.modules.get("slicer"), "mrmlScene", raising=False)


@pytest.mark.usefixtures("outside_slicer")
def test_showing_outside_slicer_says_where_to_look(
    head: Head, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert slicermedai.show(head[1]) is None
    assert "this is not Slicer" in capsys.readouterr().err
    head[1].save(tmp_path / "out" / "result")
    assert slicermedai.show(tmp_path / "out" / "result") is None
    assert f"slicermedai.write_report({str(tmp_path / 'out')!r})" in capsys.readouterr().err
    for name in ("report.html", "scene.mrb"):
        (tmp_path / "out" / name).touch()
    for folder in (tmp_path / "out", tmp_path / "out" / "result"):
        assert slicermedai.show(folder) is None
        told = capsys.readouterr().err
        assert f"Report: {tmp_path / 'out' / 'report.html'}; for Slicer: {tmp_path / 'out' / 'scene.mrb'}\n" in told
    assert head[1].study.patient_id not in told


@pytest.mark.usefixtures("with_worker", "outside_slicer")
def test_the_first_console_line_works_outside_slicer_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handle = slicermedai.submit(tmp_path / "study", "brain", output=tmp_path / "out", on_done=slicermedai.show)
    assert handle.wait(20)
    assert (handle.state, handle.callback_error) == ("done", None)
    assert str(tmp_path / "out") in capsys.readouterr().err


@worker
@pytest.mark.parametrize("error", [ValueError("Doe^Jane"), InputError("has no view", advice="Open one.")])
def test_what_on_done_raises_is_told_once_and_takes_nothing_with_it(
    tmp_path: Path, head: Head, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(result: AnalysisResult) -> None:
        raise error

    handle = slicermedai.submit(tmp_path / "study", output=tmp_path / "out", on_done=fail)
    assert handle.wait(20)
    handle.poll()
    assert (handle.state, handle.done, handle.callback_error) == ("done", True, error)
    assert same(handle.result(), head[1])
    (record,) = caplog.records
    assert "the job is done" in record.message
    assert ("has no view" if isinstance(error, InputError) else "ValueError at ") in record.message
    assert "Doe" not in record.message


SCRIPT = """
import functools, sys
import slicermedai
from slicermedai.console import launch
from slicermedai.jobs import supervisor
launch.start = functools.partial(supervisor.start, command=[sys.executable, {worker!r}])
job = slicermedai.submit("study", output={output!r}, on_done=slicermedai.show{options})
print(job.state, flush=True)
"""


def script(tmp_path: Path, prepared: Path, options: str = "") -> subprocess.Popen[str]:
    (tmp_path / "worker.py").write_text(WORKER.format(prepared=str(prepared)))
    text = SCRIPT.format(worker=str(tmp_path / "worker.py"), output=str(tmp_path / "out"), options=options)
    library = str(Path(slicermedai.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": library, "TMPDIR": str(tmp_path / "temp")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", text], text=True, env=environment, **pipes)


def test_a_script_that_ends_after_submit_waits_for_its_job_and_says_so(tmp_path: Path, prepared: Path) -> None:
    with script(tmp_path, prepared) as process:
        said, told = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "running\n")
    lines = told.splitlines()
    assert "waiting for it. Ctrl-C stops it; call job.wait()" in lines[0]
    assert "this is not Slicer" in lines[1]
    assert lines[2] == f"slicermedai: the job is done: {tmp_path / 'out'}"
    assert (tmp_path / "out" / "result" / "result.json").exists()
    assert job_folders(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="absent: pseudo-terminals")
def test_at_pythons_prompt_a_job_ends_while_nothing_is_typed(tmp_path: Path, prepared: Path) -> None:
    pty = pytest.importorskip("pty", reason="absent: pseudo-terminals")
    (tmp_path / "worker.py").write_text(WORKER.format(prepared=str(prepared)))
    (tmp_path / "start.py").write_text(
        SCRIPT.format(worker=str(tmp_path / "worker.py"), output=str(tmp_path / "out"), options="")
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(slicermedai.__file__).parents[1]), "TERM": "dumb"}
    environment |= {"TMPDIR": str(tmp_path / "temp"), "PYTHONSTARTUP": ""}
    ours, theirs = pty.openpty()
    words = [sys.executable, "-q", "-i"]
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        os.write(ours, f"exec(open({str(tmp_path / 'start.py')!r}).read())\n".encode())
        told = b""
        while b"this is not Slicer" not in told:
            assert select.select([ours], [], [], 15)[0], told.decode()
            told += os.read(ours, 4096)
        os.write(ours, b"exit()\n")
        assert process.wait(10) == 0
    os.close(ours)
    assert job_folders(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX signals")
def test_an_interrupt_ends_the_waiting_of_a_script(tmp_path: Path, prepared: Path) -> None:
    with script(tmp_path, prepared, ", series='endless'") as process:
        assert process.stderr is not None
        assert "waiting for it" in process.stderr.readline()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
        process.wait(10)
    assert time.monotonic() - began < 2.0
    assert told.splitlines()[-1] == "slicermedai: stopped; nothing was left behind"
    assert "Traceback" not in told
    assert job_folders(tmp_path) == []
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("with_worker")
def test_on_done_show_shows_the_image_with_the_result(
    head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slicer = pytest.importorskip("slicer", reason="absent: slicer-core")
    monkeypatch.setattr(slicer, "mrmlScene", slicer.vtkMRMLScene(), raising=False)
    slicermedai.submit(head[0], output=tmp_path / "out", on_done=slicermedai.show).wait(30)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


def test_the_pseudonymous_route_shows_the_copies_and_never_the_originals(head: Head, tmp_path: Path) -> None:
    write_series(replace(head[0], name="T1"), tmp_path / "originals", spec=SeriesSpec(seed="original"))
    write_series(replace(head[0], name="T1"), tmp_path / "out" / "dicom" / "source", spec=SeriesSpec(seed="copy"))
    head[1].save(tmp_path / "out" / "result")
    shown = slicermedai.image_of(tmp_path / "originals", tmp_path / "out")
    assert shown.series_uid == slicermedai.open_image(tmp_path / "out" / "dicom" / "source").series_uid
    assert shown.series_uid != slicermedai.open_image(tmp_path / "originals").series_uid


def test_a_nibabel_image_lies_where_its_file_lies(head: Head, tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="absent: nibabel")
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ head[0].geometry.ijk_to_lps
    image = nibabel.Nifti1Image(np.asarray(head[0].array, dtype=np.int16).transpose(), matrix)
    nibabel.save(image, tmp_path / "head.nii.gz")
    file = slicermedai.open_image(tmp_path / "head.nii.gz")
    memory = as_volume(np.asarray(image.dataobj), image.affine, "nibabel")
    assert memory.geometry.same_grid(file.geometry)
    np.testing.assert_array_equal(memory.array, file.array)


def test_copies_without_identity_take_three_lines(tmp_path: Path) -> None:
    from Testing.deid.samples import a_series, found_tokens

    files = a_series(tmp_path / "study")
    job = slicermedai.deidentify(files, tmp_path / "copies", preset="research", ocr=False, deface=False)
    folder = job.finish()
    assert (folder / "report.html").is_file()
    assert len(list((folder / "dicom").iterdir())) == len(files)
    assert found_tokens(folder) == set()


@pytest.mark.parametrize("wrong", [{"preset": "none"}, {"options": ("113106", "113107")}, {"colour": "red"}])
def test_a_wrong_choice_is_refused_before_anything_starts(tmp_path: Path, wrong: dict[str, object]) -> None:
    began = time.perf_counter()
    with pytest.raises(MedAIError):
        slicermedai.deidentify(tmp_path, tmp_path / "copies", **wrong)
    assert time.perf_counter() - began < 0.5
    assert not (tmp_path / "copies").exists()
