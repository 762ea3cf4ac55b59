"""Scripts/demo itself, from preparing the image to its last line, where nothing can be fetched."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from slicermedai import load
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom

SCRIPTS = Path(__file__).resolve().parents[2] / "Scripts"


@pytest.fixture
def demo_script(brain_model: None, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Scripts/_demo.py without a network: neither Colin27 nor MRHead, and a coarser phantom for the test's sake."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    script = importlib.import_module("_demo")
    monkeypatch.setattr(script, "fetch_colin27", lambda: None)
    monkeypatch.setattr(script, "fetch_mrhead", lambda: None)
    monkeypatch.setattr(script, "head_phantom", lambda: head_phantom(covering("SPL", spacing=(3.0, 3.0, 3.0))))
    return script


def test_without_a_network_the_demo_runs_on_a_phantom_and_says_so(
    demo_script: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "Vorführung 1"
    assert demo_script.run_demo(out, None, tmp_path / "scratch") == 0
    said = capfd.readouterr()
    assert "A GENERATED HEAD PHANTOM" in said.err
    assert "none found" in said.err
    assert said.out.splitlines()[-1] == f"Report: {out / 'report.html'}"
    assert load(out).findings
    page = (out / "report.html").read_text(encoding="utf-8")
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
    assert demo_script.run_demo(tmp_path / "out", tmp_path / "empty", tmp_path / "scratch") == 1
    assert "empty" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()
