"""Detectors answer with boxes where the thing is, classifiers with labels of the whole image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from slicermedai.bundles.registry import resolve
from slicermedai.confidence.findings import findings_of
from slicermedai.domain.finding import Box, ConfidenceState
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import BundleError, InputError
from slicermedai.inference.check import check_bundle
from slicermedai.inference.task import predict
from Testing.fixtures.grids import covering, rotated
from Testing.inference.conftest import points_of
from Testing.inference.tiny_bundle import INSIDE, change_json
from Testing.inference.zoo import Draft, write_zoo_bundle

PLACES = ((20.0, -14.0, 10.0), (-18.0, 12.0, -16.0))
NETWORK = '''
import torch


class Peaks(torch.nn.Module):
    """Says where a cube of eight voxels is bright; its boxes are the anchors."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.zeros(1))
        self.spatial_dims, self.num_classes, self.num_anchors = 3, 1, 1
        self.size_divisible, self.cls_key, self.box_reg_key = 2, "classification", "box_regression"

    def forward(self, images):
        mean = torch.nn.functional.avg_pool3d(images, 2)
        score = self.scale * (torch.nn.functional.avg_pool3d(mean, 3, 1, 1, count_include_pad=False) - 0.4)
        box = score.new_zeros((len(score), 6, *score.shape[2:]))
        return {"classification": [score], "box_regression": [box]}
