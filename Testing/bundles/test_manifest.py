"""What a bundle says about itself, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from slicermedai.bundles.code import runs_code
from slicermedai.bundles.manifest import read_bundle, read_manifest
from slicermedai.errors import BundleError, CodeError
from Testing.inference.tiny_bundle import INSIDE, change_json, tiny_config


def test_a_bundle_is_read_with_codes_hash_licence_and_use(tiny: Path) -> None:
    ref = read_bundle(tiny)
    assert (ref.title, ref.task, ref.modality, ref.licence) == ("tiny@0.1", "segmentation", ("MR",), "Apache-2.0")
    assert ref.labels[0][0] == 1
    assert (ref.labels[0][1].type.scheme, ref.labels[0][1].type.value) == ("SCT", "38266002")
    assert not ref.runs_code
    assert ref.consent == ""


def test_the_entry_may_stand_in_the_metadata(tiny: Path) -> None:
    entry = json.loads((tiny / "medai.json").read_text())
    (tiny / "medai.json").unlink()
    change_json(tiny / "configs" / "metadata.json", medai=entry)
    assert read_bundle(tiny).title == "tiny@0.1"


@pytest.mark.parametrize("part", ["category", "type"])
def test_a_label_without_a_code_is_refused_by_name(tiny: Path, part: str) -> None:
    change_json(tiny / "medai.json", labels=[{**INSIDE, part: None}])
    with pytest.raises(CodeError, match=rf"medai\.json, labels\.Body\.{part}"):
        read_bundle(tiny)


@pytest.mark.parametrize("key", ["weights", "labels"])
def test_an_entry_without_weights_or_labels_is_refused(tiny: Path, key: str) -> None:
    change_json(tiny / "medai.json", **{key: None})
    with pytest.raises(BundleError) as caught:
        read_bundle(tiny)
    assert caught.value.attribute == key


@pytest.mark.parametrize("path", ["../outside.pt", "/etc/passwd", ""])
def test_weights_outside_the_bundle_are_refused(tiny: Path, path: str) -> None:
    change_json(tiny / "medai.json", weights={"file": path, "sha256": "0" * 64})
    with pytest.raises(BundleError, match="inside the bundle"):
        read_bundle(tiny)


def test_weights_without_a_hash_are_refused(tiny: Path) -> None:
    change_json(tiny / "medai.json", weights={"file": "models/model.pt", "sha256": "abc"})
    with pytest.raises(BundleError, match="needs the SHA-256"):
        read_bundle(tiny)


def test_a_plain_zoo_bundle_is_told_what_it_lacks(tiny: Path) -> None:
    (tiny / "medai.json").unlink()
    with pytest.raises(BundleError, match=r"Add medai\.json"):
        read_bundle(tiny)


def test_damaged_json_is_named(tiny: Path) -> None:
    (tiny / "configs" / "inference.json").write_text("{")
    with pytest.raises(BundleError, match=r"inference\.json: cannot be read"):
        read_bundle(tiny)


def test_yaml_without_its_reader_says_what_to_install(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tiny / "configs" / "inference.json").rename(tiny / "configs" / "inference.yaml")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(BundleError, match="Install PyYAML"):
        read_bundle(tiny)


def test_yaml_is_read_as_json_is(tiny: Path) -> None:
    pytest.importorskip("yaml", reason="absent: PyYAML")
    before = read_manifest(tiny)
    (tiny / "configs" / "inference.json").rename(tiny / "configs" / "inference.yaml")
    assert read_manifest(tiny) == before
    (tiny / "configs" / "inference.yaml").write_text("a: [")
    with pytest.raises(BundleError, match=r"inference\.yaml: cannot be read"):
        read_manifest(tiny)


@pytest.mark.parametrize(("key", "value"), [("field_of_view_mm", [1]), ("labels", [{"name": "x"}]), ("labels", [3])])
def test_values_of_the_wrong_shape_are_named(tiny: Path, key: str, value: object) -> None:
    change_json(tiny / "medai.json", **{key: value})
    with pytest.raises((BundleError, CodeError), match=key):
        read_bundle(tiny)


def test_an_unknown_kind_of_output_is_refused(tiny: Path) -> None:
    change_json(tiny / "medai.json", outputs="votes")
    with pytest.raises(BundleError, match="logits or probabilities"):
        read_manifest(tiny)


def test_a_file_that_nothing_pins_is_refused(tiny: Path) -> None:
    with pytest.raises(BundleError, match="no SHA-256"):
        read_manifest(tiny).file("models/other.pt")


@pytest.mark.parametrize(
    "part",
    [
        {"x": "$__import__('os').getcwd()"},
        {"x": ["a", {"y": "%other.json#key"}]},
        {"_target_": "os.system", "command": "true"},
        {"_target_": "builtins.eval"},
        {"_target_": "scripts.networks.Net"},
        {"_target_": "monai.bundle.download"},
        {"_target_": "monai.transforms.apply_transform"},
        {"_target_": "download_and_extract"},
        {"_target_": "torch.hub.load"},
        {"_target_": "ConfigWorkflow", "config_file": "x.json", "tracking": "mlflow"},
        {"_target_": "Lambdad", "keys": "image"},
        {"_target_": "TorchVisiond", "name": "x"},
        {"_target_": "torch.nn.Module"},
        {"_target_": "SimpleInferer", "_mode_": "debug"},
        {"inner": {"_target_": "torch.jit.load", "f": "unpinned.ts"}},
        {"_target_": "SimpleInferer", "network": "@network_def"},
    ],
)
def test_whatever_runs_code_is_seen(part: dict[str, Any]) -> None:
    assert runs_code({"network_def": part})


def test_torchscript_beside_the_network_is_code() -> None:
    loads = {"_target_": "torch.jit.load", "f": "models/model.ts"}
    assert not runs_code({"network_def": loads, "locator_def": loads})
    for config in ({"inferer": loads}, {"preprocessing": [loads]}, {"network_def": {"deep": loads}}):
        assert runs_code(config)


def test_monai_components_alone_run_no_code() -> None:
    assert not runs_code(tiny_config())
    assert not runs_code({"a": {"_target_": "monai.networks.nets.UNet"}})


def test_torchscript_is_code_whatever_its_file_is_called(scripted: Path) -> None:
    assert read_bundle(scripted).weights.endswith(".pt")
    assert read_bundle(scripted).runs_code


@pytest.mark.parametrize(
    ("key", "value"), [("contrast", "T3"), ("acquisition", ["EchoTime"]), ("acquisition", {"EchoTime": 3})]
)
def test_conditions_that_cannot_be_checked_are_refused(tiny: Path, key: str, value: object) -> None:
    change_json(tiny / "medai.json", **{key: value})
    with pytest.raises(BundleError):
        read_manifest(tiny)


def test_every_contrast_that_a_bundle_may_name_can_be_judged(tiny: Path) -> None:
    from slicermedai.bundles.manifest import CONTRASTS
    from slicermedai.inference.contrast import CONTRASTS as RULES

    assert set(CONTRASTS) == {"", *RULES}


def test_a_label_says_what_its_number_covers(tiny: Path) -> None:
    change_json(tiny / "medai.json", labels=[{**INSIDE, "definition": "All of it."}])
    assert read_bundle(tiny).labels[0][1].definition == "All of it."
