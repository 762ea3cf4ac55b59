"""Nobody's report gives a finding a side that it does not say, and what is read of several things is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.domain.codes import ANATOMY, Code
from slicermedai.export.codes import (
    FINDING,
    FINDING_CATEGORY,
    LATERALITY,
    REFERENCED_SEGMENT,
    TOPOGRAPHY,
    TRACKING_UID,
    concept,
)
from slicermedai.export.multiframe import item
from slicermedai.export.read_back import ReadBack, read_result
from Testing.export.cases import GRIDS, LESION, a_ball, a_case
from Testing.export.test_explanations import named, walk
from Testing.export.test_not_understood import changed, content
from Testing.export.test_read_back import objects_of
from Testing.export.test_sr_image import said_of

_SITE = Code(value="363698007", scheme="SCT", meaning="Finding Site")
_LUNG = Code(value="39607008", scheme="SCT", meaning="Lung")
_RIGHT = Code(value="24028007", scheme="SCT", meaning="Right")
_LEFT = Code(value="7771000", scheme="SCT", meaning="Left")
_UPPER = Code(value="261183002", scheme="SCT", meaning="Upper")
_MASS = Code(value="4147007", scheme="SCT", meaning="Mass")
_R, _L, _U = (LATERALITY, _RIGHT), (LATERALITY, _LEFT), (TOPOGRAPHY, _UPPER)
Modifier = tuple[Code, Code]


def site(where: Code, *modifiers: Modifier) -> Dataset:
    made = content("CODE", _SITE, ConceptCodeSequence=[concept(where)])
    made.ContentSequence = [content("CODE", name, ConceptCodeSequence=[concept(value)]) for name, value in modifiers]
    return made


def at(*sites: Dataset) -> Callable[[Dataset], None]:
    def change(group: Dataset) -> None:
        group.ContentSequence = [one for one in group.ContentSequence if not named(one, _SITE.value)] + list(sites)

    return change


def alone(change: Callable[[Dataset], None], folder: Path) -> ReadBack:
    lung = dataclasses.replace(LESION, name="Lung", category=ANATOMY, type=_LUNG)
    return changed(folder, change, "sr-image", case=said_of(a_case(), lung))


def told(read: ReadBack) -> str:
    return " ".join(text for text in read.lost if "Measurement group" in text)


@pytest.mark.parametrize(
    ("sites", "side", "words"),
    [
        ([site(_LUNG, _R), site(_LUNG, _L)], None, "several sides, of which none is read"),
        ([site(_LUNG, _R, _L)], None, "several sides, of which none is read"),
        ([site(_LUNG, _U, _R)], _RIGHT, "the side before others"),
        ([site(_LUNG, _R), site(_LUNG, _U)], _RIGHT, "the side before others"),
        ([site(_LUNG, _R), site(_LUNG, _R)], _RIGHT, ""),
        ([site(_LUNG, _L)], _LEFT, ""),
        ([site(_LUNG, _U)], _UPPER, ""),
    ],
)
def test_a_finding_has_the_one_side_that_its_sites_say(
    sites: list[Dataset], side: Code | None, words: str, tmp_path: Path
) -> None:
    read = alone(at(*sites), tmp_path)
    (finding,) = read.result.findings
    assert finding.label.modifier == side
    assert words in told(read) and bool(told(read)) == bool(words or len(sites) > 1)
    assert "Upper" not in told(read) and "Left" not in told(read)


def again(name: Code, **values: object) -> Callable[[Dataset], None]:
    def change(group: Dataset) -> None:
        group.ContentSequence.append(content("CODE", name, **values))

    return change


def second_uid(group: Dataset) -> None:
    group.ContentSequence.append(content("UIDREF", TRACKING_UID, UID="2.25.77"))


def second_segment(group: Dataset) -> None:
    first = next(one for one in group.ContentSequence if named(one, REFERENCED_SEGMENT.value))
    cited = first.ReferencedSOPSequence[0]
    other = item(
        ReferencedSOPClassUID=cited.ReferencedSOPClassUID,
        ReferencedSOPInstanceUID=cited.ReferencedSOPInstanceUID,
        ReferencedSegmentNumber=2,
    )
    group.ContentSequence.append(content("IMAGE", REFERENCED_SEGMENT, ReferencedSOPSequence=[other]))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (again(FINDING, ConceptCodeSequence=[concept(_MASS)]), "Finding"),
        (second_uid, "Tracking Unique Identifier"),
        (second_segment, "Referenced Segment"),
    ],
)
def test_what_a_group_should_say_once_and_says_twice_is_named(
    change: Callable[[Dataset], None], name: str, tmp_path: Path
) -> None:
    read = changed(tmp_path, change)
    assert f"Measurement group 1: said more than once, and read once: {name} (2 times)." in told(read)
    assert "Mass" not in told(read)


@pytest.mark.parametrize("count", [1, 2])
def test_two_categories_are_named_and_one_is_not(count: int, tmp_path: Path) -> None:
    category = content("CODE", FINDING_CATEGORY, ConceptCodeSequence=[concept(LESION.category)])

    def change(group: Dataset) -> None:
        group.ContentSequence.extend([category] * count)

    assert ("Finding category (2 times)" in told(changed(tmp_path, change))) is (count == 2)


def of_segment(modifier: Code | None, said: Modifier, folder: Path) -> ReadBack:
    label = dataclasses.replace(LESION, modifier=modifier)
    case = a_case(masks=(a_ball(GRIDS["axial"]),), labels=(label,))
    return changed(folder, at(site(_LUNG, said)), case=case)


@pytest.mark.parametrize(
    ("modifier", "said", "read_as", "torn"),
    [(None, _R, _RIGHT, False), (_RIGHT, _R, _RIGHT, False), (_LEFT, _R, _LEFT, True), (_UPPER, _R, _UPPER, True)],
)
def test_a_segment_without_a_modifier_has_the_side_of_its_report(
    modifier: Code | None, said: Modifier, read_as: Code, torn: bool, tmp_path: Path
) -> None:
    read = of_segment(modifier, said, tmp_path)
    (finding,) = read.result.findings
    assert finding.label.modifier == read_as and finding.region is not None
    assert ("1 findings have another side, or modifier, in one object than in another." in read.lost) is torn


def test_two_reports_that_put_a_finding_on_two_sides_put_it_on_none(tmp_path: Path) -> None:
    paths = []
    for name, side in (("a", _R), ("b", _L)):
        (path,) = objects_of(said_of(a_case(), LESION), tmp_path / name, "sr-image")
        report = dcmread(path)
        at(site(_LUNG, side))(next(one for one in walk(report) if named(one, "125007")))
        report.save_as(tmp_path / f"{name}.dcm")
        paths.append(tmp_path / f"{name}.dcm")
    read = read_result(paths)
    (finding,) = read.result.findings
    assert finding.label.modifier is None
    assert any("another side" in text for text in read.lost)
