"""Slicer's stand-in with the module MedAI in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6", reason="absent: PySide6")
pytest.importorskip("slicer", reason="absent: slicer-core")

from Testing.Harness import Harness
from Testing.modules.opening import entered
from Testing.recorded.player import Player

MODULE = Path(__file__).resolve().parents[2] / "SlicerMedAI" / "MedAI.py"


@pytest.fixture
def harness(slicer_stand_in: Harness) -> Harness:
    """Slicer's stand-in."""
    return slicer_stand_in


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of the test's own; models are those of the environment."""
    user = tmp_path / "user"
    (user / "Documents").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("USERPROFILE", str(user))
    return user / "Documents"


@pytest.fixture
def player(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Player:
    """Children that answer what they are asked as they once did; runs are real until the test has them played.

    Real ones are new processes, or forks where the test asks for ``warm_networks`` too.
    """
    from slicermedai.jobs import interpreter

    if "warm_networks" in request.fixturenames:
        request.getfixturevalue("warm_networks")
    made = Player(tmp_path / "player", python=interpreter.python())
    made.begin(monkeypatch)
    return made


@pytest.fixture
def medai(harness: Harness, places: Path) -> Iterator[Any]:
    """The module, loaded and entered."""
    with entered(harness, MODULE) as loaded:
        yield loaded


_LOOK = """\
import json, sys, time
if sys.argv[1:3] == ["-m", "slicermedai.app.install_answer"]:
    missing = json.loads(sys.stdin.readline())["packages"]
    card = {"name": "RTX 4090", "driver": [581, 29], "capability": 8.9}
    found = {"missing": missing, "refused": [], "wheels": "", "needs_build": "torch>=2.8" in missing}
    print(json.dumps({"answer": {**found, "graphics": [card], "torch": "auto", "busy": False}}))
    sys.exit()
"""


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """In place of the Python that installs, a program: finds all missing, notes its calls, does what it is told."""
    from slicermedai.jobs import interpreter

    program, noted = tmp_path / "installer", tmp_path / "noted"

    def behave(body: str) -> Path:
        note = f"print(*sys.argv[1:], file=open({str(noted)!r}, 'a'))\n"
        program.write_text(f"#!{sys.executable}\n{_LOOK}{note}{body}")
        program.chmod(0o755)
        monkeypatch.setattr(interpreter, "python", lambda: str(program))
        return noted

    return behave
