"""The DICOM database of the stand-in: what CTK's has, and no more."""

from inspect import isfunction
from pathlib import Path
from typing import Any

import pytest

from Testing.deid.samples import a_series
from Testing.fixtures.identity import Identity
from Testing.Harness import Harness, facts
from Testing.Harness.pythonqt.dicom import DicomDatabase, DicomIndexer


@pytest.fixture
def database(harness: Harness, tmp_path: Path) -> Any:
    """Slicer's, open and empty."""
    import slicer

    assert not slicer.dicomDatabase.isOpen
    (tmp_path / "database").mkdir()
    assert slicer.dicomDatabase.openDatabase(str(tmp_path / "database" / "ctkDICOM.sql"))
    return slicer.dicomDatabase


@pytest.mark.parametrize(("name", "written"), [("ctkDICOMDatabase", DicomDatabase), ("ctkDICOMIndexer", DicomIndexer)])
def test_every_method_is_one_of_ctks(name: str, written: type) -> None:
    own = [one for one, value in vars(written).items() if isfunction(value) and not one.startswith("_")]
    assert own
    for method in own:
        found = facts.member(name, method)
        assert found is not None, method
        assert found.kind == "method", method


def test_a_file_is_found_under_its_patient_study_and_series(database: Any, tmp_path: Path) -> None:
    files = [str(path) for path in a_series(tmp_path / "study")]
    for path in files:
        database.insert(path)
    (patient,) = database.patients()
    (study,) = database.studiesForPatient(patient)
    (series,) = database.seriesForStudy(study)
    assert list(database.filesForSeries(series)) == files
    assert (database.studyForSeries(series), database.patientForStudy(study)) == (study, patient)
    assert database.nameForPatient(patient) == Identity().patient_name
    assert database.fieldForPatient("PatientID", patient) == Identity().patient_id
    assert database.fieldForSeries("Modality", series) == "MR"
    assert database.studyForSeries("1.2.3") == ""


def test_the_indexer_works_in_the_background_and_copies(harness: Harness, database: Any, tmp_path: Path) -> None:
    import ctk

    a_series(tmp_path / "study")
    told: list[tuple[int, ...]] = []
    indexer = ctk.ctkDICOMIndexer()
    indexer.backgroundImportEnabled = True
    indexer.connect("indexingComplete(int,int,int,int)", lambda p, st, se, i: told.append((p, st, se, i)))
    indexer.setDatabase(database)
    indexer.addDirectory(str(tmp_path / "study"), True)
    assert indexer.importing
    assert told == []
    assert harness.wait_until(lambda: not indexer.importing, 5000)
    assert told == [(1, 1, 1, 2)]
    series = database.seriesForStudy(database.studiesForPatient(database.patients()[0])[0])[0]
    assert all(Path(path).is_relative_to(tmp_path / "database") for path in database.filesForSeries(series))


def test_an_import_that_is_stopped_adds_no_more(harness: Harness, database: Any, tmp_path: Path) -> None:
    import ctk

    a_series(tmp_path / "study")
    indexer = ctk.ctkDICOMIndexer()
    indexer.backgroundImportEnabled = True
    indexer.addDirectory(database, str(tmp_path / "study"), False)
    indexer.cancel()
    harness.process(50)
    assert not indexer.importing
    assert database.patients() == ()
