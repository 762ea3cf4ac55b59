"""What a bundle's postprocessing asks for is done as MONAI does it, or refused: never guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import KeepLargestConnectedComponent, utils
from scipy import ndimage

from slicermedai.bundles.manifest import read_manifest
from slicermedai.bundles.registry import resolve
from slicermedai.errors import BundleError
from slicermedai.inference.adapter.adapt import adapt
from slicermedai.inference.adapter.post import Postprocessing, read_steps
from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.cleaning import LARGEST, Cleaning, channels_cleaned, cleaned
from slicermedai.inference.task import predict
from Testing.fixtures.grids import covering
from Testing.inference.conftest import body_on, dice
from Testing.inference.tiny_bundle import change_json
from Testing.inference.zoo import Draft, convolution, half, write_zoo_bundle

COARSE = covering(spacing=(4.0, 4.0, 4.0), extent=(100.0, 126.0, 116.0))
SOFTMAX = {"_target_": "Activationsd", "keys": "pred", "softmax": True}
SIGMOID = {"_target_": "Activationsd", "keys": "pred", "sigmoid": True}
ARGMAX = {"_target_": "AsDiscreted", "keys": "pred", "argmax": True}
HALF = {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}


def read(*steps: dict[str, Any], outputs: str = "") -> Postprocessing:
    return read_steps(list(steps), file="bundle", ledger=Ledger(), outputs=outputs)


def largest(**options: Any) -> dict[str, Any]:
    return {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", **options}


# --- the largest components ----------------------------------------------------------------------------------------


def blobs(seed: int, values: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = rng.random((14, 15, 16)) < 0.28
    return (found * rng.integers(1, values + 1, found.shape)).astype(np.uint8)


OPTIONS = [
    {},
    {"applied_labels": 2},
    {"applied_labels": [1, 3]},
    {"connectivity": 1},
    {"connectivity": 2, "num_components": 3},
    {"num_components": 2, "applied_labels": [2]},
    {"independent": False},
    {"independent": False, "applied_labels": [1, 2], "connectivity": 1},
]


def components(image: np.ndarray, connectivity: int | None = None, return_num: bool = True) -> tuple[np.ndarray, int]:
    """What MONAI takes from scikit-image, which is no dependency here: scipy's components are the same."""
    return ndimage.label(image, structure=ndimage.generate_binary_structure(image.ndim, connectivity or image.ndim))


@pytest.fixture
def monai_that_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "has_measure", True)
    monkeypatch.setattr(utils, "measure", SimpleNamespace(label=components))


def assert_same_sizes(found: np.ndarray, expected: np.ndarray, raw: np.ndarray) -> None:
    """Equal but for which of several components of one size stays."""
    for array in (found, expected):
        assert set(np.unique(array[array != raw])) <= {0}
    assert (found > 0).sum() == (expected > 0).sum()
    assert (found != expected).mean() < 0.02


@pytest.mark.usefixtures("monai_that_labels")
@pytest.mark.parametrize("options", OPTIONS)
def test_the_largest_components_of_labels_are_those_of_monai(options: dict[str, Any]) -> None:
    for seed in range(4):
        raw = blobs(seed, 3)
        (step,) = read(SOFTMAX, ARGMAX, largest(**options)).clean
        expected = KeepLargestConnectedComponent(**options)(torch.from_numpy(raw[None].copy())).numpy()[0]
        assert_same_sizes(cleaned(raw, [step], [1, 2, 3]), np.asarray(expected), raw)


@pytest.mark.usefixtures("monai_that_labels")
@pytest.mark.parametrize("options", [*OPTIONS[:1], {"applied_labels": [0, 2]}, *OPTIONS[3:5], *OPTIONS[6:]])
def test_the_largest_components_of_channels_are_those_of_monai(options: dict[str, Any]) -> None:
    for seed in range(4):
        raw = np.stack([blobs(seed + 10 * n, 1) for n in range(3)]).astype(np.float32)
        (step,) = read(SIGMOID, HALF, largest(**options)).clean
        expected = np.asarray(KeepLargestConnectedComponent(**options)(torch.from_numpy(raw.copy())))
        found = 0.9 * raw
        channels_cleaned(found, 0.5, [step])
        assert [int((c > 0.5).sum()) for c in found] == [int((c > 0.5).sum()) for c in expected]


