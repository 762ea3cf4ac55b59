"""How far the answers of a network vary when it is asked again in another way: flips, an ensemble, dropout.

Samples are label maps that come one at a time and are forgotten at once: memory is one counter for each voxel of
each structure's box, however many samples there are. What is counted gives the pairwise Dice of all samples exactly, as
a ratio of sums over pairs; it is the best single sign of a failed segmentation. Variation is no probability: sampling
does not calibrate, and calibration does not see what varies. Both are done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from slicermedai.confidence.margins import Box, box_around
from slicermedai.errors import InputError

MOST_SAMPLES = np.iinfo(np.uint16).max
Array = NDArray[Any]


@dataclass(slots=True)
class Moments:
    """Running mean and variance (Welford, Technometrics 1962), smallest and largest."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = float("inf")
    high: float = float("-inf")

    def add(self, value: float) -> None:
        """Take in one number."""
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self.squares += step * (value - self.mean)
        self.low, self.high = min(self.low, value), max(self.high, value)

    @property
    def deviation(self) -> float:
        """Sample standard deviation; 0 of fewer than two numbers."""
        return float(np.sqrt(self.squares / (self.count - 1))) if self.count > 1 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """How one structure varies over ``samples`` answers.

    ``pairwise_dice`` is 1 where all agree, also where none found anything. Volumes are in ml; ``band_ml`` is that of
    the voxels where fewer than the asked share of the samples agree.
    """

    value: int
    samples: int
    pairwise_dice: float
    volume_mean: float
    volume_deviation: float
    volume_low: float
    volume_high: float
    found_in: int
    band_ml: float


@dataclass(slots=True, eq=False)
class _Tally:
    """How many answers have each voxel of one structure: kept in the smallest box around all of them."""

    box: Box | None = None
    counts: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=np.uint16))
    volumes: Moments = field(default_factory=Moments)
    found: int = 0

    def add(self, box: Box, mask: NDArray[np.bool_]) -> None:
        """Count ``mask``, the voxels of ``box``."""
        if self.box is None:
            self.box, self.counts = box, np.zeros(mask.shape, dtype=np.uint16)
        elif not all(a.start <= b.start and b.stop <= a.stop for a, b in zip(self.box, box, strict=True)):
            self._grow(box)
        self.counts[_within(box, self.box)] += mask

    def _grow(self, box: Box) -> None:
        assert self.box is not None
        pairs = list(zip(self.box, box, strict=True))
        union = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in pairs)
        grown = np.zeros(tuple(s.stop - s.start for s in union), dtype=np.uint16)
        grown[_within(self.box, union)] = self.counts
        self.box, self.counts = union, grown


@dataclass(slots=True, eq=False)
class Agreement:
    """Counts label maps voxel by voxel; ``values`` are the labels of interest, ``voxel_ml`` a voxel's volume in ml.

    Memory is two bytes for each voxel of the box around all that was ever given to a structure.
    """

    shape: tuple[int, int, int]
    values: Sequence[int]
    voxel_ml: float
    samples: int = 0
    _tallies: dict[int, _Tally] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tallies = {value: _Tally() for value in self.values}

    def add(self, labels: Array) -> Agreement:
        """Take in one answer, (slices, rows, columns) of label values; returns itself.

        Raises
        ------
        InputError
            Another shape, or more than 65535 samples.
        """
        if labels.shape != self.shape:
            raise InputError("a sample has another shape than the first", attribute="labels")
        boxes = find_objects(labels.astype(np.intp), max_label=max(self.values, default=0))
        return self.add_found((v, box, labels[box] == v) for v in self.values if (box := boxes[v - 1]) is not None)

    def add_found(self, found: Iterable[tuple[int, Box, NDArray[np.bool_]]]) -> Agreement:
        """Take in one answer as label values, boxes and the voxels in them; what is not named was not found.

        A label that comes more than once is all of that together, if its parts do not overlap.
        """
        if self.samples >= MOST_SAMPLES:
            raise InputError(f"at most {MOST_SAMPLES} samples can be counted", attribute="samples")
        self.samples += 1
        voxels = dict.fromkeys(self.values, 0)
        for value, box, mask in found:
            if value in voxels:
                voxels[value] += int(np.count_nonzero(mask))
                self._tallies[value].add(box, mask)
        for value, count in voxels.items():
            self._tallies[value].volumes.add(count * self.voxel_ml)
            self._tallies[value].found += count > 0
        return self

    def spread(self, value: int, *, level: float = 0.9) -> Spread:
        """How structure ``value`` varies; raises :class:`InputError` where fewer than two samples came."""
        self._check()
        tally, volumes = self._tallies[value], self._tallies[value].volumes
        return Spread(
            value=value,
            samples=self.samples,
            pairwise_dice=pairwise_dice(tally.counts, self.samples),
            volume_mean=volumes.mean,
            volume_deviation=volumes.deviation,
            volume_low=volumes.low,
            volume_high=volumes.high,
            found_in=tally.found,
            band_ml=float(np.count_nonzero(self._disputed(tally, level)) * self.voxel_ml),
        )

    def band(self, value: int, *, level: float = 0.9) -> NDArray[np.bool_]:
        """Where fewer than ``level`` of the samples agree about a structure: (slices, rows, columns) bool."""
        self._check()
        out, tally = np.zeros(self.shape, dtype=bool), self._tallies[value]
        if tally.box is not None:
            out[tally.box] = self._disputed(tally, level)
        return out

    def share(self, value: int) -> tuple[Box, NDArray[np.float32]] | None:
        """The share of the samples that give each voxel to a structure, in the box around all of it; None for none."""
        self._check()
        tally = self._tallies[value]
        return None if tally.box is None else (tally.box, (tally.counts / self.samples).astype(np.float32))

    def majority_dice(self, value: int, box: Box, mask: NDArray[np.bool_]) -> float:
        """Dice of ``mask``, the voxels of ``box``, with what more than half of the samples give to a structure."""
        found = self.share(value)
        if found is None:
            return 0.0
        place, most = found[0], found[1] > 0.5
        both = tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(place, box, strict=True))
        meet = all(part.stop > part.start for part in both)
        shared = np.count_nonzero(most[_within(both, place)] & mask[_within(both, box)]) if meet else 0
        return float(2 * shared / (np.count_nonzero(most) + np.count_nonzero(mask)))

    def disagreement(self, *, exclusive: bool = True) -> NDArray[np.float32]:
        """The share of the samples that do not give a voxel what most of them give it: (slices, rows, columns).

        Where labels overlap (not ``exclusive``) each is a question of its own, and the most disputed one counts.
        """
        self._check()
        top = np.zeros(self.shape, dtype=np.uint16)
        none = np.full(self.shape, self.samples, dtype=np.uint16)
        for box, counts in ((t.box, t.counts) for t in self._tallies.values() if t.box is not None):
            own = counts if exclusive else np.minimum(counts, self.samples - counts)
            np.maximum(top[box], own, out=top[box])
            none[box] -= counts if exclusive else 0
        most = np.maximum(top, none, out=top) if exclusive else self.samples - top
        return np.asarray(1 - most / np.float32(self.samples), dtype=np.float32)

    def _disputed(self, tally: _Tally, level: float) -> NDArray[np.bool_]:
        share = tally.counts / self.samples
        return np.asarray((share > 1 - level) & (share < level))

    def _check(self) -> None:
        if self.samples < 2:
            raise InputError("two samples are the least that can vary", attribute="samples")