'''


def detecting(draft: Draft) -> None:
    """A detector as bundles have it: anchors, box selection and windows set by expressions."""
    draft.runs_code = True
    draft.files["scripts/__init__.py"] = ""
    draft.files["scripts/peaks.py"] = NETWORK
    draft.state = {"scale": torch.full((1,), 9.0)}
    anchors = "monai.apps.detection.utils.anchor_utils.AnchorGeneratorWithAnchorShape"
    draft.config |= {
        "raw": False,
        "prepared": "$(not @raw)",
        "network_def": {"_target_": "scripts.peaks.Peaks"},
        "anchor_generator": {"_target_": anchors, "feature_map_scales": [1], "base_anchor_shapes": [[8, 8, 8]]},
        "detector": {
            "_target_": "RetinaNetDetector",
            "network": "@network_def",
            "anchor_generator": "@anchor_generator",
        },
        "detector_ops": [
            "$@detector.set_target_keys(box_key='box', label_key='label')",
            "$@detector.set_box_selector_parameters(score_thresh=0.5, nms_thresh=0.05, detections_per_img=9)",
            "$@detector.set_sliding_window_inferer(roi_size=[32, 32, 32], overlap=0.25, device='cuda')",
        ],
        "inferer": {"_target_": "scripts.missing.Inferer"},
    }
    draft.steps[3]["_disabled_"] = "@prepared"


def nodules(geometry: Geometry) -> Volume:
    """Balls that are brightest in their middle, at PLACES."""
    points = points_of(geometry)
    near = np.min([np.linalg.norm(points - place, axis=-1) for place in PLACES], axis=0)
    return Volume(array=np.clip(1 - near / 14, 0, 1).astype(np.float32), geometry=geometry, modality="MR")


@pytest.mark.parametrize(
    "geometry",
    [
        covering(spacing=(2.5, 1.5, 1.5), extent=(80.0, 80.0, 80.0)),
        rotated(covering("LIP", spacing=(2.0, 2.0, 2.0), extent=(90.0, 90.0, 90.0)), (20, -10, 30)),
    ],
)
def test_boxes_lie_around_what_was_detected(geometry: Geometry, tmp_path: Path) -> None:
    pytest.importorskip("torchvision", reason="absent: torchvision, which MONAI's detectors need")
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain", detecting)
    change_json(tmp_path / "zoo@0.1" / "medai.json", task="detection")
    ref = resolve(str(tmp_path / "zoo@0.1"), consent="the test")
    found = predict(ref, nodules(geometry))
    assert "Spacingd is switched on" in found.compatibility.in_words
    boxes = [one.region for one in found.regions]
    assert len(boxes) == len(PLACES), "windows that overlap give one box each"
    for place in PLACES:
        assert any(np.abs(middle(box) - place).max() < 3.0 for box in boxes), [middle(box) for box in boxes]
    assert all(abs(np.ptp([box.start, box.stop], axis=0).max() - 8) < 1e-3 for box in boxes)
    findings = findings_of(ref, found, seed="1.2.3")
    assert len({one.tracking_uid for one in findings}) == len(PLACES)
    assert {one.confidence.state for one in findings} == {ConfidenceState.NOT_CALIBRATED}
    assert not found.is_empty and not found.label_map.array.any()


def middle(box: Box) -> np.ndarray:
    return box.geometry.to_lps((np.array(box.start) + np.array(box.stop)) / 2)


def classifying(draft: Draft) -> None:
    """Three classes of a flat image, by its mean: above 0.2, 0.4 and 0.9."""
    draft.runs_code = True
    draft.config["network_def"] = {"_target_": "scripts.flat.make"}
    draft.files["scripts/__init__.py"] = ""
    draft.files["scripts/flat.py"] = (
        "import torch\n\n\ndef make():\n"
        "    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(1, 3))\n"
    )
    draft.state = {"2.weight": torch.full((3, 1), 50.0), "2.bias": torch.tensor([-10.0, -20.0, -45.0])}
    draft.labels = 3
    draft.metadata["network_data_format"] = {"inputs": {"image": {"num_channels": 1, "spatial_shape": [8, 8]}}}
    draft.config["preprocessing"]["transforms"] = [
        *draft.steps[:2],
        {"_target_": "Resized", "keys": "image", "spatial_size": [8, 8]},
    ]
    draft.config["inferer"] = {"_target_": "SimpleInferer"}


def test_a_flat_image_gets_labels_without_a_region(tmp_path: Path) -> None:
    flat = Geometry.from_axes((1, 20, 30), spacing=(1.0, 0.5, 0.5))
    image = Volume(
        array=np.full(flat.shape, 0.5, np.float32) + np.eye(20, 30)[None] * 1e-3, geometry=flat, modality="MR"
    )
    for activation, values in (("sigmoid", [1, 2]), ("softmax", [1])):
        folder = tmp_path / f"{activation}@0.1"
        write_zoo_bundle(folder, "plain", classifying)
        post = [{"_target_": "Activationsd", "keys": "pred", activation: True}]
        config = {"postprocessing": {"transforms": post}}
        change_json(folder / "configs" / "inference.json", **config)
        change_json(folder / "medai.json", task="classification")
        ref = resolve(str(folder), consent="the test")
        found = predict(ref, image)
        assert [one.value for one in found.regions] == values
        assert all(one.region is None and one.raw_score > 0.9 for one in found.regions)
        assert [f.region for f in findings_of(ref, found, seed="1", volume=image)] == [None] * len(values)
        with pytest.raises(InputError, match="single images"):
            predict(ref, nodules(covering(spacing=(9.0, 9.0, 9.0), extent=(80.0, 80.0, 80.0))))


def test_a_class_without_a_coded_label_is_refused(tmp_path: Path) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain", classifying)
    change_json(tmp_path / "zoo@0.1" / "medai.json", task="classification", labels=[{**INSIDE, "value": 2}])
    flat = Geometry.from_axes((1, 20, 30))
    ramp = np.linspace(0.4, 0.6, 600, dtype=np.float32).reshape(flat.shape)
    with pytest.raises(BundleError, match="output 1 has no coded label"):
        predict(
            resolve(str(tmp_path / "zoo@0.1"), consent="the test"), Volume(array=ramp, geometry=flat, modality="MR")
        )


def test_a_classifier_of_what_a_person_marks_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "zoo@0.1"
    draft = write_zoo_bundle(folder, "plain", classifying)
    draft.steps.append({"_target_": "AddLabelAsGuidanced", "keys": "image", "source": "label"})
    change_json(folder / "configs" / "inference.json", preprocessing=draft.config["preprocessing"])
    change_json(folder / "medai.json", task="classification")
    ref = resolve(str(folder), consent="the test")
    flat = Geometry.from_axes((1, 20, 30))
    ramp = np.linspace(0.4, 0.6, 600, dtype=np.float32).reshape(flat.shape)
    with pytest.raises(BundleError, match="its answer is about what a person marks"):
        predict(ref, Volume(array=ramp, geometry=flat, modality="MR"))
    assert "its answer is about what a person marks" in check_bundle(ref).report.refused


def test_a_network_whose_code_is_not_there_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "zoo@0.1"
    write_zoo_bundle(folder, "plain", classifying)
    (folder / "scripts" / "flat.py").unlink()
    change_json(folder / "medai.json", task="classification")
    refused = check_bundle(resolve(str(folder), consent="the test")).report.refused
    assert "network_def: names scripts.flat.make, which is neither in the bundle's folder nor installed" in refused


def test_a_bundle_that_finds_boxes_without_a_detector_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "zoo@0.1"
    write_zoo_bundle(folder, "plain")
    change_json(folder / "medai.json", task="detection")
    with pytest.raises(BundleError, match=r"detector: has no entry of that name.*--task classification"):
        predict(resolve(str(folder)), nodules(covering(spacing=(9.0, 9.0, 9.0), extent=(80.0, 80.0, 80.0))))
