"""Rows S1 to S5: saliency maps of tiny networks that are trained here on generated balls, for each seed anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import sobel

from slicermedai.confidence.saliency_checks import (
    insertion_minus_deletion,
    marker_auroc,
    nearness,
    pearson,
    rank_correlation,
)
from slicermedai.domain.observer import silent
from slicermedai.inference.again import Answered, Flips, ask_again
from slicermedai.inference.layers import Unexplained, choose_layer, kept_at
from slicermedai.inference.saliency import Request, cam, explain
from slicermedai.inference.windows import touching
from Testing.corpus.trust.rows import Row, table
from Testing.corpus.trust.saliency_net import SIZE, Case, answered, case, marked, network, trained

Array = NDArray[np.float32]
CASES, SEEDS, LARGE = 10, 5, 64
_IG_STEPS = 6


@dataclass(frozen=True, eq=False)
class Asked:
    """A case, the network's answer to it, and its map."""

    case: Case
    given: Answered
    target: NDArray[np.bool_]
    map: Array


def rows(seed: int, *, told: Callable[[str], None] = lambda text: None) -> list[Row]:
    """All rows of one seed, each part told as it comes; S5 trains a second network that goes by a planted marker."""
    net = trained(seed, lambda rng, k: case(rng), steps=400)
    rng = np.random.default_rng((seed, 1))
    asked = [_asked(net, case(rng)) for _ in range(CASES)]
    large = case(rng, LARGE)
    parts: tuple[Callable[[], list[Row]], ...] = (
        lambda: [_captum(net, asked[0]), _repeat(net, asked[0])],
        lambda: _gain(net, asked, rng),
        lambda: _cost(net, large),
        lambda: [_samples_cost(net, large, roi=SIZE), _samples_cost(net, asked[0].case, roi=0)],
        lambda: _windows(seed, large),
        lambda: _randomised(net, asked, seed),
        lambda: _shortcut(seed),
    )
    out = []
    for part in parts:
        made = part()
        told(table(made))
        out += made
    return out


def _map(given: Answered, method: str = "hirescam") -> Array:
    """The map; zeros, which gain nothing, where it is refused."""
    made = _map_or_none(given, method)
    return np.zeros(given.grid.shape, dtype=np.float32) if made is None else made


def _map_or_none(given: Answered, method: str = "hirescam") -> Array | None:
    try:
        return np.asarray(explain(given, Request(method=method), progress=silent).array)
    except Unexplained:
        return None


def _asked(net: Any, made: Case) -> Asked:
    given = answered(net, made.image)
    return Asked(made, given, given.found.labels == 1, _map(given))


# --- S1, S2 ------------------------------------------------------------------------------------------------------


def _captum(net: Any, one: Asked) -> Row:
    try:
        from captum.attr import LayerGradCam, LayerGradientXActivation
    except ImportError:
        return Row("S1", "CAMs against captum's, largest difference", "<= 1e-6", "captum is not here", None)
    image, mask = torch.from_numpy(one.case.image)[None, None], torch.from_numpy(one.target.astype(np.float32))

    def score(x: torch.Tensor) -> torch.Tensor:
        return (net(x)[:, 1] * mask).sum(dim=(1, 2, 3))

    layer = choose_layer(net, lambda: net(image), voxels=mask.numel())
    with torch.enable_grad(), kept_at(layer) as kept:
        (slope,) = torch.autograd.grad(score(image).sum(), kept)
    theirs = [
        LayerGradientXActivation(score, layer.module).attribute(image).sum(dim=1),
        LayerGradCam(score, layer.module).attribute(image)[:, 0],
    ]
    ours = [cam(kept[0].detach(), slope, high_resolution=high) for high in (True, False)]
    worst = max(_apart(a.detach(), b.detach()) for a, b in zip(ours, theirs, strict=True))
    return Row("S1", "CAMs against captum's, largest difference", "<= 1e-6", f"{worst:.1e}", worst <= 1e-6, "captum")


