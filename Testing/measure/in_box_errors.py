"""How far lesions that are segmented inside boxes are from their true size.

``python -m Testing.measure.in_box_errors``: balls in generated lungs, each size on each grid with several
places, boxes and noises, a third of them oblique; writes the rows of the table in Resources/Docs/models.md.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from slicermedai.domain.codes import LONG_AXIS, SHORT_AXIS
from slicermedai.domain.finding import PackedMask
from slicermedai.domain.geometry import FloatArray
from slicermedai.domain.lung_rads import mean_diameter
from slicermedai.domain.volume import Volume
from slicermedai.measure.in_box import lesion_in_box
from slicermedai.measure.methods import measure
from Testing.fixtures.grids import AXIAL, grid, rotated
from Testing.fixtures.nodules import TISSUE, Solid, box_around, ellipsoid, painted, vessel, wall

SPACINGS = ((0.7, 0.7, 0.7), (1.25, 0.7, 0.7), (2.5, 1.0, 1.0))
SIZES = (4, 5, 6, 8, 10, 14, 20)
BESIDE = ("nothing", "vessel of 2 mm", "vessel of 2 mm that ends", "wall that touches", "wall 1 mm off")
TIMES = 12


@dataclass(frozen=True, slots=True)
class Errors:
    """Of the balls of one kind: how many were measured, and by how many mm their mean diameter is off."""

    tried: int
    off: tuple[float, ...]

    @property
    def in_words(self) -> str:
        """Cells of a row: measured, median and worst error in mm."""
        if not self.off:
            return f"0 of {self.tried} | |"
        worst = max(self.off, key=abs)
        return f"{len(self.off)} of {self.tried} | {np.median(self.off):+.1f} | {worst:+.1f}"


def errors(size: float, spacing: tuple[float, float, float], beside: str = BESIDE[0], times: int = TIMES) -> Errors:
    """Of balls of ``size`` mm on a grid of ``spacing`` (slice, row, column)."""
    rng = np.random.default_rng(3)
    off = []
    for number in range(times):
        middle, slack = rng.uniform(-1, 1, 3), rng.uniform(0, 2)
        volume = _image(
            size, spacing, [*_beside(beside, middle, size / 2), (ellipsoid(middle, size / 2), TISSUE)], number
        )
        mask = lesion_in_box(volume, box_around(middle, size / 2, slack=slack))
        if isinstance(mask, PackedMask):
            lengths = {one.name: one.value for one in measure(mask, volume=volume)}
            off.append(mean_diameter(lengths[LONG_AXIS], lengths[SHORT_AXIS]) - size)
    return Errors(tried=times, off=tuple(off))


def _image(size: float, spacing: tuple[float, float, float], solids: list[tuple[Solid, float]], number: int) -> Volume:
    a, b, c = (math.ceil((2 * size + 14) / step) for step in spacing)
    geometry = grid(AXIAL, shape=(a, b, c), spacing=spacing)
    return painted(rotated(geometry, (10.0, 20.0, 5.0)) if number % 3 == 2 else geometry, solids, seed=number)


def _beside(what: str, middle: FloatArray, radius: float) -> list[tuple[Solid, float]]:
    if what == BESIDE[0]:
        return []
    if what == BESIDE[1]:
        return [(vessel(middle, (1.0, 0.4, 0.2), 1.0), TISSUE)]
    if what == BESIDE[2]:
        tube, near = vessel(middle, (1.0, 0.4, 0.2), 1.0), ellipsoid(middle, radius + 4)
        return [(lambda points: np.asarray(tube(points) & near(points)), TISSUE)]
    gap = 0.0 if what == BESIDE[3] else 1.0
    return [(wall(middle + np.array([radius + gap, 0, 0]), (1.0, 0.0, 0.0)), TISSUE)]


def rows() -> Iterator[str]:
    """The table, a line each."""
    yield "| Diameter | Voxels (slice, row, column) | Beside it | Measured | Median error | Worst error |"
    yield "|---|---|---|---|---|---|"
    for size in SIZES:
        for spacing in SPACINGS:
            yield f"| {size} mm | {' x '.join(map(str, spacing))} mm | {BESIDE[0]} | {errors(size, spacing).in_words} |"
    for beside in BESIDE[1:]:
        for size in (6, 10):
            spacing = SPACINGS[1]
            cells = errors(size, spacing, beside).in_words
            yield f"| {size} mm | {' x '.join(map(str, spacing))} mm | {beside} | {cells} |"


if __name__ == "__main__":
    for line in rows():
        sys.stdout.write(line + "\n")
