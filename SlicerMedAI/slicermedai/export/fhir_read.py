"""A FHIR bundle (R4 or R5) back as the report that it is: ours whole, other people's as far as it goes.

What is read is a DiagnosticReport and its Observations: those with members or a coded finding are findings, the others
are their numbers. Everything else is listed by resource and element, never by its value.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from slicermedai.dicom.files import understood
from slicermedai.domain.codes import Code
from slicermedai.domain.study import InstanceRef, SeriesRef, Study
from slicermedai.errors import FormatError, MixedPatientsError
from slicermedai.export import pmap, words
from slicermedai.export.fhir_groups import WITHDRAWN, groups_of
from slicermedai.export.fhir_json import Reading, Resources, codes_of, load, text_of, typed, uids_of
from slicermedai.export.fhir_parts import Json
from slicermedai.export.sr_read import ReadReport
from slicermedai.export.uids import is_uid, named_uid

_UNDERSTOOD = {
    "DiagnosticReport",
    "Observation",
    "Device",
    "ImagingStudy",
    "ImagingSelection",
    "BodyStructure",
    "Provenance",
}
_MADE_OF_IT = {"SEG", "SR", "PR", "KO", "RTSTRUCT"}
_OUTCOMES = (words.FAILED, words.REJECTED, words.NOTHING_FOUND, "Findings: ")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBundle:
    """What a bundle says, in the terms of a TID 1500 report, and of which study.

    ``finished`` is ISO 8601, "" where it is not said; ``maker`` is whoever made the algorithm. ``lost`` lists what was
    not understood.
    """

    report: ReadReport
    study: Study
    finished: str = ""
    maker: str = ""
    lost: tuple[str, ...] = ()


def read(path: Path) -> ReadBundle:
    """Read a FHIR bundle, or a single DiagnosticReport or Observation.

    Raises
    ------
    UnreadableFileError
        No JSON, or cut off.
    FormatError
        No FHIR, or nothing in it that is a result, or elements that are not what FHIR says they are.
    MixedPatientsError
        Its resources are about several patients.
    """
    with understood(path):
        resources = load(path)
        if not resources.of("DiagnosticReport") and not resources.of("Observation"):
            raise FormatError("holds no DiagnosticReport and no Observation", file=path, attribute="resourceType")
        return _bundle(resources, path)


def _bundle(resources: Resources, path: Path) -> ReadBundle:
    reading = Reading(resources=resources)
    report, device = _chosen(reading), _device(reading)
    subject = _subject(reading, path)
    groups = groups_of(reading, report)
    _name_other_kinds(reading)
    algorithm, parameters = _algorithm(device), tuple(_parameters(device))
    return ReadBundle(
        report=ReadReport(
            sop_instance_uid=_uid(report, path),
            completion="COMPLETE",
            verification="VERIFIED" if report.get("status") == "final" else "UNVERIFIED",
            groups=tuple(
                replace(one, algorithm=algorithm, parameters=(*parameters, *one.parameters)) for one in groups
            ),
            outcome=_outcome(report),
            comments=tuple(_comments(str(report.get("conclusion") or ""))),
            verifiers=tuple(_verifiers(reading, report)),
            algorithm=algorithm,
            parameters=parameters,
        ),
        study=_study(reading, report, subject),
        finished=_moment(str(report.get("issued") or "")),
        maker=str(device.get("manufacturer") or ""),
        lost=tuple(reading.lost),
    )


def _device(reading: Reading) -> Json:
    """What the Observations name as their device, else the first that is there; a result has one."""
    resources = reading.resources
    named = resources.answers(one.get("device") for one in resources.of("Observation"))
    several = len({id(one) for one in named})
    if several > 1:
        reading.lost.append(f"{several} Devices made the Observations: all are read as of the first.")
    return next(iter([*named, *resources.of("Device")]), {})


def _name_other_kinds(reading: Reading) -> None:
    counted = Counter(str(one.get("resourceType")) for one in reading.resources.all)
    for kind in sorted(set(counted) - _UNDERSTOOD):
        reading.lost.append(f"{counted[kind]} resources {kind} were not read.")


def _chosen(reading: Reading) -> Json:
    """The first report that stands; without one, the Observations speak for themselves."""
    reports = reading.resources.of("DiagnosticReport")
    standing = [one for one in reports if one.get("status") not in WITHDRAWN]
    for one in reports:
        if one.get("status") in WITHDRAWN:
            reading.lose(one, "was withdrawn, and is not read")
    for one in standing[1:]:
        reading.lose(one, "is a further report, and is not read")
    return standing[0] if standing else {}


def _uid(report: Json, path: Path) -> str:
    told = [uid for uid, _ in uids_of(report) if is_uid(uid)]
    return told[0] if told else named_uid("fhir read", hashlib.sha256(path.read_bytes()).hexdigest())


def _outcome(report: Json) -> Code | None:
    return next((code for one in report.get("conclusionCode") or () for code in codes_of(one)), None)


def _comments(conclusion: str) -> list[str]:
    """Warnings in full, and why an algorithm failed; the report in words follows from the rest."""
    if conclusion.startswith(words.FAILED) or f"\n{words.FAILED}" in conclusion:
        _, _, said = f"\n{conclusion}".partition(f"\n{words.FAILED}")
        why = [said.partition(words.NOTHING_FOLLOWS)[0].removeprefix(": ")]
    else:
        why = []
    told: list[str] = []
    for line in conclusion.split("\n"):
        if line.startswith(_OUTCOMES):
            break
        if line.startswith("Warning: "):
            told.append(line)
        elif told:
            told[-1] += f"\n{line}"
    return [*told, *(one for one in why if one)]


def _verifiers(reading: Reading, report: Json) -> Iterable[tuple[str, str]]:
    """Names with the time where a Provenance says it; only a final report is verified."""
    if report.get("status") != "final":
        return
    times: dict[str, str] = {}
    for one in reading.resources.of("Provenance"):
        for agent in one.get("agent") or ():
            times[str((agent.get("who") or {}).get("display") or "")] = str(one.get("recorded") or "")
    for person in report.get("resultsInterpreter") or ():
        name = str(person.get("display") or "")
        if name and "Organization" not in (person.get("type"), str(person.get("reference") or "").partition("/")[0]):
            yield name, times.get(name, "")


def _algorithm(device: Json) -> tuple[str, str]:
    """Name and version: R4 has deviceName, R5 name."""
    names = [str(one.get("name") or one.get("value") or "") for one in _listed(device, "deviceName", "name")]
    versions = [str(one.get("value") or "") for one in device.get("version") or ()]
    return "".join(names[:1]), "".join(versions[:1])


def _listed(device: Json, *elements: str) -> list[Json]:
    return [one for element in elements for one in device.get(element) or ()]


def _parameters(device: Json) -> Iterable[str]:
    """ "name: value" of each property that is said in words: R4 has valueCode, R5 valueString."""
    for one in device.get("property") or ():
        coded = [text_of(part) for part in one.get("valueCode") or ()]
        value = one.get("valueString") if one.get("valueString") is not None else "".join(coded[:1])
        yield f"{text_of(one.get('type'))}: {value}"


def _subject(reading: Reading, path: Path) -> str:
    """The patient's number, of which there is one."""
    found: dict[tuple[str, ...], str] = {}
    for one in reading.resources.all:
        if one.get("resourceType") in ("DiagnosticReport", "Observation"):
            said = one.get("subject") or {}
            patient = reading.resources.answer(said) or {}
            own = [said["identifier"]] if said.get("identifier") else patient.get("identifier") or ()
            chosen: Json = next((part for part in own if typed([part], "MR")), next(iter(own), {}))
            number = str(chosen.get("value") or "")
            found[_who(chosen) if number else (str(said.get("reference") or ""),)] = number
    if len(found) > 1:
        raise MixedPatientsError("its resources are about several patients", file=path, attribute="subject")
    return next(iter(found.values()), "")