def _within(box: Box, outer: Box) -> Box:
    """``box`` counted from the start of ``outer``."""
    return tuple(slice(b.start - o.start, b.stop - o.start) for b, o in zip(box, outer, strict=True))


def pairwise_dice(counts: NDArray[np.uint16], samples: int) -> float:
    """Over all pairs of samples, twice the summed intersections by the summed sizes; 1 where nothing was ever found.

    From how many samples have each voxel: a voxel of k samples lies in k (k - 1) / 2 intersections.
    """
    table = np.bincount(counts.ravel(), minlength=samples + 1)
    k = np.arange(table.size)
    sizes = int(table @ k) * (samples - 1)
    return float(int(table @ (k * (k - 1))) / sizes) if sizes else 1.0


# --- samples -----------------------------------------------------------------------------------------------------


def flips(axes: Iterable[int] = (0, 1, 2)) -> Iterator[tuple[int, ...]]:
    """All combinations of ``axes``, that of none first."""
    known = tuple(axes)
    for count in range(len(known) + 1):
        yield from combinations(known, count)


def flipped_answers(
    run: Callable[[Array], Array],
    image: Array,
    *,
    axes: Iterable[int] = (0, 1, 2),
    swaps: Mapping[int, Mapping[int, int]] | None = None,
) -> Iterator[Array]:
    """The network's answers to ``image`` and its mirror images, turned back; one at a time.

    Parameters
    ----------
    run:
        From an image (slices, rows, columns) to its label map of that shape.
    axes:
        Those along which a mirror image is one that the network may be asked about.
    swaps:
        Axis -> label values that change places in that axis's mirror image: left and right kidney, along the axis to
        the patient's left. Without it such labels would seem to vary where they do not.
    """
    for chosen in flips(axes):
        answer = np.flip(run(np.ascontiguousarray(np.flip(image, chosen))), chosen)
        for axis in chosen:
            answer = _swapped(answer, (swaps or {}).get(axis, {}))
        yield answer


def foreground_box(labels: Array, *, margin: tuple[int, int, int]) -> Box | None:
    """The box of all that was found, widened by ``margin`` voxels: where asking again can change anything.

    None where nothing was found; then nothing is asked again, and the uncertainty is "not assessed".
    """
    return box_around(np.asarray(labels > 0), margin)


def _swapped(labels: Array, partners: Mapping[int, int]) -> Array:
    if not partners:
        return labels
    both = {**partners, **{b: a for a, b in partners.items()}}
    table = np.arange(max(int(labels.max(initial=0)), *both, *both.values()) + 1, dtype=labels.dtype)
    for old, new in both.items():
        table[old] = new
    return np.asarray(table[labels])
