"""Slicer's DICOM database and CTK's indexer, in memory: patients, studies, series and files as CTK keeps them.

What is left out of CTK's behaviour: nothing is on a disk but copied files, tags are read anew each time, and the
indexer reads in turns of the event loop instead of in a thread of its own.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PySide6 import QtCore
from PySide6.QtCore import Property, Signal

from Testing.Harness.pythonqt.registry import implements

FIELDS = {
    "patient": ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    "study": ("StudyInstanceUID", "StudyDate", "StudyDescription", "AccessionNumber"),
    "series": ("SeriesInstanceUID", "Modality", "SeriesDescription", "SeriesNumber", "BodyPartExamined"),
}
"""Columns of CTK's tables that are kept here. The name of the patient's column is PatientsName in CTK."""
RENAMED = {"PatientsName": "PatientName", "PatientsBirthDate": "PatientBirthDate", "PatientsSex": "PatientSex"}


@implements("ctkDICOMDatabase")
class DicomDatabase(QtCore.QObject):
    """A database that is closed until it is opened; what is asked for and not there is an empty text or list."""

    opened, closed = Signal(), Signal()

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.rows: dict[str, dict[str, dict[str, str]]] = {name: {} for name in FIELDS}
        self.above: dict[str, str] = {}
        self.files: dict[str, dict[str, str]] = {}
        self._directory = ""

    isOpen = Property(bool, lambda self: bool(self._directory))
    databaseDirectory = Property(str, lambda self: self._directory)

    def openDatabase(self, filename: str, _connection: str = "") -> bool:
        """Opens an empty database whose copies of files lie beside ``filename``."""
        self._directory = str(Path(filename).parent)
        self.opened.emit()
        return True

    def closeDatabase(self) -> None:
        """Closes it."""
        self._directory = ""
        self.closed.emit()

    def insert(self, filename: str, _store: bool = True, _thumbnail: bool = True, *_rest: Any) -> None:
        """Reads the file's header and adds its patient, study, series and instance where they are new."""
        from pydicom import dcmread

        header = dcmread(filename, stop_before_pixels=True)
        patient = f"{header.get('PatientID', '')}/{header.get('PatientName', '')}"
        study, series = str(header.StudyInstanceUID), str(header.SeriesInstanceUID)
        for kind, uid in (("patient", patient), ("study", study), ("series", series)):
            self.rows[kind].setdefault(uid, {name: str(header.get(name, "")) for name in FIELDS[kind]})
        self.above.setdefault(study, patient)
        self.above.setdefault(series, study)
        self.files.setdefault(series, {})[str(header.SOPInstanceUID)] = filename

    def patients(self) -> list[str]:
        """Names of the patients in the database: not their identifiers."""
        return list(self.rows["patient"])

    def studiesForPatient(self, patient: str) -> list[str]:
        """Study UIDs."""
        return [uid for uid in self.rows["study"] if self.above[uid] == patient]

    def seriesForStudy(self, study: str) -> list[str]:
        """Series UIDs."""
        return [uid for uid in self.rows["series"] if self.above[uid] == study]

    def studyForSeries(self, series: str) -> str:
        """The study UID."""
        return self.above.get(series, "")

    def patientForStudy(self, study: str) -> str:
        """The patient's name in the database."""
        return self.above.get(study, "")

    def filesForSeries(self, series: str, hits: int = -1) -> list[str]:
        """Paths of the series' files, the first ``hits`` where that is not negative."""
        found = list(self.files.get(series, {}).values())
        return found if hits < 0 else found[:hits]

    def instancesForSeries(self, series: str, hits: int = -1) -> list[str]:
        """SOP Instance UIDs, the first ``hits`` where that is not negative."""
        found = list(self.files.get(series, {}))
        return found if hits < 0 else found[:hits]

    def fileForInstance(self, instance: str) -> str:
        """The path of the instance's file."""
        return next((files[instance] for files in self.files.values() if instance in files), "")

    def instanceForFile(self, path: str) -> str:
        """The SOP Instance UID of a file of the database."""
        pairs = (pair for files in self.files.values() for pair in files.items())
        return next((uid for uid, file in pairs if file == path), "")

    def fileValue(self, path: str, tag: Any, element: int = -1) -> str:
        """A top-level attribute of a file of the database as text, several values with backslashes between; "" for
        sequences, for what is not there, and for files that the database does not know."""
        from pydicom import dcmread

        if not self.instanceForFile(path):
            return ""
        group, number = (tag, element) if element >= 0 else (int(part, 16) for part in tag.split(","))
        found = dcmread(path, stop_before_pixels=True, specific_tags=[(group, number)]).get((group, number))
        if found is None or found.VR == "SQ" or found.value is None:
            return ""
        return "\\".join(map(str, found.value)) if found.VM > 1 else str(found.value)

    def nameForPatient(self, patient: str) -> str:
        """The patient's name."""
        return self.fieldForPatient("PatientsName", patient)

    def descriptionForStudy(self, study: str) -> str:
        """The study's description."""
        return self.fieldForStudy("StudyDescription", study)

    def descriptionForSeries(self, series: str) -> str:
        """The series' description."""
        return self.fieldForSeries("SeriesDescription", series)

    def fieldForPatient(self, field: str, patient: str) -> str:
        """A column of the patient's row."""
        return self.rows["patient"].get(patient, {}).get(RENAMED.get(field, field), "")

    def fieldForStudy(self, field: str, study: str) -> str:
        """A column of the study's row."""
        return self.rows["study"].get(study, {}).get(field, "")

    def fieldForSeries(self, field: str, series: str) -> str:
        """A column of the series' row."""
        return self.rows["series"].get(series, {}).get(field, "")


