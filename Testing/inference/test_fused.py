"""Boxes of several folds: joined by weighted boxes fusion, and each told by how many of them it was found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from slicermedai.bundles.registry import resolve
from slicermedai.confidence.findings import findings_of, with_folds
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.finding import Box, ConfidenceState
from slicermedai.domain.volume import Volume
from slicermedai.errors import BundleError, InputError, JobCancelled
from slicermedai.inference.fused import FoldBoxes, fused, most_asked, overlap_asked, overlaps
from slicermedai.inference.record import provenance_of, ran_in
from slicermedai.inference.spots import SpotDetector
from slicermedai.inference.task import Listeners, Prediction, RunSettings, predict
from Testing.fixtures.grids import covering
from Testing.inference.conftest import points_of
from Testing.inference.test_single import NETWORK, PLACES, detecting, middle
from Testing.inference.tiny_bundle import change_json, pinned
from Testing.inference.zoo import Draft, write_zoo_bundle

GRID = covering(spacing=(2.5, 1.5, 1.5), extent=(80.0, 80.0, 80.0))
FOLDS = ((0.4, 0.0), (0.8, 2.0), (5.0, 0.0))
"""Of each: how bright something must be, and by how many voxels its boxes lie too far along the first axis."""


def cube(at: float, edge: float = 10.0, *, across: float = 0.0) -> list[float]:
    return [at, across, 0.0, at + edge, across + edge, edge]


def fold(*found: tuple[list[float], float], label: int = 0) -> FoldBoxes:
    return FoldBoxes(
        boxes=np.array([box for box, _ in found], dtype=np.float64).reshape(-1, 6),
        labels=np.full(len(found), label),
        scores=np.array([score for _, score in found], dtype=np.float64),
    )


# --- the rule ----------------------------------------------------------------------------------------------------


def test_overlap_is_intersection_over_union() -> None:
    others = [np.array(cube(at)) for at in (0, 5, 10, 40)]
    assert overlaps(others, np.array(cube(0))) == pytest.approx([1, 1 / 3, 0, 0])


def test_faces_are_means_weighted_by_score_and_the_score_is_that_over_all_folds() -> None:
    (found,) = fused([fold((cube(0), 0.9)), fold((cube(2), 0.3)), fold()], overlap=0.2)
    assert found.box.tolist() == pytest.approx(cube(0.5))
    assert found.score(3) == pytest.approx((0.9 + 0.3 + 0) / 3)
    assert sorted(found.scores) == [0, 1]


def test_what_one_fold_alone_found_stays_with_the_score_that_says_so() -> None:
    found = fused([fold((cube(0), 0.5)), fold((cube(50), 0.9)), fold((cube(50), 0.8))], overlap=0.2)
    assert [(round(one.box[0], 6), round(one.score(3), 4), sorted(one.scores)) for one in found] == [
        (50, round(1.7 / 3, 4), [1, 2]),
        (0, round(0.5 / 3, 4), [0]),
    ]


def test_things_of_two_classes_are_not_joined() -> None:
    assert len(fused([fold((cube(0), 0.5)), fold((cube(0), 0.5), label=1)], overlap=0.2)) == 2


def test_neighbours_that_one_fold_tells_apart_stay_two_where_another_sees_one_large_thing() -> None:
    wide = [0.0, 0.0, 0.0, 20.0, 10.0, 10.0]
    found = fused([fold((cube(0), 0.9), (cube(10), 0.8)), fold((wide, 0.7))], overlap=0.2)
    assert [sorted(one.scores) for one in found] == [[0, 1], [0]]


def test_the_best_overlap_takes_the_box() -> None:
    found = fused([fold((cube(0), 0.9), (cube(8), 0.8)), fold((cube(7), 0.6))], overlap=0.1)
    assert {tuple(sorted(one.scores)) for one in found if one.box[0] > 5} == {(0, 1)}


def test_a_neighbour_does_not_take_the_place_of_the_box_that_a_fold_has_there() -> None:
    sure, own, neighbour = (cube(0), 0.9), (cube(-1), 0.3), (cube(6), 0.5)
    overlap = overlaps([np.array(cube(6))], np.array(cube(0)))[0]
    assert overlap > 0.22 > overlaps([np.array(cube(6))], np.array(cube(-1)))[0], "one detector tells the two apart"
    for answers in ([fold(sure), fold(neighbour, own)], [fold(neighbour, own), fold(sure)]):
        first, second = fused(answers, overlap=0.22)
        assert first.box.tolist() == pytest.approx(cube(-0.25))
        assert (first.score(2), len(first.scores)) == (pytest.approx(0.6), 2)
        assert (second.box.tolist(), second.score(2), len(second.scores)) == (pytest.approx(cube(6)), 0.25, 1)


def test_one_lesion_that_five_folds_see_with_other_scores_at_other_places_is_one_box() -> None:
    seen = [(0.9, 0.0), (0.7, 1.0), (0.5, -1.5), (0.3, 2.0)]
    (found,) = fused([*(fold((cube(at), score)) for score, at in seen), fold()], overlap=0.22)
    middle_of_all = (0.7 * 1.0 - 0.5 * 1.5 + 0.3 * 2.0) / 2.4
    assert found.box.tolist() == pytest.approx(cube(middle_of_all))
    assert (found.score(5), len(found.scores)) == (pytest.approx(2.4 / 5), 4)


def test_one_fold_alone_and_equal_answers_keep_their_boxes_and_scores() -> None:
    own = fold((cube(0), 0.9), (cube(30, across=4.0), 0.25), (cube(60), 0.0))
    for answers in ([own], [own] * 5):
        found = fused(answers, overlap=0.2)
        assert np.allclose([one.box for one in found], own.boxes)
        assert [one.score(len(answers)) for one in found] == pytest.approx(own.scores.tolist())


def test_the_order_of_folds_changes_no_box() -> None:
    draw = np.random.default_rng(3)
    answers = [fold(*((cube(float(at)), float(s)) for at, s in zip(range(0, 90, 15), draw.random(6), strict=True)))]
    answers += [
        fold(*((cube(at + float(draw.normal())), float(draw.random())) for at in range(0, 90, 15))) for _ in range(3)
    ]
    made, turned = fused(answers, overlap=0.2), fused(answers[::-1], overlap=0.2)
    assert len(made) == 6
    assert np.allclose([one.box for one in made], [one.box for one in turned])


@pytest.mark.parametrize("score", [1.5, -0.1, float("nan")])
def test_scores_that_have_no_mean_are_refused(score: float) -> None:
    found = {"box": torch.tensor([cube(0)]), "label": torch.zeros(1), "label_scores": torch.tensor([score])}
    with pytest.raises(BundleError, match=r"x\.json, scores: boxes of folds are joined by scores from 0 to 1"):
        FoldBoxes.of(SpotDetector(), found, file="x.json")


def test_a_detector_must_say_from_which_overlap_on_boxes_are_one_thing() -> None:
    assert (overlap_asked(SpotDetector()), most_asked(SpotDetector(most=7))) == (0.22, 7)
    radius_apart = overlaps([np.array([0.0] * 3 + [2.0] * 3)], np.array([3**-0.5] * 3 + [2 + 3**-0.5] * 3))
    assert radius_apart[0] == pytest.approx(0.22, abs=0.005), "along the diagonal, where balls overlap least as boxes"
    with pytest.raises(InputError, match="folds: the detector does not say"):
        overlap_asked(object())


# --- a bundle ----------------------------------------------------------------------------------------------------


@pytest.fixture
def folded(tmp_path: Path) -> BundleRef:
    """Three networks that see what is bright enough for each: of two balls both, the brighter, and none."""
    pytest.importorskip("torchvision", reason="absent: torchvision, which MONAI's detectors need")
    return resolve(str(write_folded_detector(tmp_path / "zoo@0.1")), consent="the test")


def write_folded_detector(folder: Path) -> Path:
    """The bundle of the detectors :data:`FOLDS`."""
    write_zoo_bundle(folder, "plain", _detecting)
    (folder / "models" / "model.pt").unlink()
    names = [f"models/model_fold{number}.pt" for number in range(len(FOLDS))]
    for name, (least, off) in zip(names, FOLDS, strict=True):
        state = {"scale": torch.full((1,), 9.0), "least": torch.tensor([least]), "off": torch.tensor([off])}
        torch.save(state, folder / name)
    first, *others = [pinned(folder, name) for name in names]
    files = {str(number): name for number, name in enumerate(names)}
    entry = {"task": "detection", "weights": first, "other_weights": others, "folds": {"files": files}}
    change_json(folder / "medai.json", **entry)
    return folder


def _detecting(draft: Draft) -> None:
    detecting(draft)
    text = NETWORK.replace("- 0.4)", "- self.least)").replace(
        "        return {", "        box[:, 0] = self.off / 8\n        return {"
    )
    more = "        self.least, self.off = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))\n"
    draft.files["scripts/peaks.py"] = text.replace("        self.spatial_dims", more + "        self.spatial_dims", 1)


def balls() -> Volume:
    """The first brighter than the second."""
    near = [np.linalg.norm(points_of(GRID) - place, axis=-1) / 14 for place in PLACES]
    array = np.clip(np.maximum(1.6 - 1.6 * near[0], 1 - near[1]), 0, None)
    return Volume(array=array.astype(np.float32), geometry=GRID, modality="MR")


def run(ref: BundleRef, folds: str, listeners: Listeners | None = None) -> Prediction:
    return predict(ref, balls(), settings=RunSettings(device="cpu", folds=folds), listeners=listeners)


def box_of(made: Prediction, number: int) -> Box:
    region = made.regions[number].region
    assert isinstance(region, Box)
    return region


def test_boxes_of_folds_are_joined_and_say_how_many_found_them(folded: BundleRef) -> None:
    alone = [run(folded, str(number)) for number in range(3)]
    assert [len(one.regions) for one in alone] == [2, 1, 0]
    assert all(one.folds == () for made in alone for one in made.regions), "asked alone, there is nothing to count"
    every = run(folded, "all")
    assert [one.folds for one in every.regions] == [("0", "1"), ("0",)]
    scores = [one.raw_score or 0 for made in alone for one in made.regions]
    assert [one.raw_score for one in every.regions] == pytest.approx([(scores[0] + scores[2]) / 3, scores[1] / 3])
    first, second = (np.array(box_of(alone[n], 0).start) for n in (0, 1))
    assert not np.allclose(first, second), "the second fold's boxes lie elsewhere"
    assert np.allclose(box_of(every, 0).start, np.average([first, second], axis=0, weights=[scores[0], scores[2]]))
    assert np.abs(middle(box_of(every, 1)) - PLACES[1]).max() < 3


def test_a_finding_says_how_many_of_the_folds_found_it_and_no_record_of_one_fold_speaks_for_it(
    folded: BundleRef,
) -> None:
    made = run(folded, "0,2")
    findings = with_folds(findings_of(folded, made, seed="1.2.3"), made)
    assert [one.confidence.reason.partition(".")[0] for one in findings] == ["Found by 1 of 2 folds (0)"] * 2
    assert {one.confidence.state for one in findings} == {ConfidenceState.NOT_CALIBRATED}
    assert ran_in(folded, made) == "float32 with folds 0, 2"
    assert [one.file for one in provenance_of(folded, made).weights] == [f"models/model_fold{n}.pt" for n in (0, 2)]
    plain = run(folded, "")
    told = findings_of(folded, plain, seed="1.2.3")
    assert with_folds(told, plain) == told


def test_the_steps_say_what_each_fold_found_and_how_it_was_joined(folded: BundleRef) -> None:
    steps = {step.name: step.detail for step in run(folded, "all").steps}
    assert steps["load network"] == "folds 0, 1, 2 of 0, 1, 2, their boxes joined"
    assert steps["detect"].endswith("voxels; 2 boxes of fold 0; 1 boxes of fold 1; 0 boxes of fold 2")
    assert steps["join boxes"].startswith("weighted boxes fusion, from an overlap of 0.05 on; 2 boxes; ")


def test_progress_of_several_folds_goes_forward_and_any_window_can_be_the_last(folded: BundleRef) -> None:
    told: list[float] = []

    def progress(stage: str, fraction: float) -> None:
        if stage == "detect":
            told.append(fraction)

    run(folded, "all", Listeners(progress=progress))
    assert told == sorted(told)
    half = next(number for number, fraction in enumerate(told) if fraction > 0.5)

    def stop(stage: str, fraction: float) -> None:
        if stage == "detect" and fraction >= told[half]:
            raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        run(folded, "all", Listeners(progress=stop))


def test_more_boxes_than_the_model_allows_are_cut_aloud(folded: BundleRef) -> None:
    folder = Path(folded.path)
    state = {"scale": torch.full((1,), 9.0), "least": torch.tensor([0.4]), "off": torch.tensor([-9.0])}
    torch.save(state, folder / "models" / "model_fold2.pt")
    entry = json.loads((folder / "medai.json").read_text())
    entry["other_weights"][1] = pinned(folder, "models/model_fold2.pt")
    change_json(folder / "medai.json", **entry)
    config = folder / "configs" / "inference.json"
    config.write_text(config.read_text().replace("detections_per_img=9", "detections_per_img=1"))
    ref = resolve(folded.path, consent="the test")
    made, kept = run(ref, "0,2"), run(ref, "0")
    assert len(made.regions) == len(kept.regions) == 1
    assert [line for line in made.warnings if "boxes" in line] == [
        "the folds found 2 boxes; the 1 surest are kept, as many as the model allows"
    ]
    assert not any("boxes" in line for line in kept.warnings)


def test_no_map_is_made_of_a_score_that_is_no_networks_own(folded: BundleRef) -> None:
    made = run(folded, "all", Listeners(saliency="gradient"))
    assert made.saliency is None
    assert any(line.startswith("Saliency: not made, since the boxes are joined") for line in made.unchecked)


# --- RetinaNets of random weights --------------------------------------------------------------------------------

RETINA = """
import torch
from monai.apps.detection.networks.retinanet_network import RetinaNet, resnet_fpn_feature_extractor
from monai.networks.nets import resnet


