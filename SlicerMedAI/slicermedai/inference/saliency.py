"""What in the image speaks for a chosen answer: CAMs, input gradients, occlusion; window by window, one scale for all.

The score that is explained is the sum of the target's log-odds, each voxel's shared among the windows that reach it as
the sweep shares it. So the maps of windows add up to that of the image, and no window is scaled by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.domain.observer import Progress
from slicermedai.inference.again import Answered
from slicermedai.inference.layers import Layer, Unexplained, choose_layer, is_script, kept_at
from slicermedai.inference.saliency_occlusion import Patches
from slicermedai.inference.saliency_score import TargetWindow, added_before, place_of, score, scores_in, windows_of
from slicermedai.inference.saliency_target import target_of

METHODS = ("hirescam", "gradcam", "gradient", "occlusion")
TITLES = {
    "hirescam": "HiRes-CAM",
    "gradcam": "Grad-CAM",
    "gradient": "Input gradients",
    "occlusion": "Occlusion",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Which map is wanted: ``method`` of :data:`METHODS`; ``target`` a label's name, with or without its side,
    or "NAME#2" for the second largest part of it; "" for the largest structure."""

    method: str
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explained:
    """A map on the network's grid, 0 to 1: ``array`` float32, ``scale`` the raw value that 1 stands for.

    ``layer`` says in words where it was taken, ``patches`` what was covered, "" for methods without one; ``windows`` of
    ``whole`` were looked at.
    """

    array: NDArray[np.float32]
    value: int
    target: str
    layer: str
    scale: float
    windows: int
    whole: int
    patches: str = ""


def explain(answered: Answered, request: Request, *, progress: Progress) -> Explained:
    """The map of one target.

    Raises
    ------
    Unexplained
        It cannot be made, in words: nothing was found there, or the network refuses the method.
    InputError
        The model has no label, or several, of the target's name.
    JobCancelled
        From ``progress``, before each window (and each patch of an occlusion).
    """
    with _frozen(answered.module):
        return _explained(answered, request, progress)


def _explained(answered: Answered, request: Request, progress: Progress) -> Explained:
    value, mask, words = target_of(answered, request.target)
    if is_script(answered.module) and request.method in ("hirescam", "gradcam"):
        raise Unexplained("the network is TorchScript and refuses hooks: ask for gradient or occlusion")
    windows = list(windows_of(answered, mask))
    maker = _maker(answered, request.method, value, windows)
    total = maker.total(lambda share: progress("saliency", share))
    raw = total.numpy()[(slice(None), *place_of(added_before(answered, mask), mask.shape))]
    positive = np.abs(raw).sum(axis=0) if request.method == "gradient" else np.maximum(raw[0], 0)
    scale = float(positive.max())
    if not np.isfinite(scale) or scale <= 0:
        raise Unexplained("nothing in the image spoke for the target: the map is empty")
    return Explained(
        array=(positive / scale).astype(np.float32),
        value=value,
        target=words,
        layer=maker.layer,
        scale=scale,
        windows=len(windows),
        whole=answered.plan.count(mask.shape),
        patches=maker.patches,
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


# --- methods -----------------------------------------------------------------------------------------------------

_Look = Callable[[TargetWindow], torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maker:
    """Makes the raw map of all windows, (maps, *filled-up image), and says how, as :class:`Explained` does."""

    total: Callable[[Callable[[float], None]], torch.Tensor]
    layer: str = ""
    patches: str = ""


def _maker(answered: Answered, method: str, value: int, windows: list[TargetWindow]) -> _Maker:
    if method == "occlusion":
        patches = Patches.of(answered, value, windows)
        return _Maker(total=lambda told: patches.falls(windows, told), patches=patches.in_words)
    if method == "gradient":
        return _Maker(total=lambda told: _added(answered, windows, lambda one: _gradient(answered, value, one), told))
    first = windows[0]
    layer = choose_layer(answered.module, lambda: scores_in(answered, first.given), voxels=first.shares.numel())

    def look(window: TargetWindow) -> torch.Tensor:
        return _cam(answered, layer, method, (value, window))

    return _Maker(total=lambda told: _added(answered, windows, look, told), layer=layer.in_words)


def _added(answered: Answered, windows: list[TargetWindow], look: _Look, told: Callable[[float], None]) -> torch.Tensor:
    """The maps of windows, added up where they lie."""
    total: torch.Tensor | None = None
    for number, window in enumerate(windows):
        told(number / len(windows))
        made = look(window)
        if total is None:
            total = torch.zeros((len(made), *answered.plan.padded(answered.grid.shape)))
        total[(slice(None), *place_of(window.start, answered.plan.roi))] += made
    assert total is not None
    return total


def _gradient(answered: Answered, value: int, window: TargetWindow) -> torch.Tensor:
    given = window.given.clone().requires_grad_(True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(score(answered, value, given, window.shares), given)
    return slope[0].cpu()


def _cam(answered: Answered, layer: Layer, method: str, target: tuple[int, TargetWindow]) -> torch.Tensor:
    value, window = target
    with torch.enable_grad(), kept_at(layer) as kept:
        total = score(answered, value, window.given, window.shares)
        (slope,) = torch.autograd.grad(total, kept, allow_unused=True)
    if slope is None:
        return torch.zeros((1, *window.shares.shape))
    made = cam(kept[0].detach(), slope, high_resolution=method == "hirescam")
    size = [n for axis, n in enumerate(window.shares.shape) if axis != answered.across]
    mode = "trilinear" if len(size) == 3 else "bilinear"
    grown = torch.nn.functional.interpolate(made[:, None], size, mode=mode, align_corners=False)
    return grown.reshape(1, *window.shares.shape).cpu()


def cam(activation: torch.Tensor, slope: torch.Tensor, *, high_resolution: bool) -> torch.Tensor:
    """(1, a, b, c) of (1, channels, a, b, c): HiRes-CAM (arXiv 2011.08891) weighs each voxel of a channel by its own
    slope, Grad-CAM (arXiv 1610.02391) by the channel's mean slope. Signed: what is negative speaks against."""
    if high_resolution:
        return (slope * activation).sum(dim=1)
    axes = tuple(range(2, slope.dim()))
    return (slope.mean(dim=axes, keepdim=True) * activation).sum(dim=1)
