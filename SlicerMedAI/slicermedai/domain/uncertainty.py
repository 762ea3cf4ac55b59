"""How a run's answers varied when the network was asked again in other ways."""

from __future__ import annotations

from dataclasses import dataclass

from slicermedai.domain.finding import PackedMask


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StructureSpread:
    """How one structure varied over the samples; ``tracking_uid`` is that of its finding.

    Parameters
    ----------
    pairwise_dice:
        Over all pairs of samples, 0 to 1; 1 where all agree.
    volume_mean, volume_deviation, volume_low, volume_high:
        Volumes of the samples in ml, on the network's grid.
    found_in:
        How many samples found it at all.
    band_ml:
        Volume in ml of the voxels that some samples give to the structure and others do not.
    inner, outer:
        What at least the share ``level`` of the samples, and what more than ``1 - level`` of them, give to it, on the
        grid of the image; inner lies within the mask and the mask within outer. None where they were not made.
    """

    tracking_uid: str
    pairwise_dice: float
    volume_mean: float
    volume_deviation: float
    volume_low: float
    volume_high: float
    found_in: int
    band_ml: float
    inner: PackedMask | None = None
    outer: PackedMask | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Uncertainty:
    """How samples were taken and what they showed. Variation is no probability: it says where answers change.

    ``cost`` counts the windows of all samples in sweeps over the whole image: 1 is the run itself, without samples.
    ``notes`` is what must be known to read the numbers. ``includes_result`` is True where the run's own answer is one
    of the samples. ``checks`` is what was checked of the samples, with numbers; ``seeds`` are those of samples that
    were drawn at random, in order.
    """

    method: str
    samples: int
    cost: float
    level: float
    structures: tuple[StructureSpread, ...] = ()
    notes: tuple[str, ...] = ()
    includes_result: bool = True
    checks: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()

    def of(self, tracking_uid: str) -> StructureSpread | None:
        """The spread of one finding, None where it has none."""
        return next((one for one in self.structures if one.tracking_uid == tracking_uid), None)
