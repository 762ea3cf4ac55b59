"""Samples by mirror images: where they are taken, what they cost, and that the answer itself stays as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from slicermedai.bundles.registry import resolve
from slicermedai.confidence.samples import flip_samples
from slicermedai.domain.codes import ANATOMY, Code, Label
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import JobCancelled
from slicermedai.inference.again import side_axis
from slicermedai.inference.mirrored import opposite_sides
from slicermedai.inference.task import Listeners, Prediction, predict
from slicermedai.inference.windows import WindowPlan, touching
from Testing.fixtures.grids import grid
from Testing.inference.tiny_bundle import change_json, pinned, tiny_config

SHAPE = (40, 64, 64)


class Kept:
    """Keeps every sample, as a counter would not."""

    def __init__(self) -> None:
        self.maps: list[np.ndarray] = []
        self.windows = self.whole = 0

    def begin(self, geometry: Geometry, labels: Iterable[int], *, exclusive: bool) -> None:
        self.shape, self.exclusive = geometry.shape, exclusive

    def sample(self, found: Iterable[tuple[int, tuple[slice, ...], np.ndarray]]) -> None:
        made = np.zeros(self.shape, dtype=np.uint8)
        for value, box, mask in found:
            made[box][mask] = value
        self.maps.append(made)

    def end(self, *, windows: int, whole: int, cost: float, seeds: Sequence[int]) -> None:
        self.windows, self.whole, self.cost, self.seeds = windows, whole, cost, seeds


def leaning(folder: Path, *, roi: int = 16, sides: int = 1) -> Path:
    """The tiny bundle with a network that looks one voxel to a side: mirror images give other answers.

    Of three ``sides`` (columns, rows, slices) two must be bright: samples then agree by a half, and by three quarters.
    """
    weight = torch.zeros(2, 1, 3, 3, 3)
    for place in [(1, 1, 0), (1, 0, 1), (0, 1, 1)][:sides]:
        weight[1, 0][place] = 20.0
    torch.save({"weight": weight, "bias": torch.tensor([0.0, -10.0 * sides])}, folder / "models" / "model.pt")
    change_json(folder / "medai.json", weights=pinned(folder, "models/model.pt"))
    config = tiny_config()
    config["network_def"] |= {"kernel_size": 3, "padding": 1}
    config["inferer"]["roi_size"] = [roi] * 3
    change_json(folder / "configs" / "inference.json", **config)
    return folder


def ball(radius: float = 9.0) -> Volume:
    """A bright ball in a corner of the image, 2 mm voxels."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    inside = (z - 14) ** 2 + (y - 16) ** 2 + (x - 18) ** 2 < radius**2
    geometry = grid(shape=SHAPE, spacing=(2.0, 2.0, 2.0))
    return Volume(array=inside.astype(np.float32), geometry=geometry, modality="MR")


def run(folder: Path, volume: Volume, **listeners: object) -> Prediction:
    return predict(resolve(str(folder)), volume, listeners=Listeners(**listeners))


def test_the_mask_is_the_same_with_and_without_samples(tiny: Path) -> None:
    folder, volume = leaning(tiny), ball()
    plain, sampled = run(folder, volume), run(folder, volume, samples=Kept())
    assert np.array_equal(plain.label_map.array, sampled.label_map.array)
    assert plain.scores == sampled.scores


def test_a_network_that_leans_to_a_side_varies_along_it(tiny: Path) -> None:
    kept = Kept()
    run(leaning(tiny, roi=64), ball(), samples=kept)
    assert len(kept.maps) == 8
    where = [np.argwhere(made).mean(axis=0) for made in kept.maps]
    shifts = np.array(where) - where[0]
    assert np.allclose(shifts[:, :2], 0, atol=1e-6)
    assert sorted(np.abs(np.round(shifts[:, 2], 3))) == [0, 0, 0, 0, 2, 2, 2, 2]


def test_a_network_without_sides_gives_one_answer_eight_times(tiny: Path) -> None:
    kept = Kept()
    run(tiny, ball(), samples=kept)
    assert len(kept.maps) == 8
    assert all(np.array_equal(made, kept.maps[0]) for made in kept.maps)


def test_only_windows_that_touch_the_answer_are_asked_again(tiny: Path) -> None:
    kept = Kept()
    run(leaning(tiny), ball(5.0), samples=kept)
    assert 0 < kept.windows < kept.whole / 3
    assert kept.cost == pytest.approx(7 * kept.windows / kept.whole)
    assert all(made.any() for made in kept.maps)


@pytest.mark.parametrize(
    ("roi", "words"),
    [(16, " windows, which do not touch the answer: 0 where they alone lie says nothing"), (64, "no window: all")],
)
def test_the_map_says_where_nobody_asked(tiny: Path, roi: int, words: str) -> None:
    samples = flip_samples()
    made = run(leaning(tiny, roi=roi), ball(5.0), samples=samples)
    one = samples.map_on(made.label_map.geometry)
    assert one.array[-1, -1, -1] == 0
    told = dict(one.about)["not asked"]
    assert words in told
    counts = [int(word) for word in told.split() if word.isdigit()]
    assert not counts or 0 < counts[0] < counts[1]


def test_nothing_is_asked_again_where_nothing_was_found(tiny: Path) -> None:
    kept = Kept()
    run(tiny, Volume(array=ball().array * 0.2, geometry=ball().geometry, modality="MR"), samples=kept)
    assert (len(kept.maps), kept.windows) == (1, 0)


def test_samples_can_be_stopped_between_windows(tiny: Path) -> None:
    seen: list[float] = []

    def progress(stage: str, fraction: float) -> None:
        if stage == "uncertainty" and fraction > 0:
            seen.append(fraction)
            if len(seen) == 5:
                raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        run(leaning(tiny), ball(), samples=Kept(), progress=progress)
    assert seen == sorted(seen)


