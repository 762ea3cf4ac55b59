"""Which devices there are is asked of a child, once, and said in words."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from slicermedai.app.devices import AUTO, DeviceList
from slicermedai.app.state import Phase
from slicermedai.errors import WorkerCrashed
from Testing.app.runs import until_idle


def test_the_devices_of_this_computer_are_those_that_torch_has() -> None:
    found = DeviceList()
    assert dict(found.state.devices) == {AUTO: "the fastest that is here"}
    found.look()
    assert found.busy
    until_idle(found)
    devices = dict(found.state.devices)
    assert list(devices)[:2] == [AUTO, "cpu"]
    assert devices["cpu"].startswith(f"CPU: {os.cpu_count()} cores, ")
    assert len([name for name in devices if name.startswith("cuda")]) == torch.cuda.device_count()
    before = found.state
    found.look()
    assert found.state is before, "it looks once"


def test_a_graphics_processor_is_named_with_its_memory() -> None:
    cards = [{"name": "cuda:1", "title": "NVIDIA H100", "cores": 8, "total": 80 * 2**30, "free": 61 * 2**30}]
    found = DeviceList(ask=lambda: Answered(cards))  # type: ignore[arg-type,return-value]
    found.look()
    found.poll()
    assert found.state.devices[1] == ("cuda:1", "NVIDIA H100: 61 of 80 GiB free")


def test_where_the_child_dies_the_fastest_is_still_offered() -> None:
    found = DeviceList(ask=lambda: Answered(None, WorkerCrashed("ended before it was done")))  # type: ignore[arg-type,return-value]
    found.look()
    found.poll()
    assert found.state.phase is Phase.FAILED
    assert [name for name, _ in found.state.devices] == [AUTO]


@pytest.mark.parametrize(
    ("module", "absent"), [("slicermedai.inference.device", "monai"), ("slicermedai.confidence.samples", "torch")]
)
def test_devices_are_listed_without_monai_and_runs_checked_without_torch(module: str, absent: str) -> None:
    code = f"import sys, {module}; print({absent!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


class Answered:
    """A child that has answered already."""

    done, stage, progress, seconds_left = True, "", 1.0, None

    def __init__(self, answer: object, error: WorkerCrashed | None = None) -> None:
        self.answer, self.error = answer, error

    def poll(self) -> None:
        """Nothing comes any more."""
