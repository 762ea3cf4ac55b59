"""nnU-Net results folders with random weights, as its trainer leaves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from slicermedai.bundles.plans import network_definition, plans_of
from slicermedai.bundles.plans_network import PlansUNet

STATISTICS = {"mean": 40.0, "std": 60.0, "percentile_00_5": -150.0, "percentile_99_5": 250.0, "min": -1000.0}


def plans(*, residual: bool = False, patch: tuple[int, ...] = (16, 32, 32), **changes: Any) -> dict[str, Any]:
    """Plans of a small network: three resolutions, an anisotropic first one."""
    dims = len(patch)
    small, big = [1] * (dims - 2) + [3, 3], [3] * dims
    counts = {"n_blocks_per_stage": [1, 2, 2]} if residual else {"n_conv_per_stage": [2, 2, 2]}
    kwargs = {
        "n_stages": 3,
        "features_per_stage": [4, 8, 12],
        "conv_op": f"torch.nn.modules.conv.Conv{dims}d",
        "kernel_sizes": [small, big, big],
        "strides": [[1] * dims, [1] * (dims - 2) + [2, 2], [2] * dims],
        **counts,
        "n_conv_per_stage_decoder": [2, 1] if not residual else [1, 1],
        "conv_bias": True,
        "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dims}d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    name = "ResidualEncoderUNet" if residual else "PlainConvUNet"
    configuration = {
        "data_identifier": "x",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": list(patch),
        "median_image_size_in_voxels": [24, 40, 40],
        "spacing": [3.0, 1.5, 1.5][3 - dims :],
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
        "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None},
        "architecture": {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{name}",
            "arch_kwargs": kwargs,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
        "batch_dice": False,
        **changes,
    }
    return {
        "dataset_name": "Dataset001_Phantom",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [3.0, 1.5, 1.5],
        "original_median_shape_after_transp": [24, 40, 40],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"3d_fullres" if dims == 3 else "2d": configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": STATISTICS},
    }


def dataset(**changes: Any) -> dict[str, Any]:
    """``dataset.json`` of a CT with two organs."""
    return {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "spleen": 1, "kidney_left": 2},
        "numTraining": 2,
        "file_ending": ".nii.gz",
        **changes,
    }


def checkpoint_of(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """What nnU-Net's trainer saves: weights with repeated names, its own state, and numbers of numpy."""
    flat = max(value.dim() for value in state.values()) == 4
    repeated = {f"decoder.{name}": value for name, value in state.items() if name.startswith("encoder.")}
    doubled = {name.replace(".conv.weight", ".all_modules.0.weight"): v for name, v in state.items()}
    return {
        "network_weights": {**state, **repeated, **doubled},
        "optimizer_state": {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.01}]},
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [np.float64(0.5)], "dice_per_class_or_region": [[np.float32(0.5), 0.4]]},
        "_best_ema": np.float64(0.5),
        "current_epoch": 3,
        "init_args": {"configuration": "2d" if flat else "3d_fullres", "fold": 0, "device": torch.device("cpu")},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1) if flat else (0, 1, 2),
    }


def write_results(
    folder: Path, *, folds: int = 1, plan: dict[str, Any] | None = None, data: dict[str, Any] | None = None
) -> Path:
    """A results folder ``folder``/nnUNetTrainer__nnUNetPlans__3d_fullres with random weights."""
    plan, data = plan or plans(), data or dataset()
    name = next(iter(plan["configurations"]))
    results = folder / f"nnUNetTrainer__nnUNetPlans__{name}"
    results.mkdir(parents=True)
    (results / "plans.json").write_text(json.dumps(plan))
    (results / "dataset.json").write_text(json.dumps(data))
    definition = network_definition(plans_of(plan, data, name, file=results / "plans.json"))
    for fold in range(folds):
        torch.manual_seed(fold)
        (results / f"fold_{fold}").mkdir()
        state = PlansUNet(definition["architecture"]).state_dict()
        torch.save(checkpoint_of(state), results / f"fold_{fold}" / "checkpoint_final.pth")
    return results
