"""What is asked about a box: the score of the place that it comes from, before the sigmoid, in windows that hold it.

A detector that goes window by window is asked about those windows again. Of one that takes the image as a whole a piece
around the box is enough, where the score is the same there; else it is the whole image.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.domain.codes import Label
from slicermedai.domain.geometry import Geometry
from slicermedai.inference.adapter.inferer import read_inferer
from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.box_origins import Origin, Watch
from slicermedai.inference.layers import Unexplained
from slicermedai.inference.saliency_question import Question
from slicermedai.inference.saliency_score import TargetWindow, place_of
from slicermedai.inference.saliency_target import asked_target, in_words
from slicermedai.inference.windows import Triple, WindowPlan

MARGIN, STEP = 32, 16
"""Voxels around a box that its piece has at least, and of which its edges are multiples."""
NEARLY = 0.01
"""How far the score of windows, or of a piece, may be from that of the run: of the larger of it and 1."""
_LEAST_GRAIN = 4
Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenBox:
    """A box as the detector gave it, (6,) from and to in voxels: its class, its score, and the label value of it."""

    value: int
    box: torch.Tensor
    label: int
    score: torch.Tensor

    @property
    def start(self) -> tuple[float, ...]:
        """From where, along each axis."""
        return tuple(self.box[:3].tolist())

    @property
    def stop(self) -> tuple[float, ...]:
        """To where."""
        return tuple(self.box[3:].tolist())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LookedBoxes:
    """What a detection leaves for those who ask again; see :class:`.saliency_question.Asked`.

    Parameters
    ----------
    image:
        (channels, a, b, c) as the network was given it, filled up at the end of the axes of ``grid``.
    boxes:
        The surest first.
    plan:
        The windows of the run; None where it went over the image at once.
    seen:
        Who watched the detector, and has not ended yet.
    """

    image: torch.Tensor
    grid: Geometry
    module: Any
    device: str
    boxes: tuple[SeenBox, ...]
    labels: tuple[tuple[int, Label], ...]
    plan: WindowPlan | None
    seen: Watch
    _views: dict[int, _View] = field(default_factory=dict)

    def question(self, target: str) -> Question:
        """See :func:`.saliency_question.question_of`."""
        number, words = self._chosen(target)
        if number not in self._views:  # kept, since it must not depend on weights that somebody changes
            self._views[number] = _view(self, self.boxes[number])
        return _asked(self, self.boxes[number], self._views[number], words)

    def at_once(self) -> LookedBoxes | None:
        """See :class:`.saliency_question.Asked`: about the surest box a piece up to two windows wide, or all of an
        image that was given as a whole; None where the windows' places do not lie on those of such a piece."""
        self.question("")
        view = self._views[0]
        wide = _whole(self, view.origin) if self.plan is None else _at_once(self, view, self.plan.roi)
        return None if wide is None else replace(self, _views={0: wide})

    def score(self, origin: Origin, given: torch.Tensor, place: Triple) -> torch.Tensor:
        """What stands at ``place`` of the map of a window (1, channels, a, b, c)."""
        found = self.seen.maps(self.module(given))[origin.level]
        return found[(0, origin.channel, *place)].float()

    def _chosen(self, target: str) -> tuple[int, str]:
        """Which box, and what it is called."""
        value, part = asked_target(self.labels, target) if target else (0, 1)
        own = [number for number, box in enumerate(self.boxes) if value in (0, box.value)]
        if len(own) < max(part, 1):
            named = in_words(dict(self.labels)[value]) if value else "a box"
            raise Unexplained(f"{len(own)} of {named} were found, and number {max(part, 1)} was asked for")
        number = own[max(part, 1) - 1]
        value = self.boxes[number].value
        rank = [n for n, box in enumerate(self.boxes) if box.value == value].index(number) + 1
        return number, f"{in_words(dict(self.labels)[value])}, box {rank} by score"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _View:
    """The windows that a box is looked at in, without their voxels: starts, places in their maps, shares.

    ``score`` is that of the box in them; they are some of ``whole``, in an image of ``size``, filled up ``before``.
    """

    origin: Origin
    roi: Triple
    starts: tuple[Triple, ...]
    places: tuple[Triple, ...]
    shares: tuple[float, ...]
    shape: Triple
    size: Triple
    before: Triple
    whole: int
    is_piece: bool = False
    score: float = 0.0

    def windows(self, filled: torch.Tensor, device: str) -> Iterator[TargetWindow]:
        """With the voxels of an image that was filled up."""
        for start, place, share in zip(self.starts, self.places, self.shares, strict=True):
            given = filled[(slice(None), *place_of(start, self.roi))][None].to(device)
            yield TargetWindow(start=start, given=given, shares=torch.tensor(share, device=device), place=place)


