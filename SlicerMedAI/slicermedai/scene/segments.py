"""Segmentations: findings with masks to a segmentation node, and a segment back to a mask.

A segment's ID is the finding's tracking UID, so that a segment that a person edits is found again. The tags
``DICOM.SegmentAlgorithmType`` and ``DICOM.SegmentAlgorithmName`` are what Slicer's DICOM Segmentation export reads
(without them it writes MANUAL); the name holds the version too, since the export writes nothing else of the model. What
a person edited, or marked places for, is SEMIAUTOMATIC (PS3.3 C.8.20.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from slicermedai.domain.codes import Label
from slicermedai.domain.finding import ConfidenceState, Finding, Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.pieces import finished
from slicermedai.domain.provenance import Provenance
from slicermedai.errors import GeometryError, InputError
from slicermedai.scene.hierarchy import FRAME_OF_REFERENCE, item_attribute
from slicermedai.scene.layers import Layers, layers_of, oriented
from slicermedai.scene.volumes import LPS_TO_RAS, from_matrix, parent_to_world, to_matrix, voxels_of

TERMINOLOGY_CONTEXT = "Segmentation category and type - DICOM master list"
REGION_CONTEXT = "Anatomic codes - DICOM master list"
ALGORITHM_TYPE = "DICOM.SegmentAlgorithmType"
ALGORITHM_NAME = "DICOM.SegmentAlgorithmName"
ALGORITHM_VERSION = "DICOM.AlgorithmVersion"
TRACKING_ID = "DICOM.TrackingID"
TRACKING_UID = "DICOM.TrackingUID"
_LONG_STRING = 64  # characters of a DICOM value of type LO
_Converter = slicer.vtkSegmentationConverter
_LABELMAP = _Converter.GetSegmentationBinaryLabelmapRepresentationName()
_SURFACE = _Converter.GetSegmentationClosedSurfaceRepresentationName()


def has_mask(finding: Finding) -> bool:
    """True where the finding's region is a mask, and so can be a segment."""
    return isinstance(finding.region, (Mask, PackedMask))


def fill_segmentation(
    node: Any,
    findings: Iterable[Finding],
    *,
    geometry: Geometry,
    made_by: Provenance,
    layers: Layers | None = None,
) -> None:
    """Make the segments of ``node`` those of ``findings`` that have masks, in their order; others are removed.

    Parameters
    ----------
    node:
        A segmentation node that stands in a scene.
    geometry:
        The grid of the analysed image; it becomes the reference image geometry of the segmentation.
    made_by:
        Name and version of the model go into the DICOM tags of each segment.
    layers:
        What :func:`~slicermedai.scene.layers.layers_of` gives of ``findings``, where that was prepared.
    """
    segmentation = node.GetSegmentation()
    segmentation.RemoveAllSegments()
    segmentation.SetSourceRepresentationName(_LABELMAP)
    _set_reference_geometry(segmentation, geometry)
    drawn = [one for one in findings if has_mask(one)]
    known = finished(layers_of(drawn)) if layers is None else layers
    for finding in drawn:
        segmentation.AddSegment(_segment(finding, made_by, known.get(finding.tracking_uid)), finding.tracking_uid)
    if len(known) < len(drawn):
        segmentation.CollapseBinaryLabelmaps(False)
    node.CreateDefaultDisplayNodes()


def put_segment(node: Any, finding: Finding, *, made_by: Provenance, before: str = "") -> None:
    """Make the segment of ``finding``, which has a mask, anew in ``node``, in front of the segment ``before``.

    It has no surface, though others may have one: to make it takes seconds for a large one.
    """
    segmentation, segment = node.GetSegmentation(), _segment(finding, made_by)
    segmentation.RemoveSegment(finding.tracking_uid)
    segment.AddRepresentation(_SURFACE, vtk.vtkPolyData())  # where others have one, Slicer would make it at once
    segmentation.AddSegment(segment, finding.tracking_uid, before)
    segment.RemoveRepresentation(_SURFACE)


