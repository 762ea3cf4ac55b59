"""A model's maps are checked on its own cases: the numbers are there, and weights that do not matter are found out."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from slicermedai.bundles.registry import resolve
from slicermedai.confidence import saliency_probe
from slicermedai.confidence.saliency_probe import SaliencyProbe, randomised
from slicermedai.errors import InputError
from slicermedai.inference.adapter.post import Postprocessing
from slicermedai.inference.again import Answered
from slicermedai.inference.saliency_label import LookedAtWhole
from slicermedai.inference.saliency_whole import around, at_once
from slicermedai.inference.task import Listeners, predict
from Testing.corpus.trust.saliency_net import answered, network
from Testing.inference.conftest import tiny
from Testing.inference.test_again import ball
from Testing.inference.test_saliency import pointwise, two_cubes
from Testing.inference.test_saliency_labels import looked as label_of

__all__ = ["pointwise", "tiny"]


def test_a_probe_measures_what_a_map_gains_and_what_weights_do(pointwise: torch.nn.Module) -> None:
    probe = SaliencyProbe("hirescam")
    probe.of("a")(answered(pointwise, two_cubes()))
    probe.of("b")(answered(pointwise, np.zeros((16, 16, 16), dtype=np.float32)))
    found = probe.quality()
    assert (found.cases, found.shortcut) == (1, None)
    assert found.gain > 0.7 and abs(found.noise) < 0.3 and found.repeat > 0.999
    assert found.distance is not None and found.plain is not None and found.rho is not None
    assert found.in_words.startswith("saliency not validated: images of 1 patients")


def piece_of(net: torch.nn.Module, *, roi: int = 16, size: int = 48) -> Answered:
    """A sweep over an image with one bright cube, in windows of ``roi`` voxels."""
    image = 0.1 * np.random.default_rng(1).standard_normal((size, size, size)).astype(np.float32)
    image[20:29, 20:29, 20:29] += 1
    return answered(net, image, roi=roi)


@pytest.mark.parametrize("method", ["hirescam", "gradient"])
def test_maps_of_windows_add_up_where_a_voxel_sees_no_further_than_its_window(
    pointwise: torch.nn.Module, method: str
) -> None:
    probe = SaliencyProbe(method)
    probe.of("a")(piece_of(pointwise))
    assert probe.quality().additive == pytest.approx(1, abs=1e-6)


class Normed(torch.nn.Module):
    """The same with statistics of all that it is shown."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net, self.norm = net, torch.nn.InstanceNorm3d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(self.norm(x))


def test_statistics_of_a_window_are_found_out(pointwise: torch.nn.Module) -> None:
    probe = SaliencyProbe("gradient")
    probe.of("a")(piece_of(Normed(pointwise).eval()))
    found = probe.quality()
    assert found.additive is not None and found.additive < 0.97
    assert "correlation of windows with all at once" in found.in_words


def test_the_piece_around_a_target_is_two_windows_wide_and_holds_the_same_answer(pointwise: torch.nn.Module) -> None:
    given = piece_of(pointwise)
    mask = given.found.labels > 0
    piece = around(given, mask)
    assert piece.found.shape == piece.grid.shape == tuple(piece.image.shape[1:]) == (32, 32, 32)
    start = np.round(given.grid.to_index(piece.grid.to_lps([[0, 0, 0]]))[0]).astype(int)
    box = tuple(slice(n, n + 32) for n in start)
    assert np.array_equal(piece.found.labels, given.found.labels[box])
    assert np.array_equal(piece.image.numpy()[0], given.image.numpy()[0][box])
    assert np.count_nonzero(piece.found.labels) == np.count_nonzero(mask)
    assert at_once(piece).plan.count(piece.grid.shape) == 1 < piece.plan.count(piece.grid.shape)


def test_a_window_over_all_can_be_halved_as_often_as_the_networks_own(pointwise: torch.nn.Module) -> None:
    given = piece_of(pointwise, roi=24, size=44)
    assert at_once(given).plan.roi == (48, 48, 48)
    assert at_once(piece_of(pointwise, roi=48)).plan.roi == (48, 48, 48)


def test_occlusion_of_all_at_once_is_not_measured(pointwise: torch.nn.Module) -> None:
    probe = SaliencyProbe("occlusion")
    probe.of("a")(answered(pointwise, two_cubes()))
    assert probe.quality().cases == 1 and probe.quality().additive is None


def test_a_run_hands_its_answer_to_a_probe(tiny: Path) -> None:
    probe = SaliencyProbe("gradient")
    predict(resolve(str(tiny)), ball(6.0), listeners=Listeners(probe=probe.of("a")))
    found = probe.quality()
    assert found.cases == 1 and found.gain > 0.5 and found.plain is None


def test_ten_scans_of_one_patient_count_once(pointwise: torch.nn.Module) -> None:
    probe = SaliencyProbe("gradient")
    for _ in range(2):
        probe.of("a")(answered(pointwise, two_cubes()))
    assert probe.quality().cases == 1
    probe.of("b")(answered(pointwise, two_cubes()))
    assert probe.quality().cases == 2


