"""What every module's panel does in the same way: set up, enter and leave, a scene that closes, a timer while busy.

A module's widget names it first, and says in a few hooks what is its own::

    class MedAIReviewWidget(Lifecycle, ScriptedLoadableModuleWidget, VTKObservationMixin):
        def makeLogic(self): ...
        def build(self, uiWidget): ...
        def presenters(self): ...
        def refresh(self): ...

Names of methods are Slicer's, as in its template of a scripted module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qt
import slicer

from slicermedai.scene.items import fit_heights, show_hints_clearly, wrap_freely
from slicermedai.scene.leaving import let_go_of_voxels

POLL_MILLISECONDS = 100
_OF_SET_HEIGHT = ("QTableWidget", "QTreeWidget", "QPlainTextEdit")
_WITH_HINTS = ("QLineEdit", "QPlainTextEdit")
_LAST = -1.0
"""Priority of an observer that is told after all others."""


class Lifecycle:
    """To be named before ``ScriptedLoadableModuleWidget`` and ``VTKObservationMixin``, whose methods it calls."""

    moduleName: str
    parent: Any
    layout: Any
    resourcePath: Callable[[str], str]
    addObserver: Callable[..., object]
    removeObservers: Callable[[], None]

    def __init__(self, parent: Any = None) -> None:
        self.logic: Any = None
        self.ui: Any = None
        self._parameterNode: Any = None
        self._binding: Any = None
        self._timer: Any = None
        self._closed = False
        super().__init__(parent)  # type: ignore[call-arg]  # Slicer's widget is the next class

    # --- what a module says of itself --------------------------------------------------------------------------------

    def makeLogic(self) -> Any:
        """The module's logic, with ``getParameterNode``."""
        raise NotImplementedError

    def build(self, uiWidget: Any) -> None:
        """Fill the panel and connect it; ``self.ui`` and ``self.logic`` are there."""
        raise NotImplementedError

    def presenters(self) -> Sequence[Any]:
        """Those with something that goes on: ``busy``, ``poll`` until it has ended, ``cancel``."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Look again at what may have changed while the module was not shown."""

    def bound(self) -> None:
        """The scene's parameter node was connected to the panel."""

    def sceneCloses(self) -> None:
        """The scene is about to lose its nodes."""

    def stopWork(self) -> None:
        """The module goes away: end what goes on."""
        for presenter in self.presenters():
            presenter.cancel()

    # --- what Slicer calls -------------------------------------------------------------------------------------------

    def setup(self) -> None:
        """Load ``Resources/UI/<module>.ui``, make the logic, and let the module connect both."""
        super().setup()  # type: ignore[misc]  # Slicer's widget is the next class
        uiWidget = slicer.util.loadUI(self.resourcePath(f"UI/{self.moduleName}.ui"))
        self.layout.addWidget(uiWidget)
        fit_heights(uiWidget, _OF_SET_HEIGHT)
        wrap_freely(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = self.makeLogic()
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MILLISECONDS)
        self._timer.connect("timeout()", self.onTimer)
        self.build(uiWidget)
        self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.StartCloseEvent, self.onSceneLosesNodes, priority=_LAST)
        self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.EndCloseEvent, self.onSceneEndClose)
        self.setParameterNode(self.logic.getParameterNode())
        show_hints_clearly(self.parent, _WITH_HINTS)
        self.refresh()

    def cleanup(self) -> None:
        """The module is unloaded: its panel is told nothing more, and the timer runs until what went on has ended."""
        if self.logic is not None:
            for presenter in self.presenters():
                _silence(presenter)
            self.stopWork()
            self._closed = True
            self.tick()
        self.removeObservers()
        self.setParameterNode(None)

    def enter(self) -> None:
        """The module is shown, maybe in another theme than before."""
        show_hints_clearly(self.parent, _WITH_HINTS)
        self.setParameterNode(self.logic.getParameterNode())
        self.refresh()

    def exit(self) -> None:
        """Another module is shown."""
        self.setParameterNode(None)

    def onSceneStartClose(self, caller: Any, event: Any) -> None:
        """Let go of the scene's nodes before they go."""
        self.setParameterNode(None)
        self.sceneCloses()

    def onSceneLosesNodes(self, caller: Any, event: Any) -> None:
        """When all modules have let go of the nodes: let these go quickly."""
        let_go_of_voxels(caller)

    def onSceneEndClose(self, caller: Any, event: Any) -> None:
        """Take the new scene's parameter node, where the module is looked at."""
        if self.parent.isEntered:
            self.setParameterNode(self.logic.getParameterNode())

    # --- shared means ------------------------------------------------------------------------------------------------

    def setParameterNode(self, parameterNode: Any) -> None:
        """Connect the panel with it, and with no other; None for none."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._binding)
        self._parameterNode = parameterNode
        if self._parameterNode is not None:
            self._binding = self._parameterNode.connectGui(self.ui)
            self.bound()

    def tick(self) -> None:
        """Let the timer run while anything goes on; to be called on every change of a presenter's state."""
        (self._timer.start if any(presenter.busy for presenter in self.presenters()) else self._timer.stop)()

    def onTimer(self) -> None:
        """Take in what the children said."""
        for presenter in self.presenters():
            presenter.poll()
        if self._closed:
            self.tick()

    def connectButtons(self, **slots: Callable[[], object]) -> None:
        """``name=slot`` for the button ``<name>Button``; whether it is checked is nobody's business."""
        for name, slot in slots.items():
            getattr(self.ui, f"{name}Button").connect("clicked(bool)", lambda checked=False, slot=slot: slot())

    def open(self, path: Path | str) -> None:
        """Open a file or folder with the program that the person's system has for it."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(path)))

    def goOn(self, module: str, folder: Path | str | None) -> None:
        """Show the next module, with the result in ``folder`` chosen there; None or "" for what it shows by itself."""
        slicer.util.selectModule(module)
        if folder:
            slicer.util.getModuleWidget(module).ui.folderSelector.setCurrentPath(str(folder))


def _silence(presenter: Any) -> None:
    """Let none of its signals tell anybody any more; what goes on in it goes to its end."""
    for signal in vars(presenter).values():
        if hasattr(signal, "silence"):
            signal.silence()


def missing_packages(requirements: Path) -> list[str]:
    """The lines of a requirements file that Slicer's Python does not meet, as texts; no network."""
    import slicer.packaging

    wanted = slicer.packaging.load_requirements(requirements)
    return [str(requirement) for requirement in wanted if not slicer.packaging.pip_check(requirement)]


def setting(name: str) -> str:
    """What Slicer's settings hold under ``name``, "" for nothing."""
    return str(qt.QSettings().value(name) or "")


def set_setting(name: str, value: str) -> None:
    """Keep ``value`` in Slicer's settings under ``name``."""
    qt.QSettings().setValue(name, value)
