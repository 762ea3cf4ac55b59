"""Folds of one model: which answer, how their answers are averaged, and what a run says of it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from slicermedai.bundles.folds import Folds, chosen_folds, folds_among, members_of
from slicermedai.bundles.importing import import_bundle
from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.bundles.registry import resolve
from slicermedai.confidence.samples import sampler
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import BundleError, InputError
from slicermedai.inference.folds import MEAN, SIGMOID, SOFTMAX, FoldMean, load_folds
from slicermedai.inference.network import load_network
from slicermedai.inference.record import provenance_of, ran_in
from slicermedai.inference.runner import Runner
from slicermedai.inference.segment import Segmentation
from slicermedai.inference.shadow import Shadow
from slicermedai.inference.task import FOLDS, Listeners, Prediction, RunSettings, predict
from Testing.inference.test_again import Kept
from Testing.inference.tiny_bundle import change_json, write_folded_bundle, write_json, write_tiny_bundle

FIVE = Folds(files=(("fold_all", "a.pt"), *((str(n), f"{n}.pt") for n in range(5))))
THRESHOLDS = (0.3, 0.5, 0.9)


def members(count: int = 3, outputs: int = 4) -> list[torch.nn.Module]:
    torch.manual_seed(1)
    return [torch.nn.Conv3d(2, outputs, 3, padding=1).eval() for _ in range(count)]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", ("fold_all",)),
        ("all", ("0", "1", "2", "3", "4")),
        ("3, 1", ("3", "1")),
        ("fold_2,2", ("2",)),
        ("fold_all", ("fold_all",)),
    ],
)
def test_folds_are_chosen_by_name(asked: str, found: tuple[str, ...]) -> None:
    assert chosen_folds(FIVE, asked, title="x") == found


def test_a_fold_that_is_not_there_is_refused_by_those_that_are() -> None:
    with pytest.raises(InputError, match=r"folds: x has no fold.*fold_all, 0, 1, 2, 3, 4"):
        chosen_folds(FIVE, "0,7", title="x")
    with pytest.raises(InputError, match="x has no folds to choose from"):
        chosen_folds(None, "1", title="x")
    assert chosen_folds(None, "all", title="x") == ()


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("kind", [MEAN, SOFTMAX, SIGMOID])
def test_the_mean_is_that_of_logits_or_of_probabilities(kind: str, outputs: int) -> None:
    made, image = members(outputs=outputs), torch.randn(2, 2, 5, 6, 7)
    activation: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        MEAN: lambda scores: scores,
        SOFTMAX: lambda scores: scores.softmax(dim=1) if outputs > 1 else scores.sigmoid(),
        SIGMOID: torch.sigmoid,
    }
    with torch.no_grad():
        expected = torch.stack([activation[kind](one(image)) for one in made]).mean(dim=0)
        found = activation[kind](FoldMean(made, kind)(image))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_many_folds_take_the_memory_of_one_and_two_answers() -> None:
    roi = (16, 16, 16)
    one, ten = (Shadow.of(FoldMean(members(count), SOFTMAX), channels=2) for count in (1, 10))
    first, all_of_them = one.cost(roi), ten.cost(roi)
    assert first is not None
    assert all_of_them is not None
    assert all_of_them.values <= first.values + 2 * 4 * 16**3
    assert all_of_them.operations == 10 * first.operations


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_folds_of_torchscript_answer_too() -> None:
    scripted = [torch.jit.trace(one, torch.zeros(1, 2, 4, 4, 4)) for one in members()]
    both = FoldMean(scripted, MEAN)
    assert not Shadow.of(both, channels=2).knows
    image = torch.randn(1, 2, 4, 4, 4)
    torch.testing.assert_close(Runner(both, "cpu")(image), FoldMean(members(), MEAN)(image))


def folded_bundle(folder: Path) -> Path:
    """A bundle that ships three networks: each says "above" a threshold of its own."""
    write_tiny_bundle(folder)
    (folder / "medai.json").unlink()
    (folder / "models" / "model.pt").unlink()
    outputs = {"pred": {"channel_def": {"0": "background", "1": "spleen"}}}
    inputs = {"image": {"modality": "CT", "channel_def": {"0": "image"}}}
    formats = {"inputs": inputs, "outputs": outputs}
    body = {"version": "1", "task": "segmentation", "network_data_format": formats}
    write_json(folder / "configs" / "metadata.json", body)
    for number, threshold in enumerate(THRESHOLDS):
        state = {
            "weight": torch.tensor([0.0, 60.0]).reshape(2, 1, 1, 1, 1),
            "bias": torch.tensor([0.0, -60 * threshold]),
        }
        torch.save(state, folder / "models" / f"model_fold{number}.pt")
    return folder


def ramp() -> Volume:
    """0 to 1 along the rows, on the grid that the bundle wants."""
    values = np.broadcast_to(np.linspace(0, 1, 41, dtype=np.float32), (20, 24, 41)).copy()
    return Volume(array=values, geometry=Geometry.from_axes(values.shape, spacing=(2.0, 2.0, 2.0)), modality="CT")


@pytest.fixture
def folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BundleRef:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    return import_bundle(folded_bundle(tmp_path / "many"))


def run(ref: BundleRef, folds: str, *, samples: Kept | None = None) -> Prediction:
    listeners = Listeners(samples=samples, sampling=FOLDS)
    return predict(ref, ramp(), settings=RunSettings(device="cpu", folds=folds), listeners=listeners)


def first_column(made: Prediction) -> int:
    return int(np.flatnonzero(made.label_map.array[10, 12])[0])


def test_a_bundle_that_ships_several_weights_has_folds_and_their_probabilities_are_averaged(folded: BundleRef) -> None:
    manifest = read_manifest(Path(folded.path))
    assert manifest.folds is not None
    assert (manifest.folds.names, manifest.folds.averages) == (("0", "1", "2"), "probabilities")
    assert (folded.weights, len(manifest.files)) == ("models/model_fold0.pt", 3)
    alone = [first_column(run(folded, str(n))) for n in range(3)]
    assert alone == [13, 21, 37], "each by its own threshold, in columns of a fortieth"
    assert first_column(run(folded, "all")) == 21, "the majority, where each is sure of itself"
    assert first_column(run(folded, "0,2")) in (25, 26), "halfway between two that are as sure"


def test_a_run_says_which_folds_answered_and_that_there_are_others(folded: BundleRef) -> None:
    default, every = run(folded, ""), run(folded, "all")
    assert (default.folds, every.folds) == (("0",), ("0", "1", "2"))
    assert any("Folds: 0 of 0, 1, 2" in line for line in default.unchecked)
    assert not any("Folds" in line for line in every.unchecked)
    loaded = next(step.detail for step in every.steps if step.name == "load network")
    assert loaded == "folds 0, 1, 2 of 0, 1, 2, mean of their probabilities"
    assert [one.file for one in provenance_of(folded, default).weights] == ["models/model_fold0.pt"]
    assert len(provenance_of(folded, every).weights) == 3
    assert ran_in(folded, default) == "float32", "what a trust record was made with"
    assert ran_in(folded, every) == "float32 with folds 0, 1, 2"


def test_a_fold_whose_file_was_changed_is_refused(folded: BundleRef) -> None:
    path = Path(folded.path) / "models" / "model_fold2.pt"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(BundleError, match=r"model_fold2\.pt"):
        run(folded, "all")


@pytest.mark.parametrize("entry", [[], {"files": {}}, {"files": {"0": "a"}, "averages": "votes"}])
def test_folds_that_cannot_be_read_are_refused(tmp_path: Path, entry: object) -> None:
    folder = write_tiny_bundle(tmp_path / "b")
    change_json(folder / "medai.json", folds=entry)
    with pytest.raises(BundleError, match=r"folds\."):
        read_manifest(folder)


def test_files_that_differ_by_a_number_alone_are_folds() -> None:
    found = folds_among(["models/fold_10.pt", "models/fold_2.pt", "models/other_fold_1.pt", "models/search.pt"])
    assert found is not None
    assert found.files == (("2", "models/fold_2.pt"), ("10", "models/fold_10.pt"))
    assert folds_among(["models/model_fold0.pt", "models/net.pt"]) is None


def test_one_fold_is_loaded_as_it_is() -> None:
    made = load_folds(lambda file: file, FIVE, ["3"], kind=SOFTMAX)
    assert made == "3.pt", "no mean of one"


# --- samples -----------------------------------------------------------------------------------------------------


class Counted(Kept):
    """Keeps the run's own answer too, where that is no sample."""

    own: tuple[object, ...] = ()

    def answer(self, found: Iterable[object]) -> None:
        self.own = tuple(found)


