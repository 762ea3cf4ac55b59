"""What is told before writing is what happens at writing, for every format and many kinds of result."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from slicermedai.domain.finding import Box, Finding
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.result import Decision, Review, Status
from slicermedai.domain.study import Identity
from slicermedai.errors import JobCancelled, MedAIError
from slicermedai.export.forecast import forecast, unsaid
from slicermedai.export.formats import FORMATS, cites_of
from slicermedai.export.run import export_pictured, export_result
from Testing.export.cases import GRIDS, LESION, Case, a_ball, a_case, with_label_map
from Testing.fixtures.grids import tilted

_AXIAL = GRIDS["axial"]


def changed(case: Case, **fields: object) -> Case:
    return dataclasses.replace(case, result=dataclasses.replace(case.result, **fields))


def without(keyword: str) -> Case:
    case = a_case()
    for header in case.headers:
        delattr(header, keyword)
    return case


def boxes() -> Case:
    box = Finding(tracking_uid="2.25.5", label=LESION, region=Box(low=(0.0, 0.0, 0.0), high=(4.0, 5.0, 6.0)))
    return changed(a_case(), findings=(box,))


def overlapping() -> Case:
    return a_case(masks=(a_ball(_AXIAL), a_ball(_AXIAL, radius=(0.2, 0.2, 0.2))))


def unmeasured() -> Case:
    case = a_case()
    return changed(case, findings=(dataclasses.replace(case.result.findings[0], measurements=()),))


def shifted() -> Case:
    """On a grid that is not its source's."""
    case = a_case()
    affine = np.array(case.geometry.affine)
    affine[0, 3] += 1.7
    grid = Geometry(shape=case.geometry.shape, affine=affine)
    regions = [dataclasses.replace(one.region, geometry=grid) for one in case.result.findings]
    findings = [dataclasses.replace(one, region=r) for one, r in zip(case.result.findings, regions, strict=True)]
    return changed(case, volume_geometry=grid, findings=tuple(findings))


def all_rejected() -> Case:
    case = a_case()
    said = Review(tracking_uid="2.25.777001", person="J Roe", decision=Decision.REJECTED, time="2026-11-23T10:00:00")
    return changed(case, reviews=(said,))


CASES: dict[str, Callable[[], Case]] = {
    "a finding": a_case,
    "one label map": lambda: with_label_map(a_case()),
    "overlapping": overlapping,
    "no finding": lambda: a_case(masks=(), status=Status.NO_FINDING),
    "failed": lambda: a_case(masks=(), status=Status.FAILED),
    "all rejected": all_rejected,
    "boxes": boxes,
    "unmeasured": unmeasured,
    "no DICOM": lambda: dataclasses.replace(a_case(), headers=()),
    "tilted": lambda: a_case(tilted(_AXIAL, 12.0)),
    "another grid": shifted,
    "identified headers": lambda: changed(
        a_case(), study=dataclasses.replace(a_case().result.study, identity=Identity.DEIDENTIFY)
    ),
    "no space": lambda: without("FrameOfReferenceUID"),
    "no study": lambda: without("StudyInstanceUID"),
    "no orientation": lambda: without("ImageOrientationPatient"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_told_is_what_happens(name: str, tmp_path: Path) -> None:
    case = CASES[name]()
    told = forecast(case.result, headers=case.headers)
    assert [one.name for one in told] == list(FORMATS)
    for one in told:
        folder = tmp_path / one.name
        folder.mkdir()
        formats = (*cites_of(FORMATS[one.name], case.result), one.name)
        assert one.cites == formats[:-1]
        try:
            written = export_result(case.result, headers=case.headers, folder=folder, formats=formats)
            written += export_pictured(case.result, headers=case.headers, folder=folder, formats=formats, pictures=())
        except MedAIError as error:
            assert one.error is not None, f"{one.name} was promised, and: {error}"
            continue
        assert one.error is None, f"{one.name} was refused ({one.error}), and can be written"
        assert set(one.files) <= {path.name for path in written}
        cited = [other.files for other in told if other.name in formats[:-1]]
        assert len(written) == len(one.files) + sum(map(len, cited))


def test_a_refusal_names_the_attribute_and_says_how_to_mend_it() -> None:
    told = {one.name: one for one in forecast(without("FrameOfReferenceUID").result, headers=a_case().headers[:0])}
    assert told["seg"].error is not None
    assert told["seg"].error.attribute is not None
    assert "StudyInstanceUID" in told["seg"].error.attribute
    assert told["seg"].error.advice == "Run on a DICOM series, or choose NIfTI and the table (CSV)."
    assert told["csv"].can_be_written


def test_what_the_source_does_not_say_is_named() -> None:
    case = a_case()
    assert "PatientID" not in unsaid(case.headers)
    case.headers[0].PatientID = ""
    assert "PatientID" in unsaid(case.headers)
    assert unsaid(()) == ()


def test_it_can_be_stopped() -> None:
    def stop(stage: str, fraction: float) -> None:
        raise JobCancelled("stopped")

    case = a_case()
    with pytest.raises(JobCancelled):
        forecast(case.result, headers=case.headers, progress=stop)
