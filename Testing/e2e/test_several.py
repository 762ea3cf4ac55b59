"""A model that takes several images: as one job, from series of one patient to result and objects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread

import slicermedai
from slicermedai.bundles.registry import resolve
from slicermedai.cli.commands import understand
from slicermedai.cli.execute import execute
from slicermedai.dicom.several import NamedInput
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import InputError, MixedPatientsError
from slicermedai.jobs.specs import RunJob
from Testing.fixtures.grids import covering
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.leaks import leaks
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.inference.conftest import body_on, dice
from Testing.inference.zoo import write_zoo_bundle

GRID = covering(spacing=(8.0, 8.0, 8.0), extent=(100.0, 126.0, 116.0))
CONTRASTS = ("T1c", "T1", "T2", "FLAIR")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle of four contrasts and one series of each, of one patient."""
    folder = tmp_path_factory.mktemp("several")
    write_zoo_bundle(folder / "four@0.1", "of_several_channels")
    for number, name in enumerate(CONTRASTS):
        write(folder / name, name, number)
    return folder


def write(folder: Path, name: str, number: int, identity: Identity | None = None) -> Path:
    volume, _ = body_on(GRID)
    spec = SeriesSpec(
        identity=identity or Identity(), description=f"AX {name} TSE", series_number=number + 1, seed=f"{name}{number}"
    )
    write_series(replace(volume, modality="MR"), folder, spec=spec)
    return folder


def a_job(home: Path, output: Path, **fields: object) -> RunJob:
    others = tuple(f"{name}={home / name}" for name in CONTRASTS[1:])
    given = {"source": str(home / "T1c"), "inputs": others, "shows": "T1c", "other_frames": True, **fields}
    given |= {"device": "cpu", "report": False}
    return RunJob(bundle=str(home / "four@0.1"), output=str(output), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("identity", ["keep", "deidentify"])
def test_four_contrasts_of_one_patient_are_one_result(home: Path, tmp_path: Path, identity: str) -> None:
    folder = execute(a_job(home, tmp_path / "out", identity=identity, precision="bfloat16"), job_id="j")
    result = AnalysisResult.load(folder)
    assert dice(result.findings[0].region.to_array(), body_on(GRID)[1]) > 0.99  # type: ignore[union-attr]
    if identity == "keep":
        assert [series.description for series in result.sources] == [f"AX {name} TSE" for name in CONTRASTS]
    assert len({series.series_uid for series in result.sources}) == 4
    assert result.provenance.precision == "bfloat16"
    assert result.provenance.input is not None
    assert result.provenance.input.files == 4 * GRID.shape[0]
    assert "The images are of 4 studies: what changed in between is not seen." in result.notes
    objects = [dcmread(path) for path in sorted((folder / "dicom").glob("*.dcm"))]
    assert {one.Modality for one in objects} == {"SEG", "SR"}
    assert {one.PatientID for one in objects} == {result.study.patient_id}


def test_the_pseudonymous_route_gives_all_images_one_pseudonym_and_leaks_none(home: Path, tmp_path: Path) -> None:
    folder = execute(a_job(home, tmp_path / "out", identity="deidentify"), job_id="j")
    copies = [dcmread(path) for path in (folder / "dicom" / "source").rglob("*.dcm")]
    assert len(copies) == 4 * GRID.shape[0]
    assert len({one.PatientID for one in copies}) == 1
    assert not leaks([path for path in folder.rglob("*") if path.is_file()], identity_tokens(Identity()))


def test_an_image_that_says_what_it_shows_needs_no_name(home: Path, tmp_path: Path) -> None:
    job = a_job(home, tmp_path / "out", shows="")
    assert AnalysisResult.load(execute(job, job_id="j")).findings


def test_images_of_other_frames_of_reference_are_refused_unless_somebody_says_that_they_fit(
    home: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="different frames of reference"):
        execute(a_job(home, tmp_path / "out", other_frames=False), job_id="j")


def test_an_image_of_another_patient_is_refused_before_anything_is_computed(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", "FLAIR", 9, Identity(patient_id="ZZ-1"))
    job = a_job(home, tmp_path / "out", inputs=(f"FLAIR={tmp_path / 'other'}",))
    with pytest.raises(MixedPatientsError, match="'FLAIR' is of another patient"):
        execute(job, job_id="j")
    assert not (tmp_path / "out").exists()


def test_the_image_that_is_named_first_must_be_the_source(home: Path, tmp_path: Path) -> None:
    finer = covering(spacing=(7.0, 8.0, 8.0), extent=(100.0, 126.0, 116.0))
    write_series(replace(body_on(finer)[0], modality="MR"), tmp_path / "fine", spec=SeriesSpec(seed="fine"))
    others = [f"{name}={home / name}" for name in CONTRASTS if name != "FLAIR"]
    job = a_job(home, tmp_path / "out", source=str(tmp_path / "fine"), shows="FLAIR", inputs=tuple(others))
    with pytest.raises(InputError, match="labels on another of the images"):
        execute(job, job_id="j")


def test_an_input_is_a_name_a_path_and_perhaps_a_series() -> None:
    assert NamedInput.parse("FLAIR=/a/b") == NamedInput(name="FLAIR", path=Path("/a/b"))
    assert NamedInput.parse(" T1 = /a=b::1.2.3#2 ") == NamedInput(name="T1", path=Path("/a=b"), series="1.2.3#2")
    for text in ("FLAIR", "=/a", "FLAIR="):
        with pytest.raises(InputError, match="NAME=PATH"):
            NamedInput.parse(text)


def test_a_name_stands_once(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two images are called 'T1'"):
        execute(a_job(home, tmp_path / "out", inputs=(f"T1={home / 'T1'}", f"T1={home / 'T2'}")), job_id="j")


@pytest.mark.parametrize("identity", ["keep", "deidentify"])
def test_the_console_takes_images_of_any_kind_together(home: Path, tmp_path: Path, identity: str) -> None:
    in_memory = replace(body_on(GRID)[0], modality="MR")
    inputs = {"T1": sorted((home / "T1").iterdir()), "T2": in_memory, "FLAIR": home / "FLAIR"}
    plain = {"device": "cpu", "report": False, "other_frames": True, "output": tmp_path / "out"}
    model = str(home / "four@0.1")
    job = slicermedai.submit(home / "T1c", model, shows="T1c", inputs=inputs, identity=identity, **plain)
    job.finish()
    result = job.result()
    assert dice(result.findings[0].region.to_array(), body_on(GRID)[1]) > 0.99  # type: ignore[union-attr]
    assert result.provenance.input is not None
    assert result.provenance.input.files == 0
    assert len(result.provenance.input.sha256) == 64
    assert result.study.identity.value == identity


def test_the_command_line_takes_several_images(home: Path, tmp_path: Path) -> None:
    others = ",".join(f"{name}={home / name}" for name in CONTRASTS[1:])
    words = ["run", str(home / "T1c"), "--inputs", others, "--shows", "T1c", "--bundle", str(home / "four@0.1")]
    words.append("--other-frames")
    assert resolve(str(home / "four@0.1")).task == "segmentation"
    assert understand([*words, "--output", str(tmp_path / "out"), "--no-report", "--device", "cpu"])() == 0
    assert len(AnalysisResult.load(tmp_path / "out").sources) == 4
