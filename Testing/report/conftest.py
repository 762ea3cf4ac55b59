"""Contexts of reports: pictures that are one pixel, results made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from slicermedai.domain.codes import Code
from slicermedai.domain.result import AnalysisResult, AttributeChange, Deidentification
from slicermedai.domain.study import Identity
from slicermedai.report.context import ReportContext
from slicermedai.scene.pictures import Picture
from Testing.scene.samples import small_head


@pytest.fixture(scope="session")
def result() -> AnalysisResult:
    """The analysis of a small head: brain not calibrated, left ventricle not assessed."""
    return small_head(spacing=12.0).result


@pytest.fixture
def pseudonymous(result: AnalysisResult) -> AnalysisResult:
    """The same on the route "deidentify"."""
    record = Deidentification(
        method="PS3.15 Basic Profile",
        codes=(Code(value="113100", scheme="DCM", meaning="Basic Application Confidentiality Profile"),),
        files=50,
        elements_removed=1203,
        done=("Private attributes were removed",),
        not_done=("Faces were not removed", "Text burned into pixels was not looked for"),
        changes=(
            AttributeChange(attribute="PatientName", action="D", elements=50, reason="Table E.1-1: Z"),
            AttributeChange(attribute="StudyDate", action="X", elements=1153, reason="Table E.1-1: X"),
        ),
        verified=50,
    )
    study = replace(result.study, identity=Identity.DEIDENTIFY, patient_name="MEDAI^7F3K", patient_id="7F3KQ2")
    return replace(result, study=study, deidentification=record)


@pytest.fixture
def context(result: AnalysisResult, tmp_path: Path) -> ReportContext:
    """A whole report: two pictures, three files, a note."""
    pictures = tuple(a_picture(tmp_path, kind) for kind in ("axial", "3d"))
    for name in ("dicom/seg.dcm", "dicom/sr.dcm", "scene.mrb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode() * 100)
    return ReportContext(
        result=result,
        pictures=pictures,
        files=("dicom/seg.dcm", "dicom/sr.dcm", "scene.mrb"),
        notes=("Slices were sorted by position",),
        title="Brain on T1",
    )


def a_picture(folder: Path, kind: str) -> Picture:
    path = folder / "pictures" / f"{kind}.png"
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (300, 300), (10, 220, 30)).save(path)
    return Picture(path=path, title=f"{kind} view", kind=kind, description=f"{kind} view of <the> brain")
