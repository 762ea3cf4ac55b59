"""Volumes that come from memory: arrays, SimpleITK images, and a folder to hand them to another process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slicermedai.domain.codec import load_object, write_object
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.storage import atomic_folder
from slicermedai.domain.study import Study
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, UnreadableFileError, UnsupportedImageError

_KIND, _STUDY = "volume", "study"
_FRAMES = "frames.json"


def save_volume(volume: Volume, study: Study, folder: Path) -> Path:
    """Write both into ``folder`` (new, whole or not at all); :func:`load_volume` reads them back without loss.

    The voxels are not compressed: a GUI may wait for this.

    Raises
    ------
    ResultExistsError, OutputError, DiskFullError
    """
    with atomic_folder(Path(folder)) as partial:
        write_object(volume, partial, kind=_KIND, compress=False)
        (partial / _STUDY).mkdir()
        write_object(study, partial / _STUDY, kind=_STUDY)
    return Path(folder)


def load_volume(folder: Path) -> tuple[Volume, Study]:
    """What :func:`save_volume` wrote; raises :class:`~slicermedai.errors.UnreadableFileError`."""
    volume = load_object(Path(folder), Volume, kind=_KIND)
    return volume, load_object(Path(folder) / _STUDY, Study, kind=_STUDY)


def save_frames(volumes: Sequence[Volume], seconds: Sequence[float | None], folder: Path, *, clock: str) -> Path:
    """Write images over time into ``folder`` (new, whole or not at all), each as :func:`save_volume` has it.

    ``seconds`` are since the first, None where not known; ``clock`` names what says them.

    Raises
    ------
    GeometryError
        Images of unequal geometry.
    ResultExistsError, OutputError, DiskFullError
    """
    for number, volume in enumerate(volumes, 1):
        if not volume.geometry.same_grid(volumes[0].geometry):
            raise GeometryError(f"frame {number} does not lie on the grid of the first", attribute="source")
    with atomic_folder(Path(folder)) as partial:
        for index, volume in enumerate(volumes):
            save_volume(volume, Study(), partial / f"{index:04d}")
        body = {"medai_frames": 1, "seconds": list(seconds), "clock": clock}
        (partial / _FRAMES).write_text(json.dumps(body), encoding="utf-8")
    return Path(folder)


def load_frames(folder: Path) -> tuple[tuple[float | None, ...], str]:
    """(seconds, clock) of what :func:`save_frames` wrote; raises :class:`~slicermedai.errors.UnreadableFileError`."""
    path = Path(folder) / _FRAMES
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        return tuple(None if one is None else float(one) for one in body["seconds"]), str(body["clock"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(f"damaged ({type(error).__name__})", file=path) from error


def is_frames_folder(path: Path) -> bool:
    """True where :func:`save_frames` wrote ``path``."""
    return (Path(path) / _FRAMES).is_file()


def is_volume_folder(path: Path) -> bool:
    """True where :func:`save_volume` wrote ``path``."""
    return (Path(path) / f"{_KIND}.json").is_file()


def from_array(array: NDArray[Any], grid: Geometry | ArrayLike, *, name: str = "", modality: str = "") -> Volume:
    """A volume from a numpy array and its place in space.

    Parameters
    ----------
    array:
        (slices, rows, columns): the last index runs fastest through memory, as SimpleITK and Slicer hand it out.
    grid:
        A :class:`Geometry`, or a 4 x 4 matrix that takes (i, j, k, 1) to LPS mm, where i is the column, j the row
        and k the slice (``array[k, j, i]``). A matrix from NIfTI or Slicer is RAS: negate its first two rows.

    Raises
    ------
    UnsupportedImageError
        Not three-dimensional, not scalar, NaN voxels.
    GeometryError
        The matrix is singular, or shapes differ.
    """
    array = np.asarray(array)
    if array.ndim != 3:
        raise UnsupportedImageError(
            f"an array with {array.ndim} dimensions, and a volume (slices, rows, columns) is needed",
            attribute="array",
        )
    geometry = grid if isinstance(grid, Geometry) else _geometry(array, grid)
    return Volume(array=array, geometry=geometry, name=name, modality=modality)


def from_sitk(image: Any, *, name: str = "", modality: str = "") -> Volume:
    """A volume from a three-dimensional, scalar ``SimpleITK.Image``; its voxels are copied.

    Raises
    ------
    UnsupportedImageError
        Two- or four-dimensional, colour or vectors, NaN voxels.
    """
    import SimpleITK

    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or min(image.GetSize()) < 2:
        raise UnsupportedImageError(
            f"an image of size {' x '.join(map(str, image.GetSize()))}, and one volume is needed",
            file=name or None,
            attribute="dimension",
        )
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise UnsupportedImageError(
            "a colour or vector image", file=name or None, attribute="components", advice="Choose a greyscale image."
        )
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return from_array(SimpleITK.GetArrayFromImage(image), affine, name=name, modality=modality)


def _geometry(array: NDArray[Any], matrix: ArrayLike) -> Geometry:
    values = np.asarray(matrix, dtype=np.float64)
    if values.shape != (4, 4):
        raise GeometryError("the affine must be a 4 x 4 matrix", attribute="affine")
    return Geometry.from_ijk_lps((array.shape[0], array.shape[1], array.shape[2]), values)
