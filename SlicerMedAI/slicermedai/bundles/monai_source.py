"""A MONAI bundle's folder, as its authors publish it: what its metadata says becomes the entry ``medai.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicermedai.bundles.draft import Answers, Draft, read_json, task_of, title_of
from slicermedai.bundles.folds import folds_among
from slicermedai.bundles.label_table import BACKGROUND
from slicermedai.bundles.manifest import read_config
from slicermedai.bundles.unpack import copy_folder, files_of
from slicermedai.errors import BundleError

_WEIGHTS = (".pt", ".pth", ".ts", ".safetensors", ".ckpt")
_PREFERRED = ("models/model.pt", "models/model.ts", "models/model.safetensors")
_MODALITIES = {
    "ct": "CT",
    "mr": "MR",
    "mri": "MR",
    "pet": "PT",
    "pt": "PT",
    "us": "US",
    "mammogram": "MG",
    "mg": "MG",
    "dx": "DX",
    "cr": "CR",
    "xray": "DX",
    "op": "OP",
}


def is_bundle(folder: Path) -> bool:
    """True for a folder that looks like a MONAI bundle."""
    return (Path(folder) / "configs" / "metadata.json").is_file()


def read_bundle_source(folder: Path, answers: Answers, *, name: str, origin: str) -> Draft:
    """The draft of the bundle in ``folder``; ``name`` is what it is called where it comes from.

    Raises
    ------
    BundleError
        The metadata cannot be read, names no task that is known, or the weights are not there.
    """
    metadata = read_json(folder / "configs" / "metadata.json")
    config, weights = read_config(folder), _weights_in(folder)
    folds = folds_among(weights) if weights[0] not in _PREFERRED else None
    task = task_of(str(metadata.get("task", "")), answers, file=folder / "configs" / "metadata.json")
    formats = metadata.get("network_data_format") or {}
    inputs, outputs = _first(formats.get("inputs")), _first(formats.get("outputs"))
    overlapping = task == "segmentation" and _uses_sigmoid(config)
    own = folder / "labels.csv"

    def build(target: Path) -> tuple[str, ...]:
        copy_folder(folder, target, only=_wanted(folder))
        return tuple(dict.fromkeys([*(path for _, path in folds.files), *weights])) if folds else weights

    return Draft(
        title=title_of(name, str(metadata.get("version", "")), answers),
        entry={
            "task": task,
            "modality": list(answers.modality or _modality(inputs)),
            "inputs": [str(name) for name in (inputs.get("channel_def") or {}).values()],
            "overlapping": overlapping,
            "intended_use": str(metadata.get("intended_use", "")),
            **({"folds": folds.entry()} if folds else {}),
        },
        names=label_names(outputs.get("channel_def"), task),
        build=build,
        table=own if own.is_file() else None,
        origin=origin,
    )


def label_names(channels: Any, task: str) -> dict[int, str]:
    """Output value -> name. Where channel 0 is no background, every channel is a label and channel n is value n + 1."""
    named = {int(n): str(name) for n, name in channels.items()} if isinstance(channels, dict) else {}
    shift = 0 if task != "classification" and named.get(0, "").strip().lower() in BACKGROUND else 1
    return {n + shift: name for n, name in sorted(named.items()) if n + shift > 0}


def _uses_sigmoid(config: Any) -> bool:
    """True where any step of the configuration turns scores into independent probabilities."""
    if isinstance(config, dict):
        return config.get("sigmoid") is True or any(_uses_sigmoid(value) for value in config.values())
    return isinstance(config, list) and any(_uses_sigmoid(value) for value in config)


def _weights_in(folder: Path) -> tuple[str, ...]:
    found = [path.relative_to(folder).as_posix() for path in files_of(folder) if path.suffix in _WEIGHTS]
    if not found:
        raise BundleError(
            "has no weights" + (_large_files(folder)),
            file=folder,
            attribute="models",
            advice="Copy them into its folder models, or import the bundle by its name with --online.",
        )
    first = next((name for name in _PREFERRED if name in found), found[0])
    return (first, *(name for name in found if name != first))


def _large_files(folder: Path) -> str:
    listed = [path.name for path in folder.glob("large_files.y*ml")]
    return f"; {listed[0]} names where they are published" if listed else ""


def _wanted(folder: Path) -> set[str]:
    """All files but those of training runs: event files, checkpoints of evaluation and the like are no part of it."""
    skipped = {"eval", "runs", "mlruns", "cache_dir", "datasets"}
    paths = (path.relative_to(folder) for path in files_of(folder))
    return {path.as_posix() for path in paths if path.parts[0] not in skipped and path.name != "medai.json"}


def _modality(inputs: dict[str, Any]) -> list[str]:
    stated = str(inputs.get("modality", "")).lower().replace("-", "")
    return [_MODALITIES[stated]] if stated in _MODALITIES else []


def _first(formats: Any) -> dict[str, Any]:
    values = [value for value in formats.values() if isinstance(value, dict)] if isinstance(formats, dict) else []
    return values[0] if values else {}
