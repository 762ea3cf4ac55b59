"""A small VISTA3D with random weights: windows around places against MONAI's own inferer."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from monai.apps.vista3d.inferer import point_based_window_inferer
from monai.inferers import sliding_window_inference
from monai.transforms import utils as monai_utils
from scipy import ndimage

from slicermedai.bundles.registry import resolve
from slicermedai.domain.codes import ANATOMY, BRAIN, Label
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.prompts import PointPrompt
from slicermedai.inference.collect import Collector, Wanted
from slicermedai.inference.marks import Mark
from slicermedai.inference.memory import Memory, Nothing
from slicermedai.inference.pointed import AllClasses, Answers, Classes, Pointed
from slicermedai.inference.runner import Runner
from slicermedai.inference.task import RunSettings, predict
from slicermedai.inference.windows import WindowPlan, sweep
from Testing.fixtures.grids import covering
from Testing.inference.conftest import body_on
from Testing.inference.prompt_bundle import small_vista, write_vista_bundle

SHAPE, ROI = (40, 34, 28), (16, 16, 16)
GRID = Geometry(shape=SHAPE, affine=np.eye(4))
"""Indices of the image are its millimetres."""
INSIDE, OUTSIDE = [(12.3, 9.8, 14.2), (30.0, 25.5, 8.0), (17.0, 12.0, 13.0)], [(14.0, 11.0, 12.0)]


@pytest.fixture(scope="module")
def network() -> Any:
    return small_vista()


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand((1, *SHAPE), generator=torch.Generator().manual_seed(3))


@pytest.fixture
def parts_by_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    """MONAI numbers parts by scikit-image, which is not installed; scipy numbers them in the same order."""

    def label(mask: np.ndarray, connectivity: int, return_num: bool) -> tuple[np.ndarray, int]:
        assert (connectivity, return_num, mask.shape[:2]) == (3, True, (1, 1))
        parts, count = ndimage.label(mask[0, 0], structure=np.ones((3, 3, 3)))
        return parts[None, None], count

    monkeypatch.setattr(monai_utils, "measure", SimpleNamespace(label=label))
    monkeypatch.setattr(monai_utils, "has_measure", True)


def mark(value: int, inside: list[Any], outside: list[Any]) -> Mark:
    places = [np.asarray(one, dtype=np.float64).reshape(-1, 3) for one in (inside, outside)]
    return Mark(
        value=value, label=Label(name="Part", category=ANATOMY, type=BRAIN), inside=places[0], outside=places[1]
    )


def ours(
    network: Any, image: torch.Tensor, asked: Mark, *, special: tuple[int, ...] = (), memory: Memory | None = None
) -> Answers:
    made = Pointed(
        network=network,
        image=image,
        grid=GRID if image.shape[1:] == SHAPE else Geometry(shape=tuple(image.shape[1:]), affine=np.eye(4)),
        roi=ROI,
        classes=Classes(special=special),
        ask=lambda module, window: Runner(module, "cpu")(window),
        memory=memory or Nothing(),
    )
    return made.answers([asked], lambda stage, fraction: None)


def stock(network: Any, image: torch.Tensor, asked: Mark, *, known: bool, special: bool = False) -> np.ndarray:
    """MONAI's logits on the whole image, NaN where no window was; added up where windows overlap."""
    places, inside = asked.places
    labels = torch.from_numpy(np.where(inside, 1, 0) + 2 * special)[None]
    own = torch.tensor([[asked.value]])
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MONAI, about its own tensors
        found = point_based_window_inferer(
            inputs=image[None],
            roi_size=ROI,
            predictor=network,
            point_coords=torch.from_numpy(places)[None].float(),
            point_labels=labels,
            class_vector=own if known else None,
            prompt_class=own,
            transpose=True,
        )
    return np.asarray(found[0, 0])


