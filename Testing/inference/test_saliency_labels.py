"""Maps of what spoke for a label of the whole image, flat or not: of its score before the sigmoid, where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from slicermedai.bundles.registry import resolve
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.observer import silent
from slicermedai.domain.volume import Volume
from slicermedai.inference.adapter.post import Postprocessing
from slicermedai.inference.layers import Unexplained
from slicermedai.inference.saliency import Request, explain
from slicermedai.inference.saliency_label import LookedAtWhole
from slicermedai.inference.task import Listeners, Prediction, predict
from Testing.fixtures.grids import covering, rotated
from Testing.inference.conftest import points_of
from Testing.inference.test_again import label
from Testing.inference.tiny_bundle import change_json
from Testing.inference.zoo import Draft, write_zoo_bundle

LABELS = tuple((n, label(name)) for n, name in ((1, "Bright"), (2, "Dark"), (3, "Even")))
FLAT_SPACING = (1.0, 0.5, 0.8)


def network(dimensions: int = 3, classes: int = 3) -> torch.nn.Sequential:
    """A small classifier of random weights."""
    convolution = torch.nn.Conv3d if dimensions == 3 else torch.nn.Conv2d
    pool = torch.nn.AdaptiveAvgPool3d if dimensions == 3 else torch.nn.AdaptiveAvgPool2d
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return torch.nn.Sequential(
            convolution(1, 4, 3, stride=2, padding=1), torch.nn.ReLU(inplace=True),
            convolution(4, 6, 3, stride=2, padding=1), torch.nn.ReLU(), pool(1), torch.nn.Flatten(),
            torch.nn.Linear(6, classes),
        ).eval()  # fmt: skip


def looked(net: Any, image: np.ndarray, post: Postprocessing, *, best: int = 1) -> LookedAtWhole:
    """What a classifier leaves of an image; of a flat one the last axis has one voxel."""
    return LookedAtWhole(
        image=torch.from_numpy(image)[None],
        grid=Geometry.from_axes(image.shape, spacing=(1.0, 1.0, 1.0)),
        module=net,
        device="cpu",
        across=2 if image.shape[2] == 1 else None,
        post=post,
        labels=LABELS,
        best=best,
    )


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(16, 20, 12), (24, 20, 1)])
@pytest.mark.parametrize("method", ["hirescam", "gradcam"])
def test_cams_of_a_label_are_those_of_captum(shape: tuple[int, int, int], method: str) -> None:
    attr = pytest.importorskip("captum.attr", reason="absent: captum, the reference for class activation maps")
    dimensions = 2 if shape[2] == 1 else 3
    net, image = network(dimensions), noise(*shape)
    made = explain(looked(net, image, Postprocessing(exclusive=False)), Request(method=method), progress=silent)
    layer = dict(net.named_modules())[made.layer.partition(" ")[0]]
    given = torch.from_numpy(image)[None, None].reshape(1, 1, *shape[:dimensions])
    if method == "hirescam":
        theirs = attr.LayerGradientXActivation(net, layer).attribute(given, target=0).sum(dim=1, keepdim=True)
    else:
        theirs = attr.LayerGradCam(net, layer).attribute(given, target=0)
    mode = "trilinear" if dimensions == 3 else "bilinear"
    grown = torch.nn.functional.interpolate(theirs, given.shape[2:], mode=mode, align_corners=False)
    wanted = grown.detach().clamp(min=0).reshape(shape).numpy()
    assert np.allclose(made.array * made.scale, wanted, rtol=0, atol=1e-6 * made.scale)


@pytest.mark.parametrize("exclusive", [True, False])
def test_what_is_explained_is_what_a_sigmoid_makes_the_probability_of(exclusive: bool) -> None:
    net, image = network(), noise(12, 12, 12)
    given = looked(net, image, Postprocessing(exclusive=exclusive), best=2)
    question = given.question("")
    with torch.inference_mode():
        score = question.score(question.windows[0].given, question.windows[0])
        scores = net(torch.from_numpy(image)[None, None])[0]
        wanted = (scores.softmax(0) if exclusive else scores.sigmoid())[1]
    assert float(torch.sigmoid(score)) == pytest.approx(float(wanted), abs=1e-6)
    assert question.certainty(question.image) == pytest.approx(float(wanted), abs=1e-6)
    assert question.words == "Dark"


def test_a_label_that_was_not_found_is_explained_by_its_name_and_none_has_parts() -> None:
    given = looked(network(), noise(12, 12, 12), Postprocessing(), best=0)
    maps = [explain(given, Request(method="gradient", target=one), progress=silent).array for one in ("Even", "bright")]
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] < 0.999
    with pytest.raises(Unexplained, match="no label was found"):
        given.question("")
    with pytest.raises(Unexplained, match="no parts"):
        given.question("Even#2")


def test_occlusion_finds_where_the_label_comes_from() -> None:
    class Corner(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack(
                [x[..., :4, :4, :4].mean(dim=(1, 2, 3, 4)), x[:, 0, 0, 0, 0] * 0, x[:, 0, 0, 0, 0] * 0], 1
            )

    image = np.zeros((16, 16, 16), dtype=np.float32)
    image[:4, :4, :4] = 3
    made = explain(
        looked(Corner(), image, Postprocessing(exclusive=False)), Request(method="occlusion"), progress=silent
    )
    assert made.array[:4, :4, :4].min() == 1 and made.array[4:].max() == 0
    assert "all in the image as the network is given it" in made.patches


# --- whole runs --------------------------------------------------------------------------------------------------

SCRIPT = """
import torch


