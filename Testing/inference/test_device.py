"""Devices are named and never changed in silence; torch's switches are as before afterwards."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from slicermedai.errors import InputError
from slicermedai.inference.device import Device, available_devices, choose_device, reproducible
from slicermedai.inference.task import RunSettings

CPU = Device(name="cpu", reason="")


def switches() -> tuple[object, ...]:
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.allow_tf32,
        torch.initial_seed(),
        torch.get_rng_state().sum().item(),
        random.getstate(),
        str(np.random.get_state()),
    )


@pytest.mark.parametrize("asked", ["cuda:63", "mps", "cuda"])
def test_a_device_that_is_absent_is_an_error_that_names_it(asked: str) -> None:
    if asked in (*available_devices(), "cuda" if torch.cuda.is_available() else ""):
        asked = "cuda:99"
    with pytest.raises(InputError, match=rf"the device '{asked}' is not on this machine\. Here: cpu"):
        choose_device(asked)


@pytest.mark.parametrize("asked", ["gpu", "cuda:", "cuda:x", "", "CPU"])
def test_what_is_no_device_is_refused(asked: str) -> None:
    with pytest.raises(InputError, match="Use auto, cpu, cuda"):
        choose_device(asked)


def test_the_choice_of_auto_is_told() -> None:
    chosen = choose_device("auto")
    assert chosen.name in available_devices()
    assert chosen.reason.startswith(f"auto chose {chosen.name}")
    assert choose_device("cpu") == Device(name="cpu", reason="cpu was asked for")


def test_all_switches_are_restored_even_after_an_error() -> None:
    before = switches()
    with pytest.raises(ZeroDivisionError), reproducible(RunSettings(seed=7, threads=1), CPU):
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        torch.rand(3), random.random(), np.random.rand()
        raise ZeroDivisionError
    assert switches() == before


def test_a_seed_gives_the_same_numbers() -> None:
    def drawn(seed: int) -> tuple[float, float, float]:
        with reproducible(RunSettings(seed=seed), CPU):
            return torch.rand(1).item(), random.random(), float(np.random.rand())

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


@pytest.mark.parametrize("values", [{"precision": "float8"}, {"threads": -1}])
def test_settings_that_cannot_be_kept_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(InputError):
        RunSettings(**values)
