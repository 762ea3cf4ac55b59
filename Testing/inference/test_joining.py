"""A step of a bundle's own that makes one map of masks is learnt by trying it, or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from slicermedai.bundles.registry import resolve
from slicermedai.domain.finding import PackedMask
from slicermedai.errors import BundleError
from slicermedai.inference.adapter.joining import Joining, learn
from slicermedai.inference.task import FoundRegion, Prediction, predict
from Testing.fixtures.grids import covering, grid
from Testing.inference.conftest import body_on
from Testing.inference.zoo import JOIN, Draft, write_zoo_bundle

COARSE = covering(spacing=(5.0, 5.0, 5.0), extent=(100.0, 126.0, 116.0))
Masks = Any


def learnt(make: Callable[[Masks], Masks], outputs: int = 3) -> Joining:
    """What is learnt of a step that makes labels of (channels, ...) masks."""
    return learn(lambda data: {"pred": make(data["pred"])}, "Own", key="pred", outputs=outputs, file="BUNDLE")


def last_wins(masks: Masks) -> Masks:
    """Channel n is label n + 1, and a later one takes from an earlier one."""
    numbers = torch.arange(1, len(masks) + 1).view(-1, 1, 1, 1)
    return (masks * numbers).amax(0, keepdim=True)


def test_a_table_is_what_the_step_makes_of_each_combination() -> None:
    found = learnt(last_wins)
    assert found.channels == (0, 1, 2)
    assert found.table == (0, 1, 2, 2, 3, 3, 3, 3)


def test_labels_in_another_order_than_the_channels() -> None:
    def make(masks: Masks) -> Masks:
        return torch.where(masks[2] > 0, 1, torch.where(masks[0] > 0, 2, 0))

    found = learnt(make)
    assert found.channels == (2, 0), "label 1 is the third channel, and the second becomes none"
    assert found.table == (0, 1, 2, 1)


def largest_alone(masks: Masks) -> Masks:
    """A step that looks at other voxels."""
    joined = np.asarray(last_wins(masks))[0]
    parts, count = ndimage.label(joined > 0)
    sizes = ndimage.sum_labels(joined > 0, parts, range(1, count + 1))
    return joined * (parts == 1 + int(np.argmax(sizes))) if count else joined


def without_specks(masks: Masks) -> Masks:
    """A step that takes away voxels that stand alone."""
    joined = np.asarray(last_wins(masks))[0]
    return joined * (ndimage.uniform_filter((joined > 0).astype(float), 3, mode="constant") > 1.5 / 27)


def as_the_background_says(masks: Masks) -> Masks:
    """The first channel is no label, and takes from the others."""
    return last_wins(masks[1:]) * (masks[:1] == 0)


def fails(masks: Masks) -> Masks:
    """A step with a fault."""
    raise ZeroDivisionError("no")


REFUSED: dict[str, tuple[Callable[[Masks], Masks], int, str]] = {
    "neighbours": (largest_alone, 3, "depends on other voxels"),
    "specks": (without_specks, 3, "depends on other voxels"),
    "background": (as_the_background_says, 3, "a channel that is no label decides"),
    "fails": (fails, 3, r"it fails \(ZeroDivisionError: no\)"),
    "masks": (lambda masks: masks, 3, "it makes"),
    "fractions": (lambda masks: masks.mean(0), 3, "no numbers of labels"),
    "gaps": (lambda masks: last_wins(masks) * 2, 3, "not 1, 2, 3"),
    "everywhere": (lambda masks: last_wins(masks) + (masks.sum(0) == 0), 3, "not 1, 2, 3"),
    "nothing": (lambda masks: masks[0] * 0, 3, "not 1, 2, 3"),
    "many": (last_wins, 11, "says 11 channels"),
    "unsaid": (last_wins, 0, "says no number of channels"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_is_no_such_step_is_refused(name: str) -> None:
    make, outputs, why = REFUSED[name]
    with pytest.raises(BundleError, match=f"step Own of the bundle's own.*{why}"):
        learnt(make, outputs)


def packed(value: int, *places: int) -> FoundRegion:
    """A region of voxels on a line of six."""
    mask = np.zeros((1, 1, 6), dtype=bool)
    mask[0, 0, list(places)] = True
    label: Any = None
    region = PackedMask.from_array(mask, grid(shape=(1, 1, 6)))
    return FoundRegion(value=value, label=label, region=region, raw_score=0.5)


def test_what_is_given_to_others_leaves_a_region_and_an_empty_one_is_gone() -> None:
    regions = learnt(last_wins).joined([packed(1, 0, 1), packed(2, 1), packed(3, 3)])
    assert [(one.value, np.flatnonzero(one.region.to_array()).tolist()) for one in regions] == [
        (1, [0]),
        (2, [1]),
        (3, [3]),
    ]
    assert [one.value for one in learnt(last_wins).joined([packed(1, 1), packed(2, 1)])] == [2]
    assert learnt(last_wins).joined([]) == []


# --- a whole run -------------------------------------------------------------------------------------------------


def ran(folder: Path, change: Callable[[Draft], None] = lambda draft: None) -> Prediction:
    """The prediction of the bundle with a step of its own, changed."""
    write_zoo_bundle(folder, "joined_by_own_code", change)
    return predict(resolve(str(folder), consent="the test"), body_on(COARSE)[0])


def in_order(order: str) -> Callable[[Draft], None]:
    """The step goes through the channels in ``order``."""

    def change(draft: Draft) -> None:
        draft.files["scripts/join.py"] = JOIN.replace("ORDER", order)

    return change


def test_a_run_gives_each_voxel_to_the_label_that_the_step_chooses(tmp_path: Path) -> None:
    first = ran(tmp_path / "first@1")
    other = ran(tmp_path / "other@1", in_order("3, 2, 1"))
    assert [one.value for one in first.regions] == [1], "the body's mask holds the other, and comes first"
    body, part = (one.region.to_array() for one in other.regions)
    assert [one.value for one in other.regions] == [1, 2]
    assert part.any() and body.any() and not (body & part).any()
    assert np.array_equal(body | part, first.regions[0].region.to_array())
    assert any(step.name == "join labels" for step in other.steps)


def test_a_network_of_another_number_of_channels_is_refused(tmp_path: Path) -> None:
    def change(draft: Draft) -> None:
        draft.metadata["network_data_format"]["outputs"]["pred"]["num_channels"] = 5
        in_order("1, 2, 3, 4")(draft)

    with pytest.raises(BundleError, match="4 channels, and its metadata says 5"):
        ran(tmp_path / "five@1", change)


def test_a_clean_up_behind_it_is_refused(tmp_path: Path) -> None:
    def change(draft: Draft) -> None:
        draft.config["postprocessing"]["transforms"].append({"_target_": "FillHolesd", "keys": "pred"})

    with pytest.raises(BundleError, match="FillHolesd stands behind Firstd"):
        ran(tmp_path / "clean@1", change)
