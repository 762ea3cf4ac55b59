"""Closed surfaces that another process made, put into segments: the window then need not make them."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from numpy.typing import NDArray
from vtk.util import numpy_support

from slicermedai.scene.segments import create_surfaces, know_surfaces

Mesh = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Vertices (N, 3) LPS mm, faces (M, 3), normals (N, 3)."""
_LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
_SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()


def poly_data(mesh: Mesh) -> Any:
    """A vtkPolyData in RAS mm."""
    vertices, faces, normals = mesh
    to_ras = (-1.0, -1.0, 1.0)
    points, cells, made = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkPolyData()
    points.SetData(numpy_support.numpy_to_vtk((vertices * to_ras).astype("f4"), deep=True))
    cells.SetData(3, numpy_support.numpy_to_vtkIdTypeArray(faces.astype("i8").ravel(), deep=True))
    made.SetPoints(points)
    made.SetPolys(cells)
    made.GetPointData().SetNormals(numpy_support.numpy_to_vtk((normals * to_ras).astype("f4"), deep=True))
    return made


AT_ONCE = 500_000
"""Voxels of all segments' boxes of which Slicer makes surfaces in a few hundredths of a second."""


def await_surfaces(node: Any) -> Awaited:
    """The segments of ``node`` that wait for a surface; where they are small, Slicer makes them here and none waits."""
    found = Awaited(node)
    if not 0 < found.voxels <= AT_ONCE:
        return found
    create_surfaces(node)
    return Awaited(node)


class Awaited:
    """The segments of ``node`` that have no surface yet, as they are now.

    A surface that comes later is put in only where the segment is still the same: it is never that of voxels which
    somebody drew meanwhile.
    """

    def __init__(self, node: Any) -> None:
        know_surfaces()
        self._scene, self._node = node.GetScene(), node
        self._known: dict[str, tuple[Any, ...]] = {}
        segmentation = node.GetSegmentation()
        for name in segmentation.GetSegmentIDs():
            segment = segmentation.GetSegment(name)
            if segment.GetRepresentation(_SURFACE) is None:
                self._known[name] = _state(segment)

    @property
    def names(self) -> tuple[str, ...]:
        """The IDs of these segments."""
        return tuple(self._known)

    @property
    def voxels(self) -> int:
        """How many voxels their boxes have in all; a layer that segments share counts for each."""
        return sum(0 if image is None else image.GetNumberOfPoints() for image, *_ in self._known.values())

    def put(self, name: str, mesh: Mesh) -> bool:
        """Give the segment ``name`` its surface; False where it is not there any more, or is another by now."""
        if self._scene is None or not self._scene.IsNodePresent(self._node):
            return False
        segment = self._node.GetSegmentation().GetSegment(name)
        known = self._known.pop(name, None)
        if segment is None or known is None or known != _state(segment):
            return False
        segment.AddRepresentation(_SURFACE, poly_data(mesh))
        return True


def _state(segment: Any) -> tuple[Any, ...]:
    """Equal while nobody drew in the segment; where it shares a layer, drawing in another one counts too."""
    image = segment.GetRepresentation(_LABELMAP)
    return image, segment.GetLabelValue(), 0 if image is None else image.GetMTime(), segment.GetRepresentation(_SURFACE)
