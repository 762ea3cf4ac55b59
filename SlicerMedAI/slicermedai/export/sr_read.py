"""The numbers of a TID 1500 report, back as measurements."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.dicom.files import READ_ERRORS, understood
from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.finding import Box, Measurement, Point
from slicermedai.errors import FormatError, UnreadableFileError
from slicermedai.export.codes import (
    ALGORITHM_NAME,
    ALGORITHM_PARAMETERS,
    ALGORITHM_SUMMARY,
    ALGORITHM_VERSION,
    COMMENT,
    FINDING_CATEGORY,
    QUALITATIVE_EVALUATIONS,
    VISUAL_EXPLANATION,
    from_item,
)
from slicermedai.export.sr_images import spaces_of
from slicermedai.export.sr_left import left_out
from slicermedai.export.sr_sites import modifiers_of, one_side, sites_of

_GROUP = ("125007", "DCM")
_TRACKING_ID = ("112039", "DCM")
_TRACKING_UID = ("112040", "DCM")
_FINDING = ("121071", "DCM")
_CATEGORY = (FINDING_CATEGORY.value, FINDING_CATEGORY.scheme)
_SEGMENT = ("121191", "DCM")
_EXPLANATION = (VISUAL_EXPLANATION.value, VISUAL_EXPLANATION.scheme)
_METHOD = ("370129005", "SCT")
_DERIVATION = ("121401", "DCM")
TOOL = "Cornerstone3DTools@^0.1.0:Length"
"""The Tracking Identifier by which web viewers know a line that they may draw."""
_MODIFIERS = (_METHOD, _DERIVATION)
_NAME, _VERSION, _PARAMETERS, _COMMENT, _EVALUATIONS = (
    (one.value, one.scheme)
    for one in (ALGORITHM_NAME, ALGORITHM_VERSION, ALGORITHM_PARAMETERS, COMMENT, QUALITATIVE_EVALUATIONS)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadGroup:
    """One measurement group: what was measured on which segment of which segmentation (number 0: none).

    ``site`` and ``side`` say where, in codes: the first of several sites, no side of several.
    ``region`` is set where the group has a place of its own and no segment: what holds its points (LPS mm), a place
    where all of them are one; ``spaces`` are the frames of reference of these. ``parameters`` are the algorithm's, of
    which ``calibration: ...`` is one, as the numbers have them. ``name`` and ``category`` are set where they are said,
    ``maps`` are the SOP Instance UIDs of what explains it.
    """

    tracking_id: str
    tracking_uid: str
    finding: Code | None
    segment_number: int
    segmentation_uid: str
    measurements: tuple[Measurement, ...]
    site: Code | None = None
    side: Code | None = None
    region: Box | Point | None = None
    spaces: tuple[str, ...] = ()
    algorithm: tuple[str, str] = ("", "")
    parameters: tuple[str, ...] = ()
    name: str = ""
    category: Code | None = None
    maps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReport:
    """A report as the file has it; ``outcome`` is what a report without findings says instead.

    ``comments`` are what must be read before the numbers; ``verifiers`` pairs names (DICOM's form) with times.
    ``algorithm`` and ``parameters`` are those of a report without findings. ``spaces`` are the frames of reference of
    the images that it is about. ``lost`` says what was not understood.
    """

    sop_instance_uid: str
    completion: str
    verification: str
    groups: tuple[ReadGroup, ...]
    outcome: Code | None
    comments: tuple[str, ...] = ()
    verifiers: tuple[tuple[str, str], ...] = ()
    algorithm: tuple[str, str] = ("", "")
    parameters: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def read(path: Path) -> ReadReport:
    """Read a TID 1500 report.

    Raises
    ------
    UnreadableFileError
        Not a DICOM file, or cut off.
    FormatError
        Another kind of object, or another template, or it holds what it must not.
    """
    try:
        dataset = dcmread(path)
    except READ_ERRORS as error:
        raise UnreadableFileError("cannot be read as DICOM", file=path) from error
    with understood(path):
        return _report(dataset, path)


def _report(dataset: Dataset, path: Path) -> ReadReport:
    template = dataset.get("ContentTemplateSequence")
    if not template or template[0].get("TemplateIdentifier") != "1500":
        raise FormatError("is no TID 1500 report", file=path, attribute="ContentTemplateSequence")
    items = list(_walk(dataset))
    evaluations = [child for item in items if _key(item) == _EVALUATIONS for child in item.get("ContentSequence") or ()]
    people = dataset.get("VerifyingObserverSequence") or ()
    outcomes = [_coded(item) for item in items if _key(item) == (ALGORITHM_SUMMARY.value, ALGORITHM_SUMMARY.scheme)]
    return ReadReport(
        sop_instance_uid=str(dataset.SOPInstanceUID),
        completion=str(dataset.CompletionFlag),
        verification=str(dataset.VerificationFlag),
        groups=tuple(_group(item) for item in items if _key(item) == _GROUP),
        outcome=outcomes[0] if outcomes else None,
        comments=tuple(_texts(evaluations, _COMMENT)),
        verifiers=tuple((str(one.VerifyingObserverName), str(one.VerificationDateTime)) for one in people),
        algorithm=_algorithm(evaluations),
        parameters=tuple(_texts(evaluations, _PARAMETERS)),
        spaces=spaces_of(dataset),
        lost=left_out(dataset),
    )


def _walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence") or ():
        yield child
        yield from _walk(child)


def _key(item: Dataset) -> tuple[str, str] | None:
    names = item.get("ConceptNameCodeSequence")
    if not names:
        return None
    name = from_item(names[0])
    return name.value, name.scheme


def _coded(item: Dataset) -> Code:
    return from_item(item.ConceptCodeSequence[0])


def _group(group: Dataset) -> ReadGroup:
    children = {_key(child): child for child in group.ContentSequence}
    segment = children.get(_SEGMENT)
    reference = segment.ReferencedSOPSequence[0] if segment is not None else Dataset()
    numbers = [child for child in group.ContentSequence if child.ValueType == "NUM"]
    said = list(numbers[0].get("ContentSequence") or ()) if numbers else []
    sites = sites_of(group)
    return ReadGroup(
        tracking_id=str(children[_TRACKING_ID].TextValue) if _TRACKING_ID in children else "",
        tracking_uid=str(children[_TRACKING_UID].UID) if _TRACKING_UID in children else "",
        finding=_coded(children[_FINDING]) if _FINDING in children else None,
        segment_number=int(reference.get("ReferencedSegmentNumber", 0)),
        segmentation_uid=str(reference.get("ReferencedSOPInstanceUID", "")),
        measurements=tuple(map(_measurement, numbers)),
        site=_coded(sites[0]) if sites else None,
        side=one_side(modifiers_of(group)),
        region=_region(group),
        spaces=tuple(dict.fromkeys(str(one.get("ReferencedFrameOfReferenceUID") or "") for one in _placed(group))),
        category=_coded(children[_CATEGORY]) if _CATEGORY in children else None,
        algorithm=_algorithm(said) if said else _algorithm(group.ContentSequence),
        parameters=tuple(_texts(said or group.ContentSequence, _PARAMETERS)),
        maps=tuple(_maps(group)),
    )


def _maps(group: Dataset) -> Iterator[str]:
    for child in group.ContentSequence:
        if _key(child) == _EXPLANATION and child.ValueType == "IMAGE":
            yield str(child.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def _region(group: Dataset) -> Box | Point | None:
    """What holds the 3D coordinates of a group; None where it has none."""
    points = np.array([one for child in _placed(group) for one in child.GraphicData], dtype=np.float64).reshape(-1, 3)
    if not len(points):
        return None
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return Point(position=tuple(low)) if low == high else Box(low=tuple(low), high=tuple(high))


def _placed(group: Dataset) -> list[Dataset]:
    return [child for child in group.ContentSequence if child.ValueType == "SCOORD3D"]


def _texts(items: Sequence[Dataset], name: tuple[str, str]) -> list[str]:
    return [str(item.TextValue) for item in items if _key(item) == name and item.ValueType == "TEXT"]


def _algorithm(items: Sequence[Dataset]) -> tuple[str, str]:
    return "".join(_texts(items, _NAME)[:1]), "".join(_texts(items, _VERSION)[:1])


def _measurement(item: Dataset) -> Measurement:
    children = {_key(child): _coded(child) for child in item.get("ContentSequence") or () if _key(child) in _MODIFIERS}
    value, unit, missing = _value(item)
    return Measurement(
        name=from_item(item.ConceptNameCodeSequence[0]),
        value=value,
        unit=unit,
        method=children.get(_METHOD),
        derivation=children.get(_DERIVATION),
        missing=missing,
    )


def _value(item: Dataset) -> tuple[float, Code, str]:
    """Number, unit, and why there is none (PS3.3 C.18.1): without a number the file has no unit either."""
    if not item.MeasuredValueSequence:
        reasons = [from_item(one).meaning for one in item.get("NumericValueQualifierCodeSequence") or ()]
        return math.nan, NO_UNITS, "; ".join(reasons) or "no value"
    measured = item.MeasuredValueSequence[0]
    value = measured.get("FloatingPointValue", measured.NumericValue)
    return float(value), from_item(measured.MeasurementUnitsCodeSequence[0]), ""