def _asked(looked: LookedBoxes, box: SeenBox, view: _View, words: str) -> Question:
    origin, edge = view.origin, [max(_LEAST_GRAIN, int((b - a) / 2)) for a, b in zip(box.start, box.stop, strict=True)]

    def score(given: torch.Tensor, window: TargetWindow) -> torch.Tensor:
        return looked.score(origin, given, window.place) * window.shares

    def certainty(image: torch.Tensor) -> float:
        filled = _filled(_as_large(image, looked.image), looked.plan)
        with torch.inference_mode():
            total = sum(float(score(one.given, one)) for one in view.windows(filled, looked.device))
        return total if origin.is_probability else float(torch.sigmoid(torch.tensor(total)))

    return Question(
        value=box.value,
        words=words,
        image=looked.image[(slice(None), *place_of((0, 0, 0), looked.grid.shape))],
        grid=looked.grid,
        size=view.size,
        place=place_of(view.before, looked.grid.shape),
        windows=tuple(view.windows(_filled(looked.image, looked.plan), looked.device)),
        whole=view.whole,
        module=looked.module,
        device=looked.device,
        across=None,
        run=looked.module,
        places=int(np.prod(view.shape)),
        score=score,
        certainty=certainty,
        mask=_voxels(box, looked.grid.shape),
        grain=(edge[0], edge[1], edge[2]),
        looked_at="the piece around the box" if view.is_piece else "the windows that hold the box",
        why_these=_why(view),
        reaches=2,
        facts=(("score", _in_words(view)),),
    )


def _in_words(view: _View) -> str:
    kind = "probability" if view.origin.is_probability else "logit, before the sigmoid,"
    return f"{kind} {view.origin.score:.3g}; {view.score:.3g} in what was looked at"


def _why(view: _View) -> str:
    if view.is_piece:
        size = "x".join(map(str, view.roi))
        return f"a piece of {size} voxels around the box, where its score is the same; no other place was looked at"
    return "those that hold the box's place, on which alone its score depends"


def _voxels(box: SeenBox, shape: Triple) -> NDArray[np.bool_]:
    mask = np.zeros(shape, dtype=bool)
    spans = []
    for start, stop, n in zip(box.start, box.stop, shape, strict=True):
        first = min(max(0, round(start)), n - 1)
        spans.append(slice(first, max(first + 1, min(n, round(stop)))))
    mask[tuple(spans)] = True
    return mask


def plan_of(inferer: Any, shape: Sequence[int]) -> WindowPlan:
    """The windows of a detector's inferer over an image of ``shape``; raises :class:`BundleError` for one unknown."""
    read = read_inferer(inferer, dimensions=3, ledger=Ledger())
    return WindowPlan(
        roi=_triple([n if r <= 0 else r for n, r in zip(shape, read.roi, strict=True)]),
        overlap=_thrice(read.overlap),
        mode=read.mode,
        sigma_scale=_thrice(read.sigma_scale),
        padding_mode=read.padding_mode,
        cval=read.cval,
    )


def _thrice(values: Sequence[float]) -> tuple[float, float, float]:
    a, b, c = values if len(values) == 3 else (values[0],) * 3
    return a, b, c


# --- windows -----------------------------------------------------------------------------------------------------


def _view(looked: LookedBoxes, box: SeenBox) -> _View:
    """Where a box is looked at; raises :class:`Unexplained` where its score there is not that of the run."""
    origin = looked.seen.origin(box.box, box.label, box.score)
    if looked.plan is not None:
        found = _measured(looked, _windowed(looked, origin, looked.plan))
        if not _is_near(found.score, origin.score):
            raise Unexplained("the windows that hold the box do not add up to its score")
        return found
    whole = _whole(looked, origin)
    piece = _piece(box, whole)
    if piece is not None:
        piece = _measured(looked, piece)
        if _is_near(piece.score, origin.score):
            return piece
    found = _measured(looked, whole)
    if not _is_near(found.score, origin.score):
        raise Unexplained("the whole image, looked at again, does not give the box its score")
    return found


def _is_near(found: float, wanted: float) -> bool:
    return abs(found - wanted) <= NEARLY * max(1.0, abs(wanted))


def _measured(looked: LookedBoxes, view: _View) -> _View:
    with torch.inference_mode():
        windows = view.windows(_filled(looked.image, looked.plan), looked.device)
        total = sum(float(looked.score(view.origin, one.given, one.place) * one.shares) for one in windows)
    return replace(view, score=total)


