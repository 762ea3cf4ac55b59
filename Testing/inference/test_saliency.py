"""Maps of what spoke for an answer: equal to captum's, added up over windows, refused in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from slicermedai.bundles.coding import SIDES
from slicermedai.bundles.registry import resolve
from slicermedai.domain.codes import Label
from slicermedai.domain.observer import silent
from slicermedai.errors import InputError, JobCancelled
from slicermedai.inference.again import Answered
from slicermedai.inference.layers import Unexplained, choose_layer, kept_at
from slicermedai.inference.saliency import METHODS, Request, cam, explain
from slicermedai.inference.saliency_target import asked_target, target_of
from slicermedai.inference.task import Listeners, predict
from Testing.corpus.trust.saliency_net import answered, network
from Testing.inference.test_again import ball, label, leaning
from Testing.inference.tiny_bundle import change_json, pinned, tiny_config

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


@pytest.mark.parametrize("method", ["hirescam", "gradient"])
def test_windows_give_the_map_of_the_whole_image(pointwise: torch.nn.Module, method: str) -> None:
    image, inner = two_cubes(), (slice(1, -1),) * 3
    whole, windows = answered(pointwise, image), answered(pointwise, image, roi=8)
    first, second = mapped(whole, method)[inner], mapped(windows, method)[inner]
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.97


class Bright(torch.nn.Module):
    """Calls bright voxels a lesion; where ``corner`` is set, only in images that are bright in their first corner."""

    def __init__(self, *, corner: bool = False) -> None:
        super().__init__()
        self.corner = corner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        far = x[:, :, :4, :4, :4].amax(dim=(2, 3, 4), keepdim=True) if self.corner else 0.5
        made = 4 * x + 6 * far - 8 if self.corner else 4 * x - 2
        return torch.cat([torch.zeros_like(made), made], dim=1)


@pytest.mark.parametrize("roi", [8, 10, 12])
def test_the_falls_of_windows_add_up_where_a_cube_crosses_a_window(roi: int) -> None:
    image = np.zeros((SIZE,) * 3, dtype=np.float32)
    image[2:14, 2:14, 2:14] = 1
    request, net = Request(method="occlusion"), Bright()
    whole, windows = (explain(answered(net, image, roi=n), request, progress=silent) for n in (0, roi))
    assert np.allclose(windows.array * windows.scale, whole.array * whole.scale, rtol=0, atol=1e-5 * whole.scale)


def test_occlusion_finds_what_decides_far_from_the_target() -> None:
    image = np.zeros((32,) * 3, dtype=np.float32)
    image[22:28, 22:28, 22:28] = image[1:3, 1:3, 1:3] = 1
    made = explain(
        answered(Bright(corner=True), image), Request(method="occlusion", target="Lesion#1"), progress=silent
    )
    assert made.array[:4, :4, :4].min() == 1
    assert 0 < made.array[20:28, 20:28, 20:28].max() < 0.5
    assert made.patches == "4 x 4 x 4 mm, all in the windows that touch the target"


def test_cubes_grow_where_the_network_would_be_asked_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slicermedai.inference.saliency_occlusion.MOST", 20)
    asked = []
    given = answered(Bright(), two_cubes())
    made = explain(given, Request(method="occlusion"), progress=lambda stage, share: asked.append(share))
    assert made.patches.startswith("8 x 8 x 8 mm")
    assert len(asked) == 8 and asked == sorted(asked)


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


# --- targets -----------------------------------------------------------------------------------------------------

LEFT, RIGHT = "7771000", "24028007"


def sides() -> tuple[tuple[int, Label], ...]:
    """Two kidneys of one name, and a label with a number sign in its name."""
    pair = [replace(label("Kidney"), modifier=SIDES[side]) for side in ("left", "right")]
    return (1, pair[0]), (2, pair[1]), (3, label("Level #2"))


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("Kidney left", (1, 0)),
        ("right kidney", (2, 0)),
        ("Kidney, Right#2", (2, 2)),
        ("level #2", (3, 0)),
        ("Level #2#1", (3, 1)),
    ],
)
def test_a_label_is_named_with_its_side(target: str, found: tuple[int, int]) -> None:
    assert asked_target(sides(), target) == found


def test_a_name_of_several_labels_is_refused() -> None:
    with pytest.raises(InputError, match="several labels") as caught:
        asked_target(sides(), "kidney#2")
    assert "Kidney, left; Kidney, right" in str(caught.value)


@pytest.mark.parametrize("target", ["Body#²", "Body#Jane Roe", "Body#0", "Body#", "#2", "Body#" + "9" * 5000])
def test_a_target_that_is_no_name_or_number_stops_before_the_run_and_is_not_repeated(tiny: Path, target: str) -> None:
    def progress(stage: str, fraction: float) -> None:
        raise AssertionError(stage)

    listeners = Listeners(saliency="gradient", saliency_target=target, progress=progress)
    with pytest.raises(InputError, match="no label of that name") as caught:
        predict(resolve(str(tiny)), ball(), listeners=listeners)
    with pytest.raises(InputError) as other:
        asked_target(resolve(str(tiny)).labels, "Nose")
    assert str(caught.value) == str(other.value)


def test_the_map_says_of_which_side_it_is(tiny: Path) -> None:
    left = json.loads((tiny / "medai.json").read_text())["labels"][0] | {
        "name": "Kidney",
        "modifier": {"scheme": "SCT", "value": LEFT, "meaning": "Left"},
    }
    right = left | {"value": 2, "modifier": {"scheme": "SCT", "value": RIGHT, "meaning": "Right"}}
    weight = torch.tensor([0.0, 10, 25]).reshape(3, 1, 1, 1, 1)
    torch.save({"weight": weight, "bias": torch.tensor([0.0, -5, -25])}, tiny / "models" / "model.pt")
    config = tiny_config()
    config["network_def"] |= {"out_channels": 3}
    config["inferer"]["roi_size"] = [64] * 3
    change_json(tiny / "configs" / "inference.json", **config)
    change_json(tiny / "medai.json", weights=pinned(tiny, "models/model.pt"), labels=[left, right])
    array = ball().array.copy()
    array[20:30, 40:50, 40:50] = 2
    volume = replace(ball(), array=array)
    for side, place in (("left", (14, 16, 18)), ("right", (25, 45, 45))):
        listeners = Listeners(saliency="gradient", saliency_target=f"Kidney {side}")
        made = predict(resolve(str(tiny)), volume, listeners=listeners).saliency
        assert dict(made.about)["target"] == f"Kidney, {side}" and made.title.endswith(f"Kidney, {side}")
        assert made.array[place] > 0.5 > 100 * made.array[:5, :5, :5].max()
