"""Which score of a detector's network each of its boxes has: read off while the detector runs, changing nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from slicermedai.inference.layers import Unexplained
from slicermedai.inference.shadow import scores_of
from slicermedai.inference.spots import HEAT, SpotDetector, peaks_in
from slicermedai.inference.windows import Triple

Maps = list[torch.Tensor]
_ROUNDING = 1e-6
_UNKNOWN = "the detector does not say which of its scores the box has"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a box's score stands: ``channel`` and ``place`` of the map number ``level`` that the network gives.

    ``score`` is what stands there: a logit, or a probability where ``is_probability``.
    """

    level: int
    channel: int
    place: Triple
    score: float
    is_probability: bool = False


class Watch(Protocol):
    """Sees one run of a detector; what it saw is there until :meth:`close`."""

    @property
    def image(self) -> torch.Tensor:
        """(channels, a, b, c), filled up as the detector fills it up at the end of its axes."""

    def maps(self, answer: Any) -> Maps:
        """The maps of scores, (1, channels, a, b, c), in what the network answers."""

    def origin(self, box: torch.Tensor, label: int, score: torch.Tensor) -> Origin:
        """Of a box that the detector gave; raises :class:`Unexplained` where that cannot be told."""

    def close(self) -> None:
        """Leave the detector as it was, and forget its image."""


def watch(detector: Any) -> Watch | None:
    """A watch on the run of ``detector`` that follows; None for a kind of detector that is not known."""
    if isinstance(detector, SpotDetector):
        return _Spots(detector)
    known = ("box_selector", "generate_anchors", "cls_key", "num_anchors_per_loc", "num_classes")
    return _Anchors(detector) if all(hasattr(detector, name) for name in known) else None


@contextmanager
def watching(seen: Watch | None) -> Iterator[None]:
    """The watch ends with the block."""
    try:
        yield
    finally:
        if seen is not None:
            seen.close()


@dataclass(slots=True, eq=False)
class _Spots:
    """The score is that of the peak."""

    detector: SpotDetector
    handle: Any = None
    given: torch.Tensor | None = None
    answer: torch.Tensor | None = None

    def __post_init__(self) -> None:
        self.handle = self.detector.network.register_forward_hook(self._note)

    def _note(self, module: Any, given: tuple[torch.Tensor], answer: torch.Tensor) -> None:
        if self.answer is None:  # the run's own, and not those of whoever asks again
            self.given, self.answer = given[0][0].cpu(), answer.detach().cpu()

    @property
    def image(self) -> torch.Tensor:
        """See :class:`Watch`."""
        assert self.given is not None
        return self.given.clone()  # free of the mode that it was made in

    def maps(self, answer: Any) -> Maps:
        """See :class:`Watch`: all five, of which one is the score."""
        return [scores_of(answer)]

    def origin(self, box: torch.Tensor, label: int, score: torch.Tensor) -> Origin:
        """See :class:`Watch`."""
        assert self.answer is not None
        found = peaks_in(self.answer[0].float(), threshold=self.detector.threshold, most=self.detector.most)
        for one, place in zip(found.boxes, found.places, strict=True):
            if torch.allclose(one, box.cpu()):
                at = _triple(place.tolist())
                return Origin(level=0, channel=HEAT, place=at, score=float(self.answer[(0, HEAT, *at)]))
        raise Unexplained(_UNKNOWN)

    def close(self) -> None:
        """See :class:`Watch`."""
        self.handle.remove()
        self.given = self.answer = None


@dataclass(slots=True, eq=False)
class _Anchors:
    """Of MONAI's RetinaNet: the score of the anchor that became the box. Stands in for its selector meanwhile."""

    detector: Any
    selector: Any = None
    given: torch.Tensor | None = None
    shapes: list[Triple] = field(default_factory=list)
    boxes: Maps = field(default_factory=list)
    scores: Maps = field(default_factory=list)
    size: Sequence[int] = ()

    def __post_init__(self) -> None:
        self.selector, self.detector.box_selector = self.detector.box_selector, self
        make_anchors = self.detector.generate_anchors

        def note(images: torch.Tensor, answers: dict[str, Maps]) -> None:
            self.given = images[0].cpu()
            self.shapes = [_triple(one.shape[2:]) for one in answers[self.detector.cls_key]]
            make_anchors(images, answers)

        self.detector.generate_anchors = note

    def select_boxes_per_image(self, boxes: Maps, scores: Maps, size: Sequence[int]) -> Any:
        """As the detector's own selector, which is asked; all boxes and scores are kept."""
        self.boxes, self.scores, self.size = boxes, scores, size
        return self.selector.select_boxes_per_image(boxes, scores, size)

    @property
    def image(self) -> torch.Tensor:
        """See :class:`Watch`."""
        assert self.given is not None
        return self.given.clone()  # free of the mode that it was made in

    def maps(self, answer: Any) -> Maps:
        """See :class:`Watch`: a network answers a dictionary of lists, or scores and sizes in one list."""
        if isinstance(answer, dict):
            found = answer[self.detector.cls_key]
            return list(found) if isinstance(found, (list, tuple)) else [found]
        return list(answer[: len(answer) // 2])

    def origin(self, box: torch.Tensor, label: int, score: torch.Tensor) -> Origin:
        """See :class:`Watch`."""
        from monai.data.box_utils import clip_boxes_to_image

        for level, (boxes, scores) in enumerate(zip(self.boxes, self.scores, strict=True)):
            off = (self._as_given(scores[:, label]) - score.to(scores.device)).abs()
            likely = torch.nonzero(off <= _ROUNDING).flatten()
            clipped, _ = clip_boxes_to_image(boxes[likely], self.size, remove_empty=False)
            same = torch.isclose(clipped.to(box.dtype), box.to(clipped.device)).all(dim=1)
            if bool(same.any()):
                return self._at(level, int(likely[same][0]), label)
        raise Unexplained(_UNKNOWN)

    def close(self) -> None:
        """See :class:`Watch`."""
        self.detector.box_selector = self.selector
        del self.detector.generate_anchors
        self.given, self.boxes, self.scores = None, [], []

    def _as_given(self, scores: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(scores.float()) if self.selector.apply_sigmoid else scores

    def _at(self, level: int, number: int, label: int) -> Origin:
        """The anchors of a place follow each other, and the places as voxels lie (MONAI's ``_reshape_maps``)."""
        place, anchor = divmod(number, int(self.detector.num_anchors_per_loc))
        _, rows, columns = self.shapes[level]
        return Origin(
            level=level,
            channel=anchor * int(self.detector.num_classes) + label,
            place=(place // (rows * columns), place // columns % rows, place % columns),
            score=float(self.scores[level][number, label]),
            is_probability=not self.selector.apply_sigmoid,
        )


def _triple(shape: Sequence[int]) -> Triple:
    a, b, c = shape
    return int(a), int(b), int(c)
