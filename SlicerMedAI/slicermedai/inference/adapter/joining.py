"""A step of the bundle's own that joins masks which overlap to one map of labels, learnt as a table.

Which label a voxel gets may depend on nothing but the masks that hold it. So the step is asked once about every
combination of masks, in several arrangements of voxels, and a step whose answers differ between these is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.domain.finding import PackedMask
from slicermedai.errors import BundleError
from slicermedai.inference.shadow import scores_of
from slicermedai.inference.task import FoundRegion

Step = Callable[[dict[str, Any]], dict[str, Any]]
Array = NDArray[Any]
MOST = 10
"""Channels whose combinations are all tried: 1024 of them."""
_ORDERS, _SPARSE = 3, 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """What the step does.

    Parameters
    ----------
    step:
        The step's name, for messages.
    outputs:
        Channels of the network.
    channels:
        Those that become labels: value n is channel ``channels[n - 1]``. The others change nothing.
    table:
        Label of every combination of these: bit n - 1 of an index says that the mask of value n holds the voxel.
    """

    step: str
    outputs: int
    channels: tuple[int, ...]
    table: tuple[int, ...]

    @property
    def in_words(self) -> str:
        """ "6 channels, 5 of them labels; where labels meet, one of them stays"."""
        return f"{self.outputs} channels, {len(self.channels)} of them labels; where labels meet, one of them stays"

    def joined(self, regions: Sequence[FoundRegion]) -> list[FoundRegion]:
        """The regions without what the step gives to others; those that nothing is left of are gone."""
        packed = [(one, one.region) for one in regions if isinstance(one.region, PackedMask)]
        if not packed:
            return []
        geometry = packed[0][1].geometry
        index = np.zeros(geometry.shape, dtype=np.uint16)
        for one, mask in packed:
            index |= mask.to_array().astype(np.uint16) << (one.value - 1)
        labels = np.array(self.table, dtype=np.uint8)[index]
        kept = [(one, labels == one.value) for one, _ in packed]
        return [replace(one, region=PackedMask.from_array(mask, geometry)) for one, mask in kept if mask.any()]


class LabelsAlone(torch.nn.Module):
    """``network`` without the channels that become no label."""

    def __init__(self, network: Any, joining: Joining, *, file: str) -> None:
        super().__init__()
        self.network, self.joining, self.file = network, joining, file

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """(windows, labels, ...) scores; raises BundleError where the network has other channels than stated."""
        scores = scores_of(self.network(windows))
        if scores.shape[1] != self.joining.outputs:
            raise BundleError(
                f"the network has {scores.shape[1]} channels, and its metadata says {self.joining.outputs}",
                file=self.file,
                attribute="num_channels",
            )
        return scores[:, list(self.joining.channels)]


def learn(step: Step, name: str, *, key: str, outputs: int, file: str) -> Joining:
    """What ``step`` makes of masks of ``outputs`` channels under ``key``.

    Raises
    ------
    BundleError
        The step cannot be asked, or is no such step: it looks at other voxels too, or gives no labels.
    """
    return _Trial(step=step, name=name, key=key, outputs=outputs, file=file).table()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """A step that is asked what it makes of masks."""

    step: Step
    name: str
    key: str
    outputs: int
    file: str

    def table(self) -> Joining:
        """What it makes of every combination."""
        if not 1 < self.outputs <= MOST:
            said = f"{self.outputs} channels" if self.outputs else "no number of channels"
            raise self._refused(f"the metadata says {said}, and combinations of 2 to {MOST} can be tried")
        answers = np.full(2**self.outputs, -1, dtype=np.int64)
        for index in _arrangements(self.outputs):
            found = self._asked(index)
            np.maximum.at(answers, index, found)
            if not np.array_equal(answers[index], found):
                raise self._refused("what it makes of a voxel depends on other voxels")
        return self._table(answers)

    def _asked(self, index: Array) -> Array:
        masks = np.stack([(index >> channel) & 1 for channel in range(self.outputs)])
        try:
            found = np.asarray(self.step({self.key: torch.from_numpy(masks.astype(np.float32))})[self.key])
        except Exception as error:  # code of others may raise anything
            raise self._refused(f"it fails ({type(error).__name__}: {error})") from error
        if found.shape not in {(1, *index.shape), index.shape}:
            raise self._refused(f"it makes {found.shape} of {masks.shape}")
        numbers = found.reshape(index.shape).astype(np.float64)
        if not np.array_equal(numbers, np.rint(numbers)) or numbers.min() < 0:
            raise self._refused("what it gives are no numbers of labels")
        return numbers.astype(np.int64)

    def _table(self, answers: Array) -> Joining:
        alone = [int(answers[1 << channel]) for channel in range(self.outputs)]
        values = sorted(value for value in alone if value)
        if values != list(range(1, len(values) + 1)) or not values or answers[0] or not set(answers) <= {0, *values}:
            raise self._refused("its labels are not 1, 2, 3 ..., one for each channel")
        channels = tuple(alone.index(value) for value in values)
        used = sum(1 << channel for channel in channels)
        if not np.array_equal(answers, answers[np.arange(len(answers)) & used]):
            raise self._refused("a channel that is no label decides where labels are")
        table = tuple(int(answers[_bits(n, channels)]) for n in range(2 ** len(values)))
        return Joining(step=self.name, outputs=self.outputs, channels=channels, table=table)

    def _refused(self, reason: str) -> BundleError:
        known = "is not known to this engine, and was not learnt by trying"
        return BundleError(
            f"the step {self.name} of the bundle's own {known}: {reason}", file=self.file, attribute="postprocessing"
        )


def _bits(index: int, channels: Sequence[int]) -> int:
    """A combination of labels as one of channels."""
    return sum(1 << channel for bit, channel in enumerate(channels) if index >> bit & 1)


def _arrangements(outputs: int) -> Iterator[Array]:
    """Volumes of combinations: mixed, alone in what is empty, scattered, with holes, and each filling the whole."""
    random, every = np.random.default_rng(0), np.arange(2**outputs)
    depth = -(-len(every) // 20) + 1
    for _ in range(_ORDERS):
        rest = random.integers(0, len(every), 20 * depth - len(every))
        yield random.permutation(np.concatenate([every, rest])).reshape(4, 5, depth)
    for one in np.unique(np.concatenate([1 << np.arange(outputs), every[-1:]])):
        alone = np.zeros((4, 5, 6), dtype=np.int64)
        alone[1, 2, 3] = one
        yield alone
        yield np.full((4, 5, 6), one)
        yield one * (random.random((6, 7, 8)) < _SPARSE)
        yield one * (random.random((6, 7, 8)) > _SPARSE)
