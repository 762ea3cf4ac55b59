"""Models of MONAI Auto3DSeg that say how they were trained: Slicer's model folders, and folds as trained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from slicermedai.bundles.auto3dseg_configs import has_configs, read_configs
from slicermedai.bundles.auto3dseg_labels import names_labels, output_names
from slicermedai.bundles.auto3dseg_members import Members, check_alike, holds_members, members_of, model_folder
from slicermedai.bundles.draft import Answers, Draft, title_of, write_json
from slicermedai.bundles.folds import Folds
from slicermedai.errors import BundleError

_TABLE = "labels.csv"
_OVERLAP = 0.625
_MODULE = "slicermedai.bundles.squash"
_WINDOWS = "slicermedai.bundles.filled"
_RELEASE = re.compile(r"(?P<name>.+)-v(?P<version>\d+\.\d+\.\d+)")
"""How models for Slicer are called: ``whole-body-3mm-v2.0.0``."""
_NOT_KNOWN = ("custom_data_transforms", "custom_transforms", "sliding_inferrer", "cache_image_int16")
"""What a training may say of its images beyond what is done here."""
_INPUT = re.compile(r"(?!(?:labels?|seg|segmentation|mask|gt|ground_?truth)(?:_|$))[A-Za-z0-9][A-Za-z0-9 _.+-]*", re.I)
"""Names that images can have: none is an expression, or a reference that evaluation holds results against."""


def is_auto3dseg(folder: Path) -> bool:
    """True for a folder of weights that Auto3DSeg may have made, whether they can be taken or not."""
    return holds_members(model_folder(folder))


def read_auto3dseg(folder: Path, answers: Answers, *, name: str, origin: str) -> Draft:
    """The draft of a model folder, or of the folds in it; ``name`` is what it is called where it comes from.

    Raises
    ------
    BundleError
        A file would run code, or says nothing of its network, or names a step that is not known here; folds differ in
        how they prepare images, or are of several algorithms; the network takes several images, and their names are
        not said.
    """
    members = members_of(model_folder(folder), algorithm=answers.configuration)
    first, trained = next(iter(members.values())), _all_trained(members, folder)
    inputs, names = input_names(trained, answers.inputs, file=first), output_names(trained, file=first)
    config = inference_config(trained, inputs, file=first)
    files = {number: f"models/model{f'_fold{number}' if number else ''}.pt" for number in members}
    release = _RELEASE.fullmatch(name)
    plain, version = (release["name"], release["version"]) if release else (name, "1")

    def build(target: Path) -> tuple[str, ...]:
        _build(target, config, {files[number]: file for number, file in members.items()}, plain)
        return tuple(files.values())

    return Draft(
        title=title_of(plain, version, answers),
        entry={
            "task": "segmentation",
            "outputs": "logits",
            "modality": list(answers.modality or _modality(trained)),
            "overlapping": bool(trained.get("sigmoid", False)),
            "intended_use": "",
        }
        | ({"inputs": list(inputs)} if inputs else {})
        | ({"folds": Folds(files=tuple(files.items())).entry()} if len(files) > 1 else {}),
        names=names,
        build=build,
        table=_table(folder, first) if names_labels(trained) else None,
        origin=origin,
    )


def _table(folder: Path, weights: Path) -> Path | None:
    """Coded labels that lie in the folder, or beside the weights."""
    return next((path for path in (Path(folder) / _TABLE, weights.parent / _TABLE) if path.is_file()), None)


def _all_trained(members: Members, folder: Path) -> dict[str, Any]:
    """How the first was trained, after seeing that the others were so too; one is in memory at a time."""
    trained = {name: _trained(file) for name, file in members.items()}
    check_alike(trained, folder=folder)
    return next(iter(trained.values()))


def _trained(file: Path) -> dict[str, Any]:
    from slicermedai.bundles.checkpoints import read_checkpoint

    member = file.parent.parent
    if file.parent.name.startswith("model_fold") and has_configs(member):
        return read_configs(member)
    trained = read_checkpoint(file).get("config")
    if not isinstance(trained, dict) or not isinstance(trained.get("network"), dict):
        raise BundleError("says nothing of its network", file=file, attribute="config.network")
    return trained


def _build(target: Path, config: dict[str, Any], files: dict[str, Path], name: str) -> None:
    from slicermedai.bundles.checkpoints import plain_state, read_checkpoint, write_state

    for own, file in files.items():
        held = read_checkpoint(file)
        state = plain_state(held.get("state_dict", held), file=file)
        if config["network_def"].get("spatial_dims") == 2:  # what was trained takes the volume apart around it
            state = {name.removeprefix("net."): value for name, value in state.items()}
        write_state(state, config["network_def"], target / own)
    write_json(target / "configs" / "inference.json", config)
    write_json(target / "configs" / "metadata.json", {"version": "1", "name": name, "task": "segmentation"})


def input_names(trained: dict[str, Any], said: tuple[str, ...], *, file: Path) -> tuple[str, ...]:
    """What the network's images are called, in the order of its channels; () for one image.

    Images that training kept apart (``extra_modalities``) have names there; channels of one image have none, and
    ``said`` names them, or the others anew.

    Raises
    ------
    BundleError
        Nothing names them, or there are more or fewer names than channels, or a name cannot be one.
    """
    extra = tuple(str(name) for name in trained.get("extra_modalities") or {})
    channels = int(trained["network"].get("in_channels") or trained.get("input_channels") or 1)
    names = said or (("image", *extra) if extra else ())
    if extra and channels != len(extra) + 1:
        raise BundleError(
            f"its network takes {channels} channels of {len(extra) + 1} images", file=file, attribute="extra_modalities"
        )
    if len(names) != (channels if channels > 1 or said else 0):
        raise BundleError(
            f"the network takes {channels} image{'s' if channels > 1 else ''}, and {len(names)} names are given",
            file=file,
            attribute="inputs",
            advice="Name them in the order of the training's channels: --inputs T2F T1C T1N T2W.",
        )
    for name in names:
        if not _INPUT.fullmatch(name):
            raise BundleError(f"{name!r} cannot be the name of an image", file=file, attribute="inputs")
    return names if channels > 1 else ()


def inference_config(trained: dict[str, Any], inputs: tuple[str, ...], *, file: Path) -> dict[str, Any]:
    """``configs/inference.json`` for what the training's configuration says; raises :class:`BundleError`."""
    roi, flat = trained.get("roi_size"), trained["network"].get("spatial_dims", 3) == 2
    if not isinstance(roi, list | tuple) or len(roi) != 3:
        raise BundleError("says of no windows in three dimensions", file=file, attribute="config.roi_size")
    for key in _NOT_KNOWN:
        if trained.get(key):
            raise BundleError(
                "training prepared its images by more than is known here", file=file, attribute=f"config.{key}"
            )
    steps = trained["transforms"] if "transforms" in trained else _preparation(trained, inputs, file)
    return {
        "image_key": "image",
        "network_def": _network(trained["network"]),
        "preprocessing": {"_target_": "Compose", "transforms": steps},
        "inferer": {
            "_target_": f"{_WINDOWS}.SliceInfererFilled" if flat else f"{_WINDOWS}.SlidingWindowInfererFilled",
            "roi_size": [int(n) for n in roi][: 2 if flat else 3],
            "overlap": float(trained.get("overlap") or _OVERLAP),
            "mode": "gaussian",
            "sw_batch_size": 1,
            **({"spatial_dim": 2} if flat else {}),
        },
        "postprocessing": {"_target_": "Compose", "transforms": _finish(trained)},
    }


