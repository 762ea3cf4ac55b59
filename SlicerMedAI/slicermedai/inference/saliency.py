"""What in the image speaks for a chosen answer: CAMs, input gradients, occlusion; window by window, one scale for all.

The score that is explained is the sum of the target's log-odds, each voxel's shared among the windows that reach it as
the sweep shares it. So the maps of windows add up to that of the image, and no window is scaled by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.domain.observer import Progress
from slicermedai.inference.again import Answered
from slicermedai.inference.layers import Layer, Unexplained, choose_layer, is_script, kept_at
from slicermedai.inference.shadow import scores_of
from slicermedai.inference.windows import Triple, touching

Array = NDArray[Any]
METHODS = ("hirescam", "gradcam", "gradient", "occlusion")
TITLES = {
    "hirescam": "HiRes-CAM",
    "gradcam": "Grad-CAM",
    "gradient": "Input gradients",
    "occlusion": "Occlusion",
}
_PATCHES = 8
_REACH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Which map is wanted: ``method`` of :data:`METHODS`; ``target`` a label's name, or "NAME#2" for the second
    largest part of it; "" for the largest structure."""

    method: str
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explained:
    """A map on the network's grid, 0 to 1: ``array`` float32, ``scale`` the raw value that 1 stands for.

    ``layer`` says in words where it was taken, "" for methods without one; ``windows`` of ``whole`` were looked at.
    """

    array: NDArray[np.float32]
    value: int
    target: str
    layer: str
    scale: float
    windows: int
    whole: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Window:
    """One window of the image: where it starts (in the filled-up image), its voxels, the shares of the target."""

    start: Triple
    given: torch.Tensor
    shares: torch.Tensor


def explain(answered: Answered, request: Request, *, progress: Progress) -> Explained:
    """The map of one target.

    Raises
    ------
    Unexplained
        It cannot be made, in words: nothing was found there, or the network refuses the method.
    JobCancelled
        From ``progress``, before each window (and each patch of an occlusion).
    """
    with _frozen(answered.module):
        return _explained(answered, request, progress)


def _explained(answered: Answered, request: Request, progress: Progress) -> Explained:
    value, mask, words = target_of(answered, request.target)
    if is_script(answered.module) and request.method in ("hirescam", "gradcam"):
        raise Unexplained("the network is TorchScript and refuses hooks: ask for gradient or occlusion")
    windows = list(_windows(answered, mask))
    look, layer = _look(answered, request.method, value, windows[0], mask)
    padded = answered.plan.padded(mask.shape)
    total = torch.zeros((len(answered.image) if request.method == "gradient" else 1, *padded))
    for number, window in enumerate(windows):
        progress("saliency", number / len(windows))
        total[(slice(None), *_place(window.start, answered.plan.roi))] += look(window)
    inside = tuple(slice(b, b + n) for b, n in zip(_before(answered, mask), mask.shape, strict=True))
    raw = total.numpy()[(slice(None), *inside)]
    positive = np.abs(raw).sum(axis=0) if request.method == "gradient" else np.maximum(raw[0], 0)
    scale = float(positive.max())
    if not np.isfinite(scale) or scale <= 0:
        raise Unexplained("nothing in the image spoke for the target: the map is empty")
    return Explained(
        array=(positive / scale).astype(np.float32),
        value=value,
        target=words,
        layer=layer.in_words if layer else "",
        scale=scale,
        windows=len(windows),
        whole=answered.plan.count(mask.shape),
    )


@contextmanager
def _frozen(module: Any) -> Iterator[None]:
    """No slopes of weights within the block: they would keep all that the network computes."""
    open_ones = [one for one in module.parameters() if one.requires_grad] if hasattr(module, "parameters") else []
    for one in open_ones:
        one.requires_grad_(False)
    try:
        yield
    finally:
        for one in open_ones:
            one.requires_grad_(True)


