"""A small card, TOML or JSON, that says what a file of weights is: for TorchScript, safetensors and PyTorch weights.

::

    name = "spleen"
    version = "1"
    modality = ["CT"]
    spacing = [1.5, 1.5, 2.0]          # mm
    orientation = "RAS"
    patch = [96, 96, 96]               # voxels
    intensity = [-57, 164]             # to 0 to 1, clipped; or "z-score"
    outputs = "logits"
    licence = "Apache-2.0"
    intended_use = "Research use only."

    [labels]
    1 = "spleen"

    [network]                          # for weights without a network of their own
    _target_ = "UNet"
    spatial_dims = 3
"""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

from slicermedai.bundles.draft import Answers, Draft, read_json, task_of, title_of, write_json
from slicermedai.bundles.unpack import copy_file
from slicermedai.bundles.weights import SAFETENSORS, TORCHSCRIPT, check_weights
from slicermedai.errors import BundleError

_KEYS = {
    "name",
    "version",
    "task",
    "modality",
    "inputs",
    "spacing",
    "orientation",
    "patch",
    "intensity",
    "outputs",
    "overlapping",
    "pixel_values",
    "licence",
    "code_licence",
    "weights_licence",
    "intended_use",
    "field_of_view_mm",
    "body_parts",
    "labels",
    "network",
}
_COPIED = ("inputs", "outputs", "overlapping", "pixel_values", "intended_use", "field_of_view_mm", "body_parts")


def read_card(weights: Path, answers: Answers, *, origin: str) -> Draft:
    """The draft of a file of weights and its card, ``answers.card``.

    safetensors become PyTorch weights of the same names and numbers, which MONAI and torch load; the file's own hash
    stays in the record.

    Raises
    ------
    BundleError
        The card lacks something, has an unknown key, or does not describe these weights; the weights are unsafe.
    """
    card, file = _read(Path(str(answers.card))), Path(str(answers.card))
    kind = check_weights(weights)
    target = "models/model.ts" if kind == TORCHSCRIPT else "models/model.pt"
    config = _config(card, kind, target, file)
    from slicermedai.bundles.checkpoints import load_safetensors, write_state

    if kind != TORCHSCRIPT:
        _check_network(weights, card, file)

    def build(folder: Path) -> tuple[str, ...]:
        if kind == SAFETENSORS:
            write_state(load_safetensors(weights.read_bytes()), card["network"], folder / target)
        else:
            copy_file(weights, folder / target)
        write_json(folder / "configs" / "inference.json", config)
        write_json(folder / "configs" / "metadata.json", {"version": str(card["version"]), "name": str(card["name"])})
        return (target,)

    said = {key: card[key] for key in _COPIED if key in card}
    return Draft(
        title=title_of(str(card["name"]), str(card["version"]), answers),
        entry={
            "task": task_of(str(card.get("task", "segmentation")), answers, file=file),
            "modality": list(answers.modality or card.get("modality", ())),
            **said,
        },
        names=_labels(card, file),
        build=build,
        origin=origin,
    )


def with_licences(answers: Answers) -> Answers:
    """The answers with the licences of their card, where a person said none."""
    card = _read(answers.card) if answers.card else {}
    stated = str(card.get("licence", ""))
    return dataclasses.replace(
        answers,
        code_licence=answers.code_licence or str(card.get("code_licence", stated)),
        weights_licence=answers.weights_licence or str(card.get("weights_licence", stated)),
    )


