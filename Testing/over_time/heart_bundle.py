"""A MONAI bundle that passes grey values on: blood above 750 is the ventricle, muscle from 250 on; one convolution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from Testing.inference.tiny_bundle import digest_of, pinned, write_json

_ANATOMY = {"value": "123037004", "scheme": "SCT", "meaning": "Anatomical Structure"}


def _label(value: int, name: str, code: str, meaning: str) -> dict[str, Any]:
    return {
        "value": value,
        "name": name,
        "category": _ANATOMY,
        "type": {"value": code, "scheme": "SCT", "meaning": meaning},
    }


VENTRICLE = _label(1, "Left ventricle", "87878005", "Left ventricle")
MUSCLE = _label(2, "Myocardium", "74281007", "Myocardium")


def write_heart_bundle(
    folder: Path, *, labels: tuple[dict[str, Any], ...] = (VENTRICLE, MUSCLE), demonstration: bool = False
) -> Path:
    """Write the bundle into ``folder``, which is made; without a label for muscle the network does not answer it."""
    (folder / "models").mkdir(parents=True)
    (folder / "configs").mkdir()
    weights, biases = ([0.0, 0.06, 0.02], [0.0, -35.0, -5.0]) if len(labels) > 1 else ([0.0, 0.06], [0.0, -45.0])
    state = {"weight": torch.tensor(weights).reshape(-1, 1, 1, 1, 1), "bias": torch.tensor(biases)}
    torch.save(state, folder / "models" / "model.pt")
    write_json(folder / "configs" / "metadata.json", {"version": "0.1", "monai_version": "1.6.1"})
    write_json(folder / "configs" / "inference.json", _config(len(weights)))
    entry = {
        "medai": 1,
        "name": "heart",
        "modality": ["MR", "CT"],
        "weights": pinned(folder, "models/model.pt"),
        "labels": list(labels),
        "licence": "Apache-2.0",
        "intended_use": "tests",
        "field_of_view_mm": [50, 500],
        **({"demonstration": True} if demonstration else {}),
    }
    write_json(folder / "medai.json", entry)
    assert digest_of(folder / "models" / "model.pt") == entry["weights"]["sha256"]
    return folder


def _config(channels: int) -> dict[str, Any]:
    return {
        "image_key": "image",
        "network_def": {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": channels, "kernel_size": 1},
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "@image_key"},
                {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
                {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "RAS"},
            ],
        },
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [48, 48, 48], "overlap": 0.25},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            ],
        },
    }
