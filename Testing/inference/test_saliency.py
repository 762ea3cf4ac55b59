"""Maps of what spoke for an answer: equal to captum's, added up over windows, refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from slicermedai.bundles.registry import resolve
from slicermedai.domain.observer import silent
from slicermedai.errors import InputError, JobCancelled
from slicermedai.inference.again import Answered
from slicermedai.inference.layers import Unexplained, choose_layer, kept_at
from slicermedai.inference.saliency import METHODS, Request, cam, explain, target_of
from slicermedai.inference.task import Listeners, predict
from Testing.corpus.trust.saliency_net import answered, network
from Testing.inference.test_again import ball, leaning

SIZE = 16


class Pointwise(torch.nn.Module):
    """Looks at each voxel by itself, coarsely and back: windows cannot disagree."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv3d(1, 3, 2, stride=2)
        self.act = torch.nn.ReLU(inplace=True)
        self.up = torch.nn.Upsample(scale_factor=2)
        self.last = torch.nn.Conv3d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.up(self.act(self.first(x))))


@pytest.fixture
def pointwise() -> torch.nn.Module:
    """A network whose answer at a voxel depends on its own cube of 2 x 2 x 2."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = Pointwise().eval()
    with torch.no_grad():
        net.first.weight.copy_(torch.tensor([1.0, 0.5, -1.0]).reshape(3, 1, 1, 1, 1).expand(3, 1, 2, 2, 2) / 8)
        net.first.bias.zero_()
        net.last.weight.copy_(torch.tensor([[0.0, 0, 4], [6, 3, 0]]).reshape(2, 3, 1, 1, 1))
        net.last.bias.copy_(torch.tensor([0.0, -4.0]))
    return net


def two_cubes(size: int = SIZE) -> np.ndarray:
    """Two bright cubes, one larger, in noise."""
    image = 0.1 * np.random.default_rng(0).standard_normal((size,) * 3)
    image[2:8, 2:8, 2:8] += 1
    image[10:14, 10:14, 10:14] += 1
    return image.astype(np.float32)


def mapped(given: Answered, method: str, target: str = "") -> np.ndarray:
    return explain(given, Request(method=method, target=target), progress=silent).array


# --- against captum ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("high_resolution", [True, False])
def test_cams_are_those_of_captum(high_resolution: bool) -> None:
    attr = pytest.importorskip("captum.attr", reason="absent: captum, the reference for class activation maps")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net, given = network().double().eval(), torch.randn(1, 1, SIZE, SIZE, SIZE, dtype=torch.float64)
    for one in net.parameters():
        one.requires_grad_(False)
    mask = torch.zeros(SIZE, SIZE, SIZE, dtype=torch.float64)
    mask[4:9, 3:12, 5:7] = 1

    def score(x: torch.Tensor) -> torch.Tensor:
        return (net(x)[:, 1] * mask).sum(dim=(1, 2, 3))

    layer = choose_layer(net, lambda: net(given), voxels=mask.numel())
    with torch.enable_grad(), kept_at(layer) as kept:
        (slope,) = torch.autograd.grad(score(given).sum(), kept)
    ours = cam(kept[0].detach(), slope, high_resolution=high_resolution)
    if high_resolution:
        theirs = attr.LayerGradientXActivation(score, layer.module).attribute(given).sum(dim=1)
    else:
        theirs = attr.LayerGradCam(score, layer.module).attribute(given)[:, 0]
    assert torch.allclose(ours.detach(), theirs.detach(), rtol=0, atol=1e-9 * float(theirs.detach().abs().max()))


# --- windows and scale -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["hirescam", "gradient", "occlusion"])
def test_windows_give_the_map_of_the_whole_image(pointwise: torch.nn.Module, method: str) -> None:
    image = two_cubes()
    whole, windows = answered(pointwise, image), answered(pointwise, image, roi=8)
    if method == "occlusion":
        assert np.corrcoef(mapped(whole, method).ravel(), mapped(windows, method).ravel())[0, 1] > 0.5
    else:
        inner = (slice(1, -1),) * 3
        first, second = mapped(whole, method)[inner], mapped(windows, method)[inner]
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("method", METHODS)
def test_one_scale_holds_for_the_whole_image(pointwise: torch.nn.Module, method: str) -> None:
    made = mapped(answered(pointwise, two_cubes(), roi=8), method)
    assert (made.dtype, float(made.min()), float(made.max())) == (np.float32, 0.0, 1.0)
    assert made[:8, :8, :8].sum() > 5 * made[8:, :8, 8:].sum()


def test_only_windows_that_touch_the_target_are_looked_at(pointwise: torch.nn.Module) -> None:
    given = answered(pointwise, two_cubes(), roi=8)
    made = explain(given, Request(method="hirescam", target="Lesion#2"), progress=silent)
    assert 0 < made.windows < made.whole
    assert made.array[:2, :2, :2].max() == 0


def test_a_lesion_of_several_is_chosen_by_its_size(pointwise: torch.nn.Module) -> None:
    given = answered(pointwise, two_cubes())
    sizes = [int(target_of(given, name)[1].sum()) for name in ("Lesion#1", "Lesion#2")]
    assert sizes[0] > sizes[1] > 0
    assert target_of(given, "lesion")[1].sum() >= sum(sizes)
    with pytest.raises(Unexplained, match="parts"):
        target_of(given, "Lesion#99")


def test_weights_are_free_again_after_a_map(pointwise: torch.nn.Module) -> None:
    mapped(answered(pointwise, two_cubes()), "hirescam")
    assert all(one.requires_grad for one in pointwise.parameters())
    assert not any(module._forward_hooks for module in pointwise.modules())


def test_a_map_can_be_stopped_between_windows(pointwise: torch.nn.Module) -> None:
    def progress(stage: str, fraction: float) -> None:
        if stage == "saliency" and fraction > 0:
            raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        explain(answered(pointwise, two_cubes(), roi=8), Request(method="gradient"), progress=progress)


# --- whole runs --------------------------------------------------------------------------------------------------


def test_a_run_brings_its_map_to_the_source_and_keeps_its_mask(tiny: Path) -> None:
    ref, volume = resolve(str(leaning(tiny, roi=32))), ball(6.0)
    plain = predict(ref, volume)
    made = predict(ref, volume, listeners=Listeners(saliency="gradient", saliency_target="body"))
    assert np.array_equal(plain.label_map.array, made.label_map.array)
    saliency = made.saliency
    assert saliency is not None and saliency.geometry.same_grid(volume.geometry)
    inside = made.label_map.array == 1
    assert saliency.array[inside].mean() > 5 * saliency.array[~inside].mean()
    assert dict(saliency.about)["target"] == "Body"


def test_a_network_without_a_layer_says_so_and_the_run_goes_on(tiny: Path) -> None:
    made = predict(resolve(str(leaning(tiny, roi=64))), ball(), listeners=Listeners(saliency="hirescam"))
    assert made.saliency is None and not made.is_empty
    assert any("no layer before its output" in line for line in made.unchecked)


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_torchscript_refuses_hooks_and_gives_gradients() -> None:
    net = torch.nn.Conv3d(1, 2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([0.0, 20.0]).reshape(2, 1, 1, 1, 1))
        net.bias.copy_(torch.tensor([0.0, -10.0]))
        traced = torch.jit.trace(net.eval(), torch.zeros(1, 1, 4, 4, 4))
    given = answered(traced, two_cubes())
    with pytest.raises(Unexplained, match="TorchScript"):
        mapped(given, "hirescam")
    assert mapped(given, "gradient").max() == 1


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"saliency": "magic"}, "must be one of"), ({"saliency": "gradient", "saliency_target": "Nose"}, "no label")],
)
def test_what_cannot_be_explained_is_refused_before_the_run(tiny: Path, fields: dict[str, str], word: str) -> None:
    with pytest.raises(InputError, match=word):
        predict(resolve(str(tiny)), ball(), listeners=Listeners(**fields))