def make(dimensions):
    conv = torch.nn.Conv2d if dimensions == 2 else torch.nn.Conv3d
    pool = torch.nn.AdaptiveMaxPool2d if dimensions == 2 else torch.nn.AdaptiveMaxPool3d
    blur = conv(1, 1, 3, padding=1, stride=2)
    return torch.nn.Sequential(blur, torch.nn.ReLU(), pool(1), torch.nn.Flatten(), torch.nn.Linear(1, 2))
"""


def classifier(folder: Path, dimensions: int, size: tuple[int, ...]) -> Path:
    """A bundle that calls an image "bright" by its brightest place, after it was brought to another size."""

    def change(draft: Draft) -> None:
        draft.runs_code = True
        draft.config["network_def"] = {"_target_": "scripts.flat.make", "dimensions": dimensions}
        draft.files["scripts/__init__.py"], draft.files["scripts/flat.py"] = "", SCRIPT
        kernel = torch.full((1, 1, *(3,) * dimensions), 3.0**-dimensions)
        bias = torch.tensor([-1.0, 1.0])
        draft.state = {
            "0.weight": kernel,
            "0.bias": torch.zeros(1),
            "4.weight": torch.tensor([[4.0], [-4]]),
            "4.bias": bias,
        }
        draft.labels = 2
        draft.metadata["network_data_format"] = {"inputs": {"image": {"num_channels": 1, "spatial_shape": list(size)}}}
        resized = {"_target_": "Resized", "keys": "image", "spatial_size": list(size)}
        draft.config["preprocessing"]["transforms"] = [*draft.steps[:2], resized]
        draft.config["inferer"] = {"_target_": "SimpleInferer"}

    write_zoo_bundle(folder, "plain", change)
    post = [{"_target_": "Activationsd", "keys": "pred", "softmax": True}]
    change_json(folder / "configs" / "inference.json", postprocessing={"transforms": post})
    change_json(folder / "medai.json", task="classification")
    return folder


def asked(folder: Path, volume: Volume, **listeners: str) -> Prediction:
    return predict(resolve(str(folder), consent="the test"), volume, listeners=Listeners(**listeners))


@pytest.mark.parametrize("method", ["hirescam", "gradient", "occlusion"])
def test_the_map_of_a_flat_image_lies_where_the_image_is_bright(tmp_path: Path, method: str) -> None:
    image = np.random.default_rng(0).uniform(0, 0.05, (1, 60, 40)).astype(np.float32)
    image[0, 40:48, 8:16] += 1
    volume = Volume(array=image, geometry=Geometry.from_axes(image.shape, spacing=FLAT_SPACING), modality="MR")
    folder = classifier(tmp_path / "flat@0.1", 2, (32, 48))
    plain, made = asked(folder, volume), asked(folder, volume, saliency=method)
    assert [one.raw_score for one in plain.regions] == [one.raw_score for one in made.regions]
    saliency = made.saliency
    assert saliency is not None and saliency.array.shape == (1, 60, 40)
    _, row, column = np.argwhere(saliency.array >= 0.9).mean(axis=0)
    assert 39 <= row <= 48 and 7 <= column <= 16, (row, column)
    assert dict(saliency.about)["windows"] == "1 of 1: the network takes the image as a whole"
    assert dict(saliency.about)["score"].startswith("log-odds")


def test_the_map_of_an_oblique_volume_lies_where_it_is_bright(tmp_path: Path) -> None:
    grid = rotated(covering("LIP", spacing=(3.0, 2.0, 2.0), extent=(60.0, 60.0, 60.0)), (20, -10, 30))
    near = np.linalg.norm(points_of(grid) - (12.0, -8.0, 6.0), axis=-1)
    noisy = np.random.default_rng(0).uniform(0, 0.05, grid.shape)
    volume = Volume(array=(np.clip(1 - near / 9, 0, 1) + noisy).astype(np.float32), geometry=grid, modality="MR")
    folder = classifier(tmp_path / "deep@0.1", 3, (32, 32, 24))
    made = asked(folder, volume, saliency="hirescam", saliency_target="")
    assert made.saliency is not None, made.unchecked
    places = grid.to_lps(np.argwhere(made.saliency.array > 0.5))
    assert np.abs(places.mean(axis=0) - (12.0, -8.0, 6.0)).max() < 4
