"""The streamed sliding window gives what MONAI's gives, and keeps little in memory."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from monai.inferers.utils import sliding_window_inference

from slicermedai.confidence.observer import MarginObserver
from slicermedai.domain.geometry import Geometry
from slicermedai.errors import BundleError, JobCancelled
from slicermedai.inference import windows
from slicermedai.inference.collect import Collector, Wanted, mean_scores
from slicermedai.inference.windows import Chosen, WindowPlan, carried_values, sweep
from Testing.inference.conftest import dice

CASES = [
    ((40, 37, 50), (16, 16, 16), 0.25, "gaussian", "constant"),
    ((40, 37, 50), (16, 16, 16), 0.625, "constant", "constant"),
    ((40, 37, 50), (16, 24, 8), (0.5, 0.3, 0.0), "gaussian", "replicate"),
    ((10, 37, 12), (16, 16, 16), 0.5, "gaussian", "replicate"),
    ((10, 37, 12), (16, 16, 16), 0.5, "constant", "reflect"),
    ((12, 13, 9), (16, 16, 16), 0.5, "gaussian", "circular"),
    ((21, 37, 50), (1, 16, 16), 0.25, "constant", "constant"),
    ((16, 16, 16), (16, 16, 16), 0.25, "constant", "constant"),
    ((17, 33, 18), (16, 16, 16), 0.9, "gaussian", "constant"),
]


class Whole:
    """A sink that puts the boxes together."""

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        self.scores = torch.full((*shape, classes), float("nan"))
        self.visits = torch.zeros(shape)

    def __call__(self, scores: torch.Tensor, weight: torch.Tensor, start: tuple[int, int, int]) -> None:
        box = tuple(slice(a, a + n) for a, n in zip(start, scores.shape[:3], strict=True))
        self.scores[box] = scores / weight
        self.visits[box] += 1


def network(classes: int = 5) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Conv3d(2, classes, 3, padding=1).eval()


def plan_of(roi: tuple[int, int, int], overlap: object, mode: str, padding: str, **more: object) -> WindowPlan:
    share = (overlap,) * 3 if isinstance(overlap, float) else overlap
    return WindowPlan(roi=roi, overlap=share, mode=mode, padding_mode=padding, **more)


@pytest.mark.parametrize(("shape", "roi", "overlap", "mode", "padding"), CASES)
@pytest.mark.parametrize("batch", [1, 3])
def test_the_scores_are_those_of_monai(
    shape: tuple[int, int, int], roi: tuple[int, int, int], overlap: object, mode: str, padding: str, batch: int
) -> None:
    made, image = network(), torch.randn(2, *shape)
    with torch.inference_mode():
        expected = sliding_window_inference(image[None], roi, 1, made, overlap, mode, padding_mode=padding)[0]
        found = Whole(shape, 5)
        sweep(image, made, plan_of(roi, overlap, mode, padding, batch=batch), found)
    assert (found.visits == 1).all()
    assert torch.allclose(found.scores.movedim(-1, 0), expected, atol=1e-5)
    labels, truth = found.scores.argmax(dim=-1).numpy(), expected.argmax(dim=0).numpy()
    assert np.mean([dice(labels == value, truth == value) for value in range(5)]) >= 0.9999


FORMS = {
    "classes first": lambda scores: scores.contiguous(),
    "classes last": lambda scores: scores.contiguous(memory_format=torch.channels_last_3d),
    "bfloat16": lambda scores: scores.bfloat16(),
    "bfloat16, classes last": lambda scores: scores.bfloat16().contiguous(memory_format=torch.channels_last_3d),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("planes", [1, 3, 5])
def test_the_sums_do_not_depend_on_how_many_planes_are_taken_at_once(
    form: str, half: bool, planes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, image, shape = network(), torch.randn(2, 40, 37, 13), (40, 37, 13)
    found = []
    for values in (1 << 20, planes * 16 * 16 * 5 + 1):
        monkeypatch.setattr(windows, "_SLAB_VALUES", values)
        for chosen in (None, Chosen(windows=[n % 3 > 0 for n in range(60)], channels=5)):
            plan = plan_of((16, 16, 16), (0.7, 0.25, 0.5), "gaussian", "constant", half=half, chosen=chosen)
            whole = Whole(shape, 5)
            with torch.inference_mode():
                sweep(image, lambda given: FORMS[form](made(given)), plan, whole)
            assert (whole.visits == 1).all()
            found.append(whole.scores.nan_to_num(nan=-7.0))
    assert torch.equal(found[0], found[2])
    assert torch.equal(found[1], found[3])


def test_what_the_network_answered_is_gone_before_it_is_asked_again() -> None:
    """The scores of a whole-body window are 0.4 GB."""
    answers: list[weakref.ref[torch.Tensor]] = []

    def run(given: torch.Tensor) -> torch.Tensor:
        assert not any(answer() is not None for answer in answers)
        made = torch.cat([given, given], dim=1)
        answers.append(weakref.ref(made))
        return made

    sweep(torch.rand(1, 20, 20, 20), run, plan_of((8, 8, 8), 0.5, "gaussian", "constant"), Whole((20, 20, 20), 2))
    assert len(answers) == 64


def test_half_precision_overlaps_hardly_change_a_label() -> None:
    made, image = network(40), torch.randn(2, 40, 37, 50)
    labels = []
    for half in (False, True):
        found = Whole((40, 37, 50), 40)
        with torch.inference_mode():
            sweep(image, made, plan_of((16, 16, 16), 0.5, "gaussian", "constant", half=half), found)
        labels.append(found.scores.argmax(dim=-1).numpy())
    assert np.mean([dice(labels[0] == v, labels[1] == v) for v in range(40)]) >= 0.999


def of_probabilities(given: torch.Tensor) -> torch.Tensor:
    """Forty classes: the second rises with the image, the others share what is left."""
    x = given[:, :1]
    return torch.softmax(torch.cat([12 * x - 4 if k == 1 else 0 * x - 0.1 * k for k in range(40)], dim=1), dim=1)


@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
def test_half_precision_overlaps_keep_the_scores_themselves(outputs: str) -> None:
    made = network(40) if outputs == "logits" else of_probabilities
    image, found = torch.randn(2, 24, 21, 30), []
    for half in (False, True):
        whole = Whole((24, 21, 30), 40)
        with torch.inference_mode():
            sweep(image, made, plan_of((16, 16, 16), 0.5, "gaussian", "constant", half=half), whole)
        found.append(whole.scores)
    atol = 1e-2 if outputs == "logits" else 2e-3
    assert torch.allclose(found[0], found[1], atol=atol)
    assert torch.allclose(found[0].sum(dim=-1), found[1].sum(dim=-1), atol=40 * atol)


@pytest.mark.parametrize("half", [False, True])
def test_scores_and_margins_of_probabilities_do_not_depend_on_how_overlaps_are_kept(half: bool) -> None:
    torch.manual_seed(3)
    image, shape = torch.rand(2, 24, 24, 24), (24, 24, 24)
    observer = MarginObserver([1], outputs="probabilities")
    observer.begin(Geometry.from_axes(shape), list(range(1, 40)))
    found = Collector(shape=shape, wanted=Wanted(probabilities=True, observer=observer, keep=(1,)))
    with torch.inference_mode():
        sweep(image, of_probabilities, plan_of((8, 8, 8), 0.5, "gaussian", "constant", half=half), found)
        whole = Whole(shape, 40)
        sweep(image, of_probabilities, plan_of((8, 8, 8), 0.5, "gaussian", "constant"), whole)
    exact = whole.scores.numpy()
    assert np.abs(found.kept[1] - exact[..., 1]).max() < 1e-3
    scores = mean_scores(found.labels, found.labels, found.own, [1])
    assert scores[1] == pytest.approx(exact[..., 1][exact.argmax(axis=-1) == 1].mean(), abs=1e-3)
    sketch = observer.sketch(1)
    assert sketch is not None
    assert sketch.counts.sum() > 0


def test_what_is_kept_does_not_grow_with_the_number_of_slices() -> None:
    plan = plan_of((96, 96, 96), 0.25, "constant", "constant")
    assert carried_values(plan, (1248, 240, 240)) == carried_values(plan, (240, 240, 240))
    assert carried_values(plan, (600, 240, 240)) < 0.2 * 600 * 240 * 240


def test_the_network_may_answer_with_what_it_was_given() -> None:
    image = torch.rand(3, 20, 20, 20)
    found = Whole((20, 20, 20), 3)
    with torch.inference_mode():
        sweep(image, lambda given: given, plan_of((8, 8, 8), 0.5, "gaussian", "constant"), found)
    assert torch.allclose(found.scores.movedim(-1, 0), image, atol=1e-6)


def test_it_can_be_stopped_before_every_batch() -> None:
    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        if done >= 4:
            raise JobCancelled("stopped")

    plan = plan_of((8, 8, 8), 0.5, "constant", "constant", batch=2)
    with pytest.raises(JobCancelled), torch.inference_mode():
        sweep(torch.zeros(2, 20, 20, 20), network(), plan, Whole((20, 20, 20), 5), before=stop)
    assert seen == [0, 2, 4]


def test_a_network_that_answers_another_size_is_refused() -> None:
    with pytest.raises(BundleError, match=r"answers \(8, 8, 8\) voxels with \(6, 6, 6\)"):
        sweep(torch.zeros(1, 9, 9, 9), torch.nn.Conv3d(1, 2, 3), WindowPlan(roi=(8, 8, 8)), Whole((9, 9, 9), 2))


@pytest.mark.parametrize("change", [{"mode": "cosine"}, {"overlap": (1.0, 0, 0)}, {"roi": (0, 4, 4)}, {"batch": 0}])
def test_a_plan_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BundleError):
        WindowPlan(**{"roi": (8, 8, 8), **change})