def target_of(answered: Answered, target: str) -> tuple[int, NDArray[np.bool_], str]:
    """Label value, voxels on the network's grid and words of a target; raises :class:`Unexplained` where none is."""
    found = {value: (box, mask) for value, box, mask in answered.masks(answered.found)}
    names = {label.name.lower(): value for value, label in answered.labels}
    name, _, number = target.partition("#")
    value = names.get(name.strip().lower()) if target else _largest(found)
    if value is None or value not in found:
        raise Unexplained(f"{name.strip() or 'a structure'} was not found in this image")
    box, mask = found[value]
    words = dict(answered.labels)[value].name
    if number:
        mask, words = _part(mask, number), f"{words}, part {number} by size"
    whole = np.zeros(answered.grid.shape, dtype=bool)
    whole[box] = mask
    return value, whole, words


def _largest(found: dict[int, tuple[Any, NDArray[np.bool_]]]) -> int | None:
    return max(found, key=lambda value: int(found[value][1].sum()), default=None)


def _part(mask: NDArray[np.bool_], number: str) -> NDArray[np.bool_]:
    parts, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if not number.isdigit() or not 1 <= int(number) <= count:
        raise Unexplained(f"it has {count} parts, and part {number!r} was asked for")
    order = np.argsort(-np.bincount(parts.ravel())[1:], kind="stable")
    return np.asarray(parts == order[int(number) - 1] + 1)


# --- windows -----------------------------------------------------------------------------------------------------


def _windows(answered: Answered, mask: NDArray[np.bool_]) -> Iterator[_Window]:
    """Those that touch the target, with each voxel's share in the sum."""
    plan = answered.plan
    image, starts = plan.filled(answered.image), list(itertools.product(*plan.starts(mask.shape)))
    weights = plan.weights()
    own = torch.ones(plan.roi) if weights is None else weights
    sums = torch.zeros(plan.padded(mask.shape))
    for start in starts:
        sums[_place(start, plan.roi)] += own
    target = torch.zeros_like(sums)
    target[tuple(slice(b, b + n) for b, n in zip(_before(answered, mask), mask.shape, strict=True))] = torch.from_numpy(
        mask.astype(np.float32)
    )
    target /= sums
    for start, touches in zip(starts, touching(plan, mask), strict=True):
        if touches:
            place = _place(start, plan.roi)
            given = image[(slice(None), *place)][None].to(answered.device)
            yield _Window(start=start, given=given, shares=(target[place] * own).to(answered.device))


