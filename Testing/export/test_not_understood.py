"""What others' reports say and a result cannot hold is listed by name; what they call a probability is none of ours."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.domain.codes import NO_UNITS, Code, ucum
from slicermedai.domain.finding import Measurement
from slicermedai.errors import FormatError
from slicermedai.export.codes import PROBABILITIES, concept
from slicermedai.export.multiframe import item
from slicermedai.export.read_back import ReadBack, read_result
from slicermedai.export.run import export_result
from Testing.export.cases import SPECS, Case, a_case
from Testing.export.test_explanations import named, walk
from Testing.export.test_read_back import objects_of
from Testing.export.test_sr_image import LESION, said_of
from Testing.export.test_sr_regions import BOX, POINT, detected

_CANCER = Code(value="111047", scheme="DCM", meaning="Probability of cancer")
_LUNG = Code(value="39607008", scheme="SCT", meaning="Lung")
_SITE = Code(value="363698007", scheme="SCT", meaning="Finding Site")


def changed(folder: Path, change: Callable[[Dataset], None], *formats: str, case: Case | None = None) -> ReadBack:
    """What is read after ``change`` was done to the first measurement group of a report."""
    paths = objects_of(case or a_case(), folder, *(formats or ("seg", "sr")))
    report = dcmread(paths[-1])
    change(next(one for one in walk(report) if named(one, "125007")))
    report.save_as(paths[-1])
    return read_result(paths)


def content(kind: str, name: Code, **values: object) -> Dataset:
    made = item(RelationshipType="CONTAINS", ValueType=kind, ConceptNameCodeSequence=[concept(name)])
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def adding(one: Dataset) -> Callable[[Dataset], None]:
    return lambda group: group.ContentSequence.append(one)


_REGION = Code(value="111030", scheme="DCM", meaning="Image Region")
_OVAL = content(
    "SCOORD3D",
    _REGION,
    GraphicType="ELLIPSE",
    GraphicData=[0.0, 1, 2, 8, 1, 2, 4, 3, 2, 4, -1, 2],
    ReferencedFrameOfReferenceUID="2.25.4",
)
_FLAT = content("SCOORD", _REGION, GraphicType="CIRCLE", GraphicData=[5.0, 5, 7, 5])
_GRADE = content(
    "CODE",
    Code(value="370114008", scheme="SCT", meaning="Nodule margin"),
    ConceptCodeSequence=[concept(Code(value="1", scheme="99X", meaning="Secret"))],
)
_AT = content("CODE", _SITE, ConceptCodeSequence=[concept(_LUNG)])


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (_FLAT, "Measurement group 1: a region on an image is not read"),
        (_OVAL, "Measurement group 1: its places in space are read as the box that holds them"),
        (_GRADE, "Measurement group 1: not read: Nodule margin"),
        (_AT, "Measurement group 1: where its finding lies (Finding Site) is not read"),
    ],
)
def test_what_a_group_says_beyond_a_result_is_named_and_never_quoted(one: Dataset, words: str, tmp_path: Path) -> None:
    read = changed(tmp_path, adding(one), "sr-image", case=said_of(a_case(), LESION))
    (told,) = [text for text in read.lost if "Measurement group" in text]
    assert words in told and told.startswith("sr-image.dcm: ")
    assert "Secret" not in told and "Lung" not in told


def test_what_modifies_a_number_is_named(tmp_path: Path) -> None:
    phase = content("CODE", Code(value="121415", scheme="DCM", meaning="Cardiac phase"), ConceptCodeSequence=[])

    def change(group: Dataset) -> None:
        number = next(one for one in group.ContentSequence if one.ValueType == "NUM")
        number.ContentSequence.append(phase)

    assert any("not read: Cardiac phase" in text for text in changed(tmp_path, change).lost)


def test_other_parts_of_a_report_are_named(tmp_path: Path) -> None:
    seg, sr = objects_of(a_case(), tmp_path)
    report = dcmread(sr)
    derived = Code(value="126011", scheme="DCM", meaning="Derived Imaging Measurements")
    report.ContentSequence.append(content("CONTAINER", derived, ContinuityOfContent="SEPARATE"))
    report.save_as(sr)
    assert "sr.dcm: The report: not read: Derived Imaging Measurements." in read_result([seg, sr]).lost


@pytest.mark.parametrize("kind", SPECS)
def test_nothing_of_our_own_reports_is_called_lost(kind: str, tmp_path: Path) -> None:
    case = a_case(spec=SPECS[kind])
    made = dataclasses.replace(case.result.provenance, warnings=("It reaches the edge.",))
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, provenance=made))
    for number, (one, formats) in enumerate(
        (
            (case, ("seg", "sr", "sr-plain", "sr-lengths")),
            (detected(case, BOX, POINT, probability=0.5), ("sr-regions",)),
            (said_of(case, LESION), ("sr-image",)),
        )
    ):
        lost = read_result(objects_of(one, tmp_path / str(number), *formats)).lost
        assert [text for text in lost if "grid" not in text] == []


def a_chance(value: str, name: Code, unit: Code = NO_UNITS) -> Callable[[Dataset], None]:
    def change(group: Dataset) -> None:
        number = copy.deepcopy(next(one for one in group.ContentSequence if one.ValueType == "NUM"))
        number.ConceptNameCodeSequence = [concept(name)]
        measured = number.MeasuredValueSequence[0]
        measured.NumericValue, measured.MeasurementUnitsCodeSequence = value, [concept(unit)]
        del measured.FloatingPointValue
        group.ContentSequence.append(number)

    return change


@pytest.mark.parametrize("name", PROBABILITIES, ids=lambda one: one.value)
def test_a_probability_that_names_no_calibration_is_no_number_of_a_finding(name: Code, tmp_path: Path) -> None:
    read = changed(tmp_path, a_chance("0.87", name))
    (finding,) = read.result.findings
    assert name not in {one.name for one in finding.measurements} and finding.confidence.probability is None
    assert any("1 numbers are called probabilities" in text for text in read.lost)
    assert "0.87" not in " ".join(read.lost)


def test_half_a_per_cent_is_not_one_half(tmp_path: Path) -> None:
    case = detected(a_case(), BOX, probability=0.61)

    def change(group: Dataset) -> None:
        number = next(one for one in group.ContentSequence if one.ValueType == "NUM")
        unit = number.MeasuredValueSequence[0].MeasurementUnitsCodeSequence
        unit[0] = concept(ucum("%", "percent"))

    (finding,) = changed(tmp_path, change, "sr-regions", case=case).result.findings
    assert finding.confidence.probability is None


def test_a_number_that_is_merely_called_a_probability_is_written_in_no_format(tmp_path: Path) -> None:
    case = a_case()
    (finding,) = case.result.findings
    called = (*finding.measurements, Measurement(name=_CANCER, value=0.87, unit=NO_UNITS))
    findings = (dataclasses.replace(finding, measurements=called),)
    result = dataclasses.replace(case.result, findings=findings)
    for name in ("csv", "text", "hl7", "seg"):
        with pytest.raises(FormatError, match="Probability of cancer"):
            export_result(result, headers=case.headers, folder=tmp_path, formats=(name,))
    assert list(tmp_path.iterdir()) == []
