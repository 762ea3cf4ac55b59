"""The engine on a bundle whose answer is analytic: geometry, refusals, cancellation, settings."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from slicermedai.bundles.manifest import read_bundle
from slicermedai.bundles.registry import resolve
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import (
    BundleError,
    ConsentError,
    HashMismatchError,
    InputError,
    JobCancelled,
    UnsupportedImageError,
)
from slicermedai.inference.fitness import extent_warnings
from slicermedai.inference.resample import resample
from slicermedai.inference.task import Listeners, Prediction, RunSettings, predict
from Testing.fixtures.grids import ORIENTATIONS, covering, grid, rotated, tilted
from Testing.inference.conftest import body_on, dice
from Testing.inference.tiny_bundle import change_json, pinned, tiny_config

ROOM = (110.0, 140.0, 130.0)
AXIAL = covering(spacing=(2.5, 2.5, 2.5), extent=ROOM)
GRIDS: dict[str, Geometry] = {
    **{codes: covering(codes, spacing=(2.5, 2.5, 2.5), extent=ROOM) for codes in ORIENTATIONS[::6]},
    "oblique": rotated(covering(spacing=(2.0, 2.2, 2.4), extent=(150.0, 170.0, 160.0)), (20, -10, 30)),
    "anisotropic": covering("LIP", spacing=(6.0, 1.5, 1.5), extent=ROOM),
    "tilted": tilted(AXIAL, 15.0),
    "off centre": AXIAL.cropped((-4, 10, 2), (40, 60, 46)),
}


def run(folder: Path, geometry: Geometry = AXIAL, **listeners: object) -> Prediction:
    volume, _ = body_on(geometry)
    return predict(resolve(str(folder)), volume, listeners=Listeners(**listeners))


@pytest.mark.parametrize("name", list(GRIDS))
def test_the_body_is_found_where_it_is(tiny: Path, name: str) -> None:
    volume, truth = body_on(GRIDS[name])
    found = predict(resolve(str(tiny)), volume)
    assert dice(found.label_map.array == 1, truth) > 0.99
    assert found.label_map.geometry == GRIDS[name]


def test_what_was_done_is_recorded(tiny: Path) -> None:
    found = run(tiny)
    steps = {step.name: step for step in found.steps}
    assert list(steps) == [
        "adapt: images from memory", "prepare", "load network", "plan", "segment", "clean up", "labels to source grid"
    ]  # fmt: skip
    assert steps["prepare"].detail == "Orientationd, Spacingd"
    assert "windows of 32x32x32" in steps["plan"].detail
    assert steps["clean up"].detail == "largest of all labels"
    assert (found.device, found.precision, found.seed) == ("cpu", "float32", 0)
    assert found.device_reason.startswith("auto chose cpu")
    assert found.threads >= 1
    assert {"torch", "monai"} <= {name for name, _ in found.versions}
    assert found.warnings == ()
    assert found.labels[0][1].name == "Body"
    assert dict(found.scores)[1] == pytest.approx(0.99, abs=0.02)


def test_probabilities_are_kept_only_where_asked_for(tiny: Path) -> None:
    assert run(tiny).probabilities is None
    kept = run(tiny, keep_probabilities=(1,)).probabilities
    assert kept is not None
    assert kept.array.dtype == np.float16
    assert kept.array.shape == (1, *kept.geometry.shape)
    assert kept.values == (1,)
    assert np.allclose(kept.geometry.spacing, 2.0)


class Watcher:
    """A trust layer that puts the sweep together again."""

    def begin(self, geometry: Geometry, labels: list[int]) -> None:
        self.geometry, self.labels, self.ended = geometry, list(labels), False
        self.scores = np.full((2, *geometry.shape), np.nan, dtype=np.float32)

    def window(self, scores: np.ndarray, start: tuple[int, int, int]) -> None:
        box = tuple(slice(a, a + n) for a, n in zip(start, scores.shape[1:], strict=True))
        assert np.isnan(self.scores[(0, *box)]).all(), "each voxel comes once"
        self.scores[(slice(None), *box)] = scores

    def end(self) -> None:
        self.ended = True


def test_the_trust_layer_sees_every_voxel_once_with_its_logits(tiny: Path) -> None:
    watcher = Watcher()
    run(tiny, observer=watcher)
    assert watcher.ended and watcher.labels == [1]
    assert np.isfinite(watcher.scores).all()
    image = resample(body_on(AXIAL)[0].array, AXIAL, watcher.geometry, fill=None)
    assert np.allclose(watcher.scores[1] - watcher.scores[0], 20 * image - 10, atol=1e-3)


def test_each_run_gives_the_same(tiny: Path) -> None:
    assert np.array_equal(run(tiny).label_map.array, run(tiny).label_map.array)


def test_a_run_can_be_stopped_between_windows(tiny: Path) -> None:
    before = torch.are_deterministic_algorithms_enabled()
    seen = []

    def stop(stage: str, fraction: float) -> None:
        seen.append((stage, fraction))
        if stage == "segment" and 0 < fraction < 1:
            raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        run(tiny, progress=stop)
    assert seen[-1][0] == "segment"
    assert torch.are_deterministic_algorithms_enabled() == before


def test_progress_rises_to_its_end(tiny: Path) -> None:
    seen: list[tuple[str, float]] = []
    run(tiny, progress=lambda stage, fraction: seen.append((stage, fraction)))
    segment = [fraction for stage, fraction in seen if stage == "segment"]
    assert segment == sorted(segment)
    assert len(segment) > 5
    assert (segment[0], segment[-1]) == (0.0, 1.0)


def test_another_modality_is_refused(tiny: Path) -> None:
    volume, _ = body_on(AXIAL, modality="CT")
    with pytest.raises(UnsupportedImageError, match="made for MR, and this image is CT"):
        predict(resolve(str(tiny)), volume)


def test_an_unknown_modality_is_a_warning(tiny: Path) -> None:
    volume, _ = body_on(AXIAL, modality="")
    assert "does not say its modality" in predict(resolve(str(tiny)), volume).warnings[0]


def test_a_single_image_is_refused(tiny: Path) -> None:
    volume, _ = body_on(grid(shape=(1, 40, 40), spacing=(5.0, 3.0, 3.0)))
    with pytest.raises(UnsupportedImageError, match="needs a volume"):
        predict(resolve(str(tiny)), volume)


def test_an_image_without_contrast_is_refused(tiny: Path) -> None:
    flat = Volume(array=np.zeros(AXIAL.shape, np.int16), geometry=AXIAL, modality="MR")
    with pytest.raises(UnsupportedImageError, match="one value"):
        predict(resolve(str(tiny)), flat)


def test_an_implausible_field_of_view_is_a_warning(tiny: Path) -> None:
    huge = AXIAL.affine * np.array([10.0, 10.0, 10.0, 1.0])
    small, _ = body_on(AXIAL)
    volume = Volume(array=small.array, geometry=Geometry(shape=AXIAL.shape, affine=huge), modality="MR")
    change_json(tiny / "configs" / "inference.json", preprocessing={"_target_": "Compose", "transforms": []})
    assert "is its spacing right?" in predict(resolve(str(tiny)), volume).warnings[0]


def test_implausible_and_cut_labels_are_warnings(tiny: Path) -> None:
    label = {**_entry(tiny)["labels"][0], "plausible_ml": [1000, 2000]}
    change_json(tiny / "medai.json", labels=[label])
    warnings = run(tiny, AXIAL.cropped((0, 0, 0), (28, *AXIAL.shape[1:]))).warnings
    assert "1000 to 2000 is plausible" in warnings[0]
    assert "reaches the edge of the image" in warnings[1]


def test_an_implausible_extent_is_a_warning() -> None:
    assert extent_warnings((140.0, 170.0, 150.0), (90.0, 230.0)) == []
    assert extent_warnings((140.0, 170.0, 150.0), None) == []
    assert "28 x 35 x 29 mm" in extent_warnings((28.0, 35.0, 29.0), (90.0, 230.0))[0]


def test_nothing_found_is_a_result(tiny: Path) -> None:
    volume, _ = body_on(AXIAL)
    dark = Volume(array=volume.array * 0.3, geometry=AXIAL, modality="MR")
    found = predict(resolve(str(tiny)), dark)
    assert found.is_empty
    assert dict(found.scores) == {1: None}


def test_an_absent_device_is_refused_by_name(tiny: Path) -> None:
    volume, _ = body_on(AXIAL)
    with pytest.raises(InputError, match="'cuda:99' is not on this machine"):
        predict(resolve(str(tiny)), volume, settings=RunSettings(device="cuda:99"))


def test_a_network_without_the_labels_that_are_coded_is_refused(tiny: Path) -> None:
    label = _entry(tiny)["labels"][0]
    change_json(tiny / "medai.json", labels=[label, {**label, "value": 2, "name": "Other"}])
    with pytest.raises(BundleError, match=r"1 classes beside the background.*\[1, 2\]"):
        run(tiny)


def test_weights_changed_after_they_were_resolved_are_not_loaded(tiny: Path) -> None:
    ref = resolve(str(tiny))
    (tiny / "models" / "model.pt").write_bytes(b"exchanged")
    with pytest.raises(HashMismatchError, match=r"model\.pt"):
        predict(ref, body_on(AXIAL)[0])
    change_json(tiny / "medai.json", weights=pinned(tiny, "models/model.pt"))
    with pytest.raises(HashMismatchError, match=ref.weights_sha256):
        predict(ref, body_on(AXIAL)[0])


def test_weights_that_are_no_weights_are_refused(tiny: Path) -> None:
    (tiny / "models" / "model.pt").write_bytes(b"no archive")
    change_json(tiny / "medai.json", weights=pinned(tiny, "models/model.pt"))
    with pytest.raises(BundleError, match="cannot be loaded"):
        run(tiny)


def test_code_that_nobody_agreed_to_never_runs(tiny: Path, tmp_path: Path) -> None:
    mark = tmp_path / "it ran"
    code = f"$__import__('pathlib').Path({str(mark)!r}).touch()"
    change_json(tiny / "configs" / "inference.json", inferer={"_target_": "SimpleInferer", "x": code})
    for ref in (resolve(str(tiny)), dataclasses.replace(read_bundle(tiny), consent="pinned hash")):
        with pytest.raises(ConsentError):
            predict(ref, body_on(AXIAL)[0])
    assert not mark.exists()


def test_an_unknown_task_is_named(tiny: Path) -> None:
    change_json(tiny / "medai.json", task="divination")
    with pytest.raises(BundleError, match=r"'divination' cannot be run.*segmentation"):
        run(tiny)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("preprocessing", {"_target_": "Compose", "transforms": [{"_target_": "Orientationd", "axcodes": 5}]}, "made"),
        ("preprocessing", "@image_key", "list of transforms"),
        ("preprocessing", {"transforms": [{"_target_": "ScaleIntensityd", "keys": "other"}]}, "failed on this"),
        ("postprocessing", {"transforms": [{"_target_": "Transposed", "keys": "pred"}]}, "Transposed is not known"),
        ("inferer", {"_target_": "SlidingWindowInferer"}, "cannot be made"),
    ],
)
def test_what_the_engine_cannot_do_is_said(tiny: Path, key: str, value: object, message: str) -> None:
    change_json(tiny / "configs" / "inference.json", **{key: value})
    with pytest.raises(BundleError, match=message) as caught:
        run(tiny)
    assert key in str(caught.value.attribute)


def test_transforms_of_the_bundle_are_really_applied(tiny: Path) -> None:
    config = tiny_config()["preprocessing"]
    config["transforms"].append({"_target_": "ScaleIntensityd", "keys": "image", "minv": 0.0, "maxv": 0.4})
    change_json(tiny / "configs" / "inference.json", preprocessing=config)
    assert run(tiny).is_empty


def _entry(folder: Path) -> dict[str, object]:
    import json

    return json.loads((folder / "medai.json").read_text())
