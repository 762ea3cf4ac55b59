"""MedAI De-identify: copies of DICOM without identity. Choose images and a preset, preview, run, look, pass on.

A shell: what it shows is decided by :class:`slicermedai.app.deid_run.DeidRun`, and child processes do the work.
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
from slicermedai.app import deid_database, deid_words, dicom_database
from slicermedai.app.deid_panel import FILES, Panel
from slicermedai.app.deid_result import HARMLESS, IDENTITY
from slicermedai.app.deid_run import DeidRun
from slicermedai.app.growing_tree import GrowingTree
from slicermedai.app.help import help_text
from slicermedai.app.state import Phase
from slicermedai.scene.lifecycle import Lifecycle, missing_packages

SELF_TEST_SECONDS = 300


class MedAIDeidentify(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MedAI De-identify")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Informatics")]
        self.parent.dependencies = ["DICOM"]
        self.parent.contributors = ["The SlicerMedAI contributors"]
        text = _(
            "Writes de-identified copies of DICOM files by DICOM PS3.15 Annex E, with a report of what was done. "
            "Research use only. Look at the copies before you pass them on: no program can promise that none is left."
        )
        self.parent.helpText = help_text(text, __file__, _)
        self.parent.acknowledgementText = _("Built on pydicom, cryptography, RapidOCR and 3D Slicer.")


@parameterNodeWrapper
class MedAIDeidentifyParameterNode:
    """What the module remembers in the scene. Paths and secrets are not in it: a scene is passed on."""

    tree: bool = False
    database: bool = False


class MedAIDeidentifyWidget(Lifecycle, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the .ui file with the presenter; decides nothing."""

    def makeLogic(self):
        return MedAIDeidentifyLogic()

    def presenters(self):
        return (self.logic.presenter, self._database)

    def build(self, uiWidget):
        self._database, self._ticked = GrowingTree(self.ui.databaseTree), []
        self._panel = Panel(self.ui, self.logic.presenter)
        self._panel.add_options(self.onOptions)
        self._connect()

    def _connect(self):
        presenter, ui = self.logic.presenter, self.ui
        presenter.changed.connect(self.onStateChanged)
        self._database.changed.connect(self.onDatabase)
        ui.databaseTree.connect("itemChanged(QTreeWidgetItem*,int)", self.onTicked)
        ui.folderSelector.connect("currentPathChanged(QString)", self.onFolder)
        ui.presetSelector.connect("activated(int)", self.onPreset)
        for name, field in FILES.items():
            getattr(ui, name).connect(
                "currentPathChanged(QString)", lambda path, field=field: presenter.choose(**{field: path})
            )
        ui.passphraseEdit.connect("textChanged(QString)", lambda text: presenter.choose(has_passphrase=bool(text)))
        ui.treeCheckBox.connect("toggled(bool)", lambda checked: presenter.choose(tree=checked))
        ui.databaseCheckBox.connect("toggled(bool)", lambda checked: presenter.choose(into_database=checked))
        ui.exampleSelector.connect("currentIndexChanged(int)", self.onExample)
        self.connectButtons(
            **{"presetOpen": self.onOpenPreset, "presetSave": self.onSavePreset, "install": self.onInstall},
            **{"key": self.onNewKey, "preview": self.onPreview, "run": self.onRun, "cancel": presenter.cancel},
            **{"previous": lambda: self.onTurn(-1), "next": lambda: self.onTurn(1)},
            **{"identity": lambda: self.onDecide(IDENTITY), "harmless": lambda: self.onDecide(HARMLESS)},
            **{
                "apply": self.onApply,
                "report": self.onReport,
                "folder": self.onFolderOpen,
                "review": self.onReviewOpen,
            },
        )

    def exit(self):
        self.ui.passphraseEdit.clear()
        Lifecycle.exit(self)

    def refresh(self):
        """Look again at what is installed and what is in the DICOM database; what is ticked stays ticked."""
        self._database.show(dicom_database.each_patient(getattr(slicer, "dicomDatabase", None)))
        self.logic.presenter.refresh()

    # --- choices -----------------------------------------------------------------------------------------------------

    def onTicked(self, item, column):
        self._database.follow(item)
        if self._database.ticked:
            self.ui.folderSelector.setCurrentPath("")
        self.chooseTicked()

    def onDatabase(self, tree):
        """All of the database is shown: what was ticked and is there no more is chosen no more."""
        if set(tree.ticked) != set(self._ticked):
            self.chooseTicked()
        self.tick()

    def chooseTicked(self):
        self._ticked = self._database.ticked
        self.logic.chooseSeries(self._ticked)

    def onFolder(self, path):
        if path:
            self._database.untick()
            self._ticked = []
        if path or not self._database.ticked:
            self.logic.presenter.choose_source(path, Path(path).name)

    def onPreset(self, index):
        self.logic.presenter.choose_preset(self.ui.presetSelector.itemData(index))

    def onOpenPreset(self):
        path = qt.QFileDialog.getOpenFileName(self.parent, _("A site's own preset"), "", "JSON (*.json)")
        if path:
            self.logic.presenter.choose_preset(path)

    def onSavePreset(self):
        path = qt.QFileDialog.getSaveFileName(self.parent, _("Save as a preset"), "", "JSON (*.json)")
        if path:
            self.logic.presenter.save_preset(Path(path))

    def onOptions(self):
        self.logic.presenter.choose_options(self._panel.ticked)

    # --- actions -----------------------------------------------------------------------------------------------------

    def onInstall(self):
        self.logic.presenter.ask_and_install(slicer.util.confirmOkCancelDisplay)

    def onNewKey(self):
        path = qt.QFileDialog.getSaveFileName(self.parent, _("Make a project key"), "", "")
        if path:
            self.logic.presenter.make_key(Path(path), self.ui.passphraseEdit.text)

    def onPreview(self):
        self.logic.presenter.preview(self.ui.passphraseEdit.text)

    def onRun(self):
        passphrase = self.ui.passphraseEdit.text
        self.logic.presenter.start(passphrase)
        self.ui.passphraseEdit.clear()

    def onApply(self):
        passphrase = self.ui.passphraseEdit.text
        self.logic.presenter.apply(passphrase)
        self.ui.passphraseEdit.clear()

    def onDecide(self, decision):
        self.logic.presenter.decide(self._panel.picture, decision)

    def onReport(self):
        self.open(self.logic.presenter.state.result.page)

    def onFolderOpen(self):
        self.open(self.logic.presenter.state.result.folder)

    def onReviewOpen(self):
        self.open(self.logic.presenter.review)

    # --- what is shown -----------------------------------------------------------------------------------------------

    def onStateChanged(self, state):
        self.tick()
        self._panel.show(state)

    def onExample(self, index):
        self._panel.show_example(index)

    def onTurn(self, step):
        self._panel.place += step
        self._panel.show_doubt()


