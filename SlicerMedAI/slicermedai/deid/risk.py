"""How well patients can still be told apart by what is left in the output: k-anonymity and prosecutor risk.

Patients with the same combination of what is left form a class. k is the size of the smallest one (Sweeney, 2002,
doi:10.1142/S0218488502001648). Whoever knows that somebody is in the cohort, and knows all these values, picks the
right one of a class of f patients with a probability of 1/f: the prosecutor risk (El Emam and Dankar, 2008,
doi:10.1197/jamia.M2716). Values are compared as they were written, a missing one as a value of its own, so the risk
is rather too high than too low.

What it does not say: whether patients of one class share a diagnosis (l-diversity), what free text, pixels and rare
findings tell, and how many patients outside the cohort are alike.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from slicermedai.deid.dates import DateRule, as_date, cap_age

LIMITS = (2, 3, 5, 11)
"""Class sizes that are asked for: unique, two alike, common for research data, smallest published cell (CMS)."""
_DUMMIES = frozenset({"", "REMOVED", "000Y"})
_Row = Mapping[str, Any]
_Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Driver:
    """What the cohort would be like without one attribute.

    Parameters
    ----------
    k, unique:
        Size of the smallest class, and patients who are alone in theirs.
    mean_risk:
        Mean prosecutor risk, 0 to 1.
    """

    attribute: str
    k: int
    unique: int
    mean_risk: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskReport:
    """The risk within one cohort.

    Parameters
    ----------
    patients:
        How many there are.
    not_assessed:
        Why there are no figures; "" where there are, and all of the following is None or empty otherwise.
    attributes:
        What was left and compared.
    k, classes:
        Size of the smallest class, and number of classes.
    below:
        Class size -> patients in smaller classes, for :data:`LIMITS`.
    max_risk, mean_risk:
        Prosecutor risk, 0 to 1: 1/k, and the mean over all patients (classes / patients).
    drivers:
        By attribute what its absence would change, the most telling one first.
    """

    patients: int
    dates: DateRule
    not_assessed: str = ""
    attributes: tuple[str, ...] = ()
    k: int | None = None
    classes: int | None = None
    below: tuple[tuple[int, int], ...] = ()
    max_risk: float | None = None
    mean_risk: float | None = None
    drivers: tuple[Driver, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the sentences included; ``below`` has its class sizes as keys."""
        return {
            **asdict(self),
            "dates": self.dates.value,
            "below": {str(limit): count for limit, count in self.below},
            "sentences": self.sentences(),
        }

    def sentences(self) -> list[str]:
        """In words, for the report."""
        if self.not_assessed:
            return [f"The risk of re-identification was not assessed: {self.not_assessed}."]
        return [*self._figures(), *self._telling(), _NOT_LOOKED_AT]

    def _figures(self) -> list[str]:
        if not self.attributes:
            return [f"Of what was looked at nothing is left: the {self.patients} patients cannot be told apart by it."]
        below = dict(self.below)
        smaller = ", ".join(f"in groups smaller than {limit}: {below[limit]}" for limit in LIMITS[1:])
        return [
            f"Compared were: {', '.join(self.attributes)}.",
            f"The smallest group of patients who are alike in all of it: {self.k} of {self.patients} (k = {self.k}).",
            f"Patients who are alone in their group: {below[2]}; {smaller}.",
            "Whoever knows all of this about a patient of the cohort finds the right one with a probability of "
            f"{_percent(self.max_risk)} at most and {_percent(self.mean_risk)} on average.",
        ]

    def _telling(self) -> list[str]:
        """The attribute whose absence helps most, where it helps."""
        best = self.drivers[0] if self.drivers else None
        if best is None or best.mean_risk == self.mean_risk:
            return []
        return [
            f"Most is told by the {best.attribute}: without it k would be {best.k}, patients alone in their group "
            f"{best.unique}, and the probability {_percent(best.mean_risk)} on average."
        ]


_NOT_LOOKED_AT = (
    "Not looked at: free text, pixels, rare findings, and what patients of one group have in common beside these "
    "values (l-diversity is not claimed)."
)


def assess(patients: Sequence[_Row], *, dates: DateRule) -> RiskReport:
    """The risk within a cohort.

    Parameters
    ----------
    patients:
        One mapping per patient from DICOM keyword to a value or to several ones, as :func:`patients_of` makes them.
    dates:
        What became of dates: kept ones are compared as they are, shifted ones by the days between examinations
        (which a shift keeps), years as years, removed ones not at all.
    """
    if len(patients) < 2:
        reason = "there is one patient alone, and nobody to compare with" if patients else "there are no patients"
        return RiskReport(patients=len(patients), dates=dates, not_assessed=reason)
    columns = {name: [read(row, dates) for row in patients] for name, read in _ATTRIBUTES.items()}
    left = {name: values for name, values in columns.items() if any(values)}
    sizes = _sizes(list(left.values()), len(patients))
    return RiskReport(
        patients=len(patients),
        dates=dates,
        attributes=tuple(left),
        k=min(sizes),
        classes=len(sizes),
        below=tuple((limit, sum(size for size in sizes if size < limit)) for limit in LIMITS),
        max_risk=1 / min(sizes),
        mean_risk=len(sizes) / len(patients),
        drivers=_drivers(left, len(patients)),
    )


