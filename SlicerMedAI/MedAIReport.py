"""MedAI Report: a result's way out. Look at it, verify it, see what would be written, write, send, follow.

A shell: what it shows is decided by :class:`slicermedai.app.report_run.ReportRun` and
:class:`slicermedai.app.report_outbox.OutboxRun`, and child processes do the work.
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
from slicermedai.app import report_database, report_peers, report_words
from slicermedai.app.help import help_text
from slicermedai.app.report_outbox import OutboxRun
from slicermedai.app.report_panel import Panel
from slicermedai.app.report_places import scene_keys
from slicermedai.app.report_run import ReportRun
from slicermedai.app.state import Phase
from slicermedai.console.verbs import submit_job
from slicermedai.domain.decisions import WHOLE
from slicermedai.domain.result import Decision
from slicermedai.scene.lifecycle import Lifecycle, missing_packages, set_setting, setting

SELF_TEST_SECONDS = 120


class MedAIReport(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MedAI Report")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Informatics")]
        self.parent.dependencies = ["DICOM"]
        self.parent.contributors = ["The SlicerMedAI contributors"]
        text = _(
            "Verifies a result as a named person, shows what would be written and what is missing, writes DICOM, FHIR, "
            "HL7 and research formats, and sends them by an outbox that proves what arrived. Research use only: not a "
            "medical device, not for primary diagnosis. Pseudonymous and identified results never go the same way."
        )
        self.parent.helpText = help_text(text, __file__, _)
        self.parent.acknowledgementText = _("Built on highdicom, pydicom, pynetdicom, dicomweb-client and 3D Slicer.")


@parameterNodeWrapper
class MedAIReportParameterNode:
    """What the module remembers in the scene. Paths and names are not in it: a scene is passed on."""

    hide: bool = False


class MedAIReportWidget(Lifecycle, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the .ui file with the presenters; decides nothing."""

    def makeLogic(self):
        return MedAIReportLogic()

    def presenters(self):
        return self.logic.report, self.logic.outbox

    def build(self, uiWidget):
        self._panel = Panel(self.ui, self.logic.report, self.logic.outbox)
        self._panel.add_formats(self.onFormats)
        self._connect()

    def _connect(self):
        report, outbox, ui = self.logic.report, self.logic.outbox, self.ui
        report.changed.connect(self.onReportChanged)
        outbox.changed.connect(self.onOutboxChanged)
        ui.resultSelector.connect("activated(int)", self.onResult)
        ui.folderSelector.connect("currentPathChanged(QString)", self.onFolder)
        ui.findingsTable.connect("itemSelectionChanged()", self._panel.show_decisions)
        ui.personEdit.connect("textChanged(QString)", report.choose_person)
        ui.profileSelector.connect("activated(int)", self.onProfile)
        ui.outputSelector.connect("currentPathChanged(QString)", report.choose_output)
        ui.earlierSelector.connect("activated(int)", self.onEarlier)
        ui.matchesSelector.connect("currentPathChanged(QString)", report.choose_matches)
        ui.peerSelector.connect("activated(int)", self.onPeer)
        ui.arrivedCheckBox.connect("toggled(bool)", self.onHideArrived)
        self.connectButtons(
            accept=lambda: self.onDecide(self._panel.finding, Decision.ACCEPTED),
            reject=lambda: self.onDecide(self._panel.finding, Decision.REJECTED),
            acceptAll=lambda: self.onDecide(WHOLE, Decision.ACCEPTED),
            rejectAll=lambda: self.onDecide(WHOLE, Decision.REJECTED),
            **{"undo": report.undo, "write": report.write, "cancel": report.cancel},
            **{"database": report.add_to_database, "openFolder": self.onOpenFolder, "send": self.onSend},
            **{"stop": outbox.cancel, "install": self.onInstall, "refresh": outbox.refresh},
            **{"deliver": outbox.deliver, "retry": self.onRetry, "remove": self.onRemove},
        )

    def refresh(self):
        """Look again which results there are, and where the objects in the outbox stand."""
        self.logic.report.refresh(self.logic.resultsInScene())
        self.logic.outbox.refresh()

    # --- choices -----------------------------------------------------------------------------------------------------

    def onResult(self, index):
        self.logic.report.choose_folder(self.ui.resultSelector.itemData(index))

    def onFolder(self, path):
        if not path or Path(path).is_dir():
            self.logic.report.choose_folder(path)

    def onProfile(self, index):
        self.logic.report.choose_profile(self.ui.profileSelector.itemData(index))

    def onEarlier(self, index):
        self.logic.report.choose_earlier(self.ui.earlierSelector.itemData(index))

    def onFormats(self):
        self.logic.report.choose_formats(self._panel.ticked)

    def onPeer(self, index):
        self.logic.outbox.choose_peer(self.ui.peerSelector.itemData(index))

    def onHideArrived(self, checked):
        self._panel.show_outbox(self.logic.outbox.state)

    # --- actions -----------------------------------------------------------------------------------------------------

    def onDecide(self, uid, decision):
        self.logic.report.decide(uid, decision, self.ui.reasonEdit.text)
        self.ui.reasonEdit.clear()

    def onOpenFolder(self):
        self.open(self.logic.report.state.written.folder)

    def onSend(self):
        self.logic.outbox.send(self.logic.report.state.written)

    def onInstall(self):
        self.logic.outbox.ask_and_install(slicer.util.confirmOkCancelDisplay)

    def onRetry(self):
        self.logic.outbox.retry(self._panel.deliveries)

    def onRemove(self):
        outbox, found = self.logic.outbox, self._panel.deliveries
        if slicer.util.confirmOkCancelDisplay(report_words.remove_question(len(found), outbox.translate)):
            outbox.forget(found)

    # --- what is shown -----------------------------------------------------------------------------------------------

    def onReportChanged(self, state):
        self.tick()
        self._panel.show(state)

    def onOutboxChanged(self, state):
        self.tick()
        self._panel.show_outbox(state)


