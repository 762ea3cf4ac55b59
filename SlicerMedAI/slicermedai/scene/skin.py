"""The outer surface of what was imaged, so that a finding in 3D is seen in its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from scipy import ndimage
from vtk.util import numpy_support

from slicermedai.domain.volume import Volume
from slicermedai.scene.volumes import LPS_TO_RAS, to_matrix

_LARGEST_EDGE = 128  # voxels along the longest axis: enough for a silhouette
_BINS = 256


def skin_surface(volume: Volume) -> Any | None:
    """A vtkPolyData in RAS mm where ``volume`` rises above its background (Otsu 1979); None where it is flat."""
    array, steps = _reduced(volume.array)
    level = otsu(array)
    if level is None:
        return None
    image = _image(np.pad(_body(array > level), 1))
    scale = np.diag([*(float(step) for step in steps[::-1]), 1.0])
    scale[:3, 3] = [-float(step) for step in steps[::-1]]
    matrix = LPS_TO_RAS @ volume.geometry.ijk_to_lps @ scale
    return _surface(image, to_matrix(matrix))


def otsu(array: NDArray[Any]) -> float | None:
    """The threshold between the two classes of grey values that are best apart; None where all values are equal.

    N. Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 9 (1979) 62-66.
    """
    low, high = float(array.min()), float(np.percentile(array, 99.5))
    if high <= low:
        return None
    counts, edges = np.histogram(array, bins=_BINS, range=(low, high))
    centers = (edges[:-1] + edges[1:]) / 2
    weight = np.cumsum(counts) / counts.sum()
    mean = np.cumsum(counts * centers) / counts.sum()
    spread = weight * (1 - weight)
    between = np.divide((mean[-1] * weight - mean) ** 2, spread, out=np.zeros(_BINS), where=spread > 0)
    return float(edges[int(between.argmax()) + 1])


def _reduced(array: NDArray[Any]) -> tuple[NDArray[np.float32], tuple[int, int, int]]:
    steps = tuple(max(1, -(-size // _LARGEST_EDGE)) for size in array.shape)
    reduced = array[:: steps[0], :: steps[1], :: steps[2]].astype(np.float32)
    return reduced, (steps[0], steps[1], steps[2])


def _body(bright: NDArray[np.bool_]) -> NDArray[np.float32]:
    """What ``bright`` encloses, in space or in any slice (a field of view cuts bodies open), as 0 and 1."""
    closed = ndimage.binary_closing(np.pad(bright, 2), iterations=2)[2:-2, 2:-2, 2:-2]
    filled = closed | ndimage.binary_fill_holes(closed)
    for axis in range(3):
        for index in range(filled.shape[axis]):
            plane = filled[(slice(None),) * axis + (index,)]
            plane |= ndimage.binary_fill_holes(plane)
    parts, count = ndimage.label(filled)
    largest = 1 + int(np.bincount(parts.ravel())[1:].argmax()) if count else 0
    return np.asarray((parts == largest) & (parts > 0), dtype=np.float32)


def _image(array: NDArray[np.float32]) -> Any:
    image = vtk.vtkImageData()
    image.SetDimensions(array.shape[2], array.shape[1], array.shape[0])
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(array.ravel(), deep=True))
    return image


def _surface(image: Any, to_ras: Any) -> Any:
    smooth = vtk.vtkImageGaussianSmooth()
    smooth.SetInputData(image)
    smooth.SetStandardDeviations(1.0, 1.0, 1.0)
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputConnection(smooth.GetOutputPort())
    contour.SetValue(0, 0.5)
    contour.ComputeScalarsOff()
    placed = vtk.vtkTransformPolyDataFilter()
    transform = vtk.vtkTransform()
    transform.SetMatrix(to_ras)
    placed.SetTransform(transform)
    placed.SetInputConnection(contour.GetOutputPort())
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(placed.GetOutputPort())
    normals.SplittingOff()
    normals.AutoOrientNormalsOn()
    normals.Update()
    surface = normals.GetOutput()
    return surface if surface.GetNumberOfPoints() else None