def redraw(node: Any, finding: Finding, *, made_by: Provenance) -> None:
    """Give the segment of ``finding`` its voxels, in place: its name, colour and display settings stay."""
    segmentation = node.GetSegmentation()
    segment = segmentation.GetSegment(finding.tracking_uid)
    if segment is None:
        segmentation.AddSegment(_segment(finding, made_by), finding.tracking_uid)
        return
    segmentation.SeparateSegmentLabelmap(finding.tracking_uid)
    segment.RemoveAllRepresentations()
    segment.SetLabelValue(1)
    segment.AddRepresentation(_LABELMAP, _labelmap(finding))


def tag_segment(node: Any, finding: Finding, *, made_by: Provenance) -> None:
    """Bring the DICOM tags of the segment of ``finding`` up to date; its voxels stay as they are."""
    segment = node.GetSegmentation().GetSegment(finding.tracking_uid)
    for name, value in _tags(finding, made_by).items():
        segment.SetTag(name, value)


def know_surfaces() -> None:
    """Let segmentations that are made from now on have surfaces.

    Slicer's application knows how they are made; outside it nobody does until the rule is registered.
    """
    factory = slicer.vtkSegmentationConverterFactory.GetInstance()
    rule = slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule()
    if not any(known.IsA(rule.GetClassName()) for known in factory.GetConverterRules()):
        factory.RegisterConverterRule(rule)


def create_surfaces(node: Any) -> None:
    """Add the closed surfaces that 3D views show, and that a saved scene shows again."""
    node.CreateClosedSurfaceRepresentation()


def mask_from_segment(node: Any, segment_id: str) -> PackedMask:
    """The segment's voxels on the segmentation's reference image geometry, in LPS.

    A linear parent transform of the segmentation is applied to the grid.

    Raises
    ------
    InputError
        There is no such segment.
    GeometryError
        The segmentation has no reference image geometry, or stands under a non-linear transform.
    """
    segmentation = node.GetSegmentation()
    if segmentation.GetSegment(segment_id) is None:
        raise InputError("the segmentation has no such segment", attribute="segment_id")
    reference = _reference_image(segmentation)
    merged = slicer.vtkOrientedImageData()
    names = vtk.vtkStringArray()
    names.InsertNextValue(segment_id)
    extent_mode = slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY
    node.GenerateMergedLabelmapForAllSegments(merged, extent_mode, reference, names)
    array = voxels_of(merged) != 0
    return PackedMask.from_array(array, _geometry(node, reference, array.shape))


def drawn_voxels(node: Any, segment_ids: Iterable[str]) -> dict[str, int]:
    """How many voxels each segment has in its own label map; layers that segments share are counted once."""
    segmentation = node.GetSegmentation()
    layers: dict[Any, NDArray[np.int64]] = {}
    found = {}
    for name in segment_ids:
        segment = segmentation.GetSegment(name)
        image = segment.GetRepresentation(_LABELMAP)
        if image not in layers:
            empty = image is None or image.GetPointData().GetScalars() is None
            layers[image] = np.zeros(0, np.int64) if empty else count_values(voxels_of(image))
        value = segment.GetLabelValue()
        found[name] = int(layers[image][value]) if value < len(layers[image]) else 0
    return found


def count_values(array: NDArray[Any]) -> NDArray[np.int64]:
    """How often each whole number from 0 on stands in an integer array, slice by slice, so that memory stays small."""
    counts = np.zeros(int(array.max(initial=0)) + 1, np.int64)
    for plane in array:
        found = np.bincount(plane.ravel().astype(np.int64, copy=False))
        counts[: len(found)] += found
    return counts


def terminology(label: Label) -> str:
    """The label's codes in the form that Slicer keeps in a segment's ``TerminologyEntry`` tag."""
    entry = slicer.vtkSlicerTerminologyEntry()
    entry.SetTerminologyContextName(TERMINOLOGY_CONTEXT)
    entry.SetRegionContextName(REGION_CONTEXT)
    coded = [(entry.GetCategoryObject(), label.category), (entry.GetTypeObject(), label.type)]
    if label.modifier is not None:
        coded.append((entry.GetTypeModifierObject(), label.modifier))
    for target, code in coded:
        target.SetCodingSchemeDesignator(code.scheme)
        target.SetCodeValue(code.value)
        target.SetCodeMeaning(code.meaning)
    return str(slicer.vtkSlicerTerminologiesModuleLogic.SerializeTerminologyEntry(entry))