class Narrow(torch.nn.Module):
    """One channel that a wrong sign shuts off, so that few of its randomised copies give a map."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv3d(1, 1, 2, stride=2, bias=False)
        self.last = torch.nn.Conv3d(1, 2, 1)
        with torch.no_grad():
            self.first.weight.fill_(1 / 8)
            self.last.weight.copy_(torch.tensor([0.0, 8]).reshape(2, 1, 1, 1, 1))
            self.last.bias.copy_(torch.tensor([0.0, -4]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        coarse = self.last(self.first(x).relu())
        return torch.nn.functional.interpolate(coarse, scale_factor=2)


def test_a_randomised_network_without_a_map_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((16, 16, 16), dtype=np.float32)
    image[2:14, 2:14, 2:14] = 1
    probe = SaliencyProbe("gradient")
    monkeypatch.setattr(saliency_probe, "randomised", shut_off)
    probe.of("a")(answered(Narrow().eval(), image))
    found = probe.quality()
    assert (found.cases, found.seeds, found.rho) == (1, 0, None)
    assert "0 randomisations are too few" in found.in_words and "weights not measured" in found.in_words


def test_as_many_networks_are_drawn_as_give_enough_maps() -> None:
    image = np.zeros((16, 16, 16), dtype=np.float32)
    image[2:14, 2:14, 2:14] = 1
    probe = SaliencyProbe("hirescam", seed=2)
    probe.of("a")(answered(Narrow().eval(), image))
    found = probe.quality()
    assert (found.cases, found.seeds) == (1, 5) and found.rho > 0.5


def test_signs_of_rank_correlations_do_not_cancel(pointwise: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    signs = itertools.cycle((1, -1))
    monkeypatch.setattr(saliency_probe, "rank_correlation", lambda first, second: 0.8 * next(signs))
    probe = SaliencyProbe("gradient")
    probe.of("a")(answered(pointwise, two_cubes()))
    assert probe.quality().rho == pytest.approx(0.8)


def shut_off(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """A copy whose first layer lets nothing through."""
    made = randomised(module, seed)
    with torch.no_grad():
        made.first.weight.fill_(-1)
    return made


def test_all_weights_are_drawn_anew_and_the_network_stays_as_it_was() -> None:
    net = network()
    before = [one.detach().clone() for one in net.parameters()]
    state = torch.get_rng_state()
    first, again, other = randomised(net, 1), randomised(net, 1), randomised(net, 2)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    for one, same, drawn, was in zip(*(m.parameters() for m in (first, again, other, net)), strict=True):
        assert torch.equal(one, same)
        if one.dim() > 1:
            assert not torch.equal(one, drawn) and not torch.equal(one, was)


def test_a_method_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputError, match="must be one of"):
        SaliencyProbe("magic")


# --- labels of the whole image -----------------------------------------------------------------------------------


class Brightness(torch.nn.Module):
    """Calls an image by its brightest places, seen through one layer that sees them more coarsely."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = torch.nn.Conv3d(1, 2, 4, stride=4), torch.nn.Linear(2, 2)
        with torch.no_grad():
            self.first.weight.fill_(1 / 64)
            self.first.bias.zero_()
            self.last.weight.copy_(torch.tensor([[20.0, 20], [-20, -20]]))
            self.last.bias.copy_(torch.tensor([-8.0, 8]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x).relu().amax(dim=(2, 3, 4)))


def bright(place: int) -> LookedAtWhole:
    rng = np.random.default_rng(place)
    image = 0.1 * rng.standard_normal((24, 24, 24)).astype(np.float32)
    image[place : place + 4, 4:8, 16:20] += 1
    return label_of(Brightness().eval(), image, Postprocessing())


@pytest.mark.parametrize("method", ["hirescam", "gradcam", "gradient", "occlusion"])
def test_maps_of_a_label_of_the_whole_image_are_checked_as_those_of_structures(method: str) -> None:
    probe = SaliencyProbe(method)
    for number, place in enumerate((4, 16)):
        probe.of(f"patient {number}")(bright(place))
    found = probe.quality()
    assert (found.cases, found.seeds, found.of_image) == (2, 5, True)
    assert found.gain is not None and found.noise is not None and found.distance is not None
    assert found.gain > 0.5 > found.distance, "the label's place is not the middle of the image"
    assert found.gain > found.noise + 0.3 and found.repeat == pytest.approx(1)
    assert found.rho is not None and found.plain is not None
    assert found.additive == (None if method == "occlusion" else pytest.approx(1))
    assert "nearness to the middle of the image" in replace(found, gain=-1.0).in_words


def test_an_image_without_a_label_counts_for_nothing() -> None:
    probe = SaliencyProbe("gradient")
    probe.of("a")(replace(bright(4), best=0))
    assert probe.quality().cases == 0
