"""Does it work for everybody? One number by sex, age band, manufacturer, site: the worst group first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slicermedai.validate.resampling import Estimate, Resampling, mean_over_patients

FEWEST = 10
UNKNOWN = "not known"
_BANDS = (18, 40, 60, 75)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroup:
    """One ``value`` of one property, ``by``; ``estimate`` is None where there are too few patients to say anything."""

    by: str
    value: str
    patients: int
    estimate: Estimate | None

    @property
    def words(self) -> str:
        """The number with its interval, or "too few"."""
        return self.estimate.words if self.estimate else f"too few (fewer than {FEWEST} patients)"


def subgroups(
    values: Sequence[float],
    groups: Sequence[Mapping[str, str]],
    *,
    subjects: Sequence[str],
    how: Resampling,
    larger_is_better: bool = True,
) -> tuple[Subgroup, ...]:
    """Every value of every property in ``groups`` (one mapping per case), the worst first, too few last.

    A case without a property is in the group "not known": none is left out.
    """
    found = [
        _subgroup(
            prop, value, [n for n, g in enumerate(groups) if g.get(prop, UNKNOWN) == value], (values, subjects, how)
        )
        for prop in sorted({name for g in groups for name in g})
        for value in sorted({g.get(prop, UNKNOWN) for g in groups})
    ]
    sign = 1.0 if larger_is_better else -1.0
    return tuple(sorted(found, key=lambda s: (s.estimate is None, sign * s.estimate.value if s.estimate else 0.0)))


def age_band(years: float | None) -> str:
    """The band that an age in years belongs to, as people read it."""
    if years is None:
        return UNKNOWN
    low = max((edge for edge in (0, *_BANDS) if edge <= years), default=0)
    high = next((edge for edge in _BANDS if edge > years), None)
    return f"{low} and older" if high is None else f"{low} to {high - 1} years"


def _subgroup(
    prop: str, value: str, cases: list[int], data: tuple[Sequence[float], Sequence[str], Resampling]
) -> Subgroup:
    values, subjects, how = data
    own = [subjects[n] for n in cases]
    patients = len(set(own))
    estimate = mean_over_patients([values[n] for n in cases], own, how) if patients >= FEWEST else None
    return Subgroup(by=prop, value=value, patients=patients, estimate=estimate)
