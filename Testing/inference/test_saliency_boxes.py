"""Maps of what spoke for a box: of its own score, in the windows that hold it, or in a piece that gives the same."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from slicermedai.bundles.registry import resolve
from slicermedai.confidence.explained import explained
from slicermedai.confidence.findings import findings_of
from slicermedai.confidence.saliency import saliency_map
from slicermedai.confidence.saliency_checks import rank_correlation
from slicermedai.confidence.saliency_probe import SaliencyProbe, randomised
from slicermedai.confidence.scope import Applicability, Applies
from slicermedai.domain.finding import Box
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.observer import silent
from slicermedai.errors import InputError
from slicermedai.inference import single
from slicermedai.inference.box_origins import Watch, watch
from slicermedai.inference.layers import Unexplained
from slicermedai.inference.saliency import Request, explain
from slicermedai.inference.saliency_box import LookedBoxes, SeenBox, plan_of
from slicermedai.inference.spots import SpotDetector, SpotNet
from slicermedai.inference.task import Listeners, Prediction, predict
from Testing.fixtures.grids import covering
from Testing.inference.test_again import label
from Testing.inference.test_single import PLACES, detecting, nodules
from Testing.inference.tiny_bundle import change_json
from Testing.inference.zoo import write_zoo_bundle

GRID = covering(spacing=(2.5, 1.5, 1.5), extent=(80.0, 80.0, 80.0))
torchvision = pytest.mark.skipif(
    not __import__("importlib.util").util.find_spec("torchvision"), reason="absent: torchvision, which detectors need"
)


# --- detectors that look once ------------------------------------------------------------------------------------


def spot_net(*, statistics: bool = False) -> SpotNet:
    """An untrained network of the demonstration's kind, that says much of every place; with ``statistics`` its layers
    take those of all that they are shown."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = SpotNet(channels=4).eval()
        for one in net.parameters():
            if one.dim() > 1:
                torch.nn.init.normal_(one, std=0.2)
    with torch.no_grad():
        net.both[2].bias[:2] = torch.tensor([0.0, 1.5])
    for block in (*net.fine, *net.coarse, net.both[0], net.both[1]) if statistics else ():
        block[1] = torch.nn.InstanceNorm3d(block[1].num_features)
    return net


def looked(net: Any, image: np.ndarray) -> LookedBoxes:
    """What a :class:`SpotDetector` leaves of an image, 1 mm a voxel."""
    detector = SpotDetector(threshold=0.3, most=5)
    detector.network = net
    return left_by(detector, image)


def left_by(detector: Any, image: np.ndarray, *, windowed: bool = False) -> LookedBoxes:
    seen = watch(detector)
    assert seen is not None
    with torch.inference_mode():
        found = detector(torch.from_numpy(image)[None, None], use_inferer=windowed)[0]
    given, scores = found[detector.target_box_key].float(), found[detector.pred_score_key]
    labels = found[detector.target_label_key]
    boxes = [
        SeenBox(value=int(labels[n]) + 1, box=given[n], label=int(labels[n]), score=scores[n])
        for n in range(len(given))
    ]
    return LookedBoxes(
        image=seen.image,
        grid=Geometry.from_axes(image.shape, spacing=(1.0, 1.0, 1.0)),
        module=detector.network,
        device="cpu",
        boxes=tuple(boxes),
        labels=((1, label("Nodule")), (2, label("Node"))),
        plan=plan_of(detector.inferer, image.shape) if windowed else None,
        seen=seen,
    )


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32)


