"""What a network itself makes of an image: from its deepest layer, over all windows; the answer stays what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets import UNet

from slicermedai.bundles.registry import resolve
from slicermedai.domain.volume import Volume
from slicermedai.inference.features import NUMBERS, Features, features_of, projected
from slicermedai.inference.shadow import Shadow
from slicermedai.inference.task import Listeners, Prediction, predict
from Testing.fixtures.grids import grid
from Testing.inference.tiny_bundle import change_json, pinned, tiny_config, write_torchscript_bundle

SHAPE = (40, 48, 32)
NETWORK = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [8, 24, 40], "strides": [2, 2]}


def unet(seed: int = 1) -> UNet:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return UNet(**NETWORK).eval()


def deep(folder: Path) -> Path:
    """The tiny bundle with a U-Net whose deepest map has 64 channels of 4 x 4 x 4, and windows edge to edge."""
    torch.save(unet().state_dict(), folder / "models" / "model.pt")
    change_json(folder / "medai.json", weights=pinned(folder, "models/model.pt"))
    config = tiny_config()
    config["network_def"] = {"_target_": "monai.networks.nets.UNet", **NETWORK}
    config["inferer"] |= {"roi_size": [16, 16, 16], "overlap": 0.0}
    config["preprocessing"]["transforms"] = config["preprocessing"]["transforms"][:2]
    change_json(folder / "configs" / "inference.json", **config)
    return folder


def picture(seed: int = 3) -> Volume:
    array = np.random.default_rng(seed).normal(size=SHAPE).cumsum(axis=0).astype(np.float32)
    return Volume(array=array, geometry=grid(shape=SHAPE, spacing=(2.0, 2.0, 2.0)), modality="MR")


def run(folder: Path, volume: Volume, *, features: bool = True) -> Prediction:
    return predict(resolve(str(folder), consent="the test"), volume, listeners=Listeners(features=features))


def test_they_are_the_mean_of_the_deepest_map_over_all_windows(tiny: Path) -> None:
    """Windows that meet edge to edge, in an image that they fill, asked one by one."""
    found = run(deep(tiny), Volume(array=picture().array[:32], geometry=grid(shape=(32, 48, 32)), modality="MR"))
    net, means = unet(), []
    net.get_submodule("model.1.submodule.1").register_forward_hook(
        lambda module, given, made: means.append(made.mean(dim=(2, 3, 4))[0].double().numpy())
    )
    image = torch.from_numpy(picture().array[:32].transpose(2, 1, 0).copy())  # as the readers of files hand it on
    with torch.inference_mode():
        for corner in np.ndindex(2, 3, 2):
            box = tuple(slice(16 * c, 16 * c + 16) for c in corner)
            net(image[box][None, None])
    assert len(means) == 12 and means[0].shape == (64,)
    assert len(found.features) == NUMBERS
    assert np.allclose(found.features, projected(np.mean(means, axis=0)), atol=1e-5)


def test_answer_and_scores_are_the_same_with_and_without(tiny: Path) -> None:
    folder = deep(tiny)
    plain, watched = run(folder, picture(), features=False), run(folder, picture())
    assert np.array_equal(plain.label_map.array, watched.label_map.array)
    assert plain.scores == watched.scores
    assert plain.features == () and watched.features != ()
    assert plain.unchecked == watched.unchecked


def test_other_images_have_other_features_and_the_same_one_the_same(tiny: Path) -> None:
    folder = deep(tiny)
    first, again, other = (run(folder, picture(seed)).features for seed in (3, 3, 4))
    assert first == again
    assert not np.allclose(first, other, atol=1e-3)


def test_the_layer_is_the_last_of_the_coarsest_that_is_asked_once() -> None:
    found = features_of(Shadow.of(unet(), channels=1), (16, 16, 16))
    assert found.layer == "model.1.submodule.1"
    twice = torch.nn.Sequential(torch.nn.Conv3d(1, 4, 3, stride=2, padding=1), pool := torch.nn.AvgPool3d(2), pool)
    assert features_of(Shadow.of(twice, channels=1), (16, 16, 16)).layer == "0"


def test_a_small_image_is_looked_at_in_the_layer_of_the_bundles_own_window(tiny: Path) -> None:
    """In the smaller window that it gets, another layer is the deepest that has several voxels."""
    shape = NETWORK | {"channels": [4, 8, 16, 24, 40], "strides": [2, 2, 2, 2], "norm": "batch"}
    shadow = Shadow.of(UNet(**shape).eval(), channels=1)
    assert features_of(shadow, (16,) * 3).layer != features_of(shadow, (32,) * 3).layer
    folder = deep(tiny)
    torch.save(UNet(**shape).state_dict(), folder / "models" / "model.pt")
    change_json(folder / "medai.json", weights=pinned(folder, "models/model.pt"))
    config = json.loads((folder / "configs" / "inference.json").read_text())
    config["inferer"]["roi_size"] = [32, 32, 32]
    network = {"_target_": "monai.networks.nets.UNet", **shape}
    change_json(folder / "configs" / "inference.json", network_def=network, inferer=config["inferer"])
    array = picture().array
    large, small = (
        run(folder, Volume(array=array[:n, :n, :n], geometry=grid(shape=(n, n, n)), modality="MR")) for n in (32, 16)
    )
    assert "are clamped to 16x16x16" in str(small.compatibility)
    assert small.features_of == large.features_of != ""
    assert small.features_of.startswith(features_of(shadow, (32,) * 3).layer)


def test_a_layer_of_one_voxel_says_less_than_the_map_before_it() -> None:
    pooled = torch.nn.Sequential(torch.nn.Conv3d(1, 4, 3, stride=2, padding=1), torch.nn.AdaptiveAvgPool3d(1))
    assert features_of(Shadow.of(pooled, channels=1), (16, 16, 16)).layer == "0"


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_torchscript_is_refused_by_name_and_the_run_goes_on(tmp_path: Path) -> None:
    found = run(write_torchscript_bundle(tmp_path / "tiny@0.1"), picture())
    assert found.features == ()
    assert (
        "Features of the network: not taken, since TorchScript has no layers that could be watched." in found.unchecked
    )


def test_a_network_without_a_coarser_layer_has_none(tiny: Path) -> None:
    found = run(tiny, picture())
    assert found.features == ()
    assert any("no layer that is coarser than its window" in line for line in found.unchecked)


def test_nothing_is_watched_after_the_sweep() -> None:
    net = unet()
    watch = features_of(Shadow.of(net, channels=1), (16, 16, 16))
    with pytest.raises(KeyError), watch.watching(net):
        raise KeyError
    net(torch.zeros(1, 1, 16, 16, 16))
    assert watch.windows == 0 and watch.values == ()


def test_directions_stay_what_they_are() -> None:
    """Records hold such numbers: other directions would call every image strange."""
    few = np.arange(16.0)
    assert projected(few) is few
    found = projected(np.arange(40.0))
    assert found.shape == (NUMBERS,)
    assert np.round(found[:4], 4).tolist() == FIXED
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(200, 320))
    ratio = [np.sum(projected(one) ** 2) / np.sum(one**2) / (NUMBERS / 320) for one in pairs]
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.1)  # distances are kept on the whole


FIXED = [17.3925, 21.5035, -11.7004, -0.6325]


def test_no_layer_means_no_watching() -> None:
    with Features().watching(None):
        pass
    assert Features().refusals == []


class LooksAtValues(torch.nn.Module):
    """A network whose way depends on the values that it sees: without values it cannot be asked."""

    def __init__(self) -> None:
        super().__init__()
        self.coarse = torch.nn.Conv3d(1, 2, 3, stride=2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.coarse(image) if image.mean().item() > 0 else image


def test_a_network_that_cannot_be_asked_without_values_is_not_said_to_lack_a_layer() -> None:
    found = features_of(Shadow.of(LooksAtValues(), channels=1), (16, 16, 16))
    assert (found.layer, found.values) == ("", ())
    assert found.refusals == ["Features of the network: not taken, since its layers cannot be told without running it."]
