"""What a model found: a label, a region in space, measurements and how far to trust them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count, product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slicermedai.domain.codes import IN_BOX, Code, Label
from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.volume import LabelMap
from slicermedai.domain.words import Words
from slicermedai.errors import GeometryError, InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """From ``low`` to ``high`` in the unit of the value, at ``level`` (0.9: nine in ten); ends may be infinite."""

    low: float
    high: float
    level: float = 0.9

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise InputError("an interval needs low <= high", attribute="low")
        if not 0 < self.level < 1:
            raise InputError("the level of an interval lies between 0 and 1", attribute="level")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mask:
    """A region as one value of a label map that other findings may share."""

    label_map: LabelMap
    value: int

    def __post_init__(self) -> None:
        if not 1 <= self.value <= np.iinfo(self.label_map.array.dtype).max:
            raise InputError("a region's value is at least 1 and fits its label map", attribute="value")

    @property
    def geometry(self) -> Geometry:
        """The grid of the whole label map."""
        return self.label_map.geometry

    def to_array(self) -> NDArray[np.bool_]:
        """(slices, rows, columns) bool on :attr:`geometry`."""
        return np.asarray(self.label_map.array == self.value)

    def plane(self, index: int) -> NDArray[np.bool_]:
        """(rows, columns) bool: slice ``index`` of :meth:`to_array`, without the others."""
        return np.asarray(self.label_map.array[index] == self.value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PackedMask:
    """A region as bits of its bounding box alone, so that overlapping structures cost what they cover.

    ``bits`` is ``numpy.packbits`` of the box ``start`` to ``stop`` (slice, row, column; stop excluded) of
    ``geometry``, flattened in C order.
    """

    bits: NDArray[np.uint8]
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    geometry: Geometry

    def __post_init__(self) -> None:
        inside = all(0 <= a <= b <= n for a, b, n in zip(self.start, self.stop, self.geometry.shape, strict=True))
        size = int(np.prod(np.subtract(self.stop, self.start)))
        if not inside or self.bits.size != -(-size // 8):
            raise GeometryError("a packed mask's box or bits do not fit its grid", attribute="start")

    def __repr__(self) -> str:
        return f"PackedMask(start={self.start}, stop={self.stop} of {self.geometry.in_words})"

    @classmethod
    def from_array(cls, array: NDArray[np.bool_], geometry: Geometry) -> PackedMask:
        """From a bool array (slices, rows, columns) on ``geometry``."""
        if array.shape != geometry.shape:
            raise GeometryError("mask and geometry differ in shape", attribute="shape")
        start, stop = _bounding_box(array)
        box = array[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
        return cls(bits=np.packbits(box, axis=None), start=start, stop=stop, geometry=geometry)

    def to_array(self) -> NDArray[np.bool_]:
        """(slices, rows, columns) bool on :attr:`geometry`."""
        size = tuple(b - a for a, b in zip(self.start, self.stop, strict=True))
        out = np.zeros(self.geometry.shape, dtype=bool)
        box = np.unpackbits(self.bits, count=int(np.prod(size))).reshape(size).astype(bool)
        out[tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))] = box
        return out

    def plane(self, index: int) -> NDArray[np.bool_]:
        """(rows, columns) bool: slice ``index`` of :meth:`to_array`, without the others."""
        out = np.zeros(self.geometry.shape[1:], dtype=bool)
        (first, top, left), (last, bottom, right) = self.start, self.stop
        if first <= index < last:
            out[top:bottom, left:right] = self.slab(index - first, index - first + 1)[0]
        return out

    def slab(self, first: int, last: int) -> NDArray[np.bool_]:
        """(slices, rows, columns) bool: the slices ``first`` to ``last``, excluded, of the box, without the others."""
        rows, columns = (int(b - a) for a, b in zip(self.start[1:], self.stop[1:], strict=True))
        begin, size = first * rows * columns, (last - first) * rows * columns
        bits = np.unpackbits(self.bits[begin // 8 : -(-(begin + size) // 8)])[begin % 8 :][:size]
        return bits.reshape(last - first, rows, columns).view(bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box: ``low`` and ``high`` corners along the patient axes, LPS mm.

    A box that lies along the voxels of an oblique grid has that ``geometry`` too, with the voxels' outer faces that it
    reaches from and to (``start``, ``stop``: fractional indices); ``low`` and ``high`` are then what holds it.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    geometry: Geometry | None = None
    start: tuple[float, float, float] | None = None
    stop: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if not all(a <= b for a, b in zip(self.low, self.high, strict=True)):
            raise InputError("a box needs low <= high on every axis", attribute="low")
        if len({self.geometry is None, self.start is None, self.stop is None}) != 1:
            raise InputError("a box along voxels needs its grid, its start and its stop", attribute="geometry")

    @classmethod
    def along(cls, geometry: Geometry, start: ArrayLike, stop: ArrayLike) -> Box:
        """The box from index ``start`` to ``stop`` of ``geometry``; whole voxels reach from n - 0.5 to n + 0.5."""
        first, last = np.asarray(start, dtype=np.float64), np.asarray(stop, dtype=np.float64)
        corners = geometry.to_lps([[(first, last)[bit][axis] for axis, bit in enumerate(bits)] for bits in _CORNERS])
        low, high = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        return cls(
            low=tuple(low), high=tuple(high), geometry=geometry, start=tuple(first.tolist()), stop=tuple(last.tolist())
        )

    @property
    def frame(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Middle (LPS mm), edges (mm) and axes (3 x 3, one in each column, LPS) of the box itself, not of its hull."""
        if self.geometry is None or self.start is None or self.stop is None:
            low, high = np.asarray(self.low), np.asarray(self.high)
            return (low + high) / 2, high - low, np.eye(3)
        start, stop = np.asarray(self.start), np.asarray(self.stop)
        middle = np.asarray(self.geometry.to_lps((start + stop) / 2))
        return middle, (stop - start) * self.geometry.spacing, self.geometry.directions


