"""What calibration needs to know of many voxels, in 256 KiB per structure and without any image.

For each structure the voxels' margins, the log-odds ``log(p / (1 - p))`` of "this structure" against all else, are
counted in 8192 bins, apart for voxels that the reference has inside and outside. Each bin also keeps the sum of its
margins in fixed point, so that its mean is known. Sketches are whole numbers alone: merging is exact, whatever the
order, and a sketch of two cases is bit for bit the sum of theirs. Every calibrator of one margin and every metric of
calibration follows from it, right at any number of voxels below 2^43.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slicermedai.domain.storage import atomic_file
from slicermedai.errors import InputError, UnreadableFileError

BINS = 8192
LIMIT = 32.0
"""Margins are cut to -LIMIT to LIMIT: probabilities of 1.3e-14 and its complement."""
SKETCH_BYTES = 2 * BINS * 16
CHUNK = 1 << 18
SCHEMA = 1

_FRACTION = 20
_SCALE = (1 << _FRACTION) * BINS / (2 * LIMIT)
_LAST = (BINS << _FRACTION) - 1
_DAMAGE = (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile, zlib.error)
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def _table() -> IntArray:
    return np.zeros((2, BINS), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class MarginSketch:
    """Voxels by reference (0 outside, 1 inside) and margin: ``counts`` and fixed-point ``residuals``, (2, BINS) each.

    A residual is the sum over a bin's voxels of margin minus lower bin edge, in units of 2^-27.
    """

    counts: IntArray = field(default_factory=_table)
    residuals: IntArray = field(default_factory=_table)

    def add(self, margins: ArrayLike, truth: ArrayLike) -> MarginSketch:
        """Count voxels in: ``margins`` and bool ``truth`` of one size, any shape; returns this sketch.

        Takes 8 MB beside its arguments, however many voxels there are.

        Raises
        ------
        InputError
            Sizes differ, or a margin is not a number.
        """
        flat, inside = np.ravel(np.asarray(margins)), np.ravel(np.asarray(truth))
        if flat.size != inside.size:
            raise InputError("margins and reference differ in size", attribute="truth")
        for start in range(0, flat.size, CHUNK):
            self._count(flat[start : start + CHUNK], inside[start : start + CHUNK])
        return self

    def __add__(self, other: MarginSketch) -> MarginSketch:
        return MarginSketch(self.counts + other.counts, self.residuals + other.residuals)

    @property
    def voxels(self) -> int:
        """How many voxels were counted."""
        return int(self.counts.sum())

    @property
    def inside(self) -> int:
        """How many of them the reference has inside the structure."""
        return int(self.counts[1].sum())

    def points(self) -> Points:
        """The non-empty bins as weighted points."""
        return points_of(self.counts, mean_margins(self.counts, self.residuals))

    def _count(self, margins: NDArray[Any], inside: NDArray[Any]) -> None:
        if np.isnan(margins).any():
            raise InputError("a margin is not a number", attribute="margins")
        scaled = (np.clip(margins, -LIMIT, LIMIT).astype(np.float64) + LIMIT) * _SCALE
        fixed = np.minimum(np.rint(scaled).astype(np.int64), _LAST)
        place = (fixed >> _FRACTION) + BINS * inside.astype(bool)
        rest = (fixed & ((1 << _FRACTION) - 1)).astype(np.float64)  # sums stay below 2^38: exact in a double
        self.counts[:] += np.bincount(place, minlength=2 * BINS).reshape(2, BINS)
        self.residuals[:] += np.bincount(place, rest, minlength=2 * BINS).astype(np.int64).reshape(2, BINS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Margins with the reference's answer and a weight each, (N,): what calibrators are fitted to."""

    margin: FloatArray
    inside: NDArray[np.bool_]
    weight: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaseSketch:
    """The sketches of one case: label value -> sketch.

    ``subject`` is an opaque key of the patient, the same for every image and every augmented copy of that patient;
    ``generated`` marks phantoms and simulations, ``groups`` is what the scope of a record is made of (as
    ``("Manufacturer", "...")``).
    """

    subject: str
    sketches: dict[int, MarginSketch]
    generated: bool = False
    groups: tuple[tuple[str, str], ...] = ()