def test_a_piece_around_a_box_gives_the_slopes_of_the_whole_image() -> None:
    net, image = spot_net(), noise(120, 100, 96)
    given = looked(net, image)
    question = given.question("")
    assert question.windows[0].given.shape[2:].numel() < 0.7 * image.size and "a piece of" in question.why_these
    made = explain(given, Request(method="gradient"), progress=silent)
    whole = torch.from_numpy(image)[None, None].requires_grad_(True)
    origin = given.seen.origin(given.boxes[0].box, 0, given.boxes[0].score)
    (slope,) = torch.autograd.grad(net(whole)[(0, 0, *origin.place)], whole)
    assert np.allclose(made.array * made.scale, slope[0, 0].abs().numpy(), rtol=0, atol=1e-5 * made.scale)
    assert torch.sigmoid(torch.tensor(origin.score)) == pytest.approx(float(given.boxes[0].score))
    assert given.seen.origin(given.boxes[3].box, 0, given.boxes[3].score).place != origin.place, (
        "after asking again, too"
    )


def test_no_map_is_made_of_a_place_that_does_not_give_the_box_its_score(monkeypatch: pytest.MonkeyPatch) -> None:
    given = looked(spot_net(), noise(120, 100, 96))
    origin = given.seen.origin(given.boxes[0].box, given.boxes[0].label, given.boxes[0].score)
    a, b, c = origin.place
    monkeypatch.setattr(type(given.seen), "origin", lambda *_: replace(origin, place=(a - 3, b, c)))
    with pytest.raises(Unexplained, match="does not give the box its score"):
        given.question("")


def test_an_image_is_taken_as_a_whole_where_a_piece_of_it_has_another_score() -> None:
    given = looked(spot_net(statistics=True), noise(120, 100, 96) * np.linspace(0.1, 5, 96, dtype=np.float32))
    question = given.question("")
    assert question.windows[0].size == (120, 100, 96) and "piece" not in question.why_these


@pytest.mark.parametrize("method", ["hirescam", "gradcam", "gradient"])
def test_a_map_lies_near_its_box_and_names_its_layer_and_score(method: str) -> None:
    given = looked(spot_net(), noise(102, 98, 94))
    made = explain(given, Request(method=method, target="nodule#2"), progress=silent)
    assert made.array.shape == (102, 98, 94) and made.array.max() == 1 and made.target == "Nodule, box 2 by score"
    middle = (np.array(given.boxes[1].start) + given.boxes[1].stop) / 2
    places = np.argwhere(made.array > 0)
    assert np.abs(places - middle).max() < 60
    assert method == "gradient" or made.layer.startswith("coarse (Sequential, 8 channels")
    assert dict(made.facts)["score"].startswith("logit, before the sigmoid,")


def test_occlusion_covers_cubes_as_fine_as_the_box_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slicermedai.inference.saliency_occlusion.MOST", 100)
    made = explain(looked(spot_net(), noise(32, 32, 28)), Request(method="occlusion"), progress=silent)
    assert made.patches == "8 x 8 x 8 mm, all in the windows that hold the box" and made.layer == ""
    assert np.unique(made.array[:8, :8, :8]).size == 1


def test_a_box_that_is_not_there_and_a_detector_in_torchscript_are_refused_in_words() -> None:
    given = looked(spot_net(), noise(40, 40, 40))
    with pytest.raises(Unexplained, match="and number 99 was asked for"):
        given.question("Nodule#99")
    with pytest.raises(Unexplained, match="0 of Node were found"):
        given.question("Node")
    with pytest.raises(InputError, match="no label of that name"):
        given.question("Nose")
    with pytest.raises(Unexplained, match="TorchScript"):
        explain(replace(given, module=lambda window: window), Request(method="hirescam"), progress=silent)


def test_what_was_not_looked_at_makes_no_map_like_another() -> None:
    """Half of the image lies beyond the piece around the box, where all maps are zero."""
    given, probe = looked(spot_net(), noise(144, 64, 60)), SaliencyProbe("gradient")
    seen = given.question("").seen
    assert 0.1 < seen.mean() < 0.7
    probe.of("a")(given)
    made, *others = (
        explain(replace(given, module=module), Request(method="gradient"), progress=silent).array
        for module in (given.module, *(randomised(given.module, seed) for seed in range(1, 6)))
    )
    assert not any(one[~seen].any() for one in (made, *others))
    rho = probe.quality().rho
    assert rho == pytest.approx(np.mean([abs(rank_correlation(made[seen], one[seen])) for one in others]), abs=1e-6)


