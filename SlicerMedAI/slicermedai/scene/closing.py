"""Closed surfaces of findings as Slicer makes them, made by another process: VTK alone is needed, and no Slicer.

The steps are those of Slicer's own conversion with the settings that it begins with (``vtkSegmentationCore``,
``vtkBinaryLabelmapToClosedSurfaceConversionRule``): discrete flying edges, a windowed sinc of 40 iterations and pass
band 0.01, the place, normals. So a surface looks the same whether Slicer made it, after an edit, or a child.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util import numpy_support
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonTransforms import vtkTransform
from vtkmodules.vtkFiltersCore import vtkPolyDataNormals, vtkWindowedSincPolyDataFilter
from vtkmodules.vtkFiltersGeneral import vtkDiscreteFlyingEdges3D, vtkTransformPolyDataFilter

from slicermedai.domain.edits import packed
from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.volume import LabelMap

Mesh = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]
"""Vertices (N, 3) LPS mm, faces (M, 3), normals (N, 3)."""
Coarse = Callable[[PackedMask], Mesh]

MOST_VOXELS = 200_000_000
"""Of a region's box: making its surface takes some three bytes of each."""
MOST_FACES = 4_000_000
"""Of a surface before it is smoothed, which takes some 300 bytes of each."""
_ITERATIONS, _PASS_BAND = 40, 0.01
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_Slices = tuple[slice, slice, slice]


def closed_surfaces(findings: Sequence[Finding], coarse: Coarse) -> Iterator[tuple[str, Mesh]]:
    """The surfaces of all findings that have voxels, each made when it is asked for, by tracking UID.

    ``coarse`` makes the surface of a region whose box or surface is larger than any organ's of a CT.
    """
    boxes: dict[int, dict[int, _Slices]] = {}
    for one in findings:
        region = one.region
        if isinstance(region, Mask):
            key = id(region.label_map)
            boxes[key] = boxes.get(key) or _boxes(region.label_map)
            if region.value in boxes[key]:
                yield one.tracking_uid, _of_label(region, boxes[key][region.value], coarse)
        elif isinstance(region, PackedMask) and region.bits.any():
            yield one.tracking_uid, closed_surface(region, coarse)


def closed_surface(region: PackedMask, coarse: Coarse) -> Mesh:
    """The surface of a region that is not empty, LPS mm; ``coarse`` as above."""
    box = tuple(slice(a, b) for a, b in zip(region.start, region.stop, strict=True))
    size = int(np.prod(np.subtract(region.stop, region.start)))
    array = np.unpackbits(region.bits, count=size).reshape([one.stop - one.start for one in box])
    return _surface(array, region.start, region.geometry) or coarse(region)


def _boxes(label_map: LabelMap) -> dict[int, _Slices]:
    """Where each label lies: found in one pass, however many there are."""
    from scipy import ndimage

    found = ndimage.find_objects(label_map.array)
    return {value: place for value, place in enumerate(found, start=1) if place is not None}


def _of_label(region: Mask, place: _Slices, coarse: Coarse) -> Mesh:
    array = (region.label_map.array[place] == region.value).view(np.uint8)
    start = [one.start for one in place]
    return _surface(array, start, region.geometry) or coarse(packed(region))


def _surface(array: NDArray[np.uint8], start: Sequence[int], geometry: Geometry) -> Mesh | None:
    """Of a box of 0 and 1 that begins at ``start``; None where it is too large for the memory that may be taken."""
    if array.size > MOST_VOXELS:
        return None
    edges = vtkDiscreteFlyingEdges3D()
    edges.SetInputData(_padded(array, start))
    edges.ComputeGradientsOff()
    edges.ComputeNormalsOff()
    edges.ComputeScalarsOff()
    edges.SetValue(0, 1)
    edges.Update()
    if edges.GetOutput().GetNumberOfPolys() > MOST_FACES:
        return None
    return _arrays(_placed(_smoothed(edges), _LPS_TO_RAS @ geometry.ijk_to_lps))


def _padded(box: NDArray[np.uint8], start: Sequence[int]) -> Any:
    """The box with an empty voxel on each side, placed by its extent: a surface at its border is closed."""
    array = np.pad(box, 1)
    image = vtkImageData()
    sizes = zip(start[::-1], array.shape[::-1], strict=True)
    image.SetExtent([limit for a, size in sizes for limit in (int(a) - 1, int(a) + size - 2)])
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(array.ravel(), deep=True))
    return image


def _smoothed(edges: Any) -> Any:
    smoother = vtkWindowedSincPolyDataFilter()
    smoother.SetInputConnection(edges.GetOutputPort())
    smoother.SetNumberOfIterations(_ITERATIONS)
    smoother.SetPassBand(_PASS_BAND)
    smoother.BoundarySmoothingOff()
    smoother.FeatureEdgeSmoothingOff()
    smoother.NonManifoldSmoothingOn()
    smoother.NormalizeCoordinatesOn()
    return smoother


def _placed(smoother: Any, matrix: FloatArray) -> Any:
    """What the filter gives, brought from (column, row, slice) to RAS mm, with normals."""
    transform, placing, normals = vtkTransform(), vtkTransformPolyDataFilter(), vtkPolyDataNormals()
    transform.SetMatrix([float(value) for value in matrix.ravel()])
    placing.SetInputConnection(smoother.GetOutputPort())
    placing.SetTransform(transform)
    normals.SetInputConnection(placing.GetOutputPort())
    normals.ConsistencyOn()
    normals.SplittingOff()
    normals.Update()
    return normals.GetOutput()


def _arrays(made: Any) -> Mesh:
    to_lps = np.array([-1.0, -1.0, 1.0], np.float32)
    points = numpy_support.vtk_to_numpy(made.GetPoints().GetData()).astype(np.float32)
    faces = numpy_support.vtk_to_numpy(made.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    directions = numpy_support.vtk_to_numpy(made.GetPointData().GetNormals()).astype(np.float32)
    return points * to_lps, faces.astype(np.int64), directions * to_lps