def _before(answered: Answered, mask: Array) -> Triple:
    """How many voxels were added before the image along each axis."""
    a, b, c = ((p - n) // 2 for p, n in zip(answered.plan.padded(mask.shape), mask.shape, strict=True))
    return a, b, c


def _place(start: tuple[int, ...], roi: Triple) -> tuple[slice, ...]:
    return tuple(slice(s, s + n) for s, n in zip(start, roi, strict=True))


# --- scores ------------------------------------------------------------------------------------------------------


def _scores(answered: Answered, given: torch.Tensor) -> torch.Tensor:
    """(1, classes, a, b, c) float32 of (1, channels, a, b, c); a network of two dimensions sees one slice."""
    across = answered.across
    made = scores_of(answered.module(given if across is None else given.squeeze(across + 2)))
    return made.float() if across is None else made.float().unsqueeze(across + 2)


def score(answered: Answered, value: int, window: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """The sum that is explained: log-odds of the label against all others (probabilities, where the network gives
    such), each voxel by its share."""
    scores = _scores(answered, window)[0]
    exclusive = answered.post.exclusive and len(scores) > 1
    own = scores[value if exclusive else value - 1]
    if exclusive and not answered.found.wanted.probabilities:
        others = torch.cat([scores[:value], scores[value + 1 :]])
        own = own - torch.logsumexp(others, dim=0)
    return (own * shares).sum()


def certainty(answered: Answered, value: int, mask: NDArray[np.bool_], image: torch.Tensor) -> float:
    """The network's mean probability of the label over the voxels of ``mask``, were the image ``image``: 0 to 1."""
    total = 0.0
    with torch.inference_mode():
        for window in _windows(replace(answered, image=image), mask):
            scores = _scores(answered, window.given)[0]
            exclusive = answered.post.exclusive and len(scores) > 1
            if not answered.found.wanted.probabilities:
                scores = scores.softmax(dim=0) if exclusive else scores.sigmoid()
            total += float((scores[value if exclusive else value - 1] * window.shares).sum())
    return total / int(mask.sum())


# --- methods -----------------------------------------------------------------------------------------------------

_Look = Callable[[_Window], torch.Tensor]


def _look(
    answered: Answered, method: str, value: int, window: _Window, mask: NDArray[np.bool_]
) -> tuple[_Look, Layer | None]:
    if method == "gradient":
        return lambda one: _gradient(answered, value, one), None
    if method == "occlusion":
        patches = _Patches.of(answered, mask)
        return lambda one: patches.drop(value, one), None
    layer = choose_layer(answered.module, lambda: _scores(answered, window.given), voxels=window.shares.numel())
    return lambda one: _cam(answered, layer, method, (value, one)), layer


def _gradient(answered: Answered, value: int, window: _Window) -> torch.Tensor:
    given = window.given.clone().requires_grad_(True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(score(answered, value, given, window.shares), given)
    return slope[0].cpu()


def _cam(answered: Answered, layer: Layer, method: str, target: tuple[int, _Window]) -> torch.Tensor:
    value, window = target
    with torch.enable_grad(), kept_at(layer) as kept:
        total = score(answered, value, window.given, window.shares)
        (slope,) = torch.autograd.grad(total, kept, allow_unused=True)
    if slope is None:
        return torch.zeros(window.shares.shape)
    made = cam(kept[0].detach(), slope, high_resolution=method == "hirescam")
    size = [n for axis, n in enumerate(window.shares.shape) if axis != answered.across]
    mode = "trilinear" if len(size) == 3 else "bilinear"
    grown = torch.nn.functional.interpolate(made[:, None], size, mode=mode, align_corners=False)
    return grown.reshape(window.shares.shape).cpu()


def cam(activation: torch.Tensor, slope: torch.Tensor, *, high_resolution: bool) -> torch.Tensor:
    """(1, a, b, c) of (1, channels, a, b, c): HiRes-CAM (arXiv 2011.08891) weighs each voxel of a channel by its own
    slope, Grad-CAM (arXiv 1610.02391) by the channel's mean slope. Signed: what is negative speaks against."""
    if high_resolution:
        return (slope * activation).sum(dim=1)
    axes = tuple(range(2, slope.dim()))
    return (slope.mean(dim=axes, keepdim=True) * activation).sum(dim=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Patches:
    """Cubes of a grid over the whole image, covered one by one: how far the score falls."""

    answered: Answered
    edge: Triple
    low: Triple
    high: Triple
    cover: torch.Tensor

    @classmethod
    def of(cls, answered: Answered, mask: NDArray[np.bool_]) -> _Patches:
        roi = answered.plan.roi
        edge = (_edge(roi[0]), _edge(roi[1]), _edge(roi[2]))
        before = _before(answered, mask)
        hit = np.argwhere(mask) + before
        (a, b, c), (d, e, f) = hit.min(axis=0), hit.max(axis=0)
        reach = [_REACH * n for n in edge]
        return cls(
            answered=answered,
            edge=edge,
            low=(int(a) - reach[0], int(b) - reach[1], int(c) - reach[2]),
            high=(int(d) + reach[0], int(e) + reach[1], int(f) + reach[2]),
            cover=answered.image.flatten(1).median(dim=1).values.to(answered.device),
        )

    def drop(self, value: int, window: _Window) -> torch.Tensor:
        """By how much the window's score falls, for each voxel's patch."""
        out = torch.zeros(window.shares.shape)
        with torch.no_grad():
            whole = score(self.answered, value, window.given, window.shares)
            for place in self._places(window):
                covered = window.given.clone()
                covered[(0, slice(None), *place)] = self.cover[:, None, None, None]
                out[place] = float(whole - score(self.answered, value, covered, window.shares))
        return out

    def _places(self, window: _Window) -> Iterator[tuple[slice, ...]]:
        """The patches of the global grid near the target, cut to the window."""
        spans = []
        for start, n, edge, low, high in zip(
            window.start, window.shares.shape, self.edge, self.low, self.high, strict=True
        ):
            first = range(start // edge * edge, start + n, edge)
            near = [p for p in first if p + edge > low and p <= high]
            spans.append([slice(max(p - start, 0), min(p + edge - start, n)) for p in near])
        return itertools.product(*spans)


def _edge(length: int) -> int:
    return max(min(length, 4), length // _PATCHES)
