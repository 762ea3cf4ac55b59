"""The validation report holds every case, says what is too few, and reads well on screen and paper."""

from __future__ import annotations

import csv
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from slicermedai.confidence.calibrate import Bootstrap, Calibration, judge
from slicermedai.confidence.margins import region_around
from slicermedai.confidence.sketch import CaseSketch, MarginSketch
from slicermedai.domain.geometry import Geometry
from slicermedai.errors import InputError
from slicermedai.validate.cohort import Cohort, Validation, summarise, write_table
from slicermedai.validate.froc import Candidate, Lesion, Scan
from slicermedai.validate.plots import nice_ticks
from slicermedai.validate.report import GENERATED, report_page, write_report
from slicermedai.validate.resampling import Resampling
from slicermedai.validate.segmentation import CaseName, CaseScore, Kind, score
from Testing.browser import screenshot
from Testing.corpus.trust.phantoms import phantoms

QUICK = Resampling(rounds=100)


def scored(count: int) -> tuple[CaseScore, ...]:
    scores = []
    for number, case in enumerate(phantoms(count, seed=71)):
        geometry = Geometry.from_axes(case.truth.shape, spacing=case.spacing)
        groups = {"sex": "FM"[number % 2], "site": "<north> & co" if number < count - 4 else "south"}
        name = CaseName(case=case.subject, subject=case.subject, structure="Blob", groups=groups)
        predicted = case.prediction if number else np.zeros_like(case.prediction)
        scores.append(score(case.truth, predicted, geometry, name=name))
    return tuple(scores)


def scans() -> tuple[Scan, ...]:
    lesion = Lesion(position=(0.0, 0.0, 0.0), diameter=8.0)
    hit, miss = Candidate(position=(1.0, 0.0, 0.0), score=0.8), Candidate(position=(40.0, 0.0, 0.0), score=0.6)
    return tuple(Scan(subject=str(n), lesions=(lesion,), candidates=(hit, miss) if n % 3 else ()) for n in range(12))


@pytest.fixture(scope="module")
def validation() -> Validation:
    sketches = []
    for case in phantoms(12, seed=72):
        region = region_around(case.prediction, case.spacing)
        sketches.append(
            CaseSketch(subject=case.subject, sketches={1: MarginSketch().add(case.margin[region], case.truth[region])})
        )
    none = Calibration(classes=(), subjects=(), generated=True)
    judged = judge(sketches, none, value=1, bootstrap=Bootstrap(rounds=20))
    cohort = Cohort(
        model="blob@1", scores=scored(24), scans={"Nodule": scans()}, calibration={"Blob": judged}, generated=True
    )
    return summarise(cohort, how=QUICK)


class Outline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_case_is_counted_also_the_missed_one(validation: Validation) -> None:
    (blob,) = validation.structures
    assert (blob.cases, blob.patients) == (24, 24)
    assert blob.kinds == {Kind.BOTH: 23, Kind.NEITHER: 0, Kind.MISSED: 1, Kind.INVENTED: 0}
    assert all(estimate.cases == 24 for estimate in blob.metrics.values())
    assert blob.presence.sensitivity is not None
    assert blob.presence.sensitivity.value == pytest.approx(23 / 24)


def test_the_page_is_well_formed_and_needs_no_other_file(validation: Validation) -> None:
    page = report_page(validation)
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    assert outline.seen.count("svg") == 4
    assert not re.search(r"(src|href)=|@import|url\(|<script", page)


def test_the_page_says_what_was_found(validation: Validation) -> None:
    page = report_page(validation)
    for words in (
        GENERATED,
        "24 cases of 24 patients",
        "1 missed",
        "NSD at 2 mm",
        "HD95, mm",
        "ICC(2,1)",
        "CPM",
        "12 lesions in 12 scans of 12 patients",
        "8 hit, 0 another of the same lesion, 0 in an excluded lesion, 8 false alarm",
        "ECE",
    ):
        assert words in page
    assert "too few (fewer than 10 patients)" in page
    assert "not defined: all cases have it" in page


def test_names_from_outside_are_escaped(validation: Validation) -> None:
    page = report_page(validation)
    assert "&lt;north&gt; &amp; co" in page
    assert "<north>" not in page


def test_the_worst_subgroup_stands_first(validation: Validation) -> None:
    found = [group.estimate.value for group in validation.structures[0].groups if group.estimate]
    assert len(found) == 3
    assert found == sorted(found)
    assert validation.structures[0].groups[-1].estimate is None


def test_plots_stay_inside_their_frame(validation: Validation) -> None:
    places = re.findall(r'c[xy]="([\d.]+)"', report_page(validation))
    assert len(places) > 60
    assert all(0 <= float(place) <= 420 for place in places)


@pytest.mark.parametrize("span", [(0.0, 1.0), (-3.2, 8.1), (1e-4, 2e-4), (900.0, 1750.0)])
def test_ticks_are_few_round_and_inside(span: tuple[float, float]) -> None:
    ticks = nice_ticks(span)
    assert 3 <= len(ticks) <= 9
    assert span[0] - 1e-9 <= ticks[0] and ticks[-1] <= span[1] + 1e-9


def test_a_real_browser_draws_the_plots(validation: Validation, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    page = write_report(validation, tmp_path / "report.html")
    picture = np.asarray(image.open(screenshot(page, tmp_path, "--window-size=1000,2400")).convert("RGB")).astype(int)
    blue = (picture[..., 2] - picture[..., 0] > 60) & (picture[..., 0] < 90)
    assert blue.sum() > 500
    assert (picture.sum(axis=2) < 150).sum() > 2000


def test_the_printed_report_has_pages_with_all_its_words(validation: Validation, tmp_path: Path) -> None:
    page = write_report(validation, tmp_path / "report.html")
    screenshot(page, tmp_path, f"--print-to-pdf={tmp_path / 'report.pdf'}", "--no-pdf-header-footer")
    if not (tmp_path / "report.pdf").exists():
        pytest.skip("absent: printing to PDF in this browser")
    assert (tmp_path / "report.pdf").stat().st_size > 10_000
    try:
        done = subprocess.run(
            ["pdftotext", str(tmp_path / "report.pdf"), "-"], capture_output=True, text=True, check=True
        )
    except FileNotFoundError:
        return
    assert "lesion detection" in done.stdout


def test_the_table_of_cases_has_a_line_for_each(tmp_path: Path) -> None:
    path = write_table(scored(5), tmp_path / "cases.csv")
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 5
    assert (rows[0]["kind"], rows[0]["dice"], rows[0]["site"]) == ("missed", "0.0", "<north> & co")


def test_an_empty_cohort_and_a_doubled_case_are_refused() -> None:
    with pytest.raises(InputError, match="nothing was measured"):
        summarise(Cohort(model="x"))
    with pytest.raises(InputError, match="stand twice"):
        summarise(Cohort(model="x", scores=scored(1) * 2), how=QUICK)
