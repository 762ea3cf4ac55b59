"""nnU-Net v2 results folders, and TotalSegmentator's weights, which are such folders.

``TRAINER__PLANS__CONFIGURATION/`` holds ``plans.json``, ``dataset.json`` and ``fold_N/checkpoint_final.pth``. The
networks are run by their plans with MONAI and torch alone; of the checkpoints the networks' weights are kept, without
the trainer's state, each fold in a file of its own. The mirrored views that the trainer allows become one network that
averages them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicermedai.bundles.draft import Answers, Draft, read_json, title_of, write_json
from slicermedai.bundles.folds import LOGITS, WHOLE, Folds
from slicermedai.bundles.plans import Plans, inference_config, plans_of
from slicermedai.errors import BundleError

_FILES = ("plans.json", "dataset.json")
_CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
_MR = {"mr", "mri", "t1", "t2", "t1w", "t2w", "flair", "t1c", "t1ce", "t1gd", "dwi", "adc", "pd"}


def is_results(folder: Path) -> bool:
    """True for a results folder, or one that holds such folders."""
    return bool(_results_in(Path(folder)))


def find_results(folder: Path, answers: Answers) -> Path:
    """The one results folder in ``folder``, or that of the configuration asked for.

    Raises
    ------
    BundleError
        None, or several: one must be named.
    """
    found = _results_in(Path(folder))
    wanted = [path for path in found if answers.configuration in ("", path.name, path.name.split("__")[-1])]
    if len(wanted) != 1:
        names = ", ".join(path.name for path in found)
        raise BundleError(
            f"holds {len(wanted)} models that fit: {names}",
            file=folder,
            attribute="configuration",
            advice="Name one of them: --configuration.",
        )
    return wanted[0]


def read_results(folder: Path, answers: Answers, *, name: str, origin: str) -> Draft:
    """The draft of a results folder; ``name`` is what it is called where it comes from.

    Raises
    ------
    BundleError
        A file is missing, or the plans name a part that is not known here.
    """
    plans, dataset = (read_json(folder / file) for file in _FILES)
    found = plans_of(plans, dataset, _configuration(folder, plans, answers), file=folder / "plans.json")
    folds = _folds(folder)
    config = inference_config(found, mirror=_mirror(next(iter(folds.values()))) if answers.mirror else [])
    files = {name: f"models/fold_{name.removeprefix('fold_')}.pt" for name in folds}

    def build(target: Path) -> tuple[str, ...]:
        _build(target, config, {files[name]: folder for name, folder in folds.items()}, found)
        return tuple(files.values())

    return Draft(
        title=title_of(name or str(plans.get("dataset_name", "")), "1", answers),
        entry={
            "task": "segmentation",
            "outputs": "logits",
            "modality": list(answers.modality or _modality(found.channels)),
            "inputs": found.channels,
            "overlapping": found.regions,
            "folds": Folds(files=tuple(files.items()), averages=LOGITS).entry(),
            "intended_use": "",
        },
        names=found.label_names,
        build=build,
        origin=origin,
    )


def _build(target: Path, config: dict[str, Any], folds: dict[str, Path], found: Plans) -> None:
    from slicermedai.bundles.checkpoints import plain_state, read_checkpoint, write_state

    for file, fold in folds.items():
        state = plain_state(read_checkpoint(_checkpoint(fold)).get("network_weights"), file=fold)
        named = {f"members.0.{name}": value for name, value in state.items()}
        write_state(named, config["network_def"], target / file)
    write_json(target / "configs" / "inference.json", config)
    write_json(target / "configs" / "metadata.json", _metadata(found, target.name))
    for file in _FILES:
        write_json(target / "docs" / file, read_json(found.file.parent / file))
    for licence in found.file.parent.glob("LICEN[CS]E*"):
        if licence.is_file() and not licence.is_symlink():
            (target / licence.name).write_bytes(licence.read_bytes())


def _metadata(found: Plans, name: str) -> dict[str, Any]:
    return {
        "version": "1",
        "name": str(found.plans.get("dataset_name", name)),
        "task": "segmentation",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "num_channels": len(found.channels),
                    "channel_def": {str(n): channel for n, channel in enumerate(found.channels)},
                }
            }
        },
        "description": str(found.dataset.get("description", "")) or "nnU-Net v2, run by its plans",
        "references": ["Isensee F. et al. nnU-Net. Nature Methods 18 (2021) 203. doi:10.1038/s41592-020-01008-z"],
    }


def _mirror(fold: Path) -> list[int]:
    """Axes of the network's input along which the trainer allows mirroring; none where it says nothing."""
    from slicermedai.bundles.checkpoints import read_checkpoint

    axes = read_checkpoint(_checkpoint(fold)).get("inference_allowed_mirroring_axes")
    return sorted(int(axis) for axis in axes) if axes else []


def _configuration(folder: Path, plans: dict[str, Any], answers: Answers) -> str:
    stated = folder.name.split("__")[-1] if folder.name.count("__") == 2 else answers.configuration
    configurations = list(plans.get("configurations") or {})
    if not stated and len(configurations) == 1:
        return str(configurations[0])
    return stated


def _folds(folder: Path) -> dict[str, Path]:
    """Name -> folder: the network trained on all cases first, then by number."""
    found = sorted(path for path in folder.glob("fold_*") if any((path / name).is_file() for name in _CHECKPOINTS))
    if not found:
        raise BundleError(
            "has no fold with a checkpoint", file=folder, attribute="fold_0", advice=f"Expected: {_CHECKPOINTS[0]}."
        )
    named = {WHOLE if path.name == WHOLE else path.name.removeprefix("fold_"): path for path in found}
    return dict(sorted(named.items(), key=lambda pair: (pair[0] != WHOLE, len(pair[0]), pair[0])))


def _checkpoint(fold: Path) -> Path:
    return next(fold / name for name in _CHECKPOINTS if (fold / name).is_file())


def _results_in(folder: Path) -> list[Path]:
    places = [folder, *sorted(folder.glob("*__*__*")), *sorted(folder.glob("*/*__*__*"))]
    return [path for path in places if all((path / file).is_file() for file in _FILES)]


def _modality(channels: list[str]) -> list[str]:
    words = {name.strip().lower() for name in channels}
    if words == {"ct"}:
        return ["CT"]
    return ["MR"] if words <= _MR else []
