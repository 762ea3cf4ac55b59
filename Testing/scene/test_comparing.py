"""An image in the scene is compared with the one that was analysed a moment at a time, and never twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import slicer

from slicermedai.domain import same_image
from slicermedai.domain.digests import hash_of_image
from slicermedai.domain.provenance import InputDigest
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.errors import JobCancelled
from slicermedai.scene import comparing
from slicermedai.scene.comparing import Comparing, Hashes
from slicermedai.scene.reviewing import ReviewScene
from slicermedai.scene.volumes import geometry_of_node, ijk_to_ras, parent_to_world, to_matrix, volume_to_node
from Testing.scene.samples import small_head


@pytest.fixture
def scene() -> Any:
    return slicer.vtkMRMLScene()


@pytest.fixture
def case() -> tuple[AnalysisResult, Volume]:
    """A result that knows its image, and the image without a series, as a file of research has it."""
    made = small_head(spacing=8.0)
    volume = made.volume.voxels_alone()
    read = InputDigest(sha256="0" * 64, image=hash_of_image(volume))
    return replace(made.result, provenance=replace(made.result.provenance, input=read)), volume


def done(work: Comparing) -> int:
    """How many polls it took."""
    polls = 0
    while not work.done:
        work.poll()
        polls += 1
        assert polls < 1000
    return polls


def test_a_hash_is_that_of_the_image_and_is_taken_plane_by_plane(
    scene: Any, case: tuple[AnalysisResult, Volume], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_SLICE", 0.0)
    _, volume = case
    told = list[str]()
    work = Comparing(volume_to_node(volume, scene), told.append)
    assert done(work) > min(volume.array.shape)
    assert told == [hash_of_image(volume)]


def test_what_was_compared_is_shown_without_being_hashed_again(
    scene: Any, case: tuple[AnalysisResult, Volume], monkeypatch: pytest.MonkeyPatch
) -> None:
    result, volume = case
    node, stage = volume_to_node(volume, scene), ReviewScene(scene)
    work = stage.comparing(result)
    assert work is not None
    done(work)
    with monkeypatch.context() as patched:
        patched.setattr(same_image, "hash_of_image", lambda volume: pytest.fail("the window stands still"))
        assert stage.open(result) == ""
    assert stage.image_node is node
    assert stage.comparing(result) is None, "it is shown"


def test_an_image_that_was_changed_since_is_compared_again_and_another_one_is_not_shown(
    scene: Any, case: tuple[AnalysisResult, Volume]
) -> None:
    result, volume = case
    node, stage = volume_to_node(volume, scene), ReviewScene(scene)
    done(stage.comparing(result))  # type: ignore[arg-type]  # there is one
    assert stage.comparing(result) is None
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(volume.array[::-1]))
    again = stage.comparing(result)
    assert again is not None
    done(again)
    stage.open(result)
    assert stage.image_node is not node


def turn(node: Any) -> None:
    """By 180 degrees about the axis through its middle that runs to superior: its box stays where it is."""
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0])
    matrix[:2, 3] = bounds[0] + bounds[1], bounds[2] + bounds[3]
    transform = node.GetScene().AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(to_matrix(matrix))
    node.SetAndObserveTransformNodeID(transform.GetID())


def harden(node: Any) -> None:
    """As :func:`turn`, without a transform above the node."""
    turn(node)
    matrix = parent_to_world(node) @ ijk_to_ras(node)
    node.SetAndObserveTransformNodeID(None)
    node.SetIJKToRASMatrix(to_matrix(matrix))


@pytest.mark.parametrize("move", [turn, harden])
@pytest.mark.parametrize("when", ["before the end", "after it"])
def test_an_image_that_was_turned_in_its_place_since_is_compared_again_and_no_result_is_laid_on_it(
    scene: Any, case: tuple[AnalysisResult, Volume], move: Callable[[Any], None], when: str
) -> None:
    result, volume = case
    node, stage = volume_to_node(volume, scene), ReviewScene(scene)
    work = stage.comparing(result)
    assert work is not None
    if when == "before the end":
        move(node)
    done(work)
    if when == "after it":
        assert stage.comparing(result) is None
        move(node)
    assert geometry_of_node(node).same_box(volume.geometry)
    again = stage.comparing(result)
    assert again is not None
    done(again)
    stage.open(result)
    assert stage.image_node is not node


def test_what_stands_under_a_transform_that_is_not_linear_is_not_compared(
    scene: Any, case: tuple[AnalysisResult, Volume]
) -> None:
    node, hashes = volume_to_node(case[1], scene), Hashes()
    done(hashes.comparing(node))  # type: ignore[arg-type]  # there is one
    assert hashes.of(node) == hash_of_image(case[1])
    bent = scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    node.SetAndObserveTransformNodeID(bent.GetID())
    assert not bent.IsTransformToWorldLinear()
    assert (hashes.of(node), hashes.comparing(node)) == ("", None)


def test_nothing_is_compared_where_the_series_is_named_or_the_result_cannot_tell(
    scene: Any, case: tuple[AnalysisResult, Volume]
) -> None:
    result, volume = case
    assert ReviewScene(scene).comparing(result) is None, "no image is there"
    volume_to_node(volume, scene)
    old = replace(result, provenance=replace(result.provenance, input=None))
    assert ReviewScene(scene).comparing(old) is None


def test_a_comparison_is_stopped_at_once(scene: Any, case: tuple[AnalysisResult, Volume]) -> None:
    work = Comparing(volume_to_node(case[1], scene), lambda told: pytest.fail("it was stopped"))
    work.cancel()
    work.poll()
    assert isinstance(work.error, JobCancelled)
