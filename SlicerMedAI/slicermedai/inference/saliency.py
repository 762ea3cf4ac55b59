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
from slicermedai.inference.layers import Layer, Unexplained, choose_layer, is_script, kept_at, layers_of
from slicermedai.inference.saliency_occlusion import Patches
from slicermedai.inference.saliency_question import Asked, Question, question_of
from slicermedai.inference.saliency_score import TargetWindow, place_of

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
    or "NAME#2" for the second largest part of it, of boxes the second surest; "" for the largest structure, the surest
    box or the likeliest label."""

    method: str
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explained:
    """A map on the network's grid, 0 to 1: ``array`` float32, ``scale`` the raw value that 1 stands for.

    ``layer`` says in words where it was taken, ``patches`` what was covered, "" for methods without one; ``windows`` of
    ``whole`` were looked at, and ``why_these`` says why no others. ``facts`` are further names and values.
    """

    array: NDArray[np.float32]
    value: int
    target: str
    layer: str
    scale: float
    windows: int
    whole: int
    why_these: str
    patches: str = ""
    facts: tuple[tuple[str, str], ...] = ()


def explain(answered: Answered | Asked, request: Request, *, progress: Progress) -> Explained:
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


def _explained(answered: Answered | Asked, request: Request, progress: Progress) -> Explained:
    if is_script(answered.module) and request.method in ("hirescam", "gradcam"):
        raise Unexplained("the network is TorchScript and refuses hooks: ask for gradient or occlusion")
    question = question_of(answered, request.target)
    maker = _maker(question, request.method)
    raw = maker.total(lambda share: progress("saliency", share)).numpy()[(slice(None), *question.place)]
    positive = np.abs(raw).sum(axis=0) if request.method == "gradient" else np.maximum(raw[0], 0)
    scale = float(positive.max())
    if not np.isfinite(scale) or scale <= 0:
        raise Unexplained("nothing in the image spoke for the target: the map is empty")
    return Explained(
        array=(positive / scale).astype(np.float32),
        value=question.value,
        target=question.words,
        layer=maker.layer,
        scale=scale,
        windows=len(question.windows),
        whole=question.whole,
        why_these=question.why_these,
        patches=maker.patches,
        facts=question.facts,
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


def _maker(question: Question, method: str) -> _Maker:
    if method == "occlusion":
        patches = Patches.of(question)
        return _Maker(total=lambda told: patches.falls(question.windows, told), patches=patches.in_words)
    if method == "gradient":
        return _Maker(total=lambda told: _added(question, lambda one: _gradient(question, one), told))
    layer = _layer(question)

    def look(window: TargetWindow) -> torch.Tensor:
        return _cam(question, layer, method, window)

    return _Maker(total=lambda told: _added(question, look, told), layer=layer.in_words)


def _layer(question: Question) -> Layer:
    """Where the map is taken; of a box or a label of the whole image a layer that its score depends on."""
    first = question.windows[0]
    if not question.reaches:
        return choose_layer(question.module, lambda: question.run(first.given), voxels=question.places)
    for layer in layers_of(question.module, lambda: question.run(first.given), voxels=question.places):
        slope = _slope(question, layer, first)[1]
        if slope is not None and int((slope != 0).any(dim=1).sum()) >= question.reaches:
            return layer
    raise Unexplained("there is no layer with places that the score depends on: ask for gradient or occlusion")


def _added(question: Question, look: _Look, told: Callable[[float], None]) -> torch.Tensor:
    """The maps of windows, added up where they lie."""
    total: torch.Tensor | None = None
    for number, window in enumerate(question.windows):
        told(number / len(question.windows))
        made = look(window)
        if total is None:
            total = torch.zeros((len(made), *question.size))
        total[(slice(None), *place_of(window.start, window.size))] += made
    assert total is not None
    return total


def _gradient(question: Question, window: TargetWindow) -> torch.Tensor:
    given = window.given.clone().requires_grad_(True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(question.score(given, window), given)
    return slope[0].cpu()


def _slope(question: Question, layer: Layer, window: TargetWindow) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What a layer gives for a window, and how the score changes with it; None where it does not at all."""
    with torch.enable_grad(), kept_at(layer) as kept:
        total = question.score(window.given, window)
        if not total.requires_grad:
            return kept[0].detach(), None
        (slope,) = torch.autograd.grad(total, kept, allow_unused=True)
    return kept[0].detach(), slope


def _cam(question: Question, layer: Layer, method: str, window: TargetWindow) -> torch.Tensor:
    activation, slope = _slope(question, layer, window)
    if slope is None:
        return torch.zeros((1, *window.size))
    made = cam(activation, slope, high_resolution=method == "hirescam")
    size = [n for axis, n in enumerate(window.size) if axis != question.across]
    mode = "trilinear" if len(size) == 3 else "bilinear"
    grown = torch.nn.functional.interpolate(made[:, None], size, mode=mode, align_corners=False)
    return grown.reshape(1, *window.size).cpu()


def cam(activation: torch.Tensor, slope: torch.Tensor, *, high_resolution: bool) -> torch.Tensor:
    """(1, a, b, c) of (1, channels, a, b, c): HiRes-CAM (arXiv 2011.08891) weighs each voxel of a channel by its own
    slope, Grad-CAM (arXiv 1610.02391) by the channel's mean slope. Signed: what is negative speaks against."""
    if high_resolution:
        return (slope * activation).sum(dim=1)
    axes = tuple(range(2, slope.dim()))
    return (slope.mean(dim=axes, keepdim=True) * activation).sum(dim=1)
