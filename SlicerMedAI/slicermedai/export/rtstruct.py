"""DICOM RT Structure Set (PS3.3 A.19, C.8.8.5 ff.): masks as closed contours in the planes of their images.

Contours run along the edges of the pixels, so that their area is that of the mask. They lie in the source's image
planes, whatever way these stand: a stack that leans, or a mask on another grid, is refused by name.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from slicermedai.dicom.implementation import MANUFACTURER
from slicermedai.domain.finding import Finding
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.result import AnalysisResult
from slicermedai.export import codes, subject, words
from slicermedai.export.attributes import BODY_PART, SPACE
from slicermedai.export.codes import AI_FAMILY, concept
from slicermedai.export.context import ExportContext
from slicermedai.export.contours import outlines
from slicermedai.export.finish import ObjectKind, finish, save
from slicermedai.export.multiframe import item, sop_reference
from slicermedai.export.reviews import algorithm_type
from slicermedai.export.source import SourceFrame, source_frames

KIND = ObjectKind(
    name="rtstruct",
    sop_class="1.2.840.10008.5.1.4.1.1.481.3",
    modality="RTSTRUCT",
    offset=4,
    place=(BODY_PART, *SPACE),
)
FILE_NAME = "rtstruct.dcm"
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
_DECIMALS = 5  # of a millimetre: 1e-5 mm off the plane at most


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/rtstruct.dcm``; nothing where the result has no findings.

    Raises
    ------
    FormatError
        Findings without voxels or on another grid than the source's images, or a source that lacks what a structure
        set must say; the attribute is named.
    MissingContextError
        The source has no headers.
    """
    findings = subject.segmented(result)
    if not findings:
        return []
    sources = source_frames(context, subject.grid(result))
    dataset = Dataset()
    _structure_set(dataset, result, context)
    dataset.ReferencedFrameOfReferenceSequence = [_space(context.header, sources)]
    numbered = list(enumerate(findings, 1))
    dataset.StructureSetROISequence = [_roi(result, finding, n, context.header) for n, finding in numbered]
    dataset.ROIContourSequence = [_contours(finding, n, sources) for n, finding in numbered]
    dataset.RTROIObservationsSequence = [_observation(result, finding, n) for n, finding in numbered]
    finish(dataset, context, result=result, kind=KIND)
    return [save(dataset, folder / FILE_NAME)]


def _structure_set(dataset: Dataset, result: AnalysisResult, context: ExportContext) -> None:
    """Structure Set and Approval modules (C.8.8.5, C.8.8.16): nobody has approved it."""
    dataset.StructureSetLabel = subject.line(f"MedAI {result.provenance.bundle}")[:16].strip()
    dataset.StructureSetName = subject.line(f"MedAI {result.provenance.bundle}")
    remarks = [words.said_of(result), *subject.warnings(result)]
    dataset.StructureSetDescription = "\r\n".join(remarks)[:1024]
    dataset.StructureSetDate = context.finished.strftime("%Y%m%d")
    dataset.StructureSetTime = context.finished.strftime("%H%M%S.%f")
    dataset.ApprovalStatus = "UNAPPROVED"
    dataset.OperatorsName = ""


def _space(header: Dataset, sources: tuple[SourceFrame, ...]) -> Dataset:
    """The space of the contours, and every image that they were drawn on."""
    series = item(
        SeriesInstanceUID=str(header.SeriesInstanceUID),
        ContourImageSequence=[_image(frame) for frame in sources],
    )
    study = sop_reference(_STUDY_CLASS, str(header.StudyInstanceUID))
    study.RTReferencedSeriesSequence = [series]
    return item(FrameOfReferenceUID=str(header.FrameOfReferenceUID), RTReferencedStudySequence=[study])


def _image(frame: SourceFrame) -> Dataset:
    made = sop_reference(frame.sop_class_uid, frame.sop_instance_uid)
    if frame.number is not None:
        made.ReferencedFrameNumber = frame.number
    return made


def _roi(result: AnalysisResult, finding: Finding, number: int, header: Dataset) -> Dataset:
    made = result.provenance
    return item(
        ROINumber=number,
        ReferencedFrameOfReferenceUID=str(header.FrameOfReferenceUID),
        ROIName=subject.line(finding.label.name),
        ROIDescription=f"Tracking UID {finding.tracking_uid}",
        ROIGenerationAlgorithm=algorithm_type(result, finding),
        ROIGenerationDescription=subject.line(f"{MANUFACTURER} {made.bundle} {made.bundle_version}"),
        ROIDerivationAlgorithmIdentificationSequence=[
            item(
                AlgorithmFamilyCodeSequence=[concept(AI_FAMILY)],
                AlgorithmName=subject.algorithm_name(result),
                AlgorithmVersion=subject.algorithm_version(result),
                AlgorithmParameters="; ".join((*subject.algorithm_parameters(result), subject.calibration(finding))),
            )
        ],
    )


def _observation(result: AnalysisResult, finding: Finding, number: int) -> Dataset:
    kind = concept(finding.label.type)
    if finding.label.modifier is not None:
        kind.SegmentedPropertyTypeModifierCodeSequence = [concept(finding.label.modifier)]
    return item(
        ObservationNumber=number,
        ReferencedROINumber=number,
        ROIObservationLabel=subject.line(finding.label.name)[:16].strip(),
        RTROIInterpretedType="ORGAN" if finding.label.category in codes.ANATOMICAL else "",
        ROIInterpreter="",
        SegmentedPropertyCategoryCodeSequence=[concept(finding.label.category)],
        RTROIIdentificationCodeSequence=[kind],
        ROIObservationDescription=words.said_of(result),
    )


def _contours(finding: Finding, number: int, sources: tuple[SourceFrame, ...]) -> Dataset:
    """All contours of one structure; an empty one has none."""
    region = subject.region(finding)
    mask, grid = region.to_array(), region.geometry
    polygons = [(index, one) for index in np.flatnonzero(mask.any(axis=(1, 2))) for one in outlines(mask[index])]
    made = item(ReferencedROINumber=number, ROIDisplayColor=list(finding.label.color))
    if polygons:
        made.ContourSequence = [
            _contour(polygon, int(index), grid, source=sources[index], number=n)
            for n, (index, polygon) in enumerate(polygons, 1)
        ]
    return made


def _contour(polygon: NDArray[np.float64], index: int, grid: Geometry, *, source: SourceFrame, number: int) -> Dataset:
    """One polygon of N x 2 (row, column) in slice ``index``, in LPS mm."""
    points = grid.to_lps(np.column_stack([np.full(len(polygon), index), polygon]))
    return item(
        ContourNumber=number,
        ContourImageSequence=[_image(source)],
        ContourGeometricType="CLOSED_PLANAR",
        NumberOfContourPoints=len(points),
        ContourData=[f"{value:.{_DECIMALS}f}" for value in (np.round(points, _DECIMALS) + 0.0).ravel()],
    )
