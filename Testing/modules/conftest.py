"""Slicer's stand-in with the module MedAI in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6", reason="absent: PySide6")
pytest.importorskip("slicer", reason="absent: slicer-core")

from Testing.Harness import Harness

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
def medai(harness: Harness, places: Path) -> Iterator[Any]:
    """The module, loaded and entered."""
    loaded = harness.load_module(MODULE)
    loaded.parent.show()
    loaded.enter()
    yield loaded
    loaded.close()
