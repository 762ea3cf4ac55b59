"""MedAI Mark: models that go by points and boxes, marked in the views; the answer changes with each mark.

A shell: what it shows is decided by :class:`slicermedai.app.mark_run.MarkRun`, marks and answer stand in the scene by
:class:`slicermedai.scene.marking.MarkScene`, and a child process that keeps the model answers.
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

from slicermedai.app.help import help_text
from slicermedai.app.kept import recall
from slicermedai.app.mark_panel import KINDS, Panel
from slicermedai.app.mark_run import MarkRun
from slicermedai.app.mark_state import Around
from slicermedai.app.series import check_nodes, files_of_node
from slicermedai.app.state import Phase
from slicermedai.domain.prompts import BOX, INSIDE
from slicermedai.scene.lifecycle import Lifecycle, missing_packages

SELF_TEST_SECONDS = 300


class MedAIMark(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MedAI Mark")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["DICOM", "Markups"]
        self.parent.contributors = ["The SlicerMedAI contributors"]
        text = _(
            "Models that go by what you mark: choose a volume, a model and a structure, click points inside or outside "
            "of it or draw a box, and the segmentation follows each mark; the model stays loaded. Keep the result to "
            "review and pass it on. Research use only: not a medical device, not for primary diagnosis; the score is "
            "not calibrated. Keys, in the panel: I inside, O outside, B box, U undoes, Shift+U redoes, S keeps."
        )
        self.parent.helpText = help_text(text, __file__, _)
        self.parent.acknowledgementText = _("Built on MONAI, PyTorch and 3D Slicer's markups and segmentations.")


@parameterNodeWrapper
class MedAIMarkParameterNode:
    """What the module remembers in the scene."""

    volume: slicer.vtkMRMLScalarVolumeNode
    deidentify: bool = False


class MedAIMarkWidget(Lifecycle, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the .ui file with the presenter; decides nothing."""

    def makeLogic(self):
        return MedAIMarkLogic()

    def presenters(self):
        return (self.logic.presenter,)

    def build(self, uiWidget):
        presenter, ui = self.logic.presenter, self.ui
        self._panel = Panel(ui, presenter)
        presenter.changed.connect(self.onChanged)
        presenter.listed.connect(self._panel.show_lists)
        ui.volumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onVolume)
        ui.modelSelector.connect("activated(int)", self.onModel)
        ui.structureSelector.connect("activated(int)", self.onStructure)
        ui.deidentifyCheckBox.connect("toggled(bool)", self.onRoute)
        ui.marksTable.connect("itemSelectionChanged()", self._panel.show_actions)
        for kind in KINDS:
            self.connectButtons(**{kind: lambda kind=kind: self.onKind(kind), f"{kind}Here": self.here(kind)})
        self.connectButtons(
            **{"install": self.onInstall, "models": lambda: slicer.util.selectModule("MedAIModels")},
            **{"undo": presenter.undo, "redo": presenter.redo, "clear": presenter.clear},
            **{"remove": lambda: presenter.remove(self._panel.mark)},
            **{"again": presenter.ask_again, "cancel": presenter.cancel, "keep": presenter.keep},
            **{"review": lambda: self.goOn("MedAIReview", presenter.pass_on())},
            **{"report": lambda: self.goOn("MedAIReport", presenter.pass_on())},
        )
        self._addKeys(uiWidget)

    def _addKeys(self, uiWidget):
        """Keys that work while something in this panel has the focus, and no text is being typed."""
        self._shortcuts = []
        names = {"I": "inside", "O": "outside", "B": "box", "U": "undo", "Shift+U": "redo", "S": "keep"}
        for key, name in names.items():
            shortcut = qt.QShortcut(uiWidget)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
            shortcut.connect("activated()", getattr(self.ui, f"{name}Button").click)
            self._shortcuts.append(shortcut)

    def bound(self):
        self.onVolume(self.ui.volumeSelector.currentNode())

    def refresh(self):
        """Look again which models there are, and what is installed."""
        self.logic.presenter.refresh()
        self.onChanged(self.logic.presenter.state)

    def exit(self):
        """Clicks in other modules mark nothing."""
        super().exit()
        self.logic.presenter.leave()

    def sceneCloses(self):
        self.logic.presenter.scene_closed()

    def stopWork(self):
        self.logic.presenter.close()
        super().stopWork()

    # --- choices -----------------------------------------------------------------------------------------------------

    def onVolume(self, node):
        if node is not self.logic.presenter.image:
            self.logic.choose(node)
            self._panel.show_place(self.logic.middleOf(node))

    def onModel(self, index):
        self.logic.presenter.choose_bundle(self.ui.modelSelector.itemData(index))

    def onStructure(self, index):
        self.logic.presenter.choose_structure(self.ui.structureSelector.itemData(index))

    def onRoute(self, checked):
        self.logic.presenter.choose_identity("deidentify" if checked else "keep")
        self._panel.show(self.logic.presenter.state)  # where it was refused, the box says so

    # --- actions -----------------------------------------------------------------------------------------------------

    def onKind(self, kind):
        self.logic.presenter.place(kind)
        self._panel.show(self.logic.presenter.state)  # a click has turned the button by itself

    def here(self, kind):
        """What marks the place that stands in the boxes for numbers."""
        if kind == BOX:
            return lambda: self.logic.presenter.add_box(self._panel.place, self.ui.edgeSpinBox.value)
        return lambda: self.logic.presenter.add_point(self._panel.place, inside=kind == INSIDE)

    def onInstall(self):
        self.logic.presenter.ask_and_install(slicer.util.confirmOkCancelDisplay)

    # --- what is shown -----------------------------------------------------------------------------------------------

    def onChanged(self, state):
        self.tick()
        self._panel.show(state)


