"""``slicermedai.estimate`` and ``slicermedai estimate``: before any run no seconds, after one those that it took."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import slicermedai
from slicermedai.cli.commands import understand
from slicermedai.cli.execute import execute
from slicermedai.console.estimates import request_of
from slicermedai.domain.volume import Volume
from slicermedai.errors import AmbiguousInputError, InputError, ProtocolError, UnknownBundleError, UnreadableFileError
from slicermedai.jobs.specs import RunJob
from Testing.fixtures.grids import covering
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.inference.conftest import body_on
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.inference.zoo import write_zoo_bundle

GRID = covering(spacing=(4.0, 4.0, 4.0), extent=(100.0, 126.0, 116.0))


@pytest.fixture
def study(places: Path) -> Path:
    """A series, and a model that runs on it."""
    write_tiny_bundle(places / "application" / "models" / "tiny@0.1")
    write_series(replace(body_on(GRID)[0], modality="MR"), places / "study")
    return places / "study"


def the_body() -> Volume:
    return body_on(GRID)[0]


def test_seconds_are_those_of_an_earlier_run_and_none_before_it(study: Path, tmp_path: Path) -> None:
    before = slicermedai.estimate(study, "tiny", device="cpu", report=False)
    assert (before.seconds, before.runs) == (None, 0)
    assert before.workload.operations > 0
    execute(
        RunJob(source=str(study), bundle="tiny", output=str(tmp_path / "a"), report=False, device="cpu"), job_id="j"
    )
    after = slicermedai.estimate(study, "tiny", device="cpu", report=False)
    assert after.runs == 1
    assert after.seconds is not None
    assert 0 < after.seconds[0] == after.seconds[1] < 60
    assert after.workload == before.workload
    with_report = slicermedai.estimate(study, "tiny", device="cpu", report=True)
    assert with_report.seconds is None, "a run with a report takes longer, and none was made"


def test_the_command_says_it_in_one_line_and_runs_nothing(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "never"
    assert understand(["estimate", str(study), "--bundle", "tiny", "--device", "cpu", "--output", str(output)])() == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("no run of tiny@0.1 like this one on this machine yet")
    assert re.search(r"; \d+(\.\d+)? MFLOP; ", line)
    assert "peak memory about" in line
    assert not output.exists()


def test_the_command_knows_the_words_of_a_run(study: Path) -> None:
    for words in (["--folds", "all"], ["--uncertainty", "flips"], ["--stability", "2"], ["--identity", "deidentify"]):
        assert understand(["estimate", str(study), "--bundle", "tiny", *words])() == 0


def test_the_place_of_an_image_is_the_same_from_wherever_it_comes(study: Path) -> None:
    from slicermedai.console.estimates import answer_to

    grid = the_body().geometry
    asked = [study, sorted(study.iterdir()), the_body()]
    works = [answer_to(request_of(source, "tiny", {}))["workload"] for source in asked]
    assert works[0] == works[1]
    assert works[0]["image_voxels"] == works[2]["image_voxels"] == float(grid.shape[0] * grid.shape[1] * grid.shape[2])


def test_an_array_needs_to_say_where_it_lies() -> None:
    volume = the_body()
    request = request_of(volume.array, "tiny", {"affine": volume.geometry})
    assert request["images"]["image"]["shape"] == list(GRID.shape)
    with pytest.raises(InputError, match="nothing about where its voxels lie"):
        request_of(volume.array, "tiny", {})


def test_several_images_are_told_by_their_names(places: Path) -> None:
    write_zoo_bundle(places / "application" / "models" / "of_several_channels@0.1", "of_several_channels")
    names = ("T1c", "T1", "T2", "FLAIR")
    for number, name in enumerate(names):
        spec = SeriesSpec(description=name, series_number=number + 1, seed=name)
        write_series(replace(the_body(), modality="MR"), places / name, spec=spec)
    others = {name: places / name for name in names[1:]}
    told = slicermedai.estimate(places / "T1c", "of_several_channels", shows="T1c", inputs=others, device="cpu")
    texts = tuple(f"{name}={path}" for name, path in others.items())
    again = slicermedai.estimate(places / "T1c", "of_several_channels", shows="T1c", inputs=texts, device="cpu")
    assert told.workload == again.workload
    assert told.workload.operations > 0


def test_what_is_wrong_is_said_before_any_run(study: Path) -> None:
    with pytest.raises(UnknownBundleError):
        slicermedai.estimate(study, "nothing")
    with pytest.raises(UnreadableFileError, match="absent"):
        slicermedai.estimate(study.parent / "absent", "tiny")
    with pytest.raises(ProtocolError, match="presision"):
        slicermedai.estimate(study, "tiny", presision="float32")
    spec = SeriesSpec(description="another", series_number=9, seed="another")
    write_series(replace(the_body(), modality="MR"), study / "more", spec=spec)
    with pytest.raises(AmbiguousInputError):
        slicermedai.estimate(study, "tiny")


def test_the_asking_process_loads_no_torch(study: Path) -> None:
    code = (
        "import sys, slicermedai;"
        f"slicermedai.estimate({str(study)!r}, 'tiny', device='cpu');"
        "print([n for n in ('torch', 'monai', 'highdicom', 'SimpleITK', 'pydicom') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_run_is_noted_that_did_not_end_well(study: Path, tmp_path: Path, places: Path) -> None:
    job = RunJob(source=str(study), bundle="tiny", output=str(tmp_path / "a"), report=False, device="cpu", remark="x")
    with pytest.raises(InputError):
        execute(replace(job, pixel_values="display", series="9.9"), job_id="j")
    assert not (places / "application" / "speeds").exists()