def segment_tag(node: Any, segment_id: str, name: str) -> str:
    """The value of a segment's tag, or "" where it has none."""
    value = vtk.reference("")
    found = node.GetSegmentation().GetSegment(segment_id).GetTag(name, value)
    return str(value) if found else ""


def algorithm_name(made_by: Provenance) -> str:
    """Name and version of the model, at most 64 characters (Segment Algorithm Name, 0062,0009, is an LO)."""
    version = f" {made_by.bundle_version}".rstrip()
    return made_by.bundle[: _LONG_STRING - len(version)] + version


def _segment(finding: Finding, made_by: Provenance, layer: tuple[Any, int] | None = None) -> Any:
    segment = slicer.vtkSegment()
    segment.SetName(finding.label.name)
    segment.SetNameAutoGenerated(False)
    segment.SetColor(*(value / 255 for value in finding.label.color))
    segment.SetColorAutoGenerated(False)
    for name, value in _tags(finding, made_by).items():
        segment.SetTag(name, value)
    image, label = layer or (_labelmap(finding), 1)
    segment.SetLabelValue(label)
    segment.AddRepresentation(_LABELMAP, image)
    return segment


def _tags(finding: Finding, made_by: Provenance) -> dict[str, str]:
    return {
        slicer.vtkSegment.GetTerminologyEntryTagName(): terminology(finding.label),
        ALGORITHM_TYPE: "SEMIAUTOMATIC" if made_by.prompts or _is_edited(finding) else "AUTOMATIC",
        ALGORITHM_NAME: algorithm_name(made_by),
        ALGORITHM_VERSION: made_by.bundle_version,
        TRACKING_ID: finding.label.name,
        TRACKING_UID: finding.tracking_uid,
    }


def _is_edited(finding: Finding) -> bool:
    return finding.confidence.state is ConfidenceState.NOT_ASSESSED_EDITED


def _labelmap(finding: Finding) -> Any:
    """The finding's bounding box as an oriented image of 0 and 1, placed by its extent in the whole grid."""
    region = finding.region
    packed = region if isinstance(region, PackedMask) else _packed(region)
    box = packed.to_array()[tuple(slice(a, b) for a, b in zip(packed.start, packed.stop, strict=True))]
    return oriented(box, packed.start, packed.geometry)


def _packed(region: Any) -> PackedMask:
    return PackedMask.from_array(region.to_array(), region.geometry)


def _set_reference_geometry(segmentation: Any, geometry: Geometry) -> None:
    slices, rows, columns = geometry.shape
    matrix = to_matrix(LPS_TO_RAS @ geometry.ijk_to_lps)
    text = _Converter.SerializeImageGeometry(matrix, [0, columns - 1, 0, rows - 1, 0, slices - 1])
    segmentation.SetConversionParameter(_Converter.GetReferenceImageGeometryParameterName(), text)


def _reference_image(segmentation: Any) -> Any:
    text = segmentation.GetConversionParameter(_Converter.GetReferenceImageGeometryParameterName())
    image = slicer.vtkOrientedImageData()
    if not text or not _Converter.DeserializeImageGeometry(text, image, False):
        raise GeometryError(
            "the segmentation has no reference image geometry",
            attribute="ReferenceImageGeometry",
            advice="Choose its source geometry in the Segment Editor.",
        )
    return image


def _geometry(node: Any, reference: Any, shape: tuple[int, ...]) -> Geometry:
    matrix = vtk.vtkMatrix4x4()
    reference.GetImageToWorldMatrix(matrix)
    affine = LPS_TO_RAS @ parent_to_world(node) @ from_matrix(matrix)
    start = np.array([*reference.GetExtent()[0::2], 1.0])
    affine[:, 3] = affine @ start
    slices, rows, columns = shape
    return Geometry.from_ijk_lps(
        (slices, rows, columns), affine, frame_of_reference_uid=item_attribute(node, FRAME_OF_REFERENCE)
    )
