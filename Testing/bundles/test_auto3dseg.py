"""Model folders as they are published for Slicer: each of their rules, and labels as Auto3DSeg's own way makes them."""

from __future__ import annotations

import copy
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai.bundles.draft import Answers
from slicermedai.bundles.importing import import_bundle
from slicermedai.bundles.label_table import read_table
from slicermedai.bundles.manifest import read_manifest
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import BundleError, CodeError, InputError
from slicermedai.inference.task import predict
from Testing.bundles.auto3dseg_folders import (
    LABELS,
    LESION,
    SWIN,
    TWO,
    BySlices,
    blobs,
    labels_of,
    loaded,
    network_of,
    probabilities,
    row,
    swin_network,
    swin_probabilities,
    training,
    write_configs,
    write_model,
)

Shape, Spacing = tuple[int, int, int], tuple[float, float, float]
PLAIN: tuple[Shape, Spacing] = (24, 50, 56), (2.0, 1.5, 1.5)
RULES: dict[str, tuple[dict[str, Any], tuple[Shape, Spacing]]] = {
    "scaled by a range": ({}, PLAIN),
    "resampled to a finer grid": ({}, ((16, 40, 44), (3.5, 2.2, 2.2))),
    "resampled to a coarser grid, as fast models are": (
        {"resample_resolution": [3.0, 3.0, 3.0], "roi_size": [24, 24, 24]},
        ((50, 80, 80), (1.5, 1.2, 1.2)),
    ),
    "a spacing within a quarter is kept": ({}, ((24, 50, 56), (2.3, 1.25, 1.25))),
    "a spacing that training knew and did not use": ({"resample": False}, ((24, 50, 56), (3.5, 1.0, 1.0))),
    "smaller than a window": ({"roi_size": [48, 48, 32]}, ((14, 30, 34), (2.0, 1.5, 1.5))),
    "not cropped": ({"crop_foreground": False}, PLAIN),
    "axes as acquired": ({"orientation_ras": False}, PLAIN),
    "mean and spread": ({"normalize_mode": "meanstd"}, PLAIN),
    "mean and spread of MR": ({"normalize_mode": "mri", "modality": "mri"}, PLAIN),
    "mean and spread with soft limits": ({"normalize_mode": "meanstdtanh"}, PLAIN),
    "soft limits of PET": ({"normalize_mode": "pet", "modality": "pet"}, PLAIN),
    "intensities as they are": ({"normalize_mode": "none"}, PLAIN),
    "kernels for thick slices": (
        {"resample_resolution": [1.0, 1.0, 3.0], "network": {"resolution": [1.0, 1.0, 3.0]}},
        ((18, 50, 56), (3.0, 1.0, 1.0)),
    ),
}
MODALITY = {"mri": "MR", "pet": "PT"}


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Of two masks that must not be empty."""
    assert other.any(), "nothing to compare"
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def plain_blobs(**more: Any) -> Volume:
    """An image whose spacing is the network's."""
    return blobs(PLAIN[0], spacing=PLAIN[1], **more)


@pytest.mark.parametrize("rule", RULES)
def test_labels_are_those_of_auto3dseg_itself(tmp_path: Path, own_home: Path, rule: str) -> None:
    changes, (shape, spacing) = RULES[rule]
    config = training(**changes)
    modality = MODALITY.get(config["modality"], "CT")
    image = blobs(shape, spacing=spacing, modality=modality)
    ref = import_bundle(write_model(tmp_path / "model", config, labels=TWO))
    wanted = labels_of(probabilities(config, network_of(config), {"image": loaded(image)}))
    found = predict(ref, image).label_map.array
    assert [dice(found == value, wanted == value) > 0.999 for value in (1, 2)] == [True, True]


