"""What is foreseen of a run from the place of its images alone is what the run then takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slicermedai.bundles.draft import Answers
from slicermedai.bundles.importing import import_bundle
from slicermedai.bundles.manifest import read_manifest
from slicermedai.bundles.registry import resolve
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.estimate import Workload
from slicermedai.domain.geometry import Geometry
from slicermedai.errors import BundleError, ConsentError
from slicermedai.inference.adapter.adapt import adapt
from slicermedai.inference.adapter.inputs import names_wanted
from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.adapter.scripts import surroundings
from slicermedai.inference.foresee import foresight_of, workload_of
from slicermedai.inference.task import Listeners, RunSettings, predict
from Testing.bundles.nnunet_folders import dataset, plans, write_results
from Testing.fixtures.grids import covering
from Testing.inference.conftest import body_on
from Testing.inference.flat_bundle import write_flat_bundle
from Testing.inference.test_dropout import forgetful
from Testing.inference.test_single import detecting, nodules
from Testing.inference.tiny_bundle import change_json, write_folded_bundle, write_torchscript_bundle
from Testing.inference.zoo import ZOO, write_zoo_bundle

AXIAL = covering(spacing=(2.5, 2.5, 2.5), extent=(100.0, 126.0, 116.0))
CUTS = ("cropped_and_padded",)


def both(
    ref: BundleRef, names: tuple[str, ...] = ("image",), *, folds: str = "", modality: str = "MR"
) -> tuple[Workload, Workload]:
    """What is foreseen, and what a run then took."""
    volume, _ = body_on(AXIAL, modality=modality)
    found = predict(ref, {name: volume for name in names}, settings=RunSettings(folds=folds))
    assert found.workload is not None
    return workload_of(ref, {name: AXIAL for name in names}, folds=folds)[0], found.workload


@pytest.mark.parametrize("pattern", [name for name in ZOO if name not in CUTS])
def test_what_is_foreseen_is_what_the_run_takes(pattern: str, tmp_path: Path) -> None:
    draft = write_zoo_bundle(tmp_path / "zoo@0.1", pattern)
    ref = resolve(str(tmp_path / "zoo@0.1"), consent="the test" if draft.runs_code else "")
    foreseen, taken = both(ref, draft.inputs)
    assert foreseen == taken
    assert taken.operations > 0
    assert taken.memory > 0.35e9


def test_a_model_that_cuts_by_values_takes_at_most_what_is_foreseen(tmp_path: Path) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "cropped_and_padded")
    foreseen, taken = both(resolve(str(tmp_path / "zoo@0.1")))
    assert foreseen.at_most
    assert not taken.at_most
    assert foreseen.voxels >= taken.voxels
    assert foreseen.memory >= taken.memory


def test_a_model_by_its_plans_is_foreseen_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    folder = write_results(tmp_path / "d", plan=plans(patch=(8, 16, 16)), data=dataset())
    foreseen, taken = both(import_bundle(folder, Answers(name="x", mirror=False)), modality="CT")
    assert foreseen.at_most, "it cuts to what is not zero"
    assert foreseen.operations >= taken.operations > 0


def test_each_fold_is_counted(tmp_path: Path) -> None:
    ref = resolve(str(write_folded_bundle(tmp_path / "folds@0.1")))
    one, _ = both(ref)
    every, taken = both(ref, folds="all")
    assert every == taken
    assert every.operations == 3 * one.operations


def test_further_answers_take_memory(tmp_path: Path) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain")
    ref = resolve(str(tmp_path / "zoo@0.1"))
    plain, _ = workload_of(ref, {"image": AXIAL})
    sampled, _ = workload_of(ref, {"image": AXIAL}, samples=True)
    assert sampled.memory > plain.memory


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_a_network_that_cannot_be_asked_is_known_by_its_voxels(tmp_path: Path) -> None:
    ref = resolve(str(write_torchscript_bundle(tmp_path / "script@0.1")), consent="the test")
    foreseen, taken = both(ref)
    assert foreseen == taken
    assert foreseen.operations == 0
    assert foreseen.voxels > 0


def test_code_that_nobody_agreed_to_is_not_run_for_an_estimate(tmp_path: Path) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "own_scripts")
    with pytest.raises(ConsentError):
        workload_of(resolve(str(tmp_path / "zoo@0.1")), {"image": AXIAL})


def test_of_boxes_and_of_labels_of_a_whole_image_the_size_alone_is_known(tmp_path: Path) -> None:
    pytest.importorskip("torchvision", reason="absent: torchvision, which MONAI's detectors need")
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain", detecting)
    change_json(tmp_path / "zoo@0.1" / "medai.json", task="detection")
    ref = resolve(str(tmp_path / "zoo@0.1"), consent="the test")
    foreseen, _ = workload_of(ref, {"image": AXIAL})
    assert foreseen == predict(ref, nodules(AXIAL)).workload
    assert (foreseen.operations, foreseen.memory) == (0, 0)
    assert foreseen.voxels == foreseen.image_voxels == np.prod(AXIAL.shape)
    flat = write_flat_bundle(tmp_path / "flat@0.1")
    picture = Geometry.from_axes((1, 40, 30))
    assert workload_of(flat, {"image": picture})[0].voxels == 1200


def ways(folder: Path, *, consent: str = "") -> dict[str, str]:
    return foresight_of(resolve(str(folder), consent=consent), {"image": AXIAL}).samples


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_what_a_model_can_be_asked_further_is_told_without_its_weights(tmp_path: Path, tiny: Path) -> None:
    none = ways(tiny)
    assert none["flips"] == ""
    assert "one network and no folds" in none["folds"]
    assert "no dropout layer with a probability above 0" in none["dropout"]
    assert ways(forgetful(tmp_path / "forgetful@0.1", p=0.2), consent="the test")["dropout"] == ""
    assert "no dropout layer" in ways(forgetful(tmp_path / "sure@0.1", p=0.0), consent="the test")["dropout"]
    assert ways(write_folded_bundle(tmp_path / "folded@0.1"))["folds"] == ""
    script = ways(write_torchscript_bundle(tmp_path / "script@0.1"), consent="the test")
    assert "TorchScript" in script["dropout"]


def test_of_what_is_no_segmentation_no_samples_are_taken(tmp_path: Path) -> None:
    flat = write_flat_bundle(tmp_path / "flat@0.1")
    found = foresight_of(flat, {"image": Geometry.from_axes((1, 40, 30))}).samples
    assert all("samples are of segmentations alone" in why for why in found.values())
    assert set(found) == {"flips", "folds", "dropout"}


def test_a_larger_image_takes_more(tmp_path: Path) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain")
    ref = resolve(str(tmp_path / "zoo@0.1"))
    small, _ = workload_of(ref, {"image": AXIAL})
    large, _ = workload_of(ref, {"image": covering(spacing=(2.5, 2.5, 2.5), extent=(200.0, 250.0, 230.0))})
    assert large.operations > 4 * small.operations
    assert large.image_voxels > 4 * small.image_voxels
    assert np.isclose(small.millilitres, np.prod(AXIAL.shape) * 2.5**3 / 1000)


def test_the_brain_model_sees_one_size_whatever_the_image_has(brain: BundleRef) -> None:
    small, names = workload_of(brain, {"image": AXIAL})
    large, _ = workload_of(brain, {"image": covering(spacing=(1.0, 1.0, 1.0), extent=(200.0, 250.0, 230.0))})
    assert small.voxels == large.voxels == 256**3
    assert large.image_voxels > small.image_voxels
    assert names == ("image",)


@pytest.mark.parametrize("pattern", list(ZOO))
def test_the_names_of_images_are_read_without_making_anything(pattern: str, tmp_path: Path) -> None:
    draft = write_zoo_bundle(tmp_path / "zoo@0.1", pattern)
    manifest, ledger = read_manifest(tmp_path / "zoo@0.1"), Ledger()
    with surroundings(tmp_path / "zoo@0.1", ledger):
        names = adapt(manifest, ledger).steps().names
    assert names_wanted(manifest) == (names if len(names) > 1 else ())
    assert len(draft.inputs) == len(names)


def test_a_network_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    def broken(draft: object) -> None:
        draft.config["network_def"] = {"_target_": "torch.nn.NoSuchLayer"}  # type: ignore[attr-defined]

    write_zoo_bundle(tmp_path / "zoo@0.1", "plain", broken)
    with pytest.raises(BundleError, match="network_def"):
        workload_of(resolve(str(tmp_path / "zoo@0.1"), consent="the test"), {"image": AXIAL})


def test_a_run_tells_its_workload_though_nobody_asks(tiny: Path) -> None:
    volume, _ = body_on(AXIAL)
    found = predict(resolve(str(tiny)), {"image": volume}, listeners=Listeners())
    assert found.workload is not None
    assert found.hardware == found.device == "cpu"
