"""Labels at network resolution, brought to the source grid.

No class axis exists at full resolution: the labels are brought back one after the other, and only the best so far
is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.geometry import Geometry
from slicermedai.inference.regions import bounding_box
from slicermedai.inference.resample import resample

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Manner:
    """How leads are brought back.

    Parameters
    ----------
    nearest_axis:
        The axis of the source along which the nearest plane counts.
    outside:
        Value -> voxels of the target, (slices, rows, columns), that are not this label's whatever its lead.
    """

    nearest_axis: int | None = None
    outside: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)


_PLAIN = Manner()


def agree(leads: Array, raw: Array, labels: Array) -> None:
    """Make ``leads`` (labels, ...) agree, in place, with what the clean-up changed: 1 for the label, -1 for others."""
    changed = np.flatnonzero(labels != raw)
    if changed.size:
        flat, chosen = leads.reshape(len(leads), -1), labels.ravel()[changed]
        flat[:, changed] = -1.0
        flat[chosen[chosen > 0] - 1, changed[chosen > 0]] = 1.0


def labels_on(leads: Array, labels: Array, source: Geometry, target: Geometry, *, manner: Manner = _PLAIN) -> Array:
    """Labels on ``target``: each label's lead over the background, resampled linearly; the largest lead wins.

    ``leads`` is (labels, ...) on ``source``; outside of the box of ``labels`` nothing is computed.
    """
    out = np.zeros(target.shape, dtype=labels.dtype)
    found = _windows(labels > 0, source, target)
    if found is not None:
        near, window = found
        part, seen = source.cropped(*_ends(near)), target.cropped(*_ends(window))
        brought = _Brought(part, seen, manner.nearest_axis)
        barred = {value: mask[window] for value, mask in manner.outside.items()}
        out[window] = _winners(leads[(slice(None), *near)], brought, out.dtype, barred)
    return out


def mask_on(
    scores: Array, threshold: float, source: Geometry, target: Geometry, *, nearest_axis: int | None = None
) -> NDArray[np.bool_]:
    """Where ``scores``, resampled linearly from ``source`` to ``target``, exceed ``threshold``; nowhere beyond them.

    Along ``nearest_axis`` of ``source`` the nearest plane counts.
    """
    out = np.zeros(target.shape, dtype=bool)
    found = _windows(scores > threshold, source, target)
    if found is not None:
        near, window = found
        brought = _Brought(source.cropped(*_ends(near)), target.cropped(*_ends(window)), nearest_axis)
        out[window] = brought.of(scores[near], fill=threshold - 1) > threshold
    return out


@dataclass(frozen=True, slots=True)
class _Brought:
    """How scores change their grid."""

    source: Geometry
    target: Geometry
    nearest_axis: int | None

    def of(self, values: Array, *, fill: float) -> NDArray[np.float32]:
        given = values.astype(np.float32, copy=False)
        near = () if self.nearest_axis is None else (self.nearest_axis,)
        return resample(given, self.source, self.target, fill=fill, nearest=near)


def _winners(leads: Array, way: _Brought, kind: Any, barred: Mapping[int, NDArray[np.bool_]]) -> Array:
    labels = np.zeros(way.target.shape, dtype=kind)
    best = np.zeros(way.target.shape if len(leads) > 1 else (), dtype=np.float32)
    for value, lead in enumerate(leads, start=1):
        brought = way.of(lead, fill=-1.0)
        if value in barred:
            brought = np.where(barred[value], np.float32(-1), brought)
        labels[brought > best] = value
        if len(leads) > 1:
            np.maximum(best, brought, out=best)
    return labels


_Window = tuple[slice, slice, slice]


def _windows(mask: NDArray[np.bool_], source: Geometry, target: Geometry) -> tuple[_Window, _Window] | None:
    """The box of ``mask`` widened by a voxel, and the window of ``target`` that holds it; None for none."""
    near = _widened(bounding_box(mask), mask.shape)
    if near is None:
        return None
    window = _covering(source.cropped(*_ends(near)), target)
    return None if min(piece.stop - piece.start for piece in window) < 1 else (near, window)


def _widened(box: _Window | None, shape: tuple[int, ...]) -> _Window | None:
    """The box and one voxel more on every side, so that a label's edge lies within it."""
    if box is None:
        return None
    first, second, third = (slice(max(0, s.start - 1), min(n, s.stop + 1)) for s, n in zip(box, shape, strict=True))
    return first, second, third


def _covering(source: Geometry, target: Geometry) -> _Window:
    """The window of ``target`` that holds every voxel centre inside ``source``."""
    index = target.to_index(source.corners)
    low = np.maximum(np.floor(index.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(index.max(axis=0)) + 1, target.shape).astype(int)
    first, second, third = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return first, second, third


def _ends(window: _Window) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    a, b, c = window
    return (a.start, b.start, c.start), (a.stop, b.stop, c.stop)