def test_an_image_in_other_axes_is_turned_first_and_the_labels_come_back(tmp_path: Path, own_home: Path) -> None:
    config = training()
    image = blobs((50, 56, 24), spacing=(1.5, 1.5, 2.0))
    image = replace(image, geometry=Geometry(shape=image.array.shape, affine=image.geometry.affine[:, [2, 0, 1, 3]]))
    ref = import_bundle(write_model(tmp_path / "model", config, labels=TWO))
    wanted = labels_of(probabilities(config, network_of(config), {"image": loaded(image)}))
    found = predict(ref, image).label_map.array
    assert [dice(found == value, wanted == value) > 0.999 for value in (1, 2)] == [True, True]


def test_channels_of_one_image_are_several_images_by_the_names_that_a_person_says(
    tmp_path: Path, own_home: Path
) -> None:
    config = training(normalize_mode="meanstd", modality="mri", network={"in_channels": 2})
    folder = write_model(tmp_path / "model", config, labels=TWO)
    with pytest.raises(BundleError, match=r"inputs: the network takes 2 images, and 0 names are given.*--inputs"):
        import_bundle(folder)
    with pytest.raises(BundleError, match=r"'\$x' cannot be the name of an image"):
        import_bundle(folder, Answers(inputs=("FLAIR", "$x")))
    ref = import_bundle(folder, Answers(inputs=("FLAIR", "T1")))
    first, second = (plain_blobs(seed=seed, modality="MR") for seed in (4, 5))
    both = loaded(first).clone()
    both.set_array(np.concatenate([loaded(first).numpy(), loaded(second).numpy()]))
    wanted = labels_of(probabilities(config, network_of(config), {"image": both}))
    found = predict(ref, {"FLAIR": first, "T1": second}).label_map.array
    assert [dice(found == value, wanted == value) > 0.999 for value in (1, 2)] == [True, True]
    changed = predict(ref, {"FLAIR": second, "T1": first}).label_map.array
    assert (changed != found).mean() > 0.05, "each image has its own channel"
    with pytest.raises(InputError, match="T1"):
        predict(ref, {"FLAIR": first})


def test_images_that_training_kept_apart_are_scaled_each_in_its_own_way(tmp_path: Path, own_home: Path) -> None:
    config = training(extra_modalities={"image2": "ct"}, normalize_mode="meanstd", network={"in_channels": 2})
    ref = import_bundle(write_model(tmp_path / "model", config, labels=TWO), Answers(modality=("CT",)))
    first, second = plain_blobs(seed=4), blobs((30, 60, 60), spacing=(1.8, 1.4, 1.4), seed=5)
    images = {"image": loaded(first), "image2": loaded(second)}
    wanted = labels_of(probabilities(config, network_of(config), images))
    found = predict(ref, {"image": first, "image2": second}).label_map.array
    assert [dice(found == value, wanted == value) > 0.999 for value in (1, 2)] == [True, True]


def test_images_that_training_kept_apart_can_have_names_that_people_know(tmp_path: Path, own_home: Path) -> None:
    config = training(extra_modalities={"image2": "mri"}, normalize_mode="meanstd", network={"in_channels": 2})
    ref = import_bundle(write_model(tmp_path / "model", config, labels=TWO), Answers(inputs=("T2", "ADC")))
    steps = read_manifest(Path(ref.path)).config["preprocessing"]["transforms"]
    assert [step["keys"] for step in steps if step["_target_"] == "NormalizeIntensityd"] == ["T2", "ADC"]
    assert (steps[0]["keys"], steps[-1]["name"]) == (["T2", "ADC"], "image")
    assert not any(step["_target_"] == "CropForegroundd" for step in steps), "several images are not cropped"


def test_other_than_one_channel_of_each_image_is_refused(tmp_path: Path, own_home: Path) -> None:
    config = training(extra_modalities={"image2": "mri"}, network={"in_channels": 3})
    with pytest.raises(BundleError, match="extra_modalities: its network takes 3 channels of 2 images"):
        import_bundle(write_model(tmp_path / "model", config, labels=TWO))
    with pytest.raises(BundleError, match="takes 1 image, and 2 names are given"):
        import_bundle(write_model(tmp_path / "one", training(), labels=TWO), Answers(inputs=("T2", "ADC")))


