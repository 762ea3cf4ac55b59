"""What changed since an earlier study: the volume of each structure then and now, and how long that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from slicermedai.domain.codes import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One structure in both studies, volumes in ml, NaN where one has none; ``how`` it was known to be the same.

    ``note`` says why the volumes cannot be compared, "" where they can.
    """

    tracking_uid: str
    label: Label
    before: float
    after: float
    how: str
    note: str = ""

    @property
    def difference(self) -> float:
        """In ml; NaN where a volume is not known, or the two cannot be compared."""
        return math.nan if self.note else self.after - self.before

    @property
    def percent(self) -> float:
        """Of the earlier volume; NaN where that is 0 or not known, or the two cannot be compared."""
        return 100 * self.difference / self.before if self.before else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """The changes since one earlier study.

    Parameters
    ----------
    days:
        From the earlier study's date to this one's; None where a date is not known.
    earlier_date:
        YYYYMMDD, "" where it is not known.
    unmatched:
        Findings of either study that are not known in the other, and why not.
    notes:
        What must be read before the numbers: another model, voxels that a person changed.
    """

    days: int | None = None
    earlier_date: str = ""
    changes: tuple[Change, ...] = ()
    unmatched: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