def columns(kept: Kept) -> list[int]:
    """How many columns each sample has, the fewest first; on the network's grid columns are the first axis."""
    return sorted(int(made.any(axis=(1, 2)).sum()) for made in kept.maps)


@pytest.mark.parametrize(("folds", "own", "share"), [("", True, 1), ("1", True, 1), ("all", False, 1 / 3)])
def test_each_fold_is_one_sample_whoever_gave_the_answer(
    folded: BundleRef, folds: str, own: bool, share: float
) -> None:
    kept = Counted()
    plain, sampled = run(folded, folds), run(folded, folds, samples=kept)
    assert np.array_equal(plain.label_map.array, sampled.label_map.array)
    assert len(kept.maps) == 3
    alone = sorted(41 - first_column(run(folded, str(n))) for n in range(3))
    assert columns(kept) == alone
    assert bool(kept.own) is not own
    assert kept.cost == pytest.approx((3 - own) * share * kept.windows / kept.whole)
    assert next(step.detail for step in sampled.steps if step.name == "uncertainty").startswith("folds 0, 1, 2, each")


def test_of_the_folds_that_are_asked_one_is_in_memory_beside_the_runs_own(folded: BundleRef) -> None:
    alive: list[weakref.ref[torch.nn.Module]] = []
    most = 0

    def load(manifest: Manifest, *, part: str, weights: str, device: str) -> torch.nn.Module:
        nonlocal most
        made = load_network(manifest, part=part, weights=weights, device=device)
        alive.append(weakref.ref(made))
        most = max(most, sum(one() is not None for one in alive))
        return made

    listeners = Listeners(samples=Kept(), sampling=FOLDS)
    Segmentation(load=load).predict(folded, {"image": ramp()}, settings=RunSettings(device="cpu"), listeners=listeners)
    assert (len(alive), most) == (3, 2)


