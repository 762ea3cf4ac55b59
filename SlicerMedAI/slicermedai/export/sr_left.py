"""What of a TID 1500 report is not read: by group and the names of its content items, never by a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from pydicom.dataset import Dataset

from slicermedai.domain.codes import Code
from slicermedai.export import codes
from slicermedai.export.sr_sites import SITE, children_of, code_of, left_of_sites, name_of, sites_of

_GROUP = codes.MEASUREMENT_GROUP
_MEASUREMENTS = Code(value="126010", scheme="DCM", meaning="Imaging Measurements")
_TRACKING_ID = Code(value="112039", scheme="DCM", meaning="Tracking Identifier")
_METHOD = Code(value="370129005", scheme="SCT", meaning="Measurement Method")
_ALGORITHM = (codes.ALGORITHM_NAME, codes.ALGORITHM_VERSION, codes.ALGORITHM_PARAMETERS)
_OF_NUMBERS = {_METHOD, codes.DERIVATION, *_ALGORITHM}
_ONCE = {_TRACKING_ID, codes.TRACKING_UID, codes.FINDING, codes.FINDING_CATEGORY, codes.REFERENCED_SEGMENT}
"""What a group has once: of several, one is read."""
_OF_GROUPS = {*_ONCE, SITE, codes.SOURCE_SERIES, *_ALGORITHM}
_OF_EVALUATIONS = {codes.ALGORITHM_SUMMARY, codes.COMMENT, *_ALGORITHM}
_OF_SITES = {codes.LATERALITY, codes.TOPOGRAPHY}
_FLAT = ("SCOORD",)
_MOST_NAMES = 5


def left_out(report: Dataset) -> tuple[str, ...]:
    """Sentences on the content of ``report`` that becomes no part of a result; () where nothing is lost."""
    told: list[str] = []
    for part in children_of(report):
        if name_of(part) == _MEASUREMENTS:
            groups = [one for one in children_of(part) if name_of(one) == _GROUP]
            for number, group in enumerate(groups, 1):
                told += [f"Measurement group {number}: {text}." for text in _of_group(group)]
            told += _unknown("Imaging Measurements", [one for one in children_of(part) if name_of(one) != _GROUP])
        elif name_of(part) == codes.QUALITATIVE_EVALUATIONS:
            strange = [one for one in children_of(part) if name_of(one) not in _OF_EVALUATIONS]
            told += _unknown("Qualitative Evaluations", strange)
        elif part.get("ValueType") == "CONTAINER" and name_of(part) != codes.IMAGE_LIBRARY:
            told += _unknown("The report", [part])
    return tuple(told)


def _unknown(where: str, items: Iterable[Dataset]) -> list[str]:
    named = _names(items)
    return [f"{where}: not read: {named}."] if named else []


def _names(items: Iterable[Dataset]) -> str:
    """The names of content items, each once, with how often it is there."""
    counted = Counter(one.meaning if (one := name_of(item)) else str(item.get("ValueType")) for item in items)
    told = [name if count == 1 else f"{name} ({count} times)" for name, count in counted.most_common(_MOST_NAMES)]
    more = len(counted) - len(told)
    return ", ".join([*told, *([f"{more} others"] if more > 0 else [])])


def _of_group(group: Dataset) -> Iterator[str]:
    children = children_of(group)
    if any(one.get("ValueType") in _FLAT for one in children):
        yield "a region on an image is not read, and its finding has no place"
    if not _fits([one for one in children if one.get("ValueType") == "SCOORD3D"]):
        yield "its places in space are read as the box that holds them"
    sites = sites_of(group)
    finding = next((code_of(one) for one in children if name_of(one) == codes.FINDING), None)
    if len(sites) > 1 or any(code_of(one) not in (finding, *codes.ANATOMICAL) for one in sites):
        yield "where its finding lies (Finding Site) is not read, but for the side"
    yield from left_of_sites(group)
    repeated = [one for one in children if name_of(one) in _ONCE]
    repeated = [one for one in repeated if sum(name_of(other) == name_of(one) for other in repeated) > 1]
    if repeated:
        yield f"said more than once, and read once: {_names(repeated)}"
    strange = [one for one in children if not _is_known(one)]
    strange += [one for site in sites for one in children_of(site) if name_of(one) not in _OF_SITES]
    numbers = [one for one in children if one.get("ValueType") == "NUM"]
    strange += [one for number in numbers for one in children_of(number) if name_of(one) not in _OF_NUMBERS]
    if strange:
        yield f"not read: {_names(strange)}"


def _is_known(item: Dataset) -> bool:
    """Images that a group refers to are those of its evidence; numbers and places are looked at apart."""
    return item.get("ValueType") in ("NUM", "IMAGE", "SCOORD3D", *_FLAT) or name_of(item) in _OF_GROUPS


def _fits(placed: Sequence[Dataset]) -> bool:
    """True where points, or corners of a box along the patient's axes, are all that is there."""
    if not placed:
        return True
    points = np.array([one for item in placed for one in item.GraphicData], dtype=np.float64).reshape(-1, 3)
    corners = ((points == points.min(axis=0)) | (points == points.max(axis=0))).all()
    return bool(corners) and {str(item.GraphicType) for item in placed} <= {"POINT", "POLYGON"}
