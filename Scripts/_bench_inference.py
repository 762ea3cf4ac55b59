"""The engine beside stock MONAI in one run: time, agreement and peak memory, on networks like the Model Zoo's.

Networks have random weights, so agreement is of rounding and not of anatomy: float32 is judged by the Dice of all
labels, bfloat16 is printed beside it and judged nowhere. Each measurement runs in a process of its own, stock and ours
by turns, on the same generated CT. The sizes are reduced; ``--full`` takes those that the goals were set for.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 1800


@dataclass(frozen=True)
class Case:
    """A network and the goals for it: how often faster than stock, end to end over forward, GB."""

    name: str
    network: dict[str, Any]
    classes: int
    roi: tuple[int, int, int]
    pixdim: tuple[float, float, float]
    nearest: bool
    faster: float
    overhead: float
    memory: float


CASES = {
    "many": Case(
        "105 classes",
        {"_target_": "SegResNet", "init_filters": 32, "blocks_down": [1, 2, 2, 4], "blocks_up": [1, 1, 1]},
        105,
        (96, 96, 96),
        (1.5, 1.5, 1.5),
        True,
        3.5,
        1.15,
        3.0,
    ),
    "two": Case(
        "2 classes",
        {
            "_target_": "UNet",
            "spatial_dims": 3,
            "channels": [16, 32, 64, 128, 256],
            "strides": [2, 2, 2, 2],
            "num_res_units": 2,
            "norm": "batch",
        },
        2,
        (96, 96, 96),
        (1.5, 1.5, 2.0),
        False,
        5.0,
        1.5,
        3.0,
    ),
}


def main(arguments: list[str]) -> int:
    """Print the table; 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="Scripts/bench inference", description=__doc__)
    parser.add_argument("--full", action="store_true", help="512 x 512 x 200 instead of 192 x 192 x 140")
    parser.add_argument("--case", choices=sorted(CASES), default="", help="one case alone")
    parser.add_argument("--child", nargs=3, metavar=("CASE", "WHO", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    shape = (200, 512, 512) if chosen.full else (140, 192, 192)
    if chosen.child:
        case, who, folder = chosen.child
        print(json.dumps(measure(CASES[case], who, Path(folder), shape)))
        return 0
    print(f"a generated CT of {'x'.join(map(str, shape))} voxels, 0.8 mm in plane, slices of 1.5 mm")
    results = [_compare(name, full=chosen.full) for name in ([chosen.case] if chosen.case else CASES)]
    return 0 if all(results) else 1


def _compare(name: str, *, full: bool) -> bool:
    case, found = CASES[name], {}
    with tempfile.TemporaryDirectory(prefix="medai-bench-") as folder:
        for who in ("stock", "float32", "bfloat16"):
            found[who] = _in_child(name, who, folder, full=full)
    if None in found.values():
        print(f"{case.name}: NOT MEASURED: the reason is above.")
        return False
    stock, exact, low = found["stock"], found["float32"], found["bfloat16"]
    print(f"\n{case.name}")
    for who, row in found.items():
        stages = ", ".join(f"{k} {v:.2f}" for k, v in row["stages"].items())
        print(f"  {who:9s} {row['seconds']:7.2f} s  peak {row['peak']:.2f} GB  ({stages})")
    _goal("faster than stock, bfloat16", stock["seconds"] / low["seconds"], case.faster, at_least=True)
    print(f"  {'faster than stock, float32':40s} {stock['seconds'] / exact['seconds']:8.3f}")
    _goal("end to end over forward, bfloat16", low["seconds"] / low["forward"], case.overhead, at_least=False)
    _goal("Dice with stock, float32", exact["dice"], 0.9999, at_least=True)
    print(f"  {'Dice with stock, bfloat16 (random)':40s} {low['dice']:8.5f}")
    _goal("peak memory, float32, GB", exact["peak"], case.memory, at_least=False)
    return True


def _goal(what: str, value: float, goal: float, *, at_least: bool) -> None:
    met = value >= goal if at_least else value <= goal
    print(f"  {what:40s} {value:8.5f}  {'>=' if at_least else '<='} {goal:g}  {'met' if met else 'MISSED'}")


def _in_child(case: str, who: str, folder: str, *, full: bool) -> dict[str, Any] | None:
    command = [sys.executable, __file__, "--child", case, who, folder, *(["--full"] if full else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=SECONDS)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


# --- in the child ------------------------------------------------------------------------------------------------


def measure(case: Case, who: str, folder: Path, shape: tuple[int, int, int]) -> dict[str, Any]:
    """One run: seconds, stages, peak memory in GB, and the labels' Dice with stock's, which runs first."""
    import numpy as np

    bundle = folder / "bundle@0"
    if not bundle.exists():
        write_bundle(case, bundle)
    volume = image(shape)
    importlib.import_module("slicermedai.inference.segment")  # what torch and MONAI take to load is no one's merit
    start = time.perf_counter()
    labels, stages, forward = stock(case, bundle, volume) if who == "stock" else ours(bundle, volume, who)
    seconds = time.perf_counter() - start
    if who == "stock":
        np.save(folder / "stock.npy", labels)
    return {
        "seconds": seconds,
        "stages": stages,
        "forward": forward,
        "peak": _peak(),
        "dice": _dice(labels, np.load(folder / "stock.npy"), case.classes),
    }


def write_bundle(case: Case, folder: Path) -> None:
    """A bundle with random weights, which stock and ours both read."""
    import hashlib

    import torch
    from monai.bundle import ConfigParser

    torch.manual_seed(0)
    network = {**case.network, "in_channels": 1, "out_channels": case.classes}
    for name in ("models", "configs"):
        (folder / name).mkdir(parents=True)
    made = ConfigParser({"network_def": network}).get_parsed_content("network_def")
    torch.save(made.state_dict(), folder / "models" / "model.pt")
    invert = {"_target_": "Invertd", "keys": "pred", "nearest_interp": case.nearest}
    argmax = {"_target_": "AsDiscreted", "keys": "pred", "argmax": True}
    config = {
        "network_def": network,
        "preprocessing": {"_target_": "Compose", "transforms": steps(case)},
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": list(case.roi),
            "overlap": 0.25,
            "mode": "gaussian",
        },
        "postprocessing": {
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                *((argmax, invert) if case.nearest else (invert, argmax)),
            ]
        },
    }
    code = {"scheme": "99BENCH", "meaning": "placeholder"}
    labels = [
        {"value": v, "name": f"{v}", "category": {"value": "0", **code}, "type": {"value": f"{v}", **code}}
        for v in range(1, case.classes)
    ]
    digest = hashlib.sha256((folder / "models" / "model.pt").read_bytes()).hexdigest()
    entry = {"medai": 1, "weights": {"file": "models/model.pt", "sha256": digest}, "labels": labels}
    for path, body in (
        ("configs/inference.json", config),
        ("configs/metadata.json", {"version": "0"}),
        ("medai.json", entry),
    ):
        (folder / path).write_text(json.dumps(body))


def steps(case: Case) -> list[dict[str, Any]]:
    """The preprocessing of both."""
    scale = {"a_min": -200, "a_max": 300, "b_min": 0, "b_max": 1, "clip": True}
    return [
        {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
        {"_target_": "Spacingd", "keys": "image", "pixdim": list(case.pixdim), "mode": "bilinear"},
        {"_target_": "ScaleIntensityRanged", "keys": "image", **scale},
    ]


def image(shape: tuple[int, int, int]) -> Any:
    """Smooth noise in Hounsfield units: random networks then answer with regions and not with specks."""
    import numpy as np
    from scipy.ndimage import zoom

    from slicermedai.domain.geometry import Geometry
    from slicermedai.domain.volume import Volume

    coarse = np.random.default_rng(0).normal(50, 150, [max(4, n // 16) for n in shape])
    values = zoom(coarse, [n / m for n, m in zip(shape, coarse.shape, strict=True)], order=1).astype(np.int16)
    return Volume(array=values, geometry=Geometry.from_axes(shape, spacing=(1.5, 0.8, 0.8)), modality="CT")


def stock(case: Case, bundle: Path, volume: Any) -> tuple[Any, dict[str, float], float]:
    """MONAI's own components one after the other, as its evaluator calls them; labels as (slices, rows, columns)."""
    import torch
    from monai.bundle import ConfigParser
    from monai.data import MetaTensor
    from monai.transforms import AsDiscrete, Compose, Invertd

    from slicermedai.inference.metatensor import FLIP

    parser = ConfigParser(json.loads((bundle / "configs" / "inference.json").read_text()))
    stages, clock = {}, time.perf_counter()

    def stage(name: str) -> None:
        nonlocal clock
        stages[name], clock = time.perf_counter() - clock, time.perf_counter()

    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    turned = torch.from_numpy(volume.array.astype("float32")).permute(2, 1, 0)[None]
    affine = torch.from_numpy(FLIP @ volume.geometry.permuted((2, 1, 0)).affine)
    before = Compose(parser.get_parsed_content("preprocessing").transforms)
    data = before({"image": MetaTensor(turned, affine=affine)})
    stage("prepare")
    with torch.inference_mode():
        pred = parser.get_parsed_content("inferer")(data["image"][None], network)[0]
        stage("windows")
        pred = torch.softmax(pred, dim=0)
        if case.nearest:
            pred = AsDiscrete(argmax=True)(pred)
        data["pred"] = MetaTensor(pred, meta=data["image"].meta, applied_operations=data["image"].applied_operations)
        stage("softmax, argmax")
        inverse = Invertd(keys="pred", transform=before, orig_keys="image", nearest_interp=case.nearest)
        found = inverse(data)["pred"]
        found = found if case.nearest else AsDiscrete(argmax=True)(found)
        stage("inverse")
    return found[0].permute(2, 1, 0).numpy().astype("uint8"), stages, 0.0


def ours(bundle: Path, volume: Any, precision: str) -> tuple[Any, dict[str, float], float]:
    """This engine; ``forward`` is the time inside the network alone."""
    from slicermedai.bundles.registry import resolve
    from slicermedai.inference import runner
    from slicermedai.inference.task import RunSettings, predict

    spent, plain = [], runner.Runner._forward

    def timed(self: Any, windows: Any) -> Any:
        start = time.perf_counter()
        made = plain(self, windows)
        spent.append(time.perf_counter() - start)
        return made

    runner.Runner._forward = timed
    found = predict(resolve(str(bundle)), volume, settings=RunSettings(device="cpu", precision=precision))
    stages = {step.name: step.seconds for step in found.steps if not step.name.startswith("adapt")}
    return found.label_map.array, stages, sum(spent)


def _dice(first: Any, second: Any, classes: int) -> float:
    import numpy as np

    same = np.bincount(first[first == second].ravel(), minlength=classes)
    sizes = np.bincount(first.ravel(), minlength=classes) + np.bincount(second.ravel(), minlength=classes)
    return float(np.mean((2 * same / np.maximum(sizes, 1))[sizes > 0]))


def _peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
