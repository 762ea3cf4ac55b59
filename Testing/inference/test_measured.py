"""What a run measures of its image, and what it says where that cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from slicermedai.dicom.volumes import save_volume
from slicermedai.domain.codes import ucum
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Study
from slicermedai.domain.volume import SuvScale
from slicermedai.jobs.specs import RunJob
from slicermedai.pipeline import run
from Testing.fixtures.grids import covering
from Testing.inference.conftest import body_on
from Testing.inference.tiny_bundle import change_json

REASON = "SUV not computed because PatientWeight is missing."


def a_result(tiny: Path, folder: Path, suv: SuvScale) -> AnalysisResult:
    change_json(tiny / "medai.json", modality=["PT"])
    volume, _ = body_on(covering(spacing=(6.0, 6.0, 6.0), extent=(110.0, 140.0, 130.0)))
    pet = replace(volume, modality="PT", unit=ucum("Bq/ml", "Becquerels/milliliter"), suv=suv)
    source = save_volume(pet, Study(), folder / "image")
    (folder / "out").mkdir()
    job = RunJob(source=str(source), bundle=str(tiny), formats=("csv",))
    return run(job, folder / "out", job_id="0" * 32).result


@pytest.mark.parametrize(
    ("suv", "name", "refused"),
    [
        (SuvScale(factor=0.5), "SUVbw (Mean)", False),
        (SuvScale(reason=REASON), "Nuclear Medicine Tomographic Activity (Mean)", True),
    ],
)
def test_a_pet_is_measured_in_suv_or_the_result_says_why_not(
    tiny: Path, tmp_path: Path, suv: SuvScale, name: str, refused: bool
) -> None:
    result = a_result(tiny, tmp_path, suv)
    (finding,) = result.findings
    assert name in {one.title for one in finding.measurements}
    assert (REASON in result.provenance.refusals) is refused
