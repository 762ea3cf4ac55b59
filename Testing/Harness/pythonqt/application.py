"""``slicer.app``, its layout and module managers, and ``slicer.modules``, over a real scene."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from Testing.Harness import gil
from Testing.Harness.pythonqt import objects, registry
from Testing.Harness.pythonqt.registry import implements

VERSION = (5, 12, 0)
SLICE_VIEWS = ("Red", "Green", "Yellow")
MODULE_LOGICS = {
    "colors": "vtkSlicerColorLogic",
    "cropvolume": "vtkSlicerCropVolumeLogic",
    "markups": "vtkSlicerMarkupsLogic",
    "models": "vtkSlicerModelsLogic",
    "plots": "vtkSlicerPlotsLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "sequences": "vtkSlicerSequencesLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "tables": "vtkSlicerTablesLogic",
    "terminologies": "vtkSlicerTerminologiesModuleLogic",
    "texts": "vtkSlicerTextsLogic",
    "transforms": "vtkSlicerTransformLogic",
    "units": "vtkSlicerUnitsLogic",
    "volumerendering": "vtkSlicerVolumeRenderingLogic",
    "volumes": "vtkSlicerVolumesLogic",
}
"""Core modules whose real logic class slicer-core has."""


def _constant(value: Any) -> Any:
    return Property(type(value), lambda _self: value)


@implements("qSlicerApplication")
class Application(QtWidgets.QApplication):
    """The application: paths in a temporary folder, the scene and the managers of the harness."""

    testing = False
    layout_manager: Any = None
    module_manager: Any = None
    logic: Any = None
    folder = Path(tempfile.gettempdir())
    settings_dialog: Any = None

    temporaryPath = Property(str, lambda self: str(self.folder / "tmp"))
    cachePath = Property(str, lambda self: str(self.folder / "cache"))
    slicerHome = Property(str, lambda self: str(self.folder / "home"))
    majorVersion, minorVersion = _constant(VERSION[0]), _constant(VERSION[1])
    revision = _constant("harness")
    os, arch = _constant("linux"), _constant("amd64")
    isInstalled = _constant(False)
    mainApplicationName = _constant("Slicer")

    def testingEnabled(self) -> bool:
        """Whether the application runs tests: then Slicer's message functions open no boxes."""
        return self.testing

    def mrmlScene(self) -> Any:
        """The scene."""
        return slicer.mrmlScene

    def layoutManager(self) -> Any:
        """The layout manager."""
        return self.layout_manager

    def moduleManager(self) -> Any:
        """The module manager."""
        return self.module_manager

    def applicationLogic(self) -> Any:
        """A real application logic on the scene."""
        return self.logic

    def commandOptions(self) -> Any:
        """Options of the command line: none is set."""
        return registry.implementation("qSlicerCommandOptions")()

    def settingsDialog(self) -> Any:
        """The application's settings; never shown by itself."""
        if self.settings_dialog is None:
            self.settings_dialog = registry.implementation("ctkSettingsDialog")()
        return self.settings_dialog

    @staticmethod
    def processEvents(*_flags: Any) -> None:
        """Handles the events that wait; Python threads stand still meanwhile, as in Slicer."""
        gil.process_events_holding_the_lock()

    def settings(self) -> QtCore.QSettings:
        """Settings in the temporary folder."""
        return QtCore.QSettings(str(self.folder / "Slicer.ini"), QtCore.QSettings.Format.IniFormat)

    userSettings = revisionUserSettings = settings

    def moduleDocumentationUrl(self, name: str) -> str:
        """Where a module's page would be."""
        return f"https://slicer.readthedocs.io/en/latest/user_guide/modules/{name.lower()}.html"


@implements("qSlicerMainWindow")
class MainWindow(QtWidgets.QMainWindow):
    """The main window, never shown; Slicer's message functions need one."""

    _selector: Any = None

    def moduleSelector(self) -> Any:
        """The box in which a module is chosen."""
        if self._selector is None:
            self._selector = registry.implementation("qSlicerModuleSelectorToolBar")()
        return self._selector


@implements("qSlicerModuleSelectorToolBar")
class ModuleSelector(QtWidgets.QToolBar):
    """Knows which module was chosen; nothing is entered or left."""

    moduleSelected = Signal(str)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._chosen = ""

    def selectModule(self, name: str) -> None:
        """Chooses a module by its name."""
        self._chosen = name
        self.moduleSelected.emit(name)

    selectedModule = Property(str, lambda self: self._chosen, selectModule)