def test_outputs_that_overlap_stay_so(tmp_path: Path, own_home: Path) -> None:
    config = training(
        sigmoid=True, class_names=["liver", "spleen"], class_index=[[1], [2]], network={"out_channels": 2}
    )
    image = plain_blobs()
    ref = import_bundle(write_model(tmp_path / "model", config, labels=TWO))
    scores = probabilities(config, network_of(config), {"image": loaded(image)}).numpy()
    regions = {one.value: one.region.to_array() for one in predict(ref, image).regions}
    assert [dice(regions[value], scores[value - 1].T >= 0.5) > 0.999 for value in (1, 2)] == [True, True]


NESTED = {"sigmoid": True, "class_index": [[1, 2, 3], [1, 3], [3]], "network": {"out_channels": 3}}
PARTS = [
    row(3, "Neoplasm", f'{LESION},SCT,86049000,"Neoplasm, Primary"'),
    row(2, "Edema", f"{LESION},SCT,79654002,Edema"),
    row(1, "Necrosis", f"{LESION},SCT,6574001,Necrosis"),
]


def test_the_table_of_an_images_labels_is_not_taken_for_outputs_made_of_several(tmp_path: Path, own_home: Path) -> None:
    config = training(class_names=["acc_0", "acc_1", "acc_2"], **NESTED)
    folder = write_model(tmp_path / "model", config, labels=PARTS)
    with pytest.raises(CodeError, match="'labels 1, 2, 3 together', 'labels 1, 3 together', 'class 3'") as caught:
        import_bundle(folder)
    table = Path(str(caught.value.file))
    texts = {1: "128462008,Whole tumor", 2: "86049000,Tumor core", 3: "126952004,Enhancing tumor"}
    names = ("labels 1, 2, 3 together", "labels 1, 3 together", "class 3")
    rows = [row(value, f'"{name}"', f"{LESION},SCT,{texts[value]}") for value, name in enumerate(names, start=1)]
    table.write_text("\n".join([LABELS, *rows]) + "\n")
    ref = import_bundle(folder, Answers(labels=table))
    assert [(value, label.type.meaning) for value, label in ref.labels] == [
        (1, "Whole tumor"),
        (2, "Tumor core"),
        (3, "Enhancing tumor"),
    ]


@pytest.mark.parametrize("index", [None, [[2], [1], [3]]])
def test_a_table_whose_order_is_not_said_to_be_that_of_overlapping_outputs_is_not_taken(
    tmp_path: Path, own_home: Path, index: Any
) -> None:
    config = training(class_names=["acc_0", "acc_1", "acc_2"], **{**NESTED, "class_index": index})
    with pytest.raises(CodeError, match="'class 1'"):
        import_bundle(write_model(tmp_path / "model", config, labels=PARTS))


def test_outputs_that_exclude_each_other_and_are_made_of_several_labels_are_refused(
    tmp_path: Path, own_home: Path
) -> None:
    config = training(class_index=[[1, 2], [3]])
    with pytest.raises(BundleError, match=r"config\.class_index: makes outputs that exclude each other"):
        import_bundle(write_model(tmp_path / "model", config, labels=TWO))


def test_classes_that_nobody_named_take_the_names_of_the_table(tmp_path: Path, own_home: Path) -> None:
    ref = import_bundle(write_model(tmp_path / "model", training(), labels=TWO))
    assert [(value, label.name, label.type.value) for value, label in ref.labels] == [
        (1, "liver", "10200004"),
        (2, "spleen", "78961009"),
    ]


def test_a_class_without_a_row_is_asked_for(tmp_path: Path, own_home: Path) -> None:
    with pytest.raises(CodeError, match=r"1 of 2 labels have no code.*'class 2'"):
        import_bundle(write_model(tmp_path / "model", training(), labels=TWO[:1]))


def test_a_table_of_another_model_is_refused(tmp_path: Path, own_home: Path) -> None:
    config = training(class_names=["kidney", "spleen"])
    with pytest.raises(BundleError, match="label 1 is 'liver', and the model calls it 'kidney'"):
        import_bundle(write_model(tmp_path / "model", config, labels=TWO))


