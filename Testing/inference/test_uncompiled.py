"""Networks are asked for shapes without torch's compiler, and answer the same."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.networks.nets import UNETR, AttentionUnet, DenseNet121, DynUNet, SegResNet, SwinUNETR, UNet, VNet
from torch.utils.flop_counter import FlopCounterMode

from slicermedai.inference import shadow
from slicermedai.inference.shadow import Shadow
from slicermedai.inference.uncompiled import uncompiled
from Testing.inference.tiny_bundle import change_json, pinned

NETWORKS: dict[str, Callable[[], Any]] = {
    "group norm": lambda: SegResNet(init_filters=8, in_channels=1, out_channels=3),
    "batch norm": lambda: UNet(3, 1, 2, channels=(4, 8, 16), strides=(2, 2), num_res_units=2, norm="batch"),
    "instance norm": lambda: DynUNet(3, 1, 2, [3, 3, 3], [1, 2, 2], [2, 2], norm_name="instance"),
    "layer norm": lambda: SwinUNETR(in_channels=1, out_channels=2, feature_size=12),
    "activations with weights": VNet,
    "attention gates": lambda: AttentionUnet(3, 1, 2, channels=(4, 8, 16), strides=(2, 2)),
    "poolings": lambda: DenseNet121(3, 1, 2),
    "two dimensions": lambda: UNet(2, 1, 2, channels=(4, 8, 16), strides=(2, 2)),
    "transformer": lambda: UNETR(1, 2, img_size=64, hidden_size=96, num_heads=4, mlp_dim=96),
}
COMPILER = ("torch._dynamo", "torch._inductor", "sympy")
RUN = """
import json, sys
sys.modules["torchvision"] = None  # loads the compiler whoever imports it
from slicermedai.bundles.registry import resolve
from slicermedai.inference.foresee import workload_of
from slicermedai.inference.task import predict
from Testing.fixtures.grids import covering
from Testing.inference.conftest import body_on
image = body_on(covering(spacing=(4.0, 4.0, 4.0), extent=(100.0, 126.0, 116.0)))[0]
ref = resolve(sys.argv[1])
foreseen, _ = workload_of(ref, {"image": image.geometry})
found = predict(ref, image)
known = foreseen == found.workload and found.workload.operations > 0
print(json.dumps([known, [name for name in sys.argv[2:] if name in sys.modules]]))
"""


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_the_same_shapes_and_cost_as_by_torchs_own_rules(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    across = 0 if name == "two dimensions" else None
    roi = (64 if across is None else 1, 64, 64)
    asked = Shadow.of(NETWORKS[name]().eval(), channels=1, across=across)
    shape, cost = asked.ask(roi), asked.cost(roi)
    monkeypatch.setattr(shadow, "uncompiled", contextlib.nullcontext)
    assert shape == asked.ask(roi)
    known = asked.cost(roi)
    assert cost is not None and known is not None
    assert cost.values == pytest.approx(known.values, rel=1e-3), "copies that views ask for may differ by a little"
    with FlopCounterMode(display=False) as counter:
        asked.ask(roi)
    assert cost.operations == known.operations == counter.get_total_flops() > 0


def test_what_does_not_fit_is_still_refused_in_torchs_words() -> None:
    flat, deep = torch.empty((1, 3, 8, 8), device="meta"), torch.empty((1, 4, 8, 8, 8), device="meta")
    with uncompiled():
        with pytest.raises(RuntimeError, match="hannel"):
            torch.nn.Conv2d(4, 2, 3, device="meta")(flat)
        with pytest.raises(RuntimeError, match="divisible"):
            torch.nn.functional.group_norm(deep, 3)


def test_torchs_checks_are_its_own_again_afterwards() -> None:
    before = torch._check_with
    with contextlib.suppress(KeyError), uncompiled(), uncompiled():
        raise KeyError
    assert torch._check_with is before
    with uncompiled(), pytest.raises(ValueError, match="too small"):
        torch._check_value(False, lambda: "too small")


def test_a_run_and_what_is_told_before_it_load_no_compiler(tiny: Path) -> None:
    network = {"_target_": "SegResNet", "init_filters": 8, "in_channels": 1, "out_channels": 2, "blocks_down": [1, 1]}
    torch.save(
        SegResNet(init_filters=8, in_channels=1, out_channels=2, blocks_down=(1, 1), blocks_up=(1,)).state_dict(),
        tiny / "models" / "model.pt",
    )
    change_json(tiny / "configs" / "inference.json", network_def={**network, "blocks_up": [1]})
    change_json(tiny / "medai.json", weights=pinned(tiny, "models/model.pt"))
    done = subprocess.run([sys.executable, "-c", RUN, str(tiny), *COMPILER], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [True, []]
