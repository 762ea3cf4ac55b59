"""Does it work for everybody? One number by sex, age band, manufacturer, site: the worst group first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from slicermedai.validate.resampling import Estimate, Resampling, mean_over_patients

FEWEST = 10
UNKNOWN = "not known"
_BANDS = (18, 40, 60, 75)
_MOMENT = 1e-6
"""By how much, in years, a band ends before the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroup:
    """One ``value`` of one property, ``by``; ``estimate`` is None where there are too few patients to say anything, or
    where the number is not defined for them."""

    by: str
    value: str
    patients: int
    estimate: Estimate | None

    @property
    def words(self) -> str:
        """The number with its interval, or "too few"."""
        if self.estimate is None and self.patients >= FEWEST:
            return "not defined"
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

    def estimate(cases: list[int]) -> Estimate:
        return mean_over_patients([values[n] for n in cases], [subjects[n] for n in cases], how)

    found = by_subgroup(estimate, groups, subjects=subjects)
    return found if larger_is_better else _worst_first(found, sign=-1.0)


def by_subgroup(
    estimate: Callable[[list[int]], Estimate | None], groups: Sequence[Mapping[str, str]], *, subjects: Sequence[str]
) -> tuple[Subgroup, ...]:
    """As :func:`subgroups` for any number of which more is better: ``estimate`` makes it from numbers of cases, None
    where it is not defined for them."""
    found = []
    for prop in sorted({name for group in groups for name in group}):
        for value in sorted({group.get(prop, UNKNOWN) for group in groups}):
            cases = [n for n, group in enumerate(groups) if group.get(prop, UNKNOWN) == value]
            patients = len({subjects[n] for n in cases})
            known = estimate(cases) if patients >= FEWEST else None
            found.append(Subgroup(by=prop, value=value, patients=patients, estimate=known))
    return _worst_first(found)


def age_band(years: float | None) -> str:
    """The band that an age in years belongs to, as people read it."""
    if years is None:
        return UNKNOWN
    low = max((edge for edge in (0, *_BANDS) if edge <= years), default=0)
    high = next((edge for edge in _BANDS if edge > years), None)
    return f"{low} and older" if high is None else f"{low} to {high - 1} years"


def ages_of(band: str) -> tuple[float, float] | None:
    """The youngest and the oldest age in years of a band as :func:`age_band` says it; None for other words."""
    for low, high in zip((0, *_BANDS), (*_BANDS, 200), strict=True):
        if band == age_band(float(low)):
            return float(low), high - _MOMENT if high < 200 else 200.0
    return None


def _worst_first(found: Sequence[Subgroup], *, sign: float = 1.0) -> tuple[Subgroup, ...]:
    return tuple(sorted(found, key=lambda s: (s.estimate is None, sign * s.estimate.value if s.estimate else 0.0)))
