"""MedAI Batch: many studies by rule. Choose studies, rules and a model, preview, run, pause, go on, look at the sheet.

A shell: what it shows is decided by :class:`slicermedai.app.batch_run.BatchRun`, and child processes do the work.
"""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

import slicermedai
from slicermedai.app import dicom_database
from slicermedai.app.batch_panel import FILES, Panel
from slicermedai.app.batch_run import BatchRun
from slicermedai.app.help import help_text
from slicermedai.scene.lifecycle import Lifecycle, missing_packages

SELF_TEST_SECONDS = 300


class MedAIBatch(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MedAI Batch")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["DICOM"]
        self.parent.contributors = ["The SlicerMedAI contributors"]
        text = _(
            "Runs a model on many studies: rules choose one series of each study, and the preview says which and why "
            "not the others. It may be paused or killed at any moment, and goes on in the same folder; no case is run "
            "twice. A table and a quality sheet say what was found, and what to look at first. Research use only: not "
            "a medical device, not for primary diagnosis."
        )
        self.parent.helpText = help_text(text, __file__, _)
        self.parent.acknowledgementText = _("Built on MONAI, PyTorch, pydicom and 3D Slicer.")


@parameterNodeWrapper
class MedAIBatchParameterNode:
    """What the module remembers in the scene. Paths, rules and names are not in it: a scene is passed on."""

    processes: int = 1


class MedAIBatchWidget(Lifecycle, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the .ui file with the presenter; decides nothing."""

    def makeLogic(self):
        return MedAIBatchLogic()

    def presenters(self):
        return (self.logic.presenter, *self._panel.tables)

    def build(self, uiWidget):
        self._panel = Panel(self.ui, self.logic.presenter)
        self._panel.form.connect()
        self._connect()

    def _connect(self):
        presenter, ui = self.logic.presenter, self.ui
        presenter.changed.connect(self.onStateChanged)
        presenter.ready.connect(lambda path: self.open(path))
        for table in self._panel.tables:
            table.changed.connect(lambda table: self.tick())
        self._panel.database.changed.connect(self.onDatabase)
        ui.databaseTree.connect("itemChanged(QTreeWidgetItem*,int)", self.onTicked)
        ui.folderSelector.connect("currentPathChanged(QString)", self.onFolder)
        ui.rulesTable.connect("itemSelectionChanged()", self.onRule)
        ui.modelSelector.connect("activated(int)", self.onModel)
        ui.identitySelector.connect("activated(int)", self.onIdentity)
        ui.tiltCheckBox.connect("toggled(bool)", self.onTilt)
        for name, field in FILES.items():
            getattr(ui, name).connect(
                "currentPathChanged(QString)", lambda path, field=field: presenter.choose(**{field: path})
            )
        ui.passphraseEdit.connect("textChanged(QString)", lambda text: presenter.choose(has_passphrase=bool(text)))
        ui.outputSelector.connect("currentPathChanged(QString)", presenter.choose_output)
        ui.processesSpin.connect("valueChanged(int)", lambda count: presenter.choose(processes=count))
        ui.studiesTable.connect("itemSelectionChanged()", self.onStudy)
        ui.casesTable.connect("itemSelectionChanged()", self.onCases)
        ui.stateSelector.connect("activated(int)", self.onCases)
        self.connectButtons(
            **{"addRule": self.edited(presenter.add_rule), "removeRule": presenter.remove_rule},
            **{"undoRules": self.edited(presenter.undo_rules)},
            **{"upRule": self.edited(lambda: presenter.move_rule(-1)), "openRules": self.onOpenRules},
            **{"downRule": self.edited(lambda: presenter.move_rule(1)), "saveRules": self.edited(self.onSaveRules)},
            **{"preview": self.edited(presenter.preview), "run": self.edited(self.onRun), "cancel": presenter.cancel},
            **{"retry": self.onRetry, "review": self.onReview, "database": self.onDatabaseAdd},
            **{"sheet": lambda: presenter.show_output("sheet"), "table": lambda: presenter.show_output("table")},
            **{"folder": self.onFolderOpen, "install": self.onInstall},
        )

    def edited(self, act):
        """``act`` after what is being typed was taken in."""

        def slot():
            self._panel.form.commit()
            act()

        return slot

    def exit(self):
        self.ui.passphraseEdit.clear()
        Lifecycle.exit(self)

    def refresh(self):
        """Look again which models and studies there are, and where cases stand; what is ticked stays ticked."""
        self._panel.database.show(dicom_database.each_patient(getattr(slicer, "dicomDatabase", None)))
        self.logic.presenter.refresh()

    # --- choices -----------------------------------------------------------------------------------------------------

    def onTicked(self, item, column):
        self._panel.database.follow(item)
        series = self._panel.database.ticked
        if series:
            self.ui.folderSelector.setCurrentPath("")
        self.logic.presenter.choose_series(series)

    def onDatabase(self, tree):
        """All of the database is shown: what was ticked and is there no more is chosen no more."""
        if set(tree.ticked) != set(self.logic.presenter.series):
            self.logic.presenter.choose_series(tree.ticked)

    def onFolder(self, path):
        if path:
            self._panel.database.untick()
        if path or not self._panel.database.ticked:
            self.logic.presenter.choose_folder(path)

    def onRule(self):
        self._panel.form.commit()
        self.logic.presenter.choose_rule(self.ui.rulesTable.currentRow())

    def onOpenRules(self):
        path = qt.QFileDialog.getOpenFileName(self.parent, _("Series rules"), "", "TOML (*.toml)")
        if path:
            self.logic.presenter.open_rules(Path(path))

    def onSaveRules(self):
        path = qt.QFileDialog.getSaveFileName(self.parent, _("Save series rules"), "", "TOML (*.toml)")
        if path:
            self.logic.presenter.save_rules(Path(path))

    def onModel(self, index):
        self.logic.presenter.choose_model(self.ui.modelSelector.itemData(index))

    def onIdentity(self, index):
        self.logic.presenter.choose(identity=self.ui.identitySelector.itemData(index))

    def onTilt(self, checked):
        self.logic.presenter.choose(tilt="resample" if checked else "refuse")

    def onStudy(self):
        self._panel.show_series()
        self.tick()

    def onCases(self, index=0):
        self._panel.show_cases()
        self.tick()

    # --- actions -----------------------------------------------------------------------------------------------------

    def onInstall(self):
        self.logic.presenter.ask_and_install(slicer.util.confirmOkCancelDisplay)

    def onRun(self):
        passphrase = self.ui.passphraseEdit.text
        self.logic.presenter.start(passphrase)
        self.ui.passphraseEdit.clear()

    def onRetry(self):
        self.logic.presenter.retry([one.name for one in self._panel.chosen])

    def onReview(self):
        case = next(one for one in self._panel.chosen if one.state == "done")
        self.goOn("MedAIReview", Path(self.logic.presenter.state.cohort.folder) / "results" / case.name)

    def onDatabaseAdd(self):
        self.logic.presenter.add_to_database(self._panel.chosen_results)

    def onFolderOpen(self):
        self.open(self.logic.presenter.state.cohort.folder)

    # --- what is shown -----------------------------------------------------------------------------------------------

    def onStateChanged(self, state):
        self._panel.show(state)
        self.tick()


class MedAIBatchLogic(ScriptedLoadableModuleLogic):
    """For the console and the widget: holds the presenter and reaches into Slicer for it."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self.presenter = BatchRun(
            bundles=slicermedai.list_models,
            files_of=lambda uid: slicer.dicomDatabase.filesForSeries(uid),
            add_to_database=self.addToDatabase,
            missing=self.missingPackages,
            translate=self.translate,
        )

    def translate(self, text):
        return translate("MedAIBatch", text)

    def getParameterNode(self):
        return MedAIBatchParameterNode(super().getParameterNode())

    def missingPackages(self):
        """The requirements that Slicer's Python does not meet, as texts; no network."""
        return missing_packages(Path(__file__).parent / "Resources" / "requirements.txt")

    def addToDatabase(self, cases):
        """Start to add results to Slicer's DICOM database, of none where that would mix the two routes."""
        from slicermedai.scene.filing import file_all, slicer_database

        return file_all(slicer_database(), cases, self.translate)


class MedAIBatchTest(ScriptedLoadableModuleTest):
    """For Slicer's own test driver. It ran on the stand-in only, never yet in Slicer."""

    def runTest(self):
        self.setUp()
        self.test_a_preview_says_why_a_series_is_not_taken()

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def test_a_preview_says_why_a_series_is_not_taken(self):
        folder = Path(slicer.util.tempDirectory())
        self.exportHead(folder)
        presenter = MedAIBatchLogic().presenter
        presenter.choose_folder(str(folder))
        presenter.change_rule(modality="CT", bundle="any")
        presenter.preview()
        ended = presenter.wait(SELF_TEST_SECONDS, breathe=slicer.app.processEvents)
        self.assertTrue(ended, "the preview took too long")
        self.assertEqual([one.state for one in presenter.state.studies], ["refused"], presenter.state.message)
        self.assertIn("does not fit 'CT'", presenter.state.studies[0].series[0].reason)
        self.delayDisplay("Test passed")

    def exportHead(self, folder):
        """A head as a DICOM series, by Slicer's own exporter."""
        import DICOMLib
        import SampleData

        said = {"Patient Name": "Invented^Ada", "Patient ID": "1", "Series Number": "1", "Modality": "MR"}
        study = [
            f"{of} {what}" for of in ("Study", "Series") for what in ("Date", "Time", "Description", "Instance UID")
        ]
        other = ["Patient Birth Date", "Patient Sex", "Patient Comments", "Study ID", "Manufacturer", "Model"]
        empty = dict.fromkeys([*study, *other, "Content Date", "Content Time", "Frame of Reference UID"], "")
        volume = SampleData.downloadSample("MRHead")
        DICOMLib.DICOMExportScalarVolume("", volume, empty | said, str(folder)).export()
