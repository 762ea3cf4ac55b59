"""Places of others' reports count in the frame of reference of the image alone, and are listed where they are not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.domain.finding import Box, Point
from slicermedai.export.read_back import ReadBack, read_result
from Testing.export.cases import Case, a_case
from Testing.export.test_explanations import named, walk
from Testing.export.test_read_back import objects_of
from Testing.export.test_sr_regions import BOX, POINT, detected

_ELSEWHERE = "another frame of reference than the image's"
Change = Callable[[list[Dataset]], None]


def placed(report: Dataset) -> list[Dataset]:
    return [one for one in walk(report) if one.get("ValueType") == "SCOORD3D"]


def read(folder: Path, change: Change, *, library: bool = True, beside: tuple[str, ...] = ()) -> ReadBack:
    """What is read of a box and a point, after ``change`` to their places, ``beside`` other objects of the study."""
    case = detected(a_case(), BOX, POINT)
    (path,) = objects_of(case, folder, "sr-regions")
    report = dcmread(path)
    change(placed(report))
    if not library:
        report.ContentSequence = [one for one in report.ContentSequence if not named(one, "111028")]
    report.save_as(path)
    return read_result([path, *(objects_of(a_case(), folder, *beside) if beside else [])])


def in_space(uid: str, *numbers: int) -> Change:
    def change(places: list[Dataset]) -> None:
        for number in numbers or range(len(places)):
            places[number].ReferencedFrameOfReferenceUID = uid

    return change


def regions(found: ReadBack) -> list[type]:
    return [type(one.region) for one in found.result.findings]


@pytest.mark.parametrize("numbers", [(0,), (0, 1)], ids=["one face of the box", "the box"])
def test_a_box_of_another_space_has_no_place_and_the_point_beside_it_keeps_its_own(
    numbers: tuple[int, ...], tmp_path: Path
) -> None:
    found = read(tmp_path, in_space("2.25.9", *numbers))
    assert regions(found) == [type(None), Point]
    (told,) = [text for text in found.lost if _ELSEWHERE in text]
    assert told.startswith("1 groups") and "2.25.9" not in told


def test_places_that_name_no_space_are_listed(tmp_path: Path) -> None:
    def silent(places: list[Dataset]) -> None:
        for one in places:
            del one.ReferencedFrameOfReferenceUID

    found = read(tmp_path, silent)
    assert regions(found) == [type(None), type(None)]
    assert any(text.startswith("2 groups") and _ELSEWHERE in text for text in found.lost)


def test_a_segmentation_says_which_space_counts_before_the_reports_own_images(tmp_path: Path) -> None:
    def elsewhere(places: list[Dataset]) -> None:
        in_space("2.25.9")(places)

    found = read(tmp_path, elsewhere, library=False, beside=("seg",))
    placed_by_report = [one for one in found.result.findings if isinstance(one.region, Box | Point)]
    assert placed_by_report == [] and any(_ELSEWHERE in text for text in found.lost)
    kept = read(tmp_path / "same", lambda places: None, beside=("seg",))
    assert [type(one.region) for one in kept.result.findings][-2:] == [Box, Point]


def test_without_images_the_one_space_of_all_places_counts(tmp_path: Path) -> None:
    found = read(tmp_path, in_space("2.25.9"), library=False)
    assert regions(found) == [Box, Point]
    assert found.result.volume_geometry.frame_of_reference_uid == "2.25.9"


def test_without_images_several_spaces_say_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, in_space("2.25.9", 2), library=False)
    assert regions(found) == [type(None), type(None)]
    assert found.result.volume_geometry.frame_of_reference_uid == ""


def with_second_space(report: Path, uid: str, *moved: int) -> None:
    """Let the library of ``report`` name the space ``uid`` too, and put the places ``moved`` into it."""
    dataset = dcmread(report)
    for number in moved:
        in_space(uid, number)(placed(dataset))
    for part in (
        one for one in walk(dataset) if any(named(child, "112227") for child in one.get("ContentSequence", []))
    ):
        other = copy.deepcopy(next(child for child in part.ContentSequence if named(child, "112227")))
        other.UID = uid
        part.ContentSequence.append(other)
    dataset.save_as(report)


@pytest.mark.parametrize("moved", [(0, 1), (2,)], ids=["the box", "the point"])
def test_of_images_in_two_spaces_with_places_in_both_none_is_taken_for_the_others(
    moved: tuple[int, ...], tmp_path: Path
) -> None:
    (path,) = objects_of(detected(a_case(), BOX, POINT), tmp_path, "sr-regions")
    with_second_space(path, "2.25.9", *moved)
    found = read_result([path])
    assert regions(found) == [type(None), type(None)]
    assert any(text.startswith("2 groups have places in several frames of reference") for text in found.lost)
    assert found.result.volume_geometry.frame_of_reference_uid == ""


def test_of_images_in_two_spaces_with_places_in_one_that_one_is_named(tmp_path: Path) -> None:
    case = detected(a_case(), BOX, POINT)
    (path,) = objects_of(case, tmp_path, "sr-regions")
    with_second_space(path, "2.25.9")
    found = read_result([path])
    assert regions(found) == [Box, Point]
    assert found.result.volume_geometry.frame_of_reference_uid == case.headers[0].FrameOfReferenceUID


def test_a_segmentation_says_which_of_two_spaces_is_the_images(tmp_path: Path) -> None:
    (path,) = objects_of(detected(a_case(), BOX, POINT), tmp_path, "sr-regions")
    with_second_space(path, "2.25.9", 0, 1)
    found = read_result([path, *objects_of(a_case(), tmp_path, "seg")])
    assert regions(found)[-2:] == [type(None), Point]


def test_our_own_boxes_lie_in_the_space_of_their_image(tmp_path: Path) -> None:
    case: Case = a_case()
    found = read(tmp_path, lambda places: None)
    assert regions(found) == [Box, Point]
    assert found.result.volume_geometry.frame_of_reference_uid == case.headers[0].FrameOfReferenceUID
    assert not any(_ELSEWHERE in text for text in found.lost)
