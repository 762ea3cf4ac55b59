"""What the samples of one run say: each structure's spread, its inner and outer region, and a map of disagreement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from slicermedai.bundles.folds import members_of
from slicermedai.bundles.manifest import Manifest
from slicermedai.confidence.uncertainty import Agreement
from slicermedai.domain.codes import NO_UNITS
from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.maps import DISAGREEMENT
from slicermedai.domain.observer import Found
from slicermedai.domain.result import Map
from slicermedai.domain.uncertainty import StructureSpread, Uncertainty
from slicermedai.errors import InputError, TrustError
from slicermedai.inference.task import DROPOUT, FLIPS, FOLDS

METHODS = ("none", FLIPS, FOLDS, DROPOUT)
DROPOUT_DICE = 0.9
"""What most samples by dropout must agree with the run's own answer: else the network with dropout is another one."""
LEVEL = 0.9
"""The share of the samples that agree within inner contours, where nobody chooses another."""
MAP_NAME = "Uncertainty: share of samples that disagree"
_NO_PROBABILITY = "That is no probability of an error, and what all samples get wrong does not vary."
_NEAR = (
    "Only windows that touch the answer were asked again: a structure that the network missed altogether is not "
    "looked for."
)
_ROUNDING = 1e-6


class Samples:
    """A :class:`~slicermedai.domain.observer.SampleObserver` of a run; its mask is never touched.

    Parameters
    ----------
    sampling:
        How the engine is to take them, see :class:`~slicermedai.inference.task.Listeners`.
    method:
        The same in words, which records are held against.
    vary:
        Where such samples vary.
    """

    def __init__(self, sampling: str, method: str, vary: str) -> None:
        self.sampling, self.method, self._vary = sampling, method, vary
        self._includes_result, self._seeds, self._level = True, tuple[int, ...](), LEVEL
        self._agreement: Agreement | None = None
        self._geometry: Geometry | None = None
        self._exclusive = True
        self._cost: float | None = None
        self._windows = 0, 0

    def begin(self, geometry: Geometry, labels: Sequence[int], *, exclusive: bool) -> None:
        """See :class:`~slicermedai.domain.observer.SampleObserver`."""
        voxel_ml = geometry.voxel_volume / 1000
        self._agreement = Agreement(shape=geometry.shape, values=tuple(labels), voxel_ml=voxel_ml)
        self._geometry, self._exclusive = geometry, exclusive

    def answer(self, found: Iterable[Found]) -> None:
        """The run's own answer is none of the samples."""
        self._includes_result = False

    def sample(self, found: Iterable[Found]) -> None:
        """Count one answer."""
        if self._agreement is None:
            raise TrustError("samples came before they were announced", attribute="samples")
        self._agreement.add_found(found)

    def end(self, *, windows: int, whole: int, cost: float, seeds: Sequence[int]) -> None:
        """All came."""
        self._cost, self._windows, self._seeds = 1 + cost, (windows, whole), tuple(seeds)

    @property
    def has_varied(self) -> bool:
        """False where nothing was found, so that nothing was asked again, where the network was never run, or where a
        check says that its samples say nothing."""
        return self._cost is not None and self._counted.samples > 1 and not self.refusal

    @property
    def refusal(self) -> str:
        """Why these samples say nothing, "" where no check says so."""
        return ""

    @property
    def checks(self) -> tuple[str, ...]:
        """What was checked of the samples, in words."""
        return ()

    def pairwise_dice(self, value: int) -> float | None:
        """Of one label; None where there are no samples or none has it."""
        if not self.has_varied or value not in self._counted.values:
            return None
        spread = self._counted.spread(value)
        return spread.pairwise_dice if spread.found_in else None

    def uncertainty(self, findings: Mapping[int, Finding]) -> Uncertainty | None:
        """How the findings, by label value, varied; None where nothing was asked again.

        Inner and outer regions are of findings with masks, on their grids.
        """
        if not self.has_varied or self._cost is None:
            return None
        return Uncertainty(
            method=self.method,
            samples=self._counted.samples,
            cost=self._cost,
            level=self.level,
            structures=tuple(self._spread(value, one) for value, one in findings.items()),
            notes=(f"{self._vary} {_NO_PROBABILITY}", _NEAR),
            includes_result=self._includes_result,
            checks=self.checks,
            seeds=self._seeds,
        )

    @property
    def level(self) -> float:
        """The share of the samples that agree within inner contours, and outside of outer ones."""
        return self._level

    @level.setter
    def level(self, level: float) -> None:
        self._level = checked_level(level)

    def map_on(self, grid: Geometry) -> Map | None:
        """The share of samples that disagree, float32 on ``grid``; None where nothing was asked again."""
        if not self.has_varied or self._geometry is None or self._cost is None:
            return None
        from slicermedai.inference.resample import resample

        values = self._counted.disagreement(exclusive=self._exclusive)
        about = (
            ("method", f"{self.method}, {self._counted.samples} samples, {self._cost:.1f} sweeps in all"),
            ("values", "0: all samples that were taken agree; 0.5: half of them do"),
            ("not asked", self._not_asked),
        )
        return Map(
            name=MAP_NAME,
            quantity=DISAGREEMENT,
            unit=NO_UNITS,
            array=np.clip(resample(values, self._geometry, grid), 0, 1),
            geometry=grid,
            about=about,
        )

    @property
    def _not_asked(self) -> str:
        """Where a 0 of the map says nothing."""
        windows, whole = self._windows
        left = whole - windows
        where = f"{left} of {whole} windows, which do not touch the answer"
        return f"{where}: 0 where they alone lie says nothing" if left else "no window: all touch the answer"

    @property
    def _counted(self) -> Agreement:
        if self._agreement is None:
            raise TrustError("no samples were taken", attribute="samples")
        return self._agreement

    def _spread(self, value: int, finding: Finding) -> StructureSpread:
        spread = self._counted.spread(value, level=self.level)
        inner, outer = self._contours(value, finding)
        return StructureSpread(
            tracking_uid=finding.tracking_uid,
            pairwise_dice=spread.pairwise_dice,
            volume_mean=spread.volume_mean,
            volume_deviation=spread.volume_deviation,
            volume_low=spread.volume_low,
            volume_high=spread.volume_high,
            found_in=spread.found_in,
            band_ml=spread.band_ml,
            inner=inner,
            outer=outer,
        )

    def _contours(self, value: int, finding: Finding) -> tuple[PackedMask | None, PackedMask | None]:
        found, region = self._counted.share(value), finding.region
        if found is None or self._geometry is None or not isinstance(region, Mask | PackedMask):
            return None, None
        from slicermedai.inference.labels import mask_on

        box, share = found
        padded, near = np.pad(share, 1), self._widened(box)
        mask, grid = region.to_array(), region.geometry
        inner = mask & mask_on(padded, self.level - _ROUNDING, near, grid)
        outer = mask | mask_on(padded, 1 - self.level + _ROUNDING, near, grid)
        return PackedMask.from_array(inner, grid), PackedMask.from_array(outer, grid)

    def _widened(self, box: tuple[slice, ...]) -> Geometry:
        assert self._geometry is not None
        start, stop = [s.start - 1 for s in box], [s.stop + 1 for s in box]
        return self._geometry.cropped((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


class DropoutSamples(Samples):
    """Samples of a network with dropout left on, held against its answer without: where most of them say something else
    than that, they are of another network, and nothing is told of them."""

    def __init__(self, names: Mapping[int, str]) -> None:
        vary = "Samples vary where the network's answer depends on single ones of its parts, which dropout leaves out."
        super().__init__(DROPOUT, "Monte Carlo dropout", vary)
        self._names, self._answer, self._agreed = names, list[Found](), dict[int, float]()

    def answer(self, found: Iterable[Found]) -> None:
        """Kept, to be compared."""
        super().answer(found)
        self._answer = list(found)

    def end(self, *, windows: int, whole: int, cost: float, seeds: Sequence[int]) -> None:
        """All came; the answer is compared with what most of them say, and forgotten."""
        super().end(windows=windows, whole=whole, cost=cost, seeds=seeds)
        asked = self._answer if self._counted.samples else []
        self._agreed = {value: self._counted.majority_dice(value, box, mask) for value, box, mask in asked}
        self._answer = []

    @property
    def refusal(self) -> str:
        """See :class:`Samples`."""
        return self._checked if self._agreed and min(self._agreed.values()) < DROPOUT_DICE else ""

    @property
    def checks(self) -> tuple[str, ...]:
        """See :class:`Samples`."""
        return (self._checked,) if self._agreed else ()

    @property
    def _checked(self) -> str:
        worst = min(self._agreed, key=lambda value: self._agreed[value])
        return (
            f"with dropout, what most of {self._counted.samples} samples say agrees with the run's answer by a Dice "
            f"of {self._agreed[worst]:.2f} at least ({self._names[worst]}); {DROPOUT_DICE:g} is asked for"
        )


def checked_level(level: float) -> float:
    """``level``; raises :class:`InputError` where it is no share above a half and below 1."""
    if not 0.5 < level < 1:
        raise InputError("must be a share above 0.5 and below 1", attribute="contour_level")
    return level


def sampler(method: str, manifest: Manifest) -> Samples | None:
    """Who counts samples for a run that asks for ``method``, one of :data:`METHODS`; None where it asks for none.

    Raises
    ------
    InputError
        The method is not known, or the model cannot be asked in that way.
    """
    if method not in METHODS:
        raise InputError(f"must be one of {', '.join(METHODS)}", attribute="uncertainty")
    if method == FLIPS:
        return flip_samples()
    if method == FOLDS:
        names = members_of(manifest.folds, title=manifest.ref.title)
        vary = "Samples vary where networks that were trained on other parts of the data answer otherwise."
        return Samples(FOLDS, f"ensemble of {len(names)} folds ({', '.join(names)})", vary)
    if method == DROPOUT:
        return DropoutSamples({value: label.name for value, label in manifest.ref.labels})
    return None


def flip_samples() -> Samples:
    """Samples of mirror images."""
    vary = "Samples vary where the network's answer depends on how the image lies."
    return Samples(FLIPS, "flip test-time augmentation", vary)
