"""Models from folders, zips, cards and the Model Zoo become installed bundles; nothing unsafe does."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from slicermedai.bundles import zoo
from slicermedai.bundles.consent import agree
from slicermedai.bundles.draft import Answers
from slicermedai.bundles.importing import import_bundle, import_from_zoo
from slicermedai.bundles.manifest import read_manifest
from slicermedai.bundles.registry import resolve
from slicermedai.bundles.store import Title, changes
from slicermedai.bundles.verify import require_consent
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import (
    BundleError,
    CodeError,
    ConsentError,
    HashMismatchError,
    InputError,
    MedAIError,
    UnknownBundleError,
)
from slicermedai.inference.task import RunSettings, predict
from Testing.bundles.nnunet_folders import checkpoint_of, dataset, plans, write_results
from Testing.bundles.sources import METADATA, with_code
from Testing.bundles.test_weights import Evil, safetensors
from Testing.inference.tiny_bundle import change_json, write_json, write_tiny_bundle


@pytest.fixture
def zoo_folder(tmp_path: Path, own_home: Path) -> Path:
    """A bundle as a zoo has it: no codes, no hashes."""
    folder = write_tiny_bundle(tmp_path / "spleen_ct_segmentation")
    (folder / "medai.json").unlink()
    write_json(folder / "configs" / "metadata.json", METADATA)
    (folder / "LICENSE").write_text("Apache License\n Version 2.0, January 2004")
    return folder


def zipped(folder: Path, path: Path) -> Path:
    """The folder as a zip that wraps it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{folder.name}/{file.relative_to(folder)}")
    return path


def test_a_bundle_folder_is_taken_in_with_codes_hashes_and_licence(zoo_folder: Path, own_home: Path) -> None:
    ref = import_bundle(zoo_folder)
    assert (ref.title, ref.modality, ref.licence) == ("spleen_ct_segmentation@0.5.9", ("CT",), "Apache-2.0")
    assert [(value, label.type.value) for value, label in ref.labels] == [(1, "78961009")]
    manifest = read_manifest(Path(ref.path))
    assert {file.path for file in manifest.listed or ()} == {
        "LICENSE", "configs/inference.json", "configs/metadata.json", "models/model.pt",
    }  # fmt: skip
    assert not ref.runs_code
    assert resolve("spleen_ct_segmentation") == ref


def test_a_zip_is_taken_in_as_its_folder_is(zoo_folder: Path, tmp_path: Path) -> None:
    ref = import_bundle(zipped(zoo_folder, tmp_path / "spleen_ct_segmentation.zip"), Answers(version="2"))
    assert ref.title == "spleen_ct_segmentation@2"
    assert changes()[-1].origin.startswith("sha256:")


def test_labels_without_codes_are_asked_for_and_taken_from_the_answer(zoo_folder: Path, own_home: Path) -> None:
    outputs = {"pred": {"channel_def": {"0": "background", "1": "spleen", "2": "tools"}}}
    change_json(zoo_folder / "configs" / "metadata.json", network_data_format={"outputs": outputs})
    with pytest.raises(CodeError, match=r"1 of 2 labels have no code.*'tools'.*--labels") as caught:
        import_bundle(zoo_folder)
    table = Path(str(caught.value.file))
    assert not (own_home / "models").exists()
    lines = table.read_text().splitlines()
    assert "78961009" in lines[1]
    lines[2] = "2,tools,SCT,260787004,Physical object,SCT,19923001,Catheter,,,,"
    table.write_text("\n".join(lines))
    ref = import_bundle(zoo_folder, Answers(labels=table))
    assert [label.type.meaning for _, label in ref.labels] == ["Spleen", "Catheter"]


def test_sigmoid_channels_overlap_and_none_is_background(zoo_folder: Path) -> None:
    channels = {"0": "whole tumor", "1": "edema", "2": "necrosis"}
    change_json(
        zoo_folder / "configs" / "metadata.json", network_data_format={"outputs": {"p": {"channel_def": channels}}}
    )
    change_json(
        zoo_folder / "configs" / "inference.json",
        postprocessing=[{"_target_": "Activationsd", "keys": "p", "sigmoid": True}],
    )
    ref = import_bundle(zoo_folder)
    assert [value for value, _ in ref.labels] == [1, 2, 3]
    assert read_manifest(Path(ref.path)).overlapping


