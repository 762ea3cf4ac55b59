"""How a PET series becomes standardized uptake values by body weight, or every condition that does not hold.

After "SUV calculation" of the QIBA FDG-PET/CT profile (vendor-neutral pseudo-code, appendix G) and PS3.3 C.8.9.1:
SUVbw = activity in Bq/ml x body weight in g / dose in Bq, with the dose as it was at the time to which the voxels are
corrected for decay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

from pydicom import Dataset
from pydicom.valuerep import DA, DT, TM

from slicermedai.dicom.files import READ_ERRORS, quiet, text_of
from slicermedai.domain.volume import SuvScale

_GE_PRIVATE = (0x0009, "GEMS_PETD_01", 0x0D)  # PET scan date and time
_CORRECTIONS = ("ATTN", "DECY")
_GRAMS = 1000.0
_LEAST_DOSE = 1e5  # Bq: less was never injected into a person, and is a number in MBq
_MOST_WEIGHT = 650.0  # kg
_MOST_HALF_LIVES = 20.0


class _Unmet(Exception):
    """A condition that does not hold, in words."""


def suv_scale(headers: Sequence[Dataset]) -> SuvScale | None:
    """The scale of a PET series with ``headers`` (one a slice), or None for another modality.

    Values in g/ml are SUVbw already, unless SUV Type (0054,1006) says otherwise. Values in Bq/ml need: attenuation and
    decay correction, to the start of the scan or to the injection; dose, half life, time of injection, weight; and, for
    the start of the scan, a Series Time that is not after the first Acquisition Time (a series processed later has a
    new one: then only GE's private scan time will do). All conditions are looked at, and all that fail are named.
    """
    if not headers or text_of(headers[0], "Modality") != "PT":
        return None
    with quiet():
        units = _same(headers, "Units")
        if units == "GML":
            return _already(headers)
        return _from_activity(headers, units)


def _already(headers: Sequence[Dataset]) -> SuvScale:
    if _same(headers, "SUVType") in ("", "BW"):
        return SuvScale(factor=1.0)
    return _not_computed(["the values are SUV of another kind than by body weight (SUVType)"])


def _from_activity(headers: Sequence[Dataset], units: str) -> SuvScale:
    unmet = [] if units == "BQML" else ["the values are not in Bq/ml (Units)" if units else "Units is missing"]
    unmet += _uncorrected(headers)
    weight = _try(unmet, lambda: _positive(headers[0], "PatientWeight", most=_MOST_WEIGHT))
    dose = _try(unmet, lambda: _positive(_agent(headers[0]), "RadionuclideTotalDose", least=_LEAST_DOSE))
    left = _try(unmet, lambda: _left_of_dose(headers))
    if unmet or weight is None or dose is None or left is None:
        return _not_computed(unmet)
    return SuvScale(factor=weight * _GRAMS / (dose * left))


def _not_computed(unmet: Iterable[str]) -> SuvScale:
    return SuvScale(reason=f"SUV not computed because {'; '.join(dict.fromkeys(unmet))}.")


def _try(unmet: list[str], ask: Callable[[], float]) -> float | None:
    try:
        return ask()
    except _Unmet as error:
        unmet.append(str(error))
    return None


def _uncorrected(headers: Sequence[Dataset]) -> list[str]:
    stated = [set(_many(header.get("CorrectedImage"))) for header in headers]
    return [f"CorrectedImage does not say {name}" for name in _CORRECTIONS if not all(name in one for one in stated)]


def _left_of_dose(headers: Sequence[Dataset]) -> float:
    """The part of the dose that is left at the time that the voxels are corrected to."""
    kind = _same(headers, "DecayCorrection")
    if kind == "ADMIN":
        return 1.0
    if kind != "START":
        raise _Unmet("DecayCorrection is neither START nor ADMIN" if kind else "DecayCorrection is missing")
    half_life = _positive(_agent(headers[0]), "RadionuclideHalfLife")
    scan = _scan_start(headers)
    passed = (scan - _injection(headers[0], scan)).total_seconds()
    if not 0 <= passed <= _MOST_HALF_LIVES * half_life:
        raise _Unmet("the time of injection does not fit that of the scan")
    return float(2.0 ** (-passed / half_life))


# --- times ---------------------------------------------------------------------------------------------------------


def _scan_start(headers: Sequence[Dataset]) -> datetime:
    series = _moment(headers[0], "SeriesDate", "SeriesTime")
    acquired = min(_moment(header, "AcquisitionDate", "AcquisitionTime") for header in headers)
    if series <= acquired:
        return series
    private = _ge_scan_start(headers[0])
    if private is None:
        raise _Unmet("SeriesTime is after AcquisitionTime, so that the start of the scan is not known")
    return private


def _ge_scan_start(header: Dataset) -> datetime | None:
    group, creator, element = _GE_PRIVATE
    try:
        value = header.private_block(group, creator)[element].value
    except KeyError:
        return None
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return _wall_clock(header, text.strip(" \0"), "the private PET scan date and time (GEMS_PETD_01)")


def _injection(header: Dataset, scan: datetime) -> datetime:
    """The date is not stated by older headers: then the last such time of day before ``scan``."""
    agent = _agent(header)
    if text_of(agent, "RadiopharmaceuticalStartDateTime"):
        keyword = "RadiopharmaceuticalStartDateTime"
        return _wall_clock(header, text_of(agent, keyword), keyword)
    keyword = "RadiopharmaceuticalStartTime"
    given = _parsed(TM, _stated(agent, keyword), keyword)
    start = datetime.combine(scan.date(), given)
    return start if start <= scan else start - timedelta(days=1)


def _moment(header: Dataset, date: str, time: str) -> datetime:
    day = _parsed(DA, _stated(header, date), date)
    return datetime.combine(day, _parsed(TM, _stated(header, time), time))


def _parsed(kind: Any, value: str, name: str) -> Any:
    try:
        return kind(value)
    except (ValueError, TypeError) as error:
        raise _Unmet(f"{name} cannot be read") from error


def _wall_clock(header: Dataset, value: str, name: str) -> datetime:
    """A DT as the clock of the series showed it: one with an offset from UTC is converted by TimezoneOffsetFromUTC.

    Dates and times of a series, and a DT without an offset, are in the zone of that attribute (PS3.3 C.12.1).
    """
    moment: datetime = _parsed(DT, value, name)
    if moment.tzinfo is not None:
        moment = moment.astimezone(_zone(header, name))
    return datetime.combine(moment.date(), moment.time().replace(tzinfo=None))


def _zone(header: Dataset, name: str) -> tzinfo | None:
    keyword = "TimezoneOffsetFromUTC"
    if not text_of(header, keyword):
        raise _Unmet(f"{name} has an offset from UTC, and {keyword} is missing")
    zone: tzinfo | None = _parsed(lambda text: datetime.strptime(text, "%z"), text_of(header, keyword), keyword).tzinfo
    return zone


# --- attributes ----------------------------------------------------------------------------------------------------


def _agent(header: Dataset) -> Dataset:
    items: Sequence[Dataset] = header.get("RadiopharmaceuticalInformationSequence") or []
    if len(items) != 1:
        raise _Unmet("RadiopharmaceuticalInformationSequence does not name one radiopharmaceutical")
    return items[0]


def _same(headers: Sequence[Dataset], keyword: str) -> str:
    """One value for all slices, or a word that fits no condition."""
    stated = {text_of(header, keyword) for header in headers}
    return stated.pop() if len(stated) == 1 else "differs between slices"


def _stated(header: Dataset, keyword: str) -> str:
    value = text_of(header, keyword)
    if not value:
        raise _Unmet(f"{keyword} is missing")
    return value


def _positive(header: Dataset, keyword: str, *, least: float = 0.0, most: float = math.inf) -> float:
    text = _stated(header, keyword)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise _Unmet(f"{keyword} is no positive number")
    if not least <= value <= most:
        raise _Unmet(f"{keyword} is not plausible in its unit")
    return value


def _many(value: Any) -> list[str]:
    try:
        return [str(value)] if isinstance(value, str) else [str(part) for part in value or ()]
    except READ_ERRORS:
        return []