def test_where_a_lesion_lies_is_told(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    bleeding = f"{LESION},SCT,50960005,Hemorrhage,,,"
    table.write_text(
        f"{LABELS}\n1,hemorrhage,{bleeding},SCT,113305005,Cerebellum,SCT,7771000,Left\n"
        f"2,hemorrhage in brain,{bleeding},SCT,12738006,Brain,,,\n{TWO[1].replace('2,', '3,', 1)}\n"
    )
    labels = read_table(table)
    assert (labels[1].name, labels[1].definition) == (
        "hemorrhage in Left Cerebellum",
        "It lies in: Left Cerebellum.",
    )
    assert (labels[2].name, labels[2].definition) == ("hemorrhage in brain", "It lies in: Brain.")
    assert (labels[3].name, labels[3].definition) == ("spleen", "")


def test_name_and_version_are_those_of_the_release(tmp_path: Path, own_home: Path) -> None:
    folder = write_model(tmp_path / "whole-body-3mm-v2.0.1", training(), labels=TWO)
    archive = tmp_path / "whole-body-3mm-v2.0.1.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("README.md", "Where the model comes from.")
        for file in folder.iterdir():
            opened.write(file, f"model/{file.name}")
    assert import_bundle(archive).title == "whole-body-3mm@2.0.1"
    assert import_bundle(folder, Answers(version="2.0.2")).title == "whole-body-3mm@2.0.2"


def test_a_folder_of_several_models_is_none_of_them(tmp_path: Path, own_home: Path) -> None:
    for name in ("one", "two"):
        write_model(tmp_path / "models" / name, training(), labels=TWO)
    with pytest.raises(BundleError, match="is no MONAI bundle, nnU-Net results folder or Auto3DSeg model"):
        import_bundle(tmp_path / "models")


def test_normalisation_that_is_not_installed_here_is_monais_own_of_the_same_weights(
    tmp_path: Path, own_home: Path
) -> None:
    plain = training()
    weights = network_of(plain).state_dict()
    config = {**plain, "network": {**plain["network"], "norm": "INSTANCE_NVFUSER", "act": ["relu", {"inplace": False}]}}
    ref = import_bundle(write_model(tmp_path / "model", config, labels=TWO, state=weights))
    assert read_manifest(Path(ref.path)).config["network_def"]["norm"] == "INSTANCE"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("custom_data_transforms", [{"key": "after_load_transforms", "path": "x", "transform": {"_target_": "X"}}]),
        ("sliding_inferrer", {"_target_": "SlidingWindowInferer", "roi_size": [8, 8, 8]}),
        ("cache_image_int16", True),
    ],
)
def test_a_training_that_did_more_than_is_known_is_refused(
    tmp_path: Path, own_home: Path, key: str, value: Any
) -> None:
    with pytest.raises(BundleError, match=rf"config\.{key}: training prepared its images by more"):
        import_bundle(write_model(tmp_path / "model", training(**{key: value}), labels=TWO))


def test_background_that_is_named_is_no_label(tmp_path: Path, own_home: Path) -> None:
    config = training(class_names=["background", "liver", "spleen"])
    ref = import_bundle(write_model(tmp_path / "model", config))
    assert [(value, label.type.value) for value, label in ref.labels] == [(1, "10200004"), (2, "78961009")]


# Members of other algorithms.


@pytest.mark.parametrize("shape", [(20, 60, 60), (20, 30, 34)])
def test_labels_of_a_network_of_slices_are_those_of_auto3dseg_itself(
    tmp_path: Path, own_home: Path, shape: Shape
) -> None:
    config = training(
        roi_size=[48, 48, 8],
        resample_resolution=[1.5, 1.5, 1.0],
        network={"spatial_dims": 2, "norm": "BATCH"},
    )
    image = blobs(shape, spacing=(4.0, 1.1, 1.1))
    wrapped = BySlices(network_of(config))
    ref = import_bundle(write_model(tmp_path / "model", config, labels=TWO, state=wrapped.state_dict()))
    wanted = labels_of(probabilities(config, wrapped, {"image": loaded(image)}))
    found = predict(ref, image).label_map.array
    assert [dice(found == value, wanted == value) > 0.999 for value in (1, 2)] == [True, True]


