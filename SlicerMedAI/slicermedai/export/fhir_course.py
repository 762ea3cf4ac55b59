"""A series over time as FHIR Observations, the same in R4 and R5: one for each structure, with a component a frame.

They are not of the frame that the findings are of. Their code says so, and reading back takes none for a finding.
"""

from __future__ import annotations

import math

from slicermedai.domain.codes import MILLILITER, VOLUME, VOXEL_SUMMATION, Code
from slicermedai.domain.course import Course, Curve, Ejection
from slicermedai.export import codes
from slicermedai.export.course_words import CAUTION, ejection_line, frame_name, told_curves
from slicermedai.export.fhir_observations import Saying, common
from slicermedai.export.fhir_parts import Json, absent, concept, quantity, uid_identifier

OVER_TIME = Code(value="MEDAI-OVER-TIME", scheme="99MEDAI", meaning="Measurements over time")
_NONE = "not found in this frame, or the frame has no result"


def course_observations(saying: Saying) -> list[Json]:
    """The Observations of all frames; none for a result of one image."""
    course = saying.result.course
    if course is None:
        return []
    curves = enumerate(told_curves(saying.result), 1)
    return [_observation(saying, course, curve, number) for number, curve in curves]


def course_references(saying: Saying) -> list[Json]:
    """What a report says of :func:`course_observations`."""
    numbers = range(1, len(told_curves(saying.result)) + 1)
    return [saying.ids.reference("Observation", _name(number)) for number in numbers]


def is_over_time(observation: Json) -> bool:
    """True for an Observation of several frames, as it is written here."""
    coding = (observation.get("code") or {}).get("coding") or ()
    return any(isinstance(one, dict) and one.get("code") == OVER_TIME.value for one in coding)


def _name(number: int) -> str:
    return f"over time {number}"


def _observation(saying: Saying, course: Course, curve: Curve, number: int) -> Json:
    held = [one for one in course.ejections if one.tracking_uid == curve.tracking_uid]
    told = [CAUTION, *course.told, *(ejection_line(one, course) for one in held)]
    return common(saying, _name(number), 0) | {
        "identifier": [uid_identifier(curve.tracking_uid, codes.TRACKING_UID)],
        "code": concept(OVER_TIME),
        "valueCodeableConcept": concept(curve.label.type) | {"text": f"{curve.label.name} over time"},
        "method": concept(VOXEL_SUMMATION),
        "note": [{"text": text} for text in told],
        "component": [
            *(_volume(course, index, volume) for index, volume in enumerate(curve.volumes)),
            *(part for one in held for part in _ejection(one)),
        ],
    }


def _volume(course: Course, index: int, volume: float) -> Json:
    code = {"code": concept(VOLUME) | {"text": f"Volume, {frame_name(course, index)}"}}
    if math.isnan(volume):
        return code | {"dataAbsentReason": absent(_NONE)}
    return code | {"valueQuantity": quantity(volume, MILLILITER)}


def _ejection(one: Ejection) -> list[Json]:
    """Both volumes and the fraction; nothing of one that was refused, which the note says."""
    numbers = [item for item in (one.end_diastolic, one.end_systolic, one.fraction) if item is not None]
    return [{"code": concept(item.name), "valueQuantity": quantity(float(item.value), item.unit)} for item in numbers]
