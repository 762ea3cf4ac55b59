"""Folders as Auto3DSeg leaves them, and its own way of going from an image to labels, written anew for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInfererAdapt
from monai.transforms import (
    Compose,
    ConcatItemsd,
    CropForegroundd,
    Invertd,
    Lambdad,
    NormalizeIntensityd,
    Orientationd,
    ResampleToMatchd,
    ScaleIntensityRanged,
    Spacingd,
)

from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.inference.metatensor import FLIP

LABELS = "LabelValue,Name," + ",".join(
    f"{part}.{field}"
    for part in (
        "SegmentedPropertyCategoryCodeSequence",
        "SegmentedPropertyTypeCodeSequence",
        "SegmentedPropertyTypeModifierCodeSequence",
        "AnatomicRegionSequence",
        "AnatomicRegionModifierSequence",
    )
    for field in ("CodingSchemeDesignator", "CodeValue", "CodeMeaning")
)
"""The header of ``labels.csv`` in the models that are published for Slicer."""
ANATOMY = "SCT,123037004,Anatomical Structure"
LESION = "SCT,49755003,Morphologically Altered Structure"


def training(**changes: Any) -> dict[str, Any]:
    """What a checkpoint says of how it was trained, with the keys that Auto3DSeg's segresnet writes."""
    network = {
        "_target_": "SegResNetDS",
        "init_filters": 8,
        "blocks_down": [1, 1],
        "norm": "INSTANCE",
        "in_channels": 1,
        "out_channels": 3,
        "dsdepth": 2,
        **changes.pop("network", {}),
    }
    return {
        "bundle_root": "/elsewhere/segresnet_0",
        "ckpt_path": "/elsewhere/segresnet_0/model",
        "modality": "ct",
        "input_channels": network["in_channels"],
        "output_classes": network["out_channels"],
        "class_names": [f"acc_{number}" for number in range(network["out_channels"] - 1)],
        "class_index": None,
        "extra_modalities": {},
        "roi_size": [32, 32, 24],
        "orientation_ras": True,
        "crop_foreground": True,
        "sigmoid": False,
        "resample": True,
        "resample_resolution": [1.5, 1.5, 2.0],
        "normalize_mode": "range",
        "intensity_bounds": [-250.0, 250.0],
        "network": network,
        "infer": {"enabled": False, "ckpt_name": None},
        **changes,
    }


def network_of(config: dict[str, Any], *, seed: int = 0) -> torch.nn.Module:
    """A network of random weights whose labels are blobs: its last layer is turned up."""
    torch.manual_seed(seed)
    network: torch.nn.Module = ConfigParser(config["network"]).get_parsed_content()
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("head.weight"):
                value.mul_(20)
    return network.eval()


def write_model(
    folder: Path, config: dict[str, Any], *, labels: Sequence[str] = (), state: dict[str, Any] | None = None
) -> Path:
    """``model.pt`` and, with rows for it, ``labels.csv``: a folder as it is published for Slicer."""
    folder.mkdir(parents=True)
    body = {"state_dict": state or network_of(config).state_dict(), "config": config, "epoch": 3}
    torch.save({**body, "best_metric": np.float64(0.5)}, folder / "model.pt")
    if labels:
        (folder / "labels.csv").write_text("\n".join([LABELS, *labels]) + "\n")
    return folder