def test_the_probe_measures_what_can_be_measured_of_boxes() -> None:
    probe = SaliencyProbe("gradient")
    probe.of("a")(looked(spot_net(), noise(40, 36, 32)))
    found = probe.quality()
    assert (found.cases, found.seeds, found.shortcut, found.of_image) == (1, 5, None, False)
    assert found.additive == pytest.approx(1), "one look at the whole image is all there is"
    assert found.gain is not None and found.noise is not None and found.gain > found.noise
    assert found.distance is not None and found.rho is not None and found.repeat == pytest.approx(1)
    assert "windows with all at once" not in found.in_words and "planted marker" in found.in_words


@pytest.mark.parametrize(("statistics", "least", "most"), [(False, 0.99, 1.0), (True, -1.0, 0.99)])
def test_a_map_of_a_piece_is_held_against_that_of_the_whole_image(statistics: bool, least: float, most: float) -> None:
    """With statistics of what is seen the score of a piece may be near by chance: the map is what shows it."""
    given, probe = looked(spot_net(), noise(120, 100, 96)), SaliencyProbe("gradient")
    assert "a piece of" in given.question("").why_these
    probe.of("a")(replace(given, module=spot_net(statistics=True)) if statistics else given)
    found = probe.quality().additive
    assert found is not None and least <= found <= most + 1e-6


# --- MONAI's detectors -------------------------------------------------------------------------------------------


class Pyramid(torch.nn.Module):
    """An untrained network as MONAI's RetinaNet is built: two levels of features, and heads that both go through."""

    spatial_dims, num_classes, num_anchors, size_divisible = 3, 2, 3, 4
    cls_key, box_reg_key = "classification", "box_regression"

    def __init__(self) -> None:
        super().__init__()
        convolution = torch.nn.Conv3d
        self.first, self.second = convolution(1, 8, 3, 2, 1), convolution(8, 12, 3, 2, 1)
        self.across, self.top = convolution(8, 6, 1), convolution(12, 6, 1)
        self.fine, self.coarse = convolution(6, 6, 3, 1, 1), convolution(6, 6, 3, 1, 1)
        self.head, self.scores, self.sizes = (convolution(6, n, 3, 1, 1) for n in (6, 6, 18))

    def forward(self, image: torch.Tensor) -> dict[str, list[torch.Tensor]]:
        first = self.first(image).relu()
        top = self.top(self.second(first).relu())
        wide = torch.nn.functional.interpolate(top, scale_factor=2)
        levels = [self.fine(self.across(first) + wide), 2 * self.coarse(top)]
        heads = [self.head(one).relu() for one in levels]
        return {
            "classification": [self.scores(one) for one in heads],
            "box_regression": [0.1 * self.sizes(one) for one in heads],
        }


def retina_net(windows: int = 0, *, mode: str = "gaussian") -> Any:
    """MONAI's detector around :class:`Pyramid`."""
    from monai.apps.detection.networks.retinanet_detector import RetinaNetDetector
    from monai.apps.detection.utils.anchor_utils import AnchorGeneratorWithAnchorShape

    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = Pyramid().eval()
        for one in net.parameters():
            torch.nn.init.normal_(one, std=0.1)
    anchors = AnchorGeneratorWithAnchorShape((1, 2), ((8, 8, 8), (6, 8, 10), (12, 9, 7)))
    detector = RetinaNetDetector(net, anchors)
    detector.set_target_keys(box_key="box", label_key="label")
    detector.set_box_selector_parameters(score_thresh=0.005, nms_thresh=0.2, detections_per_img=24)
    if windows:
        detector.set_sliding_window_inferer((windows,) * 3, overlap=0.25, mode=mode)
    return detector.eval()


