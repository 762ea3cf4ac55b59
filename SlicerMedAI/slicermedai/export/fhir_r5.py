"""A FHIR R5 transaction by HL7's mapping of DICOM SR (dicom-sr 1.0.0).

Beside what R4 has, each finding's place is an ImagingSelection (its segment of the segmentation), and the structure it
is tracked as is a BodyStructure, which holds over time points.
"""

from __future__ import annotations

from pathlib import Path

from slicermedai.dicom.implementation import MANUFACTURER
from slicermedai.domain.codes import Code
from slicermedai.domain.finding import Finding
from slicermedai.domain.result import AnalysisResult
from slicermedai.export import codes, fhir, seg, subject, words
from slicermedai.export.codes import AI_FAMILY
from slicermedai.export.context import ExportContext
from slicermedai.export.fhir_observations import Saying, observations, verifications
from slicermedai.export.fhir_parts import DEVICE, DICOM_UID, Ids, Json, coding, concept, save
from slicermedai.export.fhir_parts import subject as patient

FILE_NAME = "fhir-r5.json"
_SEGMENT = Code(value="121191", scheme="DCM", meaning="Referenced Segment")
_TRACKING_ID = Code(value="112039", scheme="DCM", meaning="Tracking Identifier")
_TRACKING_UID = Code(value="112040", scheme="DCM", meaning="Tracking Unique Identifier")


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/fhir-r5.json``, which cites the segmentation and the report; raises as :func:`fhir.write`."""
    subject.segmented(result)
    ids = Ids(context=context, release="R5", algorithm=subject.algorithm(result))
    numbers = range(1, len(result.findings) + 1)
    saying = Saying(result=result, context=context, ids=ids, links={number: _links(ids, number) for number in numbers})
    made = [
        _device(result, ids),
        *[_selection(saying, number) for number in numbers],
        *[_structure(saying, number) for number in numbers],
        *observations(saying),
        fhir.report(saying) | {"study": [ids.reference("ImagingStudy", "study")]},
        *verifications(saying),
    ]
    return [save(fhir.bundle(context, ids, _study(result, context, ids), made), folder / FILE_NAME)]


def _links(ids: Ids, number: int) -> Json:
    """A finding is about its tracked structure, and derived from its segment."""
    return {
        "focus": [ids.reference("BodyStructure", f"structure {number}")],
        "derivedFrom": [ids.reference("ImagingSelection", f"segment {number}")],
    }


def _study(result: AnalysisResult, context: ExportContext, ids: Ids) -> Json:
    """R5 gives modalities as concepts."""
    made = fhir.imaging_study(result, context, ids)
    for series in made["series"]:
        series["modality"] = {"coding": [series["modality"]]}
    return made


def _selection(saying: Saying, number: int) -> Json:
    """The finding's segment in the segmentation of the same result."""
    context = saying.context
    instance = {
        "uid": context.uids.instance(seg.KIND.name),
        "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{seg.KIND.sop_class}"},
        "subset": [str(number)],
    }
    return {
        "resourceType": "ImagingSelection",
        "id": saying.ids.of(f"segment {number}"),
        "status": "available",
        "subject": patient(context, saying.result.study.identity),
        "issued": context.finished.isoformat(),
        "code": concept(_SEGMENT),
        "studyUid": str(context.header.StudyInstanceUID),
        "derivedFrom": [saying.ids.reference("ImagingStudy", "study")],
        "seriesUid": context.uids.series(seg.KIND.name),
        "frameOfReferenceUid": str(context.header.FrameOfReferenceUID),
        "instance": [instance],
    }


def _structure(saying: Saying, number: int) -> Json:
    """The structure or lesion by its tracking identifiers, the same in SR and SEG."""
    finding = saying.result.findings[number - 1]
    name = subject.tracking_id(saying.result, number)
    return {
        "resourceType": "BodyStructure",
        "id": saying.ids.of(f"structure {number}"),
        "identifier": [
            {"type": {"coding": [coding(_TRACKING_ID)]}, "value": name},
            {
                "type": {"coding": [coding(_TRACKING_UID)]},
                "system": DICOM_UID,
                "value": f"urn:oid:{finding.tracking_uid}",
            },
        ],
        "includedStructure": [_included(finding)],
        "description": finding.label.name,
        "patient": patient(saying.context, saying.result.study.identity),
    }


def _included(finding: Finding) -> Json:
    side = finding.label.modifier if finding.label.modifier in codes.SIDES else None
    return {
        "structure": concept(finding.label.type) | {"text": finding.label.name},
        **({"laterality": concept(side)} if side is not None else {}),
    }


def _device(result: AnalysisResult, ids: Ids) -> Json:
    texts = dict(text.split(": ", 1) for text in subject.algorithm_parameters(result))
    return {
        "resourceType": "Device",
        "id": ids.of(DEVICE),
        "manufacturer": MANUFACTURER,
        "name": [{"value": result.provenance.bundle, "type": "registered-name"}],
        "type": [concept(AI_FAMILY)],
        "version": [{"value": result.provenance.bundle_version}],
        "property": [{"type": {"text": name}, "valueString": value} for name, value in texts.items()],
        "note": [{"text": words.RESEARCH}],
    }
