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
from slicermedai.export import codes, fhir, pmap, seg, subject, words
from slicermedai.export.codes import AI_FAMILY
from slicermedai.export.context import ExportContext
from slicermedai.export.explanations import CitedMap, cited_maps
from slicermedai.export.fhir_course import course_observations
from slicermedai.export.fhir_observations import Saying, observations, verifications
from slicermedai.export.fhir_parts import DEVICE, DICOM_UID, Ids, Json, coding, concept, save
from slicermedai.export.fhir_parts import subject as patient

FILE_NAME = "fhir-r5.json"
_TRACKING_ID = Code(value="112039", scheme="DCM", meaning="Tracking Identifier")
_TRACKING_UID = Code(value="112040", scheme="DCM", meaning="Tracking Unique Identifier")


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/fhir-r5.json``, which cites the segmentation and the report; raises as :func:`fhir.write`."""
    fhir.check(result)
    ids = Ids(context=context, release="R5", algorithm=subject.algorithm(result))
    numbers = range(1, len(result.findings) + 1)
    maps = cited_maps(result, context)
    segments = numbers if fhir.has_voxels(result) else range(0)
    links = {number: _links(ids, number, _places(result, number, maps)) for number in numbers}
    saying = Saying(result=result, context=context, ids=ids, links=links)
    made = [
        _device(result, ids),
        *[_selection(saying, number) for number in segments],
        *[_explanation(saying, one) for one in maps],
        *[_structure(saying, number) for number in numbers],
        *observations(saying),
        *course_observations(saying),
        fhir.report(saying) | {"study": [ids.reference("ImagingStudy", "study")]},
        *verifications(saying),
    ]
    return [save(fhir.bundle(context, ids, _study(result, context, ids), made), folder / FILE_NAME)]


def _places(result: AnalysisResult, number: int, maps: tuple[CitedMap, ...]) -> list[str]:
    """The names of what a finding is derived from: its segment, where it is one, and the maps that explain it."""
    uid = result.findings[number - 1].tracking_uid
    segment = [f"segment {number}"] if fhir.has_voxels(result) else []
    return [*segment, *(_map_name(one) for one in maps if uid in one.explains)]


def _map_name(one: CitedMap) -> str:
    return f"explanation {one.sop_instance_uid}"


def _links(ids: Ids, number: int, places: list[str]) -> Json:
    """A finding is about its tracked structure, and derived from ``places``, else from the study as a whole."""
    derived = [ids.reference("ImagingSelection", name) for name in places]
    return {
        "focus": [ids.reference("BodyStructure", f"structure {number}")],
        **({"derivedFrom": derived} if derived else {}),
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
    instance = _instance(context.uids.instance(seg.KIND.name), seg.KIND.sop_class) | {"subset": [str(number)]}
    made = _selected(saying, f"segment {number}", codes.REFERENCED_SEGMENT, instance)
    return made | {"seriesUid": context.uids.series(seg.KIND.name)}


def _explanation(saying: Saying, one: CitedMap) -> Json:
    """The map that explains findings."""
    instance = _instance(one.sop_instance_uid, pmap.KIND.sop_class)
    return _selected(saying, _map_name(one), codes.VISUAL_EXPLANATION, instance) | {"seriesUid": one.series_uid}


def _instance(uid: str, sop_class: str) -> Json:
    return {"uid": uid, "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{sop_class}"}}


def _selected(saying: Saying, name: str, code: Code, instance: Json) -> Json:
    context = saying.context
    return {
        "resourceType": "ImagingSelection",
        "id": saying.ids.of(name),
        "status": "available",
        "subject": patient(context, saying.result.study.identity),
        "issued": context.finished.isoformat(),
        "code": concept(code),
        "studyUid": str(context.header.StudyInstanceUID),
        "derivedFrom": [saying.ids.reference("ImagingStudy", "study")],
        **_space(context),
        "instance": [instance],
    }


def _space(context: ExportContext) -> Json:
    uid = str(context.header.get("FrameOfReferenceUID") or "")
    return {"frameOfReferenceUid": uid} if uid else {}


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
        **_morphology(finding),
        "includedStructure": [_included(finding)],
        "description": finding.label.name,
        "patient": patient(saying.context, saying.result.study.identity),
    }


def _morphology(finding: Finding) -> Json:
    """A lesion is a change of some structure, which its label does not name, and no structure itself."""
    if finding.label.category in codes.ANATOMICAL:
        return {}
    return {"morphology": concept(finding.label.type) | {"text": finding.label.name}}


def _included(finding: Finding) -> Json:
    label = finding.label
    side = label.modifier if label.modifier in codes.SIDES else None
    structure = label.type if label.category in codes.ANATOMICAL else codes.ANATOMICAL[1]
    return {
        "structure": concept(structure) | ({"text": label.name} if structure is label.type else {}),
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