@implements("qSlicerScriptedLoadableModuleWidget")
class ScriptedModuleWidget(QtWidgets.QWidget):
    """A scripted module's panel, which knows the Python object that fills it."""

    python: Any = None

    def self(self) -> Any:
        """The module's widget class in Python, as ``slicer.util.getModuleWidget`` asks for it."""
        return self.python


@implements("qSlicerLayoutManager")
class LayoutManager(QtCore.QObject):
    """Knows the slice views' names and the layout; its views show nothing (see the views of ``scene.render``)."""

    layoutChanged = Signal(int)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._layout = 0
        self._views: dict[str, Any] = {}

    def setLayout(self, layout: int) -> None:
        """Sets the layout and tells of it."""
        if layout != self._layout:
            self._layout = int(layout)
            self.layoutChanged.emit(self._layout)

    layout = Property(int, lambda self: self._layout, setLayout)
    threeDViewCount = _constant(1)

    def sliceViewNames(self) -> list[str]:
        """Red, Green, Yellow."""
        return list(SLICE_VIEWS)

    def _view(self, kind: str, name: str) -> Any:
        if name not in self._views:
            self._views[name] = registry.implementation(kind)()
        return self._views[name]

    def sliceWidget(self, name: str) -> Any:
        """A slice view without behaviour; None for an unknown name."""
        return self._view("qMRMLSliceWidget", name) if name in SLICE_VIEWS else None

    def mrmlSliceLogics(self) -> Any:
        """An empty collection: these views have no logic."""
        return vtk.vtkCollection()

    def threeDWidget(self, index: int) -> Any:
        """A 3D view without behaviour; None beyond the first."""
        return self._view("qMRMLThreeDWidget", f"threeD{index}") if index == 0 else None


@implements("qSlicerModuleManager")
class ModuleManager(QtCore.QObject):
    """The modules the harness loaded."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.modules: dict[str, Any] = {}

    def module(self, name: str) -> Any:
        """The module of this name, or None."""
        return self.modules.get(name)

    def modulesNames(self) -> list[str]:
        """Names of the modules."""
        return list(self.modules)


class CoreModule:
    """A module of Slicer's core: its real logic, and no widget."""

    def __init__(self, name: str, logic: Callable[[], Any]) -> None:
        self.name = name
        self._logic = logic
        self._made: Any = None

    def logic(self) -> Any:
        """The logic, on the scene."""
        if self._made is None:
            self._made = self._logic()
            self._made.SetMRMLScene(slicer.mrmlScene)
        return self._made


class Modules:
    """``slicer.modules``: core modules with a logic in slicer-core, and what the harness and modules put there."""

    def __getattr__(self, name: str) -> Any:
        if name in MODULE_LOGICS and hasattr(slicer, MODULE_LOGICS[name]):
            setattr(self, name, CoreModule(name, getattr(slicer, MODULE_LOGICS[name])))
            return self.__dict__[name]
        raise AttributeError(f"slicer.modules has no attribute '{name}'")


_application: list[Any] = []


def application() -> Any:
    """The wrapped application, made once in a process.

    :raises RuntimeError: if another QApplication exists
    """
    if not _application:
        if QtCore.QCoreApplication.instance() is not None:
            raise RuntimeError("another QApplication exists: install the harness before anything makes one")
        made = registry.implementation("qSlicerApplication")(["Slicer"])
        made.setApplicationName("Slicer")
        _application.append(objects.wrap(made))
    return _application[0]


APPLICATION_NAMES = ("app", "modules", "mrmlScene", "dicomDatabase")


def stop() -> None:
    """Takes out of ``slicer`` what :func:`start` put there."""
    for name in APPLICATION_NAMES:
        vars(slicer).pop(name, None)


def start(scene: Any, folder: Path) -> Any:
    """Puts the application, its managers and the scene into ``slicer``."""
    for name in ("tmp", "cache", "home"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    settings_format = QtCore.QSettings.Format.IniFormat
    QtCore.QSettings.setDefaultFormat(settings_format)
    QtCore.QSettings.setPath(settings_format, QtCore.QSettings.Scope.UserScope, str(folder))
    slicer.mrmlScene = scene
    app = application()
    cpp = objects.unwrap(app)
    cpp.folder, cpp.testing, cpp.settings_dialog = folder, False, None
    cpp.layout_manager = registry.implementation("qSlicerLayoutManager")()
    cpp.module_manager = registry.implementation("qSlicerModuleManager")()
    cpp.logic = slicer.vtkSlicerApplicationLogic()
    cpp.logic.SetMRMLScene(scene)
    slicer.app, slicer.modules = app, Modules()
    slicer.modules.segmentations.logic()  # registers the segment representations, as Slicer does at its start
    slicer.dicomDatabase = objects.wrapper_class("ctkDICOMDatabase")()
    return app
