"""Whatever a person hands in, as one :class:`Source`: the first step of every run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from slicermedai.dicom.acquisition import acquisition_of
from slicermedai.dicom.choice import choose, listing
from slicermedai.dicom.contradictions import contradictions_of
from slicermedai.dicom.file_list import is_file_list, load_file_list
from slicermedai.dicom.files import integer_of, text_of
from slicermedai.dicom.gate import Stack, judge
from slicermedai.dicom.headers import series_ref, study_of
from slicermedai.dicom.pixels import Pixels, background_of, read_pixels
from slicermedai.dicom.scale import no_hounsfield
from slicermedai.dicom.series import Scan, SeriesFiles, scan
from slicermedai.dicom.suv import suv_scale
from slicermedai.dicom.volumes import is_volume_folder, load_volume
from slicermedai.domain.codes import HOUNSFIELD, NO_UNITS, Code, ucum
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.result import RESULT, result_folder
from slicermedai.domain.study import Study
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, InputError, NoImagesError

TILTS = ("refuse", "resample")
IMAGE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Files that are read as NIfTI, NRRD or MetaImage."""

_PET_UNITS = {"BQML": ucum("Bq/ml", "Becquerels/milliliter"), "GML": ucum("g/ml", "Grams/milliliter")}


_COUNTS = ("ImagesInAcquisition", "NumberOfSlices")
"""What says how many images there were, of which the ends of a stack may be missing; the latter in PET (C.8.9.1)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """An image that passed the gate, and where it came from.

    Parameters
    ----------
    volume:
        Slices along the normal of the image planes, real-world values.
    study:
        With the series and all its instances; without context for a file that is not DICOM.
    headers:
        Pixel-free datasets: one a slice in slice order, or one a file for multi-frame objects.
    files:
        The files they came from, in the same order.
    slices:
        For each slice (index into ``headers``, frame number from 1).
    notes:
        What people should know, without patient data.
    warnings:
        What must be read before any number that is computed from it, without patient data.
    resampled:
        True where the slices of ``volume`` are no longer those of ``headers`` (a tilted stack made straight).
    acquired:
        Where ``resampled``, the grid of the slices as they lay; None where that is the volume's.
    whole:
        False where the voxels lie in other files than ``files`` (a detached header).
    """

    volume: Volume
    study: Study
    headers: tuple[Dataset, ...] = ()
    files: tuple[Path, ...] = ()
    slices: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    resampled: bool = False
    acquired: Geometry | None = None
    whole: bool = True

    @property
    def in_words(self) -> str:
        """What was read, without names: "181 files, geometry from positions"."""
        if not self.files:
            return "an image from memory"
        if not self.headers:
            return "an image file, geometry from its header"
        if self.volume.flat is not None:
            return f"one picture{', ' if self.volume.flat.in_words else ''}{self.volume.flat.in_words}"
        return f"{len(self.files)} file{'s' if len(self.files) > 1 else ''}, geometry from positions"


def open_source(
    path: str | Path | Sequence[str | Path],
    *,
    series: str = "",
    tilt: str = "refuse",
    progress: Progress = silent,
) -> Source:
    """Open a DICOM folder, file or list of files, a NIfTI, NRRD or MetaImage file, or a saved volume.

    Parameters
    ----------
    series:
        Series Instance UID, or ``UID#n`` for one stack of it; needed where the folder holds several volumes.
    tilt:
        What to do with a tilted gantry: "refuse", or "resample" to a straight grid (a note says so).

    Raises
    ------
    NoImagesError
        Nothing there is an image.
    UnreadableFileError
        A file is absent, truncated, damaged or needs a codec that is not installed.
    MixedPatientsError
        More than one patient.
    AmbiguousInputError
        Several series or stacks; the message lists them.
    UnsupportedImageError
        Colour slices, localizer, a single slice, NaN voxels; a capture that was not named; a picture whose sides,
        views or greys contradict each other.
    GeometryError
        The gate refused: no positions, missing, doubled, moved slices, a tilted gantry.
    """
    if tilt not in TILTS:
        raise InputError(f"must be one of {', '.join(TILTS)}", attribute="tilt")
    if isinstance(path, (str, Path)):
        single = Path(path)
        if is_volume_folder(single):
            volume, study = load_volume(single)
            return Source(volume=volume, study=study)
        if _names_image_file(single):
            return _open_image(single, progress)
        if is_file_list(single):
            path = load_file_list(single)
        _refuse_result(single)
    found = scan(path, progress=progress)
    chosen = choose(found, path, series)
    if chosen.is_flat:
        return _open_flat(chosen, found, asked=bool(series), progress=progress)
    return _open_series(chosen, found, tilt, progress)


def geometry_of(path: str | Path | Sequence[str | Path], *, series: str = "") -> Geometry:
    """Where the image of :func:`open_source` lies, of DICOM slices by their headers alone; the gantry may be tilted.

    Raises
    ------
    MedAIError
        As :func:`open_source`, as far as headers tell.
    """
    if isinstance(path, (str, Path)):
        single = Path(path)
        if is_volume_folder(single) or _names_image_file(single):
            return open_source(single).volume.geometry
        if is_file_list(single):
            path = load_file_list(single)
        _refuse_result(single)
    chosen = choose(scan(path), path, series)
    return open_source(path, series=series).volume.geometry if chosen.is_flat else judge(chosen.planes).geometry


def _refuse_result(path: Path) -> None:
    folder = result_folder(path)
    if (folder / f"{RESULT}.json").is_file():
        copies = path / "dicom" / "source"
        raise NoImagesError(
            "is the output of an earlier run, which holds results and not the study",
            file=path,
            advice=f"Choose the study itself{f', or its de-identified copies in {copies}' if copies.is_dir() else ''}.",
        )


def _names_image_file(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(IMAGE_SUFFIXES)


def _open_image(path: Path, progress: Progress) -> Source:
    progress("read", 0.0)
    volume, notes = _read_image(path)
    progress("read", 1.0)
    whole = _is_nifti(path) or _holds_its_voxels(path)
    return Source(volume=volume, study=Study(), files=(path,), notes=notes, whole=whole)


def _is_nifti(path: Path) -> bool:
    return path.name.lower().endswith((".nii", ".nii.gz"))


def _holds_its_voxels(path: Path) -> bool:
    from slicermedai.dicom.itk_files import holds_its_voxels

    return holds_its_voxels(path)


def _read_image(path: Path) -> tuple[Volume, tuple[str, ...]]:
    if _is_nifti(path):
        from slicermedai.dicom.nifti import read_nifti

        return read_nifti(path)
    from slicermedai.dicom.itk_files import read_image

    return read_image(path), ()


# --- reading it ----------------------------------------------------------------------------------------------------


def _open_series(chosen: SeriesFiles, found: Scan, tilt: str, progress: Progress) -> Source:
    stack = judge(chosen.planes)
    if stack.tilt_degrees and tilt == "refuse":
        raise GeometryError(
            f"the gantry was tilted by {stack.tilt_degrees:.1f} degrees: slices do not stack at right angles",
            file=stack.planes[0].file,
            attribute="ImagePositionPatient",
            advice='Ask for tilt="resample" to have it resampled to a straight grid.',
        )
    pixels = read_pixels(stack.planes, progress=progress)
    array, geometry = _straight(pixels.array, stack, chosen.modality)
    headers = tuple(pixels.datasets.values())
    slices = _slices(stack, tuple(pixels.datasets))
    return Source(
        volume=_volume(array, geometry, headers, frame=stack.planes[0].frame),
        study=study_of(headers[0], series=(series_ref(headers, slices=slices),)),
        headers=headers,
        files=tuple(pixels.datasets),
        slices=slices,
        notes=_notes(chosen, found, stack, pixels),
        warnings=_warnings(chosen, found, stack, pixels),
        resampled=bool(stack.tilt_degrees),
        acquired=stack.geometry if stack.tilt_degrees else None,
    )


def open_frame(chosen: SeriesFiles, found: Scan, *, tilt: str = "refuse", progress: Progress = silent) -> Source:
    """The stack ``chosen``, which is one frame of a series over time that ``found`` holds; the other frames are not
    told as left out. Raises as :func:`open_source`.
    """
    source = _open_series(chosen, found, tilt, progress)
    others = tuple(item for item in found.series if item.uid != chosen.uid)
    untold = set(_left_out(chosen, found))
    kept = (note for note in source.notes if note not in untold)
    told = _left_out(chosen, Scan(series=(*others, chosen), skipped=found.skipped))
    return replace(source, notes=(*kept, *told))


def _open_flat(chosen: SeriesFiles, found: Scan, *, asked: bool, progress: Progress) -> Source:
    from slicermedai.dicom.flat import open_flat

    progress("read", 0.0)
    plane = chosen.planes[0]
    read = open_flat(plane, asked=asked)
    progress("read", 1.0)
    return Source(
        volume=read.volume,
        study=study_of(read.header, series=(series_ref((read.header,)),)),
        headers=(read.header,),
        files=(plane.file,),
        slices=((0, plane.frame + 1),),
        notes=(*read.notes, *_left_out(chosen, found)),
        warnings=read.warnings,
    )


def _straight(array: NDArray[Any], stack: Stack, modality: str) -> tuple[NDArray[Any], Geometry]:
    if not stack.tilt_degrees:
        return array, stack.geometry
    from slicermedai.dicom.tilt import straighten

    return straighten(array, stack.geometry, background=background_of(modality))


def _volume(array: NDArray[Any], geometry: Geometry, headers: Sequence[Dataset], *, frame: int) -> Volume:
    header = headers[0]
    return Volume(
        array=array,
        geometry=geometry,
        modality=text_of(header, "Modality"),
        unit=_unit(header, frame, array),
        name=text_of(header, "SeriesDescription"),
        series_uid=text_of(header, "SeriesInstanceUID"),
        acquisition=acquisition_of(header, frame=frame),
        suv=suv_scale(headers),
    )


def _unit(header: Dataset, frame: int, array: NDArray[Any]) -> Code:
    """CT is in Hounsfield units unless Rescale Type says otherwise, as it must (PS3.3 C.8.2.1, C.7.6.16.2.9)."""
    if header.get("Modality") == "CT":
        return NO_UNITS if no_hounsfield(header, frame, array) else HOUNSFIELD
    return _PET_UNITS.get(text_of(header, "Units"), NO_UNITS)


def _slices(stack: Stack, files: tuple[Path, ...]) -> tuple[tuple[int, int], ...]:
    place = {path: index for index, path in enumerate(files)}
    return tuple((place[plane.file], plane.frame + 1) for plane in stack.planes)


def _notes(chosen: SeriesFiles, found: Scan, stack: Stack, pixels: Pixels) -> tuple[str, ...]:
    notes = []
    if stack.tilt_degrees:
        notes.append(f"Gantry tilt of {stack.tilt_degrees:.1f} degrees: resampled to a straight grid.")
    if stack.deviation > 0.01:
        notes.append(f"Slices lie up to {stack.deviation:.2f} mm off an even spacing; taken as even.")
    if pixels.padded:
        notes.append(f"Pixel padding in {pixels.padded} slices was replaced by the background value.")
    return (*notes, *_left_out(chosen, found))


def _left_out(chosen: SeriesFiles, found: Scan) -> Iterator[str]:
    others = [item for item in found.series if item is not chosen]
    if others:
        yield f"Not used: {listing(others)}."
    if found.skipped:
        yield f"{len(found.skipped)} files are no images and were left out."


def _warnings(chosen: SeriesFiles, found: Scan, stack: Stack, pixels: Pixels) -> tuple[str, ...]:
    here = sum(len(item.planes) for item in found.series if item.uid == chosen.uid)
    said = []
    for keyword in _COUNTS:
        stated = max((integer_of(header, keyword) or 0 for header in pixels.datasets.values()), default=0)
        if stated > here:
            said.append(f"{keyword} says {stated} images, and {here} are here: the ends of the stack may be missing.")
    first = stack.planes[0]
    header = pixels.datasets[first.file]
    if chosen.modality == "CT" and (reason := no_hounsfield(header, first.frame, pixels.array)):
        said.append(reason)
    said += contradictions_of(header, stack)
    if pixels.enclosed:
        said.append(
            f"PixelPaddingValue lies within the image in {pixels.enclosed} slices, where it may be a measured value: "
            "it was left as it is there."
        )
    blank = _blank_slices(pixels.array)
    if blank:
        said.append(
            f"{len(blank)} slice{'s' if len(blank) > 1 else ''} between others hold one single value, the first is "
            f"slice {blank[0] + 1} of {len(pixels.array)}: its image may have been lost."
        )
    return tuple(said)


def _blank_slices(array: NDArray[Any]) -> list[int]:
    """Slices (from 0) of one value alone that lie between slices with content.

    Content is a spread of a fifth of the usual one: beyond the body a speck may follow on an empty slice.
    """
    spread = np.array([float(plane.std()) for plane in array])
    if not spread.any():
        return []
    full = np.flatnonzero(spread >= np.median(spread[spread > 0]) / 5)
    return [index for index in range(int(full[0]), int(full[-1])) if spread[index] == 0]
