"""Observations of a FHIR bundle as measurement groups: those with members or a coded finding, the others as numbers.

What is not understood is listed by resource and element, never by its value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.finding import Interval, Measurement
from slicermedai.export import codes
from slicermedai.export.fhir_course import is_over_time
from slicermedai.export.fhir_json import (
    Reading,
    absence_of,
    answered,
    code_of,
    codes_of,
    number_of,
    text_of,
    uids_of,
)
from slicermedai.export.fhir_observations import OF_PROBABILITY, PROBABILITY_CALIBRATED
from slicermedai.export.fhir_parts import Json
from slicermedai.export.sr_read import ReadGroup
from slicermedai.export.uids import is_uid

WITHDRAWN = ("entered-in-error", "cancelled")
_LEVEL = re.compile(r"of the ([0-9.]+)% interval")
_INFINITE = ((codes.LOWER_LIMIT, -math.inf), (codes.UPPER_LIMIT, math.inf))


def groups_of(reading: Reading, report: Json) -> list[ReadGroup]:
    """Findings in the order of ``report`` ({}: of the file), what stands within others after them."""
    made: list[ReadGroup] = []
    seen: set[int] = set()
    queue = _of_one_frame(reading, _roots(reading, report), seen)
    while queue:
        one = queue.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if one.get("resourceType") != "Observation" or one.get("status") in WITHDRAWN:
            reading.lose(one, "is no Observation, or was withdrawn, and is not read")
            continue
        members = answered(reading, one, "hasMember")
        numbers = [part for part in members if _is_number(part)]
        queue[:0] = [part for part in members if not _is_number(part)]
        seen.update(map(id, numbers))
        made += _group(reading, one, numbers)
    left = [one for one in reading.resources.of("Observation") if id(one) not in seen]
    if left:
        reading.lost.append(f"{len(left)} Observations belong to no report that was read.")
    return made


def _roots(reading: Reading, report: Json) -> list[Json]:
    if report:
        return answered(reading, report, "result")
    everything = reading.resources.of("Observation")
    within = {id(part) for one in everything for part in reading.resources.answers(one.get("hasMember"))}
    return [one for one in everything if id(one) not in within]


def _of_one_frame(reading: Reading, roots: list[Json], seen: set[int]) -> list[Json]:
    """Without Observations of several frames, which are said to be left out and count as ``seen``."""
    left = [one for one in roots if is_over_time(one)]
    for one in left:
        reading.lose(one, "is of several frames over time, and is not read")
    seen.update(map(id, left))
    return [one for one in roots if not is_over_time(one)]


def _is_number(one: Json) -> bool:
    """A member that says nothing of its own but a value."""
    return not one.get("hasMember") and not _tracking_uid(one) and "valueCodeableConcept" not in one


def _tracking_uid(one: Json) -> str:
    told = [uid for uid, kind in uids_of(one) if kind in (None, codes.TRACKING_UID) and is_uid(uid)]
    return told[0] if told else ""


def _group(reading: Reading, one: Json, members: list[Json]) -> list[ReadGroup]:
    """A finding; nothing where the Observation merely holds others together, or says nothing that is understood."""
    own = [] if number_of(one) is None else [one]
    numbers = [made for part in (*own, *members) for made in _measurement(reading, part)]
    kind, name = _what(reading, one)
    if not own and not numbers and kind is None and not _tracking_uid(one):
        if not one.get("hasMember"):
            reading.lose(one, "says nothing that is understood")
        return []
    said = _by_code(one)
    trust, calibration = _trust(reading, one, said)
    if not own:
        _name_what_is_left(reading, one, said)
    return [
        ReadGroup(
            tracking_id="",
            tracking_uid=_tracking_uid(one),
            finding=kind,
            segment_number=0,
            segmentation_uid="",
            measurements=(*numbers, *trust),
            site=code_of(one.get("bodySite")),
            side=_side(reading, one),
            parameters=calibration,
            name=name,
            category=_component_code(said, codes.FINDING_CATEGORY),
            maps=tuple(_maps(reading, one)),
        )
    ]


def _maps(reading: Reading, one: Json) -> Iterable[str]:
    """R5 selects the maps that explain a finding."""
    for selected in reading.resources.answers(one.get("derivedFrom")):
        if code_of(selected.get("code")) == codes.VISUAL_EXPLANATION:
            yield from (str(part["uid"]) for part in selected.get("instance") or ())


def _what(reading: Reading, one: Json) -> tuple[Code | None, str]:
    """What was found, and its name: as its value, a component, the structure that it is about, or its site."""
    structures = [part.get("structure") for about in _structures(reading, one) for part in _included(about)]
    component = [part.get("valueCodeableConcept") for part in _by_code(one).get(codes.FINDING, ())]
    for said in (one.get("valueCodeableConcept"), *component, *structures, one.get("bodySite")):
        kind = code_of(said)
        if kind is not None:
            return kind, text_of(said) or kind.meaning
        if text_of(said):
            reading.lose(one, "what was found has no code of a known system")
            return None, text_of(said)
    named = code_of(one.get("code"))
    return None, "" if named == codes.MEASUREMENT_GROUP else text_of(one.get("code"))


def _structures(reading: Reading, one: Json) -> list[Json]:
    said = [*(one.get("focus") or ()), *([one["bodyStructure"]] if one.get("bodyStructure") else [])]
    return [part for part in reading.resources.answers(said) if part.get("resourceType") == "BodyStructure"]


def _included(structure: Json) -> list[Json]:
    """The structures of a BodyStructure: R4 has one morphology and location, R5 a list."""
    listed = structure.get("includedStructure")
    return list(listed) if listed else [{"structure": structure.get("location")}]


def _side(reading: Reading, one: Json) -> Code | None:
    """Its side, or another modifier; none where it is said to be on two sides."""
    found = list(dict.fromkeys(_sides(reading, one)))
    if len([side for side in found if side in codes.SIDES]) > 1:
        reading.lose(one, "names several sides, of which none is read")
        return None
    return found[0] if found else None


def _sides(reading: Reading, one: Json) -> Iterable[Code]:
    yield from (side for side in codes_of(one.get("bodySite"))[1:] if side in codes.SIDES)
    said = _by_code(one)
    parts = [part for name in (codes.LATERALITY, codes.TOPOGRAPHY) for part in said.get(name, ())]
    yield from filter(None, (code_of(part.get("valueCodeableConcept")) for part in parts))
    for structure in _structures(reading, one):
        for part in _included(structure):
            yield from codes_of(part.get("laterality"))


def _by_code(one: Json) -> dict[Code, list[Json]]:
    found: dict[Code, list[Json]] = {}
    for part in one.get("component") or ():
        name = code_of(part.get("code"))
        if name is not None:
            found.setdefault(name, []).append(part)
    return found


def _component_code(said: dict[Code, list[Json]], name: Code) -> Code | None:
    return next((code_of(part.get("valueCodeableConcept")) for part in said.get(name, ())), None)


def _measurement(reading: Reading, one: Json) -> list[Measurement]:
    """The number of an Observation, or why it has none; nothing where it is neither."""
    name, value, why = code_of(one.get("code")), number_of(one), absence_of(one)
    if one.get("status") in WITHDRAWN or name is None or (value is None and not why):
        reading.lose(one, "is no number with a code, a unit and no comparator")
        return []
    said = _by_code(one)
    amount, unit = value if value is not None else (math.nan, NO_UNITS)
    _name_what_is_left(reading, one, said)
    return [
        Measurement(
            name=name,
            value=amount,
            unit=unit,
            method=code_of(one.get("method")),
            derivation=_component_code(said, codes.DERIVATION),
            interval=_interval(reading, one, _ends(said, of_probability=False)) if value is not None else None,
            missing="" if value is not None else why,
        )
    ]


def _ends(said: dict[Code, list[Json]], *, of_probability: bool) -> dict[Code, Json]:
    """The ends of an interval of the value itself, or of the probability beside it."""
    return {
        name: part
        for name in (codes.LOWER_LIMIT, codes.UPPER_LIMIT)
        for part in said.get(name, ())
        if text_of(part.get("code")).endswith(OF_PROBABILITY) is of_probability
    }


def _interval(reading: Reading, one: Json, ends: dict[Code, Json]) -> Interval | None:
    """Between ``ends``, of which one may be infinite; without a level it is none."""
    if not ends:
        return None
    levels = {found[1] for part in ends.values() if (found := _LEVEL.search(text_of(part.get("code"))))}
    numbers = {name: number_of(part) for name, part in ends.items()}
    low, high = (numbers.get(name, (end, NO_UNITS)) for name, end in _INFINITE)
    if len(levels) != 1 or low is None or high is None:
        reading.lose(one, "an interval does not say its level or its ends")
        return None
    return Interval(low=low[0], high=high[0], level=round(float(levels.pop()) / 100, 14))


def _trust(
    reading: Reading, one: Json, said: dict[Code, list[Json]]
) -> tuple[tuple[Measurement, ...], tuple[str, ...]]:
    """The probability of a finding, and how it was calibrated or why not, as parameters of the algorithm say it."""
    for part in said.get(codes.PROBABILITY, ()):
        sure, text = number_of(part), text_of(part.get("code"))
        if sure is None:
            return (), (f"calibration: none ({absence_of(part) or 'not assessed'})",)
        ends = _interval(reading, one, _ends(said, of_probability=True))
        number = Measurement(name=codes.PROBABILITY, value=sure[0], unit=sure[1], interval=ends)
        named = text.startswith(PROBABILITY_CALIBRATED)
        return (number,), (f"calibration: {text.removeprefix(PROBABILITY_CALIBRATED)}",) if named else ()
    return (), ()


_READ_COMPONENTS = {
    codes.FINDING,
    codes.FINDING_CATEGORY,
    codes.LATERALITY,
    codes.TOPOGRAPHY,
    codes.DERIVATION,
    codes.LOWER_LIMIT,
    codes.UPPER_LIMIT,
    codes.PROBABILITY,
}


def _name_what_is_left(reading: Reading, one: Json, said: dict[Code, list[Json]]) -> None:
    read_parts = sum(len(parts) for name, parts in said.items() if name in _READ_COMPONENTS)
    left = len(one.get("component") or ()) - read_parts
    if left:
        reading.lose(one, f"{left} components are not understood")