class MedAIReportLogic(ScriptedLoadableModuleLogic):
    """For the console and the widget: holds the presenters and reaches into Slicer for them."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self.report = ReportRun(
            submit=submit_job,
            add_to_database=self.addToDatabase,
            recall=setting,
            remember=set_setting,
            translate=self.translate,
        )
        self.outbox = OutboxRun(servers=self.servers, missing=self.missingPackages, translate=self.translate)

    def translate(self, text):
        return translate("MedAIReport", text)

    def getParameterNode(self):
        return MedAIReportParameterNode(super().getParameterNode())

    def resultsInScene(self):
        """The results that nodes of the scene show, by their attribute."""
        scene = slicer.mrmlScene
        return scene_keys(scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))

    def servers(self):
        """Slicer's own list of DICOM servers."""
        return report_peers.slicers_servers(qt.QSettings())

    def addToDatabase(self, written):
        """Start to add what was written to Slicer's DICOM database, unless that would mix the two routes."""
        return report_database.add_written(getattr(slicer, "dicomDatabase", None), written, self.translate)

    def missingPackages(self):
        """The packages for sending that Slicer's Python lacks, as texts; no network."""
        return missing_packages(Path(__file__).parent / "Resources" / "requirements-pacs.txt")


class MedAIReportTest(ScriptedLoadableModuleTest):
    """For Slicer's own test driver. It ran on the stand-in only, never yet in Slicer."""

    def runTest(self):
        self.setUp()
        self.test_a_result_is_written()

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def test_a_result_is_written(self):
        folder = Path(slicer.util.tempDirectory())
        self.saveResult(folder / "run" / "result")
        report = MedAIReportLogic().report
        report.choose_folder(str(folder / "run"))
        self.waitFor(report)
        self.assertEqual(report.to_write, ("nifti", "csv"), report.state.message)
        report.choose_output(str(folder / "out"))
        report.write()
        self.waitFor(report)
        self.assertEqual(report.state.phase, Phase.DONE, report.state.message)
        self.assertIn("findings.csv", [path.name for path in (folder / "out").iterdir()])
        self.delayDisplay("Test passed")

    def waitFor(self, presenter):
        ended = presenter.wait(SELF_TEST_SECONDS, breathe=slicer.app.processEvents)
        self.assertTrue(ended, "the run took too long")

    def saveResult(self, folder):
        """A result of no patient in which nothing was found."""
        from slicermedai.domain.provenance import Provenance

        affine = [[float(row == column) for column in range(4)] for row in range(4)]
        made = Provenance(
            bundle="none", bundle_version="1", weights_sha256="0" * 64, finished="2026-01-02T03:04:05+00:00"
        )
        slicermedai.AnalysisResult(
            status=slicermedai.Status.NO_FINDING,
            study=slicermedai.Study(),
            volume_geometry=slicermedai.Geometry(shape=(2, 3, 4), affine=affine),
            provenance=made,
        ).save(folder)