def mean_margins(counts: NDArray[Any], residuals: NDArray[Any]) -> FloatArray:
    """(2, BINS) mean margin of each bin; NaN where it is empty. Both may be weighted sums of several sketches'."""
    inside_bin = np.divide(residuals, counts, out=np.full(counts.shape, np.nan), where=counts > 0)
    return np.asarray((np.arange(BINS, dtype=np.float64) * (1 << _FRACTION) + inside_bin) / _SCALE - LIMIT)


def points_of(counts: NDArray[Any], means: FloatArray) -> Points:
    """The non-empty bins of (2, N) counts and mean margins."""
    outcome, number = np.nonzero(counts)
    return Points(margin=means[outcome, number], inside=outcome == 1, weight=counts[outcome, number].astype(np.float64))


def merged(sketches: Iterable[MarginSketch]) -> MarginSketch:
    """The sketch of all voxels of ``sketches``; an empty one of none."""
    total = MarginSketch()
    for sketch in sketches:
        total.counts[:] += sketch.counts
        total.residuals[:] += sketch.residuals
    return total


# --- files -------------------------------------------------------------------------------------------------------


def save_cases(cases: Iterable[CaseSketch], path: Path) -> Path:
    """Write cases to one file: a zip of JSON and of ``.npy`` arrays of the non-empty bins; no pickle, no image."""
    with atomic_file(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        entries = [_write_case(archive, number, case) for number, case in enumerate(cases)]
        archive.writestr("cases.json", json.dumps({"schema": SCHEMA, "bins": BINS, "limit": LIMIT, "cases": entries}))
    return Path(path)


def load_cases(path: Path) -> tuple[CaseSketch, ...]:
    """Read what :func:`save_cases` wrote.

    Raises
    ------
    UnreadableFileError
        Missing, damaged, or with other bins than this version's.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            body = json.loads(archive.read("cases.json"))
            if (body["schema"], body["bins"], body["limit"]) != (SCHEMA, BINS, LIMIT):
                raise UnreadableFileError("was written by another version", file=path, attribute="schema")
            return tuple(_read_case(archive, entry) for entry in body["cases"])
    except _DAMAGE as error:
        raise UnreadableFileError(
            f"holds no sketches of cases ({type(error).__name__})",
            file=path,
            advice="Was it written by this program, and copied whole?",
        ) from error


def pack(sketch: MarginSketch) -> NDArray[np.int64]:
    """(3, N): place, count and residual of the non-empty bins."""
    place = np.flatnonzero(sketch.counts)
    return np.stack([place, sketch.counts.ravel()[place], sketch.residuals.ravel()[place]])


def unpack(packed: NDArray[np.int64]) -> MarginSketch:
    """The way back from :func:`pack`; IndexError or ValueError for what is no such array."""
    sketch = MarginSketch()
    place, counts, residuals = packed
    if packed.size and (place.min() < 0 or counts.min() < 1 or residuals.min() < 0):
        raise ValueError("not the bins of a sketch")
    sketch.counts.reshape(-1)[place] = counts
    sketch.residuals.reshape(-1)[place] = residuals
    return sketch


def _write_case(archive: zipfile.ZipFile, number: int, case: CaseSketch) -> dict[str, Any]:
    for value, sketch in case.sketches.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, pack(sketch), allow_pickle=False)
        archive.writestr(f"{number}-{value}.npy", buffer.getvalue())
    return {
        "number": number,
        "subject": case.subject,
        "generated": case.generated,
        "groups": case.groups,
        "values": list(case.sketches),
    }


def _read_case(archive: zipfile.ZipFile, entry: dict[str, Any]) -> CaseSketch:
    return CaseSketch(
        subject=str(entry["subject"]),
        generated=bool(entry["generated"]),
        groups=tuple((str(name), str(value)) for name, value in entry["groups"]),
        sketches=dict(_read_sketches(archive, entry)),
    )


def _read_sketches(archive: zipfile.ZipFile, entry: dict[str, Any]) -> Iterator[tuple[int, MarginSketch]]:
    for value in entry["values"]:
        with archive.open(f"{entry['number']}-{value}.npy") as stream:
            packed = np.lib.format.read_array(stream, allow_pickle=False)
        yield int(value), unpack(packed)
