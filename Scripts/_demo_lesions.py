"""What Scripts/demo shows of a detector: candidates in a generated thorax, their probabilities, what spoke for one."""

from __future__ import annotations

from pathlib import Path

from slicermedai.bundles.registry import fetch
from slicermedai.bundles.shipped import NAME
from slicermedai.cli.commands import obey, understand
from Testing.fixtures import faults
from Testing.fixtures.identity import Identity
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.fixtures.thorax import thorax

LESIONS = "lesions"
PATIENT = 7001
"""Seed of a generated patient whom neither training nor calibration saw."""
REMARK = (
    "GENERATED DATA: a thorax of no patient, looked at by a detector that was trained on generated images. It shows "
    "how candidates are reported, and says nothing about patients"
)


_SAID = {"SyntheticData": "YES", "BodyPartExamined": "CHEST", "StudyDescription": "Generated"}
NOBODY = Identity(
    patient_name="Generated^Thorax", patient_id="GENERATED", birth_date="20000101", other_id="GENERATED",
    accession="GENERATED", physician="Generated", operator="Generated", institution="Generated", address="Generated",
    phone="0", station="GENERATED", serial="GENERATED", study_id="1", study_date="20000101", study_time="120000",
)  # fmt: skip


def add_lesions(out: Path, scratch: Path) -> int:
    """Add ``lesions/`` to the demo's ``out``, a result with its own report; the exit code.

    Raises :class:`slicermedai.MedAIError` where the detector cannot be had.
    """
    fetch(NAME)
    spec = SeriesSpec(
        modality="CT",
        intercept=-1024.0,
        description="Generated thorax",
        identity=NOBODY,
        seed="demo lesions",
    )
    paths = write_series(thorax(PATIENT).volume, scratch / LESIONS, spec=spec)
    for keyword, value in _SAID.items():
        faults.set_value(paths, keyword, value)
    job = ["run", str(scratch / LESIONS), "--bundle", NAME, "--output", str(out / LESIONS)]
    return obey(understand([*job, "--saliency", "gradient", "--remark", REMARK]))
