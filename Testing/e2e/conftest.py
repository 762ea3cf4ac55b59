"""One real study through the whole chain, once for all tests of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import slicermedai
from slicermedai import AnalysisResult, Volume
from slicermedai.dicom.inputs import open_source
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series


@dataclass(frozen=True)
class Demo:
    """What ``slicermedai run`` left, the identity that went in, and what was said while it ran."""

    folder: Path
    tokens: list[str]
    result: AnalysisResult
    said: str

    def written(self) -> list[Path]:
        """All files, the result's and the report's too."""
        return [path for path in sorted(self.folder.rglob("*")) if path.is_file()]

    def dicom(self) -> list[Path]:
        """All DICOM files for other readers."""
        return sorted((self.folder / "dicom").rglob("*.dcm"))


@pytest.fixture(scope="session")
def colin_t1(colin27: Path) -> Volume:
    """Colin27's whole-head T1: 181 x 217 x 181 voxels of 1 mm."""
    return replace(open_source(colin27 / "ch2.nii.gz").volume, modality="MR", name="T1")


@pytest.fixture(scope="session")
def demo(brain_model: None, colin_t1: Volume, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Colin27 as an identified MR series, through the command line on the pseudonymous route."""
    spec = SeriesSpec(identity=Identity())
    study = tmp_path_factory.mktemp("study") / "series"
    write_series(colin_t1, study, spec=spec)
    out = tmp_path_factory.mktemp("demo") / "out"
    command = [sys.executable, "-m", "slicermedai", "run", str(study), "--output", str(out), "--identity", "deidentify"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith(str(out))
    return Demo(out, identity_tokens(spec.identity), slicermedai.load(out), done.stderr)