def _windowed(looked: LookedBoxes, origin: Origin, plan: WindowPlan) -> _View:
    """The windows as MONAI lays and blends them, also where the maps are coarser than the image."""
    have = _triple(looked.image.shape[1:])
    size, starts = plan.padded(have), plan.starts(have)
    before = _before(size, have)
    shapes = _shapes(looked, plan.roi)[: origin.level + 1]
    shape = shapes[-1]
    steps = [m / r for m, r in zip(shape, plan.roi, strict=True)]
    place = [at + round(b * step) for at, b, step in zip(origin.place, before, steps, strict=True)]
    weights = _weights(plan, shapes)
    chosen: list[tuple[Triple, Triple, float]] = []
    for start in itertools.product(*starts):
        inside = _triple([at - int(s * step) for at, s, step in zip(place, start, steps, strict=True)])
        if all(0 <= at < n for at, n in zip(inside, shape, strict=True)):
            chosen.append((_triple(start), inside, float(weights[inside])))
    total = sum(share for _, _, share in chosen)
    return _View(
        origin=origin,
        roi=plan.roi,
        starts=tuple(one[0] for one in chosen),
        places=tuple(one[1] for one in chosen),
        shares=tuple(one[2] / total for one in chosen),
        shape=shape,
        size=size,
        before=before,
        whole=plan.count(have),
    )


def _whole(looked: LookedBoxes, origin: Origin) -> _View:
    size = _triple(looked.image.shape[1:])
    shape = _shapes(looked, size)[origin.level]
    return _View(
        origin=origin, roi=size, starts=((0, 0, 0),), places=(origin.place,), shares=(1.0,), shape=shape, size=size,
        before=(0, 0, 0), whole=1,
    )  # fmt: skip


def _at_once(looked: LookedBoxes, view: _View, roi: Triple) -> _View | None:
    """One window over a piece around the box, up to two of its windows wide, laid on the places of the coarsest map."""
    starts, sizes, places, shape = [], [], [], []
    coarsest = _shapes(looked, roi)[-1]
    for axis, (n, r, there, fewest) in enumerate(zip(view.size, roi, view.shape, coarsest, strict=True)):
        if r % there or r % fewest:
            return None
        step, even = r // there, r // fewest
        at = view.places[0][axis] + view.starts[0][axis] // step
        wide = min(2 * r, n - n % even)
        start = min(max(0, at * step - wide // 2), n - wide) // even * even
        starts.append(start)
        sizes.append(wide)
        places.append(at - start // step)
        shape.append(wide // step)
    if not all(0 <= at < n for at, n in zip(places, shape, strict=True)):
        return None
    one = replace(view, roi=_triple(sizes), starts=(_triple(starts),), places=(_triple(places),), shares=(1.0,))
    return replace(one, shape=_triple(shape), whole=1)


def _piece(box: SeenBox, whole: _View) -> _View | None:
    """A part of the image around the box, on whose grid of places the box's own lies; None where there is none."""
    roi, starts, places, shape = [], [], [], []
    spans = zip(box.start, box.stop, whole.size, whole.shape, whole.origin.place, strict=True)
    for start, stop, size, places_there, at in spans:
        first = max(0, int((start - MARGIN) // STEP) * STEP)
        last = min(size, -int(-(stop + MARGIN) // STEP) * STEP)
        if size % places_there or first % (size // places_there) or (last - first) % (size // places_there):
            return None
        step = size // places_there
        roi.append(last - first)
        starts.append(first)
        places.append(at - first // step)
        shape.append((last - first) // step)
    if _triple(roi) == whole.size or not all(0 <= at < n for at, n in zip(places, shape, strict=True)):
        return None
    return replace(
        whole, roi=_triple(roi), starts=(_triple(starts),), places=(_triple(places),), shape=_triple(shape),
        is_piece=True,
    )  # fmt: skip


def _shapes(looked: LookedBoxes, roi: Triple) -> list[Triple]:
    """Places of the maps that a window of ``roi`` voxels has."""
    given = _filled(looked.image, looked.plan)[(slice(None), *place_of((0, 0, 0), roi))][None].to(looked.device)
    with torch.inference_mode():
        return [_triple(one.shape[2:]) for one in looked.seen.maps(looked.module(given))]


def _weights(plan: WindowPlan, shapes: Sequence[Triple]) -> torch.Tensor:
    """Of the places of a window's last map, as MONAI takes them: those of a map from those of the map before."""
    weights = plan.weights()
    if weights is None:
        return torch.ones(shapes[-1])
    made = weights[None, None]
    for shape in shapes:
        made = torch.nn.functional.interpolate(made, shape, mode="nearest-exact")
    return made[0, 0]


def _filled(image: torch.Tensor, plan: WindowPlan | None) -> torch.Tensor:
    return image if plan is None else plan.filled(image)


def _before(size: Triple, have: Triple) -> Triple:
    return _triple([(n - m) // 2 for n, m in zip(size, have, strict=True)])


def _as_large(image: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Filled up at the end of its axes, as the detector did."""
    made = like.clone()
    made[(slice(None), *place_of((0, 0, 0), image.shape[1:]))] = image
    return made


def _triple(numbers: Sequence[int]) -> Triple:
    a, b, c = (int(n) for n in numbers)
    return a, b, c
