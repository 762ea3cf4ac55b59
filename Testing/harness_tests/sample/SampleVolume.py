"""A scripted module in the manner of Slicer's template, for the harness's own tests."""

from enum import Enum
from typing import Annotated

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Default, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class SampleVolume(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Sample volume")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Examples")]
        self.parent.dependencies = []
        self.parent.contributors = ["The project"]
        self.parent.helpText = _("Counts the voxels above a threshold.")
        self.parent.acknowledgementText = _("None.")


class Method(Enum):
    ABOVE = "Above"
    BELOW = "Below"


@parameterNodeWrapper
class SampleVolumeParameterNode:
    inputVolume: slicer.vtkMRMLScalarVolumeNode
    resultTable: slicer.vtkMRMLTableNode
    threshold: Annotated[float, WithinRange(0, 200)] = 100.0
    repeats: Annotated[int, Default(3)]
    inverted: bool = False
    title: str = "untitled"
    method: Method = Method.ABOVE
    labels: list[str]


class SampleVolumeWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SampleVolume.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = SampleVolumeLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        self.ui.folderEdit.connect("currentPathChanged(QString)", self.onFolderChanged)
        self.ui.methodBox.setCurrentIndex(0)
        self.ui.advancedButton.collapsed = True
        self.ui.statusLabel.setAlignment(qt.Qt.AlignLeft | qt.Qt.AlignVCenter)
        self.ui.statusLabel.text = _("Ready")
        self.progress = qt.QProgressBar()
        self.progress.setRange(0, 100)
        self.progress.value = 0
        self.layout.addWidget(self.progress)
        self.timer = qt.QTimer()
        self.timer.setInterval(10)
        self.timer.connect("timeout()", self.onTimeout)
        self.initializeParameterNode()

    def cleanup(self):
        self.timer.stop()
        self.timer.disconnect("timeout()", self.onTimeout)
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        self.initializeParameterNode()

    def exit(self):
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameterNode.inputVolume:
            firstVolume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            if firstVolume:
                self._parameterNode.inputVolume = firstVolume

    def setParameterNode(self, parameterNode):
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.checkCanApply)
        self._parameterNode = parameterNode
        if self._parameterNode:
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.checkCanApply)
            self.checkCanApply()

    def checkCanApply(self, caller=None, event=None):
        ready = bool(self._parameterNode and self._parameterNode.inputVolume)
        self.ui.applyButton.enabled = ready
        self.ui.applyButton.toolTip = _("Count") if ready else _("Select an input volume")

    def onFolderChanged(self, path):
        self.ui.statusLabel.text = path

    def onApplyButton(self):
        if not slicer.util.confirmYesNoDisplay(_("Count the voxels?"), windowTitle=_("Sample")):
            return
        with slicer.util.tryWithErrorDisplay(_("Failed to compute."), waitCursor=True):
            node = self._parameterNode
            count = self.logic.process(node.inputVolume, node.threshold, node.inverted)
            self.ui.statusLabel.text = f"{count} voxels"
        self.progress.value = 0
        self.timer.start()

    def onTimeout(self):
        self.progress.value = min(100, self.progress.value + 20)
        if self.progress.value == self.progress.maximum:
            self.timer.stop()


class SampleVolumeLogic(ScriptedLoadableModuleLogic):
    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)

    def getParameterNode(self):
        return SampleVolumeParameterNode(super().getParameterNode())

    def process(self, inputVolume, threshold, inverted=False):
        if not inputVolume:
            raise ValueError("Input volume is missing")
        voxels = slicer.util.arrayFromVolume(inputVolume)
        chosen = voxels <= threshold if inverted else voxels > threshold
        return int(chosen.sum())


class SampleVolumeTest(ScriptedLoadableModuleTest):
    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.assertIsNotNone(SampleVolumeLogic().getParameterNode())