SWIN: dict[str, dict[str, Any]] = {
    "hyper_parameters.yaml": {
        "bundle_root": "/elsewhere/swinunetr_0",
        "fold": 0,
        "ckpt_path": "$@bundle_root + '/model_fold' + str(@fold)",
        "transforms": {"resample_resolution": "$@resample_resolution", "lazy_resampling": False},
        "input_channels": 1,
        "output_classes": 3,
        "overlap_ratio": 0.125,
        "overlap_ratio_final": 0.625,
        "roi_size_valid": [64, 64, 64],
        "resample_resolution": [2.0, 2.0, 2.0],
        "softmax": True,
        "optimizer": {"_target_": "torch.optim.AdamW", "lr": "@learning_rate"},
        "infer": {"ckpt_name": "$@bundle_root + '/model_fold' + str(@fold) + '/best_metric_model.pt'"},
    },
    "network.yaml": {
        "network": {
            "_target_": "SwinUNETR",
            "img_size": "@roi_size_valid",
            "feature_size": 12,
            "in_channels": "@input_channels",
            "out_channels": "@output_classes",
            "spatial_dims": 3,
            "use_checkpoint": False,
            "use_v2": False,
        }
    },
    "transforms_infer.yaml": {
        "image_key": "image",
        "transforms_infer": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "@image_key", "image_only": True},
                {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
                {
                    "_target_": "Compose",
                    "transforms": [
                        {
                            "_target_": "ScaleIntensityRanged",
                            "keys": "@image_key",
                            "a_min": -250.0,
                            "a_max": 250.0,
                            "b_min": 0.0,
                            "b_max": 1.0,
                            "clip": True,
                        },
                        {
                            "_target_": "CropForegroundd",
                            "keys": "@image_key",
                            "source_key": "@image_key",
                            "allow_smaller": True,
                        },
                    ],
                },
                {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "RAS"},
                {
                    "_target_": "Spacingd",
                    "keys": "@image_key",
                    "pixdim": "$@transforms#resample_resolution",
                    "mode": "bilinear",
                    "align_corners": True,
                },
                {"_target_": "CastToTyped", "keys": "@image_key", "dtype": "$torch.float32"},
            ],
        },
    },
}
"""The configurations of a member that Auto3DSeg's swinunetr trained on CT; its network is smaller here."""


def swin_network() -> torch.nn.Module:
    """A network of random weights for :data:`SWIN`."""
    torch.manual_seed(3)
    stated = {key: value for key, value in SWIN["network.yaml"]["network"].items() if key != "img_size"}
    network: torch.nn.Module = ConfigParser(
        {"network": {**stated, "in_channels": 1, "out_channels": 3}}
    ).get_parsed_content("network")
    return network.eval()


def write_configs(folder: Path, configs: dict[str, dict[str, Any]], state: dict[str, Any], *, fold: int = 0) -> Path:
    """A member as Auto3DSeg leaves it, whose training stands beside its weights."""
    import yaml

    for name, body in configs.items():
        (folder / "configs").mkdir(parents=True, exist_ok=True)
        (folder / "configs" / name).write_text(yaml.safe_dump(body))
    (folder / f"model_fold{fold}").mkdir(parents=True)
    torch.save(state, folder / f"model_fold{fold}" / "best_metric_model.pt")
    return folder


def swin_probabilities(network: torch.nn.Module, image: MetaTensor) -> torch.Tensor:
    """(channels, column, row, slice) on the image's grid, as that member brings them back."""
    bounds = {"a_min": -250.0, "a_max": 250.0, "b_min": 0.0, "b_max": 1.0}
    steps = Compose(
        [
            ScaleIntensityRanged("image", **bounds, clip=True),
            CropForegroundd("image", source_key="image", allow_smaller=True),
            Orientationd("image", axcodes="RAS", labels=None),
            Spacingd("image", pixdim=[2.0, 2.0, 2.0], mode="bilinear", align_corners=True),
        ]
    )
    data = steps({"image": image})
    slide = SlidingWindowInfererAdapt([64, 64, 64], sw_batch_size=1, overlap=0.625, mode="gaussian")
    with torch.no_grad():
        scores = torch.softmax(slide(data["image"].as_tensor()[None], network)[0], dim=0)
    data["pred"] = MetaTensor(scores, meta=data["image"].meta, applied_operations=data["image"].applied_operations)
    back: torch.Tensor = Invertd("pred", orig_keys="image", transform=steps, nearest_interp=False)(data)["pred"]
    return back.as_tensor()


class BySlices(torch.nn.Module):
    """A network of two dimensions over the slices of a volume, as Auto3DSeg's segresnet2d wraps it."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, column, row, slice) to scores of the same size."""
        scores = [self.net(x[..., number]) for number in range(x.shape[-1])]
        return torch.stack(scores, dim=-1)


def row(value: int, name: str, codes: str) -> str:
    """One row of ``labels.csv``; ``codes`` are the category and type."""
    return f"{value},{name},{codes}" + "," * 9


TWO = (row(1, "liver", f"{ANATOMY},SCT,10200004,Liver"), row(2, "spleen", f"{ANATOMY},SCT,78961009,Spleen"))


