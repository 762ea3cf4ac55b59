"""All measurements, as one table: a name, and a function of the structure. A new one is a line in METHODS."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.codes import LONG_AXIS, MILLILITER, MILLIMETER, SHORT_AXIS, Code
from slicermedai.domain.finding import Box, Mask, Measurement, PackedMask, Point, Region
from slicermedai.domain.suggest import did_you_mean
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from slicermedai.measure import codes, intensity, surface
from slicermedai.measure.diameters import Segment
from slicermedai.measure.structure import Structure, structures
from slicermedai.measure.volume import MM3_PER_ML, volume_of

Method = Callable[[Structure], Measurement | None]

NO_VOXELS = "the region has no voxels"


def measure(
    region: Region | None, *, volume: Volume | None = None, wanted: Sequence[str] | None = None
) -> tuple[Measurement, ...]:
    """The ``wanted`` measurements of one region; see :func:`measure_all`."""
    return next(iter(measure_all([region], volume=volume, wanted=wanted)))


def measure_all(
    regions: Iterable[Region | None], *, volume: Volume | None = None, wanted: Sequence[str] | None = None
) -> tuple[tuple[Measurement, ...], ...]:
    """The ``wanted`` measurements of every region, in their order.

    All regions with voxels get the same measurements in the same order, as tables and TID 1411 groups want; what one
    of them cannot have (an empty region has no diameter) is there with the reason in ``missing``. Regions without
    voxels of their own (boxes, points, None) have none.

    Parameters
    ----------
    volume:
        What was imaged, on the grid of the regions. Without it, or where its voxels measure nothing that has a code
        and a known unit, there are no intensities.
    wanted:
        Names of :data:`METHODS`; :data:`DEFAULT` where it is None.

    Raises
    ------
    InputError
        A name that is not in the table.
    GeometryError
        A region and ``volume`` lie on different grids.
    """
    methods = [_method(name) for name in (DEFAULT if wanted is None else wanted)]
    regions = list(regions)
    found = structures([one for one in regions if isinstance(one, (Mask, PackedMask))], volume)
    numbers = iter([_measured(structure, methods) for structure in found])
    return tuple(() if one is None or isinstance(one, (Box, Point)) else next(numbers) for one in regions)


def _measured(structure: Structure, methods: Sequence[Method]) -> tuple[Measurement, ...]:
    made = (method(structure) for method in methods)
    return tuple(one for one in made if one is not None)


def _method(name: str) -> Method:
    if name not in METHODS:
        advice = did_you_mean(name, METHODS) or f"Choose from {', '.join(METHODS)}."
        raise InputError(f"there is no measurement {name!r}", attribute="wanted", advice=advice)
    return METHODS[name]


# --- the methods ---------------------------------------------------------------------------------------------------


def _volume(structure: Structure) -> Measurement:
    return volume_of(structure.voxels, structure.geometry)


def _mesh_volume(structure: Structure) -> Measurement:
    millilitres = surface.enclosed(structure.cells, structure.steps) / MM3_PER_ML
    return Measurement(name=codes.MESH_VOLUME, value=millilitres, unit=MILLILITER)


def _surface(structure: Structure) -> Measurement:
    value = surface.area(structure.cells, structure.steps)
    return Measurement(name=codes.SURFACE_AREA, value=value, unit=codes.SQUARE_MILLIMETER)


def _long_axis(structure: Structure) -> Measurement:
    axes = structure.axes
    return _length(LONG_AXIS, axes.long if axes else None, codes.IN_PLANE)


def _short_axis(structure: Structure) -> Measurement:
    axes = structure.axes
    return _length(SHORT_AXIS, axes.short if axes else None, codes.IN_PLANE)


def _maximum_diameter(structure: Structure) -> Measurement:
    return _length(codes.MAXIMUM_3D_DIAMETER, structure.longest, None)


def _length(name: Code, line: Segment | None, method: Code | None) -> Measurement:
    if line is None:
        return Measurement(name=name, value=math.nan, unit=MILLIMETER, method=method, missing=NO_VOXELS)
    ends = tuple((float(x), float(y), float(z)) for x, y, z in (line.start, line.end))
    return Measurement(name=name, value=line.length, unit=MILLIMETER, method=method, points=ends)


def _intensity(derivation: Code, statistic: Callable[[NDArray[Any]], float]) -> Method:
    """``statistic`` of the voxel values; the unit is that of the image."""

    def method(structure: Structure) -> Measurement | None:
        kind = intensity.quantity_of(structure.image)
        if kind is None:
            return None
        empty = not structure.values.size
        return Measurement(
            name=kind.name,
            value=math.nan if empty else statistic(structure.values) * kind.factor,
            unit=kind.unit,
            method=kind.method,
            derivation=derivation,
            missing=NO_VOXELS if empty else "",
        )

    return method


METHODS: dict[str, Method] = {
    "volume": _volume,
    "long axis": _long_axis,
    "short axis": _short_axis,
    "3D diameter": _maximum_diameter,
    "surface area": _surface,
    "mean": _intensity(codes.MEAN, intensity.mean),
    "standard deviation": _intensity(codes.STANDARD_DEVIATION, intensity.standard_deviation),
    "mesh volume": _mesh_volume,
    "median": _intensity(codes.MEDIAN, lambda values: float(np.median(values))),
    "minimum": _intensity(codes.MINIMUM, lambda values: float(values.min())),
    "maximum": _intensity(codes.MAXIMUM, lambda values: float(values.max())),
    "10th percentile": _intensity(codes.PERCENTILE_10, intensity.percentile(10)),
    "90th percentile": _intensity(codes.PERCENTILE_90, intensity.percentile(90)),
}
"""Name -> how it is measured. The order is that of :data:`DEFAULT`, then what is measured on request."""

DEFAULT = tuple(METHODS)[:7]
"""What every structure and lesion gets."""
