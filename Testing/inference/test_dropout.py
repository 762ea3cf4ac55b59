"""Samples by dropout: only of networks that have some in use, all else as in a run, checked and recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.blocks import Convolution

from slicermedai.bundles.manifest import read_manifest
from slicermedai.bundles.registry import resolve
from slicermedai.confidence.samples import DROPOUT_DICE, DropoutSamples, sampler
from slicermedai.errors import InputError
from slicermedai.inference.dropout import SAMPLES, Draws, active_dropout, dropout_in_use, switched_on
from slicermedai.inference.task import DROPOUT, Listeners, Prediction, RunSettings, predict
from Testing.inference.test_again import Kept, ball
from Testing.inference.tiny_bundle import change_json, pinned, tiny_config, write_tiny_bundle, write_torchscript_bundle

WINDOW = torch.rand(1, 1, 6, 6, 6)


def forgetful(folder: Path, *, p: float) -> Path:
    """The tiny bundle with a network that leaves out the share ``p`` of its scores where dropout is on, and whose
    windows hold the whole image: where they overlap, what one leaves out is there in another."""
    write_tiny_bundle(folder)
    definition = {
        "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "kernel_size": 1, "adn_ordering": "D", "dropout": p,
    }  # fmt: skip
    network = Convolution(**definition)
    state = {"conv.weight": torch.tensor([0.0, 20.0]).reshape(2, 1, 1, 1, 1), "conv.bias": torch.tensor([0.0, -10.0])}
    network.load_state_dict(state)
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    change_json(folder / "medai.json", weights=pinned(folder, "models/model.pt"))
    config = tiny_config()
    config["network_def"] = {"_target_": "monai.networks.blocks.Convolution", **definition}
    config["inferer"]["roi_size"] = [64, 64, 64]
    change_json(folder / "configs" / "inference.json", **config)
    return folder


def run(folder: Path, samples: object = None, *, seed: int = 0) -> Prediction:
    listeners = Listeners(samples=samples, sampling=DROPOUT)
    return predict(
        resolve(str(folder), consent="the test"),
        ball(),
        settings=RunSettings(device="cpu", seed=seed),
        listeners=listeners,
    )


class Drawn(Kept):
    """Keeps every sample; the run's own answer is none."""

    def answer(self, found: object) -> None:
        """Not looked at."""


def test_samples_differ_and_the_answer_stays_as_it_is_without_them(tmp_path: Path) -> None:
    folder, kept = forgetful(tmp_path / "tiny@0.1", p=0.2), Drawn()
    plain, sampled = run(folder), run(folder, kept)
    assert np.array_equal(plain.label_map.array, sampled.label_map.array)
    assert len(kept.maps) == SAMPLES
    assert len({made.tobytes() for made in kept.maps}) == SAMPLES
    sizes = np.array([np.count_nonzero(made) for made in kept.maps]) / np.count_nonzero(plain.label_map.array)
    assert np.allclose(sizes, 0.8, atol=0.05), "a fifth of the scores is left out"


def test_samples_are_drawn_from_seeds_that_are_told(tmp_path: Path) -> None:
    folder = forgetful(tmp_path / "tiny@0.1", p=0.2)
    first, again, other = Drawn(), Drawn(), Drawn()
    for kept, seed in ((first, 5), (again, 5), (other, 50)):
        run(folder, kept, seed=seed)
    assert first.seeds == tuple(range(6, 6 + SAMPLES))
    assert all(np.array_equal(a, b) for a, b in zip(first.maps, again.maps, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first.maps, other.maps, strict=True))


