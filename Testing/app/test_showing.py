"""Results of runs come into the scene beside further runs: on their image, and without it where it cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai.app.run_queue import Order
from slicermedai.app.showing import Showing, are_files
from slicermedai.app.state import Phase
from slicermedai.domain.digests import hash_of_image
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError
from Testing.app.reviews import a_head, a_run, pseudonymous
from Testing.app.runs import until, until_idle
from Testing.fixtures.series_writer import SeriesSpec, write_series
from Testing.scene.samples import BRAIN_UID, VENTRICLE_UID, SmallHead


class Wall:
    """Where results are hung, in memory."""

    def __init__(self) -> None:
        self.hung: list[tuple[AnalysisResult, Any, str, bool]] = []
        self.meshes: dict[str, Any] = {}
        self.names: tuple[str, ...] = (BRAIN_UID, VENTRICLE_UID)
        self.refusal: Exception | None = None

    def comparing(self, result: AnalysisResult, node: Any) -> None:
        return None

    def copying(self, node: Any) -> Iterator[Any]:
        yield
        return f"voxels of {node}", "hash"

    def preparing(self, result: AnalysisResult, image: Any, *, known: str = "") -> Iterator[Any]:
        yield
        return known

    def show(self, result: AnalysisResult, image: Any, *, prepared: str, turn: bool = True) -> Wall:
        if self.refusal is not None:
            raise self.refusal
        self.hung.append((result, image, prepared, turn))
        return self

    def awaited(self, shown: Any) -> Wall:
        return self

    def put(self, name: str, mesh: Any) -> bool:
        self.meshes[name] = mesh
        return True


def an_order(head: SmallHead, folder: Path, source: Any, number: int = 1) -> Order:
    order = Order(number=number, source=source, image="CT", title="brain@1")
    order.result, order.folder = head.result, a_run(folder, head)
    return order


@pytest.fixture
def head() -> SmallHead:
    return a_head()


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def showing(wall: Wall, told: list[str]) -> Showing:
    made = Showing(wall)
    made.told.connect(lambda order, text: told.append(f"{order.number}: {text}"))
    return made


def test_files_are_read_by_a_child_and_surfaces_come_after_the_result(
    showing: Showing, wall: Wall, head: SmallHead, tmp_path: Path, told: list[str]
) -> None:
    files = write_series(head.volume, tmp_path / "series", spec=SeriesSpec())
    showing.show(an_order(head, tmp_path / "run", [str(file) for file in files]))
    assert showing.busy
    assert wall.hung == [], "nothing is read in the window"
    assert until(lambda: bool(wall.hung), showing)
    assert wall.meshes == {}, "nobody waits for surfaces"
    until_idle(showing)
    (_, image, known, turn) = wall.hung[0]
    assert np.array_equal(image.array, head.volume.array)
    assert known == hash_of_image(image)
    assert turn
    assert set(wall.meshes) == {BRAIN_UID, VENTRICLE_UID}
    assert told == []


def test_a_folder_is_read_as_its_files_are(showing: Showing, wall: Wall, head: SmallHead, tmp_path: Path) -> None:
    write_series(head.volume, tmp_path / "series", spec=SeriesSpec())
    showing.show(an_order(head, tmp_path / "run", str(tmp_path / "series")), turn=False)
    until_idle(showing)
    assert isinstance(wall.hung[0][1], Volume)
    assert not wall.hung[0][3]


def test_a_result_whose_image_cannot_be_read_is_shown_without_it_and_that_is_told(
    showing: Showing, wall: Wall, head: SmallHead, tmp_path: Path, told: list[str]
) -> None:
    showing.show(an_order(head, tmp_path / "run", str(tmp_path / "gone")))
    until_idle(showing)
    assert [one[1] for one in wall.hung] == [None]
    assert len(told) == 1
    assert told[0].startswith("1: Shown without its image: ")
    assert "gone" in told[0]
    assert set(wall.meshes) == {BRAIN_UID, VENTRICLE_UID}


def test_a_result_that_is_refused_is_told_and_the_next_one_is_shown(
    showing: Showing, wall: Wall, head: SmallHead, tmp_path: Path, told: list[str]
) -> None:
    wall.refusal = GeometryError("the image is not the one that was analysed")
    showing.show(an_order(head, tmp_path / "one", object()))
    until_idle(showing)
    assert told == ["1: The result could not be shown. the image is not the one that was analysed"]
    assert not showing.busy
    wall.refusal = None
    node = object()
    showing.show(an_order(head, tmp_path / "two", node, number=2))
    until_idle(showing)
    assert wall.hung[0][1] is node


def test_a_node_that_cannot_be_compared_is_told_and_the_next_result_is_shown(
    showing: Showing, wall: Wall, head: SmallHead, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(result: AnalysisResult, node: Any) -> None:
        raise GeometryError("the node stands under a non-linear transform")

    monkeypatch.setattr(wall, "comparing", refuse)
    showing.show(an_order(head, tmp_path / "one", object()))
    assert told == ["1: The result could not be shown. the node stands under a non-linear transform"]
    assert wall.hung == []
    assert not showing.busy


def test_surfaces_that_cannot_be_made_are_told_and_the_result_stays_shown(
    showing: Showing, wall: Wall, head: SmallHead, tmp_path: Path
) -> None:
    order = an_order(head, tmp_path / "run", object())
    for path in (tmp_path / "run" / "result").iterdir():
        path.unlink()
    showing.show(order)
    until_idle(showing)
    assert len(wall.hung) == 1
    assert wall.meshes == {}
    assert showing.state.phase is Phase.FAILED
    assert showing.state.message


def test_a_pseudonymous_result_of_a_node_is_shown_on_voxels_that_name_nobody(
    showing: Showing, wall: Wall, head: SmallHead, tmp_path: Path
) -> None:
    wall.names = ()
    showing.show(an_order(pseudonymous(head), tmp_path / "run", Node()))
    until_idle(showing)
    assert wall.hung[0][1:3] == ("voxels of a node", "hash")


class Node:
    def __str__(self) -> str:
        return "a node"


def test_what_is_forgotten_while_its_image_is_read_is_never_shown(
    showing: Showing, wall: Wall, head: SmallHead, tmp_path: Path, told: list[str]
) -> None:
    write_series(head.volume, tmp_path / "series", spec=SeriesSpec())
    showing.show(an_order(head, tmp_path / "one", str(tmp_path / "series")))
    showing.show(an_order(head, tmp_path / "two", str(tmp_path / "series"), number=2))
    showing.forget()
    until_idle(showing)
    assert (wall.hung, told) == ([], [])


def test_where_every_segment_has_its_surface_no_child_is_asked(wall: Wall, head: SmallHead, tmp_path: Path) -> None:
    def refuse(*args: Any) -> Any:
        raise AssertionError("nobody may be asked")

    wall.names = ("2.25.333", "a segment of a person's")
    showing = Showing(wall, surface=refuse)
    showing.show(an_order(head, tmp_path / "run", object()))
    until_idle(showing)
    assert wall.hung
    assert showing.state.phase is not Phase.FAILED, showing.state.message


@pytest.mark.parametrize(
    ("source", "expected"),
    [("folder", True), (Path("file"), True), (["a", Path("b")], True), ([], False), (object(), False), ([1], False)],
)
def test_what_is_read_again(source: Any, expected: bool) -> None:
    assert are_files(source) is expected
