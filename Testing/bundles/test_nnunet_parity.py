"""nnU-Net's networks and preparation against nnU-Net itself, where its package is at hand.

``peers-nnunet`` among the fetched data is a Python environment with ``nnunetv2``; these tests take minutes, so they run
where ``SLICERMEDAI_PEERS`` is set, and are skipped by name elsewhere.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from slicermedai.bundles.checkpoints import plain_state, read_checkpoint
from slicermedai.bundles.draft import Answers
from slicermedai.bundles.importing import import_bundle
from slicermedai.bundles.manifest import read_manifest
from slicermedai.bundles.plans import inference_config, plans_of
from slicermedai.bundles.plans_network import PlansEnsemble, PlansUNet
from slicermedai.bundles.plans_transforms import CropToContentd, NormalizeByPlansd, ResampleByPlansd
from slicermedai.bundles.plans_windows import even_starts, scores_back, window_weights
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.inference.task import predict
from Testing.bundles.nnunet_folders import dataset, plans, write_results

SPACING = [2.5, 1.0, 1.0]
PEER = Path(__file__).parent / "nnunet_peer.py"


@pytest.fixture(scope="session")
def nnunet_python(data_folder: Path) -> Path:
    """The Python that has nnU-Net."""
    found = data_folder / "peers-nnunet" / "bin" / "python"
    if not found.is_file() or not os.environ.get("SLICERMEDAI_PEERS"):
        pytest.skip("absent: SLICERMEDAI_PEERS, or an environment with nnunetv2 in peers-nnunet")
    return found


def phantom() -> tuple[np.ndarray, np.ndarray]:
    """A bright and a dim ellipsoid in noise with a border of zeros: (1, slices, rows, columns), and its labels."""
    z, y, x = np.meshgrid(np.linspace(-1, 1, 30), np.linspace(-1, 1, 64), np.linspace(-1, 1, 60), indexing="ij")
    truth = np.zeros(z.shape, dtype=np.int16)
    truth[((z + 0.1) / 0.5) ** 2 + ((y + 0.4) / 0.35) ** 2 + (x / 0.5) ** 2 < 1] = 1
    truth[((z - 0.1) / 0.6) ** 2 + ((y - 0.45) / 0.3) ** 2 + ((x - 0.2) / 0.4) ** 2 < 1] = 2
    noise = np.random.default_rng(3).normal(0, 12, z.shape)
    image = np.choose(truth, [-60.0, 120.0, 40.0]) + noise
    image[:, :4] = 0
    image[:2] = 0
    return image[None].astype(np.float32), truth


@pytest.fixture(scope="session")
def peers(nnunet_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Case -> its folder, with what nnU-Net made of it; all in one process, since it takes long to start."""
    image, truth = phantom()
    folders = {case: tmp_path_factory.mktemp("peer") for case in CASES}
    for folder, (plan, data, trained) in zip(folders.values(), CASES.values(), strict=True):
        write_results(folder, plan=plan, data=data, folds=2 if trained else 1)
        np.save(folder / "image.npy", image)
        (folder / "spacing.json").write_text(json.dumps(SPACING))
        if trained:
            np.save(folder / "truth.npy", truth)
    done = subprocess.run(
        [nnunet_python, "-W", "ignore", PEER, *folders.values()], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folders


def prepare(config: dict[str, Any], image: np.ndarray) -> MetaTensor:
    """The configuration's own steps on an image whose axes are nnU-Net's already."""
    data: dict[Any, Any] = {
        "image": MetaTensor(torch.from_numpy(image), affine=torch.diag(torch.tensor([*SPACING, 1.0])))
    }
    kinds = {kind.__name__: kind for kind in (CropToContentd, NormalizeByPlansd, ResampleByPlansd)}
    for step in config["preprocessing"]["transforms"]:
        values = dict(step)
        kind = kinds.get(values.pop("_target_").rpartition(".")[2])
        if kind is not None:
            data = kind(**{**values, "keys": "image"})(data)
    made: MetaTensor = data["image"]
    return made


CASES = {
    "plain, CT": (plans(), dataset(), True),
    "residual, z-score": (
        plans(residual=True, normalization_schemes=["ZScoreNormalization"]),
        dataset(channel_names={"0": "MRI"}),
        False,
    ),
    "masked z-score, isotropic": (
        plans(normalization_schemes=["ZScoreNormalization"], use_mask_for_norm=[True], spacing=[2.0, 1.7, 1.7]),
        dataset(channel_names={"0": "MRI"}),
        False,
    ),
    "slices far apart": (plans(spacing=[6.0, 1.2, 1.2]), dataset(), False),
}


@pytest.mark.fetched
@pytest.mark.parametrize("case", CASES)
def test_networks_and_preparation_are_those_of_nnunet(peers: dict[str, Path], case: str) -> None:
    plan, data, _ = CASES[case]
    results = next(peers[case].glob("*__*__*"))
    peer, names = np.load(peers[case] / "peer.npz"), json.loads((peers[case] / "names.json").read_text())
    config = inference_config(plans_of(plan, data, "3d_fullres", file=results))
    network = PlansUNet(config["network_def"]["architecture"])
    own = [name for name in names if ".all_modules." not in name and not name.startswith("decoder.encoder.")]
    assert sorted(network.state_dict()) == sorted(own)
    state = plain_state(read_checkpoint(results / "fold_0" / "checkpoint_final.pth")["network_weights"], file=results)
    network.load_state_dict(state, strict=True)
    with torch.no_grad():
        scores = network.eval()(torch.from_numpy(peer["patch"])).numpy()
    prepared = np.asarray(prepare(config, phantom()[0]))
    assert prepared.shape == peer["prepared"].shape
    print(
        f"\n{case}: forward {np.abs(scores - peer['scores']).max():.1e},"
        f" preparation {np.abs(prepared - peer['prepared']).max():.1e} of {np.ptp(prepared):.1f}"
    )
    np.testing.assert_allclose(scores, peer["scores"], atol=1e-5)
    np.testing.assert_allclose(prepared, peer["prepared"], atol=2e-4)


@pytest.mark.fetched
def test_the_whole_prediction_is_that_of_nnunet(peers: dict[str, Path], own_home: Path) -> None:
    """Two folds and eight mirrored views, on a network that was trained on the phantom for some steps."""
    case = next(case for case, (_, _, trained) in CASES.items() if trained)
    ref = import_bundle(next(peers[case].glob("*__*__*")), Answers(name="phantom"))
    peer, (_, truth) = np.load(peers[case] / "peer.npz")["labels"], phantom()
    by_plans, by_engine = _predicted_by_plans(ref), _predicted_by_engine(ref)
    found = [value for value in (1, 2) if (peer == value).any()]
    assert found, "the trained network finds nothing"
    assert not set(np.unique(by_plans)) - {0, *found}
    for value in found:
        plans_dice, engine_dice = (_dice(labels, peer, value) for labels in (by_plans, by_engine))
        right = _dice(truth, peer, value)
        print(
            f"\nlabel {value}: Dice {plans_dice:.5f} by the plans, {engine_dice:.5f} by the engine; truth {right:.3f}"
        )
        assert plans_dice >= 0.999
        assert engine_dice >= 0.98, "windows and the way back are MONAI's there"


def _dice(first: np.ndarray, second: np.ndarray, value: int) -> float:
    one, other = first == value, second == value
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def _predicted_by_engine(ref: BundleRef) -> np.ndarray:
    """The library's own run on an axial image: slices upwards, rows to the back, columns to the left."""
    image, _ = phantom()
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]], affine[3, 3] = SPACING, 1
    geometry = Geometry(shape=(30, 64, 60), affine=affine)
    return predict(ref, Volume(array=image[0], geometry=geometry, modality="CT", unit="HU")).label_map.array


