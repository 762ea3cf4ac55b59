"""Small bundles of every pattern that bundles come in, whose networks say "above one half" so that truth is known.

Each function takes the configuration, metadata and weights of :func:`plain` and changes what its pattern changes. None
of them is a copy of a published bundle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from Testing.inference.tiny_bundle import INSIDE, digest_of, tiny_config, tiny_entry, write_json


@dataclass
class Draft:
    """A bundle before it is written."""

    config: dict[str, Any] = field(default_factory=tiny_config)
    metadata: dict[str, Any] = field(default_factory=lambda: {"version": "0.1", "monai_version": "1.4.0"})
    state: Any = None
    labels: int = 1
    runs_code: bool = False
    yaml: bool = False
    files: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ("image",)

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The preprocessing transforms."""
        return self.config["preprocessing"]["transforms"]


def half(inputs: int = 1, outputs: int = 2, *, dimensions: int = 3) -> dict[str, torch.Tensor]:
    """Weights of a convolution of one voxel whose output k > 0 is above 0 where the mean input is above one half."""
    weight = torch.zeros(outputs, inputs, *[1] * dimensions)
    weight[1:] = 20.0 / inputs
    bias = torch.full((outputs,), -10.0)
    bias[0] = 0.0
    return {"weight": weight, "bias": bias}


def convolution(inputs: int = 1, outputs: int = 2, *, dimensions: int = 3) -> dict[str, Any]:
    """The network definition that :func:`half` belongs to."""
    target = f"torch.nn.Conv{dimensions}d"
    return {"_target_": target, "in_channels": inputs, "out_channels": outputs, "kernel_size": 1}


def plain(draft: Draft) -> None:
    """Orientation, spacing, windows, softmax, argmax: JSON without code."""


def as_yaml(draft: Draft) -> None:
    """The same in YAML."""
    draft.yaml = True


def with_everything_around(draft: Draft) -> None:
    """Datasets, loaders, evaluator, handlers, output folders and run ids that must never be made."""
    draft.runs_code = True
    draft.config |= {
        "imports": ["$import glob", "$import os"],
        "output_dir": "$@bundle_root + '/eval'",
        "create_output_dir": "$os.makedirs(@output_dir)",
        "datalist": "$monai.data.load_decathlon_datalist('/nowhere/dataset.json')",
        "dataset": {"_target_": "CacheDataset", "data": "@datalist", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "num_workers": 4},
        "handlers": [{"_target_": "StatsHandler", "iteration_log": False}],
        "evaluator": {"_target_": "SupervisedEvaluator", "val_data_loader": "@dataloader", "device": "cuda:0"},
        "initialize": ["$setattr(torch.backends.cudnn, 'benchmark', True)"],
        "evaluating": ["$@evaluator.run()"],
    }
    draft.config["image_key"] = "image"


def on_cuda_alone(draft: Draft) -> None:
    """Devices as people leave them in configurations."""
    draft.runs_code = True
    draft.config |= {"device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')"}
    draft.config["inferer"] |= {"device": "$torch.device('cuda')", "sw_device": "cuda:0"}
    draft.steps.append({"_target_": "EnsureTyped", "keys": "image", "device": "$torch.device('cuda:0')"})
    draft.steps.append({"_target_": "ToDeviced", "keys": "image", "device": "cuda"})


def with_removed_arguments(draft: Draft) -> None:
    """A constructor argument that the installed MONAI does not know."""
    draft.config["network_def"] |= {"img_size": [32, 32, 32]}


def with_evaluation_keys(draft: Draft) -> None:
    """Labels are loaded and turned beside the image."""
    draft.steps[0]["keys"] = ["image", "label"]
    draft.steps[2] |= {"keys": ["image", "label"]}
    draft.steps[3] |= {"keys": ["image", "label"], "mode": ["bilinear", "nearest"]}
    post = draft.config["postprocessing"]["transforms"]
    post[1] |= {"keys": ["pred", "label"], "argmax": [True, False], "to_onehot": 2}


