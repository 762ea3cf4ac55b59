"""Which networks of an Auto3DSeg folder are folds of one model, and which cannot be taken.

Auto3DSeg trains algorithms over folds, each in a folder of its own (``segresnet_0``, ``dints_1`` ...), and averages the
probabilities of some of them. An algorithm whose weights hold how they were trained, or whose configurations say it in
plain values, needs none of its own code here: its folds are those of one model, if they prepare images alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slicermedai.bundles.auto3dseg_configs import has_configs
from slicermedai.bundles.folds import folds_among
from slicermedai.errors import BundleError

Members = dict[str, Path]
"""Name of a fold -> its weights, in order; one without a name is the only one."""
_FILE, _TABLE = "model.pt", "labels.csv"
_TRAINED = Path("model") / _FILE
_BEST = "best_metric_model.pt"
_MEMBER = re.compile(r"(.+?)_(\d+)")
_SAME = (
    "network", "roi_size", "orientation_ras", "crop_foreground", "resample", "resample_resolution", "normalize_mode",
    "intensity_bounds", "sigmoid", "class_names", "class_index", "modality", "input_channels", "output_classes",
    "extra_modalities", "transforms", "overlap",
)  # fmt: skip
"""What folds of one model have in common: how images are prepared, and what outputs mean."""


def model_folder(folder: Path) -> Path:
    """``folder``, or the one within it that holds a model and its ``labels.csv``: archives for Slicer may have such."""
    folder = Path(folder)
    if holds_members(folder):
        return folder
    inside = [path.parent for depth in ("*", "*/*") for path in sorted(folder.glob(f"{depth}/{_TABLE}"))]
    found = [path for path in inside if (path / _FILE).is_file()]
    return found[0] if len(found) == 1 else folder


def holds_members(folder: Path) -> bool:
    """True for a folder of weights that Auto3DSeg may have made, whether they can be taken or not."""
    folder = Path(folder)
    return bool(_flat(folder)) or _is_member(folder) or bool(_algorithms(folder))


def members_of(folder: Path, *, algorithm: str = "") -> Members:
    """The folds of the one model in ``folder``; ``algorithm`` names one of several.

    Raises
    ------
    BundleError
        There are several algorithms and none was named, or one whose weights do not hold how they were trained.
    """
    folder = Path(folder)
    if _flat(folder):
        return _of_files(folder)
    if _is_member(folder):
        return {"": _weights(folder)}
    found = _algorithms(folder)
    if algorithm not in found and (algorithm or len(found) > 1):
        raise BundleError(
            f"holds members of {len(found)} algorithms ({', '.join(sorted(found))}): what they answer together is not"
            " made here, since each prepares images in a way of its own",
            file=folder,
            attribute="configuration",
            advice="Take the folds of one of them: --configuration NAME.",
        )
    own = found[algorithm or next(iter(found))]
    return {name if len(own) > 1 else "": _weights(one) for name, one in own.items()}


def check_alike(trained: Mapping[str, Mapping[str, Any]], *, folder: Path) -> None:
    """Raise :class:`BundleError` where folds (name -> training) differ in what they must have in common."""
    first, *others = trained.items()
    for name, one in others:
        for key in _SAME:
            if one.get(key) != first[1].get(key):
                raise BundleError(
                    f"the folds {first[0]} and {name} differ: they are no folds of one model",
                    file=folder,
                    attribute=f"config.{key}",
                    advice="Import each by itself.",
                )


def _flat(folder: Path) -> list[str]:
    """Weights that lie in the folder itself: one file, or one for each fold."""
    names = sorted(path.name for path in folder.glob("*.pt") if path.is_file())
    return [] if (folder / "configs").exists() or not (_FILE in names or folds_among(names)) else names


def _of_files(folder: Path) -> Members:
    names = _flat(folder)
    folds = folds_among(names)
    if folds is None:
        return {"": folder / _FILE}
    if _FILE in names:
        raise BundleError(
            f"holds {_FILE} and {len(folds.names)} folds: which of them is the model is not said",
            file=folder,
            attribute="weights",
            advice="Leave the one or the others in the folder.",
        )
    return {name: folder / file for name, file in folds.files}


def _is_member(folder: Path) -> bool:
    return (folder / _TRAINED).is_file() or any(folder.glob("model_fold*/*.pt"))


def _algorithms(folder: Path) -> dict[str, Members]:
    """Algorithm -> number of a fold -> its folder."""
    made: dict[str, Members] = {}
    parts = [(found, path) for path in folder.iterdir() if (found := _MEMBER.fullmatch(path.name)) and path.is_dir()]
    for found, path in sorted(parts, key=lambda part: int(part[0][2])):
        if _is_member(path) or (path / "configs" / "hyper_parameters.yaml").is_file():
            made.setdefault(found[1], {})[str(int(found[2]))] = path
    return made


def _weights(member: Path) -> Path:
    if (member / _TRAINED).is_file():
        return member / _TRAINED
    beside = sorted(member.glob("model_fold*/*.pt"))
    if not beside:
        raise BundleError("is a member without weights: was it trained?", file=member, attribute=str(_TRAINED))
    best = [path for path in beside if path.name == _BEST]
    if len(best) != 1 or not has_configs(member):
        raise BundleError(
            "is a member whose weights do not hold how they were trained, and no configurations beside them say it",
            file=member,
            attribute="config",
            advice=f"Hand in the whole folder: configs, and model_fold*/{_BEST}.",
        )
    return best[0]
