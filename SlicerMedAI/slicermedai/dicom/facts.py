"""What a header says of a series beyond its planes: what rules for choosing series and lists of people look at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom import Dataset

from slicermedai.dicom.files import READ_ERRORS, quiet, read_dataset, text_of
from slicermedai.dicom.series import SeriesFiles

WHO = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "StudyInstanceUID")
"""By what a list of people who opted out knows somebody, with OtherPatientIDs."""

_GROUPS = {
    "SliceThickness": "PixelMeasuresSequence",
    "ConvolutionKernel": "CTReconstructionSequence",
    "ContrastBolusAgent": "ContrastBolusAgentSequence",
}
_NOTHING = re.compile(r"((no|without|w/o)(\s+contrast)?(\s+agent)?|none|n/?a|native?|nct|0|[-.\s])*", re.IGNORECASE)
"""What people write into Contrast/Bolus Agent where there was none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeriesFacts:
    """One stack of a series as rules see it, from the header of its first plane.

    ``thickness_mm`` is Slice Thickness (0018,0050), or where that is missing the distance between slices;
    ``states_thickness`` says which. ``spacing_mm`` is that distance. ``agent`` is the contrast agent, "" for none.
    ``words`` is all free text that tells a phase. ``who`` names the patient (keys of :data:`WHO` and OtherPatientIDs)
    and is shown to nobody. ``header`` is pixel-free and opaque outside of the layers that read DICOM.
    """

    modality: str
    body_part: str
    description: str
    kernel: str
    agent: str
    words: str
    image_type: tuple[str, ...]
    thickness_mm: float | None
    spacing_mm: float | None
    slices: int
    number: int | None
    frame_of_reference_uid: str
    study_uid: str
    study_time: str
    who: dict[str, Any]
    header: Dataset
    states_thickness: bool = True

    @property
    def is_derived(self) -> bool:
        """True where Image Type, value 1, is DERIVED (PS3.3 C.7.6.1.1.2): reformats, projections, subtractions."""
        return "DERIVED" in self.image_type[:1]


def facts_of(series: SeriesFiles) -> SeriesFacts:
    """Read them; raises :class:`UnreadableFileError` for a damaged first file."""
    first = series.planes[0]
    header = read_dataset(first.file, pixels=False)
    spacing = _distance(series)
    agent, thickness = _agent(header), _number(_text(header, "SliceThickness"))
    with quiet():
        return SeriesFacts(
            modality=series.modality,
            body_part=text_of(header, "BodyPartExamined"),
            description=series.description,
            kernel=_text(header, "ConvolutionKernel"),
            agent=agent,
            words=" ".join((series.description, text_of(header, "ProtocolName"), agent)),
            image_type=tuple(part.upper() for part in first.image_type),
            thickness_mm=thickness or spacing,
            spacing_mm=spacing,
            slices=len(series.planes),
            number=series.number,
            frame_of_reference_uid=first.frame_of_reference_uid,
            study_uid=text_of(header, "StudyInstanceUID"),
            study_time=f"{text_of(header, 'StudyDate')}{text_of(header, 'StudyTime')}",
            who=_who(header),
            header=header,
            states_thickness=thickness is not None,
        )


def _who(header: Dataset) -> dict[str, Any]:
    said: dict[str, Any] = {name: text_of(header, name) for name in WHO}
    items = _items(header, "OtherPatientIDsSequence")
    said["OtherPatientIDs"] = [text_of(header, "OtherPatientIDs"), *(text_of(item, "PatientID") for item in items)]
    return said


def _agent(header: Dataset) -> str:
    text = text_of(header, "ContrastBolusAgent")
    coded = " ".join(text_of(item, "CodeMeaning") for item in _items(header, "ContrastBolusAgentSequence"))
    found = text or coded
    return "" if _NOTHING.fullmatch(found) else found


def _text(header: Dataset, keyword: str) -> str:
    """At the top, or in the shared or first frame's functional group of an enhanced object (PS3.3 C.7.6.16)."""
    if keyword in header:
        return text_of(header, keyword)
    for holder in (
        *_items(header, "SharedFunctionalGroupsSequence"),
        *_items(header, "PerFrameFunctionalGroupsSequence")[:1],
    ):
        for item in _items(holder, _GROUPS[keyword]):
            return text_of(item, keyword)
    return ""


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    try:
        return list(dataset.get(keyword) or ())
    except READ_ERRORS:
        return []


def _number(text: str) -> float | None:
    try:
        return float(text) if float(text) > 0 else None
    except ValueError:
        return None


def _distance(series: SeriesFiles) -> float | None:
    """Median distance in mm between neighbouring planes along their normal; None for less than two with a place."""
    placed = [plane for plane in series.planes if plane.position is not None and plane.orientation is not None]
    if len(placed) < 2:
        return None
    axes = np.reshape(np.array(placed[0].orientation), (2, 3))
    along = np.sort(np.array([plane.position for plane in placed]) @ np.cross(axes[0], axes[1]))
    return round(float(np.median(np.diff(along))), 4)
