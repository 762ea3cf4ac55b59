"""A model's maps are checked on its own cases: the numbers are there, and weights that do not matter are found out."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from slicermedai.bundles.registry import resolve
from slicermedai.confidence import saliency_probe
from slicermedai.confidence.saliency_probe import SaliencyProbe, randomised
from slicermedai.errors import InputError
from slicermedai.inference.task import Listeners, predict
from Testing.corpus.trust.saliency_net import answered, network
from Testing.inference.conftest import tiny
from Testing.inference.test_again import ball
from Testing.inference.test_saliency import pointwise, two_cubes

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
