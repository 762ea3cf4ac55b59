"""A clip as a few pictures: text that stands still on all frames once, and the frames on which strokes change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slicermedai.deid.pixels.frames import Frame, FrameSource, grey
from slicermedai.deid.pixels.kinds import BRIGHTEST, DARKEST

_BLOCK = 16
_CHANGED = 0.15
_MOST = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """What is read of a clip.

    Parameters
    ----------
    darkest, brightest:
        Per pixel the least and largest value of all frames. Bright text that stands still is clearest in the
        first, bright text that comes and goes over a dark ground leaves its trace in the second; dark text the
        other way round.
    telling:
        Numbers of the first and last frame and of those at which strokes changed most.
    """

    darkest: Frame
    brightest: Frame
    telling: tuple[int, ...]


def summarised(source: FrameSource) -> Clip:
    """Go through all frames once; three of them are held at a time."""
    darkest: Frame | None = None
    brightest: Frame | None = None
    before: NDArray[np.float32] | None = None
    changes: list[tuple[float, int]] = []
    for number, frame in enumerate(source.frames()):
        strokes = _strokes(frame)
        if darkest is None or brightest is None or before is None:
            darkest, brightest = frame.copy(), frame.copy()
        else:
            np.minimum(darkest, frame, out=darkest)
            np.maximum(brightest, frame, out=brightest)
            changes.append((float((np.abs(strokes - before) > _CHANGED).mean()), number))
        before = strokes
    if darkest is None or brightest is None:
        return Clip(darkest=np.zeros((1, 1)), brightest=np.zeros((1, 1)), telling=())
    return Clip(darkest=darkest, brightest=brightest, telling=_telling(changes))


def frames_at(source: FrameSource, places: Iterable[int]) -> dict[int, Frame]:
    """The frames of those numbers, and of those that stand for all frames together."""
    wanted = sorted(set(places))
    numbers = [place for place in wanted if place >= 0]
    found = dict(zip(numbers, source.frames(numbers), strict=True))
    if len(numbers) < len(wanted):
        clip = summarised(source)
        found |= {DARKEST: clip.darkest, BRIGHTEST: clip.brightest}
    return found


def _telling(changes: list[tuple[float, int]]) -> tuple[int, ...]:
    most = sorted((change for change in changes if change[0] > 0), reverse=True)[:_MOST]
    last = changes[-1][1] if changes else 0
    return tuple(sorted({0, last, *(number for _, number in most)}))


def _strokes(frame: Frame) -> NDArray[np.float32]:
    """Per block of 16 x 16 pixels the share that differs sharply from its right neighbour."""
    values = grey(frame).astype(np.float32)
    reach = max(float(values.max() - values.min()), 1.0)
    sharp = np.abs(np.diff(values, axis=1)) > 0.3 * reach
    rows, columns = (size // _BLOCK * _BLOCK for size in sharp.shape)
    if not rows or not columns:
        return sharp.astype(np.float32)
    blocks = sharp[:rows, :columns].reshape(rows // _BLOCK, _BLOCK, columns // _BLOCK, _BLOCK)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)
