"""Inner and outer 90 % contour: from calibrated probabilities alone, and never of what a person changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.finding import PackedMask
from slicermedai.domain.result import AnalysisResult, Decision, Map, Review
from slicermedai.domain.uncertainty import StructureSpread, Uncertainty
from slicermedai.plan import edits
from slicermedai.plan.numbers import table_of
from slicermedai.plan.start import start_plan
from Testing.fixtures import liver
from Testing.plan.cases import ROLES, SMALL, a_result

PROBABILITY = Code(value="111047", scheme="DCM", meaning="Probability of cancer")


def a_map(calibration: str, name: str = "lesion") -> Map:
    """Probability that falls from 1 to 0 over 8 mm around the lesion's border."""
    places = SMALL.to_lps(np.argwhere(np.ones(SMALL.shape, dtype=bool)))
    array = np.clip(0.5 - liver.LESION.distance(places) / 8, 0, 1).reshape(SMALL.shape).astype(np.float32)
    return Map(name=name, quantity=PROBABILITY, unit=NO_UNITS, array=array, geometry=SMALL, calibration=calibration)


def test_calibrated_probabilities_give_an_inner_and_an_outer_contour():
    plan = start_plan(replace(a_result(), maps=(a_map("platt"),)), ROLES)
    found = {row.name: row.value for row in table_of(plan).rows if row.subject == "lesion"}
    assert found["inner volume"] < found["volume"] < found["outer volume"]
    inner, outer = (region.to_array() for region in (plan.contours[0].inner, plan.contours[0].outer))
    mask = plan.structures[1].region.to_array()
    assert (inner <= mask).all() and (mask <= outer).all()
    for region, radius in ((inner, 15 - 3.2), (outer, 15 + 3.2)):
        counted = region.sum() * SMALL.voxel_volume / 1000
        assert abs((counted * 750 / np.pi) ** (1 / 3) - radius) < 1.0


def two_lesions(*, apart: float) -> AnalysisResult:
    """Two balls of one name, and the one map of it."""
    second = replace(liver.LESION, center=(liver.LESION.center[0] + apart, 0.0, 14.0))
    result, first = a_result(), a_map("platt")
    places = SMALL.to_lps(np.argwhere(np.ones(SMALL.shape, dtype=bool)))
    more = np.clip(0.5 - second.distance(places) / 8, 0, 1).reshape(SMALL.shape).astype(np.float32)
    region = PackedMask.from_array(liver.inside(second, SMALL), SMALL)
    finding = replace(result.findings[1], tracking_uid="2.25.77", region=region)
    findings = (*result.findings, finding)
    return replace(result, findings=findings, maps=(replace(first, array=np.maximum(first.array, more)),))


@pytest.mark.parametrize("apart", [62.0, 33.0])
def test_lesions_of_one_name_share_their_map_each_with_what_is_nearest_to_it(apart):
    table = table_of(start_plan(two_lesions(apart=apart), ROLES))
    both = {name: table.value(name, "outer volume") for name in ("lesion", "lesion 2")}
    known = liver.ball_ml(18.2)
    for name, outer in both.items():
        assert table.value(name, "volume") < outer < 1.1 * known, name
    assert sum(both.values()) == pytest.approx(2 * known, rel=0.1)


def test_what_a_person_rejected_is_not_counted_to_the_lesion_beside_it():
    rejected = Review(tracking_uid="2.25.77", person="Hopper^Grace", decision=Decision.REJECTED)
    plan = start_plan(replace(two_lesions(apart=62.0), reviews=(rejected,)), ROLES)
    assert plan.names.count("lesion 2") == 0
    assert table_of(plan).value("lesion", "outer volume") == pytest.approx(liver.ball_ml(18.2), rel=0.1)


def test_without_calibrated_probabilities_of_that_finding_they_are_not_assessed():
    for maps in ((), (a_map("none"),), (a_map("platt", name="other"),)):
        plan = start_plan(replace(a_result(), maps=maps), ROLES)
        missing = [row.missing for row in table_of(plan).rows if row.missing]
        assert missing == ["not assessed"] * 4


def test_of_a_lesion_that_was_drawn_anew_they_are_not_assessed():
    plan = start_plan(replace(a_result(), maps=(a_map("platt"),)), ROLES)
    edited = edits.with_region(plan, "lesion", liver.inside(liver.LESION, SMALL))
    assert "not assessed (edited)" in [row.missing for row in table_of(edited).rows]


def some_answers() -> Uncertainty:
    """Of eight answers, how many gave what to the lesion."""
    small, large = (
        PackedMask.from_array(liver.inside(replace(liver.LESION, radii=(r, r, r)), SMALL), SMALL) for r in (12.0, 18.0)
    )
    spread = StructureSpread(
        tracking_uid=a_result().findings[1].tracking_uid, pairwise_dice=0.9, volume_mean=14.0, volume_deviation=1.0,
        volume_low=12.0, volume_high=16.0, found_in=8, band_ml=3.0, inner=small, outer=large,
    )  # fmt: skip
    return Uncertainty(method="flips", samples=8, cost=3.0, level=0.9, structures=(spread,))


def test_inner_and_outer_regions_of_repeated_answers_are_taken_and_called_no_probability():
    table = table_of(start_plan(replace(a_result(), uncertainty=some_answers()), ROLES))
    notes = {row.note for row in table.rows if row.subject == "lesion" and row.note}
    assert notes == {"share of 8 answers (flips), no probability, level 0.9, voxel by voxel"}
    assert table.value("lesion", "inner volume") < 8 < 22 < table.value("lesion", "outer volume")
