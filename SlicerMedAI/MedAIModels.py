"""MedAI Models: which models are here, what each may be used for, and how they come, change and go.

A shell: what it shows is decided by :class:`slicermedai.app.models_run.ModelsRun`, and child processes do the work.
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

from slicermedai.app import models_words
from slicermedai.app.help import help_text
from slicermedai.app.models_panel import INPUTS, Panel
from slicermedai.app.models_run import ModelsRun
from slicermedai.app.state import Phase
from slicermedai.scene.lifecycle import Lifecycle, missing_packages

SELF_TEST_SECONDS = 120


class MedAIModels(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MedAI Models")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Informatics")]
        self.parent.dependencies = []
        self.parent.contributors = ["The SlicerMedAI contributors"]
        text = _(
            "The models of this installation: search, take in a MONAI bundle, an nnU-Net or TotalSegmentator folder or "
            "an Auto3DSeg model, see licence, intended use and calibration, agree to code by name, try a model on its "
            "sample or a generated image, keep several versions. Research use only: not a medical device. Nothing asks "
            "the network but a name in the Model Zoo and Fetch known."
        )
        self.parent.helpText = help_text(text, __file__, _)
        self.parent.acknowledgementText = _("Built on MONAI's bundles and Model Zoo, nnU-Net and PyTorch.")


@parameterNodeWrapper
class MedAIModelsParameterNode:
    """What the module remembers in the scene: nothing of a model belongs there."""

    hide: bool = False


class MedAIModelsWidget(Lifecycle, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the .ui file with the presenter; decides nothing."""

    def makeLogic(self):
        return MedAIModelsLogic()

    def presenters(self):
        return (self.logic.models,)

    def build(self, uiWidget):
        models, ui = self.logic.models, self.ui
        self._panel = Panel(ui, models)
        models.changed.connect(self.onChanged)
        ui.searchEdit.connect("textChanged(QString)", models.search)
        ui.modelsTable.connect("itemSelectionChanged()", self.onModel)
        ui.wordEdit.connect("textChanged(QString)", models.say)
        for name, field in INPUTS.items():
            signal = "currentPathChanged(QString)" if name.endswith("Selector") else "textChanged(QString)"
            getattr(ui, name).connect(signal, lambda text, name=name, field=field: self.onIncoming(name, field, text))
        ui.taskSelector.connect("activated(int)", lambda i: models.prepare(task=ui.taskSelector.itemData(i)))
        ui.outputsSelector.connect("activated(int)", lambda i: models.prepare(outputs=ui.outputsSelector.itemData(i)))
        self.connectButtons(
            **{"pin": models.pin, "back": models.roll_back, "remove": self.onRemove, "try": models.check},
            **{"verify": models.verify, "refresh": models.refresh, "agree": models.agree, "takeIn": models.take_in},
            **{"fetch": self.onFetch, "cancel": models.cancel, "install": self.onInstall},
            picture=models.picture,
        )

    def stopWork(self):
        super().stopWork()
        self.logic.models.let_go()

    def refresh(self):
        """Look again which models are here."""
        self.logic.models.refresh()

    def onModel(self):
        if self._panel.row:
            self.logic.models.choose(self._panel.row)

    def onIncoming(self, name, field, text):
        """A model comes from one place: what was chosen before of another kind is let go of."""
        others = {"folderSelector": ("fileSelector",), "fileSelector": ("folderSelector",)}.get(name, ())
        if text and field in ("source", "zoo"):
            for other in others or ("folderSelector", "fileSelector"):
                getattr(self.ui, other).setCurrentPath("")
            self.logic.models.prepare(**{"source": "", "zoo": "", field: text})
        else:
            self.logic.models.prepare(**{field: text})

    def onInstall(self):
        self.logic.models.ask_and_install(slicer.util.confirmOkCancelDisplay)

    def onRemove(self):
        models = self.logic.models
        if slicer.util.confirmOkCancelDisplay(models_words.remove_question(models.model, models.translate)):
            models.remove()

    def onFetch(self):
        models = self.logic.models
        title = models.fetchable[0]
        if slicer.util.confirmOkCancelDisplay(models_words.fetch_question(title, models.translate)):
            models.fetch(title)

    def onChanged(self, state):
        self.tick()
        self._panel.show(state)


class MedAIModelsLogic(ScriptedLoadableModuleLogic):
    """For the console and the widget: holds the presenter."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self.models = ModelsRun(missing=self.missingPackages, translate=lambda text: translate("MedAIModels", text))

    def getParameterNode(self):
        return MedAIModelsParameterNode(super().getParameterNode())

    def missingPackages(self):
        """The requirements that Slicer's Python does not meet, as texts; no network."""
        return missing_packages(Path(__file__).parent / "Resources" / "requirements.txt")


class MedAIModelsTest(ScriptedLoadableModuleTest):
    """For Slicer's own test driver. It ran on the stand-in only, never yet in Slicer."""

    def runTest(self):
        self.setUp()
        self.test_models_are_listed_and_a_wrong_one_is_refused()

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def test_models_are_listed_and_a_wrong_one_is_refused(self):
        models = MedAIModelsLogic().models
        models.refresh()
        self.waitFor(models)
        self.assertEqual(models.state.phase, Phase.IDLE, models.state.message)
        before = models.state.models
        empty = Path(slicer.util.tempDirectory())
        models.prepare(source=str(empty))
        models.take_in()
        self.waitFor(models)
        self.assertEqual(models.state.phase, Phase.FAILED)
        self.assertIn("MONAI bundle", models.state.message)
        models.refresh()
        self.waitFor(models)
        self.assertEqual(models.state.models, before)
        self.delayDisplay("Test passed")

    def waitFor(self, presenter):
        ended = presenter.wait(SELF_TEST_SECONDS, breathe=slicer.app.processEvents)
        self.assertTrue(ended, "it took too long")
