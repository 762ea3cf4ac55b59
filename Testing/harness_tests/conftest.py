"""A harness for each test, whose strict log must be empty at the end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6", reason="the harness needs PySide6")
pytest.importorskip("slicer", reason="the harness needs slicer-core")

from Testing.Harness import Harness, install

SAMPLE = Path(__file__).parent / "sample" / "SampleVolume.py"


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    made = install(folder=tmp_path)
    yield made
    entries = list(made.strict_log)
    made.close()
    assert entries == []


@pytest.fixture
def sample(harness: Harness) -> Iterator[Any]:
    loaded = harness.load_module(SAMPLE)
    yield loaded
    loaded.close()


@pytest.fixture
def a_volume(harness: Harness) -> Any:
    import numpy as np
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MRHead")
    slicer.util.updateVolumeFromArray(node, np.arange(200, dtype=np.int16).reshape(4, 5, 10))
    return node
