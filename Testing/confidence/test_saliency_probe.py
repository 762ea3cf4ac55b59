"""A model's maps are checked on its own cases: the numbers are there, and weights that do not matter are found out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from slicermedai.bundles.registry import resolve
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
    probe(answered(pointwise, two_cubes()))
    probe(answered(pointwise, np.zeros((16, 16, 16), dtype=np.float32)))
    found = probe.quality()
    assert (found.cases, found.shortcut) == (1, None)
    assert found.gain > 0.7 and abs(found.noise) < 0.3 and found.repeat > 0.999
    assert found.distance is not None and found.plain is not None and found.rho is not None
    assert found.in_words.startswith("saliency not validated: 1 images")


def test_a_run_hands_its_answer_to_a_probe(tiny: Path) -> None:
    probe = SaliencyProbe("gradient")
    predict(resolve(str(tiny)), ball(6.0), listeners=Listeners(probe=probe))
    found = probe.quality()
    assert found.cases == 1 and found.gain > 0.5 and found.plain is None


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