def test_labels_that_overlap_are_sampled_too(tiny: Path) -> None:
    config = tiny_config()
    config["network_def"] |= {"out_channels": 1}
    config["postprocessing"]["transforms"][:3] = [
        {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
        {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.3},
    ]
    config["inferer"]["roi_size"] = [16, 16, 16]
    state = {"weight": torch.full((1, 1, 1, 1, 1), 20.0), "bias": torch.tensor([-10.0])}
    torch.save(state, tiny / "models" / "model.pt")
    change_json(tiny / "medai.json", weights=pinned(tiny, "models/model.pt"), overlapping=True)
    change_json(tiny / "configs" / "inference.json", **config)
    kept = Kept()
    run(tiny, ball(), samples=kept)
    assert not kept.exclusive
    assert all(np.array_equal(made, kept.maps[0]) for made in kept.maps)
    assert 0 < kept.maps[0].sum() < kept.maps[0].size / 4


def test_windows_that_touch_are_those_whose_voxels_do() -> None:
    plan = WindowPlan(roi=(8, 8, 8), overlap=(0.25, 0.25, 0.25))
    mask = np.zeros((20, 6, 21), dtype=bool)
    mask[9, 5, 20] = True
    starts = plan.starts(mask.shape)
    by_hand = [bool(a <= 9 < a + 8 and c <= 20 < c + 8) for a in starts[0] for _ in starts[1] for c in starts[2]]
    assert touching(plan, mask) == by_hand
    assert any(by_hand)


# --- sides -------------------------------------------------------------------------------------------------------


def label(name: str, code: str = "1", side: str = "") -> Label:
    modifier = Code(value=side, scheme="SCT", meaning="side") if side else None
    return Label(name=name, category=ANATOMY, type=Code(value=code, scheme="SCT", meaning=name), modifier=modifier)


def test_sides_are_paired_by_code_and_by_name() -> None:
    labels = [
        (1, label("Kidney", "64033007", "7771000")),
        (2, label("Kidney R", "64033007", "24028007")),
        (3, label("left_lung", "44029006")),
        (4, label("right lung", "3341006")),
        (5, label("Liver", "10200004")),
        (6, label("left atrium", "82471001")),
    ]
    assert opposite_sides(labels) == {1: 2, 2: 1, 3: 4, 4: 3}


@pytest.mark.parametrize(
    "names",
    [("heart_ventricle_left", "heart_ventricle_right"), ("heart_atrium_left", "heart_atrium_right"), ("Left", "Right")],
)
def test_what_is_no_mirror_image_of_the_other_side_does_not_change_places(names: tuple[str, str]) -> None:
    assert not opposite_sides([(value, label(name, f"{value}")) for value, name in enumerate(names, 1)])


def test_chambers_of_the_heart_do_not_change_places_by_their_modifier_either() -> None:
    assert not opposite_sides([(1, label("A", "59652004", "7771000")), (2, label("B", "59652004", "24028007"))])


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["left kidney:L", "left kidney cyst wall:L"], {}),
        (["left kidney:L", "left kidney cyst wall:L", "right kidney:R"], {1: 3, 3: 1}),
        (["left kidney:L", "left kidney wall:L", "right kidney:R", "right kidney wall:R"], {1: 3, 2: 4, 3: 1, 4: 2}),
        (["a:L", "b:L", "c:R"], {}),
        (["left_lung_upper_lobe", "Right-Lung-Upper-Lobe", "lung"], {1: 2, 2: 1}),
        (["left lung", "right lung", "Right lung"], {}),
        (["left femur", "right lung"], {}),
        (["pulmonary artery left", "right pulmonary artery"], {1: 2, 2: 1}),
    ],
)
def test_a_pair_needs_a_left_one_and_a_right_one(names: list[str], pairs: dict[int, int]) -> None:
    codes = {"L": "7771000", "R": "24028007", "": ""}
    parts = [name.partition(":") for name in names]
    labels = [(value, label(name, "64033007", codes[side])) for value, (name, _, side) in enumerate(parts, 1)]
    assert opposite_sides(labels) == pairs


def test_a_network_that_tells_chambers_apart_by_their_looks_varies_nowhere(tiny: Path) -> None:
    one = json.loads((tiny / "medai.json").read_text())["labels"][0]
    labels = [
        one | {"value": value, "name": f"heart_ventricle_{side}", "type": one["type"] | {"value": code}}
        for value, side, code in ((1, "left", "87878005"), (2, "right", "53085002"))
    ]
    weight = torch.tensor([0.0, 10, 25]).reshape(3, 1, 1, 1, 1)
    torch.save({"weight": weight, "bias": torch.tensor([0.0, -5, -25])}, tiny / "models" / "model.pt")
    config = tiny_config()
    config["network_def"] |= {"out_channels": 3}
    change_json(tiny / "configs" / "inference.json", **config)
    change_json(tiny / "medai.json", weights=pinned(tiny, "models/model.pt"), labels=labels)
    array = ball().array.copy()
    array[20:30, 40:50, 40:50] = 2
    kept = Kept()
    run(tiny, replace(ball(), array=array), samples=kept)
    assert set(np.unique(kept.maps[0])) == {0, 1, 2}
    assert all(np.array_equal(made, kept.maps[0]) for made in kept.maps)


@pytest.mark.parametrize(("codes", "axis"), [("LPS", 0), ("SPL", 2), ("IRA", 1)])
def test_the_axis_of_the_sides_is_found_in_any_orientation(codes: str, axis: int) -> None:
    assert side_axis(grid(codes, shape=(4, 5, 6), spacing=(1.0, 2.0, 3.0))) == axis
