"""Where a network runs, and the one place that touches torch's global switches, all of which it restores."""

from __future__ import annotations

import contextlib
import math
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from slicermedai.errors import InputError
from slicermedai.inference.free_memory import available
from slicermedai.inference.task import RunSettings
from slicermedai.inference.uncompiled import be_deterministic

_NAMES = re.compile(r"^(auto|cpu|mps|cuda(:\d+)?)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that is there, as torch names it, and why it was taken, for people."""

    name: str
    reason: str


def choose_device(asked: str) -> Device:
    """The device that was asked for, or for "auto" the fastest one here; never another in silence.

    Raises
    ------
    InputError
        No such device on this machine, or no such name.
    """
    if not _NAMES.match(asked):
        raise InputError(f"{asked!r} is no device", attribute="device", advice="Use auto, cpu, cuda, cuda:N or mps.")
    present = available_devices()
    if asked == "auto":
        best = next((name for name in ("cuda:0", "mps") if name in present), "cpu")
        return Device(name=best, reason=f"auto chose {best}; here: {', '.join(present)}")
    name = "cuda:0" if asked == "cuda" else asked
    if name not in present:
        raise InputError(
            f"the device {asked!r} is not on this machine",
            attribute="device",
            advice=f"Here: {', '.join(present)}.",
        )
    return Device(name=name, reason=f"{asked} was asked for")


def available_devices() -> tuple[str, ...]:
    """Names of all devices that torch can use here, "cpu" first."""
    cuda = [f"cuda:{n}" for n in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ("cpu", *cuda, *mps)


def hardware_of(name: str) -> str:
    """What a device is, so that times on it can be told from those on another: its name, and the card's."""
    return f"{name} {torch.cuda.get_device_name(name)}" if name.startswith("cuda") else name


def describe_devices() -> list[dict[str, Any]]:
    """Each device of :func:`available_devices`: ``name``, ``title``, ``cores``, ``total`` and ``free`` bytes or 0."""
    found: list[dict[str, Any]] = []
    for name in available_devices():
        one: dict[str, Any] = {"name": name, "title": name, "cores": os.cpu_count() or 1, "total": 0, "free": 0}
        if name == "cpu":
            free = available()
            one |= {"title": "CPU", "free": int(free) if math.isfinite(free) else 0}
        elif name.startswith("cuda"):
            free, total = torch.cuda.mem_get_info(name)
            one |= {"title": torch.cuda.get_device_name(name), "total": total, "free": free}
        else:
            one |= {"title": "Apple GPU (MPS)"}
        found.append(one)
    return found


@contextlib.contextmanager
def reproducible(settings: RunSettings, device: Device) -> Iterator[None]:
    """Seeds, threads and deterministic kernels as ``settings`` say, within the block; all as it was after it."""
    python, numpy_state = random.getstate(), np.random.get_state()
    threads, switches = torch.get_num_threads(), _switches()
    cuda = [torch.device(device.name)] if device.name.startswith("cuda") else []
    try:
        with torch.random.fork_rng(devices=cuda):
            _seed(settings.seed)
            _switch((True, True, True, False, False, False))
            if settings.threads:
                torch.set_num_threads(settings.threads)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)
        torch.set_num_threads(threads)
        _switch(switches)


_Switches = tuple[bool, bool, bool, bool, bool, bool]


def _switches() -> _Switches:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.allow_tf32,
        torch.utils.deterministic.fill_uninitialized_memory,
    )


def _switch(values: _Switches) -> None:
    be_deterministic(on=values[0], warn_only=values[1])
    torch.backends.cudnn.deterministic = values[2]
    torch.backends.cudnn.benchmark = values[3]
    torch.backends.cudnn.allow_tf32 = values[4]
    torch.utils.deterministic.fill_uninitialized_memory = values[5]


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.manual_seed(seed)
