"""Patients, studies and series of Slicer's DICOM database, and their files. No Qt in here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