def make():
    backbone = resnet.ResNet(resnet.ResNetBlock, [1, 1, 1, 1], [4, 8, 16, 32], n_input_channels=1, conv1_t_size=3)
    levels = resnet_fpn_feature_extractor(backbone, 3, False, [1], None)
    return RetinaNet(spatial_dims=3, num_classes=2, num_anchors=1, feature_extractor=levels, size_divisible=(16,) * 3)
"""


def _retina(draft: Draft) -> None:
    detecting(draft)
    anchors = "monai.apps.detection.utils.anchor_utils.AnchorGeneratorWithAnchorShape"
    draft.files["scripts/retina.py"] = RETINA
    draft.labels = 2
    draft.config |= {
        "network_def": {"_target_": "scripts.retina.make"},
        "anchor_generator": {
            "_target_": anchors,
            "feature_map_scales": [1, 2],
            "base_anchor_shapes": [[10, 10, 10]],
        },
        "detector_ops": [
            "$@detector.set_target_keys(box_key='box', label_key='label')",
            "$@detector.set_box_selector_parameters(score_thresh=0.56, nms_thresh=0.2, detections_per_img=400)",
            "$@detector.set_sliding_window_inferer(roi_size=[48, 48, 48], overlap=0.25, device='cpu')",
        ],
    }


def write_retina(folder: Path, seeds: tuple[int, ...]) -> BundleRef:
    """A bundle of one RetinaNet as MONAI builds it, a fold for each of ``seeds``; its scores are spread from 0 to 1."""
    write_zoo_bundle(folder, "plain", _retina)
    (folder / "models" / "model.pt").unlink()
    space: dict[str, Any] = {}
    exec(RETINA, space)
    names = [f"models/model_fold{number}.pt" for number in range(len(seeds))]
    for name, seed in zip(names, seeds, strict=True):
        torch.manual_seed(seed)
        network = space["make"]()
        with torch.no_grad():
            head = network.classification_head.cls_logits
            torch.nn.init.normal_(head.weight, std=0.004)
            torch.nn.init.zeros_(head.bias)
        torch.save(network.state_dict(), folder / name)
    first, *others = [pinned(folder, name) for name in names]
    files = {str(number): name for number, name in enumerate(names)}
    change_json(folder / "medai.json", task="detection", weights=first, other_weights=others, folds={"files": files})
    return resolve(str(folder), consent="the test")


def boxes_of(made: Prediction) -> list[tuple[int, float, list[float]]]:
    """(class, score, faces in voxels of the network's grid) of each box, the surest first."""
    return [
        (one.value, one.raw_score or 0.0, [*one.region.start, *one.region.stop])
        for one in made.regions
        if isinstance(one.region, Box)
    ]


def asked(ref: BundleRef, folds: str) -> Prediction:
    """Of noise in a cube of 45 mm."""
    grid = covering(spacing=(2.5, 1.5, 1.5), extent=(45.0, 45.0, 45.0))
    noise = np.random.default_rng(7).random(grid.shape, dtype=np.float32)
    image = Volume(array=noise, geometry=grid, modality="MR")
    return predict(ref, image, settings=RunSettings(device="cpu", folds=folds))


def test_folds_of_untrained_retinanets_lose_no_box_and_no_score(tmp_path: Path) -> None:
    pytest.importorskip("torchvision", reason="absent: torchvision, which MONAI's detectors need")
    ref = write_retina(tmp_path / "zoo@0.1", seeds=(1, 2, 3))
    alone = [boxes_of(asked(ref, str(number))) for number in range(3)]
    made = asked(ref, "all")
    every = boxes_of(made)
    assert min(map(len, alone)) > 5, [len(one) for one in alone]
    assert sum(len(one.folds) for one in made.regions) == sum(map(len, alone)), "each box of a fold is in one"
    assert any(len(one.folds) > 1 for one in made.regions) and len(every) > max(map(len, alone))
    for value in (1, 2):
        scores = [score for answers in alone for label, score, _ in answers if label == value]
        assert sum(score for label, score, _ in every if label == value) * 3 == pytest.approx(sum(scores), rel=1e-5)
    for (value, score, faces), region in zip(every, made.regions, strict=True):
        if len(region.folds) == 1:
            assert any(
                label == value and own / 3 == pytest.approx(score, rel=1e-5) and np.allclose(faces, box, atol=1e-3)
                for label, own, box in alone[int(region.folds[0])]
            )
    assert [score for _, score, _ in every] == sorted((score for _, score, _ in every), reverse=True)


def test_equal_folds_of_an_untrained_retinanet_answer_as_one(tmp_path: Path) -> None:
    pytest.importorskip("torchvision", reason="absent: torchvision, which MONAI's detectors need")
    ref = write_retina(tmp_path / "zoo@0.1", seeds=(1, 1, 1))
    one, all_of_them = boxes_of(asked(ref, "0")), boxes_of(asked(ref, "all"))
    assert len(one) == len(all_of_them) > 5
    for (label, score, faces), (own, mean, joined) in zip(sorted(one), sorted(all_of_them), strict=True):
        assert (label, score) == (own, pytest.approx(mean, rel=1e-5))
        assert np.allclose(faces, joined, atol=1e-3)
