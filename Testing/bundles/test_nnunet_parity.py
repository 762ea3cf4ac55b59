"""nnU-Net's networks and preparation against nnU-Net itself, where its package is at hand.

``peers-nnunet`` among the fetched data is a Python environment with ``nnunetv2``; these tests take minutes, so they run
where ``SLICERMEDAI_PEERS`` is set, and are skipped by name elsewhere.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from slicermedai.bundles.checkpoints import plain_state, read_checkpoint
from slicermedai.bundles.draft import Answers
from slicermedai.bundles.importing import import_bundle
from slicermedai.bundles.plans import inference_config, plans_of
from slicermedai.bundles.plans_network import PlansUNet
from slicermedai.bundles.plans_transforms import CropToContentd, NormalizeByPlansd, ResampleByPlansd
from slicermedai.inference.task import RunSettings, predict
from Testing.bundles.nnunet_folders import dataset, plans, write_results
from Testing.bundles.test_nnunet_engine import axial, dice

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
def peers(nnunet_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Case -> its folder, with what nnU-Net made of it, once it is asked for."""

    @cache
    def made(case: str) -> Path:
        folder, (image, truth) = tmp_path_factory.mktemp("peer"), phantom()
        plan, data, trained = CASES[case]
        write_results(folder, plan=plan, data=data, folds=2 if trained else 1)
        np.save(folder / "image.npy", image)
        (folder / "spacing.json").write_text(json.dumps(SPACING))
        if trained:
            np.save(folder / "truth.npy", truth)
        command = [nnunet_python, "-W", "ignore", PEER, folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-2000:]
        return folder

    return made


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
    "slices far apart": (plans(spacing=[6.0, 1.2, 1.2]), dataset(), True),
    "windows that step unevenly": (plans(patch=(12, 20, 28), spacing=[2.0, 1.3, 1.3]), dataset(), True),
    "slices alone": (plans(patch=(32, 32)), dataset(), True),
}


@pytest.mark.fetched
@pytest.mark.parametrize("case", CASES)
def test_networks_and_preparation_are_those_of_nnunet(peers: Callable[[str], Path], case: str) -> None:
    plan, data, _ = CASES[case]
    results = next(peers(case).glob("*__*__*"))
    peer, names = np.load(peers(case) / "peer.npz"), json.loads((peers(case) / "names.json").read_text())
    config = inference_config(plans_of(plan, data, results.name.split("__")[-1], file=results))
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
@pytest.mark.parametrize("case", [case for case, (_, _, trained) in CASES.items() if trained])
def test_the_whole_prediction_is_that_of_nnunet(peers: Callable[[str], Path], own_home: Path, case: str) -> None:
    """Two folds and all mirrored views, on networks that were trained on the phantom for some steps."""
    ref = import_bundle(next(peers(case).glob("*__*__*")), Answers(name="phantom"))
    peer, (image, truth) = np.load(peers(case) / "peer.npz")["labels"], phantom()
    settings = RunSettings(device="cpu", folds="all")
    made = predict(ref, axial(image[0], SPACING), settings=settings).label_map.array
    found = [value for value in (1, 2) if (peer == value).any()]
    assert found, "the trained network finds nothing"
    assert not set(np.unique(made)) - {0, *found}
    for value in found:
        agreed, right = dice(made == value, peer == value), dice(truth == value, peer == value)
        print(f"\n{case}, label {value}: Dice {agreed:.5f} with nnU-Net, which has {right:.3f} with the truth")
        assert agreed >= 0.999
