"""What calibrated a number is named by its hash in every object that could carry the number elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread

from slicermedai.audit import steps
from slicermedai.audit.log import log_path
from slicermedai.domain.finding import Confidence, ConfidenceState
from slicermedai.domain.provenance import RecordUsed
from slicermedai.domain.result import AnalysisResult
from slicermedai.export.run import export_result
from slicermedai.report.origin import provenance_section
from Testing.export.cases import Case, a_case

RECORD = RecordUsed(model="brain@1.2.0", sha256="ab" * 32)
CALIBRATED = Confidence(
    state=ConfidenceState.CALIBRATED, probability=0.9, calibration="Platt, brain@1.2.0 trust record abababababab"
)
_TEXTS = ("TextValue", "AlgorithmParameters")


def judged() -> Case:
    case = a_case()
    findings = tuple(replace(one, confidence=CALIBRATED) for one in case.result.findings)
    made = replace(case.result.provenance, trust_record=RECORD)
    return replace(case, result=replace(case.result, findings=findings, provenance=made))


@pytest.mark.parametrize("names", [("seg", "sr"), ("rtstruct",)])
def test_objects_cite_the_record_that_calibrated_them(names: tuple[str, ...], tmp_path: Path) -> None:
    for case, is_there in ((judged(), True), (a_case(), False)):
        folder = tmp_path / str(is_there)
        folder.mkdir()
        for path in export_result(case.result, headers=case.headers, folder=folder, formats=names):
            told = [str(one.value) for one in dcmread(path).iterall() if one.keyword in _TEXTS]
            assert any(f"trust record sha256: {RECORD.sha256}" in text for text in told) is is_there


def test_the_log_and_the_report_cite_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    steps.record_model(judged().result.provenance, None, job_id="j", status="complete")
    steps.record_model(a_case().result.provenance, None, job_id="j", status="complete")
    with_record, without = [json.loads(line)["details"] for line in log_path().read_text().splitlines()]
    assert with_record["trust_record_sha256"] == RECORD.sha256
    assert "trust_record_sha256" not in without
    assert RECORD.sha256 in str(provenance_section(judged().result))
    assert "none applied: nothing is calibrated" in str(provenance_section(a_case().result))


def test_it_is_saved_with_the_result(tmp_path: Path) -> None:
    judged().result.save(tmp_path / "result")
    assert AnalysisResult.load(tmp_path / "result").provenance.trust_record == RECORD
