"""The brain model: a JSON-only MONAI bundle around the weights of the ``deepbet`` wheel.

deepbet (Fisch et al., Computers in Biology and Medicine 2024, 10.1016/j.compbiomed.2024.108845) segments the inside
of the skull in T1-weighted MR: brain, cerebrospinal fluid and meninges, what is called the total intracranial
volume. Two TorchScript networks of one design: one finds the head's inside in a coarse view, one segments a close
view of it. Of the wheel the two weight files and the licence are taken; none of its Python is used.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from slicermedai.bundles.verify import check_hash, pinned_weights, sha256_of
from slicermedai.domain.storage import write_text
from slicermedai.errors import BundleError

NAME = "brain"
VERSION = "1.0.2"
REQUIREMENT = f"deepbet=={VERSION}"
WEIGHTS = "models/model.ts"
LOCATOR = "models/locator.ts"

_MEMBERS = {WEIGHTS: "model.pt", LOCATOR: "bbox_model.pt"}
_CLOSE = (256, 256, 256)
_COARSE = (128, 128, 128)


def write_bundle(wheel: Path, folder: Path) -> None:
    """Fill the existing ``folder`` with the bundle made from ``wheel``; the caller takes care of renaming.

    Raises
    ------
    HashMismatchError
        The weights in the wheel are not the pinned ones.
    BundleError
        No wheel of deepbet 1.0.2.
    """
    folder = Path(folder)
    for part in ("configs", "models"):
        (folder / part).mkdir()
    try:
        with zipfile.ZipFile(wheel) as archive:
            _unpack(archive, folder)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"is no wheel of deepbet {VERSION} ({type(error).__name__})", file=wheel) from error
    for path, member in _MEMBERS.items():
        check_hash(folder / path, expected=_pinned(member), found=sha256_of(folder / path))
    for name, body in _descriptions().items():
        _write_json(folder / name, body)


def renew(folder: Path) -> bool:
    """Write anew what is written about the weights in an installed ``folder`` where it differs; True where it did.

    Each file is the old or the new at any moment; after a kill between two of them the next call writes the rest.
    """
    stale = {name: body for name, body in _descriptions().items() if _read(folder / name) != body}
    for name, body in stale.items():
        write_text(folder / name, _as_json(body))
    return bool(stale)


def _descriptions() -> dict[str, dict[str, Any]]:
    """All files but the weights and the licence; ``medai.json`` last."""
    return {
        "configs/metadata.json": metadata(),
        "configs/inference.json": inference_config(),
        "medai.json": medai_entry(),
    }


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def metadata() -> dict[str, Any]:
    """``configs/metadata.json`` after MONAI's schema of 2024-07-25."""
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
        "meta_schema_20240725.json",
        "version": VERSION,
        "changelog": {VERSION: "weights of deepbet 1.0.2, unchanged"},
        "monai_version": "1.6.1",
        "pytorch_version": "2.8.0",
        "numpy_version": "2.0.0",
        "required_packages_version": {"scipy": "1.14"},
        "supported_apps": {},
        "name": "Intracranial segmentation in T1-weighted MR",
        "task": "Segmentation of the inside of the skull (brain extraction)",
        "description": "Two TorchScript residual U-Nets of deepbet 1.0.2: a coarse locator and a close segmenter.",
        "authors": "Lukas Fisch and others (weights)",
        "copyright": "Copyright (c) deepbet's authors, MIT licence",
        "intended_use": INTENDED_USE,
        "references": [
            "Fisch L. et al. deepbet: Fast brain extraction of T1-weighted MRI using convolutional neural networks. "
            "Computers in Biology and Medicine 179 (2024) 108845. doi:10.1016/j.compbiomed.2024.108845"
        ],
        "image_classes": "T1-weighted MR of the head, single channel",
        "pred_classes": "2 channels, probabilities: 0 is background, 1 is intracranial",
        "network_data_format": {"inputs": {"image": _image_format()}, "outputs": {"pred": _pred_format()}},
    }


DEFINITION = (
    "Everything inside the skull: brain, cerebrospinal fluid and meninges. Larger than the brain itself: this is no "
    "brain volume."
)
INTENDED_USE = (
    "Research use only, not a medical device. T1-weighted MR of healthy adult heads; the segment is the inside of "
    "the skull (brain, fluid and meninges), larger than the brain itself."
)


