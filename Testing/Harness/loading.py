"""Loads a scripted module as Slicer does: module object, panel, enter, leave, unload."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer

from Testing.Harness.pythonqt.objects import unwrap, wrapper_class


@dataclass(slots=True)
class HarnessedModule:
    """A loaded module: its Python module, its description, and its panel."""

    name: str
    python: ModuleType
    module: Any
    widget: Any
    parent: Any

    def enter(self) -> None:
        """The user shows the module."""
        unwrap(self.parent).setProperty("isEntered", True)
        self.widget.enter()

    def exit(self) -> None:
        """The user shows another module."""
        unwrap(self.parent).setProperty("isEntered", False)
        self.widget.exit()

    def cleanup(self) -> None:
        """The module is unloaded: Slicer's manager tells it, and the panel is deleted."""
        entry = unwrap(slicer.app.moduleManager()).modules.get(self.name)
        if entry is not None:
            entry.unload()

    close = cleanup


class LoadedModule:
    """The entry of ``slicer.modules``: the module's description and its panel."""

    def __init__(self, parent: Any, path: Path) -> None:
        self._parent = parent
        self.path = str(path)
        self.name = path.stem
        self.representation: Any = None

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._parent, attribute)

    def unload(self) -> None:
        """Slicer's manager tells the module, forgets it, and deletes its panel."""
        manager = slicer.app.moduleManager()
        manager.moduleAboutToBeUnloaded.emit(self.name)
        unwrap(manager).modules.pop(self.name, None)
        sys.modules.pop(self.name, None)
        if self.representation is not None:
            self.representation.deleteLater()

    def widgetRepresentation(self) -> Any:
        """The panel."""
        return self.representation


def _import(path: Path) -> ModuleType:
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _module_parent(path: Path) -> Any:
    """The description object a module's constructor fills in."""
    parent = wrapper_class("qSlicerScriptedLoadableModule")()
    for name, value in (("name", path.stem), ("path", str(path))):
        unwrap(parent).setProperty(name, value)
    return parent


def _panel(name: str) -> Any:
    panel = wrapper_class("qSlicerScriptedLoadableModuleWidget")()
    panel.objectName = f"{name}ModuleWidget"
    unwrap(panel).setProperty("moduleName", name)
    panel.setLayout(wrapper_class("QVBoxLayout")())
    panel.setMRMLScene(slicer.mrmlScene)
    return panel


def load(path: Path) -> HarnessedModule:
    """Imports the file, makes the module and its panel, calls ``setup`` and ``enter``.

    :raises FileNotFoundError: if there is no such file
    :raises Exception: what the module raises
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such module")
    path = path.resolve()
    python, parent = _import(path), _module_parent(path)
    described = getattr(python, path.stem)(parent)
    entry = LoadedModule(parent, path)
    setattr(slicer.modules, f"{path.stem}Instance", described)
    setattr(slicer.modules, path.stem.lower(), entry)
    unwrap(slicer.app.moduleManager()).modules[path.stem] = entry
    panel = _panel(path.stem)
    entry.representation = panel
    widget = getattr(python, f"{path.stem}Widget")(panel)
    setattr(slicer.modules, f"{path.stem}Widget", widget)
    unwrap(panel).python = widget
    loaded = HarnessedModule(path.stem, python, described, widget, panel)
    widget.setup()
    loaded.enter()
    return loaded
