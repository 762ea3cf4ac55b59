"""A short form of ``Scripts/soak roundtrip``: generated results come back as they were written."""

from __future__ import annotations

import dataclasses

import pytest

from slicermedai.domain.finding import PackedMask
from Testing.export.generated import a_result, campaign, differences


def test_generated_results_come_back_on_every_road_and_are_written_again_byte_by_byte() -> None:
    figures = campaign(24, seed=1)
    assert figures.faults == [], str(figures)
    roads = {"SEG, SR and maps", "label map and plain SR", "fhir-r4", "fhir-r5", "written again, byte by byte"}
    assert roads <= set(figures.roads), "every road must be tried"
    assert figures.results == 24 and figures.numbers > 50


def test_the_same_seed_makes_the_same_result() -> None:
    one, other = a_result(3, 4).result, a_result(3, 4).result
    assert differences(one, other, exact=False) == []
    assert differences(one, a_result(3, 5).result, exact=False) != []


@pytest.mark.parametrize("exact", [True, False])
def test_the_comparison_notices_what_did_not_come_back(exact: bool) -> None:
    case = next(one for one in (a_result(1, n) for n in range(50)) if _is_rich(one.result.findings))
    (first, *others) = case.result.findings
    number = dataclasses.replace(first.measurements[0], value=first.measurements[0].value * 1.001)
    label = dataclasses.replace(first.label, name="another")
    empty = PackedMask.from_array(~first.region.to_array(), first.region.geometry)  # type: ignore[union-attr]
    for name, changed in (
        ("numbers", dataclasses.replace(first, measurements=(number, *first.measurements[1:]))),
        ("name", dataclasses.replace(first, label=label)),
        *([] if exact else [("voxels", dataclasses.replace(first, region=empty))]),
    ):
        after = dataclasses.replace(case.result, findings=(changed, *others))
        assert any(name in what for what in differences(case.result, after, exact=exact))


def _is_rich(findings: tuple[object, ...]) -> bool:
    return bool(findings) and isinstance(findings[0].region, PackedMask)  # type: ignore[attr-defined]
