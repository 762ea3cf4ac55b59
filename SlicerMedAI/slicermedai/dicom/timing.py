"""The time of an image plane by its header: which attribute gives the order, which the time, and what contradicts.

Times are of Trigger Time and Nominal Cardiac Trigger Delay Time (PS3.3 C.8.3.1, C.7.6.18.1: ms after the R wave),
Frame Reference Time (C.8.9.4: ms), Temporal Position Time Offset (s), or of dates and times of acquisition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from slicermedai.dicom.planes import TIMES, Plane
from slicermedai.errors import GeometryError

FloatArray = NDArray[np.float64]

_WHEN = re.compile(r"(?P<date>\d{8})(?P<time>\d{2,6})?(?P<part>\.\d+)?(?:[+-]\d{4})?")
_EPOCH = datetime(1900, 1, 1)
_OF_DAY = "AcquisitionTime"
_HALF_A_DAY = 43_200.0
POSITIONS = ("TemporalPositionIndex", "TemporalPositionIdentifier")
"""Attributes that number the frames themselves."""
_ORDER_ALONE = (*POSITIONS, "AcquisitionNumber")


@dataclass(frozen=True, slots=True)
class Clock:
    """An attribute that tells a time: its name for people, the planes' values for it, seconds for one unit."""

    name: str
    read: Callable[[Plane], float | None]
    seconds: float = 1.0


def value(plane: Plane, keyword: str) -> str:
    """The text of ``keyword`` (of :data:`~slicermedai.dicom.planes.TIMES`), "" where absent."""
    return plane.times[TIMES.index(keyword)] if plane.times else ""


def number(plane: Plane, keyword: str) -> float | None:
    """The value of ``keyword`` as a finite number, None where it is none."""
    try:
        found = float(value(plane, keyword))
    except ValueError:
        return None
    return found if np.isfinite(found) else None


def _numbers(keyword: str, seconds: float = 1.0) -> Clock:
    return Clock(keyword, lambda plane: number(plane, keyword), seconds)