class MedAIDeidentifyLogic(ScriptedLoadableModuleLogic):
    """For the console and the widget: holds the presenter and reaches into Slicer for it."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self.presenter = DeidRun(
            submit=slicermedai.deidentify,
            add_to_database=self.addToDatabase,
            missing=self.missingPackages,
            has_brain_model=lambda: any(model.name == "brain" for model in slicermedai.list_models()),
            translate=lambda text: translate("MedAIDeidentify", text),
        )

    def getParameterNode(self):
        return MedAIDeidentifyParameterNode(super().getParameterNode())

    def chooseSeries(self, uids):
        """Choose series of Slicer's DICOM database."""
        files = deid_database.files_of(slicer.dicomDatabase, uids) if uids else []
        told = deid_words.chosen_text(len(uids), len(files), self.presenter.translate)
        self.presenter.choose_source(files, told)

    def addToDatabase(self, result):
        """Start to add the copies to Slicer's DICOM database, unless that would mix the two routes."""
        return deid_database.add_copies(getattr(slicer, "dicomDatabase", None), result, self.presenter.translate)

    def missingPackages(self):
        """The optional packages that Slicer's Python lacks, as texts; no network."""
        return missing_packages(Path(__file__).parent / "Resources" / "requirements-deid.txt")


class MedAIDeidentifyTest(ScriptedLoadableModuleTest):
    """For Slicer's own test driver. It ran on the stand-in only, never yet in Slicer."""

    def runTest(self):
        self.setUp()
        self.test_no_name_is_left()

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def test_no_name_is_left(self):
        folder = Path(slicer.util.tempDirectory())
        (folder / "study").mkdir()
        self.exportHead(folder / "study")
        logic = MedAIDeidentifyLogic()
        logic.presenter.choose_source(str(folder / "study"), "study")
        logic.presenter.choose(output=str(folder / "copies"))
        logic.presenter.start()
        ended = logic.presenter.wait(SELF_TEST_SECONDS, breathe=slicer.app.processEvents)
        self.assertTrue(ended, "the run took too long")
        self.assertEqual(logic.presenter.state.phase, Phase.DONE, logic.presenter.state.message)
        copies = list(logic.presenter.state.result.copies.iterdir())
        self.assertGreater(len(copies), 0)
        self.assertFalse(any(b"Quillfeather" in copy.read_bytes() for copy in copies))
        self.delayDisplay("Test passed")

    def exportHead(self, folder):
        """A head as the DICOM series of an invented patient, by Slicer's own exporter."""
        import DICOMLib
        import SampleData

        said = {"Patient Name": "Quillfeather^Ada", "Patient ID": "1", "Series Number": "1", "Modality": "MR"}
        study = [
            f"{of} {what}" for of in ("Study", "Series") for what in ("Date", "Time", "Description", "Instance UID")
        ]
        other = ["Patient Birth Date", "Patient Sex", "Patient Comments", "Study ID", "Manufacturer", "Model"]
        empty = dict.fromkeys([*study, *other, "Content Date", "Content Time", "Frame of Reference UID"], "")
        volume = SampleData.downloadSample("MRHead")
        DICOMLib.DICOMExportScalarVolume("", volume, empty | said, str(folder)).export()
