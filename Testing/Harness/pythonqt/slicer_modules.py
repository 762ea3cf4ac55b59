"""Python modules of ``slicer`` that slicer-core lacks: the base classes, parameter nodes, i18n, packaging."""

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer
import slicer.util

from Testing.Harness import facts
from Testing.Harness.pythonqt import modules, parameter_nodes, scripted

PACKAGING_CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
"""Calls of ``slicer.packaging``: function, arguments, keywords. Nothing is installed here."""
CORE_LIBRARIES = ("vtkITK", "vtkTeem", "vtkSegmentationCore")
"""Libraries of Slicer that modules import by their bare name."""
SCRIPTED = (
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleWidget",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
)
PARAMETERS = ("parameterNodeWrapper", "Default", "Minimum", "Maximum", "WithinRange", "Choice")


class Submodules(MetaPathFinder, Loader):
    """Finds ``slicer.NAME``; as in Slicer, it is an attribute of ``slicer`` only after somebody has imported it."""

    def __init__(self, contents: dict[str, dict[str, Any]]) -> None:
        self.contents = {f"slicer.{name}": content for name, content in contents.items()}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's, or None for any other module."""
        return ModuleSpec(fullname, self) if fullname in self.contents else None

    def exec_module(self, module: ModuleType) -> None:
        """Fill in the names."""
        vars(module).update(self.contents[module.__name__])


def _recorder(module: str, name: str, signature: str) -> Callable[..., Any]:
    """A function with the facts' signature that only notes its calls."""
    scope: dict[str, Any] = {}
    plain = _without_annotations(signature)
    exec(f"def {name}{plain}: return None", scope)

    def call(*arguments: Any, **keywords: Any) -> Any:
        scope[name](*arguments, **keywords)
        PACKAGING_CALLS.append((name, arguments, keywords))
        if name == "load_requirements":
            return _requirements(*arguments, **keywords)
        return RETURNED.get(f"{module}.{name}")

    return call


RETURNED: dict[str, Any] = {"packaging.pip_check": True, "packaging.isPipInstallInProgress": False}
"""What the recorded functions return; tests may change it."""


def _requirements(path: str | Path) -> list[Any]:
    """The requirements of a file, without comments and options of pip."""
    from packaging.requirements import Requirement

    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def _without_annotations(signature: str) -> str:
    import ast

    definition = ast.parse(f"def f{signature}: pass").body[0]
    assert isinstance(definition, ast.FunctionDef)
    for argument in (*definition.args.posonlyargs, *definition.args.args, *definition.args.kwonlyargs):
        argument.annotation = None
    return f"({ast.unparse(definition.args)})"


def _translate(context: str, text: str) -> str:
    return str(slicer.app.translate(context, text))


def install_slicer_modules() -> None:
    """Lets Python find the modules of ``slicer``, and makes its Qt classes as attributes made on demand."""
    for name in CORE_LIBRARIES:
        sys.modules.setdefault(name, importlib.import_module(f"slicer_core.{name}"))
    functions = facts.python()["modules"]["slicer.packaging"]["functions"]
    contents = {
        "ScriptedLoadableModule": {name: getattr(scripted, name) for name in SCRIPTED},
        "parameterNodeWrapper": {name: getattr(parameter_nodes, name) for name in PARAMETERS},
        "i18n": {"tr": lambda text: _translate("", text), "translate": _translate, "getContext": str},
        "packaging": {n: _recorder("packaging", n, signature) for n, signature in functions.items()},
    }
    sys.meta_path.insert(0, Submodules(contents))
    slicer.__getattr__ = _attribute
    slicer.selfTests = {}


def remove_slicer_modules() -> None:
    """Takes the modules out again, so that ``slicer`` is slicer-core alone."""
    for finder in [finder for finder in sys.meta_path if isinstance(finder, Submodules)]:
        sys.meta_path.remove(finder)
        for name in finder.contents:
            sys.modules.pop(name, None)
            vars(slicer).pop(name.removeprefix("slicer."), None)
    for name in ("__getattr__", "selfTests"):
        vars(slicer).pop(name, None)


def _attribute(name: str) -> Any:
    if name.startswith(("qMRML", "qSlicer")):
        return modules.gui_class("slicer", name)
    raise AttributeError(f"module 'slicer' has no attribute '{name}'")