_CORNERS = tuple(product((0, 1), repeat=3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A place, LPS mm."""

    position: tuple[float, float, float]


Region = Mask | PackedMask | Box | Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A number with its coded name, UCUM unit, method and interval (TID 300, PS3.16).

    Parameters
    ----------
    derivation:
        How the number follows from many (CID 7464): the mean of a region, its standard deviation.
    points:
        Where a length was measured: its two ends, LPS mm.
    missing:
        Why there is no number; ``value`` is then NaN.
    """

    name: Code
    value: float
    unit: Code
    method: Code | None = None
    interval: Interval | None = None
    derivation: Code | None = None
    points: tuple[tuple[float, float, float], ...] = ()
    missing: str = ""

    def __post_init__(self) -> None:
        if self.missing and self.value == self.value:
            raise InputError("a measurement that says why it is missing has no number", attribute="missing")

    @property
    def title(self) -> str:
        """For people: "Volume", "SUVbw (Mean)", in a box "Volume [half of contrast in the box, not validated]"."""
        name = f"{self.name.meaning} ({self.derivation.meaning})" if self.derivation else self.name.meaning
        return f"{name} [{IN_BOX.meaning.lower()}]" if self.method == IN_BOX else name


class ConfidenceState(Words):
    """How a confidence came about; only CALIBRATED may be shown or coded as a probability."""

    CALIBRATED = "calibrated"
    NOT_CALIBRATED = "not calibrated"
    NOT_ASSESSED = "not assessed"
    NOT_ASSESSED_EDITED = "not assessed (edited)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """How far to trust a finding.

    ``raw_score`` is the network's own number and means nothing by itself. ``probability`` is set only together
    with CALIBRATED and the name of the calibration; anything else is refused.
    """

    state: ConfidenceState = ConfidenceState.NOT_ASSESSED
    raw_score: float | None = None
    probability: float | None = None
    calibration: str = "none"
    interval: Interval | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        calibrated = self.state is ConfidenceState.CALIBRATED
        if calibrated != (self.probability is not None) or calibrated != (self.calibration != "none"):
            raise InputError(
                "a probability needs a calibration, and a calibration a probability", attribute="probability"
            )
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise InputError("a probability lies between 0 and 1", attribute="probability")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finding:
    """One structure or lesion. ``tracking_uid`` stays the same in SEG, SR, FHIR and over time points.

    So does ``number``, by which people know it ("Lesion 3"); where it is 0, :func:`numbers` says it by its place.
    """

    tracking_uid: str
    label: Label
    region: Region | None = None
    measurements: tuple[Measurement, ...] = ()
    confidence: Confidence = Confidence()
    number: int = 0

    @property
    def why_not_measured(self) -> str:
        """Why it has no number at all, where all its measurements say the same; "" where it has one, or no columns."""
        whys = {one.missing for one in self.measurements}
        return whys.pop() if len(whys) == 1 else ""


def numbers(findings: Sequence[Finding]) -> tuple[int, ...]:
    """The number by which people know each of ``findings``, no two the same.

    What has none is known by its place, or, where another finding has that number, by the next that nothing has.
    """
    had = {one.number for one in findings}
    free = count(1 + max(had | {len(findings)}))
    places = enumerate(findings, 1)
    return tuple(one.number or (place if place not in had else next(free)) for place, one in places)


def numbered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """``findings`` with their numbers said (:func:`numbers`), so that they stay when some are left out."""
    findings = tuple(findings)
    return tuple(replace(one, number=number) for one, number in zip(findings, numbers(findings), strict=True))


def tracking_uid(*names: str) -> str:
    """A tracking UID that follows from ``names`` (source series, model, label): under 2.25, at most 44 characters.

    Running the same model on the same series again gives the same UIDs, so that a result can be told from a copy.
    """
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, ' '.join(('slicermedai tracking', *names))).int}"


def _bounding_box(array: NDArray[Any]) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    if not array.any():
        return (0, 0, 0), (0, 0, 0)
    start, stop = [], []
    for axis in range(3):
        hit = np.flatnonzero(array.any(axis=tuple(a for a in range(3) if a != axis)))
        start.append(int(hit[0]))
        stop.append(int(hit[-1]) + 1)
    return (start[0], start[1], start[2]), (stop[0], stop[1], stop[2])
