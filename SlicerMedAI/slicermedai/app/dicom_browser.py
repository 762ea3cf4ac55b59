"""What is chosen in Slicer's DICOM browser, the one of tables and the visual one. No Qt in here.

Neither can be dragged from into a module: the tables show a model of a database query whose rows are not flagged as
draggable, every list of the visual one is set to ``NoDragDrop`` (CTK of 2026-08), and Slicer's DICOM module closes the
browser when it is left, so that no other module's panel stands beside it. What was chosen there stays chosen, and a
button below the browser takes it over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slicermedai.app.words import Translate


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """UIDs of what is chosen; patients go by their UID in the database, which is not the patient ID."""

    patients: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    series: tuple[str, ...] = ()

    @property
    def smallest(self) -> tuple[str, ...]:
        """Series where any are chosen, else studies, else patients."""
        return self.series or self.studies or self.patients


def browser_of(modules: Any) -> Any:
    """The ``SlicerDICOMBrowser`` of ``slicer.modules``; None where there is none, or none yet."""
    return getattr(getattr(modules, "DICOMInstance", None), "browserWidget", None)


def add_button(translate: Translate) -> Any:
    """Keep a button in Slicer's DICOM browser that takes what is chosen there over into MedAI; returns what keeps it.

    None where Slicer shows no window.
    """
    from slicermedai.scene.browser_button import BrowserButton
    from slicermedai.scene.settings_panel import has_window

    if not has_window():
        return None
    hint = translate("Goes to MedAI with the patients, studies or series that are chosen here")
    return BrowserButton(translate("Analyse with MedAI"), hint, browser=browser_of)


def chosen_in(browser: Any) -> Chosen:
    """What is chosen in ``browser``, a ``SlicerDICOMBrowser`` (Slicer's Python); nothing in None.

    Of one that does not have what is asked of it (an older Slicer) nothing is said either.
    """
    if browser is None:
        return Chosen()
    if getattr(browser, "useVisualDICOMBrowser", False):
        return _of_views(getattr(browser, "dicomVisualBrowser", None))
    return _of_tables(getattr(browser, "dicomBrowser", None))


def _of_tables(browser: Any) -> Chosen:
    """A ``ctkDICOMBrowser``."""
    manager = getattr(browser, "dicomTableManager", None)
    if manager is None:
        return Chosen()
    tables = manager()
    return Chosen(
        patients=tuple(tables.currentPatientsSelection()),
        studies=tuple(tables.currentStudiesSelection()),
        series=tuple(tables.currentSeriesSelection()),
    )


def _of_views(browser: Any) -> Chosen:
    """A ``ctkDICOMVisualBrowserWidget``."""
    viewed = getattr(browser, "patientView", None)
    if viewed is None:
        return Chosen()
    patients = viewed()
    return Chosen(
        patients=tuple(patients.selectedPatientUIDs()),
        studies=tuple(patients.studyListView().selectedStudyInstanceUIDs()),
        series=tuple(patients.selectedSeriesInstanceUIDs()),
    )