@torchvision
@pytest.mark.parametrize(("windows", "mode"), [(0, ""), (32, "gaussian"), (32, "constant")])
def test_each_box_of_a_retinanet_is_traced_to_the_score_that_it_has(windows: int, mode: str) -> None:
    detector = retina_net(windows, mode=mode)
    before = detector.box_selector
    given = left_by(detector, noise(48, 40, 36), windowed=bool(windows))
    levels, labels, counts = set(), set(), set()
    for number, box in enumerate(given.boxes):
        origin = given.seen.origin(box.box, box.label, box.score)
        rank = [n for n, one in enumerate(given.boxes) if one.value == box.value].index(number) + 1
        question = given.question(f"{given.labels[box.value - 1][1].name}#{rank}")
        assert torch.sigmoid(torch.tensor(origin.score)) == pytest.approx(float(box.score), abs=1e-6)
        with torch.inference_mode():
            total = sum(float(question.score(one.given, one)) for one in question.windows)
        assert total == pytest.approx(origin.score, abs=1e-4 if windows else 0.01), (
            "the windows add up to the score, piece or whole"
        )
        counts.add(len(question.windows))
        levels, labels = levels | {origin.level}, labels | {box.label}
    assert levels == {0, 1} and 1 in labels
    assert (min(counts) < 8 and max(counts) > 1 and question.whole == 8) if windows else counts == {1}
    given.seen.close()
    assert detector.box_selector is before and "generate_anchors" not in vars(detector)


