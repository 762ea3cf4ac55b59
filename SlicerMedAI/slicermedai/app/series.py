"""Which DICOM series of Slicer's database can be analysed. The database is handed in; no Qt in here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from slicermedai.app.run_inputs import Candidate
from slicermedai.errors import InputError, MixedPatientsError

_IMAGELESS = (
    "SEG SR PR KO REG FID RWV PLAN DOC M3D ANN SMR STAIN TEXTUREMAP "
    "RTSTRUCT RTPLAN RTRECORD RTDOSE RTINTENT RTRAD RTSEGANN "
    "AU ECG EEG EMG EOG EPS HD RESP"
)
_COLUMNS = {"modality": "Modality", "body_part": "BodyPartExamined"}
"""Of the database's table of series."""
NOT_IMAGES = frozenset(_IMAGELESS.split(" "))
"""Modalities, PS3.3 C.7.3.1.1.1, whose objects are not images to segment; RTDOSE is a grid of dose."""


def said_of_series(database: Any, series: str) -> dict[str, str]:
    """What a series of the database says: fields of :class:`~slicermedai.app.suggesting.Shows`; no file is opened."""
    said = {name: str(database.fieldForSeries(column, series) or "") for name, column in _COLUMNS.items()}
    return {"series": series, **said}


def said_of_node(node: Any, database: Any) -> dict[str, str]:
    """What a volume that came from a series says, as far as the scene or the database still knows it.

    The UID of its series is left out: the volume is analysed, and nothing of the database.
    """
    from slicermedai.scene.hierarchy import MODALITY, item_attribute, series_uid_of

    uid = series_uid_of(node)
    known = said_of_series(database, uid) if uid and _is_open(database) else dict.fromkeys(_COLUMNS, "")
    known["modality"] = item_attribute(node, MODALITY) or known["modality"]
    return {name: known[name] for name in _COLUMNS}


def image_series(database: Any) -> list[tuple[str, str]]:
    """[(series UID, "patient – description")] of the image series; [] where ``database`` is None or not open.

    ``database`` is a ``ctkDICOMDatabase``. The modality is a column of its table of series, so no file is opened. A
    series without a modality is listed.
    """
    if not _is_open(database):
        return []
    return [
        (series, f"{database.nameForPatient(patient)} – {database.descriptionForSeries(series) or series}")
        for patient in database.patients()
        for study in database.studiesForPatient(patient)
        for series in database.seriesForStudy(study)
        if is_image(database, series)
    ]


def is_image(database: Any, series: str) -> bool:
    """Whether a series can be analysed, by its modality; one that does not say it may be."""
    return database.fieldForSeries("Modality", series) not in NOT_IMAGES


def series_images(database: Any, files: Callable[[str], list[Path]]) -> list[Candidate]:
    """The image series of the database, as images that a model may take; ``files`` gives those of a series."""
    return [series_image(database, uid, text, files) for uid, text in image_series(database)]


def series_image(database: Any, uid: str, text: str, files: Callable[[str], list[Path]]) -> Candidate:
    """One series of the database, as an image that a model may take."""
    said = said_of_series(database, uid)
    return Candidate(
        key=uid,
        text=text,
        words=str(database.descriptionForSeries(uid) or ""),
        open=lambda: files(uid),
        modality=said["modality"],
        body_part=said["body_part"],
        group=str(database.studyForSeries(uid) or ""),
        patient=lambda: _patient_of(database, uid),
    )


def _is_open(database: Any) -> bool:
    return database is not None and bool(database.isOpen)


def _patient_of(database: Any, series: str) -> str:
    patient = database.patientForStudy(database.studyForSeries(series))
    return str(database.fieldForPatient("PatientID", patient) or "") if patient else ""


def volume_images(nodes: Iterable[Any]) -> list[Candidate]:
    """Scalar volume nodes, as images that a model may take; label maps are none."""
    kept = [node for node in nodes if not node.IsA("vtkMRMLLabelMapVolumeNode")]
    return [volume_image(node) for node in kept]


def volume_image(node: Any) -> Candidate:
    """One volume of the scene, as an image that a model may take."""
    from slicermedai.scene.hierarchy import MODALITY, item_attribute, patient_of, study_of

    name = str(node.GetName())
    return Candidate(
        key=node.GetID(),
        text=name,
        words=name,
        open=lambda: node,
        modality=item_attribute(node, MODALITY),
        group=study_of(node),
        patient=lambda: patient_of(node),
        node=node,
    )


def files_of_node(node: Any, database: Any) -> list[Path]:
    """The files of the instances that a volume node was loaded from, in the database; [] where one is not known there.

    [] too for a volume under a transform: its files say another place. What was done to the voxels since is in no file.
    """
    known = str(node.GetAttribute("DICOM.instanceUIDs") or "").split()
    if not known or database is None or not database.isOpen or node.GetParentTransformNode() is not None:
        return []
    found = [str(database.fileForInstance(uid) or "") for uid in known]
    return [Path(path) for path in found] if all(found) else []


def title_of_series(database: Any, series: str) -> str:
    """What a person reads of a series: its patient and its description."""
    patient = database.patientForStudy(database.studyForSeries(series))
    return f"{database.nameForPatient(patient)} – {database.descriptionForSeries(series) or series}"


def check_nodes(*sources: Any) -> None:
    """Raise where sources that are nodes cannot be run together, as the scene is now.

    Raises
    ------
    InputError
        One has left its scene.
    MixedPatientsError
        They are filed under two patients: a job is given voxels alone, and could not tell.
    """
    nodes = [source for source in sources if hasattr(source, "GetScene")]
    if any(node.GetScene() is None for node in nodes):
        raise InputError(
            "the volume has left the scene since it was chosen",
            attribute="source",
            advice="Load it again, and choose it.",
        )
    if len(nodes) > 1 and len(_patients(nodes)) > 1:
        raise MixedPatientsError(
            "the volumes are filed under two patients", attribute="PatientID", advice="Choose volumes of one patient."
        )


def _patients(nodes: Iterable[Any]) -> set[str]:
    from slicermedai.scene.hierarchy import patient_of

    return {patient_of(node) for node in nodes} - {""}
