"""Slicer imports every module when it starts: nothing heavy may come with them, then or when a panel is opened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6", reason="absent: PySide6")
pytest.importorskip("slicer", reason="absent: slicer-core")

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "Scripts" / "_bench_startup.py"
HEAVY = {"torch", "monai", "highdicom", "SimpleITK", "pydicom", "pynetdicom", "scipy", "matplotlib", "nibabel"}
ALL = sorted(path.stem for path in (ROOT / "SlicerMedAI").glob("*.py"))


def answer(*command: str, home: Path) -> dict[str, Any]:
    paths = os.pathsep.join([str(ROOT / "SlicerMedAI"), str(ROOT)])
    variables = {**os.environ, "PYTHONPATH": paths, "SLICERMEDAI_HOME": str(home)}
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=variables, cwd=home)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_starting_with_all_modules_loads_nothing_heavy(tmp_path: Path) -> None:
    seen = answer(str(BENCH), "--measure", str(ROOT / "SlicerMedAI"), home=tmp_path)
    assert sorted(seen["seconds"]) == ALL
    assert seen["heavy"] == []
    assert set(seen["packages"]) <= {"numpy", "slicer"}


def test_opening_all_panels_loads_nothing_heavy(tmp_path: Path) -> None:
    script = ROOT / "Testing" / "packaging" / "load_modules.py"
    seen = answer(str(script), str(ROOT / "SlicerMedAI"), home=tmp_path)
    assert seen["loaded"] == ALL
    assert HEAVY & set(seen["packages"]) == set()


def test_the_bench_sees_what_a_module_loads(tmp_path: Path) -> None:
    text = "import pydicom\n\n\nclass Heavy:\n    def __init__(self, parent):\n        self.parent = parent\n"
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "Heavy.py").write_text(text, encoding="utf-8")
    seen = answer(str(BENCH), "--measure", str(tmp_path / "modules"), home=tmp_path)
    assert seen["heavy"] == ["pydicom"]
    assert "pydicom" in seen["packages"]
    assert seen["seconds"]["Heavy"] > 0
