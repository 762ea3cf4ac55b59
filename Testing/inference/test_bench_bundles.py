"""`Scripts/bench bundles` says that a bundle runs where its findings come through whole, and never otherwise."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from slicermedai.domain.finding import Box
from slicermedai.export.run import export_result
from Testing.export.cases import GRIDS, Case, a_ball, a_case
from Testing.export.test_sr_regions import BOX, POINT, detected
from Testing.export.validators import dciodvfy_errors
from Testing.inference.zoo import Draft, write_zoo_bundle

SCRIPTS = Path(__file__).parents[2] / "Scripts"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The bench, as its child process finds it; the home that it sets is put back."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("_bench_bundles")


@pytest.fixture
def whole(bench: ModuleType) -> ModuleType:
    """Its judgement."""
    return importlib.import_module("_bench_bundles_whole")


def published(folder: Path, pattern: str) -> Path:
    """A bundle as others publish them, which says what it does in words."""

    def says(draft: Draft) -> None:
        draft.metadata["task"] = "Segmentation of the body"

    write_zoo_bundle(folder / pattern, pattern, says)
    return folder / pattern


def test_a_bundle_runs_where_every_region_is_in_seg_and_report(tmp_path: Path, bench: ModuleType) -> None:
    found = bench.check_one(published(tmp_path, "of_several_channels"))
    assert (found["task"], found["runs"], found["why"]) == ("segmentation", True, "")
    assert found["whole"].startswith("4 MR 40x56x60: 1 regions, SEG of 1, SR of 1, dciodvfy ")
    assert "several images: one channel each: T1c, T1, T2, FLAIR" in found["rules"]
    assert bench.summed([found]) == "1 of 1 run, 1 of them from series to objects; 0 refused, 0 failed"


def test_a_bundle_whose_seg_was_not_written_does_not_run(tmp_path: Path, bench: ModuleType) -> None:
    found = bench.check_one(published(tmp_path, "plain"), formats=("csv",))
    assert (found["runs"], found["why"], found["whole"]) == (False, "there is no seg.dcm", "")
    assert found["seconds"] > 0, "the check itself ran"
    assert bench.summed([found]).startswith("0 of 1 run, 0 of them")


def test_a_bundle_whose_job_is_refused_does_not_run(tmp_path: Path, bench: ModuleType) -> None:
    found = bench.check_one(published(tmp_path, "plain"), formats=("sr",))
    assert not found["runs"]
    assert "'sr' cites seg" in found["why"]


def test_colour_pictures_are_no_volumes_and_are_checked_alone(tmp_path: Path, bench: ModuleType) -> None:
    found = bench.check_one(published(tmp_path, "grey_for_colour"))
    assert (found["runs"], found["whole"]) == (True, "")
    assert bench.summed([found]).startswith("1 of 1 run, 0 of them")


# --- what is wrong is seen -------------------------------------------------------------------------------------------


def two_regions() -> Case:
    return a_case(masks=(a_ball(GRIDS["axial"]), a_ball(GRIDS["axial"], radius=(0.2, 0.2, 0.1))))


def written(case: Case, folder: Path, *formats: str) -> Path:
    export_result(case.result, headers=case.headers, folder=folder, formats=formats)
    return folder


def elsewhere(seg: Dataset) -> None:
    """Every frame 5 mm further to the left."""
    for frame in seg.PerFrameFunctionalGroupsSequence:
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        position[0] = float(position[0]) + 5


def other_pixels(seg: Dataset) -> None:
    """Every voxel of the other state."""
    seg.PixelData = np.invert(np.frombuffer(seg.PixelData, np.uint8)).tobytes()


def swapped(seg: Dataset) -> None:
    """Each segment says that it is the other."""
    first, second = seg.SegmentSequence
    first.TrackingUID, second.TrackingUID = second.TrackingUID, first.TrackingUID


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (elsewhere, "lies on another grid than the series"),
        (other_pixels, "segment 1 has other voxels than its finding"),
        (swapped, "segment 1 has another tracking UID"),
    ],
)
def test_a_changed_segmentation_is_seen(
    change: Callable[[Dataset], None], told: str, tmp_path: Path, whole: ModuleType
) -> None:
    case = two_regions()
    path = written(case, tmp_path, "seg", "sr") / "seg.dcm"
    assert whole.judged(case.result, tmp_path, grid=case.geometry).startswith("SEG of 2, SR of 2, dciodvfy ")
    seg = dcmread(path)
    change(seg)
    seg.save_as(path)
    with pytest.raises(whole.DiffersError, match=told):
        whole.judged(case.result, tmp_path, grid=case.geometry)


def test_a_segmentation_that_is_not_valid_is_seen(tmp_path: Path, whole: ModuleType) -> None:
    case = two_regions()
    path = written(case, tmp_path, "seg", "sr") / "seg.dcm"
    assert dciodvfy_errors(path) == []
    seg = dcmread(path)
    del seg.InstanceNumber
    seg.save_as(path)
    with pytest.raises(whole.DiffersError, match=r"dciodvfy counts \d+ errors, the first in seg\.dcm"):
        whole.judged(case.result, tmp_path, grid=case.geometry)


def fewer(case: Case) -> Case:
    return dataclasses.replace(case, result=dataclasses.replace(case.result, findings=case.result.findings[:1]))


def test_objects_of_fewer_findings_than_the_result_has_are_seen(tmp_path: Path, whole: ModuleType) -> None:
    case = two_regions()
    written(fewer(case), tmp_path, "seg", "sr")
    with pytest.raises(whole.DiffersError, match="1 segments for 2 findings"):
        whole.judged(case.result, tmp_path, grid=case.geometry)
    (tmp_path / "sr.dcm").rename(tmp_path / "other.dcm")
    written(case, tmp_path, "seg")
    with pytest.raises(whole.DiffersError, match=r"there is no sr\.dcm"):
        whole.judged(case.result, tmp_path, grid=case.geometry)
    (tmp_path / "other.dcm").rename(tmp_path / "sr.dcm")
    with pytest.raises(whole.DiffersError, match=r"sr\.dcm has 1 groups for 2 findings"):
        whole.judged(case.result, tmp_path, grid=case.geometry)


def test_boxes_are_held_against_their_report(tmp_path: Path, whole: ModuleType) -> None:
    moved = Box(low=BOX.low, high=(BOX.high[0] + 1, *BOX.high[1:]))
    case, other = detected(a_case(), BOX, BOX), detected(a_case(), BOX, moved)
    written(case, tmp_path, "sr-regions")
    assert whole.judged(case.result, tmp_path, grid=case.geometry).startswith("SR of 2, dciodvfy ")
    with pytest.raises(whole.DiffersError, match="at another place"):
        whole.judged(other.result, tmp_path, grid=case.geometry)


@pytest.mark.parametrize(("places", "told"), [((), "nothing was found"), ((POINT,), "neither voxels nor a box")])
def test_a_result_that_no_object_can_show_is_none(
    places: tuple[Any, ...], told: str, tmp_path: Path, whole: ModuleType
) -> None:
    with pytest.raises(whole.DiffersError, match=told):
        whole.judged(detected(a_case(), *places).result, tmp_path, grid=GRIDS["axial"])
