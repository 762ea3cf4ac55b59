"""A FHIR R4 transaction: DiagnosticReport, ImagingStudy, Device, and an Observation for each finding and number.

Ids follow from the result, and entries are put under them: sending a bundle again changes nothing. The study is made
only where the receiver has none. No patient resource is sent, so that none is overwritten: the patient is named by
number, as DICOM SR's mapping (HL7 dicom-sr) allows, and neither name nor date of birth leaves by this road.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicermedai.dicom.implementation import MANUFACTURER
from slicermedai.domain.codes import Code
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import Space
from slicermedai.domain.result import AnalysisResult
from slicermedai.export import pmap, seg, sr, sr_image, sr_regions, subject, words
from slicermedai.export.codes import AI_FAMILY, procedure
from slicermedai.export.context import ExportContext
from slicermedai.export.course_words import course_lines
from slicermedai.export.explanations import cited_maps
from slicermedai.export.fhir_course import course_observations, course_references
from slicermedai.export.fhir_observations import Saying, conclusion, group_name, observations, people, verifications
from slicermedai.export.fhir_parts import (
    DEVICE,
    DICOM_UID,
    Ids,
    Json,
    coding,
    concept,
    create_once,
    orders,
    put,
    save,
    study_date,
    uid_identifier,
)
from slicermedai.export.fhir_parts import subject as patient
from slicermedai.export.finish import ObjectKind

FILE_NAME = "fhir-r4.json"
REPORT = Code(value="18748-4", scheme="LN", meaning="Diagnostic imaging study")
RADIOLOGY = Code(value="LP29684-5", scheme="LN", meaning="Radiology")
_OTHER = Code(value=pmap.KIND.modality, scheme="DCM", meaning="Other")
_SEGMENTATION = Code(value="SEG", scheme="DCM", meaning="Segmentation")
_REPORT = Code(value="SR", scheme="DCM", meaning="SR")


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/fhir-r4.json``, which cites the segmentation and the reports of the same result.

    Raises
    ------
    FormatError
        Findings that the cited objects cannot hold.
    MissingContextError
        The source has no headers.
    """
    check(result)
    ids = Ids(context=context, release="R4", algorithm=subject.algorithm(result))
    saying = Saying(result=result, context=context, ids=ids)
    study = imaging_study(result, context, ids)
    made = [
        _device(result, ids),
        *observations(saying),
        *course_observations(saying),
        _study_report(saying),
        *verifications(saying),
    ]
    return [save(bundle(context, ids, study, made), folder / FILE_NAME)]


def check(result: AnalysisResult) -> None:
    """Raise :class:`FormatError` for findings that the cited objects cannot hold: some with voxels, some without."""
    if has_voxels(result):
        subject.segmented(result)
    subject.tracked(result)


def has_voxels(result: AnalysisResult) -> bool:
    """True where the findings are segments."""
    return any(isinstance(one.region, (Mask, PackedMask)) for one in result.findings)


def bundle(context: ExportContext, ids: Ids, study: Json, resources: list[Json]) -> Json:
    """A transaction of ``resources``, and of the study where the receiver does not know it."""
    query = f"identifier={DICOM_UID}|urn:oid:{context.header.StudyInstanceUID}"
    return {
        "resourceType": "Bundle",
        "id": ids.of("bundle"),
        "type": "transaction",
        "timestamp": context.finished.isoformat(),
        "entry": [create_once(study, query), *[put(one) for one in resources]],
    }


