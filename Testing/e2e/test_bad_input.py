"""Bad input to a whole run: a clear error that names the file and the attribute, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from slicermedai import MedAIError, RunJob, Volume
from slicermedai.audit.log import verify
from slicermedai.cli.execute import execute
from slicermedai.jobs.home import home
from Testing.fixtures import faults
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series


@pytest.fixture(scope="module")
def head() -> Volume:
    volume, _ = head_phantom(covering("SPL", spacing=(6.0, 6.0, 6.0)))
    return replace(volume, name="T1")


@pytest.fixture
def study(head: Volume, tmp_path: Path) -> list[Path]:
    return write_series(head, tmp_path / "study")


@pytest.fixture(autouse=True)
def application_data(brain_model: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An audit log of the test's own; the models stay where they are."""
    monkeypatch.setenv("SLICERMEDAI_MODELS", str(home() / "models"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "application"))


def refused(source: Path, output: Path, **options: str) -> str:
    """The words of the error that a run ends with."""
    with pytest.raises(MedAIError) as caught:
        execute(RunJob(source=str(source), output=str(output), report=False, **options), job_id="test")
    return str(caught.value)


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def only_text(folder: Path) -> None:
    empty(folder)
    (folder / "notes.txt").write_text("no image here", encoding="utf-8")


def one_truncated(folder: Path) -> None:
    faults.truncate(sorted(folder.iterdir())[3])


def two_patients(folder: Path) -> None:
    faults.mix_patients(sorted(folder.iterdir())[2])


def coloured(folder: Path) -> None:
    faults.make_colour(sorted(folder.iterdir()))


def single_slice(folder: Path) -> None:
    for path in sorted(folder.iterdir())[1:]:
        path.unlink()


def no_positions(folder: Path) -> None:
    faults.remove_positions(sorted(folder.iterdir()))


def missing_slice(folder: Path) -> None:
    faults.drop_slices(sorted(folder.iterdir()), 7)


def doubled_slice(folder: Path) -> None:
    faults.duplicate_slice(sorted(folder.iterdir())[5])


def tilted(folder: Path) -> None:
    faults.tilt_gantry(sorted(folder.iterdir()), 12.0)


def two_echoes(folder: Path) -> None:
    faults.add_second_echo(sorted(folder.iterdir()))


def localizer(folder: Path) -> None:
    faults.make_localizer(sorted(folder.iterdir()))


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (empty, ("study",)),
        (only_text, ("study",)),
        (one_truncated, (".dcm",)),
        (two_patients, ("PatientID",)),
        (coloured, ("SamplesPerPixel",)),
        (single_slice, ("slice",)),
        (no_positions, ("ImagePositionPatient",)),
        (missing_slice, ("ImagePositionPatient",)),
        (doubled_slice, ("ImagePositionPatient",)),
        (tilted, ("tilt",)),
        (two_echoes, ("series",)),
        (localizer, ("ImageType",)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_study_that_cannot_be_trusted_is_refused_by_name(
    study: list[Path], tmp_path: Path, spoil: Callable[[Path], None], named: tuple[str, ...]
) -> None:
    spoil(tmp_path / "study")
    words = refused(tmp_path / "study", tmp_path / "out")
    assert [part for part in named if part.lower() not in words.lower()] == [], words
    assert SeriesSpec().identity.patient_id not in words
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def test_nan_voxels_are_refused_with_the_files_name(head: Volume, tmp_path: Path) -> None:
    array = head.array.astype(np.float32)
    array[3, 3, 3] = np.nan
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(tmp_path / "head.nrrd"))
    words = refused(tmp_path / "head.nrrd", tmp_path / "out")
    assert "head.nrrd" in words
    assert "NaN" in words


def test_a_non_dicom_file_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "scan.bin").write_bytes(os.urandom(3000))
    assert "scan.bin" in refused(tmp_path / "scan.bin", tmp_path / "out")


def test_weights_of_another_hash_are_refused_before_they_are_loaded(
    study: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slicermedai.bundles.registry import resolve

    ref = resolve("brain")
    copy = tmp_path / "models" / Path(ref.path).name
    shutil.copytree(ref.path, copy)
    weights = copy / ref.weights
    weights.chmod(0o644)
    body = bytearray(weights.read_bytes())
    body[len(body) // 2] ^= 1
    weights.write_bytes(body)
    words = refused(tmp_path / "study", tmp_path / "out", bundle=str(copy))
    assert weights.name in words
    assert ref.weights_sha256[:12] in words


def test_an_unwritable_output_is_refused_by_name(study: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert "file" in refused(tmp_path / "study", tmp_path / "file" / "out")


def test_an_output_that_exists_is_never_overwritten(study: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "theirs").write_text("kept", encoding="utf-8")
    assert "out" in refused(tmp_path / "study", tmp_path / "out")
    assert (tmp_path / "out" / "theirs").read_text(encoding="utf-8") == "kept"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 60 kB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("absent: the right to mount a small tmpfs")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_named_and_nothing_half_written_stays(study: list[Path], small_disk: Path) -> None:
    words = refused(study[0].parent, small_disk / "out", identity="deidentify")
    assert "no space left" in words
    assert str(small_disk) in words
    assert list(small_disk.iterdir()) == []


def test_a_second_run_into_the_same_folder_is_refused(study: list[Path], tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from slicermedai.domain.storage import atomic_folder\n"
        "with atomic_folder(Path(sys.argv[1])): print('in', flush=True); time.sleep(60)"
    )
    first = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "in\n"
        assert "another run" in refused(tmp_path / "study", tmp_path / "out")
    finally:
        first.kill()
        first.communicate()


def test_what_failed_stands_in_the_audit_log_without_identity(study: list[Path], tmp_path: Path) -> None:
    two_patients(tmp_path / "study")
    refused(tmp_path / "study", tmp_path / "out")
    assert verify().ok
    text = (home() / "audit" / "audit.jsonl").read_text(encoding="utf-8")
    assert "run failed" in text
    assert "MixedPatientsError" in text
    assert SeriesSpec().identity.patient_id not in text


def test_an_image_without_a_patient_gives_what_needs_none_and_says_so(head: Volume, tmp_path: Path) -> None:
    from slicermedai import load

    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.asarray(head.array)), str(tmp_path / "head.nrrd"))
    job = RunJob(source=str(tmp_path / "head.nrrd"), output=str(tmp_path / "out"), report=False)
    execute(job, job_id="test")
    made = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert not made & {"seg.dcm", "sr.dcm"}
    assert "findings.csv" in made
    assert any("No DICOM SEG and SR" in line for line in load(tmp_path / "out").provenance.refusals)


def test_dicom_asked_for_by_name_without_a_patient_is_refused_at_once(head: Volume, tmp_path: Path) -> None:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.asarray(head.array)), str(tmp_path / "head.nrrd"))
    words = refused(tmp_path / "head.nrrd", tmp_path / "out", formats=("seg", "sr"))  # type: ignore[arg-type]
    assert "PatientID" in words
    assert "StudyInstanceUID" in words
