"""MedAI Plan: plans one case before theatre on what a run found, with margins, cuts and what is left.

A shell: what it shows is decided by :class:`slicermedai.app.plan_run.PlanRun`, planes and boxes stand in the scene by
:class:`slicermedai.scene.planning.PlanScene`, and a child process works out every number.
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

from slicermedai.app import plan_words
from slicermedai.app.help import help_text
from slicermedai.app.plan_panel import Panel
from slicermedai.app.plan_run import PlanRun
from slicermedai.app.plan_state import Around
from slicermedai.app.report_places import scene_keys
from slicermedai.app.state import Phase
from slicermedai.scene.lifecycle import Lifecycle, set_setting, setting

SELF_TEST_SECONDS = 120


class MedAIPlan(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MedAI Plan")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["DICOM", "SegmentEditor"]
        self.parent.contributors = ["The SlicerMedAI contributors"]
        text = _(
            "Plans one case before theatre on what a run found: volumes, distances, margins and what they touch, "
            "resection by plane, box or margin, remnant, standard liver volume, a second phase. Move a plane or a box "
            "in the views, or edit a structure in the Segment Editor: the table follows. Research use only: not a "
            "medical device, not for primary diagnosis; a person looks at every border before a number is believed. "
            "Keys, in the panel: U undoes, Shift+U redoes, S saves."
        )
        self.parent.helpText = help_text(text, __file__, _)
        self.parent.acknowledgementText = _("Built on MONAI, PyTorch and 3D Slicer's markups and segmentations.")


@parameterNodeWrapper
class MedAIPlanParameterNode:
    """What the module remembers in the scene. Paths, names, sizes and plans are not in it: a scene is passed on."""

    contours: bool = False


class MedAIPlanWidget(Lifecycle, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the .ui file with the presenter; decides nothing."""

    def makeLogic(self):
        return MedAIPlanLogic()

    def presenters(self):
        return (self.logic.plan, self.logic.plan.following)

    def build(self, uiWidget):
        self._panel = Panel(self.ui, self.logic.plan)
        for kind in ("stl", "obj", "3mf"):
            self.ui.kindSelector.addItem(kind.upper(), kind)
        for space in ("LPS", "RAS"):
            self.ui.spaceSelector.addItem(space, space)
        self._connect()
        self._addKeys(uiWidget)

    def _connect(self):
        plan, ui = self.logic.plan, self.ui
        plan.changed.connect(self.onChanged)
        plan.following.changed.connect(self.tick)
        ui.resultSelector.connect("activated(int)", self.onResult)
        ui.folderSelector.connect("currentPathChanged(QString)", self.onFolder)
        ui.phaseSelector.connect("currentPathChanged(QString)", plan.choose_phase)
        ui.rolesTable.connect("itemSelectionChanged()", self._panel.show_role)
        ui.roleSelector.connect("activated(int)", self.onRole)
        ui.structureSelector.connect("activated(int)", self.onStructure)
        ui.stepsTable.connect("itemSelectionChanged()", self.onStep)
        ui.numbersTable.connect("itemSelectionChanged()", self.onNumber)
        ui.contoursCheckBox.connect("toggled(bool)", self.onContours)
        ui.personEdit.connect("textChanged(QString)", plan.choose_person)
        self.connectButtons(
            **{"show": plan.look, "anew": self.onAnew, "edit": plan.edit, "take": plan.follow},
            **{"margin": self.onMargin, "cutMargin": self.onCutMargin, "plane": plan.cut_plane, "box": plan.cut_box},
            **{"turn": self.onTurn, "remove": self.onRemove, "undo": plan.undo, "redo": plan.redo},
            **{"size": self.onSize, "phase": plan.join_phase, "save": plan.save, "surfaces": self.onSurfaces},
            **{"page": plan.print_page, "openPage": self.onOpenPage, "cancel": plan.cancel, "report": self.onReport},
        )

    def _addKeys(self, uiWidget):
        """Keys that work while something in this panel has the focus, and no text is being typed."""
        self._shortcuts = []
        for key, name in {"U": "undo", "Shift+U": "redo", "S": "save"}.items():
            shortcut = qt.QShortcut(uiWidget)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
            shortcut.connect("activated()", getattr(self.ui, f"{name}Button").click)
            self._shortcuts.append(shortcut)

    def stopWork(self):
        self.logic.plan.close()

    def sceneCloses(self):
        self.logic.plan.scene_closed()

    def exit(self):
        """Drawing elsewhere is not disturbed: it is taken over when somebody looks at the numbers again."""
        super().exit()
        self.logic.plan.following.is_watched = False
        self.tick()

    def refresh(self):
        """Look again which results there are, and follow what was drawn and moved."""
        self.logic.plan.following.is_watched = True
        self.logic.plan.refresh(self.logic.resultsInScene())

    # --- choices -----------------------------------------------------------------------------------------------------

    def onResult(self, index):
        self.logic.plan.choose_folder(self.ui.resultSelector.itemData(index))

    def onFolder(self, path):
        if not path or Path(path).is_dir():
            self.logic.plan.choose_folder(path)

    def onRole(self, index):
        if self._panel.finding:
            self.logic.plan.set_role(self._panel.finding, self.ui.roleSelector.itemData(index))

    def onStructure(self, index):
        self.logic.plan.choose(self.ui.structureSelector.itemData(index))

    def onStep(self):
        self._panel.show(self.logic.plan.state)

    def onNumber(self):
        self.logic.plan.look_at(self.ui.numbersTable.currentRow())

    def onContours(self, on):
        self.logic.plan.show_contours(on=on)

    def onAnew(self):
        plan = self.logic.plan
        question = plan_words.anew_question(plan.translate)
        if not plan.state.pending or slicer.util.confirmOkCancelDisplay(question):
            plan.start_anew()

    # --- edits -------------------------------------------------------------------------------------------------------

    def onMargin(self):
        self.logic.plan.add_margin(self._panel.lesion, self.ui.widthSpinBox.value)

    def onCutMargin(self):
        self.logic.plan.cut_margin(self._panel.lesion, self.ui.widthSpinBox.value)

    def onTurn(self):
        self.logic.plan.turn(self._panel.step)

    def onRemove(self):
        self.logic.plan.remove(self._panel.step)

    def onSize(self):
        ui = self.ui
        liver, surface = (box.itemData(box.currentIndex) for box in (ui.liverSelector, ui.surfaceSelector))
        self.logic.plan.set_size(ui.heightSpinBox.value, ui.weightSpinBox.value, liver=liver, surface=surface)

    # --- writing -----------------------------------------------------------------------------------------------------

    def onSurfaces(self):
        kind, space = (box.itemData(box.currentIndex) for box in (self.ui.kindSelector, self.ui.spaceSelector))
        self.logic.plan.write_surfaces(kind, space)

    def onOpenPage(self):
        self.open(self.logic.plan.state.page)

    def onReport(self):
        self.goOn("MedAIReport", self.logic.plan.state.saved)

    # --- what is shown -----------------------------------------------------------------------------------------------

    def onChanged(self, state):
        self.tick()
        self._panel.show(state)


