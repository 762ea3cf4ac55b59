"""An image in space."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.flat import Flat
from slicermedai.domain.geometry import Geometry
from slicermedai.errors import GeometryError, UnsupportedImageError

Acquisition = tuple[tuple[str, float | str], ...]
"""How an image was made: DICOM keywords and their values, only those that its header states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuvScale:
    """How a PET image becomes a standardized uptake value by body weight (SUVbw), or why it cannot.

    Parameters
    ----------
    factor:
        g/ml for one unit of the voxels; None where a condition for it does not hold.
    reason:
        "SUV not computed because ...", naming every condition that does not hold; "" with a factor.
    """

    factor: float | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if (self.factor is None) != bool(self.reason):
            raise UnsupportedImageError("an SUV needs a factor, or the reason why there is none", attribute="reason")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Volume:
    """One scalar image: voxels, where they lie, and what they measure.

    Parameters
    ----------
    array:
        (slices, rows, columns); integer or floating, real-world values (rescale applied). Made read-only.
    geometry:
        The grid, LPS mm.
    modality:
        DICOM Modality (0008,0060): "MR", "CT", "PT" ..., or "" where unknown.
    unit:
        What a voxel value measures.
    name:
        For people (series description, file or node name).
    series_uid:
        The source series, or "" where there is none.
    acquisition:
        How the image was made, by DICOM keyword ("EchoTime", ms); empty where the source does not say it.
    suv:
        PET alone: how the voxels become standardized uptake values.
    flat:
        Projections and photographs alone: how they are shown, their side and view. ``array`` is then one slice, high
        where it is bright, and of a colour picture its brightness.

    Raises
    ------
    GeometryError
        The array's shape is not the geometry's.
    UnsupportedImageError
        Not a numeric scalar array, or NaN or infinite voxels.
    """

    array: NDArray[Any]
    geometry: Geometry
    modality: str = ""
    unit: Code = NO_UNITS
    name: str = ""
    series_uid: str = ""
    acquisition: Acquisition = ()
    suv: SuvScale | None = None
    flat: Flat | None = None

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise GeometryError(
                f"the array has shape {self.array.shape}, the geometry {self.geometry.shape}",
                attribute="shape",
            )
        if self.flat is not None and self.flat.display.shape != self.geometry.shape:
            raise GeometryError("the picture as it is shown has another size", attribute="flat.display")
        if self.array.dtype.kind not in "iuf":
            raise UnsupportedImageError(f"voxels of type {self.array.dtype} are no scalars", attribute="array")
        if self.array.dtype.kind == "f" and not all(np.isfinite(plane).all() for plane in self.array):
            raise UnsupportedImageError(
                "the image holds NaN or infinite voxels",
                file=self.name or None,
                attribute="PixelData",
                advice="Replace them (for instance by the background value) and run again.",
            )
        view = self.array.view()
        view.setflags(write=False)
        object.__setattr__(self, "array", view)

    def __repr__(self) -> str:
        """Short, and without what may name a patient."""
        kind = self.modality or "unknown modality"
        return f"Volume({kind}, {self.array.dtype}, {self.geometry.in_words}, unit={self.unit.value!r})"

    def voxels_alone(self) -> Volume:
        """The same image without name and UIDs, which can lead back to a patient."""
        geometry = replace(self.geometry, frame_of_reference_uid="")
        return replace(self, geometry=geometry, name="", series_uid="")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LabelMap:
    """Exclusive labels on a grid: (slices, rows, columns) of uint8 or uint16, 0 is background."""

    array: NDArray[Any]
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise GeometryError("label map and geometry differ in shape", attribute="shape")
        if self.array.dtype not in (np.uint8, np.uint16):
            raise UnsupportedImageError("a label map is uint8 or uint16", attribute="array")
        view = self.array.view()
        view.setflags(write=False)
        object.__setattr__(self, "array", view)

    def __repr__(self) -> str:
        return f"LabelMap({self.array.dtype}, {self.geometry.in_words})"