def test_disagreement_of_folds_is_told_for_each_structure_and_voxel(folded: BundleRef) -> None:
    samples = sampler("folds", read_manifest(Path(folded.path)))
    made = run(folded, "1", samples=samples)
    (found,) = made.regions
    assert samples.method == "ensemble of 3 folds (0, 1, 2)"
    sizes = [41 - first_column(run(folded, str(n))) for n in range(3)]
    overlaps = [min(a, b) for a, b in ((sizes[0], sizes[1]), (sizes[0], sizes[2]), (sizes[1], sizes[2]))]
    assert samples.pairwise_dice(found.value) == pytest.approx(sum(overlaps) / sum(sizes))
    disputed = samples.map_on(made.label_map.geometry).array[10, 12]
    assert np.allclose(disputed[[5, 15, 25, 39]], [0, 1 / 3, 1 / 3, 0], atol=1e-6)


@pytest.mark.parametrize("thresholds", [(0.5,), None])
def test_a_model_without_a_second_fold_is_refused_by_name(tmp_path: Path, thresholds: tuple[float, ...] | None) -> None:
    folder = tmp_path / "tiny@0.1"
    ref = resolve(str(write_folded_bundle(folder, thresholds) if thresholds else write_tiny_bundle(folder)))
    words = "has one fold: samples of folds need two" if thresholds else "has one network and no folds"
    with pytest.raises(InputError, match=words):
        sampler("folds", read_manifest(folder))
    listeners = Listeners(samples=Kept(), sampling=FOLDS)
    with pytest.raises(InputError, match=f"tiny@0.1 {words}"):
        predict(ref, replace(ramp(), modality="MR"), settings=RunSettings(device="cpu"), listeners=listeners)


def test_the_network_of_all_cases_is_no_sample_beside_those_of_parts() -> None:
    assert members_of(FIVE, title="x") == ("0", "1", "2", "3", "4")
    with pytest.raises(InputError, match="x has one fold"):
        members_of(Folds(files=(("fold_all", "a"), ("0", "b"))), title="x")
