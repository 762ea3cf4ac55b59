"""A trust record is a model's by its weights and by all that makes labels of an image beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.confidence.models import preprocessing_of, records_folder
from slicermedai.confidence.record import FitProvenance, TrustRecord
from slicermedai.confidence.run import RunTrust
from slicermedai.domain.flat import Flat
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.volume import Volume
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
        lambda folder: change_json(folder / "medai.json", pixel_values="modality"),
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


def test_pixel_values_that_a_person_asks_for_are_another_way_than_none(folder: Path) -> None:
    made = read_manifest(folder)
    kinds = {preprocessing_of(made, pixel_values=asked) for asked in ("", "display", "modality")}
    assert len(kinds) == 3
    stated = replace(made, pixel_values="display")
    assert preprocessing_of(stated) == preprocessing_of(made, pixel_values="display")


@pytest.fixture
def calibrated(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """A model that does not say which values it takes, with a record in use."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    made = read_manifest(folder)
    TrustRecord(
        model=made.ref.title,
        weights_sha256=made.ref.weights_sha256,
        preprocessing_sha256=preprocessing_of(made),
        provenance=FitProvenance(date="2026-01-01", software="test", patients=40, images=40, generated=False),
    ).save(records_folder())
    return made


@pytest.mark.parametrize(
    ("is_picture", "asked", "covered"),
    [(True, "", True), (True, "display", False), (True, "modality", False), (False, "display", True)],
)
def test_a_record_does_not_cover_other_pixel_values_than_its_own(
    is_picture: bool, asked: str, covered: bool, calibrated: Manifest
) -> None:
    array = np.ones((1, 8, 8), np.float32)
    volume = Volume(
        array=array,
        geometry=Geometry.from_axes((1, 8, 8)),
        modality="DX",
        flat=Flat(display=array) if is_picture else None,
    )
    trust = RunTrust(calibrated, volume, pixel_values=asked)
    trust.judged((), precision="float32")
    made = trust.noted(Provenance(bundle="tiny", bundle_version="1", weights_sha256="a" * 64))
    assert any("with another preprocessing" in line for line in made.refusals) is not covered


def test_values_that_json_does_not_have_are_hashed_too(folder: Path) -> None:
    made: Manifest = read_manifest(folder)
    odd = [replace(made, config={**made.config, "low": value}) for value in (float("nan"), float("inf"), {1, 2})]
    assert len({preprocessing_of(one) for one in odd}) == 3
