"""Memory and precision: known before the run, refused with numbers, changed aloud and never in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets import UNet

from slicermedai.bundles.registry import resolve
from slicermedai.errors import BundleError, InputError
from slicermedai.inference import budget, free_memory, runner
from slicermedai.inference.adapter.inferer import Inferer
from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.collect import Collector, Wanted
from slicermedai.inference.relabel import relabelled
from slicermedai.inference.resample import resample
from slicermedai.inference.runner import Runner, agreement
from slicermedai.inference.shadow import Shadow
from slicermedai.inference.task import RunSettings, predict
from slicermedai.inference.windows import WindowPlan, sweep
from Testing.fixtures.grids import covering, rotated
from Testing.inference.conftest import BODY, body_on, points_of
from Testing.inference.test_again import ball
from Testing.inference.zoo import write_zoo_bundle

AXIAL = covering(spacing=(4.0, 4.0, 4.0), extent=(100.0, 126.0, 116.0))


def unet() -> torch.nn.Module:
    torch.manual_seed(0)
    return UNet(spatial_dims=3, in_channels=1, out_channels=3, channels=(4, 8, 16), strides=(2, 2)).eval()


def test_the_shadow_knows_sizes_that_a_network_cannot_answer() -> None:
    shadow = Shadow.of(unet(), channels=1)
    assert shadow.fits((16, 20, 24)) and not shadow.fits((17, 20, 24))
    assert shadow.classes((16, 16, 16)) == 3


def test_the_cost_of_a_window_grows_with_its_size() -> None:
    small, large = (Shadow.of(unet(), channels=1).cost((n, n, n)) for n in (16, 32))
    assert small is not None and large is not None
    assert large.operations == pytest.approx(8 * small.operations, rel=0.01)
    assert large.values > 7 * small.values
    assert large.values > 32**3 * 4, "the first layer's output and its input live at once"


def test_an_odd_image_is_filled_up_and_a_large_window_is_clamped() -> None:
    shadow, ledger = Shadow.of(unet(), channels=1), Ledger()
    once = Inferer(name="SimpleInferer").plan((17, 20, 23), shadow=shadow, divisor=1, ledger=ledger)
    assert once.roi == (20, 20, 24)
    large = Inferer(name="SlidingWindowInferer", roi=(96, 96, 16), overlap=(0.5,))
    assert large.plan((17, 200, 23), shadow=shadow, divisor=8, ledger=ledger).roi == (24, 96, 16)
    assert {item.rule for item in ledger.applied} == {"divisible size", "small image"}


@pytest.mark.filterwarnings("ignore")  # torch's own, of tracing
def test_an_image_smaller_than_the_windows_of_torchscript_is_filled_up() -> None:
    """Nobody can ask such a network what it answers: clamped to 30x30x33, this one fails."""
    with torch.no_grad():
        scripted = torch.jit.trace(unet(), torch.rand(1, 1, 32, 32, 32))
    windows = Inferer(name="SlidingWindowInferer", roi=(48, 48, 48), overlap=(0.5,))
    plan = windows.plan((30, 30, 33), shadow=Shadow.of(scripted, channels=1), divisor=1, ledger=Ledger())
    assert plan.roi == (48, 48, 48)
    found = Collector(shape=(30, 30, 33), wanted=Wanted())
    with torch.inference_mode():
        sweep(torch.rand(1, 30, 30, 33), Runner(scripted, "cpu"), plan, found)
    assert found.labels.shape == (30, 30, 33)


def test_a_run_that_does_not_fit_is_refused_with_its_numbers() -> None:
    plan = WindowPlan(roi=(96, 96, 96))
    need = budget.need_of(plan, budget.Layout(shape=(240, 240, 600), source=(600, 512, 512), classes=118), None)
    assert 2e9 < need.total < 30e9
    with pytest.raises(InputError, match=r"needs \d+\.\d GB \(image .*\), and 1\.0 GB of memory are free"):
        budget.check(need, free=1e9)
    budget.check(need, free=need.total)


def test_memory_that_is_not_there_is_noticed_before_the_network_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain")
    monkeypatch.setattr(free_memory, "available", lambda: 1e8)
    with pytest.raises(InputError, match=r"0\.1 GB of memory are free"):
        predict(resolve(str(tmp_path / "zoo@0.1")), body_on(AXIAL)[0])


def test_what_this_process_may_take_is_known() -> None:
    assert 1e8 < free_memory.available() < 1e14


def test_when_memory_runs_out_windows_go_one_by_one_and_that_is_said() -> None:
    told: list[str] = []

    def greedy(windows: torch.Tensor) -> torch.Tensor:
        if len(windows) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return windows

    windows = torch.rand(3, 1, 4, 4, 4)
    assert torch.equal(Runner(greedy, "cpu", warn=told.append)(windows), windows)
    assert told == ["memory ran out on cpu with 3 windows at once; they went one by one"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")])
def test_when_not_even_one_window_fits_it_is_said_in_words(error: Exception) -> None:
    def hungry(windows: torch.Tensor) -> torch.Tensor:
        raise error

    with pytest.raises(InputError, match="memory ran out in a window of 4x4x4 voxels"):
        Runner(hungry, "cpu")(torch.rand(2, 1, 4, 4, 4))


def test_another_failure_of_a_network_is_not_taken_for_memory() -> None:
    with pytest.raises(BundleError, match="the network failed on"):
        Runner(torch.nn.Conv3d(2, 2, 1), "cpu")(torch.rand(1, 1, 4, 4, 4))


def test_bfloat16_that_changes_labels_is_refused_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slicermedai.inference.sweep.has_bfloat16", lambda device: True)
    monkeypatch.setattr("slicermedai.inference.sweep.GOLDEN", 1.1)
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain")
    ref, volume = resolve(str(tmp_path / "zoo@0.1")), body_on(AXIAL)[0]
    careful = predict(ref, volume, settings=RunSettings(precision="auto"))
    assert careful.precision == "float32"
    assert any("it ran in float32" in line for line in careful.warnings)
    forced = predict(ref, volume, settings=RunSettings(precision="bfloat16"))
    assert forced.precision == "bfloat16"
    assert any("nevertheless it ran so, as asked" in line for line in forced.warnings)
    assert "against float32: a Dice of" in {step.name: step.detail for step in forced.steps}["check bfloat16"]


def test_bfloat16_is_not_taken_where_no_label_shows_that_it_keeps_them(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slicermedai.inference.sweep.has_bfloat16", lambda device: True)
    dim = replace(ball(), array=ball().array * np.float32(0.2))
    careful = predict(resolve(str(tiny)), dim, settings=RunSettings(precision="auto"))
    assert careful.is_empty and careful.precision == "float32"
    assert any("was not shown to keep" in line and "it ran in float32" in line for line in careful.warnings)
    assert "no label in one window" in {step.name: step.detail for step in careful.steps}["check bfloat16"]


def test_agreement_is_the_mean_dice_of_what_either_has() -> None:
    first, second = torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 2, 2])
    assert agreement(first, second) == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert agreement(torch.zeros(3), torch.zeros(3)) is None
    assert runner.is_out_of_memory(MemoryError()) and not runner.is_out_of_memory(ValueError())


@pytest.mark.parametrize("turn", [(0, 0, 0), (12, -7, 20)])
def test_labels_vote_as_linear_interpolation_would_and_only_borders_are_looked_at(turn: tuple[int, int, int]) -> None:
    source = covering("LIP", spacing=(3.0, 3.0, 3.0), extent=(110.0, 130.0, 130.0))
    points = points_of(source).reshape(-1, 3)
    labels = (BODY.distance(points) <= 0).astype(np.uint8) * (1 + (points[:, 2] > 10)).astype(np.uint8)
    labels = labels.reshape(source.shape)
    target = rotated(covering(spacing=(2.0, 1.7, 1.9), extent=(90.0, 100.0, 90.0)), turn)
    shares = np.stack([resample((labels == v).astype(np.float32), source, target, fill=v == 0) for v in range(3)])
    clear = np.sort(shares, axis=0)[-1] - np.sort(shares, axis=0)[-2] > 1e-3
    smooth = relabelled(labels, source, target, smooth=True)
    assert np.array_equal(smooth[clear], shares.argmax(axis=0)[clear])
    assert clear.mean() > 0.95
    nearest = relabelled(labels, source, target, smooth=False)
    expected = resample(labels, source, target, nearest=True)
    assert (nearest == expected).mean() > 0.995
