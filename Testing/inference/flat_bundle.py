"""Small classifiers of flat pictures whose answer is known: each class is the mean brightness above a threshold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from slicermedai.bundles.registry import resolve
from slicermedai.domain.bundle import BundleRef
from Testing.inference.tiny_bundle import change_json
from Testing.inference.zoo import Draft, write_zoo_bundle

CODE = """import torch


def make(channels):
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(channels, 3))
"""
GREY = (0.3, 0.5, 0.9)
"""The mean of the picture, of 1 (``full`` in the file), from which on each class is found."""


def write_flat_bundle(
    folder: Path, *, full: float = 255.0, pixel_values: str = "display", modality: tuple[str, ...] = ("DX", "CR", "MG")
) -> BundleRef:
    """A grey classifier of several labels by sigmoid, whose inputs run from 0 to ``full``."""
    weights, bias = torch.full((3, 1), 60.0 / full), torch.tensor([-60.0 * t for t in GREY])
    return _written(folder, weights, bias, pixel_values=pixel_values, modality=modality)


def write_colour_bundle(folder: Path) -> BundleRef:
    """Class 1 is more red than green, 2 more green than blue, 3 more blue than red."""
    weights = torch.tensor([[1.0, -1, 0], [0, 1, -1], [-1, 0, 1]])
    return _written(folder, weights, torch.zeros(3), pixel_values="", modality=("OP",))


def _written(
    folder: Path, weights: torch.Tensor, bias: torch.Tensor, *, pixel_values: str, modality: tuple[str, ...]
) -> BundleRef:
    channels = weights.shape[1]

    def change(draft: Draft) -> None:
        draft.runs_code = True
        draft.config["network_def"] = {"_target_": "scripts.flat.make", "channels": channels}
        draft.files |= {"scripts/__init__.py": "", "scripts/flat.py": CODE}
        draft.state = {"2.weight": weights, "2.bias": bias}
        draft.labels = 3
        names: dict[str, Any] = {"channel_def": {"0": "R", "1": "G", "2": "B"}} if channels == 3 else {}
        entry = {"num_channels": channels, "spatial_shape": [16, 16], **names}
        draft.metadata["network_data_format"] = {"inputs": {"image": entry}}
        resize = {"_target_": "Resized", "keys": "image", "spatial_size": [16, 16], "mode": "area"}
        draft.config["preprocessing"]["transforms"] = [*draft.steps[:2], resize]
        draft.config["inferer"] = {"_target_": "SimpleInferer"}
        draft.config["postprocessing"]["transforms"] = [
            {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
        ]

    write_zoo_bundle(folder, "plain", change)
    entry = json.loads((folder / "medai.json").read_text())
    stated = {"pixel_values": pixel_values} if pixel_values else {}
    change_json(folder / "medai.json", task="classification", modality=list(modality), labels=entry["labels"], **stated)
    return resolve(str(folder), consent="the test")
