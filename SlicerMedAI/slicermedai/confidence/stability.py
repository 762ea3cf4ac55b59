"""Does the answer hold when the image is changed as little as a second scan would change it? Structure by structure.

The whole way from image to labels is gone again for each changed image, one after the other: of each answer only three
counts for each structure are kept, so that memory does not grow with their number. A structure that moves beyond the
bounds never gets a green light. The mask stays as it is.

A shift by a part of a voxel moves the border of a structure over the middle of some voxels, whatever the network does:
of the faces of its voxels along an axis the share of the shift. So much is allowed beside the bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from slicermedai.confidence.margins import box_around
from slicermedai.confidence.perturb import Images, Kind, Perturbation, given_noise, perturbations
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.observer import Progress
from slicermedai.domain.stability import Stability, StructureStability
from slicermedai.errors import InputError, JobCancelled, MedAIError
from slicermedai.inference.task import FoundRegion, Prediction

DICE_BOUND = 0.9
VOLUME_BOUND = 10.0
MOST = 100
STAGE = "stability"
Again = Callable[[Images, Progress], Prediction]

_NOTES = (
    "Stable answers may be wrong: the check sees only what a second scan of the same patient might change.",
    "Under a shift, what sampling on whole voxels alone explains is allowed for beside the bounds.",
)
_NO_NOISE = "No noise could be measured in the image, and none was added."


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One structure under one perturbation: voxels before, after and in both; ``explained`` is how many voxels change
    by sampling alone."""

    before: int
    after: int
    both: int
    explained: float = 0.0

    @property
    def dice(self) -> float:
        """0 to 1."""
        return 2 * self.both / (self.before + self.after)

    @property
    def change(self) -> float:
        """Of the volume, per cent."""
        return 100 * (self.after - self.before) / self.before

    @property
    def is_within(self) -> bool:
        """True where the structure is still there and moved no more than the bounds and sampling allow."""
        allowed = 200 * self.explained**0.5 / self.before
        near = self.dice >= DICE_BOUND - self.explained / (2 * self.before)
        return self.after > 0 and near and abs(self.change) <= VOLUME_BOUND + allowed


