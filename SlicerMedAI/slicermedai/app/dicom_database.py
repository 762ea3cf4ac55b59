"""Patients, studies and series of Slicer's DICOM database, and their files. No Qt in here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slicermedai.app.series import is_image


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A patient, study or series: its text for people, the series below it, and what lies one level down."""

    uid: str
    text: str
    below: tuple[Node, ...] = ()


def each_patient(database: Any) -> Iterator[Node]:
    """Patients with their studies and series, from the database's own tables, each read as it is asked for.

    ``database`` is a ``ctkDICOMDatabase``; nobody is in one that is None or not open. The texts are patient data.
    """
    if database is not None and database.isOpen:
        for uid in database.patients():
            yield _patient(database, uid)


def image_branches(database: Any, loaded: Sequence[Node], title: str) -> Iterator[Node]:
    """What can be picked for runs: ``loaded`` volumes under ``title``, and patients with their series of images."""
    if loaded:
        yield Node(uid="scene", text=title, below=tuple(loaded))
    for patient in each_patient(database):
        images = _images_below(database, patient)
        if images.below:
            yield images


def images_below(database: Any, uids: Iterable[str]) -> tuple[str, ...]:
    """The series of images of patients, studies and series by their UIDs in the database, each once."""
    if database is None or not database.isOpen:
        return ()
    found = (series for uid in uids for series in _series_below(database, uid))
    return tuple(dict.fromkeys(one for one in found if is_image(database, one)))


def _series_below(database: Any, uid: str) -> list[str]:
    studies = list(database.studiesForPatient(uid)) or [uid]
    return [one for study in studies for one in database.seriesForStudy(study)] or [uid]


def _images_below(database: Any, patient: Node) -> Node:
    studies = (
        replace(study, below=tuple(one for one in study.below if is_image(database, one.uid)))
        for study in patient.below
    )
    return replace(patient, below=tuple(study for study in studies if study.below))


def files_of(database: Any, series: Iterable[str]) -> list[Path]:
    """The files of ``series``, in the database's order."""
    return [Path(path) for uid in series for path in database.filesForSeries(uid)]


def _patient(database: Any, uid: str) -> Node:
    below = tuple(_study(database, study) for study in database.studiesForPatient(uid))
    name = database.nameForPatient(uid) or database.fieldForPatient("PatientID", uid)
    return Node(uid=uid, text=name, below=below)


def _study(database: Any, uid: str) -> Node:
    below = tuple(_series(database, series) for series in database.seriesForStudy(uid))
    words = (database.fieldForStudy("StudyDate", uid), database.descriptionForStudy(uid))
    return Node(uid=uid, text=" ".join(filter(None, words)) or uid, below=below)


def _series(database: Any, uid: str) -> Node:
    words = (database.fieldForSeries("Modality", uid), database.descriptionForSeries(uid))
    return Node(uid=uid, text=" ".join(filter(None, words)) or uid)
