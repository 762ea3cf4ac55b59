"""Volumes: domain to MRML and back.

The domain is LPS with arrays ``[slice, row, column]``; a volume node is RAS with a matrix in (column, row, slice)
order. The one place where that is turned is here.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util import numpy_support

from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.pieces import PIECE, finished
from slicermedai.domain.study import Study
from slicermedai.domain.volume import Volume
from slicermedai.errors import CodeError, GeometryError, UnsupportedImageError
from slicermedai.scene.hierarchy import (
    FRAME_OF_REFERENCE,
    INSTANCE_UIDS,
    MODALITY,
    SeriesItem,
    file_under_study,
    item_attribute,
    series_uid_of,
)

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_LARGE = 8_000_000
"""Voxels from which on the display is set by a sample of them."""
_SAMPLED = 200_000
_EXACT_TYPES = {
    "i1": np.int8,
    "u1": np.uint8,
    "i2": np.int16,
    "u2": np.uint16,
    "i4": np.int32,
    "u4": np.uint32,
    "f2": np.float32,
    "f4": np.float32,
    "f8": np.float64,
}


def volume_to_node(volume: Volume, scene: Any, *, study: Study | None = None, image: Any | None = None) -> Any:
    """A scalar volume node in ``scene`` with the voxels, the place, the unit and the DICOM references of ``volume``.

    Parameters
    ----------
    volume:
        Voxels of any integer or floating type; 64-bit integers and half floats go into the smallest type of VTK
        that holds every value exactly. Sheared and left-handed grids are kept as they are.
    scene:
        The MRML scene to add to.
    study:
        Patient and study the node is filed under in the subject hierarchy; None leaves it at the top.
    image:
        What :func:`image_data` gives of its voxels, where that was prepared.

    Raises
    ------
    UnsupportedImageError
        64-bit integers that no type of a volume node can hold exactly.
    """
    made = finished(image_data(volume.array)) if image is None else image
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(volume.name or "Volume"))
    node.SetAndObserveImageData(made)
    node.StorableModified()
    node.SetIJKToRASMatrix(to_matrix(LPS_TO_RAS @ volume.geometry.ijk_to_lps))
    if volume.unit != NO_UNITS:
        node.SetVoxelValueUnits(coded_entry(volume.unit))
    _display(node, voxels_of(made))
    file_under_study(node, scene, study, series=_series_item(volume, study))
    return node


def image_data(array: NDArray[Any]) -> Generator[None, None, Any]:
    """A vtkImageData with the voxels of ``array``, [slice, row, column], in pieces.

    Raises
    ------
    UnsupportedImageError
        64-bit integers that no type of a volume node can hold exactly.
    """
    kind = _EXACT_TYPES.get(array.dtype.kind + str(array.dtype.itemsize))
    found = _storable(array) if kind is None else array
    image = vtk.vtkImageData()
    image.SetDimensions(*found.shape[::-1])
    image.AllocateScalars(numpy_support.get_vtk_array_type(kind or found.dtype), 1)
    target = voxels_of(image)
    step = max(1, PIECE // max(1, target[:1].nbytes))
    for at in range(0, len(target), step):
        target[at : at + step] = found[at : at + step]
        yield
    return image


def voxels_of(image: Any) -> NDArray[Any]:
    """The voxels of an image of one component as a writable view, [slice, row, column]."""
    columns, rows, slices = image.GetDimensions()
    flat = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return np.asarray(flat).reshape(slices, rows, columns)


def _display(node: Any, array: NDArray[Any]) -> None:
    """Grey, from the 0.1 to the 99.9 percentile, as Slicer does it; of a large one by some 200,000 voxels all over
    it: Slicer looks at all, for half a second of the window.
    """
    step = max(1, round((array.size / _SAMPLED) ** (1 / 3)))
    sampled = np.sort(array[::step, ::step, ::step], axis=None) if array.size > _LARGE else array[:0].ravel()
    low, high = (_quantile(sampled, share) for share in (0.001, 0.999)) if sampled.size else (0.0, 0.0)
    if not low < high:
        node.CreateDefaultDisplayNodes()
        return
    display = node.GetScene().AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(float(low), float(high))
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    node.SetAndObserveDisplayNodeID(display.GetID())


def _quantile(ordered: NDArray[Any], share: float) -> float:
    """As :func:`numpy.quantile` of sorted values, which loads masked arrays for it: 40 ms of the window, once."""
    place = share * (len(ordered) - 1)
    below = int(place)
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    return low + (high - low) * (place - below)


def volume_from_node(node: Any) -> Volume:
    """The volume that ``node`` shows, in LPS; a linear parent transform is applied to its place.

    Raises
    ------
    UnsupportedImageError
        A vector volume (colour, displacements), or a node without voxels.
    GeometryError
        The node stands under a non-linear transform; it must be hardened first.
    """
    _refuse_other_than_scalar(node)
    return _volume(node, np.array(slicer.util.arrayFromVolume(node)))


def volume_as_shown(node: Any) -> Volume:
    """As :func:`volume_from_node`, without a copy of the voxels: only to be looked at, at once."""
    _refuse_other_than_scalar(node)
    return _volume(node, slicer.util.arrayFromVolume(node))


def _volume(node: Any, array: NDArray[Any]) -> Volume:
    matrix = parent_to_world(node) @ ijk_to_ras(node)
    geometry = Geometry.from_ijk_lps(
        array.shape,
        LPS_TO_RAS @ matrix,
        frame_of_reference_uid=item_attribute(node, FRAME_OF_REFERENCE),
    )
    return Volume(
        array=array,
        geometry=geometry,
        modality=item_attribute(node, MODALITY),
        unit=_unit(node),
        name=node.GetName() or "",
        series_uid=series_uid_of(node),
    )


def geometry_of_node(node: Any) -> Geometry:
    """Where the voxels of a volume node lie, LPS mm, its parent transforms applied (no voxel is copied).

    Raises
    ------
    UnsupportedImageError, GeometryError
        The node holds no image, or a transform is not linear.
    """
    if node.GetImageData() is None:
        raise UnsupportedImageError("the volume node holds no image", attribute="ImageData")
    columns, rows, slices = node.GetImageData().GetDimensions()
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ parent_to_world(node) @ ijk_to_ras(node)
    return Geometry.from_ijk_lps((slices, rows, columns), matrix)


def parent_to_world(node: Any) -> FloatArray:
    """4 x 4, RAS mm to RAS mm: what the parent transforms of ``node`` do; raises :class:`GeometryError`."""
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    if not transform.IsTransformToWorldLinear():
        raise GeometryError(
            "the node stands under a non-linear transform",
            attribute="transformNodeRef",
            advice="Harden the transform (Data module, right click on the node) and run again.",
        )
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return from_matrix(matrix)


def ijk_to_ras(node: Any) -> FloatArray:
    """4 x 4, (column, row, slice, 1) to RAS mm, without parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return from_matrix(matrix)