def test_labels_of_a_member_described_beside_its_weights_are_those_of_auto3dseg_itself(
    tmp_path: Path, own_home: Path
) -> None:
    network = swin_network()
    member = write_configs(tmp_path / "swinunetr_0", SWIN, network.state_dict())
    (tmp_path / "swinunetr_0" / "labels.csv").write_text("\n".join([LABELS, *TWO]) + "\n")
    image = blobs((40, 70, 74), spacing=(2.0, 1.6, 1.6))
    ref = import_bundle(member, Answers(modality=("CT",)))
    assert not ref.runs_code
    wanted = labels_of(swin_probabilities(network, loaded(image)))
    found = predict(ref, image).label_map.array
    cropped = np.s_[2:-2, 6:-6, 6:-6]
    inside = found[cropped], wanted[cropped]
    assert [dice(inside[0] == value, inside[1] == value) > 0.999 for value in (1, 2)] == [True, True]
    one_further = np.s_[1:-1, 5:-5, 5:-5]
    beyond = np.ones(found.shape, dtype=bool)
    beyond[one_further] = False
    assert not found[beyond].any(), "the network's last voxels may reach half of their size beyond what was cropped"


def test_members_of_several_algorithms_are_taken_one_algorithm_at_a_time(tmp_path: Path, own_home: Path) -> None:
    work, state = tmp_path / "work", swin_network().state_dict()
    for fold in range(2):
        write_configs(work / f"swinunetr_{fold}", SWIN, state, fold=fold)
    write_model(work / "segresnet_0" / "model", training(), labels=TWO)
    (work / "labels.csv").write_text("\n".join([LABELS, *TWO]) + "\n")
    with pytest.raises(
        BundleError, match=r"members of 2 algorithms \(segresnet, swinunetr\): what they answer together"
    ):
        import_bundle(work)
    manifest = read_manifest(Path(import_bundle(work, Answers(configuration="swinunetr", name="swin")).path))
    assert manifest.folds is not None
    assert manifest.folds.names == ("0", "1")
    assert read_manifest(Path(import_bundle(work, Answers(configuration="segresnet")).path)).folds is None


def changed(file: str, place: list[str], value: Any) -> dict[str, dict[str, Any]]:
    """The configurations of a member with one value changed."""
    made = copy.deepcopy(SWIN)
    entry: Any = made[file]
    for key in place[:-1]:
        entry = entry[key]
    entry[place[-1]] = value
    return made


@pytest.mark.parametrize(
    ("file", "place", "value", "words"),
    [
        (
            "network.yaml",
            ["network", "space"],
            "$torch.load('x')",
            r"network#space: is made by an expression of its own",
        ),
        ("network.yaml", ["network", "in_channels"], "@network#in_channels", "refers to itself"),
        ("hyper_parameters.yaml", ["softmax"], None, "configs: says nothing of its network or its outputs"),
        ("hyper_parameters.yaml", ["roi_size_valid"], None, "roi_size: says of no windows"),
        ("transforms_infer.yaml", ["transforms_infer", "transforms"], ["PLACEHOLDER"], "is no list of steps"),
        ("network.yaml", ["network", "_target_"], "DiNTS", "names something beyond the networks that are known here"),
    ],
)
def test_a_member_whose_configurations_are_more_than_plain_values_is_refused_by_name(
    tmp_path: Path, own_home: Path, file: str, place: list[str], value: Any, words: str
) -> None:
    member = write_configs(tmp_path / "other_0", changed(file, place, value), swin_network().state_dict())
    (member / "labels.csv").write_text("\n".join([LABELS, *TWO]) + "\n")
    with pytest.raises(BundleError, match=words):
        import_bundle(member, Answers(modality=("CT",)))
