"""An HL7 v2.5.1 message ORU^R01 with the numbers of a result, preliminary until they are verified.

Segments end with a carriage return, text is UTF-8, and what would be a delimiter is escaped (HL7 v2.5.1, 2.7). The
control id follows from the result: a message sent again is the same message.
"""

from __future__ import annotations

import hashlib
import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from pydicom.dataset import Dataset

from slicermedai.dicom.implementation import DEVICE_UID
from slicermedai.domain.codes import Code
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, Measurement
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Identity
from slicermedai.export import codes, subject, words
from slicermedai.export.context import ExportContext
from slicermedai.export.course_words import course_lines
from slicermedai.export.reviews import verifiers

FILE_NAME = "result.hl7"
_SERVICE = Code(value="18748-4", scheme="LN", meaning="Diagnostic imaging study")
_NARRATIVE = Code(value="18782-3", scheme="LN", meaning="Radiology Study observation (narrative)")
_FINDING = Code(value="121071", scheme="DCM", meaning="Finding")
_TRACKING_UID = Code(value="112040", scheme="DCM", meaning="Tracking Unique Identifier")
_STUDY_UID = Code(value="110180", scheme="DCM", meaning="Study Instance UID")
_CONFIDENCE = Code(value="MEDAI-CONFIDENCE", scheme="99MEDAI", meaning="Confidence")
_PRELIMINARY, _FINAL, _NOT_OBTAINED = "P", "F", "X"
_ESCAPES = str.maketrans(
    {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": " ", "\n": " ", "\t": " "}
)
_LONGEST = 199  # characters of a text in one segment, escaped (type ST; TX may have more, and not all readers take it)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One OBX: its type, concept, value ("" for none), unit, the finding it belongs to, and its method.

    ``text`` says more than the concept's meaning, "" where that is enough. ``status`` is "" where it is that of the
    whole message; ``note`` says why there is no value.
    """

    kind: str
    name: Code
    value: str
    text: str = ""
    unit: Code | None = None
    group: str = ""
    method: Code | None = None
    status: str = ""
    note: str = ""


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/result.hl7``.

    On the pseudonymous route PID has a pseudonym as number, and neither name nor date of birth.

    Raises
    ------
    MissingContextError
        The source has no headers.
    """
    people = verifiers(result)
    status = _FINAL if people else _PRELIMINARY
    segments = [_msh(context), _pid(result, context), _obr(context, status)]
    for number, seen in enumerate(_all(result, context), 1):
        made = seen if seen.status else replace(seen, status=status)
        segments.append(_obx(number, made, context, person=people[-1].name if people else ""))
        segments += [_segment("NTE", {1: "1", 2: "L", 3: _escaped(seen.note)})] if seen.note else []
    path = folder / FILE_NAME
    path.write_bytes("".join(f"{segment}\r" for segment in segments).encode())
    return [path]


def _segment(name: str, fields: dict[int, str]) -> str:
    """A segment with ``fields`` at their places, from 1."""
    return "|".join([name, *[fields.get(place, "") for place in range(1, max(fields) + 1)]])


def _msh(context: ExportContext) -> str:
    control = hashlib.sha256(context.uids.root.encode()).hexdigest()[:20].upper()
    places = [
        "SlicerMedAI", "MedAI", "", "", _time(context), "", "ORU^R01^ORU_R01", control, "P", "2.5.1",
        "", "", "", "", "", "UNICODE UTF-8",
    ]  # fmt: skip
    return "MSH|^~\\&|" + "|".join(places)


def _pid(result: AnalysisResult, context: ExportContext) -> str:
    """The patient that the source names (HL7 v2.5.1, 3.4.2)."""
    header, known = context.header, result.study.identity is Identity.KEEP
    kind = "MR" if known else "ANON"
    number = f"{_escaped(header.get('PatientID'))}^^^{_escaped(header.get('IssuerOfPatientID'))}^{kind}"
    fields = {1: "1", 3: number, 5: _name(header) if known else "^^^^^^S"}
    if known:
        sex = str(header.get("PatientSex") or "")
        fields |= {7: _escaped(header.get("PatientBirthDate")), 8: sex if sex in ("M", "F", "O") else "U"}
    return _segment("PID", fields)


def _name(header: Dataset) -> str:
    return _xpn(str(header.get("PatientName") or "")) or "^^^^^^U"


def _xpn(name: str) -> str:
    """A DICOM name as HL7 writes it: XPN has the suffix before the prefix, PN after it."""
    written = next((group for group in name.split("=") if group.strip("^ ")), "")
    parts = written.split("^")
    family, given, middle, prefix, suffix = (*parts, "", "", "", "", "")[:5]
    return "^".join([_escaped(part) for part in (family, given, middle, suffix, prefix)]).rstrip("^")


def _obr(context: ExportContext, status: str) -> str:
    header = context.header
    requests = header.get("RequestAttributesSequence") or ()
    request = requests[0] if requests else Dataset()
    placer, filler = (
        _escaped(header.get(word) or request.get(word))
        for word in ("PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest")
    )
    accession = _escaped(header.get("AccessionNumber"))
    day, hour = (str(header.get(word) or "") for word in ("StudyDate", "StudyTime"))
    when = _escaped(f"{day}{hour[:6]}") if day else ""
    fields = {1: "1", 2: placer, 3: filler or accession, 4: _coded(_SERVICE), 7: when, 18: accession}
    return _segment("OBR", fields | {22: _time(context), 24: "RAD", 25: status})


def _obx(number: int, seen: _Seen, context: ExportContext, *, person: str) -> str:
    fields = {
        1: str(number),
        2: seen.kind,
        3: _coded(seen.name, seen.text),
        4: seen.group,
        5: seen.value,
        6: "" if seen.unit is None else _coded(seen.unit),
        11: seen.status,
        14: _time(context),
        16: f"^{_xpn(person)}" if person else "",
        17: "" if seen.method is None else _coded(seen.method),
        18: f"{DEVICE_UID}^^{DEVICE_UID}^ISO",
    }
    return _segment("OBX", fields)


def _all(result: AnalysisResult, context: ExportContext) -> Iterator[_Seen]:
    yield _Seen(kind="ST", name=_STUDY_UID, value=_escaped(context.header.StudyInstanceUID))
    yield _Seen(kind="ST", name=codes.ALGORITHM_NAME, value=_escaped(subject.algorithm_name(result)))
    yield _Seen(kind="ST", name=codes.ALGORITHM_VERSION, value=_escaped(subject.algorithm_version(result)))
    for text in subject.algorithm_parameters(result):
        yield _Seen(kind="ST", name=codes.ALGORITHM_PARAMETERS, value=_escaped(text))
    if not result.findings:
        yield _without_findings(result)
    for number, finding in enumerate(result.findings, 1):
        yield from _finding(finding, str(number))
    said = (words.RESEARCH, words.standing(result), words.outcome(result))
    texts = (*said, *words.entered(result), *course_lines(result), *subject.warnings(result))
    pieces = [piece for text in texts for piece in _pieces(text)]
    for number, piece in enumerate(pieces, 1):
        yield _Seen(kind="TX", name=_NARRATIVE, value=_escaped(piece), group=str(number))


def _pieces(text: str) -> Iterator[str]:
    """``text`` in pieces that fit; one with many delimiters, each of which grows to three letters, is cut shorter."""
    for piece in textwrap.wrap(text, _LONGEST):
        if len(_escaped(piece)) > _LONGEST:
            yield from textwrap.wrap(piece, _LONGEST // 3)
        else:
            yield piece


def _without_findings(result: AnalysisResult) -> _Seen:
    return _Seen(kind="CWE", name=codes.ALGORITHM_SUMMARY, value=_coded(subject.summary(result)))


def _finding(finding: Finding, group: str) -> Iterator[_Seen]:
    kind = finding.label.type
    yield _Seen(kind="CWE", name=_FINDING, value=f"{_coded(kind)}^^^^^^{_escaped(finding.label.name)}", group=group)
    if finding.label.modifier is not None:
        name = codes.LATERALITY if finding.label.modifier in codes.SIDES else codes.TOPOGRAPHY
        yield _Seen(kind="CWE", name=name, value=_coded(finding.label.modifier), group=group)
    yield _Seen(kind="ST", name=_TRACKING_UID, value=_escaped(finding.tracking_uid), group=group)
    for one in finding.measurements:
        yield _measurement(one, group)
    yield _trust(finding.confidence, group)


def _measurement(one: Measurement, group: str) -> _Seen:
    """A number and how it was measured; one that is missing has no value, and the reason in a note below it.

    A text of CWE may have 199 characters (HL7 v2.5.1, 2.A.13), where the meaning of a code has 64: no title is cut.
    """
    seen = _Seen(kind="NM", name=one.name, text=one.title, value="", unit=one.unit, group=group, method=one.method)
    if one.missing or not math.isfinite(one.value):
        return replace(seen, status=_NOT_OBTAINED, note=one.missing or "not a number")
    return replace(seen, value=_number(one.value))


def _number(value: float) -> str:
    """All digits and no exponent, as NM has it (HL7 v2.5.1, 2.A)."""
    return f"{Decimal(repr(float(value))):f}"


def _trust(confidence: Confidence, group: str) -> _Seen:
    """The calibrated probability, or in words that there is none; a raw score is never sent."""
    if confidence.state is ConfidenceState.CALIBRATED and confidence.probability is not None:
        method = Code(value="CALIBRATION", scheme="99MEDAI", meaning=confidence.calibration[:64])
        value = _number(confidence.probability)
        return _Seen(kind="NM", name=codes.PROBABILITY, value=value, group=group, method=method)
    return _Seen(kind="ST", name=_CONFIDENCE, value=_escaped(confidence.state.value), group=group)


def _coded(code: Code, text: str = "") -> str:
    """CE and CWE: identifier, text, coding system."""
    return "^".join(_escaped(part) for part in (code.value, text or code.meaning, code.scheme))


def _escaped(value: object) -> str:
    return str(value or "").translate(_ESCAPES)


def _time(context: ExportContext) -> str:
    return context.finished.strftime("%Y%m%d%H%M%S%z")