def _apart(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


def _windows(seed: int, made: Case) -> list[Row]:
    """Windows of 32 voxels against the whole 64: instance norm takes its statistics from the window, batch norm not."""
    out = []
    for norm in ("BATCH", "INSTANCE"):
        net = trained(seed, lambda rng, k: case(rng), steps=150, norm=norm)
        whole, parts = answered(net, made.image), answered(net, made.image, roi=SIZE)
        parts = replace(parts, found=whole.found)
        r = pearson(_map(whole), _map(parts))
        out.append(
            Row("S1", f"windows against the whole, Pearson, {norm.lower()} norm", ">= 0.99", f"{r:.4f}", r >= 0.99)
        )
        if norm == "BATCH":
            out.append(_outside(parts))
    return out


def _outside(given: Answered) -> Row:
    """The share of the map that lies farther than 4 voxels (two of the layer) from the target."""
    made, far = _map(given), nearness(given.found.labels == 1) < -4
    share = float(made[far].sum() / made.sum())
    return Row("S1", "share of the map beyond 4 voxels of the target", "<= 0.05", f"{share:.3f}", share <= 0.05)


def _cost(net: Any, made: Case) -> list[Row]:
    given = answered(net, made.image, roi=SIZE)
    found = explain(given, Request(method="hirescam"), progress=silent)
    sweep = min(_seconds(lambda: answered(net, made.image, roi=SIZE)) for _ in range(3))
    out = []
    for method in ("hirescam", "gradient"):
        took = min(_seconds(lambda name=method: _map(given, name)) for _ in range(3))
        per = took / sweep * found.whole / found.windows
        words = f"{per:.2f} a window; {found.windows} of {found.whole} windows"
        out.append(Row("S2", f"cost in forward passes, {method}", "<= 5", words, per <= 5))
    touched = sum(touching(given.plan, given.found.labels == 1))
    said = f"{found.windows} windows, {touched} of {found.whole} touch it"
    out.append(Row("S2", "backward on windows that touch the target", "these alone", said, found.windows == touched))
    return out


class _Cost:
    """Whom samples are handed to: it keeps what they cost alone."""

    windows, whole, cost = 0, 0, 0.0

    def begin(self, *given: Any, **named: Any) -> None: ...
    def answer(self, found: Any) -> None: ...
    def sample(self, found: Any) -> None:
        list(found)

    def end(self, *, windows: int, whole: int, cost: float, seeds: Any) -> None:
        self.windows, self.whole, self.cost = windows, whole, 1 + cost


def _samples_cost(net: Any, made: Case, *, roi: int) -> Row:
    """Mirrored samples, in sweeps with the run's own: as a run counts them, and by CPU time."""
    heard, given = _Cost(), answered(net, made.image, roi=roi)
    sweep = min(_cpu_seconds(lambda: answered(net, made.image, roi=roi)) for _ in range(3))
    again = min(_cpu_seconds(lambda: ask_again(given, heard, Flips(), progress=silent)) for _ in range(3))
    what = f"mirrored samples, sweeps in all, {heard.windows} of {heard.whole} windows touch the answer"
    words = f"{heard.cost:.2f}; by CPU time {1 + again / sweep:.2f}"
    return Row("S2", what, "<= 8", words, 0 < heard.cost <= 8, "eight where one window holds all of the image")


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _cpu_seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


# --- S3, S4, S5 --------------------------------------------------------------------------------------------------


def _gain(net: Any, asked: list[Asked], rng: np.random.Generator) -> list[Row]:
    found: dict[str, list[float]] = {"hires": [], "plain": [], "near": [], "chance": [], "gradient": []}
    for one in asked:
        maps = {
            "hires": one.map,
            "plain": _map(one.given, "gradcam"),
            "near": nearness(one.target),
            "chance": rng.random(one.map.shape).astype(np.float32),
            "gradient": _map(one.given, "gradient"),
        }
        cover = np.full_like(one.case.image, np.median(one.case.image))
        for name, values in maps.items():
            found[name].append(insertion_minus_deletion(_score(net, one.target), one.case.image, cover, values))
    mean = {name: float(np.mean(values)) for name, values in found.items()}
    trivial = f"near {mean['near']:.2f}, chance {mean['chance']:.2f}, gradient {mean['gradient']:.2f}"
    lead = mean["hires"] - mean["plain"]
    return [
        Row(
            "S3",
            "insertion minus deletion, HiRes-CAM",
            ">= 0.70",
            f"{mean['hires']:.3f}",
            mean["hires"] >= 0.7,
            trivial,
        ),
        Row("S3", "lead over plain Grad-CAM of the same layer", ">= 0.30", f"{lead:.3f}", lead >= 0.3),
        Row(
            "S3",
            "not below nearness to the target",
            f">= {mean['near']:.3f}",
            f"{mean['hires']:.3f}",
            mean["hires"] >= mean["near"],
        ),
    ]


def _score(net: Any, target: NDArray[np.bool_]) -> Callable[[Array], float]:
    def score(image: Array) -> float:
        with torch.inference_mode():
            scores = net(torch.from_numpy(np.ascontiguousarray(image))[None, None])
        return float(scores.softmax(dim=1)[0, 1].numpy()[target].mean())

    return score


def _randomised(net: Any, asked: list[Asked], seed: int) -> list[Row]:
    """Rank correlation of maps before and after all weights were drawn anew, without its sign; two controls that must
    not pass. Maps that are refused are left out, and counted."""
    others = [_random_network(seed, number) for number in range(SEEDS)]
    hires, edges, paths = [], [], []
    for one in asked:
        edge, path = _edges(one.case.image), _integrated(net, one)
        drawn = [_map_or_none(replace(one.given, module=other)) for other in others]
        hires += correlated(one.map if one.map.any() else None, drawn)
        edges += [rank_correlation(edge, _edges(one.case.image)) for _ in others]
        paths += correlated(path, [_integrated(other, one) for other in others])
    rho, edge_rho, path_rho = (float(np.mean(values)) if values else 1.0 for values in (hires, edges, paths))
    many = f"{len(hires)} maps of {len(asked)} cases x {SEEDS} seeds"
    enough = len(hires) == len(asked) * SEEDS
    passed = False if rho > 0.35 else enough or None
    return [
        Row("S4", f"randomised weights, HiRes-CAM, {many}", "|rho| <= 0.35", f"{rho:.3f}", passed),
        Row("S4", "control that must fail: edge filter", "|rho| > 0.35", f"{edge_rho:.3f}", edge_rho > 0.35),
        Row(
            "S4",
            "control that must fail: |integrated gradients|",
            "|rho| > 0.35",
            f"{path_rho:.3f}",
            path_rho > 0.35,
        ),
    ]


def correlated(made: Array | None, drawn: list[Array | None]) -> list[float]:
    """Size of the rank correlation of a map with each of others; those that are not there are left out."""
    return [abs(rank_correlation(made, other)) for other in drawn if made is not None and other is not None]


def _random_network(seed: int, number: int) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed % 2**31 + 1 + number)
        return network().eval()