def test_licences_of_code_and_weights_are_told_apart(zoo_folder: Path) -> None:
    ref = import_bundle(zoo_folder, Answers(weights_licence="CC-BY-NC-4.0"))
    assert ref.licence == "weights: CC-BY-NC-4.0; code: Apache-2.0"


def test_a_task_that_is_not_known_is_asked_for(zoo_folder: Path) -> None:
    change_json(zoo_folder / "configs" / "metadata.json", task="image synthesis")
    with pytest.raises(BundleError, match=r"task: does not say a task.*--task"):
        import_bundle(zoo_folder)


def test_the_same_version_is_not_overwritten(zoo_folder: Path) -> None:
    before = import_bundle(zoo_folder)
    with pytest.raises(BundleError, match="is installed already"):
        import_bundle(zoo_folder)
    assert resolve(before.title) == before


def test_missing_weights_are_named(zoo_folder: Path) -> None:
    (zoo_folder / "models" / "model.pt").unlink()
    (zoo_folder / "large_files.yml").write_text("large_files: []")
    with pytest.raises(BundleError, match=r"has no weights; large_files\.yml names where"):
        import_bundle(zoo_folder)


@pytest.mark.parametrize("source", ["nowhere", "spleen_ct_segmentation"])
def test_a_name_is_not_looked_up_unless_told_to(own_home: Path, source: str) -> None:
    with pytest.raises(UnknownBundleError, match="--online"):
        import_bundle(source)


# What may not come in.


def test_weights_with_code_are_refused_and_leave_nothing(zoo_folder: Path, own_home: Path) -> None:
    torch.save({"x": Evil()}, zoo_folder / "models" / "model.pt")
    with pytest.raises(BundleError, match=r"would run (posix|nt)\.system"):
        import_bundle(zoo_folder)
    assert list((own_home / "models").glob("[!.]*@*")) == []


def test_a_link_out_of_the_folder_is_refused(zoo_folder: Path) -> None:
    (zoo_folder / "docs").symlink_to("/etc")
    with pytest.raises(BundleError, match="is a link"):
        import_bundle(zoo_folder)


@pytest.mark.parametrize("text", ["a: !!python/object/apply:os.system ['true']", "a: !custom 3"])
def test_yaml_with_tags_is_refused(zoo_folder: Path, text: str) -> None:
    pytest.importorskip("yaml", reason="absent: PyYAML")
    (zoo_folder / "configs" / "inference.json").unlink()
    (zoo_folder / "configs" / "inference.yaml").write_text(text)
    with pytest.raises(BundleError, match=r"inference\.yaml: cannot be read \(ConstructorError\)"):
        import_bundle(zoo_folder)


def test_code_does_not_run_without_consent_and_consent_is_kept(zoo_folder: Path) -> None:
    ref = import_bundle(with_code(zoo_folder))
    assert ref.runs_code
    with pytest.raises(ConsentError, match="nobody agreed"):
        require_consent(ref)
    with pytest.raises(ConsentError, match="a person's word"):
        agree(Title(name=ref.name, version=ref.version), " ", Path(ref.path))
    agree(Title(name=ref.name, version=ref.version), "read by the physicist", Path(ref.path))
    again = resolve(ref.title)
    require_consent(again)
    assert again.consent == "read by the physicist"
    assert changes()[-1].action == "agreed to"


def test_a_file_added_after_consent_is_refused(zoo_folder: Path) -> None:
    ref = import_bundle(with_code(zoo_folder))
    agree(Title(name=ref.name, version=ref.version), "trusted", Path(ref.path))
    (Path(ref.path) / "scripts" / "os.py").write_text("evil = True")
    with pytest.raises(HashMismatchError, match=r"os\.py, files: was added"):
        resolve(ref.title)