def _network(stated: dict[str, Any]) -> dict[str, Any]:
    """The network with MONAI's own instance normalisation: NVIDIA's has the same weights, and is not installed here."""
    norm = stated.get("norm")
    first, *rest = norm if isinstance(norm, list | tuple) else [norm]
    if str(first).upper() != "INSTANCE_NVFUSER":
        return dict(stated)
    return {**stated, "norm": ["INSTANCE", *rest] if rest else "INSTANCE"}


def _preparation(trained: dict[str, Any], inputs: tuple[str, ...], file: Path) -> list[dict[str, Any]]:
    """Axes, crop, spacing and scaling in the order of the training.

    Several images are brought onto the grid of the first where it is turned and resampled; such are not cropped. For a
    network of two dimensions slices stay as they were acquired.
    """
    extra, flat = dict(trained.get("extra_modalities") or {}), trained["network"].get("spatial_dims", 3) == 2
    keys: Any = list(inputs) if extra else "@image_key"
    steps: list[tuple[str, dict[str, Any]]] = [("LoadImaged", {}), ("EnsureChannelFirstd", {})]
    if trained.get("orientation_ras", False) and not flat:
        steps.append(("Orientationd", {"axcodes": "RAS"}))
    if trained.get("crop_foreground", True) and not extra:
        steps.append(("CropForegroundd", {"source_key": "@image_key", "margin": 10, "allow_smaller": True}))
    spacing = trained.get("resample_resolution")
    if spacing is not None and trained.get("resample", True):  # training may know a spacing, and keep the image's own
        steps.append(("Spacingd", _spacing([float(step) for step in spacing], flat=flat)))
    made = [{"_target_": target, "keys": keys, **rest} for target, rest in steps]
    modes = [str(trained.get("normalize_mode", "")), *map(str, extra.values())]
    for key, mode in zip(inputs if extra else ("@image_key",), modes, strict=True):
        made += [{"_target_": target, "keys": key, **rest} for target, rest in _scaling(mode, trained, file)]
    return [*made, {"_target_": "ConcatItemsd", "keys": keys, "name": "image"}] if extra else made


def _spacing(spacing: list[float], *, flat: bool) -> dict[str, Any]:
    """A spacing within a quarter of the wanted one is left as it is, and that of slices for a network that sees one."""
    return {
        "pixdim": [*spacing[:2], -1.0] if flat else spacing,
        "mode": "bilinear",
        "min_pixdim": [0.75 * step for step in spacing],
        "max_pixdim": [1.25 * step for step in spacing],
    }


def _scaling(mode: str, trained: dict[str, Any], file: Path) -> list[tuple[str, dict[str, Any]]]:
    bounds = trained.get("intensity_bounds")
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


def _modality(trained: dict[str, Any]) -> list[str]:
    stated = str(trained.get("modality", "")).upper()
    return {"CT": ["CT"], "MRI": ["MR"], "MR": ["MR"], "PET": ["PT"], "PT": ["PT"]}.get(stated, [])
