"""Which DICOM series of Slicer's database can be analysed. The database is handed in; no Qt in here."""

from __future__ import annotations

from typing import Any

_IMAGELESS = (
    "SEG SR PR KO REG FID RWV PLAN DOC M3D ANN SMR STAIN TEXTUREMAP "
    "RTSTRUCT RTPLAN RTRECORD RTDOSE RTINTENT RTRAD RTSEGANN "
    "AU ECG EEG EMG EOG EPS HD RESP"
)
NOT_IMAGES = frozenset(_IMAGELESS.split(" "))
"""Modalities, PS3.3 C.7.3.1.1.1, whose objects are not images to segment; RTDOSE is a grid of dose."""


def modality_of(database: Any, series: str) -> str:
    """The modality of a series in the database, as DICOM calls it; "" where it has none."""
    return str(database.fieldForSeries("Modality", series) or "")


def image_series(database: Any) -> list[tuple[str, str]]:
    """[(series UID, "patient – description")] of the image series; [] where ``database`` is None or not open.

    ``database`` is a ``ctkDICOMDatabase``. The modality is a column of its table of series, so no file is opened. A
    series without a modality is listed.
    """
    if database is None or not database.isOpen:
        return []
    return [
        (series, f"{database.nameForPatient(patient)} – {database.descriptionForSeries(series) or series}")
        for patient in database.patients()
        for study in database.studiesForPatient(patient)
        for series in database.seriesForStudy(study)
        if database.fieldForSeries("Modality", series) not in NOT_IMAGES
    ]