class MedAIMarkLogic(ScriptedLoadableModuleLogic):
    """For the console and the widget: holds the presenter and reaches into Slicer for it."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        from slicermedai.scene.marking import MarkScene

        self.presenter = MarkRun(
            MarkScene(slicer.mrmlScene),
            around=Around(
                begin=self.begin,
                models=self.models,
                missing=self.missingPackages,
                device=lambda: recall("device"),
                parent=lambda: recall("results"),
            ),
            translate=self.translate,
        )

    def translate(self, text):
        return translate("MedAIMark", text)

    def getParameterNode(self):
        return MedAIMarkParameterNode(super().getParameterNode())

    def models(self):
        """The installed models that go by marks."""
        from slicermedai.bundles.marks import models_by_marks

        return models_by_marks()

    def choose(self, node):
        """Mark this volume; None for none."""
        from slicermedai.scene.hierarchy import MODALITY, item_attribute

        if node is None:
            self.presenter.choose_image(None, "")
            return
        modality, files = item_attribute(node, MODALITY), self.filesOf(node)
        self.presenter.choose_image(node, node.GetName(), modality=modality, has_files=bool(files))

    def filesOf(self, node):
        """The DICOM files that a volume was loaded from, where all are known and it still lies there; else none."""
        return files_of_node(node, getattr(slicer, "dicomDatabase", None))

    def middleOf(self, node):
        """The middle of a volume, LPS mm."""
        from slicermedai.scene.marking import middle_of

        return middle_of(node) if node else (0.0, 0.0, 0.0)

    def begin(self, node, bundle, **options):
        """A session on a volume, by its files where these are known; one that has left the scene is refused."""
        from slicermedai.console.prompting import PromptSession

        check_nodes(node)
        return PromptSession(self.filesOf(node) or node, bundle, options)

    def missingPackages(self):
        """The requirements that Slicer's Python does not meet, as texts; no network."""
        return missing_packages(Path(__file__).parent / "Resources" / "requirements.txt")


class MedAIMarkTest(ScriptedLoadableModuleTest):
    """For Slicer's own test driver; needs a model that goes by marks. It never ran in Slicer, only on the stand-in."""

    def runTest(self):
        self.setUp()
        self.test_a_point_is_answered_and_taken_back()

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def test_a_point_is_answered_and_taken_back(self):
        logic = MedAIMarkLogic()
        presenter = logic.presenter
        presenter.refresh()
        self.assertTrue(presenter.models, "no model that goes by marks is installed")
        import SampleData

        volume = SampleData.downloadSample("MRHead")
        logic.choose(volume)
        presenter.add_point(logic.middleOf(volume), inside=True)
        ended = presenter.wait(SELF_TEST_SECONDS, breathe=slicer.app.processEvents)
        self.assertTrue(ended, "it took too long")
        self.assertEqual(presenter.state.phase, Phase.DONE, presenter.state.message)
        self.assertTrue(presenter.can_keep)
        presenter.undo()
        self.assertTrue(presenter.wait(SELF_TEST_SECONDS, breathe=slicer.app.processEvents))
        self.assertEqual(presenter.state.marks, ())
        presenter.close()
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode"), 0)
        self.delayDisplay("Test passed")