def _who(identifier: Json) -> tuple[str, ...]:
    """A number is one patient's with whoever gave it, and another's with others."""
    giver = identifier.get("assigner") or {}
    given = (identifier.get("value"), identifier.get("system"), giver.get("display"), giver.get("reference"))
    return tuple(str(part or "") for part in given)


def _study(reading: Reading, report: Json, patient: str) -> Study:
    """The study that the report names, else the first; its images, without the objects that came of them."""
    named = [*(report.get("imagingStudy") or ()), *(report.get("study") or ())]
    studies = [*reading.resources.answers(named), *reading.resources.of("ImagingStudy")]
    study = studies[0] if studies else {}
    uids = [uid for uid, _ in uids_of(study) if is_uid(uid)]
    based = [one.get("identifier") or {} for one in (*(study.get("basedOn") or ()), *(report.get("basedOn") or ()))]
    day = str(study.get("started") or report.get("effectiveDateTime") or "")[:10].replace("-", "")
    return Study(
        study_uid="".join(uids[:1]),
        patient_id=patient,
        accession=typed(based, "ACSN"),
        date=day if len(day) == 8 and day.isdigit() else "",
        series=tuple(_series(study)),
    )


def _series(study: Json) -> Iterable[SeriesRef]:
    for one in study.get("series") or ():
        modality = _modality(one.get("modality") or {})
        instances = tuple(
            InstanceRef(
                sop_class_uid=str((part.get("sopClass") or {}).get("code") or "").removeprefix("urn:oid:"),
                sop_instance_uid=str(part["uid"]),
            )
            for part in one.get("instance") or ()
        )
        if modality not in _MADE_OF_IT and not any(part.sop_class_uid == pmap.KIND.sop_class for part in instances):
            yield SeriesRef(series_uid=str(one["uid"]), modality=modality, instances=instances)


def _modality(said: Json) -> str:
    """R4 has a Coding, R5 a concept."""
    coded = [*(said.get("coding") or ()), said]
    return str(coded[0].get("code") or "")


def _moment(text: str) -> str:
    try:
        return datetime.fromisoformat(text).isoformat(timespec="seconds")
    except ValueError:
        return ""
