"""How a result moved when the image was changed as little as a second scan of the same patient would change it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureStability:
    """How one structure moved; ``tracking_uid`` is that of its finding.

    Parameters
    ----------
    dice:
        With the run's own answer, 0 to 1, one number for each perturbation in their order.
    change:
        Of the volume, in per cent of the run's own; -100 where the structure was not found any more.
    reason:
        Why it moved beyond the bounds, in words; "" where it did not.
    """

    tracking_uid: str
    dice: tuple[float, ...]
    change: tuple[float, ...]
    reason: str = ""

    @property
    def lowest_dice(self) -> float:
        """The Dice of the perturbation that moved it most."""
        return min(self.dice)

    @property
    def largest_change(self) -> float:
        """The change of the volume that is farthest from none, in per cent with its sign."""
        return max(self.change, key=abs)

    @property
    def is_stable(self) -> bool:
        """False where it moved beyond the bounds."""
        return not self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """What was changed about the image, in words, and how each structure moved.

    A structure is stable while its Dice stays at ``dice_bound`` or above and its volume within ``volume_bound`` per
    cent. ``notes`` is what must be known to read the numbers, and why something was not tried. ``asked`` is how many
    perturbations were wanted, 0 where that is not known.
    """

    perturbations: tuple[str, ...]
    dice_bound: float
    volume_bound: float
    structures: tuple[StructureStability, ...] = ()
    notes: tuple[str, ...] = ()
    asked: int = 0

    @property
    def is_whole(self) -> bool:
        """False where the check broke off: what moved within the bounds until then may still not be stable."""
        return len(self.perturbations) >= self.asked

    def of(self, tracking_uid: str) -> StructureStability | None:
        """How one finding moved, None where nothing is known of it."""
        return next((one for one in self.structures if one.tracking_uid == tracking_uid), None)