def test_nothing_but_dropout_is_switched_on_and_all_is_off_afterwards() -> None:
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 4, 1), torch.nn.BatchNorm3d(4), torch.nn.Dropout3d(0.5)).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    layers = dropout_in_use(network, network, WINDOW, title="x@1")
    assert layers == (network[2],)
    with switched_on(layers):
        assert [part.training for part in network] == [False, False, True]
    with torch.inference_mode():
        drawn = [way.network(WINDOW) for way in Draws(run=network, layers=layers, seed=1).ways(None)]  # type: ignore[arg-type]  # not asked
    assert len({one.numpy().tobytes() for one in drawn}) > 1
    assert not any(part.training for part in network.modules())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_dropout_is_off_again_after_a_network_that_failed() -> None:
    layer = torch.nn.Dropout3d(0.5).eval()
    with pytest.raises(RuntimeError, match="broke"), switched_on((layer,)):
        raise RuntimeError("broke")
    assert not layer.training


def test_dropout_counts_only_where_it_drops() -> None:
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 1, 1), torch.nn.Dropout3d(0.1), torch.nn.Dropout(0.0))
    assert list(active_dropout(network)) == ["1"]
    assert active_dropout(network[:1]) == {}
    assert active_dropout(object()) == {}


class Idle(torch.nn.Module):
    """Has dropout, and never calls it."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = torch.nn.Dropout3d(0.5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image


class Deaf(Idle):
    """Calls its dropout, and makes nothing of it."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + 0 * self.dropout(image)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (torch.nn.Conv3d(1, 1, 1), "no dropout layer with a probability above 0"),
        (torch.nn.Sequential(torch.nn.Dropout(0.0)), "no dropout layer with a probability above 0"),
        (Idle(), "none of its network's 1 dropout layers is in use"),
        (Deaf(), "answers the same with dropout"),
    ],
)
def test_a_network_whose_samples_would_be_void_is_refused_by_name(network: torch.nn.Module, words: str) -> None:
    with pytest.raises(InputError, match=f"x@1 gives no samples by dropout: .*{words}"):
        dropout_in_use(network.eval(), network, WINDOW, title="x@1")


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
@pytest.mark.parametrize(
    ("write", "words"), [(write_tiny_bundle, "no dropout layer"), (write_torchscript_bundle, "is TorchScript")]
)
def test_a_run_is_refused_before_its_sweep(tmp_path: Path, write: object, words: str) -> None:
    folder = write(tmp_path / "tiny@0.1")  # type: ignore[operator]  # a function
    ref = resolve(str(folder), consent="the test")
    stages: list[str] = []
    listeners = Listeners(samples=Drawn(), sampling=DROPOUT, progress=lambda stage, fraction: stages.append(stage))
    with pytest.raises(InputError, match=words):
        predict(ref, ball(), settings=RunSettings(device="cpu"), listeners=listeners)
    assert "load network" in stages and "segment" not in stages


@pytest.mark.parametrize(("p", "holds"), [(0.1, True), (0.7, False)])
def test_samples_of_a_network_that_dropout_makes_another_one_are_not_told(
    tmp_path: Path, p: float, holds: bool
) -> None:
    folder = forgetful(tmp_path / "tiny@0.1", p=p)
    samples = sampler("dropout", read_manifest(folder))
    assert isinstance(samples, DropoutSamples)
    made = run(folder, samples)
    (check,) = samples.checks
    assert check.endswith(f"({made.labels[0][1].name}); {DROPOUT_DICE:g} is asked for")
    assert samples.has_varied is holds
    assert samples.refusal == ("" if holds else check)
    found = samples.pairwise_dice(1)
    assert (found is not None) is holds
    if found is not None:
        assert found == pytest.approx(0.9, abs=0.03), "two samples that leave out a tenth each"
        assert (samples.map_on(made.label_map.geometry) is not None) is holds


def test_nothing_is_checked_where_nothing_was_found(tmp_path: Path) -> None:
    folder = forgetful(tmp_path / "tiny@0.1", p=0.1)
    samples = sampler("dropout", read_manifest(folder))
    assert samples is not None
    volume = ball()
    dark = type(volume)(array=volume.array * 0.2, geometry=volume.geometry, modality="MR")
    listeners = Listeners(samples=samples, sampling=DROPOUT)
    predict(resolve(str(folder), consent="the test"), dark, settings=RunSettings(device="cpu"), listeners=listeners)
    assert (samples.has_varied, samples.checks, samples.refusal) == (False, (), "")
