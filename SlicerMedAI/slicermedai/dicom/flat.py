"""One projection or photograph as an image: DX, CR, MG, intra-oral, and visible light such as of the retina.

Such a picture has no place in the patient. Its grid is the plane of the picture: x to the right along a row, y down a
column; the header says which plane that is, and a note says it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut

from slicermedai.dicom.acquisition import acquisition_of
from slicermedai.dicom.files import READ_ERRORS, quiet, read_dataset, text_of
from slicermedai.dicom.greys import Greys, greys_of
from slicermedai.dicom.pixel_size import PixelSize, pixel_size
from slicermedai.dicom.pixels import stored_pixels, without_pixels
from slicermedai.dicom.planes import Plane
from slicermedai.dicom.sides import Hanging, hanging_of
from slicermedai.domain.flat import WHITE, Flat
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import UnreadableFileError, UnsupportedImageError

_LUMA = (0.299, 0.587, 0.114)
"""Brightness of red, green and blue (ITU-R BT.601)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlatRead:
    """A picture, its pixel-free header, and what people should and must know of it."""

    volume: Volume
    header: Dataset
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def open_flat(plane: Plane, *, asked: bool) -> FlatRead:
    """Read the picture in ``plane``; ``asked`` is True where a person named it, which a capture needs.

    Raises
    ------
    UnreadableFileError
        Damaged pixels or tables, or a codec that is not installed.
    UnsupportedImageError
        A capture that nobody asked for; sides, views, greys or spacing that contradict each other or say nothing.
    """
    if plane.is_capture and not asked:
        raise UnsupportedImageError(
            "a secondary capture: what it shows, and how its values came about, is not known",
            file=plane.file,
            attribute="SOPClassUID",
            advice="Choose the original image, or name the series to have the capture all the same.",
        )
    dataset = read_dataset(plane.file, pixels=True)
    with quiet():
        hanging, size = hanging_of(dataset, plane.file), pixel_size(dataset, plane.file)
    stored = _frame(dataset, plane)
    colours = _colours(stored, dataset, plane) if plane.is_colour else None
    greys = _brightness(colours, plane) if colours is not None else greys_of(stored, dataset, plane.file)
    header = without_pixels(dataset)
    return FlatRead(
        volume=_volume(header, _flat(greys, colours, hanging), greys, size),
        header=header,
        notes=(size.note, f"Pixels: {'; '.join(greys.steps)}.", *_about(hanging), *_turns(header)),
        warnings=(*hanging.doubts, *greys.warnings),
    )


def _frame(dataset: Dataset, plane: Plane) -> NDArray[Any]:
    """(rows, columns) or (rows, columns, samples) as stored."""
    array = stored_pixels(dataset, plane.file)
    shape = (plane.frames, *plane.size, *([plane.samples] if plane.samples > 1 else []))
    if array.size != int(np.prod(shape)):
        raise UnreadableFileError(
            "fewer pixels than the header says", file=plane.file, attribute="PixelData", advice="Copy the file again."
        )
    return np.asarray(array.reshape(shape)[plane.frame])


def _colours(stored: NDArray[Any], dataset: Dataset, plane: Plane) -> NDArray[np.float32]:
    """(3, rows, columns), 0 to 255."""
    top = 2 ** int(dataset.get("BitsStored") or 8) - 1
    try:
        with quiet():
            if plane.photometric == "PALETTE COLOR":
                stored = apply_color_lut(stored, dataset)
                top = 2 ** int(dataset.RedPaletteColorLookupTableDescriptor[2]) - 1
            if stored.shape != (*plane.size, 3):
                raise ValueError("samples")
    except READ_ERRORS as error:
        raise UnsupportedImageError(
            "a colour image of a kind that is not known",
            file=plane.file,
            attribute="PhotometricInterpretation",
            advice="Export it as RGB.",
        ) from error
    return np.ascontiguousarray(np.moveaxis(stored, -1, 0), dtype=np.float32) * np.float32(WHITE / top)


def _brightness(colours: NDArray[np.float32], plane: Plane) -> Greys:
    grey = np.tensordot(np.array(_LUMA, dtype=np.float32), colours, axes=1).astype(np.float32)
    step = f"{plane.photometric} as red, green and blue from 0 to 255; a colour profile is not applied"
    return Greys(values=grey, display=grey, steps=(step,))


def _flat(greys: Greys, colours: NDArray[np.float32] | None, hanging: Hanging) -> Flat:
    return Flat(
        display=greys.display[None],
        colours=None if colours is None else colours[:, None],
        laterality=hanging.laterality,
        view=hanging.view,
        towards=hanging.towards,
        shown=greys.shown,
        steps=greys.steps,
    )


def _volume(header: Dataset, flat: Flat, greys: Greys, size: PixelSize) -> Volume:
    grid = Geometry.from_axes((1, *greys.values.shape), spacing=(1.0, *size.spacing))
    return Volume(
        array=greys.values[None],
        geometry=replace(grid, space=size.space),
        modality=text_of(header, "Modality"),
        name=text_of(header, "SeriesDescription"),
        series_uid=text_of(header, "SeriesInstanceUID"),
        acquisition=acquisition_of(header, frame=0),
        flat=flat,
    )


def _about(hanging: Hanging) -> Iterator[str]:
    side = {"L": "left", "R": "right", "B": "both sides", "": "not stated, or the part has none"}[hanging.laterality]
    rows = f"rows run to {hanging.towards[0]}, columns to {hanging.towards[1]}" if hanging.towards else "not stated"
    yield f"Side: {side}. View: {hanging.view or 'not stated'}. Orientation: {rows}."


def _turns(header: Dataset) -> Iterator[str]:
    """Field of View Rotation and Horizontal Flip say what the machine did to the pixels already (PS3.3 C.8.11.4)."""
    angle = text_of(header, "FieldOfViewRotation")
    flipped = text_of(header, "FieldOfViewHorizontalFlip").upper() == "YES"
    done = [f"turned by {angle} degrees"] if angle not in ("", "0", "0.0") else []
    done += ["flipped"] if flipped else []
    if done:
        yield f"The machine has {' and '.join(done)} the pixels itself; they were left so, as Patient Orientation says."
