"""Does the answer hold: what moves is seen and named, what holds is not, and nothing is kept of a changed image."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from slicermedai.bundles.manifest import read_manifest
from slicermedai.confidence.findings import findings_of
from slicermedai.confidence.run import RunTrust
from slicermedai.confidence.stability import Moves, StabilityCheck, stability_check
from slicermedai.domain.codes import ANATOMY, Code, Label
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.result import Quality
from slicermedai.domain.volume import LabelMap, Volume
from slicermedai.errors import InputError, JobCancelled, UnsupportedImageError
from slicermedai.inference.task import FoundRegion, Prediction
from Testing.inference.tiny_bundle import write_tiny_bundle

SHAPE = (32, 40, 36)
GEOMETRY = Geometry.from_axes(SHAPE, spacing=(1.0, 1.0, 1.0))
LABELS = tuple(
    (value, Label(name=name, category=ANATOMY, type=Code(value=str(value), scheme="99TEST", meaning=name)))
    for value, name in ((1, "Ball"), (2, "Core"))
)
Network = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No record of anybody's."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))


def ball(radius: float) -> np.ndarray:
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return np.sqrt((z - 15.3) ** 2 + (y - 19.6) ** 2 + (x - 17.1) ** 2) - radius


def image(noise: float = 2.0, radius: float = 9.0) -> Volume:
    """A ball of 100 with soft edges on 0, with noise."""
    soft = 100 / (1 + np.exp(2 * ball(radius)))
    array = soft + np.random.default_rng(0).normal(0, noise, SHAPE)
    return Volume(array=array.astype(np.float32), geometry=GEOMETRY, modality="CT")


def predicted(labels: np.ndarray, *, packed: bool = False) -> Prediction:
    label_map = LabelMap(array=labels.astype(np.uint8), geometry=GEOMETRY)
    regions = [
        FoundRegion(
            value=value,
            label=label,
            region=PackedMask.from_array(labels == value, GEOMETRY)
            if packed
            else Mask(label_map=label_map, value=value),
        )
        for value, label in LABELS
        if (labels == value).any()
    ]
    return Prediction(
        label_map=label_map, labels=LABELS, scores=(), steps=(), regions=tuple(regions), device="cpu",
        device_reason="", precision="float32", seed=0, threads=1, versions=(),
    )  # fmt: skip


def again(network: Network, *, packed: bool = False) -> Callable[[Mapping[str, Volume], Progress], Prediction]:
    def run(images: Mapping[str, Volume], progress: Progress) -> Prediction:
        progress("segment", 0.0)
        found = predicted(network(images["image"].array), packed=packed)
        progress("segment", 0.99)
        return found

    return run


def above(level: float) -> Network:
    return lambda array: (array > level).astype(np.uint8)


def checked(network: Network, given: Volume, *, count: int = 4, packed: bool = False) -> Moves:
    first = predicted(network(given.array), packed=packed)
    return StabilityCheck(count=count, noise="measured").run(
        {"image": given}, first, again(network, packed=packed), progress=silent
    )


def test_a_network_far_from_its_threshold_is_stable() -> None:
    moves = checked(above(50), image())
    found = moves.stability({1: "uid"})
    assert moves.reason(1) == "" and found.notes[2:] == ()
    (one,) = found.structures
    assert one.is_stable and len(one.dice) == len(one.change) == len(found.perturbations) == 4
    assert 0.95 < one.lowest_dice < 1 and abs(one.largest_change) < 3


def test_a_network_that_goes_by_noise_is_named_with_the_perturbation_that_moved_it() -> None:
    """Its threshold lies in the middle of the noise of the ball."""
    reason = checked(above(100), image(noise=6.0)).reason(1)
    assert reason.startswith("not stable: Dice 0.") and "with added noise of standard deviation" in reason
    assert "0.9 and 10 % are the bounds" in reason


def test_a_change_of_volume_alone_is_beyond_the_bounds_too() -> None:
    """Under another gain the answer grows by one shell: Dice 0.93, volume +15 %."""
    given = image(radius=12.0)

    def grows(array: np.ndarray) -> np.ndarray:
        return (ball(12.6 if array.mean() != given.array.mean() else 12.0) < 0).astype(np.uint8)

    moves = checked(grows, given, count=1)
    (move,) = moves.known[1]
    assert move.dice > 0.9 and move.change > 10 and "% of volume" in moves.reason(1)


def test_what_is_lost_and_what_appears_are_told() -> None:
    given = image()

    def fickle(array: np.ndarray) -> np.ndarray:
        return np.where(ball(6.0) < 0, 1 if np.array_equal(array, given.array) else 2, 0)

    moves = checked(fickle, given, count=3)
    assert moves.reason(1).startswith("not stable: it is not found any more with")
    assert moves.stability({1: "uid"}).structures[0].change == (-100.0,) * 3
    assert moves.stability({}).notes[-1] == "Core was found in 3 of 3 changed images, and not in the image itself."


def test_sampling_alone_does_not_make_a_small_structure_unstable() -> None:
    """The one right answer to a ball of 2 voxels, sampled a quarter voxel elsewhere; half a voxel more is too much."""

    def exact(shift: float, radius: float) -> np.ndarray:
        z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
        at = (15.3 + shift, 19.6 + shift, 17.1 + shift)
        return ((z - at[0]) ** 2 + (y - at[1]) ** 2 + (x - at[2]) ** 2 < radius**2).astype(np.uint8)

    first = predicted(exact(0.0, 2.0))
    check = StabilityCheck(count=2, noise="1")
    right = iter([exact(0.0, 2.0), exact(0.25, 2.0)])
    moves = check.run({"image": image()}, first, lambda *_: predicted(next(right)), progress=silent)
    assert moves.known[1][1].dice < 0.9 and moves.reason(1) == ""
    wrong = iter([exact(0.0, 2.0), exact(0.25, 3.0)])
    moves = check.run({"image": image()}, first, lambda *_: predicted(next(wrong)), progress=silent)
    assert "a shift of" in moves.reason(1)


def test_overlapping_labels_are_counted_as_exclusive_ones_are() -> None:
    def shells(array: np.ndarray) -> np.ndarray:
        return (array > 30).astype(np.uint8) + (array > 80)

    one, other = (checked(shells, image(), packed=packed) for packed in (False, True))
    assert one.known == other.known and set(one.known) == {1, 2}


def test_the_bounds_hold_for_each_structure_by_itself() -> None:
    given = image()

    def half(array: np.ndarray) -> np.ndarray:
        core = ball(3.0 if np.array_equal(array, given.array) else 4.5) < 0
        return np.where(core, 2, ball(9.0) < 0)

    moves = checked(half, given, count=2)
    assert moves.reason(1) == "" and moves.reason(2).startswith("not stable")
    assert [one.is_stable for one in moves.stability({1: "a", 2: "b"}).structures] == [True, False]


def test_changed_images_and_their_answers_are_forgotten_one_by_one() -> None:
    seen: list[weakref.ref[np.ndarray]] = []

    def run(images: Mapping[str, Volume], progress: Progress) -> Prediction:
        gc.collect()
        assert not any(one() is not None for one in seen)
        array = images["image"].array
        seen.append(weakref.ref(array if array.base is None else array.base))
        return predicted(above(50)(images["image"].array))

    StabilityCheck(count=5, noise="1").run(
        {"image": image()}, predicted(above(50)(image().array)), run, progress=silent
    )
    assert len(seen) == 5


def test_the_check_can_be_stopped_within_an_answer_and_its_progress_never_goes_back() -> None:
    heard: list[float] = []

    def progress(stage: str, fraction: float) -> None:
        assert stage == "stability"
        heard.append(fraction)
        if len(heard) == 5:
            raise JobCancelled("stopped")

    check = StabilityCheck(count=4, noise="1")
    with pytest.raises(JobCancelled):
        check.run({"image": image()}, predicted(above(50)(image().array)), again(above(50)), progress=progress)
    assert heard == sorted(heard) and heard[-1] < 1 and len(set(heard)) > 3


def test_an_image_that_cannot_be_analysed_ends_the_check_and_not_the_run() -> None:
    answers = iter([predicted(above(50)(image().array))])

    def run(images: Mapping[str, Volume], progress: Progress) -> Prediction:
        found = next(answers, None)
        if found is None:
            raise UnsupportedImageError("all voxels have one value", attribute="PixelData")
        return found

    first = predicted(above(50)(image().array))
    moves = StabilityCheck(count=3, noise="1").run({"image": image()}, first, run, progress=silent)
    found = moves.stability({1: "uid"})
    assert len(found.perturbations) == len(found.structures[0].dice) == 1
    assert "The check ended before a shift" in found.notes[-1] and "all voxels have one value" in found.notes[-1]


def told_with(moves: Moves, first: Prediction, folder: Path) -> tuple[Provenance, tuple[Quality, ...]]:
    """What a run says whose check found ``moves``, and whose own answer was ``first``."""
    ref = read_manifest(write_tiny_bundle(folder / "tiny@0.1")).ref
    trust = RunTrust.of(ref, image())
    trust.moves = moves
    _, quality = trust.judged(findings_of(ref, first, seed="s"), precision="float32")
    return trust.noted(Provenance(bundle="b", bundle_version="1", weights_sha256="")), quality


def test_what_appears_in_changed_images_alone_is_a_warning(tmp_path: Path) -> None:
    """Nothing is found in the image itself, so that there is no finding that could say it."""
    given = image()

    def late(array: np.ndarray) -> np.ndarray:
        return np.where(ball(6.0) < 0, 0 if np.array_equal(array, given.array) else 1, 0)

    moves = checked(late, given, count=4)
    made, quality = told_with(moves, predicted(late(given.array)), tmp_path)
    assert quality == ()
    assert made.warnings == ("Ball was found in 4 of 4 changed images, and not in the image itself.",)


@pytest.mark.parametrize("answered", [0, 1])
def test_a_check_that_broke_off_is_a_warning_and_a_doubt_of_every_structure(answered: int, tmp_path: Path) -> None:
    first = predicted(above(50)(image().array))
    answers = iter([first] * answered)

    def run(images: Mapping[str, Volume], progress: Progress) -> Prediction:
        found = next(answers, None)
        if found is None:
            raise UnsupportedImageError("all voxels have one value", attribute="PixelData")
        return found

    moves = StabilityCheck(count=6, noise="1").run({"image": image()}, first, run, progress=silent)
    made, (quality,) = told_with(moves, first, tmp_path)
    (warning,) = made.warnings
    assert warning.startswith(f"Stability: {answered} of 6 changed images were analysed. The check ended before")
    assert "all voxels have one value" in warning
    assert quality.reasons[-1] == f"not known to be stable: {answered} of 6 changed images were analysed"
    found = moves.stability({1: "uid"})
    assert (found.asked, found.is_whole) == (6, False)


def test_a_check_that_came_to_its_end_leaves_no_doubt(tmp_path: Path) -> None:
    moves = checked(above(50), image(), count=2)
    made, (quality,) = told_with(moves, predicted(above(50)(image().array)), tmp_path)
    assert made.warnings == () and moves.stability({1: "uid"}).is_whole
    assert not any("stable" in reason for reason in quality.reasons)


@pytest.mark.parametrize(("count", "noise"), [(-1, "measured"), (101, "measured"), (3, "none")])
def test_what_cannot_be_done_is_refused_before_the_run(count: int, noise: str) -> None:
    with pytest.raises(InputError, match="stability"):
        stability_check(count, noise=noise, seed=0)


def test_none_is_made_where_none_is_asked_for() -> None:
    assert stability_check(0, noise="measured", seed=0) is None
