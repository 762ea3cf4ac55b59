"""A network that answers with what is no number is refused: its silence would read as "nothing found"."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from slicermedai.bundles.registry import resolve
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import BundleError
from slicermedai.inference.not_a_number import checked, watch_numbers
from slicermedai.inference.runner import Runner
from slicermedai.inference.task import predict
from Testing.fixtures.grids import covering
from Testing.inference.test_single import classifying, detecting, nodules
from Testing.inference.tiny_bundle import change_json
from Testing.inference.zoo import Draft, half, write_zoo_bundle

TOLD = "answers with values that are no numbers"


def damaged(draft: Draft) -> None:
    """One weight of the second class is no number."""
    draft.state = half()
    draft.state["weight"][1] = math.nan


def detecting_nothing(draft: Draft) -> None:
    """A detector whose scores are no numbers: none is above its threshold."""
    detecting(draft)
    draft.state = {"scale": torch.full((1,), math.nan)}


def classifying_nothing(draft: Draft) -> None:
    """A classifier one of whose scores is no number."""
    classifying(draft)
    draft.state["2.bias"][1] = math.nan


@pytest.mark.parametrize(
    ("task", "change"),
    [("segmentation", damaged), ("detection", detecting_nothing), ("classification", classifying_nothing)],
)
def test_it_is_refused_for_every_task(task: str, change: Callable[[Draft], None], tmp_path: Path) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "plain", change)
    change_json(tmp_path / "zoo@0.1" / "medai.json", task=task)
    ref = resolve(str(tmp_path / "zoo@0.1"), consent="the test")
    with pytest.raises(BundleError, match=TOLD):
        predict(ref, an_image(flat=task == "classification"))


def an_image(*, flat: bool) -> Volume:
    if not flat:
        return nodules(covering(spacing=(2.0, 2.0, 2.0), extent=(80.0, 80.0, 80.0)))
    rows = np.tile(np.linspace(0, 1, 40, dtype=np.float32), (1, 30, 1))
    return Volume(array=rows, geometry=Geometry.from_axes((1, 30, 40)), modality="MR")


def test_what_is_infinite_is_a_number() -> None:
    scores = torch.tensor([-math.inf, 0.0, math.inf])
    assert checked(scores) is scores
    with pytest.raises(BundleError, match=TOLD):
        checked(torch.tensor([1.0, math.nan]))


def test_every_tensor_of_an_answer_is_looked_at() -> None:
    class Answers(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> dict[str, list[torch.Tensor]]:
            return {"boxes": [image, image / image]}

    network = Answers()
    watch_numbers(network)
    network(torch.ones(2))
    with pytest.raises(BundleError, match=TOLD):
        network(torch.zeros(2))


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_a_network_of_torchscript_is_looked_at_too() -> None:
    class Ratio(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image / image

    network = torch.jit.trace(Ratio(), torch.ones(2))
    watch_numbers(network)
    network(torch.ones(2))
    with pytest.raises(BundleError, match=TOLD):
        network(torch.zeros(2))


def test_bfloat16_that_gives_no_numbers_does_not_agree() -> None:
    """The run then goes on in float32."""

    class Narrow(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            low = torch.is_autocast_enabled("cpu")
            return torch.cat([image, torch.full_like(image, math.nan if low else 1.0)], dim=1)

    runner = Runner(network=Narrow(), device="cpu")
    assert runner.golden(torch.zeros(1, 4, 4, 4)) == 0.0
    assert not torch.isnan(runner(torch.zeros(1, 1, 4, 4, 4))).any()