def _edges(image: Array) -> Array:
    return np.asarray(np.sqrt(sum(sobel(image, axis=axis) ** 2 for axis in range(3))), dtype=np.float32)


def _integrated(net: Any, one: Asked) -> Array:
    """Absolute integrated gradients from an image of zeros, by the midpoint rule."""
    image, mask = torch.from_numpy(one.case.image)[None, None], torch.from_numpy(one.target.astype(np.float32))
    total = torch.zeros_like(image)
    for step in range(_IG_STEPS):
        given = (image * (step + 0.5) / _IG_STEPS).requires_grad_(True)
        scores = net(given)[0]
        total += torch.autograd.grad(((scores[1] - scores[0]) * mask).sum(), given)[0]
    return np.asarray((total * image).abs()[0, 0].numpy())


def _shortcut(seed: int) -> list[Row]:
    net = trained(seed + 1, lambda rng, k: marked(rng, marker=k % 2 == 0), steps=500)
    rng = np.random.default_rng((seed, 2))
    given = [(one, answered(net, one.image)) for one in (marked(rng, marker=True) for _ in range(CASES))]
    seen = [(one, its) for one, its in given if (its.found.labels == 1).any()]
    out = []
    for method in ("hirescam", "gradcam", "gradient"):
        found = [marker_auroc(_map(its, method), one.marker) for one, its in seen]
        mean = float(np.mean(found)) if found else 0.0
        what = f"planted marker, AUROC, {method}, {len(found)} of {CASES} found"
        out.append(Row("S5", what, ">= 0.9", f"{mean:.3f}", mean >= 0.9))
    return out


def _repeat(net: Any, one: Asked) -> Row:
    r = pearson(one.map, _map(answered(net, one.case.image)))
    return Row("S5", "a second run gives the same map, Pearson", ">= 0.99", f"{r:.4f}", r >= 0.99)
