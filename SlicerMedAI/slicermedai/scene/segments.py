"""Segmentations: findings with masks to a segmentation node, and a segment back to a mask.

A segment's ID is the finding's tracking UID, so that a segment that a person edits is found again. The tags
``DICOM.SegmentAlgorithmType`` and ``DICOM.SegmentAlgorithmName`` are what Slicer's DICOM Segmentation export reads
(without them it writes MANUAL); the name holds the version too, since the export writes nothing else of the model. What
a person edited, or marked places for, is SEMIAUTOMATIC (PS3.3 C.8.20.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util import numpy_support

from slicermedai.domain.codes import Label
from slicermedai.domain.finding import ConfidenceState, Finding, Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.volume import LabelMap
from slicermedai.errors import GeometryError, InputError
from slicermedai.scene.hierarchy import FRAME_OF_REFERENCE, item_attribute
from slicermedai.scene.volumes import LPS_TO_RAS, from_matrix, parent_to_world, to_matrix

TERMINOLOGY_CONTEXT = "Segmentation category and type - DICOM master list"
REGION_CONTEXT = "Anatomic codes - DICOM master list"
ALGORITHM_TYPE = "DICOM.SegmentAlgorithmType"
ALGORITHM_NAME = "DICOM.SegmentAlgorithmName"
ALGORITHM_VERSION = "DICOM.AlgorithmVersion"
TRACKING_ID = "DICOM.TrackingID"
TRACKING_UID = "DICOM.TrackingUID"
_LONG_STRING = 64  # characters of a DICOM value of type LO
_Converter = slicer.vtkSegmentationConverter
_SCALARS = {"u1": vtk.VTK_UNSIGNED_CHAR, "u2": vtk.VTK_UNSIGNED_SHORT}
_LABELMAP = _Converter.GetSegmentationBinaryLabelmapRepresentationName()
_SURFACE = _Converter.GetSegmentationClosedSurfaceRepresentationName()


def has_mask(finding: Finding) -> bool:
    """True where the finding's region is a mask, and so can be a segment."""
    return isinstance(finding.region, (Mask, PackedMask))


def fill_segmentation(node: Any, findings: Iterable[Finding], *, geometry: Geometry, made_by: Provenance) -> None:
    """Make the segments of ``node`` those of ``findings`` that have masks, in their order; others are removed.

    Parameters
    ----------
    node:
        A segmentation node that stands in a scene.
    geometry:
        The grid of the analysed image; it becomes the reference image geometry of the segmentation.
    made_by:
        Name and version of the model go into the DICOM tags of each segment.
    """
    segmentation = node.GetSegmentation()
    segmentation.RemoveAllSegments()
    segmentation.SetSourceRepresentationName(_LABELMAP)
    _set_reference_geometry(segmentation, geometry)
    drawn = [one for one in findings if has_mask(one)]
    layers = _layers(drawn)
    for finding in drawn:
        segmentation.AddSegment(_segment(finding, made_by, layers.get(finding.tracking_uid)), finding.tracking_uid)
    if len(layers) < len(drawn):
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
    array = labelmap_array(merged) != 0
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
            layers[image] = np.zeros(0, np.int64) if empty else count_values(labelmap_array(image))
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


def _layers(findings: Sequence[Finding]) -> dict[str, tuple[Any, int]]:
    """The layer and the label value of each finding that is alone with its value in a label map, by tracking UID.

    Findings of one label map share one layer: to draw each by itself, and let Slicer join them, takes 27 s for 105
    structures of a large CT.
    """
    maps = {id(one.region.label_map): one.region.label_map for one in findings if isinstance(one.region, Mask)}
    found: dict[str, tuple[Any, int]] = {}
    for key, label_map in maps.items():
        inside = [one for one in findings if isinstance(one.region, Mask) and id(one.region.label_map) == key]
        values = {one.tracking_uid: one.region.value for one in inside if isinstance(one.region, Mask)}
        is_plain = label_map.array.dtype in (np.uint8, np.uint16)
        if is_plain and len(set(values.values())) == len(inside):
            layer = _shared_layer(label_map, list(values.values()))
            found |= {uid: (layer, value) for uid, value in values.items()}
    return found


def _shared_layer(label_map: LabelMap, values: Sequence[int]) -> Any:
    """The box of all ``values`` as an oriented image; other labels, of what was rejected, are not in it."""
    table = np.zeros(max(int(label_map.array.max(initial=0)), *values) + 1, label_map.array.dtype)
    table[values] = values
    array = table[label_map.array]
    start, stop = _box(array)
    return _oriented(array[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))], start, label_map.geometry)


def _box(array: NDArray[Any]) -> tuple[list[int], list[int]]:
    """Where the array is not 0: first and one past the last index of each axis; 0 and 0 where it is 0 throughout."""
    filled = [np.asarray(np.any(array, axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    places = [np.flatnonzero(one) for one in filled]
    if not len(places[0]):
        return [0, 0, 0], [0, 0, 0]
    return [int(one[0]) for one in places], [int(one[-1]) + 1 for one in places]


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
    return _oriented(box, packed.start, packed.geometry)


def _oriented(box: NDArray[Any], start: Sequence[int], geometry: Geometry) -> Any:
    """A box of voxels that begins at ``start`` of a grid, as an oriented image, placed by its extent."""
    sizes = zip(start[::-1], box.shape[::-1], strict=True)
    image = slicer.vtkOrientedImageData()
    image.SetExtent([limit for a, size in sizes for limit in (int(a), int(a) + size - 1)])
    image.AllocateScalars(_SCALARS.get(box.dtype.str[1:], vtk.VTK_UNSIGNED_CHAR), 1)
    if box.size:
        labelmap_array(image)[:] = box
    image.SetImageToWorldMatrix(to_matrix(LPS_TO_RAS @ geometry.ijk_to_lps))
    return image


def _packed(region: Any) -> PackedMask:
    return PackedMask.from_array(region.to_array(), region.geometry)


def labelmap_array(image: Any) -> NDArray[Any]:
    """The image's voxels as a writable view, [slice, row, column]."""
    columns, rows, slices = image.GetDimensions()
    flat = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return np.asarray(flat).reshape(slices, rows, columns)


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