def to_matrix(values: FloatArray) -> Any:
    """A vtkMatrix4x4 with the 16 numbers of ``values``."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy([float(value) for value in values.ravel()])
    return matrix


def from_matrix(matrix: Any) -> FloatArray:
    """The 4 x 4 array of a vtkMatrix4x4."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)], dtype=np.float64)


def _series_item(volume: Volume, study: Study | None) -> SeriesItem:
    known = {series.series_uid: series for series in (study.series if study else ())}
    series = known.get(volume.series_uid)
    return SeriesItem(
        uid=volume.series_uid,
        modality=volume.modality,
        frame_of_reference_uid=volume.geometry.frame_of_reference_uid,
        instances=tuple(i.sop_instance_uid for i in series.instances) if series else (),
        attribute=INSTANCE_UIDS,
    )


def _storable(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in a type that volume nodes have."""
    for candidate in (np.int32, np.uint32, np.float64):
        cast = array.astype(candidate)
        if np.array_equal(cast.astype(array.dtype), array):
            return np.ascontiguousarray(cast)
    raise UnsupportedImageError(
        f"voxels of type {array.dtype} do not fit into a volume node without loss",
        attribute="array",
        advice="Convert the image to 32-bit integers or floating point numbers.",
    )


def _refuse_other_than_scalar(node: Any) -> None:
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        raise UnsupportedImageError("the volume node holds no voxels", attribute="ImageData")
    if not node.IsA("vtkMRMLScalarVolumeNode") or image.GetNumberOfScalarComponents() != 1:
        raise UnsupportedImageError(
            "the volume node has several values per voxel",
            attribute="ImageData",
            advice="Choose a scalar volume (one component can be extracted with the module Vector to Scalar Volume).",
        )


def coded_entry(code: Code) -> Any:
    """A vtkCodedEntry of ``code``."""
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(code.value, code.scheme, code.meaning)
    return entry


def _unit(node: Any) -> Code:
    entry = node.GetVoxelValueUnits()
    if entry is None:
        return NO_UNITS
    try:
        return Code(
            value=entry.GetCodeValue() or "",
            scheme=entry.GetCodingSchemeDesignator() or "",
            meaning=entry.GetCodeMeaning() or entry.GetCodeValue() or "",
        )
    except CodeError:
        return NO_UNITS
