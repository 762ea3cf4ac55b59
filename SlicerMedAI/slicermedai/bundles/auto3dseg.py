"""Models of MONAI Auto3DSeg whose weights hold how they were trained: Slicer's model folders, and folds as trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicermedai.bundles.auto3dseg_members import Members, check_alike, holds_members, members_of
from slicermedai.bundles.draft import Answers, Draft, title_of, write_json
from slicermedai.bundles.folds import Folds
from slicermedai.bundles.label_table import BACKGROUND
from slicermedai.errors import BundleError

_TABLE = "labels.csv"
_OVERLAP = 0.625
_MODULE = "slicermedai.bundles.squash"


def is_auto3dseg(folder: Path) -> bool:
    """True for a folder of weights that Auto3DSeg may have made, whether they can be taken or not."""
    return holds_members(folder)


def read_auto3dseg(folder: Path, answers: Answers, *, name: str, origin: str) -> Draft:
    """The draft of a model folder, or of the folds in it; ``name`` is what it is called where it comes from.

    Raises
    ------
    BundleError
        A file would run code, or says nothing of its network, or names a step that is not known here; folds differ in
        how they prepare images, or are of several algorithms.
    """
    members = members_of(folder, algorithm=answers.configuration)
    first, trained = next(iter(members.values())), _all_trained(members, folder)
    config, table = inference_config(trained, file=first), Path(folder) / _TABLE
    files = {number: f"models/model{f'_fold{number}' if number else ''}.pt" for number in members}

    def build(target: Path) -> tuple[str, ...]:
        _build(target, config, {files[number]: file for number, file in members.items()}, name)
        return tuple(files.values())

    return Draft(
        title=title_of(name, "1", answers),
        entry={
            "task": "segmentation",
            "outputs": "logits",
            "modality": list(answers.modality or _modality(trained)),
            "overlapping": bool(trained.get("sigmoid", False)),
            "intended_use": "",
        }
        | ({"folds": Folds(files=tuple(files.items())).entry()} if len(files) > 1 else {}),
        names=_names(trained),
        build=build,
        table=table if table.is_file() else None,
        origin=origin,
    )


def _all_trained(members: Members, folder: Path) -> dict[str, Any]:
    """How the first was trained, after seeing that the others were so too; one is in memory at a time."""
    trained = {name: _trained(file) for name, file in members.items()}
    check_alike(trained, folder=folder)
    return next(iter(trained.values()))


def _trained(file: Path) -> dict[str, Any]:
    from slicermedai.bundles.checkpoints import read_checkpoint

    trained = read_checkpoint(file).get("config")
    if not isinstance(trained, dict) or not isinstance(trained.get("network"), dict):
        raise BundleError("says nothing of its network", file=file, attribute="config.network")
    return trained


def _build(target: Path, config: dict[str, Any], files: dict[str, Path], name: str) -> None:
    from slicermedai.bundles.checkpoints import plain_state, read_checkpoint, write_state

    for own, file in files.items():
        write_state(
            plain_state(read_checkpoint(file).get("state_dict"), file=file), config["network_def"], target / own
        )
    write_json(target / "configs" / "inference.json", config)
    write_json(target / "configs" / "metadata.json", {"version": "1", "name": name, "task": "segmentation"})


def inference_config(trained: dict[str, Any], *, file: Path) -> dict[str, Any]:
    """``configs/inference.json`` for what the training's configuration says; raises :class:`BundleError`."""
    roi = trained.get("roi_size")
    if not isinstance(roi, list | tuple) or len(roi) != 3 or trained["network"].get("spatial_dims", 3) != 3:
        raise BundleError("says of no windows in three dimensions", file=file, attribute="config.roi_size")
    for key in ("extra_modalities", "custom_transforms"):
        if trained.get(key):
            raise BundleError(
                "training prepared its images by more than is known here", file=file, attribute=f"config.{key}"
            )
    window = {"roi_size": [int(n) for n in roi], "overlap": _OVERLAP, "mode": "gaussian", "sw_batch_size": 1}
    return {
        "image_key": "image",
        "network_def": dict(trained["network"]),
        "preprocessing": {"_target_": "Compose", "transforms": _preparation(trained, file)},
        "inferer": {"_target_": "SlidingWindowInferer", **window},
        "postprocessing": {"_target_": "Compose", "transforms": _finish(trained)},
    }


