"""Where the network looks: boxes along the patient axes that depend on the head, not on the grid it came in.

The same head in axial, sagittal, oblique or anisotropic slices gives the same box within a fraction of a millimetre,
because every extent is measured on a grid along the patient axes and interpolated between its planes. All
coordinates are LPS mm; the grids made here run to left, posterior and superior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import BundleError
from slicermedai.inference.regions import largest_component
from slicermedai.inference.resample import resample

_CONTENT_STEP = 4.0
_CONTENT_SIZE = 160
_CONTENT_AREA = 400.0
_CONTENT_MARGIN = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """A box along the patient axes: ``low`` and ``high`` corners, LPS mm."""

    low: FloatArray
    high: FloatArray

    @property
    def size(self) -> FloatArray:
        """Edge lengths, mm."""
        return np.asarray(self.high - self.low, dtype=np.float64)

    def widened(self, margin: float) -> Extent:
        """Each side moved out by ``margin`` times the edge length."""
        return Extent(low=self.low - margin * self.size, high=self.high + margin * self.size)

    def grid(self, shape: Sequence[int]) -> Geometry:
        """``shape`` voxels that fill the box, edge to edge; axes run to left, posterior, superior."""
        step = self.size / np.asarray(shape)
        affine = np.diag([*step, 1.0])
        affine[:3, 3] = self.low + step / 2
        return Geometry(shape=(shape[0], shape[1], shape[2]), affine=affine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """The bundle's ``framing`` entry: a coarse look locates the structure, a close look segments it.

    ``network``, ``weights`` and ``preprocessing`` name the locator's parts; ``coarse_shape`` and ``close_shape``
    are the voxels of the two looks; a plane counts as part of the structure from ``smallest_share`` of its area;
    ``margin`` (of the edge length) is added on every side; ``extent_mm`` are plausible edge lengths.
    """

    network: str
    weights: str
    preprocessing: str
    coarse_shape: tuple[int, ...]
    close_shape: tuple[int, ...]
    smallest_share: float
    margin: float
    extent_mm: tuple[float, ...] | None = None

    @classmethod
    def from_entry(cls, entry: dict[str, Any], *, file: str) -> Framing:
        """From the values in ``medai.json``; raises :class:`BundleError` for an unknown kind or field."""
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}
        if values.pop("kind", None) != "locate":
            raise BundleError("the only kind known is locate", file=file, attribute="framing.kind")
        try:
            return cls(**values)
        except TypeError as error:
            raise BundleError("a field is missing or unknown", file=file, attribute="framing") from error


def content_extent(volume: Volume) -> Extent:
    """The box around what is not background: the largest bright region of a coarse grid (Otsu's threshold).

    Planes count from a cross-section of 400 mm^2: an area in the patient, whatever the grid around it.
    """
    corners = volume.geometry.corners
    whole = Extent(low=corners.min(axis=0), high=corners.max(axis=0))
    step = max(_CONTENT_STEP, float(whole.size.max()) / _CONTENT_SIZE)
    shape = np.ceil(whole.size / step).astype(int)
    covered = Extent(low=whole.low, high=whole.low + shape * step)
    coarse = framed(volume, covered.grid([int(n) for n in shape])).array
    bright = largest_component(coarse > _half_otsu(coarse))
    areas = covered.size.prod() / covered.size
    found = extent_of(bright.astype(np.float32), covered, smallest_shares=_CONTENT_AREA / areas)
    return (found or whole).widened(_CONTENT_MARGIN)


def framed(volume: Volume, grid: Geometry) -> Volume:
    """The image on ``grid``; outside of it is its darkest value."""
    values = resample(volume.array, volume.geometry, grid, fill=float(volume.array.min()))
    return Volume(array=values, geometry=grid, modality=volume.modality, unit=volume.unit)


def extent_of(weight: NDArray[np.float32], box: Extent, *, smallest_shares: FloatArray) -> Extent | None:
    """The extent of what ``weight`` (0 to 1, on a grid that fills ``box``) covers, interpolated between planes.

    A plane across an axis belongs to it where the mean of its weights exceeds that axis' smallest share; None
    where no plane does.
    """
    step = box.size / np.asarray(weight.shape)
    low, high = np.empty(3), np.empty(3)
    for axis in range(3):
        profile = weight.mean(axis=tuple(a for a in range(3) if a != axis), dtype=np.float64)
        ends = _crossings(np.pad(profile, 1), float(smallest_shares[axis]))
        if ends is None:
            return None
        low[axis], high[axis] = box.low[axis] + (np.array(ends) - 0.5) * step[axis]
    return Extent(low=low, high=high)


def _crossings(profile: FloatArray, level: float) -> tuple[float, float] | None:
    """Fractional positions of the first rise and the last fall through ``level``, in a padded profile."""
    above = np.flatnonzero(profile > level)
    if not above.size:
        return None
    first, last = above[0], above[-1]
    rise = first - (profile[first] - level) / (profile[first] - profile[first - 1])
    fall = last + (profile[last] - level) / (profile[last] - profile[last + 1])
    return float(rise), float(fall)


def _half_otsu(values: NDArray[Any]) -> float:
    """Half way between the darkest value and Otsu's threshold (IEEE Trans. SMC 9 (1979) 62)."""
    low, high = np.percentile(values, (1, 99.5))
    if high <= low:
        return float(low)
    counts, edges = np.histogram(values, bins=256, range=(float(low), float(high)))
    centres = (edges[1:] + edges[:-1]) / 2
    below, mass = np.cumsum(counts), np.cumsum(counts * centres)
    total, whole = below[-1], mass[-1]
    inside = (below > 0) & (below < total)
    spread = np.zeros(256)
    spread[inside] = (whole * below[inside] / total - mass[inside]) ** 2 / (
        below[inside] * (total - below[inside]).astype(np.float64)
    )
    return float(low + (centres[spread.argmax()] - low) / 2)