def imaging_study(result: AnalysisResult, context: ExportContext, ids: Ids) -> Json:
    """The study with the series that were analysed, and those that came of it (R4)."""
    header = context.header
    day = study_date(header)
    modality = Code(
        value=str(header.get("Modality") or "OT"), scheme="DCM", meaning=str(header.get("Modality") or "OT")
    )
    series = [_series(str(header.SeriesInstanceUID), modality, _instances(context))]
    series += [
        _series(context.uids.series(kind.name), told, [(context.uids.instance(kind.name), kind.sop_class)])
        for kind, told in cited(result)
    ]
    maps = [(one.sop_instance_uid, pmap.KIND.sop_class) for one in cited_maps(result, context)]
    series += [_series(context.uids.series(pmap.KIND.name), _OTHER, maps)] if maps else []
    return {
        "resourceType": "ImagingStudy",
        "id": ids.of("study"),
        "identifier": [uid_identifier(str(header.StudyInstanceUID))],
        "status": "available",
        "subject": patient(context, result.study.identity),
        **({"started": day} if day else {}),
        **({"basedOn": orders(header)} if orders(header) else {}),
        "numberOfSeries": len(series),
        "series": series,
    }


def cited(result: AnalysisResult) -> list[tuple[ObjectKind, Code]]:
    """The objects that the bundle cites, each with its modality, the main report last."""
    if has_voxels(result):
        return [(seg.KIND, _SEGMENTATION), (sr.KIND, _REPORT)]
    if not result.findings:
        return [(sr.KIND if result.volume_geometry.space is Space.PATIENT else sr_image.KIND, _REPORT)]
    whole = [(sr_image.KIND, _REPORT)] if any(one.region is None for one in result.findings) else []
    placed = [(sr_regions.KIND, _REPORT)] if any(one.region is not None for one in result.findings) else []
    return [*whole, *placed]


def _instances(context: ExportContext) -> list[tuple[str, str]]:
    return [(str(one.SOPInstanceUID), str(one.SOPClassUID)) for one in context.headers]


def _series(uid: str, modality: Code, instances: list[tuple[str, str]]) -> Json:
    return {
        "uid": uid,
        "modality": coding(modality),
        "numberOfInstances": len(instances),
        "instance": [
            {"uid": instance, "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{sop_class}"}}
            for instance, sop_class in instances
        ],
    }


def _device(result: AnalysisResult, ids: Ids) -> Json:
    """The algorithm: name, version, hash of its weights, and what else determines its output (R4)."""
    texts = dict(text.split(": ", 1) for text in subject.algorithm_parameters(result))
    return {
        "resourceType": "Device",
        "id": ids.of(DEVICE),
        "manufacturer": MANUFACTURER,
        "deviceName": [{"name": result.provenance.bundle, "type": "model-name"}],
        "type": concept(AI_FAMILY),
        "version": [{"value": result.provenance.bundle_version}],
        "property": [{"type": {"text": name}, "valueCode": [{"text": value}]} for name, value in texts.items()],
        "note": [{"text": words.RESEARCH}],
    }


def _study_report(saying: Saying) -> Json:
    return report(saying) | {"imagingStudy": [saying.ids.reference("ImagingStudy", "study")]}


def report(saying: Saying) -> Json:
    """The DiagnosticReport, as far as R4 and R5 agree: preliminary until verified, with the report in words."""
    result, context, ids = saying.result, saying.context, saying.ids
    based, day = orders(context.header), study_date(context.header)
    found = [ids.reference("Observation", group_name(number)) for number in range(1, len(result.findings) + 1)]
    found += course_references(saying)
    told: tuple[Any, ...] = (
        words.outcome(result),
        words.standing(result),
        words.RESEARCH,
        *words.entered(result),
        *course_lines(result),
    )
    return {
        "resourceType": "DiagnosticReport",
        "id": ids.of("report"),
        "identifier": [uid_identifier(context.uids.instance(cited(result)[-1][0].name))],
        **({"basedOn": based} if based else {}),
        "status": "final" if people(result) else "preliminary",
        "category": [concept(RADIOLOGY)],
        "code": concept(REPORT, procedure(str(context.header.get("Modality", "")))),
        "subject": patient(context, result.study.identity),
        **({"effectiveDateTime": day} if day else {}),
        "issued": context.finished.isoformat(),
        **({"resultsInterpreter": people(result)} if people(result) else {}),
        **({"result": found} if found else {}),
        "conclusion": conclusion(result, told),
        "conclusionCode": [concept(subject.summary(result))],
    }