def _moment(text: str) -> float | None:
    """Seconds of a DICOM date and time (VR DT), without its zone; None for what is none, or has no time of day."""
    found = _WHEN.fullmatch(text.strip())
    if found is None or not found["time"] or len(found["time"]) % 2:
        return None
    try:
        when = datetime.strptime(f"{found['date']}{found['time'].ljust(6, '0')}", "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return (when - _EPOCH) / timedelta(seconds=1) + float(found["part"] or 0)


def _date_time(keyword: str) -> Clock:
    return Clock(keyword, lambda plane: _moment(value(plane, keyword)))


def _of_acquisition(plane: Plane) -> float | None:
    return _moment(f"{value(plane, 'AcquisitionDate') or '19000101'}{value(plane, 'AcquisitionTime')}")


CLOCKS = (
    _numbers("TriggerTime", 1e-3),
    _numbers("NominalCardiacTriggerDelayTime", 1e-3),
    _numbers("FrameReferenceTime", 1e-3),
    _numbers("TemporalPositionTimeOffset"),
    _date_time("FrameReferenceDateTime"),
    _date_time("FrameAcquisitionDateTime"),
    _date_time("AcquisitionDateTime"),
    Clock(_OF_DAY, _of_acquisition),
)
"""By preference."""
ORDERS = (*map(_numbers, POSITIONS), *CLOCKS, _numbers("AcquisitionNumber"))
"""What can put the images of one place in order, by preference."""
TRIGGERED = ("TriggerTime", "NominalCardiacTriggerDelayTime")
"""Times since the R wave, which say nothing of the order where each image is of another heartbeat."""
_OF_ACQUISITION = tuple(clock for clock in ORDERS if clock.name in (_OF_DAY, "AcquisitionNumber"))


def readings(clock: Clock, rows: Sequence[Sequence[Plane]]) -> FloatArray | None:
    """(places, frames) of what ``clock`` says of ``rows``; None where one plane does not say it, or all say one.

    Times of day without a date that lie more than 12 hours apart say nothing either.
    """
    said = [[clock.read(plane) for plane in row] for row in rows]
    if any(one is None for row in said for one in row):
        return None
    found = np.array(said, dtype=np.float64)
    if not np.ptp(found, axis=1).any() or (clock.name == _OF_DAY and _may_pass_midnight(found, rows)):
        return None
    return found


def _may_pass_midnight(said: FloatArray, rows: Sequence[Sequence[Plane]]) -> bool:
    """Times of day without a date lie so far apart that the later may be of the day before."""
    dated = all(value(plane, "AcquisitionDate") for row in rows for plane in row)
    return not dated and float(np.ptp(said)) > _HALF_A_DAY


def ordered(rows: Sequence[Sequence[Plane]]) -> tuple[Clock, list[tuple[Plane, ...]]]:
    """(what gives the order, ``rows`` in it); a row holds the planes of one place.

    Raises
    ------
    GeometryError
        Nothing tells all planes of a place apart; where an attribute tells some, it is named with two files. Or times
        since the R wave give another order than Acquisition Time or Number; both are named.
    """
    doubled: GeometryError | None = None
    for clock in ORDERS:
        said = readings(clock, rows)
        if said is None:
            continue
        order = np.argsort(said, axis=1, kind="stable")
        doubled = doubled or _doubled(clock, rows, said, order)
        if _is_distinct(said):
            found = [tuple(row[i] for i in places) for row, places in zip(rows, order, strict=True)]
            _check_order(clock, found)
            return clock, found
    raise doubled or GeometryError(
        f"{len(rows[0])} images lie at one place, and no attribute tells when each was taken",
        file=rows[0][0].file,
        attribute="TriggerTime, TemporalPositionIdentifier, FrameReferenceTime, AcquisitionTime",
        advice="Export the original series again.",
    )


def _check_order(clock: Clock, rows: Sequence[Sequence[Plane]]) -> None:
    for other in _OF_ACQUISITION if clock.name in TRIGGERED else ():
        said = readings(other, rows)
        if said is None or not _is_distinct(said):
            continue
        place, frame = _first(np.diff(said, axis=1) < 0)
        if place >= 0:
            raise GeometryError(
                "put the images of one place in different orders",
                file=rows[place][frame + 1].file,
                attribute=f"{clock.name}, {other.name}",
                advice="Export the series again without the one that does not tell the order of its frames.",
            )


def _is_distinct(said: FloatArray) -> bool:
    """No two planes of one place say the same."""
    return bool((np.diff(np.sort(said, axis=1), axis=1) > 0).all())


def _first(found: NDArray[np.bool_]) -> tuple[int, int]:
    """Row and column of the first that is True; (-1, -1) where none is."""
    row, column = (int(at[0]) if at.size else -1 for at in np.nonzero(found))
    return row, column


def _doubled(
    clock: Clock, rows: Sequence[Sequence[Plane]], said: FloatArray, order: NDArray[np.intp]
) -> GeometryError | None:
    for row, values, places in zip(rows, said, order, strict=True):
        same = np.flatnonzero(np.diff(values[places]) == 0)
        if same.size:
            first, second = row[places[same[0]]], row[places[same[0] + 1]]
            return GeometryError(
                f"is the same in two images of one place, as {first.file.name} and {second.file.name}",
                file=second.file,
                attribute=clock.name,
                advice="Remove the double, or export the original series again.",
            )
    return None


def seconds_of(rows: Sequence[Sequence[Plane]]) -> tuple[Clock | None, FloatArray]:
    """(what tells the time, (places, frames) of it in s); ``rows`` are in order. (None, zeros) where nothing does.

    A time that is doubled at a place is passed over where another one rises everywhere.

    Raises
    ------
    GeometryError
        Times that go back or stand still from one frame to the next; attribute and file are named.
    """
    doubled: GeometryError | None = None
    for clock in CLOCKS:
        said = readings(clock, rows)
        if said is None:
            continue
        error = _not_rising(clock, rows, said)
        if error is None:
            return clock, said * clock.seconds
        if _is_distinct(said):
            raise error
        doubled = doubled or error
    if doubled:
        raise doubled
    return None, np.zeros((len(rows), len(rows[0])))


def _not_rising(clock: Clock, rows: Sequence[Sequence[Plane]], said: FloatArray) -> GeometryError | None:
    place, frame = _first(np.diff(said, axis=1) <= 0)
    if place < 0:
        return None
    return GeometryError(
        f"does not rise from frame {frame + 1} to frame {frame + 2} of the order of the series",
        file=rows[place][frame + 1].file,
        attribute=clock.name,
        advice="Export the original series again.",
    )
