"""nnU-Net v2's ``plans.json`` and ``dataset.json``, read into a MONAI inference configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicermedai.errors import BundleError

_READERS = {"SimpleITKIO": "SPL", "NibabelIO": "SAR", "NibabelIOWithReorient": "SAR", "Tiff3DIO": "SPL"}
"""The axes that an axial image has after each of nnU-Net's readers: first to last, each by where it runs to."""
_NETWORKS = {"PlainConvUNet": False, "ResidualEncoderUNet": True}
SCHEMES = {
    "CTNormalization",
    "ZScoreNormalization",
    "RescaleTo01Normalization",
    "RGBTo01Normalization",
    "NoNormalization",
}
"""Ways of normalizing that :mod:`slicermedai.bundles.plans_transforms` has."""
_RESAMPLING = "resample_data_or_seg_to_shape"
_PREPROCESSORS = ("DefaultPreprocessor",)
_MODULE = "slicermedai.bundles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """One configuration of a results folder: ``configuration`` is complete, what it inherits included."""

    plans: dict[str, Any]
    dataset: dict[str, Any]
    configuration: dict[str, Any]
    file: Path

    @property
    def channels(self) -> list[str]:
        """What each input channel shows, in the dataset's own words."""
        named = self.dataset.get("channel_names") or self.dataset.get("modality") or {}
        return [str(named[key]) for key in sorted(named, key=int)]

    @property
    def regions(self) -> bool:
        """True where labels overlap: each is a set of values of the training data."""
        return any(isinstance(value, list) for value in self._labels.values())

    @property
    def label_names(self) -> dict[int, str]:
        """Output value, from 1, -> name. Channels of overlapping labels are numbered in the dataset's order."""
        names = [name for name in self._labels if name not in ("background", "ignore")]
        if self.regions:
            return dict(enumerate(names, start=1))
        return {int(self._labels[name]): name for name in names}

    @property
    def outputs(self) -> int:
        """Channels that the network gives."""
        return len(self.label_names) + (0 if self.regions else 1)

    @property
    def _labels(self) -> dict[str, Any]:
        return dict(self.dataset.get("labels") or {})


def plans_of(plans: dict[str, Any], dataset: dict[str, Any], name: str, *, file: Path) -> Plans:
    """The configuration ``name`` of the plans.

    Raises
    ------
    BundleError
        No such configuration; one of a cascade, or with a part that is not known here, by name.
    """
    configuration = _inherited(plans.get("configurations") or {}, name, file)
    found = Plans(plans=plans, dataset=dataset, configuration=configuration, file=file)
    if configuration.get("previous_stage"):
        raise _refused(file, "configurations", f"{name} continues another network's work (a cascade)")
    resampled = [(key, (_RESAMPLING,)) for key in ("resampling_fn_data", "resampling_fn_probabilities")]
    for key, known in (("preprocessor_name", _PREPROCESSORS), *resampled):
        if configuration.get(key, known[0]) not in known:
            raise _refused(file, key, f"{configuration[key]} is not known here")
    schemes = configuration.get("normalization_schemes") or ()
    for scheme in set(schemes) - SCHEMES:
        raise _refused(file, "normalization_schemes", f"{scheme} is not known here")
    if not found.channels or not found.label_names:
        raise _refused(file, "dataset.json", "names no channels or no labels")
    return found


def inference_config(found: Plans, *, mirror: Sequence[int] = ()) -> dict[str, Any]:
    """``configs/inference.json`` of networks by their plans: MONAI's components, and those of this package for plans.

    ``mirror`` has the axes along which mirrored views are averaged.
    """
    return {
        "image_key": "image",
        "network_def": {**network_definition(found), "mirror": list(mirror)},
        "preprocessing": {"_target_": "Compose", "transforms": _preparation(found)},
        "inferer": _inferer([int(n) for n in found.configuration["patch_size"]]),
        "postprocessing": {"_target_": "Compose", "transforms": _finish(found)},
        "scores_back": _scores_back(found),
    }


def network_definition(found: Plans) -> dict[str, Any]:
    """The entry ``network_def``; raises :class:`BundleError` for a network that is not known here."""
    kind, values = _architecture(found.configuration, found.file)
    if kind not in _NETWORKS:
        raise _refused(found.file, "network_class_name", f"networks of kind {kind} are not known here")
    try:
        architecture = _values(found, values, residual=_NETWORKS[kind])
    except (KeyError, TypeError, ValueError) as error:
        raise _refused(found.file, "architecture", f"is incomplete ({error})") from error
    return {"_target_": f"{_MODULE}.plans_network.PlansEnsemble", "architecture": architecture}


def _values(found: Plans, values: dict[str, Any], *, residual: bool) -> dict[str, Any]:
    stages, dimensions = int(values["n_stages"]), len(found.configuration["patch_size"])
    blocks = values["n_blocks_per_stage" if residual else "n_conv_per_stage"]
    return {
        "dimensions": dimensions,
        "residual": residual,
        "in_channels": len(found.channels),
        "out_channels": found.outputs,
        "features": _each(values["features_per_stage"], stages),
        "kernels": [_each(size, dimensions) for size in _each(values["kernel_sizes"], stages)],
        "strides": [_each(size, dimensions) for size in _each(values["strides"], stages)],
        "blocks": _each(blocks, stages),
        "decoder_convs": _each(values["n_conv_per_stage_decoder"], stages - 1),
        "bias": bool(values.get("conv_bias", False)),
        "norm": [_layer(values["norm_op"])[:-2], dict(values.get("norm_op_kwargs") or {})],
        "nonlin": [_layer(values["nonlin"]), dict(values.get("nonlin_kwargs") or {})],
    }


