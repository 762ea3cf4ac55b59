"""Progress of many frames as one stage."""

from __future__ import annotations

from slicermedai.domain.observer import Progress
from slicermedai.jobs.kinds import STAGES
from slicermedai.jobs.reporter import PARTS

FRAMES = "frames"
_STAGES = ("read", "load model", "segment", "measure", "save", "export")


class FrameProgress:
    """A :class:`~slicermedai.domain.observer.Progress` for frame ``index`` (from 0) of ``count``, told to ``whole``."""

    def __init__(self, whole: Progress, index: int, count: int) -> None:
        self._whole, self._index, self._count = whole, index, count
        self._done = 0.0

    def __call__(self, stage: str, fraction: float) -> None:
        """Never goes back, whatever the order of the stages; lets a cancellation through."""
        self._done = max(self._done, _overall(stage, fraction))
        self._whole(FRAMES, (self._index + self._done) / self._count)


def _overall(stage: str, fraction: float) -> float:
    name, start, end = PARTS.get(stage, (stage, 0.0, 1.0))
    if name not in _STAGES:
        return 0.0
    part = start + min(max(fraction, 0.0), 1.0) * (end - start)
    before = sum(STAGES[one] for one in _STAGES[: _STAGES.index(name)])
    return (before + part * STAGES[name]) / sum(STAGES[one] for one in _STAGES)
