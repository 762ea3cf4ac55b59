"""Segments and measurement groups as findings: the voxels of the one, the numbers of the other, by tracking UID."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from slicermedai.domain.codes import ANATOMY, NO_UNITS, Code, Label
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, Measurement
from slicermedai.export import seg_read, sr_read
from slicermedai.export.codes import PROBABILITIES, PROBABILITY
from slicermedai.export.sr_sites import one_side

Segmentations = Sequence[seg_read.ReadSegmentation]
_CALIBRATION, _NONE = "calibration: ", "none ("
_FINDING = Code(value="49755003", scheme="SCT", meaning="Morphologically Altered Structure")
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_EQUAL = 1e-9
"""Relative difference between a number as a Decimal String of 16 characters says it, and as it was."""


def findings_of(
    segmentations: Segmentations, reports: Sequence[sr_read.ReadReport]
) -> tuple[tuple[Finding, ...], list[str]]:
    """Segments in their order with the numbers of the groups about them, then what has a place of its own, or none.

    The second is what is known to be missing, in sentences.
    """
    groups = [group for report in reports for group in report.groups]
    found: dict[str, Finding] = {}
    used: set[int] = set()
    sides: list[set[Code | None]] = []
    for of, segment in segments_of(segmentations):
        uid = segment.tracking_uid or f"{of.sop_instance_uid}.{segment.number}"
        if uid not in found:
            about = [group for group in groups if _is_about(group, of, segment)]
            used.update(map(id, about))
            sides.append({segment.modifier, *(group.side for group in about)})
            found[uid] = _of_segment(uid, segment, _merged(about))
    for number, group in enumerate(groups, 1):
        uid = group.tracking_uid or f"{reports[0].sop_instance_uid}.{number}"
        if id(group) not in used and not group.segment_number and uid not in found:
            alike = [one for one in groups if one is group or (group.tracking_uid and one.tracking_uid == uid)]
            used.update(map(id, alike))
            sides.append({one.side for one in alike})
            found[uid] = _of_group(uid, _merged(alike) or group)
    left = sum(id(group) not in used for group in groups)
    lost = [f"{left} measurement groups are about segments that none of these objects holds."] if left else []
    torn = sum(len(said - {None}) > 1 for said in sides)
    lost += [f"{torn} findings have another side, or modifier, in one object than in another."] if torn else []
    unnamed = sum(_unnamed(group) for group in groups)
    lost += [f"{unnamed} numbers are called probabilities by no calibration that is named, and are not read."] * bool(
        unnamed
    )
    drawn = sum(segment.algorithm.kind == "MANUAL" for _, segment in segments_of(segmentations))
    lost += [f"{drawn} segments were drawn by a person, and no algorithm made them."] if drawn else []
    said = [(segment.tracking_uid, segment.tracking_id) for _, segment in segments_of(segmentations)]
    said += [(group.tracking_uid, group.tracking_id) for group in groups]
    return _numbered(found, said), lost


def _numbered(found: dict[str, Finding], said: Sequence[tuple[str, str]]) -> tuple[Finding, ...]:
    """With the numbers at the ends of their tracking identifiers, where each finding has one, and no two the same."""
    known = {uid: int(text[-1]) for uid, label in said if (text := label.split(" ")) and _NUMBER.fullmatch(text[-1])}
    numbers = [known.get(uid, 0) for uid in found]
    if 0 in numbers or len(set(numbers)) < len(numbers):
        return tuple(found.values())
    return tuple(replace(one, number=number) for one, number in zip(found.values(), numbers, strict=True))


def segments_of(segmentations: Segmentations) -> Iterator[tuple[seg_read.ReadSegmentation, seg_read.ReadSegment]]:
    """Every segment with the segmentation that holds it."""
    for of in segmentations:
        for segment in of.segments:
            yield of, segment


def _is_about(group: sr_read.ReadGroup, of: seg_read.ReadSegmentation, segment: seg_read.ReadSegment) -> bool:
    """By tracking UID, or, of reports that track nothing, by the segment that the group cites."""
    if group.tracking_uid and segment.tracking_uid:
        return group.tracking_uid == segment.tracking_uid
    return (group.segmentation_uid, group.segment_number) == (of.sop_instance_uid, segment.number)


def _merged(groups: Sequence[sr_read.ReadGroup]) -> sr_read.ReadGroup | None:
    """The first of several groups about one thing, with the measurements of all, each once, and their one side."""
    if not groups:
        return None
    kept: list[Measurement] = []
    for group in groups:
        kept = [next((one for one in group.measurements if _says(one, other)), other) for other in kept]
        kept += [one for one in group.measurements if not any(_says(other, one) for other in kept)]
    side = one_side(group.side for group in groups if group.side is not None)
    return replace(groups[0], measurements=tuple(kept), side=side)


def _says(one: Measurement, other: Measurement) -> bool:
    """True where ``one`` says what ``other`` says, or that and its interval too."""
    if (one.name, one.unit, one.method, one.derivation) != (other.name, other.unit, other.method, other.derivation):
        return False
    same = bool(one.missing and other.missing) or math.isclose(one.value, other.value, rel_tol=_EQUAL)
    return same and other.interval in (None, one.interval)


def _of_segment(uid: str, segment: seg_read.ReadSegment, group: sr_read.ReadGroup | None) -> Finding:
    name = segment.name or segment.type.meaning
    modifier = segment.modifier or (group.side if group else None)
    label = Label(name=name, category=segment.category, type=segment.type, modifier=modifier)
    label = replace(label, color=segment.color) if segment.color else label
    numbers = () if group is None else _numbers(group)
    return Finding(
        tracking_uid=uid, label=label, region=segment.mask, measurements=numbers, confidence=_confidence(group)
    )


def _of_group(uid: str, group: sr_read.ReadGroup) -> Finding:
    kind = group.finding or _FINDING
    category = group.category or (ANATOMY if group.site == kind else _FINDING)  # a structure is its own site
    label = Label(name=group.name or kind.meaning, category=category, type=kind, modifier=group.side)
    return Finding(
        tracking_uid=uid,
        label=label,
        region=group.region,
        measurements=_numbers(group),
        confidence=_confidence(group),
    )


def _numbers(group: sr_read.ReadGroup) -> tuple[Measurement, ...]:
    """What was measured; how likely a finding is stands in its confidence, and nowhere without a calibration."""
    return tuple(one for one in group.measurements if one.name not in PROBABILITIES)


def _unnamed(group: sr_read.ReadGroup) -> int:
    """How many of its numbers are coded as probabilities and are no calibrated one of a finding."""
    known = _confidence(group).state is ConfidenceState.CALIBRATED
    return sum(one.name in PROBABILITIES and not (known and one.name == PROBABILITY) for one in group.measurements)


def _confidence(group: sr_read.ReadGroup | None) -> Confidence:
    """What the report says of it: a probability counts only where it names its calibration."""
    if group is None:
        return Confidence(reason="no report says how sure the algorithm was")
    said = next((one.removeprefix(_CALIBRATION) for one in group.parameters if one.startswith(_CALIBRATION)), "")
    sure = next((one for one in group.measurements if one.name == PROBABILITY), None)
    if said.startswith(_NONE):
        known = {str(state): state for state in ConfidenceState}
        state = known.get(said.removeprefix(_NONE).removesuffix(")"), ConfidenceState.NOT_ASSESSED)
        return Confidence(state=state if state is not ConfidenceState.CALIBRATED else ConfidenceState.NOT_ASSESSED)
    if not said:
        return Confidence(reason="the report names no calibration")
    if sure is None or sure.unit != NO_UNITS or not 0 <= sure.value <= 1:
        return Confidence(reason="the report names a calibration and no probability")
    return Confidence(
        state=ConfidenceState.CALIBRATED, probability=sure.value, calibration=said, interval=sure.interval
    )