def test_the_only_channel_is_cleaned_though_no_label_is_named() -> None:
    channels = np.zeros((1, 9, 9, 9), dtype=np.float16)
    channels[0, 1:5, 1:5, 1:5], channels[0, 7, 7, 7] = 0.9, 0.8
    for labels in (None, (1,)):
        made = channels.copy()
        channels_cleaned(made, 0.5, [Cleaning(kind=LARGEST, labels=labels)])
        assert (made > 0.5).sum() == 64


def test_a_clean_up_that_does_not_fit_its_labels_is_refused() -> None:
    with pytest.raises(BundleError, match="before the step that makes labels"):
        read(SOFTMAX, largest(), ARGMAX)
    with pytest.raises(BundleError, match="is_onehot True"):
        read(SOFTMAX, ARGMAX, largest(is_onehot=True))
    with pytest.raises(BundleError, match="options of KeepLargest"):
        read(SOFTMAX, ARGMAX, largest(applied_labels=["$every"]))
    two = np.zeros((2, 3, 3, 3), dtype=np.float16)
    with pytest.raises(BundleError, match="2 channels for one map"):
        channels_cleaned(two, 0.5, [Cleaning(kind=LARGEST, by_channel=False)])
    with pytest.raises(BundleError, match="names label 2, and there are 2 channels"):
        channels_cleaned(two, 0.5, [Cleaning(kind=LARGEST, labels=(2,))])


def two_bodies(draft: Draft) -> None:
    """One channel, sigmoid, and the largest component alone."""
    draft.config["network_def"] = convolution(1, 1)
    draft.state = {name: value[1:] for name, value in half().items()}
    draft.config["postprocessing"]["transforms"] = [SIGMOID, HALF, largest(applied_labels="@label_of_it")]
    draft.config["label_of_it"] = [1]


def test_overlapping_labels_are_cleaned_too(tmp_path: Path) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain", two_bodies)
    volume, truth = body_on(COARSE)
    array = volume.array.copy()
    array[1:3, 1:3, 1:3] = 1.0
    volume = replace(volume, array=array)
    found = predict(resolve(str(tmp_path / "zoo@0.1")), volume)
    mask = found.regions[0].region.to_array()
    assert not mask[1:3, 1:3, 1:3].any()
    assert dice(mask, truth) > 0.97
    assert found.regions[0].raw_score > 0.8
    assert {step.name: step.detail for step in found.steps}["clean up"] == "largest of labels 1"


# --- what scores mean ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [[HALF], [], [{"_target_": "SaveImaged", "keys": "pred"}]])
def test_scores_that_nobody_explains_are_asked_for(steps: list[dict[str, Any]]) -> None:
    with pytest.raises(BundleError, match=r"whether scores are logits or probabilities.*--outputs"):
        read(*steps)


