"""Points and boxes: where they are taken to, what comes of them, and what is refused."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai.bundles.registry import resolve
from slicermedai.confidence.models import manifest_of
from slicermedai.confidence.samples import sampler
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.finding import Mask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.prompts import BoxPrompt, PointPrompt, Prompt
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError, JobCancelled
from slicermedai.inference.check import check_bundle
from slicermedai.inference.foresee import workload_of
from slicermedai.inference.memory import Memory
from slicermedai.inference.record import provenance_of, ran_in
from slicermedai.inference.task import Listeners, Prediction, RunSettings, predict
from Testing.fixtures.grids import ORIENTATIONS, covering, grid, rotated, tilted
from Testing.inference.conftest import body_on, dice, points_of
from Testing.inference.prompt_bundle import RADIUS, write_prompt_bundle, write_vista_bundle
from Testing.inference.tiny_bundle import change_json, pinned
from Testing.inference.zoo import write_zoo_bundle

ROOM = (112.0, 140.0, 130.0)
AXIAL = covering(spacing=(2.5, 2.5, 2.5), extent=ROOM)
ODD = {
    "oblique": rotated(covering(spacing=(2.2, 2.4, 2.6), extent=(150.0, 170.0, 160.0)), (20, -10, 30)),
    "anisotropic": covering("LIP", spacing=(3.0, 1.5, 1.5), extent=ROOM),
    "tilted": tilted(covering(spacing=(2.5, 2.5, 2.5), extent=(100.0, 170.0, 130.0)), 15.0),
    "left-handed": grid("SPR", shape=(47, 51, 41), spacing=(2.5, 2.5, 2.5), center=(6.0, -9.0, 14.0)),
}
GRIDS = {**{codes: covering(codes, spacing=(2.5, 2.5, 2.5), extent=ROOM) for codes in ORIENTATIONS}, **ODD}
PLACE, FAR = (11.3, -18.7, 9.4), (-27.0, 33.0, -31.0)


def point(position: tuple[float, float, float] = PLACE, label: str = "Body", *, inside: bool = True) -> PointPrompt:
    return PointPrompt(label=label, position=position, inside=inside)


def run(ref: BundleRef, geometry: Geometry, *prompts: Prompt, memory: Memory | None = None, **more: Any) -> Prediction:
    volume, _ = body_on(geometry)
    settings = RunSettings(device="cpu", prompts=prompts, **more)
    return predict(ref, volume, settings=settings, memory=memory)


@pytest.fixture
def model(tmp_path: Path, request: pytest.FixtureRequest) -> BundleRef:
    """The bundle of the pattern that the test names."""
    folder = write_prompt_bundle(tmp_path / "marked@0.1", request.param)
    return resolve(str(folder), consent="the test")


at_places = pytest.mark.parametrize("model", ["at_places"], indirect=True)
with_classes = pytest.mark.parametrize("model", ["with_classes"], indirect=True)
either = pytest.mark.parametrize("model", ["at_places", "by_channels"], indirect=True)


def middle(found: Prediction, value: int = 1) -> np.ndarray:
    """The centre of mass of a label, LPS mm."""
    geometry = found.label_map.geometry
    return points_of(geometry)[found.label_map.array == value].mean(axis=0)


def off(geometry: Geometry, found: np.ndarray, wanted: tuple[float, float, float]) -> float:
    """The largest distance along an axis of the image, in its voxels."""
    return float(np.abs(geometry.to_index(found) - geometry.to_index(wanted)).max())


# --- geometry ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(GRIDS))
def test_no_orientation_moves_a_mark_by_half_a_voxel(name: str, tmp_path: Path) -> None:
    turns = list(GRIDS).index(name)
    patterns = ("at_places", "by_channels") if name in ODD else (("at_places", "by_channels")[turns % 2],)
    for pattern in patterns:
        folder = write_prompt_bundle(tmp_path / f"{pattern}@0.1", pattern)
        found = run(resolve(str(folder), consent="the test"), GRIDS[name], point())
        assert [one.label.name for one in found.regions] == ["Body"]
        assert off(GRIDS[name], middle(found), PLACE) < 0.5, pattern


@at_places
def test_places_are_taken_to_fractions_of_voxels(model: BundleRef) -> None:
    fine = covering(spacing=(0.9, 0.9, 0.9), extent=(80.0, 80.0, 80.0))
    for shift in (0.0, 0.5, 1.0, 1.4):
        place = (11.3 + shift, -8.7 - shift, 9.4 + shift)
        assert np.abs(middle(run(model, fine, point(place))) - place).max() < 0.25, "an eighth of the network's 2 mm"


@either
def test_a_ball_at_each_of_two_marks_and_none_elsewhere(model: BundleRef) -> None:
    found = run(model, AXIAL, point(), point(FAR, "Other"))
    assert np.abs(middle(found) - PLACE).max() < 1.25
    assert np.abs(middle(found, 2) - FAR).max() < 1.25
    assert [(one.value, one.label.name) for one in found.regions] == [(1, "Body"), (2, "Other")]
    places = points_of(AXIAL)[found.label_map.array == 1]
    assert np.linalg.norm(places - PLACE, axis=1).max() < 2 * RADIUS + 4


@at_places
def test_a_place_in_the_first_and_in_the_last_half_voxel_counts(model: BundleRef) -> None:
    ends = (np.array([-0.45] * 3), np.array(AXIAL.shape) - 0.55)
    for index in ends:
        x, y, z = AXIAL.to_lps(index).tolist()
        found = run(model, AXIAL, point((x, y, z)))
        corner = tuple(int(n) for n in np.clip(np.rint(index), 0, np.array(AXIAL.shape) - 1))
        assert found.label_map.array[corner] == 1


@at_places
def test_a_small_image_is_filled_up_to_the_windows(model: BundleRef) -> None:
    small = covering(spacing=(2.5, 2.5, 2.5), extent=(40.0, 46.0, 42.0))
    assert np.abs(middle(run(model, small, point((3.0, -4.0, 2.0)))) - (3.0, -4.0, 2.0)).max() < 1.0


# --- what marks mean ---------------------------------------------------------------------------------------------


@either
def test_a_place_outside_takes_away(model: BundleRef) -> None:
    beside = (PLACE[0] + 9.0, PLACE[1], PLACE[2])
    plain, less = run(model, AXIAL, point()), run(model, AXIAL, point(), point(beside, inside=False))
    assert 0 < (less.label_map.array == 1).sum() < 0.8 * (plain.label_map.array == 1).sum()
    assert middle(less)[0] < middle(plain)[0] - 1


@either
def test_a_box_holds_all_of_it_and_its_middle_lies_inside(model: BundleRef) -> None:
    low, high = (4.0, -26.0, 2.0), (18.0, -12.0, 16.0)
    alone = run(model, AXIAL, BoxPrompt(label="Body", low=low, high=high))
    assert np.abs(middle(alone) - (11.0, -19.0, 9.0)).max() < 1.25
    with_point = run(model, AXIAL, BoxPrompt(label="Body", low=low, high=high), point((16.0, -19.0, 9.0)))
    for found in (alone, with_point):
        places = points_of(AXIAL)[found.label_map.array == 1]
        assert (places >= low).all() and (places <= high).all()
        assert isinstance(found.regions[0].region, Mask)
    assert middle(with_point)[0] > middle(alone)[0] + 1


@either
def test_what_a_box_cuts_off_one_label_is_left_to_the_other(model: BundleRef) -> None:
    x, y, z = PLACE
    other = point((x + 9, y, z), "Other")
    box = BoxPrompt(label="Body", low=(x - 8, y - 8, z - 8), high=(x + 2, y + 8, z + 8))
    alone, both, boxed = (run(model, AXIAL, *more, other).label_map.array for more in ((), (point(),), (point(), box)))
    taken = (alone == 2) & (both == 1)
    freed = taken & (points_of(AXIAL)[..., 0] > x + 2)
    assert freed.sum() > 10 and (boxed[freed] == 2).all()


@either
def test_the_score_is_that_of_what_lies_in_the_box(model: BundleRef) -> None:
    x, y, z = PLACE
    box = BoxPrompt(label="Body", low=(x - 2, y - 2, z - 2), high=(x + 2, y + 2, z + 2))
    whole, small = run(model, AXIAL, point()), run(model, AXIAL, point(), box)
    assert 0 < (small.label_map.array == 1).sum() <= 8
    assert small.regions[0].raw_score > whole.regions[0].raw_score + 0.05, "the middle of the ball is the surest"


@at_places
def test_warnings_of_volumes_are_of_what_lies_in_the_box(model: BundleRef) -> None:
    labels = json.loads((Path(model.path) / "medai.json").read_text())["labels"]
    change_json(Path(model.path) / "medai.json", labels=[{**one, "plausible_ml": [1.0, 1000.0]} for one in labels])
    ref, (x, y, z) = resolve(model.path, consent="the test"), PLACE
    box = BoxPrompt(label="Body", low=(x - 2, y - 2, z - 2), high=(x + 2, y + 2, z + 2))
    assert run(ref, AXIAL, point()).warnings == ()
    assert run(ref, AXIAL, point(), box).warnings == ("Body measures 0 ml; 1 to 1000 is plausible",)


@either
def test_a_mark_of_which_nothing_is_left_is_warned_of(model: BundleRef) -> None:
    x, y, z = PLACE
    far = BoxPrompt(label="Body", low=(x + 30, y + 30, z + 30), high=(x + 36, y + 36, z + 36))
    found = run(model, AXIAL, point(), far)
    assert found.is_empty and dict(found.scores)[1] is None
    assert found.warnings == ("Body was marked, and nothing of it was found within its box",)


@either
def test_a_box_thinner_than_a_voxel_of_the_network_holds_something(model: BundleRef) -> None:
    fine, (x, y, z) = covering(spacing=(0.5, 0.5, 0.5), extent=(40.0, 40.0, 40.0)), (3.0, -4.0, 2.0)
    for shift in (0.0, 0.7, 1.4):
        low, high = (x - 9, y - 9, z + shift), (x + 9, y + 9, z + shift + 0.6)
        assert not run(model, fine, point((x, y, z)), BoxPrompt(label="Body", low=low, high=high)).is_empty


@at_places
def test_a_box_larger_than_the_network_sees_is_warned_of(model: BundleRef) -> None:
    found = run(model, AXIAL, BoxPrompt(label="Body", low=(-40.0, -50.0, -40.0), high=(40.0, 50.0, 40.0)))
    assert any("a box is larger than the 64 mm that the model sees at once" in line for line in found.warnings)


@with_classes
def test_a_place_in_a_class_adds_to_it_within_its_window(model: BundleRef) -> None:
    beyond = point((6.0, 43.0, 14.0))  # where the body ends
    found, plain = run(model, AXIAL, beyond), run(model, AXIAL)
    ball = np.linalg.norm(points_of(AXIAL) - beyond.position, axis=-1) < 2 * RADIUS - 2
    mask = found.label_map.array == 1
    assert mask[ball].all() and not (plain.label_map.array == 1)[ball].all()
    assert (mask & ~ball).sum() > 3 * ball.sum(), "the class in the window stays"


@at_places
def test_scores_and_labels_are_those_of_what_was_marked(model: BundleRef) -> None:
    found = run(model, AXIAL, point(FAR, "Other"))
    assert dict(found.scores).keys() == {2} and found.regions[0].raw_score > 0.5
    assert set(np.unique(found.label_map.array)) == {0, 2}


# --- without marks -----------------------------------------------------------------------------------------------


@with_classes
def test_without_marks_the_classes_are_asked_for_that_the_bundle_names(model: BundleRef) -> None:
    _, truth = body_on(AXIAL)
    found = run(model, AXIAL)
    assert [one.label.name for one in found.regions] == ["Body"], "the third needs brighter voxels, and loses"
    assert dice(found.label_map.array == 1, truth) > 0.99
    assert any("windows of 32x32x32" in step.detail for step in found.steps if step.name == "plan")


@at_places
def test_without_marks_a_network_that_learned_no_class_needs_a_point(model: BundleRef) -> None:
    with pytest.raises(InputError, match="needs at least one point or box, and none was marked"):
        run(model, AXIAL)


@pytest.mark.parametrize("model", ["by_channels"], indirect=True)
def test_a_network_of_channels_runs_without_marks_and_warns(model: BundleRef) -> None:
    found = run(model, AXIAL)
    assert found.is_empty and any("ran without any" in line for line in found.warnings)


@pytest.mark.parametrize("model", ["by_two_lists"], indirect=True)
def test_a_network_that_answers_to_points_alone_says_so(model: BundleRef) -> None:
    with pytest.raises(InputError, match="needs at least one point"):
        run(model, AXIAL)
    assert np.abs(middle(run(model, AXIAL, point())) - PLACE).max() < 1.25
    beside = (PLACE[0] + 6.0, PLACE[1], PLACE[2])
    assert middle(run(model, AXIAL, point(), point(beside, inside=False)))[0] < PLACE[0]


@pytest.fixture
def folded(tmp_path: Path) -> BundleRef:
    """A small VISTA3D with the same weights twice, as two folds: they must agree in everything."""
    folder = tmp_path / "folded@0.1"
    write_vista_bundle(folder)
    shutil.copy(folder / "models/model.pt", folder / "models/fold1.pt")
    files = {"0": "models/model.pt", "1": "models/fold1.pt"}
    change_json(
        folder / "medai.json",
        folds={"files": files, "averages": "probabilities"},
        other_weights=[pinned(folder, "models/fold1.pt")],
    )
    return resolve(str(folder), consent="the test")


SMALL = covering(spacing=(2.5, 2.5, 2.5), extent=(60.0, 60.0, 60.0))


def test_equal_folds_of_a_network_that_takes_classes_agree(folded: BundleRef) -> None:
    plain, both = run(folded, SMALL), run(folded, SMALL, folds="all")
    assert not plain.is_empty and dice(plain.label_map.array > 0, both.label_map.array > 0) > 0.99
    samples = sampler("folds", manifest_of(folded))
    volume, _ = body_on(SMALL)
    listeners = Listeners(samples=samples, sampling=samples.sampling)
    found = predict(folded, volume, settings=RunSettings(device="cpu"), listeners=listeners)
    assert [samples.pairwise_dice(one.value) for one in found.regions] == [1.0] * len(found.regions)
    assert workload_of(folded, {"image": SMALL}, folds="all")[0].operations > 1.5 * (
        workload_of(folded, {"image": SMALL})[0].operations
    )


def test_marks_for_several_folds_that_take_places_are_refused(folded: BundleRef) -> None:
    with pytest.raises(InputError, match=r"folds: several folds cannot be asked about points.*Choose one fold"):
        run(folded, SMALL, point((0.0, 0.0, 0.0)), folds="all")
    assert run(folded, SMALL, point((0.0, 0.0, 0.0)), folds="1").scores


# --- refusals ----------------------------------------------------------------------------------------------------


@either
@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (point((400.0, 0.0, 0.0)), "lies outside of the image .Body: inside at 400.0 0.0 0.0.*reaches from -5"),
        (point(label="Boddy"), "no label of that name. Did you mean 'Body'. Labels: Body, Other"),
        (point(label=""), "does not say which of the model's labels"),
        (BoxPrompt(label="Body", low=(300.0, 0.0, 0.0), high=(310.0, 9.0, 9.0)), "outside of the image"),
        (BoxPrompt(label="Body", low=(40.0, 0.0, 0.0), high=(190.0, 9.0, 9.0)), "the middle of a box"),
    ],
)
def test_marks_that_are_none_are_refused_by_name(model: BundleRef, prompt: Prompt, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as found:
        run(model, AXIAL, prompt)
    assert found.value.attribute == "prompts"


def test_a_place_in_what_the_model_cuts_off_is_refused(tmp_path: Path) -> None:
    from Testing.inference import prompt_bundle

    def cropped(draft: Any) -> None:
        prompt_bundle.at_places(draft)
        draft.steps.append({"_target_": "CropForegroundd", "keys": "image", "source_key": "image", "margin": 2})

    write_zoo_bundle(tmp_path / "cut@0.1", "plain", cropped)
    ref = resolve(str(tmp_path / "cut@0.1"), consent="the test")
    wide = covering(spacing=(2.5, 2.5, 2.5), extent=(160.0, 190.0, 180.0))
    with pytest.raises(InputError, match="a place marked for Body 1 lies where the model looks at nothing"):
        run(ref, wide, point((70.0, 85.0, 80.0), "Body 1"))
    assert np.abs(middle(run(ref, wide, point(PLACE, "Body 1"))) - PLACE).max() < 1.25


@with_classes
def test_a_label_that_stands_for_others_is_refused(model: BundleRef) -> None:
    with pytest.raises(InputError, match="Part 4 stands for several structures"):
        run(model, AXIAL, point(label="Part 4"))
    assert not run(model, AXIAL, point(label="Part 5")).is_empty, "known by places alone"
    assert not run(model, AXIAL, point(label="Other")).is_empty


def test_models_that_take_no_marks_say_so(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the model takes no points or boxes"):
        run(resolve(str(tiny)), AXIAL, point())
    with pytest.raises(InputError, match="takes no points or boxes"):
        run(replace(resolve(str(tiny)), task="classification"), AXIAL, point())


@at_places
def test_samples_and_maps_of_answers_to_marks_are_refused(model: BundleRef) -> None:
    volume, _ = body_on(AXIAL)
    with pytest.raises(InputError, match="not made of answers to points"):
        predict(model, volume, settings=RunSettings(prompts=(point(),)), listeners=Listeners(saliency="gradient"))


@at_places
def test_an_answer_stops_before_a_window(model: BundleRef) -> None:
    def stop(stage: str, fraction: float) -> None:
        if stage == "segment" and fraction > 0:
            raise JobCancelled("stopped")

    volume, _ = body_on(AXIAL)
    settings = RunSettings(prompts=(point(), point(FAR)))
    with pytest.raises(JobCancelled):
        predict(model, volume, settings=settings, listeners=Listeners(progress=stop))


# --- what is told, what is kept -----------------------------------------------------------------------------------


@either
def test_the_provenance_names_the_marks_and_no_record_speaks_for_them(model: BundleRef) -> None:
    found = run(model, AXIAL, point())
    made = provenance_of(model, found)
    assert made.prompts == (point(),)
    assert ran_in(model, found) == "float32 with places that a person marked"
    assert "prompts" in found.compatibility.in_words
    assert not any("ran without any" in line for line in found.warnings)


def asked_since(memory: Memory) -> list[str]:
    """Of what kind the questions were that the network got since the last look."""
    (network,) = (kept for name, kept in memory._kept.items() if name.startswith("network"))
    kinds = [kind for kind, _ in type(network).asked]
    type(network).asked.clear()
    return kinds


@with_classes
def test_a_further_mark_asks_for_what_is_new_and_gives_what_a_cold_run_gives(model: BundleRef) -> None:
    memory = Memory()
    run(model, AXIAL, point(), memory=memory)
    assert "places" in asked_since(memory)
    again = run(model, AXIAL, point(), memory=memory)
    assert asked_since(memory) == []
    far = run(model, AXIAL, point(), point(FAR), memory=memory)
    assert asked_since(memory) == ["places", "class"]
    near = run(model, AXIAL, point(), point((PLACE[0] + 4, PLACE[1], PLACE[2])), memory=memory)
    assert sorted(asked_since(memory)) == ["class", "places", "places"], "the first window holds two places now"
    for warm, prompts in ((again, [point()]), (far, [point(), point(FAR)])):
        cold = run(model, AXIAL, *prompts)
        assert np.array_equal(warm.label_map.array, cold.label_map.array) and warm.scores == cold.scores
    assert not near.is_empty
    assert "scripts" not in sys.modules


@pytest.mark.parametrize("model", ["by_channels"], indirect=True)
def test_with_channels_image_and_network_are_kept_too(model: BundleRef, monkeypatch: pytest.MonkeyPatch) -> None:
    from slicermedai.inference import memory as kept

    loads: list[str] = []
    load = kept.load_network
    monkeypatch.setattr(kept, "load_network", lambda *a, **k: (loads.append(k["weights"]), load(*a, **k))[1])
    memory = Memory()
    run(model, AXIAL, point(FAR), memory=memory)
    warm = run(model, AXIAL, point(), memory=memory)
    assert loads == ["models/model.pt"]
    assert np.array_equal(warm.label_map.array, run(model, AXIAL, point()).label_map.array)


def test_a_memory_of_windows_forgets_the_oldest() -> None:
    import torch

    memory, made = Memory(limit=3000), []
    for number in (1, 2, 3, 1):
        memory.window(number, lambda number=number: made.append(number) or torch.zeros(256))
    assert made == [1, 2, 3, 1]
    memory.window(3, lambda: made.append(3) or torch.zeros(256))
    assert made == [1, 2, 3, 1]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("at_places", "marks: Body, needs one"),
        ("by_two_lists", "marks: Body, needs one"),
        ("with_classes", "marks: Body, 1 regions by a point, 1 without"),
        ("by_channels", "marks: Body, 1 regions by a point, 0 without"),
    ],
)
def test_the_check_of_a_bundle_marks_a_point_too(pattern: str, said: str, tmp_path: Path) -> None:
    ref = resolve(str(write_prompt_bundle(tmp_path / "marked@0.1", pattern)), consent="the test")
    checked = check_bundle(ref)
    assert checked.runs and said in checked.words


def test_what_a_network_of_classes_takes_is_known_before_a_run(tmp_path: Path) -> None:
    write_vista_bundle(tmp_path / "small@0.1")
    ref = resolve(str(tmp_path / "small@0.1"), consent="the test")
    work, names = workload_of(ref, {"image": AXIAL})
    assert names == ("image",) and work.operations > 1e9


@at_places
def test_a_volume_without_a_place_in_the_patient_takes_no_marks(model: BundleRef) -> None:
    from slicermedai.domain.geometry import Space

    volume, _ = body_on(AXIAL)
    flat = Geometry(shape=AXIAL.shape, affine=AXIAL.affine, space=Space.PIXELS)
    with pytest.raises(InputError):
        predict(model, Volume(array=volume.array, geometry=flat), settings=RunSettings(prompts=(point(),)))
