"""How far the answers of a network vary when it is asked again in another way: flips, an ensemble, dropout.

Samples are label maps that come one at a time and are forgotten at once: memory is one counter per voxel and structure
of interest, however many samples there are. What is counted gives the pairwise Dice of all samples exactly, as a ratio
of sums over pairs; it is the best single sign of a failed segmentation. Variation is no probability: sampling does not
calibrate, and calibration does not see what varies. Both are done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

    ``pairwise_dice`` is 1 where all agree, also where none found anything. Volumes are in ml; ``band`` (slices, rows,
    columns) is where fewer than ``level`` of the samples agree, and ``band_ml`` its volume.
    """

    value: int
    samples: int
    pairwise_dice: float
    volume_mean: float
    volume_deviation: float
    volume_low: float
    volume_high: float
    found_in: int
    band: NDArray[np.bool_]
    band_ml: float


@dataclass(slots=True, eq=False)
class Agreement:
    """Counts label maps voxel by voxel; ``values`` are the labels of interest, ``voxel_ml`` a voxel's volume in ml."""

    shape: tuple[int, int, int]
    values: Sequence[int]
    voxel_ml: float
    samples: int = 0
    _counts: dict[int, NDArray[np.uint16]] = field(default_factory=dict)
    _volumes: dict[int, Moments] = field(default_factory=dict)
    _found: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._counts = {value: np.zeros(self.shape, dtype=np.uint16) for value in self.values}
        self._volumes = {value: Moments() for value in self.values}
        self._found = dict.fromkeys(self.values, 0)

    def add(self, labels: Array) -> Agreement:
        """Take in one answer, (slices, rows, columns) of label values; returns itself.

        Raises
        ------
        InputError
            Another shape, or more than 65535 samples.
        """
        if labels.shape != self.shape:
            raise InputError("a sample has another shape than the first", attribute="labels")
        if self.samples >= MOST_SAMPLES:
            raise InputError(f"at most {MOST_SAMPLES} samples can be counted", attribute="samples")
        self.samples += 1
        for value in self.values:
            here = labels == value
            voxels = int(np.count_nonzero(here))
            self._counts[value] += here
            self._volumes[value].add(voxels * self.voxel_ml)
            self._found[value] += voxels > 0
        return self

    def spread(self, value: int, *, level: float = 0.9) -> Spread:
        """How structure ``value`` varies; raises :class:`InputError` where fewer than two samples came."""
        if self.samples < 2:
            raise InputError("two samples are the least that can vary", attribute="samples")
        counts, volumes = self._counts[value], self._volumes[value]
        share = counts / self.samples
        band = (share > 1 - level) & (share < level)
        return Spread(
            value=value,
            samples=self.samples,
            pairwise_dice=pairwise_dice(counts, self.samples),
            volume_mean=volumes.mean,
            volume_deviation=volumes.deviation,
            volume_low=volumes.low,
            volume_high=volumes.high,
            found_in=self._found[value],
            band=band,
            band_ml=float(np.count_nonzero(band) * self.voxel_ml),
        )


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


def active_dropout(network: Any) -> tuple[str, ...]:
    """Names of a network's dropout layers with a probability above 0; () means that dropout samples are void.

    Most networks have none, and asking them again gives the same answer each time, which looks like certainty.
    ``network`` is a torch module, or anything with ``named_modules()``; TorchScript modules tell nothing and give ().
    """
    layers = network.named_modules() if hasattr(network, "named_modules") else ()
    return tuple(name for name, layer in layers if "Dropout" in type(layer).__name__ and getattr(layer, "p", 0) > 0)


def _swapped(labels: Array, partners: Mapping[int, int]) -> Array:
    if not partners:
        return labels
    both = {**partners, **{b: a for a, b in partners.items()}}
    table = np.arange(max(int(labels.max(initial=0)), *both, *both.values()) + 1, dtype=labels.dtype)
    for old, new in both.items():
        table[old] = new
    return np.asarray(table[labels])