@implements("ctkDICOMIndexer")
class DicomIndexer(QtCore.QObject):
    """Adds the files of a folder one by one, each in a turn of the event loop, or all at once."""

    progress = Signal(int)
    indexingComplete = Signal(int, int, int, int)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._database: Any = None
        self._background = False
        self._turns: Iterator[None] | None = None

    backgroundImportEnabled = Property(
        bool, lambda self: self._background, lambda self, value: setattr(self, "_background", value)
    )
    importing = Property(bool, lambda self: self._turns is not None)

    def setDatabase(self, database: Any) -> None:
        """The database that files are added to."""
        self._database = database

    def database(self) -> Any:
        """The database that files are added to."""
        return self._database

    def addDirectory(self, *arguments: Any) -> None:
        """``(folder, copy)`` or ``(database, folder, copy)``."""
        if not isinstance(arguments[0], str):
            self._database, *arguments = arguments  # type: ignore[assignment]  # the other overload
        folder, copy, *_hidden = [*arguments, False]
        self._turns = self._adding(sorted(p for p in Path(folder).rglob("*") if p.is_file()), copy=copy)
        if not self._background:
            self.waitForImportFinished()
            return
        QtCore.QTimer.singleShot(0, self._turn)

    def waitForImportFinished(self, _milliseconds: int = -1) -> None:
        """Adds what is left, at once."""
        while self._turns is not None:
            self._turn(again=False)

    def cancel(self) -> None:
        """Adds no more, and tells that it is complete."""
        if self._turns is not None:
            self._turns = None
            self.indexingComplete.emit(0, 0, 0, 0)

    def _turn(self, *, again: bool = True) -> None:
        if self._turns is None:
            return
        try:
            next(self._turns)
        except StopIteration:
            self._turns = None
            return
        if again:
            QtCore.QTimer.singleShot(0, self._turn)

    def _adding(self, files: list[Path], *, copy: bool) -> Iterator[None]:
        before = self._counts()
        for number, path in enumerate(files, 1):
            self._database.insert(str(self._copied(path) if copy else path))
            self.progress.emit(100 * number // len(files))
            yield
        self.indexingComplete.emit(*(now - then for now, then in zip(self._counts(), before, strict=True)))

    def _counts(self) -> list[int]:
        rows, files = self._database.rows, self._database.files
        return [*(len(rows[kind]) for kind in FIELDS), sum(map(len, files.values()))]

    def _copied(self, path: Path) -> Path:
        folder = Path(self._database.databaseDirectory) / "dicom"
        folder.mkdir(exist_ok=True)
        return Path(shutil.copyfile(path, folder / f"{len(list(folder.iterdir())):06d}.dcm"))
