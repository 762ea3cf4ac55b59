"""A trust record is a model's by its weights and by all that makes labels of an image beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.confidence.models import preprocessing_of
from Testing.inference.tiny_bundle import change_json, tiny_config, write_json, write_tiny_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle whose preparation refers to values that stand elsewhere in its configuration."""
    write_tiny_bundle(tmp_path / "tiny@0.1")
    config = tiny_config() | {"spacing": [2.0, 2.0, 2.0], "low": -57, "roi": [32, 32, 32]}
    steps = config["preprocessing"]["transforms"]
    steps[3]["pixdim"] = "@spacing"
    steps.append({"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": "@low", "a_max": 164})
    config["inferer"]["roi_size"] = "@roi"
    write_json(tmp_path / "tiny@0.1" / "configs" / "inference.json", config)
    return tmp_path / "tiny@0.1"


def test_the_same_bundle_has_the_same_hash_wherever_it_lies(folder: Path, tmp_path: Path) -> None:
    before = preprocessing_of(read_manifest(folder))
    assert preprocessing_of(read_manifest(folder.rename(tmp_path / "elsewhere"))) == before


def _config(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: change_json(folder / "configs" / "inference.json", **changes)


def _metadata(folder: Path) -> None:
    entry = {"num_channels": 2, "channel_def": {"0": "T2", "1": "T1"}}
    change_json(folder / "configs" / "metadata.json", network_data_format={"inputs": {"image": entry}})


def _script(folder: Path) -> None:
    (folder / "scripts").mkdir()
    (folder / "scripts" / "own.py").write_text("SPACING = 3\n")


@pytest.mark.parametrize(
    "change",
    [
        _config(spacing=[3.0, 3.0, 3.0]),
        _config(low=0),
        _config(roi=[96, 96, 96]),
        _config(network_def={**tiny_config()["network_def"], "mirror": [0]}),
        _config(postprocessing={"transforms": [{"_target_": "AsDiscreted", "argmax": True}]}),
        lambda folder: change_json(folder / "medai.json", outputs="probabilities"),
        lambda folder: change_json(folder / "medai.json", inputs=["T2", "T1"]),
        lambda folder: change_json(folder / "medai.json", framing={"margin": 2}),
        _metadata,
        _script,
    ],
)
def test_whatever_changes_the_way_to_the_labels_changes_the_hash(folder: Path, change: Callable[[Path], None]) -> None:
    before = preprocessing_of(read_manifest(folder))
    change(folder)
    assert preprocessing_of(read_manifest(folder)) != before


def test_values_that_json_does_not_have_are_hashed_too(folder: Path) -> None:
    made: Manifest = read_manifest(folder)
    odd = [replace(made, config={**made.config, "low": value}) for value in (float("nan"), float("inf"), {1, 2})]
    assert len({preprocessing_of(one) for one in odd}) == 3