class MedAIPlanLogic(ScriptedLoadableModuleLogic):
    """For the console and the widget: holds the presenter and reaches into Slicer for it."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        from slicermedai.scene.planning import PlanScene

        self._scene = PlanScene(slicer.mrmlScene)
        around = Around(
            files_of=self.filesOf,
            open_editor=lambda: slicer.util.selectModule("SegmentEditor"),
            capture=self.capture,
            recall=setting,
            remember=set_setting,
        )
        self.plan = PlanRun(self._scene, around=around, translate=self.translate)

    def translate(self, text):
        return translate("MedAIPlan", text)

    def getParameterNode(self):
        return MedAIPlanParameterNode(super().getParameterNode())

    def resultsInScene(self):
        """The results that nodes of the scene show, by their attribute."""
        scene = slicer.mrmlScene
        return scene_keys(scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))

    def filesOf(self, uid):
        """The files of a series in Slicer's DICOM database; none where it is closed, or has not got it."""
        database = getattr(slicer, "dicomDatabase", None)
        return list(database.filesForSeries(uid)) if database is not None and database.isOpen else []

    def capture(self, folder, onlySlices):
        """Pictures of the open views, for the page."""
        return self._scene.capture(slicer.app.layoutManager(), folder, only_slices=onlySlices)


class MedAIPlanTest(ScriptedLoadableModuleTest):
    """For Slicer's own test driver. It ran on the stand-in only, never yet in Slicer."""

    def runTest(self):
        self.setUp()
        self.test_a_plane_is_planned_and_saved()

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def test_a_plane_is_planned_and_saved(self):
        from slicermedai.app.plan_example import ORGAN, save_example

        folder = Path(slicer.util.tempDirectory())
        save_example(folder / "run" / "result")
        plan = MedAIPlanLogic().plan
        plan.choose_folder(str(folder / "run"))
        self.waitFor(plan)
        self.assertTrue(plan.state.in_scene, plan.state.message)
        plan.cut_plane()
        self.waitFor(plan)
        self.assertAlmostEqual(plan.state.numbers.value(ORGAN, "remnant of functional volume"), 50.0, places=3)
        plan.save()
        self.waitFor(plan)
        self.assertEqual(plan.state.phase, Phase.DONE, plan.state.message)
        self.assertTrue((folder / "run" / "planned-1" / "plan" / "table.csv").is_file())
        plan.close()
        self.delayDisplay("Test passed")

    def waitFor(self, presenter):
        ended = presenter.wait(SELF_TEST_SECONDS, breathe=slicer.app.processEvents)
        self.assertTrue(ended, "it took too long")