def test_a_threshold_is_held_against_the_scores_as_they_are() -> None:
    assert read({**HALF, "threshold": 0.3}, outputs="probabilities").threshold == 0.3
    of_logits = read({**HALF, "threshold": 0.0}, outputs="logits")
    assert (of_logits.threshold, of_logits.exclusive) == (0.5, False)
    assert read(SIGMOID, {**HALF, "threshold": 0.3}).threshold == 0.3
    assert read(SIGMOID, {"_target_": "AsDiscreted", "keys": "pred", "rounding": "torchrounding"}).threshold == 0.5


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([SIGMOID, HALF], "are said to be such"),
        ([{**SIGMOID, "other": "$torch.tanh"}], "cannot be read"),
        ([HALF, SIGMOID], "activates labels"),
    ],
)
def test_steps_that_contradict_each_other_are_refused(steps: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        read(*steps, outputs="probabilities")
    with pytest.raises(BundleError, match="threshold after softmax"):
        read(SOFTMAX, HALF)


def test_an_option_for_each_key_is_that_of_the_network() -> None:
    both = {"_target_": "AsDiscreted", "keys": ["label", "pred"], "argmax": [False, True], "threshold": [0.5, None]}
    assert read(SOFTMAX, both).exclusive
    assert not read(SOFTMAX, both).assumed
    assert read({**both, "_disabled_": True}, SIGMOID, HALF).activation == "sigmoid"


@pytest.mark.parametrize(
    "of_reference",
    [
        {"_target_": "AsDiscreted", "keys": "label", "threshold": 0.1},
        {"_target_": "AsDiscreted", "keys": ["label"], "argmax": True},
        {"_target_": "AsDiscreted", "keys": ["label"], "threshold": [0.1]},
        {"_target_": "Activationsd", "keys": "label", "softmax": True},
        {**largest(applied_labels=[1]), "keys": "label"},
        {"_target_": "OwnStepd", "keys": ["label", "mask"]},
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_what_is_done_to_the_reference_alone_is_not_done_to_the_prediction(
    of_reference: dict[str, Any], last: bool
) -> None:
    own = [SIGMOID, {**HALF, "threshold": 0.3}]
    ledger = Ledger()
    steps = [*own, of_reference] if last else [of_reference, *own]
    found = read_steps(steps, file="bundle", ledger=ledger)
    assert found == read(*own)
    assert [item.rule for item in ledger.applied] == ["evaluation keys"]
    assert of_reference["_target_"] in ledger.applied[0].detail


def referring(draft: Draft) -> None:
    """A threshold of the reference whose key stands elsewhere in the configuration."""
    draft.config |= {"truth": ["label"]}
    draft.config["postprocessing"]["transforms"] = [
        SIGMOID,
        {**HALF, "threshold": 0.3},
        {**HALF, "threshold": 0.1, "keys": "@truth"},
    ]


def test_a_key_that_is_referred_to_is_known_for_the_references(tmp_path: Path) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain", referring)
    manifest = read_manifest(tmp_path / "zoo@0.1")
    assert adapt(manifest, Ledger()).postprocessing().threshold == 0.3


def ending_in_softmax(draft: Draft) -> None:
    """A network that gives probabilities, of a bundle that does not say so."""
    draft.runs_code = True
    draft.config["network_def"] = {"_target_": "scripts.soft.make"}
    draft.files["scripts/__init__.py"] = ""
    draft.files["scripts/soft.py"] = (
        "import torch\n\n\ndef make():\n    return torch.nn.Sequential(torch.nn.Conv3d(1, 2, 1), torch.nn.Softmax(1))\n"
    )
    draft.state = {f"0.{name}": value for name, value in half().items()}
    draft.config["postprocessing"]["transforms"] = [ARGMAX]


def test_probabilities_of_a_silent_bundle_are_not_taken_for_logits(tmp_path: Path) -> None:
    folder = tmp_path / "zoo@0.1"
    write_zoo_bundle(folder, "plain", ending_in_softmax)
    volume, truth = body_on(COARSE)
    with pytest.raises(BundleError, match="gives probabilities, and the model does not say so"):
        predict(resolve(str(folder), consent="the test"), volume)
    change_json(folder / "medai.json", outputs="probabilities")
    found = predict(resolve(str(folder), consent="the test"), volume)
    assert dice(found.label_map.array > 0, truth) > 0.97


def test_logits_that_are_said_to_be_probabilities_are_refused(tmp_path: Path) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain", only_argmax)
    change_json(tmp_path / "zoo@0.1" / "medai.json", outputs="probabilities")
    with pytest.raises(BundleError, match="not between 0 and 1"):
        predict(resolve(str(tmp_path / "zoo@0.1")), body_on(COARSE)[0])


def only_argmax(draft: Draft) -> None:
    """Labels without an activation."""
    draft.config["postprocessing"]["transforms"] = [ARGMAX]


def test_labels_that_do_not_depend_on_it_need_no_answer(tmp_path: Path) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain", only_argmax)
    volume, truth = body_on(COARSE)
    found = predict(resolve(str(tmp_path / "zoo@0.1")), volume)
    assert dice(found.label_map.array > 0, truth) > 0.97
    assert found.regions[0].raw_score > 0.8
