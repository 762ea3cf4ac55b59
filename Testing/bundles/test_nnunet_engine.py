"""The engine's labels of models by their plans are those of nnU-Net's own way, written anew for comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from slicermedai.bundles.draft import Answers
from slicermedai.bundles.importing import import_bundle
from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.bundles.plans_network import PlansEnsemble
from slicermedai.bundles.plans_transforms import CropToContentd, NormalizeByPlansd, ResampleByPlansd
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.inference.task import Prediction, RunSettings, predict
from slicermedai.inference.windows import WindowPlan
from Testing.bundles.nnunet_folders import dataset, plans, write_results
from Testing.bundles.nnunet_reference import bell, brought_back, places, scores_of_windows

REGIONS = dataset(labels={"background": 0, "whole tumor": [1, 2], "edema": [2]}, regions_class_order=[1, 2])
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[float], tuple[int, int, int]]] = {
    "several windows along each axis": (plans(patch=(8, 16, 16)), dataset(), [2.5, 1.0, 1.0], (26, 44, 52)),
    "an image smaller than a patch": (plans(), dataset(), [2.5, 1.0, 1.0], (12, 30, 60)),
    "slices far apart": (plans(spacing=[6.0, 1.2, 1.2]), dataset(), [2.5, 1.0, 1.0], (40, 44, 40)),
    "a source of thick slices": (plans(patch=(8, 16, 16)), dataset(), [7.0, 1.0, 1.0], (9, 44, 40)),
    "regions that overlap": (plans(patch=(8, 16, 16)), REGIONS, [2.5, 1.0, 1.0], (20, 40, 40)),
    "slices alone": (plans(patch=(32, 32)), dataset(), [2.5, 1.0, 1.0], (9, 60, 52)),
}


def axial(array: np.ndarray, spacing: list[float]) -> Volume:
    """Slices upwards, rows to the back, columns to the left: the axes that nnU-Net sees."""
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]], affine[3, 3] = spacing, 1
    geometry = Geometry(shape=array.shape, affine=affine)
    return Volume(array=array, geometry=geometry, modality="CT", unit="HU")


def blobs(shape: tuple[int, int, int]) -> np.ndarray:
    """Smooth structures with a border of zeros."""
    from scipy import ndimage

    values = ndimage.gaussian_filter(np.random.default_rng(4).normal(0, 1, shape), (1, 3, 3))
    values = np.rint(values / values.std() * 90 + 40)
    values[:1] = values[:, :3] = values[:, :, :2] = 0
    return values.astype(np.float32)


def reference(manifest: Manifest, image: np.ndarray, spacing: list[float], folds: list[str]) -> np.ndarray:
    """Scores (classes, slices, rows, columns) on the grid of ``image``; -inf outside of what is not zero."""
    config = manifest.config
    settings = {key: value for key, value in config["network_def"].items() if key != "_target_"}
    members = [PlansEnsemble(**settings).eval() for _ in folds]
    for member, fold in zip(members, folds, strict=True):
        weights = Path(manifest.ref.path) / "models" / f"fold_{fold}.pt"
        member.load_state_dict(torch.load(weights, weights_only=True), strict=True)
    patch = config["inferer"]["roi_size"]
    flat = len(patch) == 2

    def network(window: np.ndarray) -> np.ndarray:
        given = torch.from_numpy(window)[None]
        with torch.no_grad():
            made = torch.stack([one(given[:, :, 0] if flat else given)[0] for one in members]).mean(dim=0)
        return (made[:, None] if flat else made).numpy()

    scores = scores_of_windows(prepared(config, image, spacing), [1, *patch] if flat else patch, network)
    content = np.argwhere(image != 0)
    low, high = content.min(axis=0), content.max(axis=0) + 1
    own = config["preprocessing"]["transforms"][-1]["spacing"]
    brought = brought_back(scores, high - low, [spacing[0], *own] if flat else own, spacing)
    whole = np.full((len(brought), *image.shape), -np.inf)
    whole[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))] = brought
    return whole


def prepared(config: dict[str, Any], image: np.ndarray, spacing: list[float]) -> np.ndarray:
    """The image as the network sees it; held against nnU-Net itself in ``test_nnunet_parity``."""
    affine = torch.diag(torch.tensor([*spacing, 1.0], dtype=torch.float64))
    data: dict[Any, Any] = {"image": MetaTensor(torch.from_numpy(image)[None], affine=affine)}
    kinds = {kind.__name__: kind for kind in (CropToContentd, NormalizeByPlansd, ResampleByPlansd)}
    for step in config["preprocessing"]["transforms"]:
        values = dict(step)
        kind = kinds.get(values.pop("_target_").rpartition(".")[2])
        data = data if kind is None else kind(**{**values, "keys": "image"})(data)
    return np.asarray(data["image"])


def mask_of(made: Prediction, value: int) -> np.ndarray:
    """The voxels of one label."""
    found = next((one.region for one in made.regions if one.value == value), None)
    assert found is None or isinstance(found, Mask | PackedMask)
    return np.zeros(made.label_map.geometry.shape, bool) if found is None else found.to_array()


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize("case", CASES)
def test_labels_are_those_of_nnunets_own_way(case: str, tmp_path: Path, own_home: Path) -> None:
    plan, data, spacing, shape = CASES[case]
    ref = import_bundle(write_results(tmp_path / "d", plan=plan, data=data), Answers(name="x", mirror=False))
    image, manifest = blobs(shape), read_manifest(Path(ref.path))
    made = predict(ref, axial(image, spacing), settings=RunSettings(device="cpu"))
    scores = reference(manifest, image, spacing, ["0"])
    labels = scores.argmax(axis=0) * np.isfinite(scores[0])
    for value, _ in ref.labels:
        expected = scores[value - 1] > 0 if manifest.overlapping else labels == value
        assert 0.01 < expected.mean() < 0.9, "a case that shows nothing"
        assert dice(expected, mask_of(made, value)) >= 0.9995


def test_all_folds_are_the_mean_of_their_logits(tmp_path: Path, own_home: Path) -> None:
    plan = plans(patch=(8, 16, 16))
    ref = import_bundle(write_results(tmp_path / "d", plan=plan, folds=3), Answers(name="x", mirror=False))
    image, manifest, spacing = blobs((20, 40, 40)), read_manifest(Path(ref.path)), [2.5, 1.0, 1.0]
    for asked, names in {"": ["0"], "2": ["2"], "fold_1, 0": ["1", "0"], "all": ["0", "1", "2"]}.items():
        made = predict(ref, axial(image, spacing), settings=RunSettings(device="cpu", folds=asked))
        scores = reference(manifest, image, spacing, names)
        labels = scores.argmax(axis=0) * np.isfinite(scores[0])
        assert made.folds == tuple(names)
        assert min(dice(labels == value, made.label_map.array == value) for value in (1, 2)) >= 0.9995


@pytest.mark.parametrize("size", [*range(16, 70, 5), 128])
def test_windows_lie_and_weigh_as_described(size: int) -> None:
    plan = WindowPlan(roi=(16, 15, 1), overlap=(0.5, 0.5, 0.5), mode="impulse", even=True)
    starts = plan.starts((size, size, 5))
    assert starts == (places(size, 16), places(size, 15), [0, 1, 2, 3, 4])
    assert max(b - a for a, b in zip(starts[0], starts[0][1:], strict=False)) <= 8 if len(starts[0]) > 1 else True
    weights = plan.weights()
    assert weights is not None
    np.testing.assert_allclose(weights.numpy(), bell((16, 15, 1)), rtol=1e-5, atol=1e-9)
