"""The example data of the tutorials, and a person in front of Slicer's stand-in."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai.domain.volume import Volume
from Testing.batch.studies import write_day
from Testing.bundles.sources import METADATA, a_source
from Testing.fixtures import liver
from Testing.inference.tiny_bundle import change_json, digest_of, tiny_config, write_json, write_tiny_bundle
from Testing.plan.cases import LABELS, SMALL

FOUND = ("liver", "lesion", "hepatic vein")
"""What the example model of a liver finds, brighter in this order."""
FILES = ("studies", "project.key", "opted-out.txt", "cohort", "brain_mr.zip")
"""What the tutorials call the files and folders of the person's own."""
PASSPHRASE = "three words of yours"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model whose answer is known, at once."""
    folder = tmp_path_factory.mktemp("models")
    _write_liver_bundle(folder / "liver@0.1")
    return folder


@pytest.fixture(scope="session")
def made_studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that is run, one that is tilted, one of somebody who opted out, and the list of such people."""
    folder = tmp_path_factory.mktemp("day")
    write_day(folder, studies=3, odd=("tilted", "opted out"))
    return folder


@pytest.fixture
def places(tmp_path: Path, models: Path, made_studies: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's own folder, with the studies; its name fills the fields in the pictures."""
    own = tmp_path / "user" / "jane" / "Documents" / "a first cohort, autumn 2026"
    (tmp_path / "temp").mkdir()
    shutil.copytree(made_studies / "in", own / "studies")
    shutil.copy(made_studies / "opted-out.txt", own / "opted-out.txt")
    _write_zip(own)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    for name, value in {
        "TMPDIR": "temp",
        "HOME": "user/jane",
        "USERPROFILE": "user/jane",
        "SLICERMEDAI_HOME": "home",
    }.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("SLICERMEDAI_MODELS", str(models))
    monkeypatch.chdir(own)
    return own


@pytest.fixture
def ct_liver() -> Volume:
    """A CT in which each structure has one grey, so that the example model finds it exactly."""
    values = np.zeros(SMALL.shape, np.int16)
    for number, name in enumerate(FOUND, start=1):
        values[liver.structures_on(SMALL)[name]] = 100 * number
    return Volume(array=values, geometry=SMALL, modality="CT", name="CT liver")


@pytest.fixture
def person(slicer_stand_in: Any, places: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes a hand that has the named modules before it."""
    from slicermedai.scene.lifecycle import Lifecycle
    from Testing.tutorials.hand import MODULES, Hand

    with ExitStack() as stack:

        def sit_down(*names: str, **known: str) -> Any:
            modules = {name: slicer_stand_in.load_module(MODULES / f"{name}.py") for name in names}
            for module in modules.values():
                stack.callback(module.close)
            files = {name: str(places / name) for name in FILES}
            hand = Hand(slicer_stand_in, modules, files | known)
            monkeypatch.setattr(Lifecycle, "open", lambda self, path: hand.opened.append(str(path)))
            return hand

        yield sit_down


def _write_zip(folder: Path) -> None:
    """A bundle as it comes from elsewhere, for the modality of the studies here."""
    bundle = a_source(folder / "bundles", name="brain_mr")
    form = copy.deepcopy(METADATA["network_data_format"])
    form["inputs"]["image"]["modality"] = "MR"
    form["outputs"]["pred"]["channel_def"]["1"] = "brain"
    change_json(bundle / "configs" / "metadata.json", network_data_format=form)
    shutil.make_archive(str(folder / "brain_mr"), "zip", bundle)


def _write_liver_bundle(folder: Path) -> None:
    """A bundle that takes of the greys 0, 100, 200, 300 the nearest: 2 k x - k k is greatest for the nearest k."""
    import torch

    write_tiny_bundle(folder)
    count = len(FOUND) + 1
    steps = torch.arange(count, dtype=torch.float32)
    state = {"weight": (2 * steps / 100).reshape(count, 1, 1, 1, 1), "bias": -(steps**2)}
    torch.save(state, folder / "models" / "model.pt")
    config = tiny_config()
    config["network_def"]["out_channels"] = count
    transforms = config["preprocessing"]["transforms"]
    config["preprocessing"]["transforms"] = [one for one in transforms if one["_target_"] != "Spacingd"]
    config["postprocessing"]["transforms"] = [
        one for one in config["postprocessing"]["transforms"] if not one["_target_"].startswith("KeepLargest")
    ]
    write_json(folder / "configs" / "inference.json", config)
    entry = json.loads((folder / "medai.json").read_text())
    labels = [
        {"value": value, "name": name, **{part: _code(getattr(LABELS[name], part)) for part in ("category", "type")}}
        for value, name in enumerate(FOUND, start=1)
    ]
    weights = {"file": "models/model.pt", "sha256": digest_of(folder / "models" / "model.pt")}
    write_json(
        folder / "medai.json",
        {**entry, "name": "liver", "modality": ["CT"], "labels": labels, "weights": weights},
    )


def _code(code: Any) -> dict[str, str]:
    return {"value": code.value, "scheme": code.scheme, "meaning": code.meaning}