def inference_config() -> dict[str, Any]:
    """``configs/inference.json``: MONAI and torch components alone, no expressions."""
    return {
        "image_key": "image",
        "bundle_root": ".",
        "network_def": _torchscript(WEIGHTS),
        "locator_def": _torchscript(LOCATOR),
        "preprocessing": _preprocessing(_CLOSE),
        "locator_preprocessing": _preprocessing(_COARSE),
        "inferer": {"_target_": "SimpleInferer"},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [1]},
                {"_target_": "FillHolesd", "keys": "pred", "applied_labels": [1]},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "eval"},
            ],
        },
    }


def medai_entry() -> dict[str, Any]:
    """``medai.json``: codes, hashes, and the framing that MONAI has no transform for."""
    return {
        "medai": 1,
        "name": NAME,
        "task": "segmentation",
        "modality": ["MR"],
        "weights": {"file": WEIGHTS, "sha256": _pinned("model.pt")},
        "other_weights": [{"file": LOCATOR, "sha256": _pinned("bbox_model.pt")}],
        "outputs": "probabilities",
        "framing": {
            "kind": "locate",
            "network": "locator_def",
            "weights": LOCATOR,
            "preprocessing": "locator_preprocessing",
            "coarse_shape": list(_COARSE),
            "close_shape": list(_CLOSE),
            "smallest_share": 0.02,
            "margin": 0.1,
            "extent_mm": [90, 230],
        },
        "labels": [
            {
                "value": 1,
                "name": "Brain (intracranial)",
                "definition": DEFINITION,
                "category": {"value": "123037004", "scheme": "SCT", "meaning": "Anatomical Structure"},
                "type": {"value": "1101003", "scheme": "SCT", "meaning": "Intracranial"},
                "color": [255, 160, 60],
                "plausible_ml": [700, 2400],
            }
        ],
        "field_of_view_mm": [100, 600],
        "contrast": "T1",
        "licence": "MIT",
        "intended_use": INTENDED_USE,
        "demonstration": False,
    }


def _pinned(member: str) -> str:
    return pinned_weights()[f"deepbet-{VERSION}/{member}"]


def _unpack(archive: zipfile.ZipFile, folder: Path) -> None:
    for path, member in _MEMBERS.items():
        (folder / path).write_bytes(archive.read(f"data/models/{member}"))
    (folder / "LICENSE").write_bytes(archive.read(f"deepbet-{VERSION}.dist-info/LICENSE"))


def _torchscript(path: str) -> dict[str, Any]:
    return {"_target_": "torch.jit.load", "f": path, "map_location": "cpu"}


def _preprocessing(shape: tuple[int, int, int]) -> dict[str, Any]:
    """deepbet's own: the 0.5 to 99.5 percentiles to 0 to 1, then mean 0.449 and standard deviation 0.226."""
    percentiles = {"lower": 0.5, "upper": 99.5, "b_min": 0.0, "b_max": 1.0, "clip": True}
    standard = {"a_min": 0.0, "a_max": 1.0, "b_min": 0.449, "b_max": 0.675}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("LoadImaged", {}),
        ("EnsureChannelFirstd", {}),
        ("Orientationd", {"axcodes": "RAS"}),
        ("Resized", {"spatial_size": list(shape), "mode": "trilinear"}),
        ("ScaleIntensityRangePercentilesd", percentiles),
        ("NormalizeIntensityd", {}),
        ("ScaleIntensityRanged", standard),
    ]
    transforms = [{"_target_": target, "keys": "image", **rest} for target, rest in steps]
    return {"_target_": "Compose", "transforms": transforms}


def _image_format() -> dict[str, Any]:
    return {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": 1,
        "spatial_shape": list(_CLOSE),
        "dtype": "float32",
        "value_range": [-5, 5],
        "is_patch_data": False,
        "channel_def": {"0": "image"},
    }


def _pred_format() -> dict[str, Any]:
    return {
        "type": "image",
        "format": "segmentation",
        "num_channels": 2,
        "spatial_shape": list(_CLOSE),
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": False,
        "channel_def": {"0": "background", "1": "intracranial"},
    }


def _write_json(path: Path, body: dict[str, Any]) -> None:
    path.write_text(_as_json(body), encoding="utf-8", newline="\n")


def _as_json(body: dict[str, Any]) -> str:
    return json.dumps(body, indent=1) + "\n"