def _architecture(configuration: dict[str, Any], file: Path) -> tuple[str, dict[str, Any]]:
    """(class, its arguments), also of plans written before nnU-Net 2.5, which name the parts one by one."""
    stated = configuration.get("architecture")
    try:
        if stated:
            return _layer(stated["network_class_name"]), dict(stated["arch_kwargs"])
        return str(configuration["UNet_class_name"]), _older(configuration)
    except (KeyError, TypeError) as error:
        raise _refused(file, "architecture", "is missing or incomplete") from error


def _older(configuration: dict[str, Any]) -> dict[str, Any]:
    blocks = list(configuration["n_conv_per_stage_encoder"])
    base, most = configuration["UNet_base_num_features"], configuration["unet_max_num_features"]
    dimensions = len(configuration["patch_size"])
    return {
        "n_stages": len(blocks),
        "features_per_stage": [min(base * 2**n, most) for n in range(len(blocks))],
        "kernel_sizes": configuration["conv_kernel_sizes"],
        "strides": configuration["pool_op_kernel_sizes"],
        "n_conv_per_stage": blocks,
        "n_blocks_per_stage": blocks,
        "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"],
        "conv_bias": True,
        "norm_op": f"InstanceNorm{dimensions}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


def _preparation(found: Plans) -> list[dict[str, Any]]:
    """In nnU-Net's order; its axes are those of its reader (slices first), then its own transposition."""
    statistics = found.plans.get("foreground_intensity_properties_per_channel") or {}
    kwargs = found.configuration.get("resampling_fn_data_kwargs") or {}
    if kwargs.get("is_seg") or kwargs.get("force_separate_z") is not None:
        raise _refused(found.file, "resampling_fn_data_kwargs", "forces a way of resampling that is not known here")
    transforms = f"{_MODULE}.plans_transforms"
    return [
        {"_target_": "LoadImaged", "keys": "@image_key"},
        {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
        {"_target_": "Orientationd", "keys": "@image_key", "axcodes": _axes(found)},
        {"_target_": f"{transforms}.CropToContentd", "keys": "@image_key"},
        {
            "_target_": f"{transforms}.NormalizeByPlansd",
            "keys": "@image_key",
            "schemes": list(found.configuration["normalization_schemes"]),
            "masked": [bool(value) for value in found.configuration["use_mask_for_norm"]],
            "statistics": [dict(statistics.get(str(n), {})) for n in range(len(found.channels))],
        },
        {
            "_target_": f"{transforms}.ResampleByPlansd",
            "keys": "@image_key",
            "spacing": [float(step) for step in found.configuration["spacing"]],
            "order": int(kwargs.get("order", 3)),
            "order_z": int(kwargs.get("order_z", 0)),
        },
    ]


def _axes(found: Plans) -> str:
    reader = found.dataset.get("overwrite_image_reader_writer") or found.plans.get("image_reader_writer", "SimpleITKIO")
    if reader not in _READERS:
        raise _refused(found.file, "image_reader_writer", f"{reader} is not known here")
    return "".join(_READERS[reader][axis] for axis in found.plans.get("transpose_forward", (0, 1, 2)))


def _inferer(patch: list[int]) -> dict[str, Any]:
    module = f"{_MODULE}.plans_windows"
    if len(patch) == 3:
        return {"_target_": f"{module}.PlansWindowInferer", "roi_size": patch}
    return {"_target_": f"{module}.PlansSliceInferer", "roi_size": patch, "spatial_dim": 0}


def _scores_back(found: Plans) -> dict[str, Any]:
    kwargs = found.configuration.get("resampling_fn_probabilities_kwargs") or {}
    if kwargs.get("is_seg") or kwargs.get("force_separate_z") is not None or kwargs.get("order", 1) != 1:
        raise _refused(
            found.file, "resampling_fn_probabilities_kwargs", "bring scores back in a way that is not known here"
        )
    return {
        "spacing": [float(step) for step in found.configuration["spacing"]],
        "order_z": int(kwargs.get("order_z", 0)),
    }


def _finish(found: Plans) -> list[dict[str, Any]]:
    if found.regions:
        return [
            {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
            {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
        ]
    return [{"_target_": "AsDiscreted", "keys": "pred", "argmax": True}]


def _inherited(configurations: dict[str, Any], name: str, file: Path) -> dict[str, Any]:
    """A configuration with what it inherits from others; each may be named once."""
    merged: dict[str, Any] = {}
    for _ in range(len(configurations) + 1):
        own = configurations.get(name)
        if not isinstance(own, dict):
            raise _refused(file, "configurations", f"there is no {name!r} among {', '.join(configurations)}")
        merged = {**own, **merged}
        name = str(own.get("inherits_from") or "")
        if not name:
            return merged
    raise _refused(file, "configurations", "inherit from each other")


def _each(value: Any, count: int) -> list[Any]:
    return list(value) if isinstance(value, Sequence) else [value] * count


def _layer(name: Any) -> str:
    return str(name).rpartition(".")[2]


def _refused(file: Path, attribute: str, reason: str) -> BundleError:
    return BundleError(reason, file=file, attribute=attribute, advice="This nnU-Net model cannot be run by its plans.")
