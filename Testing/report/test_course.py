"""A series over time in the report: curves, extremes, ejection fraction or why there is none, frames that failed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from slicermedai.domain.course import Course, Curve, FrameOutcome, Moment
from slicermedai.domain.result import AnalysisResult
from slicermedai.measure.ejection import Beat, ejections
from slicermedai.report.context import ReportContext
from slicermedai.report.course import course_section
from slicermedai.report.page import render_page
from Testing.fixtures.beating import Beat as Generated
from Testing.measure.test_ejection import MUSCLE, VENTRICLE

GENERATED = Generated(frames=12, interval=840.0)


def course_with(*, failed: int | None = None, timed: bool = True, muscle: bool = True) -> Course:
    moments = tuple(
        Moment(number=i, of=12, seconds=time / 1000 if timed else None, clock="TriggerTime")
        for i, time in enumerate(GENERATED.times, 1)
    )
    volumes = [np.nan if number == failed else volume for number, volume in enumerate(GENERATED.volumes, 1)]
    curves = (Curve(tracking_uid="2.25.1", label=VENTRICLE, volumes=tuple(volumes)),)
    curves += (Curve(tracking_uid="2.25.2", label=MUSCLE, volumes=(110.0,) * 12),) if muscle else ()
    reason = {failed: "PixelData: the pixels cannot be decoded"}
    return Course(
        frames=tuple(FrameOutcome(moment=one, folder="f", failed=reason.get(one.number, "")) for one in moments),
        curves=curves,
        ejections=ejections(
            curves, Beat(moments=moments, modality="MR", interval=0.84), labels=[one.label for one in curves]
        ),
    )


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def pictures_of(html: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


def test_the_fraction_stands_with_its_code_its_frames_and_that_it_is_not_assessed(result: AnalysisResult) -> None:
    said = text_of(course_section(replace(result, course=course_with())))
    assert "Left ventricular ejection fraction by MR: 59.7 % LN 8811-2" in said
    smallest = f"{min(GENERATED.volumes):.2f}"
    assert f"largest in frame 1 (0 ms): 120.0 ml; smallest in frame 5 (280 ms): {smallest} ml" in said
    assert "Not calibrated, not assessed." in said


@pytest.mark.parametrize(
    ("course", "reason"),
    [
        (course_with(timed=False), "nothing says when the frames were taken"),
        (course_with(failed=4), "frames without a volume: 4"),
        (course_with(muscle=False), "nothing says that its wall is not in it"),
    ],
)
def test_where_there_is_no_fraction_the_reason_stands(result: AnalysisResult, course: Course, reason: str) -> None:
    said = text_of(course_section(replace(result, course=course)))
    assert "No ejection fraction of Left ventricle: " in said
    assert reason in said
    assert " % " not in said


def test_a_frame_that_failed_is_named_with_its_reason_and_is_a_gap_in_the_curve(result: AnalysisResult) -> None:
    html = course_section(replace(result, course=course_with(failed=4)))
    assert "failed: PixelData: the pixels cannot be decoded" in text_of(html)
    whole, _ = pictures_of(course_section(replace(result, course=course_with())))
    gap, _ = pictures_of(html)
    name = "{http://www.w3.org/2000/svg}"
    lines = [len(one.findall(f"{name}line[@class='course']")) for one in (whole, gap)]
    assert lines == [11, 9]
    assert [one.text for one in gap.findall(f"{name}text[@class='lost']")] == ["×"]


def test_dots_lie_where_time_and_volume_say(result: AnalysisResult) -> None:
    picture, _ = pictures_of(course_section(replace(result, course=course_with())))
    dots = [one for one in picture.findall("{http://www.w3.org/2000/svg}circle") if one.get("r") == "2.6"]
    x, y = (np.array([float(one.get(key, "nan")) for one in dots]) for key in ("cx", "cy"))
    assert np.corrcoef(x, GENERATED.times)[0, 1] == pytest.approx(1, abs=1e-4)
    assert np.corrcoef(y, GENERATED.volumes)[0, 1] == pytest.approx(-1, abs=1e-4)


def test_where_no_time_is_known_frames_are_numbered(result: AnalysisResult) -> None:
    html = course_section(replace(result, course=course_with(timed=False)))
    assert "not known" in text_of(html)
    assert "time (" not in text_of(html)


def test_the_page_of_one_image_has_no_such_section(context: ReportContext, tmp_path: Path) -> None:
    plain = render_page(context, tmp_path)
    assert "Over time" not in plain
    timed = render_page(replace(context, result=replace(context.result, course=course_with())), tmp_path)
    assert '<a href="#course">Over time</a>' in timed
    assert timed.index('id="course"') < timed.index('id="findings"')
