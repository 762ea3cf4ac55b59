"""A plan goes with the result that it was made of and no other: else a page bears another patient's name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from slicermedai.console import planning
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import GeometryError, InputError, MedAIError
from slicermedai.plan.belonging import check_belongs
from slicermedai.plan.keep import save_plan
from Testing.fixtures import liver
from Testing.plan.cases import a_plan, a_result


def of_another_patient(result: AnalysisResult) -> AnalysisResult:
    return replace(result, study=replace(result.study, patient_name="Somebody^Else", patient_id="B2"))


def with_series(result: AnalysisResult, uid: str) -> AnalysisResult:
    return replace(result, sources=tuple(replace(one, series_uid=uid) for one in result.sources))


def with_findings(result: AnalysisResult, model: str) -> AnalysisResult:
    renamed = (replace(one, tracking_uid=f"{one.tracking_uid}{model}") for one in result.findings)
    return replace(result, findings=tuple(renamed))


OTHERS = {
    "another grid": (a_result(liver.covering(spacing=(5.0, 4.0, 4.0), extent=(230.0, 150.0, 144.0))), GeometryError),
    "another series": (with_series(a_result(), "2.25.987"), InputError),
    "other findings": (with_findings(a_result(), "1"), InputError),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_plan_is_neither_printed_nor_drawn_nor_saved_with_a_result_of(kind: str, tmp_path: Path):
    other, error = OTHERS[kind]
    of_another_patient(other).save(tmp_path / "result")
    with pytest.raises(error, match="the result"):
        planning.print_page(a_plan(), tmp_path)
    with pytest.raises(error, match="the result"):
        planning.pictures(a_plan(), tmp_path)
    with pytest.raises(error):
        save_plan(a_plan(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_what_is_said_of_another_result_names_no_patient():
    for other, _ in OTHERS.values():
        with pytest.raises(MedAIError) as caught:
            check_belongs(a_plan(), of_another_patient(other))
        assert "Somebody" not in str(caught.value) and "2.25" not in str(caught.value)


def test_the_series_of_a_plan_are_saved_with_it(tmp_path: Path):
    result = a_result()
    result.save(tmp_path / "result")
    save_plan(a_plan(), tmp_path)
    assert planning.load(tmp_path).sources == tuple(one.series_uid for one in result.sources) != ()
