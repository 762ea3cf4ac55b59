"""MedAI Review: a person goes through the findings of a result, and accepts, edits, rejects and rates them.

A shell: what it shows is decided by :class:`slicermedai.app.review_run.ReviewRun`, the scene is brought up to date by
:class:`slicermedai.scene.reviewing.ReviewScene`, and a child process opens and saves results.
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
from slicermedai.app.help import help_text
from slicermedai.app.report_places import scene_keys
from slicermedai.app.review_panel import Panel
from slicermedai.app.review_run import ReviewRun
from slicermedai.app.review_state import Around
from slicermedai.app.state import Phase
from slicermedai.scene.lifecycle import Lifecycle, set_setting, setting

SELF_TEST_SECONDS = 120


class MedAIReview(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MedAI Review")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["DICOM", "SegmentEditor"]
        self.parent.contributors = ["The SlicerMedAI contributors"]
        text = _(
            "Goes through the findings of a result: how far each can be trusted, where it is, accept, edit in the "
            "Segment Editor, reject with a reason, rate. A light is green only where a calibration record of real "
            "cases promises it, and an edit takes all predictions away. Research use only: not a medical device, not "
            "for primary diagnosis. Keys, in the panel: N and P go to the next and previous finding, A accepts, "
            "R rejects, E edits, D is done editing, 1 to 5 rate, U undoes, Shift+U redoes, S saves."
        )
        self.parent.helpText = help_text(text, __file__, _)
        self.parent.acknowledgementText = _("Built on MONAI, PyTorch and 3D Slicer's segmentations.")


@parameterNodeWrapper
class MedAIReviewParameterNode:
    """What the module remembers in the scene. Paths, names and decisions are not in it: a scene is passed on."""

    hide: bool = False


class MedAIReviewWidget(Lifecycle, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the .ui file with the presenter; decides nothing."""

    def makeLogic(self):
        return MedAIReviewLogic()

    def presenters(self):
        return self.logic.review, self.logic.review.aside

    def build(self, uiWidget):
        self._panel = Panel(self.ui, self.logic.review, Path(__file__).parent / "Resources" / "Icons")
        self._connect()
        self._addKeys(uiWidget)

    def _connect(self):
        review, ui = self.logic.review, self.ui
        review.changed.connect(self.onChanged)
        review.aside.changed.connect(self.onAside)
        ui.resultSelector.connect("activated(int)", self.onResult)
        ui.folderSelector.connect("currentPathChanged(QString)", self.onFolder)
        ui.findingsTable.connect("itemSelectionChanged()", self.onFinding)
        ui.personEdit.connect("textChanged(QString)", review.choose_person)
        ui.ratingSelector.connect("activated(int)", self.onRating)
        ui.mapSelector.connect("activated(int)", self.onMap)
        ui.thresholdSlider.connect("valueChanged(int)", self.onMap)
        self.connectButtons(
            **{"show": review.look, "previous": self.onPrevious, "next": self.onNext, "accept": self.onAccept},
            **{"reject": self.onReject, "edit": review.edit, "done": self.onDone, "undo": review.undo},
            **{"redo": review.redo, "save": review.save, "table": review.write_table, "cancel": self.onCancel},
            **{"report": self.onReport, "nodule": self.onNodule},
        )

    def _addKeys(self, uiWidget):
        """Keys that work while something in this panel has the focus, and no text is being typed."""
        self._shortcuts = []
        buttons = {"N": "next", "P": "previous", "A": "accept", "R": "reject", "E": "edit", "D": "done"}
        buttons |= {"U": "undo", "Shift+U": "redo", "S": "save"}
        slots = {key: getattr(self.ui, f"{name}Button").click for key, name in buttons.items()}
        slots |= {str(rating): self._rater(rating) for rating in range(1, 6)}
        for key, slot in slots.items():
            shortcut = qt.QShortcut(uiWidget)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
            shortcut.connect("activated()", slot)
            self._shortcuts.append(shortcut)

    def _rater(self, rating):
        return lambda: self.rate(rating)

    def stopWork(self):
        self.logic.review.close()

    def sceneCloses(self):
        self.logic.review.scene_closed()

    def refresh(self):
        """Look again which results there are, and what was drawn."""
        self.logic.review.refresh(self.logic.resultsInScene())

    # --- choices -----------------------------------------------------------------------------------------------------

    def onResult(self, index):
        self.logic.review.choose_folder(self.ui.resultSelector.itemData(index))

    def onFolder(self, path):
        if not path or Path(path).is_dir():
            self.logic.review.choose_folder(path)

    def onFinding(self):
        if self._panel.finding:
            self.logic.review.choose(self._panel.finding)

    def onPrevious(self):
        self.logic.review.step(-1)

    def onNext(self):
        self.logic.review.step(1)

    def onMap(self, value):
        number = self.ui.mapSelector.itemData(self.ui.mapSelector.currentIndex)
        self.logic.review.lay(int(number), self.ui.thresholdSlider.value / 100)

    # --- actions -----------------------------------------------------------------------------------------------------

    def onAccept(self):
        self._used(self.logic.review.accept)

    def onReject(self):
        if not self._used(self.logic.review.reject) and self.logic.review.can_decide:
            self.ui.reasonSelector.setFocus()

    def onDone(self):
        self._used(self.logic.review.finish_editing)

    def onRating(self, index):
        self.rate(self.ui.ratingSelector.itemData(index))

    def rate(self, rating):
        """Rate the finding that is looked at."""
        self._used(lambda comment: self.logic.review.rate(int(rating), comment))

    def onNodule(self):
        kind, change, diameter, solid = self._panel.nodule
        self.logic.review.enter_nodule(kind, change, diameter=diameter, solid_part=solid)

    def _used(self, function):
        """Call it with the reason that was typed, and tell whether it was made use of: then it is gone."""
        before = self.logic.review.state.pending
        function(self._panel.reason)
        used = self.logic.review.state.pending != before
        if used:
            self._panel.clear_reason()
        return used

    def onCancel(self):
        self.logic.review.cancel()
        self.logic.review.aside.cancel()

    def onAside(self, state):
        self.tick()
        self._panel.show_surfaces(state)

    def onReport(self):
        self.goOn("MedAIReport", self.logic.review.state.folder)

    # --- what is shown -----------------------------------------------------------------------------------------------

    def onChanged(self, state):
        self.tick()
        self._panel.show(state)