def test_a_changed_script_is_refused_and_takes_consent_with_it(zoo_folder: Path) -> None:
    ref = import_bundle(with_code(zoo_folder))
    agree(Title(name=ref.name, version=ref.version), "trusted", Path(ref.path))
    script = Path(ref.path) / "scripts" / "net.py"
    script.write_text("evil = True")
    with pytest.raises(HashMismatchError):
        resolve(ref.title)
    entry = json.loads((Path(ref.path) / "medai.json").read_text())
    entry["files"]["scripts/net.py"] = hashlib.sha256(script.read_bytes()).hexdigest()
    write_json(Path(ref.path) / "medai.json", entry)
    assert resolve(ref.title).consent == ""


def test_an_entry_of_a_future_version_is_refused(zoo_folder: Path) -> None:
    ref = import_bundle(zoo_folder)
    change_json(Path(ref.path) / "medai.json", medai=9)
    with pytest.raises(BundleError, match="Update MedAI"):
        resolve(ref.title)


# Cards.

CARD: dict[str, Any] = {
    "name": "my spleen",
    "version": "3",
    "modality": ["CT"],
    "spacing": [1.5, 1.5, 2.0],
    "patch": [32, 32, 32],
    "intensity": [-57, 164],
    "licence": "MIT",
    "labels": {"1": "spleen"},
    "network": {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 2, "kernel_size": 1},
}


def safetensors_file(path: Path, channels: int = 2) -> Path:
    """The weights of a convolution with one voxel."""
    size = 4 * channels
    header = {
        "weight": {"dtype": "F32", "shape": [channels, 1, 1, 1, 1], "data_offsets": [0, size]},
        "bias": {"dtype": "F32", "shape": [channels], "data_offsets": [size, 2 * size]},
    }
    path.write_bytes(safetensors(header, struct.pack(f"<{2 * channels}f", *range(2 * channels))))
    return path


def card_of(path: Path, **changes: Any) -> Path:
    """A card as JSON."""
    body = {key: value for key, value in {**CARD, **changes}.items() if value is not None}
    path.write_text(json.dumps(body))
    return path


def test_safetensors_and_a_card_become_a_bundle(tmp_path: Path, own_home: Path) -> None:
    weights = safetensors_file(tmp_path / "w.safetensors")
    ref = import_bundle(weights, Answers(card=card_of(tmp_path / "card.json")))
    assert (ref.title, ref.licence, ref.weights) == ("my_spleen@3", "MIT", "models/model.pt")
    assert not ref.runs_code


def test_a_card_may_be_toml(tmp_path: Path, own_home: Path) -> None:
    text = 'name = "s"\nversion = "1"\nspacing = [1, 1, 1]\npatch = [8, 8, 8]\nintensity = "z-score"\n'
    text += '[labels]\n1 = "liver"\n'
    text += '[network]\n_target_ = "torch.nn.Conv3d"\nin_channels = 1\nout_channels = 2\nkernel_size = 1\n'
    (tmp_path / "card.toml").write_text(text)
    ref = import_bundle(safetensors_file(tmp_path / "w.safetensors"), Answers(card=tmp_path / "card.toml"))
    assert ref.labels[0][1].type.meaning == "Liver"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": {**CARD["network"], "out_channels": 3}}, "the weights are not those of the network"),
        ({"network": None}, "network: is needed"),
        ({"network": {"_target_": "os.system", "command": "true"}}, "beyond the networks that are known"),
        ({"labels": {"1": "spleen", "2": "liver"}}, "names label 2, and the network gives 2 channels"),
        ({"labels": {}}, "at least one output value"),
        ({"patch": [32]}, "patch: must be 3 numbers"),
        ({"colour": "red"}, "colour: is no key"),
        ({"name": ""}, "name: is missing"),
        ({"spacing": "1 1 1"}, "spacing: must be 3 numbers"),
    ],
)
def test_a_card_that_lies_or_lacks_something_is_refused(
    tmp_path: Path, own_home: Path, changes: dict[str, Any], said: str
) -> None:
    weights = safetensors_file(tmp_path / "w.safetensors")
    with pytest.raises(BundleError, match=said):
        import_bundle(weights, Answers(card=card_of(tmp_path / "card.json", **changes)))
    assert not (own_home / "models").exists()


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_torchscript_with_a_card_waits_for_consent(tmp_path: Path, scripted: Path, own_home: Path) -> None:
    weights = scripted / "models" / "model.pt"
    ref = import_bundle(weights, Answers(card=card_of(tmp_path / "card.json", network=None)))
    assert (ref.weights, ref.runs_code, ref.consent) == ("models/model.ts", True, "")
    with pytest.raises(BundleError, match="holds its own"):
        import_bundle(weights, Answers(card=card_of(tmp_path / "card.json"), version="4"))


