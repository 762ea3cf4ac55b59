"""Without a calibration record there is no probability, and the reason is said."""

from __future__ import annotations

import pytest

from slicermedai.confidence.assess import assess, quality_of
from slicermedai.domain.finding import ConfidenceState


@pytest.mark.parametrize("score", [0.0, 0.5, 0.998])
def test_a_raw_score_stays_a_raw_score(score: float) -> None:
    found = assess(score, model="brain@1.0.2")
    assert found.state is ConfidenceState.NOT_CALIBRATED
    assert found.raw_score == score
    assert found.probability is None
    assert found.calibration == "none"
    assert "no calibration record for brain@1.0.2" in found.reason


def test_nothing_found_is_nothing_assessed() -> None:
    found = assess(None, model="brain@1.0.2")
    assert found.state is ConfidenceState.NOT_ASSESSED
    assert found.raw_score is None
    assert "no voxel" in found.reason


def test_quality_is_not_assessed_and_says_why() -> None:
    quality = quality_of("2.25.1", model="tiny@0.1")
    assert (quality.tracking_uid, quality.state, quality.expected_dice) == ("2.25.1", "not assessed", None)
    assert "tiny@0.1" in quality.reason
