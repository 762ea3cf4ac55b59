"""Scripts/demo itself, from preparing the image to its last line, where nothing can be fetched."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from slicermedai import load
from slicermedai.console import cohorts, planning
from slicermedai.domain.finding import Box, ConfidenceState
from Testing.fixtures import liver
from Testing.fixtures.grids import covering
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.leaks import leaks
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.fixtures.thorax import thorax

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "Scripts"
PREPARING = """
import sys, time
from pathlib import Path
import _demo

def prepare(scratch):
    scratch.mkdir()
    (scratch / "slice.dcm").write_text("an identified image")
    print("written", flush=True)
    time.sleep(60)

_demo.fetch_brain, _demo._sample_study = lambda: True, prepare
sys.exit(_demo.run_privately(_demo.Wanted(out=Path(sys.argv[1]))))
"""


@pytest.fixture
def demo_script(brain_model: None, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Scripts/_demo.py without a network: neither Colin27 nor MRHead, and a coarser phantom for the test's sake."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    script = importlib.import_module("_demo")
    monkeypatch.setattr(script, "fetch_colin27", lambda: None)
    monkeypatch.setattr(script, "fetch_mrhead", lambda: None)
    monkeypatch.setattr(script, "head_phantom", lambda: head_phantom(covering("SPL", spacing=(3.0, 3.0, 3.0))))
    monkeypatch.setattr(script, "add_lesions", lambda out, scratch: 0)
    return script


def test_the_demo_shows_a_detector_with_probabilities_and_says_everywhere_that_it_is_of_no_patient(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(str(SCRIPTS))
    script, objects = importlib.import_module("_demo_lesions"), importlib.import_module("_demo_objects")
    (tmp_path / "scratch").mkdir()
    (tmp_path / "out").mkdir()
    assert script.add_lesions(tmp_path / "out", tmp_path / "scratch") == 0
    folder = tmp_path / "out" / "lesions"
    result = load(folder)
    assert {one.confidence.state for one in result.findings} == {ConfidenceState.CALIBRATED}
    assert {one.light for one in result.quality} == {"not assessed"} and result.provenance.demonstration
    nodules = [one.center for one in thorax(script.PATIENT).nodules]
    sure = [one.region for one in result.findings if (one.confidence.probability or 0) > 0.6]
    middles = [box.frame[0] for box in sure if isinstance(box, Box)]
    assert len(middles) == len(nodules) == 4
    assert all(min(np.linalg.norm(middle - np.array(one)) for one in nodules) < 4 for middle in middles)
    assert [one.explains for one in result.maps] == [(result.findings[0].tracking_uid,)]
    page = (folder / "report.html").read_text(encoding="utf-8")
    for words in ("GENERATED DATA", "synthetic-trained, not for patients", "generated images, of no patient"):
        assert words.lower() in page.lower(), words
    assert "saliency not validated" in page and len(list((folder / "pictures").glob("*.png"))) >= 3
    objects.add_objects(tmp_path / "out")
    assert 'href="lesions/report.html"' in (tmp_path / "out" / "objects.html").read_text(encoding="utf-8")
    assert not leaks([path for path in folder.rglob("*") if path.is_file()], identity_tokens(Identity()))


def test_without_a_network_the_demo_runs_on_a_phantom_and_says_so(
    demo_script: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "Vorführung 1"
    assert demo_script.run_demo(demo_script.Wanted(out=out), tmp_path / "scratch") == 0
    said = capfd.readouterr()
    assert "A GENERATED HEAD PHANTOM" in said.err
    assert "none found" in said.err
    assert said.out.splitlines()[-1] == f"Report: {out / 'report.html'}"
    result = load(out)
    assert result.findings and result.deidentification is not None
    claimed = {code.value for code in result.deidentification.codes}
    assert {"113100", "113102", "113105", "113107"} <= claimed, "the preset for research, with the face removed"
    assert "113101" not in claimed, "where no pixel has strokes as text has, nothing was cleaned of text"
    objects = {path.name for path in (out / "dicom").iterdir() if path.is_file()}
    assert {"seg.dcm", "seg-labelmap.dcm", "sr.dcm", "sr-plain.dcm", "sr-lengths.dcm", "text.dcm"} < objects
    assert {"rtstruct.dcm", "capture-1.dcm", "fhir-r4.json", "fhir-r5.json", "result.hl7", "findings.csv"} < objects
    listed = (out / "objects.html").read_text(encoding="utf-8")
    assert all(f'href="dicom/{name}"' in listed for name in objects)
    examples = {path.name for path in (out / "examples").iterdir()}
    assert examples == {"sr-regions.dcm", "sr-image.dcm", "pmap-1.dcm"} and "GENERATED DATA of nobody" in listed
    assert listed.count("dciodvfy 0 errors") == sum(name.endswith(".dcm") for name in (*objects, *examples))
    assert "fhir.resources 0 errors" in listed and "PixelMed 0 errors" in listed
    assert " found 0 errors" in said.err
    page = (out / "report.html").read_text(encoding="utf-8")
    for words in ("Clean Recognizable Visual Features", "searched all", "What became of each attribute", "PatientName"):
        assert words in page
    assert "A GENERATED HEAD PHANTOM" in page[: page.index("</header>")]


def test_a_leak_would_fail_the_demo(demo_script: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "note.txt").write_text("seen by Dr. Thornbury", encoding="utf-8")
    assert demo_script._check_leaks(tmp_path, ["Thornbury"]) == 1
    said = capfd.readouterr().err
    assert "LEAK" in said
    assert "Thornbury" not in said


def test_an_own_folder_without_images_ends_in_words(
    demo_script: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert (
        demo_script.run_demo(demo_script.Wanted(out=tmp_path / "out", source=tmp_path / "empty"), tmp_path / "scratch")
        == 1
    )
    assert "empty" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (SCRIPTS, ROOT, ROOT / "SlicerMedAI"))))
    return tmp_path / "temp"


def stopped_while_preparing(out: Path, name: str) -> tuple[int, str, float]:
    """(exit code, what it said, seconds that it took to end) of a demo that gets a signal."""
    words = [sys.executable, "-c", PREPARING, str(out)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        began = time.monotonic()
        process.send_signal(getattr(signal, name))
        _, told = process.communicate(timeout=10)
        return process.returncode, told, time.monotonic() - began


def test_one_series_of_a_persons_own_folder_can_be_chosen(
    demo_script: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    head, _ = head_phantom(covering("SPL", spacing=(6.0, 6.0, 6.0)))
    for number in (1, 2):
        write_series(head, tmp_path / "mine" / str(number), spec=SeriesSpec(series_number=number))
    asked = demo_script.Wanted(out=tmp_path / "out", source=tmp_path / "mine")
    assert demo_script.run_demo(asked, tmp_path / "scratch") == 1
    offered = re.findall(r"2\.25\.[0-9]+", capfd.readouterr().err)
    assert len(set(offered)) == 2
    found = demo_script.run_demo(replace(asked, series=offered[0]), tmp_path / "scratch")
    assert found == 0 and load(tmp_path / "out").findings


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stopped_demo_says_one_line_and_leaves_no_identified_image(temp: Path, name: str) -> None:
    code, told, seconds = stopped_while_preparing(temp / "out", name)
    assert (code, told) == (130, "Scripts/demo: cancelled, nothing was left behind\n")
    assert seconds < 2.0
    assert list(temp.rglob("*.dcm")) == []


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX signals")
def test_what_a_killed_demo_left_is_gone_at_the_next_start(temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, _ = stopped_while_preparing(temp / "out", "SIGKILL")
    assert code == -signal.SIGKILL
    assert len(list(temp.rglob("*.dcm"))) == 1
    monkeypatch.syspath_prepend(str(SCRIPTS))
    script = importlib.import_module("_demo")
    monkeypatch.setattr(script, "fetch_brain", lambda: None)
    assert script.run_privately(script.Wanted(out=temp / "out")) == 1
    assert list(temp.glob("slicermedai*/*")) == []


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX signals")
def test_an_early_interrupt_of_the_demo_is_one_line(tmp_path: Path) -> None:
    """From its first import on: the moment at which the table of its arguments is read."""
    code = "import sys; sys.argv[:] = [sys.argv[1], '--help']; sys.path[0] = sys.argv[0].rpartition('/')[0];"
    code += "import os, signal, argparse;"
    code += "argparse.ArgumentParser.parse_args = lambda self: os.kill(os.getpid(), signal.SIGINT);"
    code += "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    words = [sys.executable, "-c", code, str(SCRIPTS / "demo")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Scripts/demo: cancelled, nothing was started\n")


def test_all_adds_a_cohort_and_a_plan_and_shows_them_on_one_page(
    demo_script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = importlib.import_module("_demo_all")
    monkeypatch.setattr(everything, "STUDIES", 2)
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("the report of the one study", encoding="utf-8")
    (out / "objects.html").write_text("what was made of it", encoding="utf-8")
    (tmp_path / "scratch").mkdir()
    tokens = everything.add_all(out, tmp_path / "scratch")
    assert len(tokens) > 20
    assert demo_script._check_leaks(out, tokens) == 0
    page = (out / "index.html").read_text(encoding="utf-8")
    for link in re.findall(r'href="([^"#]+)"', page):
        assert (out / link).is_file(), link
    assert page.count("GENERATED DATA") == 2
    rows = cohorts.to_rows(out / "cohort")
    assert {row["case"] for row in rows if row["state"] == "done"} == {"0001", "0002"}
    kept = liver.LIVER.volume_ml - liver.cut_off_ml((-24, 2, 8), (-0.8, 0.36, 0.48))
    told = planning.table(planning.load(out / "plan")).value("liver", "remnant volume")
    assert told == pytest.approx(kept, rel=0.005)
    assert f"{told:.1f} ml" in page
    assert len(list((out / "plan" / "surfaces").glob("*.3mf"))) > 0


def test_the_last_line_names_the_page_over_all(
    demo_script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(demo_script, "understand", list)
    monkeypatch.setattr(demo_script, "obey", lambda words: asked.append(words) or 0)
    monkeypatch.setattr(demo_script, "add_all", lambda out, scratch: ["Quillfeather"])
    (tmp_path / "out").mkdir()  # as a run leaves it
    wanted = demo_script.Wanted(out=tmp_path / "out", source=tmp_path, everything=True)
    assert demo_script.run_demo(wanted, tmp_path / "scratch") == 0
    assert capfd.readouterr().out.splitlines()[-1] == f"Report: {tmp_path / 'out' / 'index.html'}"
    assert asked[0][:2] == ["run", str(tmp_path)]
