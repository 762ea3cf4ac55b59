"""Moments, curves and ejection fractions: what they say of themselves, and that a result keeps them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slicermedai.domain.course import Curve, Ejection, Moment
from slicermedai.domain.decisions import decided
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.errors import InputError
from Testing.measure.test_ejection import VENTRICLE
from Testing.report.test_course import course_with
from Testing.scene.samples import small_head


@pytest.fixture(scope="module")
def result() -> AnalysisResult:
    return small_head(spacing=12.0).result


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "frame 3 of 20"),
        (0.0, "frame 3 of 20"),
        (0.084, "frame 3 of 20, 84 ms after the first"),
        (12.5, "frame 3 of 20, 12.5 s after the first"),
        (2400.0, "frame 3 of 20, 40.0 min after the first"),
    ],
)
def test_a_moment_says_which_it_is(seconds: float | None, words: str) -> None:
    assert Moment(number=3, of=20, seconds=seconds, clock="TriggerTime").in_words == words


def test_extremes_are_of_frames_that_have_a_volume() -> None:
    curve = Curve(tracking_uid="1", label=VENTRICLE, volumes=(np.nan, 5.0, 7.0, np.nan, 4.0))
    assert (curve.known, curve.largest, curve.smallest) == ((1, 2, 4), 2, 4)
    empty = replace(curve, volumes=(np.nan,))
    assert (empty.largest, empty.smallest) == (None, None)


def test_a_fraction_has_all_its_numbers_or_a_reason() -> None:
    with pytest.raises(InputError):
        Ejection(tracking_uid="1", label=VENTRICLE)
    with pytest.raises(InputError):
        Ejection(tracking_uid="1", label=VENTRICLE, diastole=1, refused="no")
    with pytest.raises(InputError):
        Moment(number=0, of=3)


def test_a_saved_result_keeps_its_moment_and_course(result: AnalysisResult, tmp_path: Path) -> None:
    course = course_with(failed=4)
    moment = course.frames[2].moment
    found = AnalysisResult.load(replace(result, course=course, moment=moment).save(tmp_path / "result"))
    assert found.moment == moment
    assert found.course is not None
    assert found.course.frames == course.frames
    assert found.course.ejections == course.ejections
    assert np.array_equal(found.course.curves[0].volumes, course.curves[0].volumes, equal_nan=True)


@pytest.mark.parametrize("decision", [Decision.REJECTED, Decision.EDITED, Decision.ACCEPTED])
def test_no_fraction_stands_of_what_a_person_changed(result: AnalysisResult, decision: Decision) -> None:
    finding = result.findings[0]
    course = course_with()
    course = replace(
        course, ejections=tuple(replace(one, tracking_uid=finding.tracking_uid) for one in course.ejections)
    )
    region = finding.region if decision is Decision.EDITED else None
    review = Review(tracking_uid=finding.tracking_uid, person="R", decision=decision, region=region)
    found = decided(replace(result, course=course, reviews=(review,)))
    assert found.course is not None
    (one,) = found.course.ejections
    assert (one.fraction is None) is (decision is not Decision.ACCEPTED)
    assert one.refused.startswith("a person edited or rejected it") is (decision is not Decision.ACCEPTED)