def _preparation(trained: dict[str, Any], file: Path) -> list[dict[str, Any]]:
    steps: list[tuple[str, dict[str, Any]]] = [("LoadImaged", {}), ("EnsureChannelFirstd", {})]
    if trained.get("orientation_ras", False):
        steps.append(("Orientationd", {"axcodes": "RAS"}))
    if trained.get("crop_foreground", True):
        steps.append(("CropForegroundd", {"source_key": "@image_key", "margin": 10, "allow_smaller": True}))
    spacing = trained.get("resample_resolution")
    if spacing is not None and trained.get("resample", True):  # training may know a spacing, and keep the image's own
        steps.append(("Spacingd", _spacing([float(step) for step in spacing])))
    return [{"_target_": target, "keys": "@image_key", **rest} for target, rest in (*steps, *_scaling(trained, file))]


def _spacing(spacing: list[float]) -> dict[str, Any]:
    """A spacing within a quarter of the wanted one is left as it is, as in training."""
    return {
        "pixdim": spacing,
        "mode": "bilinear",
        "min_pixdim": [0.75 * step for step in spacing],
        "max_pixdim": [1.25 * step for step in spacing],
    }


def _scaling(trained: dict[str, Any], file: Path) -> list[tuple[str, dict[str, Any]]]:
    mode, bounds = str(trained.get("normalize_mode", "")), trained.get("intensity_bounds")
    if not bounds and mode in ("range", "ct"):
        raise BundleError(
            "is missing, and intensities are scaled by it", file=file, attribute="config.intensity_bounds"
        )
    bounds = bounds or (0, 1)
    own = {"nonzero": True, "channel_wise": True}
    scale = {"a_min": float(bounds[0]), "a_max": float(bounds[1]), "b_min": -1.0, "b_max": 1.0, "clip": False}
    known: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "none": [],
        "range": [("ScaleIntensityRanged", scale), (f"{_MODULE}.Squashd", {"kind": "sigmoid"})],
        "meanstd": [("NormalizeIntensityd", own)],
        "meanstdtanh": [("NormalizeIntensityd", own), (f"{_MODULE}.Squashd", {"kind": "tanh3"})],
        "pet": [(f"{_MODULE}.Squashd", {"kind": "pet"})],
    }
    mode = {"ct": "range", "mri": "meanstd"}.get(mode, mode)
    if mode not in known:
        raise BundleError(f"{mode or 'nothing'} is not known here", file=file, attribute="config.normalize_mode")
    return known[mode]


def _finish(trained: dict[str, Any]) -> list[dict[str, Any]]:
    if trained.get("sigmoid", False):
        return [
            {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
            {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
        ]
    return [
        {"_target_": "Activationsd", "keys": "pred", "softmax": True},
        {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
    ]


def _names(trained: dict[str, Any]) -> dict[int, str]:
    """Output value -> name, from the training's class names; those of regions carry their values beside their name."""
    stated = trained.get("class_names") or []
    names = [str(item.get("name", "")) if isinstance(item, dict) else str(item) for item in stated]
    if names and names[0].strip().lower() in BACKGROUND and not trained.get("sigmoid", False):
        names = names[1:]
    return dict(enumerate(names, start=1))


def _modality(trained: dict[str, Any]) -> list[str]:
    stated = str(trained.get("modality", "")).upper()
    return {"CT": ["CT"], "MRI": ["MR"], "MR": ["MR"], "PET": ["PT"], "PT": ["PT"]}.get(stated, [])
