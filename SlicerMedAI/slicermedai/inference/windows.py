"""A sliding window whose memory does not grow with the image.

Windows go over the image in order, and their weighted scores are summed with the class axis last. As soon as no later
window can reach a voxel, it leaves: every window so finishes a box of its own step size. What is kept are only the
overlaps: the far planes, rows and columns of the windows before. The grid of windows, the weights and the padding are
those of MONAI's ``sliding_window_inference``, so that the class with the largest sum is the same. No softmax is
needed for it, and no count map: both leave the order of the classes as it is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.bundles.plans_windows import even_starts, window_weights
from slicermedai.errors import BundleError

Triple = tuple[int, int, int]
MODES = ("constant", "gaussian", "impulse")
PADDINGS = ("constant", "reflect", "replicate", "circular")
_SLAB_VALUES = 1 << 20
"""Scores that are blended at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which windows are looked at, in their order, of a network with ``channels`` outputs.

    The others count with weight 0: what none of the chosen reaches leaves with scores and a weight of 0.
    """

    windows: Sequence[bool]
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPlan:
    """How windows lie: the parameters of MONAI's inferers, or of nnU-Net's plans.

    Parameters
    ----------
    roi:
        Voxels of a window along the image's three axes; 1 along an axis makes slices of a 2D network.
    overlap:
        Share of a window that the next one covers again, for each axis, 0 to below 1.
    mode, sigma_scale:
        "constant" or "gaussian" weights; the standard deviation as a share of the window. "impulse" weights are those
        of :func:`~slicermedai.bundles.plans_windows.window_weights`.
    even:
        Windows lie evenly (:func:`~slicermedai.bundles.plans_windows.even_starts`), instead of the last one moved back.
    padding_mode, cval:
        How an image smaller than a window is filled up.
    batch:
        Windows that go through the network at once.
    half:
        Keep overlaps as float16 distances from each voxel's best class, beside the best score in float32: half the
        memory. What is best keeps its score, and the others keep three digits of their distance from it, be they
        logits or probabilities; only for classes that exclude each other.
    chosen:
        The windows that are looked at; None for all.
    """

    roi: Triple
    overlap: tuple[float, float, float] = (0.25, 0.25, 0.25)
    mode: str = "constant"
    sigma_scale: tuple[float, float, float] = (0.125, 0.125, 0.125)
    padding_mode: str = "constant"
    cval: float = 0.0
    batch: int = 1
    half: bool = False
    even: bool = False
    chosen: Chosen | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES or self.padding_mode not in PADDINGS:
            raise BundleError(f"must be one of {', '.join((*MODES, *PADDINGS))}", attribute="inferer.mode")
        if not all(0 <= share < 1 for share in self.overlap) or min(self.roi) < 1 or self.batch < 1:
            raise BundleError("needs windows of at least one voxel that overlap by 0 to below 1", attribute="inferer")

    def padded(self, shape: Sequence[int]) -> Triple:
        """The image's size after filling it up to at least one window."""
        a, b, c = (max(n, r) for n, r in zip(shape, self.roi, strict=True))
        return a, b, c

    def starts(self, shape: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
        """First voxels of the windows along each axis of the filled-up image."""
        lay = _even_starts if self.even else _starts
        a, b, c = (lay(n, r, share) for n, r, share in zip(self.padded(shape), self.roi, self.overlap, strict=True))
        return a, b, c

    def count(self, shape: Sequence[int]) -> int:
        """How many windows an image of that size takes."""
        return math.prod(len(along) for along in self.starts(shape))

    def filled(self, image: torch.Tensor) -> torch.Tensor:
        """The (channels, a, b, c) image filled up to at least one window."""
        return _filled(image, self)[0]

    def weights(self) -> torch.Tensor | None:
        """Weights of a window's voxels (float32), None where all weigh the same."""
        if self.mode == "constant":
            return None
        if self.mode == "impulse":
            return torch.from_numpy(window_weights(self.roi))
        weight = torch.ones(())
        for n, scale in zip(self.roi, self.sigma_scale, strict=True):
            x = torch.arange(n, dtype=torch.float32) - (n - 1) / 2
            weight = weight.unsqueeze(-1) * torch.exp(x**2 / (-2 * (n * scale) ** 2))
        return weight.clamp_(min=max(float(weight.min()), 1e-3))


class Sink(Protocol):
    """Who takes finished boxes."""

    def __call__(self, scores: torch.Tensor, weight: torch.Tensor, start: Triple) -> None:
        """``scores``: (slices, rows, columns, classes) float32, weighted sums; ``weight``: their (..., 1) weights.

        ``start`` is the box's first voxel in the image. Every voxel comes exactly once. Both are buffers that the
        sweep uses again: what is to be kept must be copied.
        """


def sweep(
    image: torch.Tensor,
    network: Callable[[torch.Tensor], torch.Tensor],
    plan: WindowPlan,
    sink: Sink,
    *,
    before: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Run ``network`` over ``image`` and hand every finished box to ``sink``.

    Parameters
    ----------
    image:
        (channels, a, b, c) float32.
    network:
        (windows, channels, *roi) -> (windows, classes, *roi) scores, on whatever device; they come back here.
    before:
        Called before each batch with the windows done and their number; may raise to stop.
    """
    padded, offset = _filled(image, plan)
    starts = plan.starts(image.shape[1:])
    total, done = plan.count(image.shape[1:]), 0
    blend = _Blend(plan=plan, starts=starts, size=_triple(image.shape[1:]), offset=offset, sink=sink)
    order = list(itertools.product(*(range(len(along)) for along in starts)))
    while done < total:
        before(done, total)
        places = order[done : done + plan.batch]
        seen = [plan.chosen is None or plan.chosen.windows[done + n] for n in range(len(places))]
        pieces = [padded[_window(starts, p, plan.roi)] for p, s in zip(places, seen, strict=True) if s]
        output = iter(_answers(network, pieces))
        for place, is_seen in zip(places, seen, strict=True):
            blend.add(next(output) if is_seen else None, (place[0], place[1], place[2]))
        del output  # not beside the next windows' own
        done += len(places)
    before(total, total)


def _answers(network: Callable[[torch.Tensor], torch.Tensor], pieces: list[torch.Tensor]) -> Any:
    if not pieces:
        return ()
    windows = torch.stack(pieces)
    output = network(windows)
    _check_output(output, windows)
    return output


def touching(plan: WindowPlan, mask: NDArray[np.bool_]) -> list[bool]:
    """For each window of the sweep over an image of ``mask``'s shape, in order: whether any voxel of it is True."""
    padded = plan.padded(mask.shape)
    before = [(n - have) // 2 for n, have in zip(padded, mask.shape, strict=True)]
    spans = [
        [slice(max(0, start - skip), max(0, start - skip + roi)) for start in along]
        for along, roi, skip in zip(plan.starts(mask.shape), plan.roi, before, strict=True)
    ]
    return [bool(mask[place].any()) for place in itertools.product(*spans)]


# --- carrying overlaps -------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Blend:
    """Adds windows up; what no later window reaches goes to the sink."""

    plan: WindowPlan
    starts: tuple[list[int], list[int], list[int]]
    size: Triple
    offset: Triple
    sink: Sink
    weights: torch.Tensor = field(init=False)
    slab: torch.Tensor | None = None
    rows: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    scores: list[torch.Tensor | None] = field(default_factory=lambda: [None] * 3)
    best: list[torch.Tensor | None] = field(default_factory=lambda: [None] * 3)
    weighed: list[torch.Tensor | None] = field(default_factory=lambda: [None] * 3)

    def __post_init__(self) -> None:
        weights = self.plan.weights()
        self.weights = (torch.ones(self.plan.roi) if weights is None else weights).unsqueeze(-1)

    def add(self, scores: torch.Tensor | None, place: Triple) -> None:
        """Take the (classes, *roi) scores of the window at ``place`` of the grid of windows, None where passed over.

        They are taken by slabs of planes: what is worked on stays small, and near the processor.
        """
        for first in range(0, self.plan.roi[0], self._thickness(scores)):
            planes = slice(first, min(first + self._thickness(scores), self.plan.roi[0]))
            weights = self.weights[planes]
            values = self._empty(planes) if scores is None else self._class_last(scores[:, planes], weights)
            box = self._passed(self.scores, values, place, first)
            weight = self._passed(self.weighed, weights * (scores is not None), place, first)
            if box.shape[0]:
                self._hand_over(box, weight, place, first)

    def _hand_over(self, box: torch.Tensor, weight: torch.Tensor, place: Triple, first: int) -> None:
        """To the sink, what of a finished box is no padding."""
        start = [along[n] - o for along, n, o in zip(self.starts, place, self.offset, strict=True)]
        start[0] += first
        inside = [
            slice(max(0, -s), max(0, min(n, m - s))) for s, n, m in zip(start, box.shape[:3], self.size, strict=True)
        ]
        if all(piece.stop > piece.start for piece in inside):
            begin = [s + piece.start for s, piece in zip(start, inside, strict=True)]
            self.sink(box[tuple(inside)], weight[tuple(inside)], (begin[0], begin[1], begin[2]))

    def _thickness(self, scores: torch.Tensor | None) -> int:
        """Planes of a window that are taken at once."""
        classes = self._channels if scores is None else int(scores.shape[0])
        return max(1, _SLAB_VALUES // (self.plan.roi[1] * self.plan.roi[2] * classes))

    @property
    def _channels(self) -> int:
        assert self.plan.chosen is not None
        return self.plan.chosen.channels

    def _empty(self, planes: slice) -> torch.Tensor:
        return torch.zeros((planes.stop - planes.start, *self.plan.roi[1:], self._channels))

    def _class_last(self, scores: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """(planes, b, c, classes) float32 in CPU memory, weighted; in the network's own output where that is such
        already."""
        moved = scores.movedim(0, -1)
        if not (moved.is_contiguous() and moved.dtype == torch.float32 and moved.device.type == "cpu"):
            if self.slab is None:
                self.slab, self.rows = torch.empty(moved.shape), torch.empty(scores.shape)
            moved = self._copied(scores, self.slab[: moved.shape[0]])
        return moved if self.plan.mode == "constant" else moved.mul_(weights)

    def _copied(self, scores: torch.Tensor, slab: torch.Tensor) -> torch.Tensor:
        """``slab`` with the scores: those whose classes come first go through a buffer, since torch turns what is
        contiguous in blocks, and all else value by value, which takes three times as long."""
        if scores.movedim(0, -1).is_contiguous():
            return slab.copy_(scores.movedim(0, -1))
        classes, voxels = scores.shape[0], scores.shape[1:].numel()
        rows = self.rows.view(-1)[: classes * voxels].view(classes, voxels)
        rows.view(scores.shape).copy_(scores)
        slab.view(voxels, classes).copy_(rows.t())
        return slab

    def _passed(
        self, carried: list[torch.Tensor | None], values: torch.Tensor, place: Triple, first: int
    ) -> torch.Tensor:
        """``values`` and what earlier windows left there; of it the part that is finished, the rest is carried on.

        ``first`` is the window's plane that the first of ``values`` is.
        """
        for axis in (2, 1, 0):
            values = self._along(carried, values, axis, place, first)
        return values

    def _along(
        self, carried: list[torch.Tensor | None], values: torch.Tensor, axis: int, place: Triple, first: int
    ) -> torch.Tensor:
        """Along one axis; along that of the planes ``values`` begin at ``first``, along others at 0."""
        along, number, roi = self.starts[axis], place[axis], self.plan.roi[axis]
        begin, length = first if axis == 0 else 0, values.shape[axis]
        if number:
            overlap = min(along[number - 1] + roi - along[number] - begin, length)
            if overlap > 0:
                for kept in self._carried(carried, values, axis, place, first):
                    values.narrow(axis, 0, overlap).add_(kept.narrow(axis, begin, overlap))
        if number + 1 == len(along):
            return values
        finished = min(max(0, along[number + 1] - along[number] - begin), length)
        if finished < length:
            rest = values.narrow(axis, finished, length - finished)
            to = begin + finished - (along[number + 1] - along[number])
            kept = [p.narrow(axis, to, length - finished) for p in self._carried(carried, values, axis, place, first)]
            for part, content in zip(kept, _parts(rest, len(kept)), strict=True):
                part.copy_(content)
        return values.narrow(axis, 0, finished)

    def _carried(
        self, carried: list[torch.Tensor | None], values: torch.Tensor, axis: int, place: Triple, first: int
    ) -> list[torch.Tensor]:
        """What is kept beside ``values``: their sum is the scores (or weights) that earlier windows left there."""
        kept = self._kept(carried, values, axis, place, first)
        if kept.dtype == torch.float32:
            return [kept]
        return [kept, self._kept(self.best, values[..., :1], axis, place, first)]

    def _kept(
        self, carried: list[torch.Tensor | None], values: torch.Tensor, axis: int, place: Triple, first: int
    ) -> torch.Tensor:
        """The part of the buffer of one axis that lies beside ``values``: of later axes the whole image is kept."""
        buffer = carried[axis]
        if buffer is None:
            shape = [*self.plan.roi, values.shape[3]]
            shape[axis] = self._widest_overlap(axis)
            for later in range(axis + 1, 3):
                shape[later] = self.starts[later][-1] + self.plan.roi[later]
            half = self.plan.half and carried is self.scores
            buffer = carried[axis] = torch.zeros(shape, dtype=torch.float16 if half else torch.float32)
        if axis:
            buffer = buffer.narrow(0, first, values.shape[0])
        for later in range(axis + 1, 3):
            buffer = buffer.narrow(later, self.starts[later][place[later]], values.shape[later])
        return buffer

    def _widest_overlap(self, axis: int) -> int:
        along, roi = self.starts[axis], self.plan.roi[axis]
        return max((a + roi - b for a, b in itertools.pairwise(along)), default=0)


def carried_values(plan: WindowPlan, shape: Sequence[int]) -> int:
    """How many voxels the overlaps keep between windows: what :func:`sweep` holds for each class."""
    size, steps = plan.padded(shape), plan.starts(shape)
    overlaps = [
        max((a + r - b for a, b in itertools.pairwise(along)), default=0)
        for along, r in zip(steps, plan.roi, strict=True)
    ]
    planes = overlaps[0] * size[1] * size[2]
    rows = plan.roi[0] * overlaps[1] * size[2]
    return planes + rows + plan.roi[0] * plan.roi[1] * overlaps[2]


# --- windows -----------------------------------------------------------------------------------------------------


def _starts(size: int, roi: int, overlap: float) -> list[int]:
    """As MONAI lays them: the last window is moved back so that it ends with the image."""
    step = roi if size == roi else max(1, int(roi * (1 - overlap)))
    count = math.ceil(max(0, size - roi) / step) + 1
    return [min(n * step, size - roi) for n in range(count)]


def _even_starts(size: int, roi: int, overlap: float) -> list[int]:
    """As nnU-Net lays them; a network of two dimensions sees each slice once."""
    return list(range(size)) if roi == 1 else even_starts(size, roi, step=1 - overlap)


def _filled(image: torch.Tensor, plan: WindowPlan) -> tuple[torch.Tensor, Triple]:
    missing = [max(0, r - n) for r, n in zip(plan.roi, image.shape[1:], strict=True)]
    before = [n // 2 for n in missing]
    if not any(missing):
        return image, (0, 0, 0)
    pads = [part for n, b in zip(reversed(missing), reversed(before), strict=True) for part in (b, n - b)]
    value = {"value": plan.cval} if plan.padding_mode == "constant" else {}
    filled = torch.nn.functional.pad(image[None], pads, mode=plan.padding_mode, **value)[0]
    return filled, (before[0], before[1], before[2])


def _window(starts: tuple[list[int], ...], place: Sequence[int], roi: Triple) -> tuple[slice, ...]:
    return (slice(None), *(slice(s[n], s[n] + r) for s, n, r in zip(starts, place, roi, strict=True)))


def _parts(values: torch.Tensor, count: int) -> list[torch.Tensor]:
    """Scores as they are, or as distances from each voxel's best and the best: rounding then hits what cannot win."""
    if count == 1:
        return [values]
    best = values.amax(dim=-1, keepdim=True)
    return [values - best, best]


def _check_output(output: Any, windows: torch.Tensor) -> None:
    if output.shape[0] != windows.shape[0] or output.shape[2:] != windows.shape[2:]:
        raise BundleError(
            f"the network answers {tuple(windows.shape[2:])} voxels with {tuple(output.shape[2:])}",
            attribute="network_def",
            advice="Only networks whose output has the size of their input can be run over windows.",
        )


def _triple(values: Sequence[int]) -> Triple:
    a, b, c = values
    return int(a), int(b), int(c)