def _config(card: dict[str, Any], kind: str, weights: str, file: Path) -> dict[str, Any]:
    if kind == TORCHSCRIPT:
        if "network" in card:
            raise BundleError(
                "describes a network, but the file is TorchScript and holds its own", file=file, attribute="network"
            )
        network: dict[str, Any] = {"_target_": "torch.jit.load", "f": weights, "map_location": "cpu"}
    elif not isinstance(card.get("network"), dict):
        raise BundleError(f"is needed: the file is {kind} alone", file=file, attribute="network")
    else:
        network = card["network"]
    window = {"roi_size": _numbers(card, "patch", file), "overlap": 0.5, "mode": "gaussian", "sw_batch_size": 1}
    outputs = _outputs(card, file)
    finish = {"sigmoid": True} if card.get("overlapping") else {"softmax": True}
    decide = {"threshold": 0.5} if card.get("overlapping") else {"argmax": True}
    return {
        "image_key": "image",
        "network_def": network,
        "preprocessing": {"_target_": "Compose", "transforms": _preparation(card, file)},
        "inferer": {"_target_": "SlidingWindowInferer", **window},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                *([{"_target_": "Activationsd", "keys": "pred", **finish}] if outputs == "logits" else []),
                {"_target_": "AsDiscreted", "keys": "pred", **decide},
            ],
        },
    }


def _outputs(card: dict[str, Any], file: Path) -> str:
    """What the network gives, "" where nobody said and the scores themselves can tell: of labels without overlap."""
    outputs = str(card.get("outputs", ""))
    if outputs not in ("logits", "probabilities") and (outputs or card.get("overlapping")):
        raise BundleError("must be logits or probabilities", file=file, attribute="outputs")
    return outputs


def _preparation(card: dict[str, Any], file: Path) -> list[dict[str, Any]]:
    steps: list[tuple[str, dict[str, Any]]] = [
        ("LoadImaged", {}),
        ("EnsureChannelFirstd", {}),
        ("Orientationd", {"axcodes": str(card.get("orientation", "RAS"))}),
        ("Spacingd", {"pixdim": _numbers(card, "spacing", file), "mode": "bilinear"}),
    ]
    if card.get("intensity") == "z-score":
        steps.append(("NormalizeIntensityd", {"channel_wise": True}))
    elif "intensity" in card:
        low, high = _numbers(card, "intensity", file, count=2)
        steps.append(("ScaleIntensityRanged", {"a_min": low, "a_max": high, "b_min": 0.0, "b_max": 1.0, "clip": True}))
    return [{"_target_": target, "keys": "@image_key", **rest} for target, rest in steps]


def _check_network(weights: Path, card: dict[str, Any], file: Path) -> None:
    """The card must describe these weights, and no code."""
    from slicermedai.bundles.checkpoints import check_fit, shapes_of

    check_fit(shapes_of(weights), card["network"], file=file)
    outputs, labels = card["network"].get("out_channels"), _labels(card, file)
    most = max(labels) if card.get("overlapping") else max(labels) + 1
    if isinstance(outputs, int) and most > outputs:
        raise BundleError(
            f"names label {max(labels)}, and the network gives {outputs} channels", file=file, attribute="labels"
        )


def _labels(card: dict[str, Any], file: Path) -> dict[int, str]:
    labels = card.get("labels")
    try:
        named = dict(enumerate(labels, start=1)) if isinstance(labels, list) else dict(labels or {})
        found = {int(value): str(name) for value, name in named.items() if int(value) > 0}
    except (TypeError, ValueError) as error:
        raise BundleError("must map output values, from 1, to names", file=file, attribute="labels") from error
    if not found:
        raise BundleError("must name at least one output value, from 1", file=file, attribute="labels")
    return found


def _numbers(card: dict[str, Any], key: str, file: Path, *, count: int = 3) -> list[Any]:
    values = card.get(key)
    if not isinstance(values, list) or len(values) != count or not all(isinstance(v, int | float) for v in values):
        raise BundleError(f"must be {count} numbers", file=file, attribute=key)
    return values


def _read(file: Path) -> dict[str, Any]:
    card = read_json(file) if file.suffix.lower() == ".json" else _read_toml(file)
    unknown = sorted(set(card) - _KEYS)
    if unknown:
        raise BundleError(f"is no key of a card; known: {', '.join(sorted(_KEYS))}", file=file, attribute=unknown[0])
    for key in ("name", "version"):
        if not str(card.get(key, "")).strip():
            raise BundleError("is missing", file=file, attribute=key)
    return card


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"cannot be read ({type(error).__name__})", file=file, attribute="card") from error
