"""FHIR resources out of a file: references answered, and data types of R4 and R5 as our own."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.errors import FormatError, UnreadableFileError
from slicermedai.export.fhir_parts import DICOM_UID, SYSTEMS, Json

_SCHEMES = {system: scheme for scheme, system in SYSTEMS.items()}
_START = 256
_OID = "urn:oid:"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resources:
    """All resources of a file in their order, contained ones after the one that contains them."""

    all: tuple[Json, ...]
    _known: dict[str, Json]

    def of(self, kind: str) -> list[Json]:
        """Those of one type."""
        return [one for one in self.all if one.get("resourceType") == kind]

    def answer(self, reference: Json | None) -> Json | None:
        """The resource that a reference names, or None where it is not in the file, or not one alone."""
        said = str((reference or {}).get("reference") or "")
        plain = said.partition("/_history/")[0]
        return self._known.get(said) or self._known.get("/".join(plain.split("/")[-2:]))

    def answers(self, references: Any) -> list[Json]:
        """The resources that a list of references names, as far as they are in the file."""
        found = [self.answer(one) for one in references or ()]
        return [one for one in found if one is not None]


@dataclass(slots=True, kw_only=True, eq=False)
class Reading:
    """A file while it is read, and what was not understood so far."""

    resources: Resources
    lost: list[str] = field(default_factory=list)

    def name(self, one: Json) -> str:
        """ "Observation 3": by its place among those of its type."""
        kind = str(one.get("resourceType"))
        return f"{kind} {next(n for n, other in enumerate(self.resources.of(kind), 1) if other is one)}"

    def lose(self, one: Json, why: str) -> None:
        """Note that ``one`` was not understood, and why; no value of it is said."""
        self.lost.append(f"{self.name(one)}: {why}.")


def is_json(path: Path) -> bool:
    """True where the file begins as a JSON object does, and is no DICOM file.

    Raises
    ------
    UnreadableFileError
        It cannot be opened.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(_START)
    except OSError as error:
        raise UnreadableFileError("cannot be read", file=path) from error
    return start[128:132] != b"DICM" and start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"


def load(path: Path) -> Resources:
    """The resources of a Bundle, or of a single resource with what it contains.

    Raises
    ------
    UnreadableFileError
        No JSON, or cut off.
    FormatError
        No FHIR resource.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refused)
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFileError("cannot be read as JSON", file=path) from error
    if not isinstance(content, dict) or not isinstance(content.get("resourceType"), str):
        raise FormatError("is no FHIR resource", file=path, attribute="resourceType")
    entries = content.get("entry") or () if content["resourceType"] == "Bundle" else ({"resource": content},)
    named = [(entry, entry["resource"]) for entry in entries if isinstance(entry.get("resource"), dict)]
    inside = [(one, part) for _, one in named for part in one.get("contained") or ()]
    names = [(name, one) for entry, one in named for name in _names(entry, one)]
    names += [(f"#{part.get('id')}", part) for _, part in inside]
    often = Counter(name for name, _ in names)
    known = {name: one for name, one in names if often[name] == 1}
    return Resources(all=(*(one for _, one in named), *(part for _, part in inside)), _known=known)


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def _names(entry: Json, one: Json) -> set[str]:
    """What a reference may call a resource of a bundle."""
    full = str(entry.get("fullUrl") or "")
    own = f"{one.get('resourceType')}/{one['id']}" if one.get("id") else ""
    return {name for name in (full, own) if name}


def codes_of(concept: Any) -> list[Code]:
    """The codings of a CodeableConcept (or of R5's CodeableReference) whose systems are known, in their order."""
    given = (concept or {}).get("concept") or concept or {}
    found = [(one, _SCHEMES.get(str(one.get("system")))) for one in given.get("coding") or ()]
    return [
        Code(value=str(one["code"]), scheme=scheme, meaning=str(one.get("display") or one["code"])[:64])
        for one, scheme in found
        if scheme and one.get("code")
    ]


def code_of(concept: Any) -> Code | None:
    """The first of :func:`codes_of`."""
    return next(iter(codes_of(concept)), None)


def text_of(concept: Any) -> str:
    """What people read of a CodeableConcept; "" where it has codes alone."""
    return str((concept or {}).get("text") or "")


def number_of(resource: Json) -> tuple[float, Code] | None:
    """The value of an Observation or of a component, with its UCUM unit; None where it has none that is a number."""
    whole = resource.get("valueInteger")
    if isinstance(whole, int) and not isinstance(whole, bool):
        return float(whole), NO_UNITS
    said = resource.get("valueQuantity")
    if not isinstance(said, dict) or said.get("comparator") or said.get("system") != SYSTEMS["UCUM"]:
        return None
    value, unit = said.get("value"), str(said.get("code") or "")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not unit:
        return None
    return float(value), Code(value=unit, scheme="UCUM", meaning=str(said.get("unit") or unit)[:64])


def absence_of(resource: Json) -> str:
    """Why there is no value, in words; "" where that is not said."""
    said: Json = resource.get("dataAbsentReason") or {}
    coded = [str(one.get("display") or one.get("code") or "") for one in said.get("coding") or ()]
    return text_of(said) or "".join(coded[:1])


def uids_of(resource: Json) -> list[tuple[str, Code | None]]:
    """The DICOM UIDs among the identifiers of a resource, each with its type where that is said."""
    given = resource.get("identifier") or []
    listed: list[Json] = given if isinstance(given, list) else [given]
    mine = [one for one in listed if one.get("system") == DICOM_UID]
    return [(str(one.get("value", "")).removeprefix(_OID), code_of(one.get("type"))) for one in mine]


def typed(identifiers: Any, kind: str) -> str:
    """The value of the identifier of a type of HL7 table 0203 ("ACSN"); "" where there is none."""
    for one in identifiers:
        coded = (one.get("type") or {}).get("coding") or ()
        if any(part.get("code") == kind for part in coded):
            return str(one.get("value") or "")
    return ""


def answered(reading: Reading, one: Json, element: str) -> list[Json]:
    """The resources that ``element`` of ``one`` names; those that are not in the file are noted."""
    named = one.get(element) or ()
    found = reading.resources.answers(named)
    if len(found) < len(named):
        reading.lose(one, f"{element} names {len(named) - len(found)} resources that are not in the file")
    return found