class Scaled(torch.nn.Module):
    """A network that first divides by the spread of all that it is shown."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: torch.Tensor) -> Any:
        return self.net(image / image.std())


@torchvision
@pytest.mark.parametrize("scaled", [False, True])
def test_whether_the_maps_of_a_boxs_windows_add_up_is_measured(scaled: bool) -> None:
    """The edges of windows alone tell the two maps apart, and statistics of what each window shows."""
    image = noise(64, 56, 48) * np.linspace(0.2, 3, 48, dtype=np.float32)
    given, probe = left_by(retina_net(32), image, windowed=True), SaliencyProbe("gradient")
    question, wide = given.question(""), given.at_once()
    assert wide is not None and len(question.windows) > 1
    (window,) = wide.question("").windows
    assert window.size == (64, 56, 48)
    with torch.inference_mode():
        assert float(wide.question("").score(window.given, window)) == pytest.approx(
            float(given.seen.origin(given.boxes[0].box, given.boxes[0].label, given.boxes[0].score).score), abs=0.3
        )
    probe.of("a")(replace(given, module=Scaled(given.module)) if scaled else given)
    found = probe.quality().additive
    assert found is not None and (found < 0.985 if scaled else 0.99 < found < 1)


@torchvision
def test_a_layer_is_chosen_that_the_level_of_the_box_depends_on() -> None:
    given = left_by(retina_net(), noise(40, 32, 32))
    chosen = {}
    for number, box in enumerate(given.boxes):
        level = given.seen.origin(box.box, box.label, box.score).level
        if level not in chosen:
            rank = [n for n, one in enumerate(given.boxes) if one.value == box.value].index(number) + 1
            target = f"{given.labels[box.value - 1][1].name}#{rank}"
            chosen[level] = explain(given, Request(method="hirescam", target=target), progress=silent).layer
    assert set(chosen) == {0, 1}
    assert chosen[0].startswith("top (Conv3d") and chosen[1].startswith("coarse (Conv3d"), chosen


@torchvision
def test_cams_of_a_box_are_those_of_captum() -> None:
    attr = pytest.importorskip("captum.attr", reason="absent: captum, the reference for class activation maps")
    detector = retina_net()
    given = left_by(detector, noise(24, 24, 24))
    question = given.question("")
    made = explain(given, Request(method="hirescam"), progress=silent)
    origin = given.seen.origin(given.boxes[0].box, given.boxes[0].label, given.boxes[0].score)
    layer = dict(detector.network.named_modules())[made.layer.partition(" ")[0]]

    def score(x: torch.Tensor) -> torch.Tensor:
        return detector.network(x)["classification"][origin.level][:, origin.channel][(slice(None), *origin.place)]

    theirs = attr.LayerGradientXActivation(score, layer).attribute(question.windows[0].given).sum(dim=1)
    grown = torch.nn.functional.interpolate(theirs[:, None], (24,) * 3, mode="trilinear", align_corners=False)[0, 0]
    ours = made.array * made.scale
    assert np.allclose(ours, grown.detach().clamp(min=0).numpy(), rtol=0, atol=1e-6 * made.scale)


# --- whole runs --------------------------------------------------------------------------------------------------


@pytest.fixture
def finder(tmp_path: Path) -> Path:
    """A bundle whose detector goes over the image in windows of 32 voxels."""
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain", detecting)
    change_json(tmp_path / "zoo@0.1" / "medai.json", task="detection")
    return tmp_path / "zoo@0.1"


def asked(finder: Path, **listeners: Any) -> Prediction:
    return predict(resolve(str(finder), consent="the test"), nodules(GRID), listeners=Listeners(**listeners))


@torchvision
def test_a_run_gives_the_map_of_the_box_that_was_asked_for_and_the_same_boxes(finder: Path) -> None:
    plain = asked(finder)
    for number, target in ((0, ""), (1, "body 1#2")):
        made = asked(finder, saliency="gradient", saliency_target=target)
        saliency = made.saliency
        assert saliency is not None and saliency.geometry.same_grid(GRID)
        for one, other in zip(plain.regions, made.regions, strict=True):
            assert (one.raw_score, one.region.low) == (other.raw_score, other.region.low)
        box = made.regions[number].region
        assert isinstance(box, Box)
        places = saliency.geometry.to_lps(np.argwhere(saliency.array > 0.1))
        assert np.abs(places - box.frame[0]).max() < 12
        about = dict(saliency.about)
        assert about["target"].endswith(f"box {number + 1} by score") and " of " in about["windows"]
        findings = findings_of(resolve(str(finder), consent="the test"), made, seed="1")
        shown = saliency_map(saliency, None, Applicability(state=Applies.NO_RECORD, reasons=("no record",)))
        assert explained([shown], findings)[0].explains == (findings[number].tracking_uid,)
        assert dict(shown.about)["checks"] == "saliency not validated: no record"


@torchvision
def test_a_cam_is_refused_where_a_detector_has_no_layers_and_the_run_goes_on(finder: Path) -> None:
    made = asked(finder, saliency="hirescam")
    assert made.saliency is None and len(made.regions) == len(PLACES)
    assert any("no layer that sees places" in line for line in made.unchecked)


@torchvision
def test_nothing_found_is_nothing_to_explain(finder: Path) -> None:
    empty = replace(nodules(GRID), array=noise(*GRID.shape) * 1e-3)
    made = predict(
        resolve(str(finder), consent="the test"), empty, listeners=Listeners(saliency="gradient", saliency_target="")
    )
    assert made.is_empty and "Saliency: not made, since nothing was found in this image." in made.unchecked


@torchvision
def test_a_detector_of_another_kind_says_that_it_cannot_be_asked(finder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(detector: Any) -> Watch | None:
        return None

    monkeypatch.setattr(single, "watch", unknown)
    made = asked(finder, saliency="gradient")
    assert made.saliency is None and any("this kind of detector" in line for line in made.unchecked)


@torchvision
def test_a_name_that_no_label_has_is_refused_before_the_run(finder: Path) -> None:
    calls = itertools.count()
    with pytest.raises(InputError, match="no label of that name"):
        asked(finder, saliency="gradient", saliency_target="Nose", progress=lambda stage, share: next(calls))
    assert next(calls) == 0
