"""Small parts of FHIR resources (data types of R4 and R5), and identifiers that follow from the result."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from slicermedai.domain.codes import Code
from slicermedai.domain.study import Identity
from slicermedai.export.context import ExportContext
from slicermedai.export.uids import named_uid

Json = dict[str, Any]
SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
    "UCUM": "http://unitsofmeasure.org",
    "UMLS": "http://www.nlm.nih.gov/research/umls",
    "RADLEX": "http://radlex.org",
    "UBERON": "urn:oid:1.2.840.10008.2.16.6",
    "IBSI": "urn:oid:1.2.840.10008.2.16.13",
    "RADELEMENT": "urn:oid:1.2.840.10008.2.16.15",
    "I11": "urn:oid:1.2.840.10008.2.16.16",
}
"""Coding scheme designator (PS3.16 table 8-1) -> what FHIR names it by, which may be its UID (PS3.6 annex A)."""
_KINDS_OF_IDENTIFIER = "http://terminology.hl7.org/CodeSystem/v2-0203"
DICOM_UID = "urn:dicom:uid"
DEVICE = "device"
"""The name of the algorithm's resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """Resource ids of one result: the same result has the same ones, so that sending it again changes nothing.

    ``algorithm`` is all that tells the device from others: its id is the same for all results of one algorithm.
    """

    context: ExportContext
    release: str
    algorithm: tuple[str, ...]

    def of(self, name: str) -> str:
        """A UUID for the resource of that name in this result."""
        scope = self.algorithm if name == DEVICE else (self.context.uids.root, name, *self.context.uids.link)
        return str(uuid.UUID(int=int(named_uid("fhir", self.release, *scope).removeprefix("2.25."))))

    def reference(self, kind: str, name: str) -> Json:
        """A reference to the resource ``name`` of type ``kind`` in the same bundle."""
        return {"reference": f"urn:uuid:{self.of(name)}", "type": kind}


def coding(code: Code) -> Json:
    """One Coding; schemes that FHIR has no system for keep their meaning alone."""
    system = {"system": SYSTEMS[code.scheme]} if code.scheme in SYSTEMS else {}
    return {**system, "code": code.value, "display": code.meaning}


def concept(*codes: Code) -> Json:
    """A CodeableConcept; its text is the meaning of the first code."""
    return {"coding": [coding(code) for code in codes], "text": codes[0].meaning}


def quantity(value: float, unit: Code) -> Json:
    """A Quantity in UCUM."""
    return {"value": value, "unit": unit.meaning, "system": SYSTEMS["UCUM"], "code": unit.value}


def absent(reason: str, code: str = "unknown") -> Json:
    """Why there is no value (FHIR's data-absent-reason), in a code and in words."""
    system = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
    return {"coding": [{"system": system, "code": code}], "text": reason}


def uid_identifier(uid: str, kind: Code | None = None) -> Json:
    """A DICOM UID as identifier; ``kind`` says which of an object's UIDs it is."""
    typed = {"type": concept(kind)} if kind is not None else {}
    return {**typed, "system": DICOM_UID, "value": f"urn:oid:{uid}"}


def typed_identifier(value: str, kind: str) -> Json:
    """An identifier of HL7 table 0203 (ACSN, PLAC, FILL, MR)."""
    return {"type": {"coding": [{"system": _KINDS_OF_IDENTIFIER, "code": kind}]}, "value": value}


def subject(context: ExportContext, identity: Identity) -> Json:
    """The patient by number alone: the receiver has the rest. On the pseudonymous route that number is a pseudonym."""
    number = str(context.header.get("PatientID") or "")
    found: Json = {"type": "Patient"}
    if number:
        found["identifier"] = typed_identifier(number, "MR" if identity is Identity.KEEP else "ANON")
        issuer = str(context.header.get("IssuerOfPatientID") or "")
        if issuer:
            found["identifier"]["assigner"] = {"display": issuer}
    else:
        found["display"] = "not known"
    return found


def orders(header: Dataset) -> list[Json]:
    """What the study was done for: accession number, and the numbers of placer and filler, as far as they are known."""
    requests = header.get("RequestAttributesSequence") or ()
    request = requests[0] if requests else Dataset()
    numbers = (
        ("ACSN", header.get("AccessionNumber")),
        ("PLAC", _either(header, request, "PlacerOrderNumberImagingServiceRequest")),
        ("FILL", _either(header, request, "FillerOrderNumberImagingServiceRequest")),
    )
    told = [typed_identifier(str(value), kind) for kind, value in numbers if value]
    return [{"type": "ServiceRequest", "identifier": identifier} for identifier in told]


def _either(header: Dataset, request: Dataset, keyword: str) -> Any:
    return header.get(keyword) or request.get(keyword)


def study_date(header: Dataset) -> str:
    """The day of the study, "YYYY-MM-DD"; "" where it is not known."""
    day = str(header.get("StudyDate") or "")
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and day.isdigit() else ""


def put(resource: Json) -> Json:
    """An entry that makes the resource, or leaves it as it is where it was sent before."""
    url = f"{resource['resourceType']}/{resource['id']}"
    return {
        "fullUrl": f"urn:uuid:{resource['id']}",
        "resource": resource,
        "request": {"method": "PUT", "url": url},
    }


def create_once(resource: Json, query: str) -> Json:
    """An entry that makes the resource only where the receiver finds none by ``query``."""
    return {
        "fullUrl": f"urn:uuid:{resource['id']}",
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"], "ifNoneExist": query},
    }


def save(bundle: Json, path: Path) -> Path:
    """Write UTF-8 JSON."""
    path.write_text(json.dumps(bundle, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return path