def with_joined_lists(draft: Draft) -> None:
    """Transforms put together by an expression."""
    draft.runs_code = True
    steps = draft.steps
    draft.config |= {"first": steps[:2], "second": steps[2:]}
    draft.config["preprocessing"]["transforms"] = "$@first + @second"


def with_disabled_steps(draft: Draft) -> None:
    """A step that another value of the configuration switches off."""
    draft.runs_code = True
    draft.config |= {"raw": False, "resampled": "$(not @raw)"}
    draft.steps.append({"_target_": "ScaleIntensityd", "keys": "image", "maxv": 0.1, "_disabled_": "@resampled"})


def with_windows_larger_than_the_image(draft: Draft) -> None:
    """Windows of 240 voxels."""
    draft.config["inferer"]["roi_size"] = [240, 240, 160]


def blended(draft: Draft) -> None:
    """Gaussian weights, replicated edges, several windows at once."""
    draft.config["inferer"] |= {"mode": "gaussian", "padding_mode": "replicate", "sw_batch_size": 3, "overlap": 0.5}


def at_once(draft: Draft) -> None:
    """The whole image in one look."""
    draft.config["inferer"] = {"_target_": "SimpleInferer"}


def slice_by_slice(draft: Draft) -> None:
    """A network of two dimensions over the slices as they were acquired."""
    draft.config["network_def"] = convolution(dimensions=2)
    draft.config["inferer"] = {"_target_": "SliceInferer", "roi_size": [32, 32], "spatial_dim": 2}
    draft.config["preprocessing"]["transforms"] = draft.steps[:2]
    draft.state = half(dimensions=2)


def flat_without_slices(draft: Draft) -> None:
    """A network of two dimensions that is given a volume by an inferer that does not know of slices."""
    slice_by_slice(draft)
    draft.config["network_def"] |= {"_target_": "torch.nn.Conv2d"}
    draft.config["inferer"] = {"_target_": "SimpleInferer"}
    draft.metadata["network_data_format"] = _format(shape=[256, 256])
    resize = {"_target_": "Resized", "keys": ["image"], "spatial_size": [96, 90], "mode": ["bilinear"]}
    draft.config["preprocessing"]["transforms"].append(resize)


def of_several_files(draft: Draft) -> None:
    """Three phases under keys of their own, put together by the bundle."""
    draft.runs_code = True
    names = ["artery", "vein", "excret"]
    draft.inputs = tuple(names)
    for step in draft.steps:
        step["keys"] = names
    draft.steps.append({"_target_": "ConcatItemsd", "keys": names, "name": "image"})
    draft.config["network_def"], draft.state = convolution(3), half(3)


def of_several_channels(draft: Draft) -> None:
    """Four contrasts as the channels of one image, without an orientation."""
    draft.inputs = ("T1c", "T1", "T2", "FLAIR")
    draft.metadata["network_data_format"] = _format(channels=4, names=draft.inputs, shape=["8*n", "8*n", "8*n"])
    draft.config["preprocessing"]["transforms"] = [draft.steps[0]]
    draft.config["network_def"], draft.state = convolution(4), half(4)


