"""DICOM Comprehensive 3D SR with the TID 1500 Measurement Report (PS3.3 A.35.13, PS3.16 TID 1500)."""

from __future__ import annotations

from pathlib import Path

from highdicom.sr.value_types import ContentItem
from pydicom.dataset import Dataset

from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.errors import FormatError
from slicermedai.export import explanations, seg, sr_tree, subject
from slicermedai.export.context import ExportContext
from slicermedai.export.finish import ObjectKind, finish, save
from slicermedai.export.multiframe import item, sop_reference
from slicermedai.export.order import referenced_requests
from slicermedai.export.reviews import Verifier, verifiers
from slicermedai.export.source import SourceFrame, source_frames, source_planes
from slicermedai.export.sr_library import image_library

KIND = ObjectKind(name="sr", sop_class="1.2.840.10008.5.1.4.1.1.88.34", modality="SR", offset=2)
FILE_NAME = "sr.dcm"


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/sr.dcm``, which cites the segmentation that :mod:`seg` writes of the same result.

    A result without findings makes a report too: it says that nothing was found, or that the algorithm failed.
    Reports are unverified until people decided about every finding; a failed run's is partial.

    Raises
    ------
    FormatError
        What TID 1411 cannot say; the attribute is named.
    MissingContextError
        The source has no headers.
    """
    dataset = finish(measurement_report(result, context), context, result=result, kind=KIND)
    return [save(dataset, folder / FILE_NAME)]


def measurement_report(result: AnalysisResult, context: ExportContext) -> Dataset:
    """The content of the report, before it is filed as an object of some SOP class; raises as :func:`write`."""
    findings = subject.segmented(result)
    sources = _sources(result, findings, context)
    return _document(result, findings, sources=sources, context=context)


def _sources(result: AnalysisResult, findings: tuple[Finding, ...], context: ExportContext) -> tuple[SourceFrame, ...]:
    """The images that the report is about: those behind the segments, or all where there are none."""
    check_space(context.header)
    if findings:
        return source_frames(context, subject.grid(result))
    return tuple(source_planes(context))


def check_space(header: Dataset) -> None:
    """Raise :class:`FormatError` for a source that names no frame of reference: places would be in no space."""
    if not header.get("FrameOfReferenceUID"):
        raise FormatError("the source does not name it, and it is mandatory", attribute="FrameOfReferenceUID")


def _document(
    result: AnalysisResult,
    findings: tuple[Finding, ...],
    *,
    sources: tuple[SourceFrame, ...],
    context: ExportContext,
) -> Dataset:
    header = context.header
    library = image_library(context, sources)
    root = sr_tree.report(
        result, [library, *_body(result, findings, context)], modality=str(header.get("Modality", ""))
    )
    dataset = Dataset()
    for element in root:
        dataset.add(element)
    describe(dataset, result, header)
    dataset.CurrentRequestedProcedureEvidenceSequence = [evidence(context, sources, result=result)]
    return dataset


def _body(result: AnalysisResult, findings: tuple[Finding, ...], context: ExportContext) -> list[ContentItem]:
    if not findings:
        return [sr_tree.outcome_without_findings(result)]
    cited = sr_tree.CitedSegmentation(
        sop_class_uid=seg.KIND.sop_class,
        sop_instance_uid=context.uids.instance(seg.KIND.name),
        source_series_uid=str(context.header.SeriesInstanceUID),
        maps=explanations.cited_maps(result, context),
    )
    numbers = sr_tree.measurements(result, findings, cited)
    return [numbers, sr_tree.remarks(result)] if result.needs_a_look else [numbers]


def describe(dataset: Dataset, result: AnalysisResult, header: Dataset) -> None:
    """SR Document General and Series modules (C.17.1, C.17.2): unverified, until people decided about every finding."""
    organization = str(header.get("InstitutionName") or "Not stated")
    failed = result.status is Status.FAILED
    dataset.CompletionFlag = "PARTIAL" if failed else "COMPLETE"
    if failed:
        dataset.CompletionFlagDescription = "The algorithm failed"
    people = verifiers(result)
    dataset.VerificationFlag = "VERIFIED" if people else "UNVERIFIED"
    dataset.PreliminaryFlag = "FINAL" if people else "PRELIMINARY"
    if people:
        dataset.VerifyingObserverSequence = [_observer(one, organization) for one in people]
    requests = referenced_requests(header)
    if requests:
        dataset.ReferencedRequestSequence = requests
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []


def _observer(person: Verifier, organization: str) -> Dataset:
    """One item of Verifying Observer Sequence (C.17.2.2)."""
    return item(
        VerifyingObserverName=person.name,
        VerifyingObserverIdentificationCodeSequence=[],
        VerifyingOrganization=subject.line(organization),
        VerificationDateTime=person.time.strftime("%Y%m%d%H%M%S.%f%z"),
    )


def evidence(context: ExportContext, sources: tuple[SourceFrame, ...], *, result: AnalysisResult) -> Dataset:
    """Every instance that the tree refers to (C.17.2.3); only findings with voxels cite the segmentation."""
    images = dict.fromkeys((frame.sop_class_uid, frame.sop_instance_uid) for frame in sources)
    series = [_series(str(context.header.SeriesInstanceUID), [sop_reference(*one) for one in images])]
    if any(isinstance(one.region, (Mask, PackedMask)) for one in result.findings):
        cited = sop_reference(seg.KIND.sop_class, context.uids.instance(seg.KIND.name))
        series.append(_series(context.uids.series(seg.KIND.name), [cited]))
    series += explanations.evidence(explanations.cited_maps(result, context))
    return item(StudyInstanceUID=str(context.header.StudyInstanceUID), ReferencedSeriesSequence=series)


def _series(uid: str, references: list[Dataset]) -> Dataset:
    return item(SeriesInstanceUID=uid, ReferencedSOPSequence=references)