def _predicted_by_plans(ref: BundleRef) -> np.ndarray:
    """The bundle's own parts, put together as nnU-Net does: even windows, scores brought back, labels last."""
    image, _ = phantom()
    config = read_manifest(Path(ref.path)).config
    settings = {key: value for key, value in config["network_def"].items() if key != "_target_"}
    network = PlansEnsemble(**settings).eval()
    network.load_state_dict(torch.load(Path(ref.path) / ref.weights, weights_only=True), strict=True)
    prepared, roi = torch.as_tensor(np.asarray(prepare(config, image)))[None], config["inferer"]["roi_size"]
    weights = torch.from_numpy(window_weights(roi))
    total, count = torch.zeros(1, 3, *prepared.shape[2:]), torch.zeros(prepared.shape[2:])
    for place in itertools.product(*(even_starts(n, r) for n, r in zip(prepared.shape[2:], roi, strict=True))):
        inside = tuple(slice(a, a + n) for a, n in zip(place, roi, strict=True))
        with torch.no_grad():
            total[(..., *inside)] += network(prepared[(..., *inside)]) * weights
        count[inside] += weights
    content = np.argwhere(image[0] != 0)
    low, high = content.min(axis=0), content.max(axis=0) + 1
    scores = scores_back((total / count)[0].numpy(), high - low, present=[3.0, 1.5, 1.5], wanted=SPACING)
    labels = np.zeros(image.shape[1:], dtype=np.int16)
    labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = scores.argmax(axis=0)
    return labels
