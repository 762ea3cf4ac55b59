"""MedAI: a guided run in 3D Slicer. Choose an image and a model, run, look at the result, open the report.

A shell: what it shows is decided by :class:`slicermedai.app.guided_run.GuidedRun`, and a child process does the work.
"""

from pathlib import Path

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
from slicermedai.app.devices import DeviceList
from slicermedai.app.dicom_browser import add_button, browser_of, chosen_in
from slicermedai.app.estimates import Estimates
from slicermedai.app.guided_run import GuidedRun
from slicermedai.app.help import help_text
from slicermedai.app.images_at_hand import ImagesAtHand
from slicermedai.app.kept import recall, remember
from slicermedai.app.options_panel import OptionsPanel
from slicermedai.app.pick_panel import PickPanel
from slicermedai.app.run_panel import RunPanel
from slicermedai.app.run_picks import Picks
from slicermedai.app.series import check_nodes
from slicermedai.app.settings_page import add_page
from slicermedai.app.showing import Showing
from slicermedai.app.state import Phase, RunState, SourceKind
from slicermedai.app.trust_look import TrustLook, question_of
from slicermedai.scene.lifecycle import Lifecycle, missing_packages

SELF_TEST_SECONDS = 600


class MedAI(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MedAI")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["DICOM"]
        self.parent.contributors = ["The SlicerMedAI contributors"]
        text = _(
            "Runs a MONAI model on a loaded volume or a DICOM series and shows the coded result. "
            "Research use only: not a medical device, not for primary diagnosis. "
            "A score that is not calibrated is shown as a raw score, never as a probability."
        )
        self.parent.helpText = help_text(text, __file__, _)
        self.parent.acknowledgementText = _(
            "Built on MONAI, PyTorch, highdicom, pydicom and 3D Slicer. Brain network: deepbet (MIT)."
        )
        slicer.app.connect("startupCompleted()", self.addSettings)

    def addSettings(self):
        """Add the page of settings, whose defaults all modules take, and a button to Slicer's DICOM browser."""
        self.settings = add_page(lambda text: translate("MedAI", text))
        self.browserButton = add_button(lambda text: translate("MedAI", text))


@parameterNodeWrapper
class MedAIParameterNode:
    """What the module remembers in the scene."""

    volume: slicer.vtkMRMLScalarVolumeNode
    deidentify: bool = False


class MedAIWidget(Lifecycle, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the .ui file with the presenter; decides nothing."""

    def makeLogic(self):
        return MedAILogic()

    def presenters(self):
        logic = self.logic
        return logic.presenter, logic.showing, logic.devices, logic.estimates, logic.trust, self._picks.tree

    def build(self, uiWidget):
        self._panel = RunPanel(self.ui, self.logic.presenter, self.logic.showing)
        self._options = OptionsPanel(self.ui, self.logic.presenter, recall=recall, remember=remember)
        self._picks = PickPanel(self.ui, self.logic.presenter, self.logic.picks, images=self.logic.images)
        self._connect()

    def _connect(self):
        presenter = self.logic.presenter
        presenter.changed.connect(self.onStateChanged)
        presenter.finished.connect(self.onFinished)
        presenter.listed.connect(self._panel.show_lists)
        self.logic.showing.changed.connect(self.onShowing)
        self.logic.showing.told.connect(presenter.tell)
        self.logic.devices.changed.connect(self.onDevices)
        self.logic.estimates.changed.connect(self.onEstimate)
        self.logic.trust.changed.connect(self.onTrust)
        self.ui.volumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onVolumeChanged)
        self.ui.seriesSelector.connect("activated(int)", self.onSeriesChosen)
        self.ui.folderSelector.connect("currentPathChanged(QString)", self.onFolderChanged)
        self.ui.optionsSection.connect("contentsCollapsed(bool)", self.onOptions)
        self.ui.severalSection.connect("contentsCollapsed(bool)", self.onSeveral)
        self._picks.tree.changed.connect(lambda tree: self.tick())
        self.connectButtons(
            **{"install": self.onInstall, "run": presenter.start, "add": presenter.add, "cancel": self.onCancel},
            **{"remove": self._panel.onRemove, "browser": self.onBrowser, "report": self.onReport},
            folder=lambda: self.open(presenter.state.folder),
            **{
                "review": lambda: self.goOn("MedAIReview", presenter.state.folder),
                "plan": lambda: self.goOn("MedAIPlan", presenter.state.folder),
                "pass": lambda: self.goOn("MedAIReport", presenter.state.folder),
            },
        )

    def bound(self):
        self.onVolumeChanged(self.ui.volumeSelector.currentNode())

    def refresh(self):
        """Look again at what is installed and what is in the DICOM database."""
        presenter = self.logic.presenter
        self._options.recall()
        presenter.refresh_bundles()
        presenter.refresh_series(self.logic.images.series())
        self._options.show_devices(self.logic.devices.state.devices)
        self._picks.look()
        self.onStateChanged(presenter.state)

    def sceneCloses(self):
        """Nothing of this patient goes on, or stands in the panel, beside the next one."""
        self.logic.picks.clear()
        self.logic.showing.forget()
        self.logic.presenter.forget()

    def stopWork(self):
        self.logic.presenter.stop_runs()
        super().stopWork()

    def onOptions(self, collapsed):
        if not collapsed:
            self.logic.devices.look()

    def onSeveral(self, collapsed):
        self._picks.look()
        self.tick()

    def onDevices(self, state):
        self.tick()
        self._options.show_devices(state.devices)

    def onEstimate(self, state):
        self.tick()
        self._panel.show_estimate(state)
        if state.estimate is not None:
            self.logic.presenter.learn_ways(state.estimate.title, state.samples)

    def onTrust(self, state):
        self.tick()
        self._panel.show_trust(state.message)

    # --- choices -----------------------------------------------------------------------------------------------------

    def onVolumeChanged(self, node):
        said = self.logic.images.said_of_node(node) if node else {}
        self._panel.take(SourceKind.VOLUME, node, node.GetName() if node else "", **said)

    def onSeriesChosen(self, index):
        uid, text = self.ui.seriesSelector.itemData(index), self.ui.seriesSelector.itemText(index)
        said = self.logic.images.said_of_series(uid) if uid else {}
        source = self.logic.images.files(uid) if uid else None
        self._panel.take(SourceKind.SERIES, source, text, **said)

    def onFolderChanged(self, path):
        self._panel.take(SourceKind.FOLDER, path or None, Path(path).name)

    def onBrowser(self):
        """Take what is chosen in Slicer's DICOM browser: one image, those of one run, or several runs."""
        chosen = self.logic.chosenInBrowser()
        series = self._picks.take(chosen)
        self.tick()
        index = self._panel.first_of(series) if series or not chosen.smallest else 0
        if index:
            self.ui.seriesSelector.setCurrentIndex(index)
            self.onSeriesChosen(index)
            self.logic.presenter.prefer(series)

    # --- actions -----------------------------------------------------------------------------------------------------

    def onInstall(self):
        self.logic.presenter.ask_and_install(slicer.util.confirmOkCancelDisplay)

    def onCancel(self):
        self.logic.presenter.cancel()
        self.logic.showing.cancel()

    def onFinished(self, order):
        """Show what a run made; of several none turns the view."""
        self.logic.estimates.renew()
        self.logic.showing.show(order, turn=len(self.logic.presenter.state.queue) == 1)

    def onShowing(self, state):
        self.tick()
        self._panel.show_showing(state)

    def onReport(self):
        with slicer.util.tryWithErrorDisplay(_("The report could not be made."), waitCursor=True):
            self.open(self.logic.report())

    def onStateChanged(self, state: RunState):
        self.tick()
        self._options.show(state)
        self._panel.show(state)
        self._picks.follow()
        self.logic.estimates.consider(*self.logic.presenter.question)
        self.logic.trust.consider(question_of(state.bundle, self.logic.presenter.source, state.modality))


class MedAILogic(ScriptedLoadableModuleLogic):
    """For the console and the widget: holds the presenter and reaches into Slicer for it."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        from slicermedai.scene.arriving import Arrivals

        self.images = ImagesAtHand(slicer, translate=self.translate)
        self.presenter = GuidedRun(
            submit=self.submit,
            bundles=slicermedai.list_models,
            images=self.images.all,
            missing=self.missingPackages,
            translate=self.translate,
        )
        self.devices = DeviceList(translate=self.translate)
        self.estimates = Estimates(translate=self.translate)
        self.trust = TrustLook(translate=self.translate)
        self.picks = Picks(self.presenter, find=self.images.find)
        self.arrivals = Arrivals(slicer.mrmlScene)
        self.showing = Showing(self.arrivals, translate=self.translate)

    def translate(self, text):
        return translate("MedAI", text)

    def getParameterNode(self):
        return MedAIParameterNode(super().getParameterNode())

    def chosenInBrowser(self):
        """What is chosen in Slicer's DICOM browser; nothing where it is not there."""
        return chosen_in(browser_of(slicer.modules))

    def submit(self, source, bundle, **options):
        """As ``slicermedai.submit``; a volume that has left the scene since it was chosen is refused."""
        check_nodes(source, *options.get("inputs", {}).values())
        return slicermedai.submit(source, bundle, **options)

    def image(self):
        """The image of the result that is looked at: a node, or read again; de-identified where the result is."""
        state = self.presenter.state
        known = self.arrivals.image_node(state.result)
        return known or slicermedai.image_of(self.presenter.analysed, Path(state.folder))

    def report(self):
        """Make the report, once, with pictures by this process; returns the page's path."""
        return slicermedai.write_report(self.presenter.state.folder, volume=self.image())

    def missingPackages(self):
        """The requirements that Slicer's Python does not meet, as texts; no network."""
        return missing_packages(Path(__file__).parent / "Resources" / "requirements.txt")


class MedAITest(ScriptedLoadableModuleTest):
    """For Slicer's own test driver; it needs the brain model. It ran on the stand-in only, never yet in Slicer."""

    def runTest(self):
        self.setUp()
        self.test_a_volume_is_segmented()

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def test_a_volume_is_segmented(self):
        import SampleData

        volume = SampleData.downloadSample("MRHead")
        logic = MedAILogic()
        logic.presenter.refresh_bundles()
        logic.presenter.choose_source(volume, volume.GetName())
        self.assertTrue(logic.presenter.can_run, "the brain model is not installed")
        logic.presenter.start()
        breathe = slicer.app.processEvents
        self.assertTrue(logic.presenter.wait(SELF_TEST_SECONDS, breathe=breathe), "the run took too long")
        self.assertEqual(logic.presenter.state.phase, Phase.DONE)
        logic.showing.show(logic.presenter.shown)
        self.assertTrue(logic.showing.wait(SELF_TEST_SECONDS, breathe=breathe), "it is not shown")
        shown = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
        self.assertEqual(shown.GetSegmentation().GetNumberOfSegments(), 1)
        self.delayDisplay("Test passed")
