"""Who and what was imaged: the patient and study context that results are filed under."""

from __future__ import annotations

from dataclasses import dataclass

from slicermedai.domain.words import Words


class Identity(Words):
    """The two routes of a job. What is written on one never reaches a destination of the other."""

    KEEP = "keep"
    DEIDENTIFY = "deidentify"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRef:
    """One SOP instance of the source (PS3.3 10.8), which has ``frames``.

    ``chosen`` are the numbers, from 1, of those frames that the image was made of; () where it was made of all.
    """

    sop_class_uid: str
    sop_instance_uid: str
    frames: int = 1
    chosen: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRef:
    """A source series: what the result was computed from."""

    series_uid: str
    modality: str = ""
    description: str = ""
    number: int | None = None
    frame_of_reference_uid: str = ""
    instances: tuple[InstanceRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Patient and study context, as DICOM has it (dates YYYYMMDD, times HHMMSS, "" where unknown).

    ``identity`` is DEIDENTIFY where every value here is pseudonymous. ``has_context`` is False for a source
    without patient and study (a NIfTI file, an array): DICOM output then asks for the context by name. ``issuer`` is
    whoever gave the patient's number (0010,0021): two sites may give out one.
    """

    study_uid: str = ""
    patient_id: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    accession: str = ""
    date: str = ""
    time: str = ""
    description: str = ""
    body_part: str = ""
    issuer: str = ""
    identity: Identity = Identity.KEEP
    series: tuple[SeriesRef, ...] = ()

    @property
    def has_context(self) -> bool:
        """True where study and patient are known well enough to file a DICOM object."""
        return bool(self.study_uid and self.patient_id)
