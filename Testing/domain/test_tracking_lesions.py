"""A lesion keeps its tracking UID where it lies at one place, or a person says so; else it is told as not matched."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from slicermedai.domain.codes import Label
from slicermedai.domain.finding import Box, Finding, Mask, PackedMask, Point, Region
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.overlap import extent_of, lie_apart, overlap
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.domain.tracking import Followed, Link, followed
from slicermedai.domain.tracking_table import read_table, write_table
from slicermedai.domain.volume import LabelMap
from slicermedai.errors import InputError, UnreadableFileError
from Testing.export.cases import BRAIN_LABEL, LEFT_KIDNEY, LESION, a_case
from Testing.fixtures.grids import AXIAL, grid, rotated

SPACE = "2.25.1"
NOW = dataclasses.replace(grid(AXIAL, shape=(40, 40, 40), spacing=(1.0, 1.0, 1.0)), frame_of_reference_uid=SPACE)
THEN = dataclasses.replace(
    rotated(grid(AXIAL, shape=(24, 50, 50), spacing=(2.0, 0.9, 0.9)), (10.0, 20.0, -5.0)), frame_of_reference_uid=SPACE
)
A, B, C = (-10.0, 0.0, 0.0), (8.0, 5.0, 4.0), (0.0, -12.0, -8.0)


def ball(grid_of: Geometry, middle: tuple[float, float, float], radius: float = 4.0) -> PackedMask:
    """All voxels within ``radius`` mm of ``middle``, LPS mm."""
    places = grid_of.to_lps(np.argwhere(np.ones(grid_of.shape, bool)))
    inside: NDArray[np.bool_] = np.linalg.norm(places - middle, axis=1) <= radius
    return PackedMask.from_array(inside.reshape(grid_of.shape), grid_of)


def a_result(grid_of: Geometry, time: str, *found: tuple[Label, Region | None]) -> AnalysisResult:
    base = a_case(masks=()).result
    findings = tuple(
        Finding(tracking_uid=f"2.25.{time}{number}", label=label, region=region)
        for number, (label, region) in enumerate(found, 1)
    )
    study = dataclasses.replace(base.study, patient_id="P-1")
    return dataclasses.replace(base, findings=findings, volume_geometry=grid_of, study=study)


def lesions(grid_of: Geometry, time: str, *middles: tuple[float, float, float], radius: float = 4.0) -> AnalysisResult:
    return a_result(grid_of, time, *((LESION, ball(grid_of, middle, radius)) for middle in middles))


def which(found: Followed) -> dict[str, str]:
    return {one.finding: one.earlier for one in found.links if one.finding}


def how(found: Followed, uid: str) -> str:
    return next(one.how for one in found.links if uid in (one.finding, one.earlier))


def test_lesions_at_one_place_are_one_on_whatever_grids_and_what_is_new_or_gone_is_told() -> None:
    found = followed(lesions(NOW, "2", B, A), lesions(THEN, "1", A, C, B))
    assert which(found) == {"2.25.21": "2.25.13", "2.25.22": "2.25.11"}
    assert [one.tracking_uid for one in found.result.findings] == ["2.25.13", "2.25.11"]
    assert "at the same place" in how(found, "2.25.21")
    assert how(found, "2.25.12") == "not matched: nothing of its kind lies there"
    assert [one.finding for one in found.links] == ["2.25.21", "2.25.22", ""]


def test_a_lesion_that_grew_is_still_itself() -> None:
    found = followed(lesions(NOW, "2", A, radius=8.0), lesions(THEN, "1", A, radius=2.5))
    assert which(found) == {"2.25.21": "2.25.11"}


@pytest.mark.parametrize("spaces", [("2.25.1", "2.25.2"), ("2.25.1", ""), ("", "")])
def test_places_in_no_common_frame_of_reference_say_nothing(spaces: tuple[str, str]) -> None:
    then = dataclasses.replace(NOW, frame_of_reference_uid=spaces[0])
    now = dataclasses.replace(NOW, frame_of_reference_uid=spaces[1])
    brain = (BRAIN_LABEL, ball(NOW, A))
    later, earlier = (a_result(one, time, brain, (LESION, ball(one, B))) for one, time in ((now, "2"), (then, "1")))
    found = followed(later, earlier)
    assert which(found) == {"2.25.21": "2.25.11", "2.25.22": ""}
    assert how(found, "2.25.22") == "not matched: places say nothing without a common frame of reference"
    with pytest.raises(InputError, match="which finding is which"):
        followed(lesions(now, "2", A), lesions(then, "1", A))


def test_two_that_became_one_are_not_matched_and_neither_is_one_that_became_two() -> None:
    near = (A[0] + 6.0, A[1], A[2])
    one, two = ("2", (A[0] + 3.0, A[1], A[2])), ("1", A, near)
    merged = a_result(NOW, one[0], (LESION, ball(NOW, one[1], 7.0)), (LESION, ball(NOW, B)))
    parts = a_result(
        THEN, two[0], (LESION, ball(THEN, A, 2.5)), (LESION, ball(THEN, near, 2.5)), (LESION, ball(THEN, B))
    )
    found = followed(merged, parts)
    assert which(found) == {"2.25.21": "", "2.25.22": "2.25.13"}
    assert how(found, "2.25.21") == "not matched: it touches 2 of the other result"
    assert which(followed(parts, merged)) == {"2.25.11": "", "2.25.12": "", "2.25.13": "2.25.22"}


def test_lesions_that_touch_by_less_than_half_are_not_matched() -> None:
    beside = (A[0] + 5.0, A[1], A[2])
    found = followed(lesions(NOW, "2", beside, B), lesions(THEN, "1", A, B))
    assert which(found) == {"2.25.21": "", "2.25.22": "2.25.12"}
    assert "too little" in how(found, "2.25.21")


def test_another_kind_of_lesion_at_that_place_is_another_lesion() -> None:
    cyst = dataclasses.replace(LESION, type=dataclasses.replace(LESION.type, value="441457006"))
    sided = dataclasses.replace(LESION, modifier=LEFT_KIDNEY.modifier)
    right = dataclasses.replace(LESION, modifier=dataclasses.replace(LEFT_KIDNEY.modifier, value="24028007"))
    now = a_result(NOW, "2", (cyst, ball(NOW, A)), (sided, ball(NOW, B)), (LESION, ball(NOW, C)))
    then = a_result(THEN, "1", (LESION, ball(THEN, A)), (right, ball(THEN, B)), (sided, ball(THEN, C)))
    assert which(followed(now, then)) == {"2.25.21": "", "2.25.22": "", "2.25.23": "2.25.13"}


def test_boxes_are_matched_as_masks_are_and_points_are_not() -> None:
    box = Box(low=(-14.0, -4.0, -4.0), high=(-6.0, 4.0, 4.0))
    moved = Box(low=(-13.0, -4.0, -4.0), high=(-5.0, 4.0, 5.0))
    now = a_result(NOW, "2", (LESION, box), (LESION, Point(position=B)))
    assert which(followed(now, a_result(THEN, "1", (LESION, moved), (LESION, Point(position=B))))) == {
        "2.25.21": "2.25.11",
        "2.25.22": "",
    }
    assert which(followed(now, lesions(THEN, "1", A)))["2.25.21"] == "2.25.11"


def test_a_rejected_lesion_is_matched_with_nothing_and_an_edited_one_by_its_new_voxels() -> None:
    then = lesions(THEN, "1", A, B)
    reviews = (
        Review(tracking_uid="2.25.11", person="Roe", decision=Decision.REJECTED),
        Review(tracking_uid="2.25.12", person="Roe", decision=Decision.EDITED, region=ball(THEN, C)),
    )
    found = followed(lesions(NOW, "2", A, C), dataclasses.replace(then, reviews=reviews))
    assert which(found) == {"2.25.21": "", "2.25.22": "2.25.12"}


# --- what a person says ----------------------------------------------------------------------------------------------


def test_a_person_goes_before_places_and_names() -> None:
    now, then = lesions(NOW, "2", A, B), lesions(THEN, "1", A, B, C)
    found = followed(now, then, pairs={"2.25.21": "2.25.13", "2.25.22": ""})
    assert which(found) == {"2.25.21": "2.25.13", "2.25.22": ""}
    assert (how(found, "2.25.21"), how(found, "2.25.22")) == ("by the table", "not matched: the table says so")


def test_what_is_there_once_may_be_named_by_its_name() -> None:
    now = a_result(NOW, "2", (BRAIN_LABEL, None), (LESION, None))
    then = a_result(NOW, "1", (LESION, None), (BRAIN_LABEL, None))
    assert which(followed(now, then, pairs={"Lesion": "Lesion"})) == {"2.25.21": "2.25.12", "2.25.22": "2.25.11"}


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ({"2.25.99": "2.25.11"}, "is not there"),
        ({"2.25.21": "2.25.99"}, "is not there"),
        ({"Lesion": "2.25.11"}, "several times"),
        ({"2.25.21": "2.25.11", "2.25.22": "2.25.11"}, "twice"),
    ],
)
def test_a_table_that_names_what_is_not_there_or_one_twice_is_refused(pairs: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        followed(lesions(NOW, "2", A, B), lesions(THEN, "1", A, B), pairs=pairs)
    assert caught.value.attribute == "matches"


def test_a_table_that_was_written_is_read_as_it_was_meant(tmp_path: Path) -> None:
    links = followed(lesions(NOW, "2", A, B), lesions(THEN, "1", C, A)).links
    path = write_table(links, tmp_path / "tracking.csv")
    assert read_table(path) == {"2.25.21": "2.25.12", "2.25.22": ""}


def test_a_spreadsheets_own_ways_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("\ufeffName;Finding;Earlier\r\nx;2.25.21; 2.25.11 \r\n;2.25.22\r\n".encode())
    assert read_table(path) == {"2.25.21": "2.25.11", "2.25.22": ""}


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\r\n1,2\r\n", b"\xff\xfe\x00", b"finding,earlier\r\n1,2\r\n1,3\r\n", b'finding,earlier\r\n"1,2\r\n'],
)
def test_what_is_no_such_table_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError) as caught:
        read_table(path)
    assert caught.value.file == str(path)


# --- how much lies where the other does ------------------------------------------------------------------------------


def test_shares_are_those_of_the_smaller() -> None:
    small, large = extent_of(ball(NOW, A, 3.0)), extent_of(ball(THEN, A, 9.0))
    assert small is not None and large is not None
    assert overlap(small, large) == overlap(large, small) == 1.0
    cube, half = Box(low=(0, 0, 0), high=(8, 8, 8)), Box(low=(4, 0, 0), high=(12, 8, 8))
    one, other = extent_of(cube), extent_of(half)
    assert one is not None and other is not None
    assert overlap(one, other) == 0.5


def test_a_value_of_a_label_map_and_a_packed_mask_are_one_region_and_nothing_has_no_extent() -> None:
    packed = ball(NOW, B)
    labels = LabelMap(array=packed.to_array().astype(np.uint8) * 3, geometry=NOW)
    one, other = extent_of(Mask(label_map=labels, value=3)), extent_of(packed)
    assert one is not None and other is not None and np.array_equal(one.places, other.places)
    empty = PackedMask.from_array(np.zeros(NOW.shape, bool), NOW)
    assert [extent_of(one) for one in (empty, Point(position=A), None)] == [None, None, None]


def test_regions_lie_apart_where_they_share_no_place_on_whatever_grids() -> None:
    def mask(grid_of: Geometry, *middles: tuple[float, float, float]) -> Mask:
        array = np.zeros(grid_of.shape, np.uint8)
        for value, middle in enumerate(middles, 1):
            array[ball(grid_of, middle).to_array()] = value
        return Mask(label_map=LabelMap(array=array, geometry=grid_of), value=1)

    same, other = mask(NOW, A), mask(THEN, A, B)
    assert not lie_apart(same, other)
    assert not lie_apart(same, ball(THEN, A))
    elsewhere = dataclasses.replace(other, value=2)
    assert lie_apart(same, elsewhere)
    assert lie_apart(ball(NOW, A), elsewhere)
    single = np.zeros(NOW.shape, np.uint8)
    single[tuple(np.argwhere(same.to_array())[0] | 1)] = 1
    speck = Mask(label_map=LabelMap(array=single, geometry=NOW), value=1)
    assert lie_apart(speck, elsewhere)
    assert not lie_apart(speck, speck), "what no fourth voxel shows is asked in full"
    assert not lie_apart(dataclasses.replace(speck, value=7), speck), "nothing has no place"
    assert not lie_apart(None, speck)


def test_a_large_region_is_asked_in_few_places() -> None:
    whole = PackedMask.from_array(np.ones(NOW.shape, bool), NOW)
    extent = extent_of(whole)
    assert extent is not None and 10_000 < len(extent.places) <= 20_000 and extent.holds(extent.places).all()


def test_links_are_values() -> None:
    assert Link(finding="1", earlier="2", name="x", how="y") == Link(finding="1", earlier="2", name="x", how="y")