def patients_of(headers: Iterable[_Row]) -> tuple[dict[str, tuple[str, ...]], ...]:
    """One row per patient from the headers of output files (mappings by keyword), with all values that occur.

    Patients are told apart by their pseudonymous PatientID; files without one count as one patient.
    """
    found: dict[str, defaultdict[str, set[str]]] = {}
    for header in headers:
        row = found.setdefault(_first(header, "PatientID"), defaultdict(set))
        for keyword in KEYWORDS:
            row[keyword].update(_texts(header, keyword))
    return tuple({key: tuple(sorted(values)) for key, values in row.items() if values} for row in found.values())


def _drivers(left: Mapping[str, list[_Values]], patients: int) -> tuple[Driver, ...]:
    drivers = []
    for name in left:
        sizes = _sizes([values for other, values in left.items() if other != name], patients)
        drivers.append(Driver(name, min(sizes), sum(size == 1 for size in sizes), len(sizes) / patients))
    return tuple(sorted(drivers, key=lambda driver: (driver.mean_risk, -driver.k)))


def _sizes(columns: Sequence[Sequence[_Values]], patients: int) -> list[int]:
    """Sizes of the classes; without any column all patients are in one."""
    return list(Counter(zip(*columns, strict=True)).values()) if columns else [patients]


def _first(row: _Row, keyword: str) -> str:
    return next(iter(_texts(row, keyword)), "")


def _texts(row: _Row, keyword: str) -> list[str]:
    value = row.get(keyword)
    many = value if isinstance(value, list | tuple | set | frozenset) else [value]
    texts = [str(one).strip(" \0") for one in many if one is not None]
    return [text for text in texts if text not in _DUMMIES]


def _as_written(*keywords: str) -> Callable[[_Row, DateRule], _Values]:
    def read(row: _Row, dates: DateRule) -> _Values:
        del dates
        values = [tuple(sorted({text.casefold() for text in _texts(row, keyword)})) for keyword in keywords]
        return tuple(values) if any(values) else ()

    return read


def _age(row: _Row, dates: DateRule) -> _Values:
    """Ages as they stand; what is over 89 years counts as 90."""
    del dates
    return tuple(sorted({cap_age(text) or text for text in _texts(row, "PatientAge")}))


def _rounded(keyword: str, factor: float) -> Callable[[_Row, DateRule], _Values]:
    """Numbers as whole multiples, since nobody knows a stranger's weight to the gram."""

    def read(row: _Row, dates: DateRule) -> _Values:
        del dates
        return tuple(sorted({_number(text, factor) for text in _texts(row, keyword)}, key=str))

    return read


def _number(text: str, factor: float) -> int | str:
    try:
        return round(float(text) * factor)
    except (ValueError, OverflowError):
        return text


def _days(row: _Row, dates: DateRule) -> _Values:
    days = sorted({day for text in _texts(row, "StudyDate") if (day := as_date(text))})
    if dates is DateRule.REMOVE or not days:
        return ()
    if dates is DateRule.YEAR_ONLY:
        return tuple(sorted({day.year for day in days}))
    if dates is DateRule.SHIFT:
        return tuple((day - days[0]).days for day in days[1:])
    return tuple(day.toordinal() for day in days)


def _percent(share: float | None) -> str:
    return f"{100 * (share or 0.0):.3g} %"


_ATTRIBUTES: dict[str, Callable[[_Row, DateRule], _Values]] = {
    "age": _age,
    "sex": _as_written("PatientSex"),
    "size (cm)": _rounded("PatientSize", 100.0),
    "weight (kg)": _rounded("PatientWeight", 1.0),
    "ethnic group": _as_written("EthnicGroup"),
    "dates of examinations": _days,
    "site": _as_written("InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName"),
    "scanner": _as_written("Manufacturer", "ManufacturerModelName", "StationName", "DeviceSerialNumber"),
}
KEYWORDS = (
    "PatientAge",
    "PatientSex",
    "PatientSize",
    "PatientWeight",
    "EthnicGroup",
    "StudyDate",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
    "Manufacturer",
    "ManufacturerModelName",
    "StationName",
    "DeviceSerialNumber",
)
"""Attributes (top level) that headers should have for :func:`patients_of`, beside PatientID."""