@dataclass(slots=True, kw_only=True, eq=False)
class Moves:
    """How all structures of one run moved, by label value; what appeared only in changed images is in ``appeared``.

    ``asked`` is how many changed images were asked for; ``notes`` end with why fewer were ``tried``, where they were.
    """

    asked: int = 0
    tried: list[Perturbation] = field(default_factory=list)
    known: dict[int, list[Move]] = field(default_factory=dict)
    appeared: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def reason(self, value: int) -> str:
        """Why a structure is not stable, by the perturbation that moved it most; "" where it is."""
        beyond = [(one, how) for one, how in self._pairs(value) if not one.is_within]
        if not beyond:
            return ""
        worst, how = min(beyond, key=lambda pair: pair[0].dice)
        if not worst.after:
            return f"not stable: it is not found any more with {how.in_words}"
        return (
            f"not stable: Dice {worst.dice:.2f} and {worst.change:+.0f} % of volume with {how.in_words};"
            f" {DICE_BOUND:g} and {VOLUME_BOUND:g} % are the bounds"
        )

    def doubt(self, value: int) -> str:
        """Why a structure is not stable, or not known to be; "" where all that was asked for was tried, and it is."""
        told = f"not known to be stable: {len(self.tried)} of {self.asked} changed images were analysed"
        return self.reason(value) or (told if self.broke_off else "")

    @property
    def broke_off(self) -> bool:
        """True where fewer changed images were analysed than were asked for: what was not tried cannot have passed."""
        return len(self.tried) < self.asked

    @property
    def warnings(self) -> list[str]:
        """What a person must know who reads of no unstable structure: what appeared, and that the check broke off."""
        of = f"Stability: {len(self.tried)} of {self.asked} changed images were analysed."
        ended = [f"{of} {self.notes[-1]}" if self.notes else of] if self.broke_off else []
        return [*self._of_appeared(), *ended]

    def stability(self, uids: Mapping[int, str]) -> Stability:
        """For the record of the run; ``uids`` are the tracking UIDs of its findings by label value."""
        found = [
            StructureStability(
                tracking_uid=uid,
                dice=tuple(one.dice for one in self.known[value]),
                change=tuple(one.change for one in self.known[value]),
                reason=self.reason(value),
            )
            for value, uid in uids.items()
            if self.known.get(value)
        ]
        return Stability(
            perturbations=tuple(how.in_words for how in self.tried),
            dice_bound=DICE_BOUND,
            volume_bound=VOLUME_BOUND,
            structures=tuple(found),
            notes=(*_NOTES, *self.notes, *self._of_appeared()),
            asked=self.asked,
        )

    def _pairs(self, value: int) -> Iterable[tuple[Move, Perturbation]]:
        return zip(self.known.get(value, []), self.tried, strict=False)

    def _of_appeared(self) -> list[str]:
        return [
            f"{name} was found in {count} of {len(self.tried)} changed images, and not in the image itself."
            for name, count in self.appeared.items()
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class StabilityCheck:
    """What was asked for: ``count`` perturbations, noise as :func:`~.perturb.perturbations` takes it.

    Raises
    ------
    InputError
        Less than 1 or more than 100 perturbations, or a level of noise that is none.
    """

    count: int
    noise: str
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST:
            raise InputError(f"must be from 0 to {MOST}", attribute=STAGE)
        given_noise(self.noise)

    def run(self, images: Images, first: Prediction, again: Again, *, progress: Progress) -> Moves:
        """Ask ``again`` about each changed image, and compare with ``first``, the run's own answer.

        Where a changed image cannot be analysed the check ends there, and its notes say why; what was compared is kept.
        JobCancelled is let through.
        """
        how = perturbations(images, self.count, noise=self.noise, seed=self.seed)
        moves = Moves(asked=self.count, known={one.value: [] for one in first.regions})
        moves.notes += [] if any(one.kind is Kind.NOISE for one in how) else [_NO_NOISE]
        for number, one in enumerate(how):
            try:
                found = again(one.apply(images), _told(progress, number, self.count))
            except JobCancelled:
                raise
            except MedAIError as error:
                moves.notes.append(f"The check ended before {one.in_words}: {error}")
                break
            moves.tried.append(one)
            _compare(moves, one, first, found)
        progress(STAGE, 1.0)
        return moves


def stability_check(count: int, *, noise: str, seed: int) -> StabilityCheck | None:
    """The check that a job asks for, None for none; errors as :class:`StabilityCheck`."""
    return StabilityCheck(count=count, noise=noise, seed=seed) if count else None


def _told(progress: Progress, number: int, count: int) -> Progress:
    """Progress of one answer as that of the whole check; the last chance to stop stays as often."""
    within = 0.0

    def tell(stage: str, fraction: float) -> None:
        nonlocal within
        within = max(within, min(fraction, 0.99)) if stage == "segment" else within
        progress(STAGE, (number + within) / count)

    return tell


def _compare(moves: Moves, how: Perturbation, first: Prediction, second: Prediction) -> None:
    names = {one.value: one.label.name for one in second.regions}
    for value, move in _counted(first, second, how.shift).items():
        if move.before:
            moves.known[value].append(move)
        elif move.after:
            moves.appeared[names[value]] = moves.appeared.get(names[value], 0) + 1


def _counted(first: Prediction, second: Prediction, shift: Sequence[float]) -> dict[int, Move]:
    """Label value -> how it moved, for all that either answer has."""
    one, other = _by_value(first.regions), _by_value(second.regions)
    values = sorted({*one, *other})
    if all(isinstance(region, Mask) for region in (*one.values(), *other.values())):
        together = _together(first.label_map.array, second.label_map.array, max(values, default=0))
        table = {v: (int(together[v].sum()), int(together[:, v].sum()), int(together[v, v])) for v in values}
    else:
        table = {v: _overlap(one.get(v), other.get(v)) for v in values}
    return {
        value: Move(before=a, after=b, both=both, explained=_explained(one.get(value), shift))
        for value, (a, b, both) in table.items()
    }


def _by_value(regions: Iterable[FoundRegion]) -> dict[int, Mask | PackedMask]:
    return {one.value: one.region for one in regions if isinstance(one.region, Mask | PackedMask)}


def _together(first: NDArray[np.integer], second: NDArray[np.integer], largest: int) -> NDArray[np.int64]:
    """(values, values) counts of voxels by what the two label maps have there, slice by slice."""
    size = largest + 1
    counts = np.zeros(size * size, dtype=np.int64)
    for a, b in zip(first, second, strict=True):
        counts += np.bincount((a.astype(np.intp) * size + b).ravel(), minlength=size * size)
    return counts.reshape(size, size)


def _overlap(first: Mask | PackedMask | None, second: Mask | PackedMask | None) -> tuple[int, int, int]:
    if first is None or second is None:
        return _voxels(first), _voxels(second), 0
    a, b = first.to_array(), second.to_array()
    return int(np.count_nonzero(a)), int(np.count_nonzero(b)), int(np.count_nonzero(a & b))


def _voxels(region: Mask | PackedMask | None) -> int:
    return 0 if region is None else int(np.count_nonzero(region.to_array()))


def _explained(region: Mask | PackedMask | None, shift: Sequence[float]) -> float:
    """How many voxels a shift changes by sampling alone: of the faces along each axis, the share of the shift."""
    if region is None or not any(shift):
        return 0.0
    mask = region.to_array()
    box = box_around(mask, (1, 1, 1))
    inner = np.pad(mask[box], 1) if box is not None else mask
    return float(sum(abs(step) * _faces(inner, axis) for axis, step in enumerate(shift)))


def _faces(mask: NDArray[np.bool_], axis: int) -> int:
    return sum(int(np.count_nonzero(a != b)) for a, b in pairwise(np.moveaxis(mask, axis, 0)))
