"""A MONAI bundle whose answer is known: one 1x1x1 convolution that says "above one half"."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

INSIDE = {
    "value": 1,
    "name": "Body",
    "category": {"value": "123037004", "scheme": "SCT", "meaning": "Anatomical Structure"},
    "type": {"value": "38266002", "scheme": "SCT", "meaning": "Entire body"},
}


def tiny_config() -> dict[str, Any]:
    """Real MONAI components: orientation, spacing, sliding windows, as the zoo's bundles have them."""
    return {
        "image_key": "image",
        "network_def": {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 2, "kernel_size": 1},
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "@image_key"},
                {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
                {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "RAS"},
                {"_target_": "Spacingd", "keys": "@image_key", "pixdim": [2.0, 2.0, 2.0], "mode": "bilinear"},
            ],
        },
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [32, 32, 32], "overlap": 0.25},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "KeepLargestConnectedComponentd", "keys": "pred"},
                {"_target_": "SaveImaged", "keys": "pred"},
            ],
        },
    }


def tiny_entry(digest: str) -> dict[str, Any]:
    """``medai.json`` of the tiny bundle."""
    return {
        "medai": 1,
        "name": "tiny",
        "modality": ["MR"],
        "weights": {"file": "models/model.pt", "sha256": digest},
        "labels": [INSIDE],
        "licence": "Apache-2.0",
        "intended_use": "tests",
        "field_of_view_mm": [50, 500],
    }


def write_tiny_bundle(folder: Path, *, version: str = "0.1") -> Path:
    """Write the bundle into ``folder``, which is made."""
    (folder / "models").mkdir(parents=True)
    (folder / "configs").mkdir()
    state = {"weight": torch.tensor([0.0, 20.0]).reshape(2, 1, 1, 1, 1), "bias": torch.tensor([0.0, -10.0])}
    torch.save(state, folder / "models" / "model.pt")
    write_json(folder / "configs" / "metadata.json", {"version": version, "monai_version": "1.6.1"})
    write_json(folder / "configs" / "inference.json", tiny_config())
    write_json(folder / "medai.json", tiny_entry(digest_of(folder / "models" / "model.pt")))
    return folder


def write_torchscript_bundle(folder: Path) -> Path:
    """The tiny bundle with its network as TorchScript under a name that does not say so."""
    write_tiny_bundle(folder)
    network = torch.nn.Conv3d(1, 2, 1)
    with torch.no_grad():
        torch.jit.trace(network, torch.zeros(1, 1, 4, 4, 4)).save(str(folder / "models" / "model.pt"))
    change_json(folder / "medai.json", weights=pinned(folder, "models/model.pt"))
    definition = {"_target_": "torch.jit.load", "f": "models/model.pt"}
    change_json(folder / "configs" / "inference.json", network_def=definition)
    return folder


def write_folded_bundle(folder: Path, thresholds: Sequence[float] = (0.5, 0.45, 0.6)) -> Path:
    """The tiny bundle as one of several networks: each says "above" a threshold of its own."""
    write_tiny_bundle(folder)
    (folder / "models" / "model.pt").unlink()
    names = [f"models/fold{number}.pt" for number in range(len(thresholds))]
    for name, threshold in zip(names, thresholds, strict=True):
        weight = torch.tensor([0.0, 20.0]).reshape(2, 1, 1, 1, 1)
        torch.save({"weight": weight, "bias": torch.tensor([0.0, -20.0 * threshold])}, folder / name)
    first, *others = [pinned(folder, name) for name in names]
    files = {str(number): name for number, name in enumerate(names)}
    change_json(folder / "medai.json", weights=first, other_weights=others, folds={"files": files})
    return folder


def change_json(path: Path, **values: Any) -> None:
    """Set top-level keys of a JSON file."""
    write_json(path, {**json.loads(path.read_text()), **values})


def write_json(path: Path, body: Any) -> None:
    """Write JSON."""
    path.write_text(json.dumps(body))


def pinned(folder: Path, name: str) -> dict[str, str]:
    """A ``weights`` entry for the file as it is."""
    return {"file": name, "sha256": digest_of(folder / name)}


def digest_of(path: Path) -> str:
    """SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
