"""A person's hand in a segment: voxels written as the effects of Slicer's Segment Editor write them."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

from slicermedai.domain.finding import PackedMask
from slicermedai.domain.result import AnalysisResult
from slicermedai.scene import identity
from slicermedai.scene.volumes import LPS_TO_RAS, to_matrix, voxels_of


def segmentation_of(scene: Any, result: AnalysisResult) -> Any:
    """The segmentation node that shows ``result``."""
    return identity.marked_nodes(scene, identity.result_key(result), identity.SEGMENTATION)[0]


def draw_region(scene: Any, result: AnalysisResult, uid: str, region: PackedMask) -> None:
    """Make the voxels of the segment ``uid`` those of ``region``."""
    slices, rows, columns = region.geometry.shape
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(columns, rows, slices)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    voxels_of(image)[:] = region.to_array()
    image.SetImageToWorldMatrix(to_matrix(LPS_TO_RAS @ region.geometry.ijk_to_lps))
    mode = slicer.vtkSlicerSegmentationsModuleLogic.MODE_REPLACE
    node = segmentation_of(scene, result)
    assert slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(image, node, uid, mode)