def test_weights_without_a_card_are_asked_for_one(tmp_path: Path, own_home: Path) -> None:
    with pytest.raises(BundleError, match=r"card: .*small card"):
        import_bundle(safetensors_file(tmp_path / "w.safetensors"))


# nnU-Net and Auto3DSeg.


def test_an_nnunet_folder_becomes_a_bundle_without_code(tmp_path: Path, own_home: Path) -> None:
    results = write_results(tmp_path / "Dataset001_Phantom", folds=2)
    ref = import_bundle(results.parent, Answers(name="phantom"))
    manifest = read_manifest(Path(ref.path))
    assert (ref.title, ref.modality, ref.runs_code) == ("phantom@1", ("CT",), False)
    assert [(value, label.type.meaning) for value, label in ref.labels] == [(1, "Spleen"), (2, "Kidney")]
    network = manifest.config["network_def"]
    assert (network["mirror"], manifest.inputs) == ([0, 1, 2], ("CT",))
    assert manifest.folds is not None
    assert manifest.folds.files == (("0", "models/fold_0.pt"), ("1", "models/fold_1.pt"))
    assert ref.weights == "models/fold_0.pt"
    kept = torch.load(Path(ref.path) / "models" / "fold_1.pt", weights_only=True)
    assert {name.split(".")[1] for name in kept} == {"0"}
    assert not [name for name in kept if "all_modules" in name or "decoder.encoder" in name]


def test_older_plans_say_the_same_network(tmp_path: Path, own_home: Path) -> None:
    plan = plans()
    configuration = plan["configurations"]["3d_fullres"]
    kwargs = configuration.pop("architecture")["arch_kwargs"]
    configuration |= {
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 4,
        "unet_max_num_features": 12,
        "n_conv_per_stage_encoder": [2, 2, 2],
        "n_conv_per_stage_decoder": [2, 1],
        "pool_op_kernel_sizes": kwargs["strides"],
        "conv_kernel_sizes": kwargs["kernel_sizes"],
    }
    ref = import_bundle(write_results(tmp_path / "old", plan=plan), Answers(name="old"))
    network = read_manifest(Path(ref.path)).config["network_def"]["architecture"]
    assert network["features"] == [4, 8, 12]
    assert network["strides"] == kwargs["strides"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"previous_stage": "3d_lowres"}, "a cascade"),
        ({"preprocessor_name": "MyPreprocessor"}, "MyPreprocessor is not known"),
        ({"resampling_fn_data": "my_resampling"}, "my_resampling is not known"),
        ({"normalization_schemes": ["MyScheme"]}, "MyScheme is not known"),
        ({"inherits_from": "3d_lowres"}, "there is no '3d_lowres'"),
    ],
)
def test_plans_with_parts_that_are_not_known_are_refused_by_name(
    tmp_path: Path, own_home: Path, changes: dict[str, Any], said: str
) -> None:
    results = write_results(tmp_path / "d")
    write_json(results / "plans.json", plans(**changes))
    with pytest.raises(BundleError, match=said):
        import_bundle(results, Answers(name="x"))