class MedAIReviewLogic(ScriptedLoadableModuleLogic):
    """For the console and the widget: holds the presenter and reaches into Slicer for it."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        from slicermedai.scene.reviewing import ReviewScene

        around = Around(
            files_of=self.filesOf,
            open_editor=lambda: slicer.util.selectModule("SegmentEditor"),
            recall=setting,
            remember=set_setting,
        )
        self.review = ReviewRun(ReviewScene(slicer.mrmlScene), around=around, translate=self.translate)

    def translate(self, text):
        return translate("MedAIReview", text)

    def getParameterNode(self):
        return MedAIReviewParameterNode(super().getParameterNode())

    def resultsInScene(self):
        """The results that nodes of the scene show, by their attribute."""
        scene = slicer.mrmlScene
        return scene_keys(scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))

    def filesOf(self, uid):
        """The files of a series in Slicer's DICOM database; none where it is closed, or has not got it."""
        database = getattr(slicer, "dicomDatabase", None)
        return list(database.filesForSeries(uid)) if database is not None and database.isOpen else []


class MedAIReviewTest(ScriptedLoadableModuleTest):
    """For Slicer's own test driver. It ran on the stand-in only, never yet in Slicer."""

    def runTest(self):
        self.setUp()
        self.test_a_finding_is_rejected_and_saved()

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def test_a_finding_is_rejected_and_saved(self):
        folder = Path(slicer.util.tempDirectory())
        self.saveResult(folder / "run" / "result")
        review = MedAIReviewLogic().review
        review.choose_folder(str(folder / "run"))
        self.waitFor(review)
        self.assertTrue(review.state.in_scene, review.state.message)
        review.choose_person("Self Test")
        review.reject("an artefact")
        review.save()
        self.waitFor(review)
        self.assertEqual(review.state.phase, Phase.DONE, review.state.message)
        self.assertEqual(len(slicermedai.load(folder / "run" / "reviewed-1").reviews), 1)
        review.close()
        self.delayDisplay("Test passed")

    def waitFor(self, presenter):
        ended = presenter.wait(SELF_TEST_SECONDS, breathe=slicer.app.processEvents)
        self.assertTrue(ended, "it took too long")

    def saveResult(self, folder):
        """A result of no patient with one finding of no place."""
        from slicermedai.domain.codes import ANATOMY, BRAIN, Label
        from slicermedai.domain.finding import Finding
        from slicermedai.domain.provenance import Provenance

        affine = [[float(row == column) for column in range(4)] for row in range(4)]
        made = Provenance(bundle="none", bundle_version="1", weights_sha256="0" * 64, finished="2026-01-02T03:04:05Z")
        brain = Label(name="Brain", category=ANATOMY, type=BRAIN, color=(250, 250, 225))
        slicermedai.AnalysisResult(
            status=slicermedai.Status.COMPLETE,
            study=slicermedai.Study(),
            volume_geometry=slicermedai.Geometry(shape=(2, 3, 4), affine=affine),
            provenance=made,
            findings=(Finding(tracking_uid="2.25.1", label=brain),),
        ).save(folder)