def overlapping(draft: Draft) -> None:
    """Each channel a label of its own; the third is smaller than the first two."""
    draft.runs_code = True
    draft.labels = 3
    state = half(1, 3)
    state["weight"][0], state["bias"][0], state["bias"][2] = 20.0, -10.0, -14.0
    draft.config["network_def"], draft.state = convolution(1, 3), state
    draft.config["postprocessing"]["transforms"] = [
        {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
        {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "nearest_interp": False},
        {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
        {"_target_": "Lambdad", "keys": "pred", "func": "$lambda x: torch.where(x[[2]] > 0, 4, 0)"},
        {"_target_": "SaveImaged", "keys": "pred"},
    ]


def joined_by_own_code(draft: Draft) -> None:
    """Four channels, the first of them background, which a step of the bundle's own makes one map of: the first wins.

    The second channel finds the body, the third a part of it, and the fourth nothing.
    """
    draft.runs_code = True
    draft.labels = 3
    state = half(1, 4)
    state["weight"][0], state["bias"][0] = 20.0, -10.0
    state["bias"][2], state["weight"][3], state["bias"][3] = -14.0, 0.0, -10.0
    draft.config["network_def"], draft.state = convolution(1, 4), state
    draft.metadata["network_data_format"] = _format()
    draft.metadata["network_data_format"]["outputs"]["pred"]["num_channels"] = 4
    draft.files |= {"scripts/__init__.py": "", "scripts/join.py": JOIN.replace("ORDER", "1, 2, 3")}
    draft.config["postprocessing"]["transforms"] = [
        {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
        {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
        {"_target_": "scripts.join.Firstd", "keys": "pred"},
        {"_target_": "SaveImaged", "keys": "pred"},
    ]


JOIN = """\
import torch
from monai.transforms import MapTransform


class Firstd(MapTransform):
    def __call__(self, data):
        masks = data["pred"]
        found = torch.zeros_like(masks[:1])
        for channel in (ORDER):
            found[(found == 0) & (masks[channel : channel + 1] > 0)] = channel
        return {**data, "pred": found}
"""
"""A step that gives each voxel to the first of its labels."""


def one_channel(draft: Draft) -> None:
    """One channel alone: foreground against the rest."""
    state = half()
    draft.config["network_def"] = convolution(1, 1)
    draft.state = {"weight": state["weight"][1:], "bias": state["bias"][1:]}
    draft.config["postprocessing"]["transforms"] = [{"_target_": "Activationsd", "keys": "pred", "sigmoid": True}]
    draft.config["postprocessing"]["transforms"].append({"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5})


def one_channel_by_argmax(draft: Draft) -> None:
    """One channel alone, by a decision that needs two."""
    decided = draft.config["postprocessing"]["transforms"]
    one_channel(draft)
    draft.config["postprocessing"]["transforms"] = decided


def inverted_as_labels(draft: Draft) -> None:
    """Argmax before the way back, by the nearest voxel."""
    post = draft.config["postprocessing"]["transforms"]
    post.insert(2, {"_target_": "Invertd", "keys": "pred", "transform": "x", "nearest_interp": True})


def inverted_between_numbers(draft: Draft) -> None:
    """Argmax before the way back, which would interpolate between numbers of labels."""
    post = draft.config["postprocessing"]["transforms"]
    post.insert(2, {"_target_": "Invertd", "keys": "pred", "transform": "x", "nearest_interp": False})


def cropped_and_padded(draft: Draft) -> None:
    """Spatial steps beyond orientation and spacing: their way back is ours."""
    draft.steps.append({"_target_": "CropForegroundd", "keys": "image", "source_key": "image", "margin": 2})
    draft.steps.append({"_target_": "SpatialPadd", "keys": "image", "spatial_size": [80, 20, 90]})
    draft.steps.append({"_target_": "Flipd", "keys": "image", "spatial_axis": 1})


def spaced_after_scaling(draft: Draft) -> None:
    """Intensities first, then orientation and spacing: the order is kept."""
    draft.steps.insert(2, {"_target_": "ScaleIntensityd", "keys": "image"})


def named_checkpoint(draft: Draft) -> None:
    """Weights inside a dict, with the prefix of a wrapper."""
    draft.runs_code = True
    draft.state = {"epoch": 3, "model": {f"module.{name}": value for name, value in half().items()}}
    draft.config["handlers"] = [{"_target_": "CheckpointLoader", "load_path": "models/model.pt"}]


def own_scripts(draft: Draft) -> None:
    """The network comes from the bundle's own package, which uses a name that numpy no longer has."""
    draft.runs_code = True
    draft.config["network_def"] = {"_target_": "scripts.own.make", "inputs": 1}
    draft.files["scripts/__init__.py"] = ""
    draft.files["scripts/own.py"] = (
        "import numpy as np\nimport torch\n\n\n"
        "def make(inputs):\n    return torch.nn.Conv3d(int(np.product([inputs])), 2, 1)\n"
    )


def architecture_file(draft: Draft) -> None:
    """A searched architecture that must be loaded before the network is made, for a graphics device."""
    draft.runs_code = True
    draft.files["models/search.pt"] = {"outputs": np.array([2])}
    draft.config |= {
        "arch": "$torch.load(@bundle_root + '/models/search.pt', map_location=torch.device('cuda'))",
        "network_def": {**convolution(), "out_channels": "$int(@arch['outputs'][0])"},
    }


def prompted(draft: Draft) -> None:
    """A network that takes points beside the image."""
    draft.runs_code = True
    draft.metadata["network_data_format"] = _format(channels=3, names=("image",))
    draft.steps.append({"_target_": "AddGuidanceSignalDeepEditd", "keys": "image", "guidance": "guidance"})
    state = half()
    weight = torch.cat([state["weight"], torch.full((2, 2, 1, 1, 1), 7.0)], dim=1)
    draft.config["network_def"], draft.state = convolution(3), {"weight": weight, "bias": state["bias"]}


def grey_for_colour(draft: Draft) -> None:
    """A network of colour pictures."""
    draft.metadata["network_data_format"] = _format(channels=3, names=("R", "G", "B"), kind="RGB")
    draft.config["network_def"], draft.state = convolution(3), half(3)


ZOO: dict[str, Callable[[Draft], None]] = {
    made.__name__: made
    for made in (
        plain,
        as_yaml,
        with_everything_around,
        on_cuda_alone,
        with_removed_arguments,
        with_evaluation_keys,
        with_joined_lists,
        with_disabled_steps,
        with_windows_larger_than_the_image,
        blended,
        at_once,
        slice_by_slice,
        flat_without_slices,
        of_several_files,
        of_several_channels,
        overlapping,
        joined_by_own_code,
        one_channel,
        one_channel_by_argmax,
        inverted_as_labels,
        inverted_between_numbers,
        cropped_and_padded,
        spaced_after_scaling,
        named_checkpoint,
        own_scripts,
        architecture_file,
        prompted,
        grey_for_colour,
    )
}


def write_zoo_bundle(folder: Path, pattern: str, change: Callable[[Draft], None] = plain) -> Draft:
    """Write the bundle of ``pattern`` (then changed by ``change``) into ``folder``, which is made."""
    draft = Draft()
    ZOO[pattern](draft)
    change(draft)
    for name in ("models", "configs"):
        (folder / name).mkdir(parents=True)
    torch.save(half() if draft.state is None else draft.state, folder / "models" / "model.pt")
    for name, content in draft.files.items():
        _write(folder / name, content)
    write_json(folder / "configs" / "metadata.json", draft.metadata)
    path = folder / "configs" / ("inference.yaml" if draft.yaml else "inference.json")
    path.write_text(yaml.safe_dump(draft.config)) if draft.yaml else write_json(path, draft.config)
    labels = [{**INSIDE, "value": n + 1, "name": f"Body {n + 1}"} for n in range(draft.labels)]
    entry = {**tiny_entry(digest_of(folder / "models" / "model.pt")), "name": pattern, "labels": labels}
    write_json(folder / "medai.json", entry)
    return draft


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content) if isinstance(content, str) else torch.save(content, path)


def _format(
    *, channels: int = 1, names: tuple[str, ...] = ("image",), shape: list[Any] | None = None, kind: str = "magnitude"
) -> dict[str, Any]:
    entry = {
        "type": "image",
        "format": kind,
        "num_channels": channels,
        "spatial_shape": shape or [96, 96, 96],
        "channel_def": {str(n): name for n, name in enumerate(names)},
    }
    return {"inputs": {"image": entry}, "outputs": {"pred": {"type": "image"}}}