def loaded(volume: Volume) -> MetaTensor:
    """An image as MONAI's loader hands it on: (1, column, row, slice) and an affine to RAS+ in mm."""
    affine = FLIP @ volume.geometry.permuted((2, 1, 0)).affine
    return MetaTensor(torch.from_numpy(volume.array.astype(np.float32).T.copy())[None], affine=affine)


def preparation(config: dict[str, Any]) -> Compose:
    """Auto3DSeg's segresnet's transforms of images in memory."""
    extra = config["extra_modalities"]
    flat = config["network"].get("spatial_dims") == 2
    turned = bool(config.get("orientation_ras")) and not flat
    steps: list[Any] = [Orientationd("image", axcodes="RAS", labels=None)] if turned else []
    if config.get("crop_foreground", True) and not extra:
        steps.append(CropForegroundd("image", source_key="image", margin=10, allow_smaller=True))
    if config["resample"]:
        pixdim = config["resample_resolution"]
        bounds = {"min_pixdim": np.array(pixdim) * 0.75, "max_pixdim": np.array(pixdim) * 1.25}
        pixdim = [*pixdim[:2], -1] if flat else pixdim
        steps.append(Spacingd("image", pixdim=pixdim, mode="bilinear", dtype=torch.float, **bounds))
    steps += [ResampleToMatchd(key, key_dst="image", dtype=np.float32) for key in extra]
    for key, mode in {"image": config["normalize_mode"], **extra}.items():
        steps += _scaling(key, mode, config["intensity_bounds"])
    return Compose([*steps, *([ConcatItemsd(["image", *extra], name="image")] if extra else [])])


def _scaling(key: str, mode: str, bounds: Sequence[float]) -> list[Any]:
    if mode in ("range", "ct"):
        a_min, a_max = bounds
        return [
            ScaleIntensityRanged(key, a_min=a_min, a_max=a_max, b_min=-1, b_max=1, clip=False),
            Lambdad(key, func=torch.sigmoid),
        ]
    own = NormalizeIntensityd(key, nonzero=True, channel_wise=True)
    return {
        "none": [],
        "meanstd": [own],
        "mri": [own],
        "meanstdtanh": [own, Lambdad(key, func=lambda x: 3 * torch.tanh(x / 3))],
        "pet": [Lambdad(key, func=lambda x: torch.sigmoid((x - x.min()) / x.std()))],
    }[mode]


def probabilities(config: dict[str, Any], network: torch.nn.Module, images: dict[str, MetaTensor]) -> torch.Tensor:
    """(channels, column, row, slice) on the grid of the first image, as Auto3DSeg brings them back: linearly."""
    steps = preparation(config)
    data = steps(images)
    overlap = [0.625, 0.625, 0.0] if config["network"].get("spatial_dims") == 2 else 0.625
    slide = SlidingWindowInfererAdapt(config["roi_size"], sw_batch_size=1, overlap=overlap, mode="gaussian")
    with torch.no_grad():
        logits = slide(data["image"].as_tensor()[None], network)[0]
    scores = torch.sigmoid(logits) if config["sigmoid"] else torch.softmax(logits, dim=0)
    data["pred"] = MetaTensor(scores, meta=data["image"].meta, applied_operations=data["image"].applied_operations)
    back = Invertd("pred", orig_keys="image", transform=steps, nearest_interp=False)(data)["pred"]
    return back.as_tensor()


def labels_of(scores: torch.Tensor) -> np.ndarray:
    """(slice, row, column) values of the most probable class."""
    return scores.argmax(dim=0).numpy().T


def blobs(shape: tuple[int, int, int], *, spacing: tuple[float, float, float], seed: int = 4, **more: Any) -> Volume:
    """Smooth structures of -300 to 300 in air; ``spacing`` in mm along (slice, row, column)."""
    from scipy import ndimage

    values = ndimage.gaussian_filter(np.random.default_rng(seed).normal(0, 1, shape), (1.5, 3, 3))
    values = np.rint(values / values.std() * 120)
    inner = np.zeros(shape, dtype=bool)
    inner[2:-2, 6:-6, 6:-6] = True
    return Volume(
        array=np.where(inner, values, -1000).astype(np.float32),
        geometry=Geometry.from_axes(shape, spacing=spacing),
        **{"modality": "CT", **more},
    )