def test_several_configurations_must_be_named(tmp_path: Path, own_home: Path) -> None:
    write_results(tmp_path / "d")
    plan = plans()
    plan["configurations"]["3d_lowres"] = plan["configurations"].pop("3d_fullres")
    write_results(tmp_path / "d", plan=plan)
    with pytest.raises(BundleError, match=r"holds 2 models that fit.*--configuration"):
        import_bundle(tmp_path / "d")
    assert import_bundle(tmp_path / "d", Answers(configuration="3d_lowres")).title == "d@1"


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path, own_home: Path) -> None:
    results = write_results(tmp_path / "d")
    other = {"encoder.stages.0.weight": torch.zeros(3)}
    torch.save(checkpoint_of(other), results / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(BundleError, match="the weights are not those of the network"):
        import_bundle(results, Answers(name="x"))


def test_regions_overlap(tmp_path: Path, own_home: Path) -> None:
    labels = {"background": 0, "whole tumor": [1, 2], "edema": [2]}
    data = dataset(labels=labels, regions_class_order=[1, 2], channel_names={"0": "FLAIR"})
    ref = import_bundle(write_results(tmp_path / "d", data=data), Answers(name="r"))
    manifest = read_manifest(Path(ref.path))
    assert manifest.overlapping
    assert manifest.config["network_def"]["architecture"]["out_channels"] == 2


def auto3dseg_folder(folder: Path, **changes: Any) -> Path:
    """A model as SlicerMONAIAuto3DSeg unpacks it."""
    folder.mkdir()
    network = {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 2, "kernel_size": 1}
    config = {
        "network": network,
        "roi_size": [32, 32, 32],
        "normalize_mode": "range",
        "intensity_bounds": [-250.0, 250.0],
        "resample_resolution": [1.5, 1.5, 1.5],
        "orientation_ras": True,
        "modality": "CT",
        "class_names": ["spleen"],
        **changes,
    }
    torch.save({"state_dict": torch.nn.Conv3d(1, 2, 1).state_dict(), "config": config, "epoch": 3}, folder / "model.pt")
    return folder


def test_an_auto3dseg_folder_becomes_a_bundle_without_code(tmp_path: Path, own_home: Path) -> None:
    ref = import_bundle(auto3dseg_folder(tmp_path / "spleen-v1.0.0"))
    steps = read_manifest(Path(ref.path)).config["preprocessing"]["transforms"]
    assert (ref.title, ref.modality, ref.runs_code) == ("spleen@1.0.0", ("CT",), False)
    assert [step["_target_"].rpartition(".")[2] for step in steps][2:] == [
        "Orientationd", "CropForegroundd", "Spacingd", "ScaleIntensityRanged", "Squashd",
    ]  # fmt: skip


def test_an_unknown_way_of_scaling_is_refused(tmp_path: Path, own_home: Path) -> None:
    with pytest.raises(BundleError, match=r"config\.normalize_mode: mine is not known"):
        import_bundle(auto3dseg_folder(tmp_path / "m", normalize_mode="mine"))


def test_an_image_is_resampled_only_where_those_of_the_training_were(tmp_path: Path, own_home: Path) -> None:
    ref = import_bundle(auto3dseg_folder(tmp_path / "m", resample=False))
    steps = read_manifest(Path(ref.path)).config["preprocessing"]["transforms"]
    assert not any("Spacing" in step["_target_"] for step in steps)


@pytest.mark.parametrize(
    ("changes", "attribute"),
    [
        ({"custom_transforms": {"after_load_transforms": [{"_target_": "X"}]}}, "custom_transforms"),
        ({"intensity_bounds": None}, "intensity_bounds"),
    ],
)
def test_a_training_that_prepared_images_by_more_than_is_known_is_refused(
    tmp_path: Path, own_home: Path, changes: dict[str, Any], attribute: str
) -> None:
    with pytest.raises(BundleError, match=rf"config\.{attribute}"):
        import_bundle(auto3dseg_folder(tmp_path / "m", **changes))


def test_a_checkpoint_whose_network_is_code_is_refused_unmade(tmp_path: Path, own_home: Path) -> None:
    proof = tmp_path / "ran"
    with pytest.raises(BundleError, match="beyond the networks that are known"):
        import_bundle(auto3dseg_folder(tmp_path / "m", network={"_target_": "os.mkdir", "path": str(proof)}))
    assert not proof.exists()


def auto3dseg_member(folder: Path, *, above: float = 0.5, **changes: Any) -> Path:
    """A member as Auto3DSeg leaves it after training; its network says spleen where a voxel is above a value."""
    (folder / "configs").mkdir(parents=True)
    (folder / "scripts").mkdir()
    (folder / "configs" / "hyper_parameters.yaml").write_text("bundle_root: /nowhere\n")
    (folder / "algo_object.pkl").write_bytes(b"not to be read")
    made = auto3dseg_folder(folder / "model", normalize_mode="none", resample_resolution=None, **changes)
    body = torch.load(made / "model.pt", weights_only=True)
    body["state_dict"] = {"weight": torch.tensor([0.0, 60.0]).reshape(2, 1, 1, 1, 1), "bias": torch.tensor([0.0, 0.0])}
    body["state_dict"]["bias"][1] = -60 * above
    torch.save(body, made / "model.pt")
    return folder


def auto3dseg_work(folder: Path) -> Path:
    """Three folds of one algorithm, beside what else Auto3DSeg leaves."""
    for number, above in enumerate((0.3, 0.5, 0.9)):
        auto3dseg_member(folder / f"segresnet_{number}", above=above)
    (folder / "datastats.yaml").write_text("stats_summary: {}\n")
    (folder / "ensemble_output").mkdir()
    return folder


def test_folds_that_auto3dseg_trained_answer_together_by_the_mean_of_their_probabilities(
    tmp_path: Path, own_home: Path
) -> None:
    ref = import_bundle(auto3dseg_work(tmp_path / "work"))
    manifest = read_manifest(Path(ref.path))
    assert (ref.title, ref.runs_code) == ("work@1", False)
    assert manifest.folds is not None
    assert (manifest.folds.names, manifest.folds.averages) == (("0", "1", "2"), "probabilities")
    assert not list(Path(ref.path).rglob("*.pkl")), "nothing but weights and configuration is taken"
    values = np.broadcast_to(np.linspace(0, 1, 41, dtype=np.float32), (20, 24, 41)).copy()
    image = Volume(array=values, geometry=Geometry.from_axes(values.shape, spacing=(2.0, 2.0, 2.0)), modality="CT")
    first = {
        folds: int(np.flatnonzero(predict(ref, image, settings=RunSettings(folds=folds)).label_map.array[10, 12])[0])
        for folds in ("", "1", "2", "all")
    }
    assert first == {"": 13, "1": 21, "2": 37, "all": 21}, "in columns of a fortieth; of all the majority"


def test_folds_as_files_of_one_folder_and_one_member_alone_are_taken(tmp_path: Path, own_home: Path) -> None:
    work = auto3dseg_work(tmp_path / "work")
    flat = tmp_path / "flat"
    flat.mkdir()
    for number in range(3):
        shutil.copy(work / f"segresnet_{number}" / "model" / "model.pt", flat / f"model_fold{number}.pt")
    folds = read_manifest(Path(import_bundle(flat).path)).folds
    assert folds is not None
    assert folds.names == ("0", "1", "2")
    assert read_manifest(Path(import_bundle(work / "segresnet_1").path)).folds is None
    shutil.copy(flat / "model_fold0.pt", flat / "model.pt")
    with pytest.raises(BundleError, match=r"weights: holds model\.pt and 3 folds"):
        import_bundle(flat, Answers(name="both"))


@pytest.mark.parametrize(
    ("key", "value"),
    [("roi_size", [16, 16, 16]), ("crop_foreground", False), ("resample", False), ("class_names", ["liver"])],
)
def test_networks_that_prepare_images_or_mean_their_outputs_otherwise_are_no_folds(
    tmp_path: Path, own_home: Path, key: str, value: Any
) -> None:
    work = auto3dseg_work(tmp_path / "work")
    auto3dseg_member(work / "segresnet_3", **{key: value})
    with pytest.raises(BundleError, match=rf"config\.{key}: the folds 0 and 3 differ"):
        import_bundle(work)


def test_several_algorithms_are_refused_until_one_is_named(tmp_path: Path, own_home: Path) -> None:
    work = auto3dseg_work(tmp_path / "work")
    other = work / "dints_0" / "model_fold0"
    other.mkdir(parents=True)
    torch.save(torch.nn.Conv3d(1, 2, 1).state_dict(), other / "best_metric_model.pt")
    for named in ("", "swinunetr"):
        with pytest.raises(BundleError, match=r"members of 2 algorithms \(dints, segresnet\).*--configuration NAME"):
            import_bundle(work, Answers(configuration=named))
    assert import_bundle(work, Answers(configuration="segresnet")).title == "work@1"
    for source, named in ((work, "dints"), (other.parent, "")):
        with pytest.raises(BundleError, match=r"dints_0.*config: is a member whose weights do not hold"):
            import_bundle(source, Answers(name="d", configuration=named))


def test_a_member_that_was_not_trained_is_refused(tmp_path: Path, own_home: Path) -> None:
    work = auto3dseg_work(tmp_path / "work")
    (work / "segresnet_2" / "model" / "model.pt").unlink()
    with pytest.raises(BundleError, match=r"segresnet_2.*without weights"):
        import_bundle(work)


def test_windows_of_two_dimensions_are_refused(tmp_path: Path, own_home: Path) -> None:
    with pytest.raises(BundleError, match=r"config\.roi_size: says of no windows in three dimensions"):
        import_bundle(auto3dseg_folder(tmp_path / "m", roi_size=[32, 32]))


# The Model Zoo.


def transport_of(pages: dict[str, bytes]) -> Callable[[str], Iterator[bytes]]:
    """A network of these pages alone."""

    def read(address: str) -> Iterator[bytes]:
        if address not in pages:
            raise OSError("no route")
        yield pages[address]

    return read


def zoo_pages(archive: bytes, checksum: str = "") -> dict[str, bytes]:
    """The zoo's list with two versions, and the newer one's zip."""
    entry = {"source": "https://zoo.example/s.zip", "checksum": checksum or hashlib.sha1(archive).hexdigest()}
    listed = {"spleen_v0.9.9": {**entry, "source": "https://zoo.example/old.zip"}, "spleen_v0.10.0": entry}
    return {zoo.LIST: json.dumps(listed).encode(), "https://zoo.example/s.zip": archive}


def test_a_zoo_name_is_downloaded_checked_and_recorded(zoo_folder: Path, tmp_path: Path) -> None:
    archive = zipped(zoo_folder, tmp_path / "s.zip").read_bytes()
    ref = import_from_zoo("spleen", transport=transport_of(zoo_pages(archive)))
    assert ref.title == "spleen@0.5.9"
    assert changes()[-1].origin == f"https://zoo.example/s.zip sha256:{hashlib.sha256(archive).hexdigest()}"


@pytest.mark.parametrize(
    ("name", "pages", "error", "said"),
    [
        ("spleen", {}, BundleError, "cannot be reached.*Offline"),
        ("spleen@0.9.9", zoo_pages(b""), BundleError, "zoo.example cannot be reached"),
        ("spleem", zoo_pages(b""), UnknownBundleError, "the Model Zoo has no 'spleem'.*spleen"),
        ("spleen", zoo_pages(b"x", checksum="0" * 40), BundleError, "has not the hash"),
        ("spleen", {zoo.LIST: b"{"}, BundleError, "cannot be read"),
    ],
)
def test_what_the_zoo_cannot_give_is_said(
    own_home: Path, name: str, pages: dict[str, bytes], error: type[MedAIError], said: str
) -> None:
    with pytest.raises(error, match=said):
        import_from_zoo(name, transport=transport_of(pages))
    assert not (own_home / "models").exists()


@pytest.mark.parametrize("address", ["http://zoo.example/x", "file:///etc/passwd", "ftp://x"])
def test_only_https_is_followed(address: str) -> None:
    with pytest.raises(OSError, match="not an https address"):
        next(zoo.https(address))


def test_an_installed_state_can_be_loaded_with_its_hash(tmp_path: Path, own_home: Path) -> None:
    from slicermedai.bundles.checkpoints import load_safetensors

    content = safetensors_file(tmp_path / "w.safetensors").read_bytes()
    state = load_safetensors(content)
    torch.nn.Conv3d(1, 2, 1).load_state_dict(state, strict=True)
    assert state["bias"].tolist() == [2.0, 3.0]


# What was taken in runs.


@pytest.mark.parametrize("kind", ["nnunet", "safetensors"])
def test_what_was_taken_in_runs_in_the_engine(tmp_path: Path, own_home: Path, kind: str) -> None:
    if kind == "nnunet":
        ref = import_bundle(write_results(tmp_path / "d", folds=2), Answers(name="x", mirror=False))
    else:
        weights, card = safetensors_file(tmp_path / "w.safetensors"), card_of(tmp_path / "card.json")
        ref = import_bundle(weights, Answers(card=card, weights_licence="CC-BY-NC-4.0"))
    affine = np.diag([2.0, 1.5, 1.5, 1.0])[[2, 1, 0, 3]]
    values = np.random.default_rng(0).normal(40, 80, (20, 40, 40)).astype(np.float32)
    image = Volume(array=values, geometry=Geometry(shape=values.shape, affine=affine), modality="CT", unit="HU")
    made = predict(ref, image)
    assert made.label_map.array.shape == values.shape
    assert set(np.unique(made.label_map.array)) <= {0, *(value for value, _ in ref.labels)}
    assert resolve(ref.title) == ref, "a run leaves the bundle's files as they are"


def test_an_nnunet_model_of_two_contrasts_runs_and_each_goes_to_its_channel(tmp_path: Path, own_home: Path) -> None:
    plan = plans(normalization_schemes=["ZScoreNormalization"] * 2, use_mask_for_norm=[False] * 2)
    data = dataset(channel_names={"0": "T1", "1": "FLAIR"})
    ref = import_bundle(write_results(tmp_path / "d", plan=plan, data=data), Answers(name="x", mirror=False))
    rng = np.random.default_rng(0)
    geometry = Geometry.from_axes((16, 40, 40), spacing=(3.0, 1.5, 1.5))
    images = {
        name: Volume(array=rng.random((16, 40, 40), dtype=np.float32), geometry=geometry, modality="MR")
        for name in ("T1", "FLAIR")
    }
    found, again = predict(ref, images), predict(ref, dict(reversed(images.items())))
    assert found.label_map.array.any()
    assert np.array_equal(found.label_map.array, again.label_map.array)
    turned = predict(ref, {"T1": images["FLAIR"], "FLAIR": images["T1"]})
    assert not np.array_equal(found.label_map.array, turned.label_map.array)
    with pytest.raises(InputError, match="'FLAIR', and none"):
        predict(ref, {"T1": images["T1"]})


def test_compiled_code_beside_agreed_scripts_is_not_run(zoo_folder: Path, tmp_path: Path) -> None:
    """What Python compiled earlier would be taken in place of the source that was hashed."""
    source = "import torch\ndef net():\n    return torch.nn.Conv3d(1, 2, 1)\n"
    with_code(zoo_folder)
    (zoo_folder / "scripts" / "net.py").write_text(source)
    change_json(zoo_folder / "configs" / "inference.json", network_def={"_target_": "scripts.net.net"}, imports=[])
    ref = import_bundle(zoo_folder)
    agree(Title(name=ref.name, version=ref.version), "trusted", Path(ref.path))
    script, proof = Path(ref.path) / "scripts" / "net.py", tmp_path / "ran"
    evil = tmp_path / "net.py"
    evil.write_text(f"open({str(proof)!r}, 'w').close()\n{source}")
    stat = script.stat()
    os.utime(evil, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    planted = Path(importlib.util.cache_from_source(str(script)))
    planted.parent.mkdir()
    data = importlib._bootstrap_external._code_to_timestamp_pyc(  # type: ignore[attr-defined]  # private
        compile(evil.read_text(), str(script), "exec"), int(stat.st_mtime), stat.st_size
    )
    planted.write_bytes(data)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])[[2, 1, 0, 3]]
    values = np.arange(16**3, dtype=np.float32).reshape(16, 16, 16)
    predict(
        resolve(ref.title), Volume(array=values, geometry=Geometry(shape=(16, 16, 16), affine=affine), modality="CT")
    )
    assert not proof.exists()
    assert resolve(ref.title).consent == "trusted"