def whole(found: Answers, shape: tuple[int, ...] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Sums of logits and counts of windows on the whole image."""
    sums, counts = np.zeros(shape), np.zeros(shape, dtype=int)
    box = tuple(slice(a, a + n) for a, n in zip(found.low, found.grid.shape, strict=True))
    sums[box], counts[box] = found.scores[0] * found.counts[0], found.counts[0]
    return sums, counts


@pytest.mark.parametrize("places", [(INSIDE[:1], []), (INSIDE, []), (INSIDE[:2], OUTSIDE)])
def test_places_alone_give_monais_logits(
    network: Any, image: torch.Tensor, places: tuple[list[Any], list[Any]]
) -> None:
    asked = mark(5, *places)
    sums, counts = whole(ours(network, image, asked))
    expected = stock(network, image, asked, known=False)
    assert np.array_equal(np.isnan(expected), counts == 0)
    assert np.abs(sums - np.nan_to_num(expected)).max() < 1e-3
    certain = np.abs(np.nan_to_num(expected)) > 1e-3
    assert np.array_equal((sums > 0)[certain], (np.nan_to_num(expected) > 0)[certain])
    assert certain[counts > 0].mean() > 0.99


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("places", [(INSIDE[:1], []), (INSIDE[:2], OUTSIDE)])
@pytest.mark.usefixtures("parts_by_scipy")
def test_places_and_their_class_give_monais_logits(
    network: Any, image: torch.Tensor, places: tuple[list[Any], list[Any]], special: bool
) -> None:
    asked = mark(2, *places)
    sums, counts = whole(ours(network, image, asked, special=(2,) if special else ()))
    expected = stock(network, image, asked, known=True, special=special)
    differ = np.abs(sums - np.nan_to_num(expected)) > 1e-3
    assert np.array_equal(np.isnan(expected), counts == 0)
    assert differ.mean() < 1e-3, "a logit of nearly 0 may fall on either side, and join or part two parts"


def test_an_image_smaller_than_a_window_is_filled_up_as_by_monai(network: Any) -> None:
    small = torch.rand((1, 12, 20, 9), generator=torch.Generator().manual_seed(4))
    asked = mark(5, [(5.0, 11.0, 4.0)], [])
    sums, counts = whole(ours(network, small, asked), (12, 20, 9))
    expected = stock(network, small, asked, known=False)
    assert np.array_equal(np.isnan(expected), counts == 0)
    assert np.abs(sums - np.nan_to_num(expected)).max() < 1e-3


def test_a_further_place_costs_the_encoder_its_own_window_alone(network: Any, image: torch.Tensor) -> None:
    looks: list[int] = []
    hook = network.image_encoder.register_forward_pre_hook(lambda *_: looks.append(1))
    memory, counts = Memory(), []
    for number in (1, 2, 3):
        asked = mark(5, [(12.3, 9.8, 14.2), (14.0, 11.0, 12.0), (10.0, 12.0, 13.0)][:number], [])
        looks.clear()
        warm = ours(network, image, asked, memory=memory)
        counts.append(len(looks))
        cold = ours(network, image, asked)
        assert np.array_equal(warm.scores, cold.scores)
    hook.remove()
    assert counts == [1, 1, 1], "earlier windows, which hold the new place too, are asked by what is known of them"
    assert type(network.image_encoder).__name__ == "SegResNetDS2"


def test_monai_forgets_a_place_at_the_very_edge_and_this_engine_does_not(network: Any, image: torch.Tensor) -> None:
    asked = mark(5, [(0.0, 9.0, 14.0)], [])
    assert np.nanmax(stock(network, image, asked, known=False)) == -9999
    assert ours(network, image, asked).scores.max() > -9999


def test_classes_alone_give_what_monais_sweep_gives(network: Any, image: torch.Tensor) -> None:
    plan = WindowPlan(roi=ROI, overlap=(0.3, 0.3, 0.3), mode="gaussian")
    found = Collector(shape=SHAPE, wanted=Wanted())
    with torch.inference_mode():
        sweep(image, Runner(AllClasses(network, (1, 3), 4), "cpu"), plan, found)
        classes = torch.tensor([[1], [3]])
        scores = sliding_window_inference(
            image[None], ROI, 1, network, overlap=0.3, mode="gaussian", class_vector=classes, transpose=True
        )[0]
    found.finish()
    nothing = torch.zeros_like(scores[0])
    expected = torch.stack([nothing, scores[0], nothing - 1e4, scores[1]]).argmax(dim=0).numpy()
    assert {0, 1, 3} >= set(np.unique(expected)) > {0}
    assert (found.labels == expected).mean() > 0.9999


def test_such_a_bundle_runs_whole_with_and_without_marks(tmp_path: Path) -> None:
    write_vista_bundle(tmp_path / "small@0.1")
    ref = resolve(str(tmp_path / "small@0.1"), consent="the test")
    volume, _ = body_on(covering(spacing=(3.0, 3.0, 3.0), extent=(90.0, 100.0, 96.0)))
    everything = predict(ref, volume, settings=RunSettings(device="cpu"))
    asked = (PointPrompt(label="Other", position=(4.0, -6.0, 8.0)),)
    found = predict(ref, volume, settings=RunSettings(device="cpu", prompts=asked))
    assert {one.label.name for one in everything.regions} <= {"Body", "Other"}
    assert {one.label.name for one in found.regions} <= {"Other"}
    assert any("windows of 16x16x16 around each place" in step.detail for step in found.steps)
