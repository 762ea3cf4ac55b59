"""Run by a Python that has nnU-Net: its network, its preparation and its whole prediction, for comparison.

``python nnunet_peer.py FOLDER ...``: each FOLDER holds a results folder, ``image.npy`` (channels, slices, rows,
columns) float32 and ``spacing.json``. With ``truth.npy`` the network is trained for some steps, and the whole
prediction is made. It writes ``peer.npz`` and ``names.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

torch.set_num_threads(2)


def main(folder: Path) -> None:
    """Prepare, train a little, predict."""
    results = next(folder.glob("*__*__*"))
    dataset = json.loads((results / "dataset.json").read_text())
    manager = PlansManager(json.loads((results / "plans.json").read_text()))
    configuration = manager.get_configuration(results.name.split("__")[-1])
    image, spacing = np.load(folder / "image.npy"), json.loads((folder / "spacing.json").read_text())
    prepared, _, properties = DefaultPreprocessor(verbose=False).run_case_npy(
        image.copy(), None, {"spacing": list(spacing)}, manager, configuration, dataset
    )
    network = network_of(manager, configuration, dataset)
    network.load_state_dict(read(results, "fold_0")["network_weights"], strict=False)
    if (folder / "truth.npy").is_file():
        train(network, prepared, resized_truth(folder, properties, prepared.shape[1:], spacing, configuration))
        save(results, network)
    patch = torch.from_numpy(crop(prepared, configuration.patch_size))[None].float()
    with torch.no_grad():
        scores = network.eval()(patch).numpy()
    labels = predict(results, image, spacing) if (folder / "truth.npy").is_file() else np.zeros(0)
    np.savez(folder / "peer.npz", prepared=prepared, patch=patch.numpy(), scores=scores, labels=labels)
    (folder / "names.json").write_text(json.dumps(list(network.state_dict())))


def network_of(manager: Any, configuration: Any, dataset: dict[str, Any]) -> torch.nn.Module:
    """nnU-Net's own network, made by its plans."""
    outputs = manager.get_label_manager(dataset).num_segmentation_heads
    network: torch.nn.Module = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        len(dataset["channel_names"]),
        outputs,
        deep_supervision=False,
    )
    return network


def train(network: torch.nn.Module, prepared: np.ndarray, truth: np.ndarray) -> None:
    """A few steps on the phantom itself, so that the network knows what it is sure of."""
    torch.manual_seed(0)
    flat = next(network.parameters()).dim() == 4
    images, labels = torch.from_numpy(prepared)[None].float(), torch.from_numpy(truth)[None].long()
    if flat:  # slices are the batch
        images, labels = images[0].transpose(0, 1), labels[0]
    inside = tuple(slice(n // 4 * 4) for n in labels.shape[1:])
    images, labels = images[(..., *inside)], labels[(..., *inside)]
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    weight = torch.tensor([0.2, 1.0, 1.0])
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network.train()(images), labels, weight=weight).backward()
        optimizer.step()


def resized_truth(folder: Path, properties: Any, shape: Any, spacing: Any, configuration: Any) -> np.ndarray:
    """The phantom's labels on the network's grid, by nearest neighbours."""
    box = tuple(slice(a, b) for a, b in properties["bbox_used_for_cropping"])
    truth = np.load(folder / "truth.npy")[box]
    places = [((np.arange(n) + 0.5) * old / n).astype(int) for n, old in zip(shape, truth.shape, strict=True)]
    return truth[np.ix_(*places)]


def predict(results: Path, image: np.ndarray, spacing: list[float]) -> np.ndarray:
    """nnU-Net's whole prediction, all folds, with the mirrored views that the trainer allows."""
    predictor = nnUNetPredictor(use_mirroring=True, device=torch.device("cpu"), perform_everything_on_device=False)
    folds = tuple(int(fold.name[5:]) for fold in sorted(results.glob("fold_*")))
    predictor.initialize_from_trained_model_folder(str(results), folds, "checkpoint_final.pth")
    labels: np.ndarray = predictor.predict_single_npy_array(image, {"spacing": spacing}, None, None, False)
    return labels


def crop(prepared: np.ndarray, patch: list[int]) -> np.ndarray:
    """A patch of the network's size from the corner, filled up with zeros."""
    size = patch if len(patch) == 3 else [1, *patch]
    cut = prepared[:, : size[0], : size[1], : size[2]]
    filled = np.zeros((len(cut), *size), dtype=np.float32)
    filled[:, : cut.shape[1], : cut.shape[2], : cut.shape[3]] = cut
    return filled if len(patch) == 3 else filled[:, 0]


def read(results: Path, fold: str) -> dict[str, Any]:
    """A checkpoint that the test wrote."""
    body: dict[str, Any] = torch.load(results / fold / "checkpoint_final.pth", weights_only=False)
    return body


def save(results: Path, network: torch.nn.Module) -> None:
    """The trained weights into all folds, as nnU-Net's trainer writes them."""
    for fold in sorted(results.glob("fold_*")):
        body = {**read(results, fold.name), "network_weights": network.state_dict()}
        torch.save(body, fold / "checkpoint_final.pth")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(Path(argument))
