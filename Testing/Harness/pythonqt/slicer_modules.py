"""Python modules of ``slicer`` that slicer-core lacks: the base classes, parameter nodes, i18n, packaging."""

import importlib
import sys
from collections.abc import Callable
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


def _add(name: str, content: dict[str, Any]) -> None:
    """A module ``slicer.NAME``, also as an attribute of ``slicer``."""
    made = ModuleType(f"slicer.{name}")
    vars(made).update(content)
    sys.modules[made.__name__] = made
    setattr(slicer, name, made)


def _recorder(module: str, name: str, signature: str) -> Callable[..., Any]:
    """A function with the facts' signature that only notes its calls."""
    scope: dict[str, Any] = {}
    plain = _without_annotations(signature)
    exec(f"def {name}{plain}: return None", scope)

    def call(*arguments: Any, **keywords: Any) -> Any:
        scope[name](*arguments, **keywords)
        PACKAGING_CALLS.append((name, arguments, keywords))
        return RETURNED.get(f"{module}.{name}")

    return call


RETURNED: dict[str, Any] = {"packaging.pip_check": True, "packaging.isPipInstallInProgress": False}
"""What the recorded functions return; tests may change it."""


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
    """Adds the modules to ``slicer``, and its Qt classes as attributes made on demand."""
    for name in CORE_LIBRARIES:
        sys.modules.setdefault(name, importlib.import_module(f"slicer_core.{name}"))
    _add("ScriptedLoadableModule", {name: getattr(scripted, name) for name in SCRIPTED})
    _add("parameterNodeWrapper", {name: getattr(parameter_nodes, name) for name in PARAMETERS})
    _add("i18n", {"tr": lambda text: _translate("", text), "translate": _translate, "getContext": str})
    functions = facts.python()["modules"]["slicer.packaging"]["functions"]
    _add("packaging", {n: _recorder("packaging", n, signature) for n, signature in functions.items()})
    slicer.__getattr__ = _attribute
    slicer.selfTests = {}


def remove_slicer_modules() -> None:
    """Takes the modules out again, so that ``slicer`` is slicer-core alone."""
    for name in ("ScriptedLoadableModule", "parameterNodeWrapper", "i18n", "packaging"):
        sys.modules.pop(f"slicer.{name}", None)
        vars(slicer).pop(name, None)
    for name in ("__getattr__", "selfTests"):
        vars(slicer).pop(name, None)


def _attribute(name: str) -> Any:
    if name.startswith(("qMRML", "qSlicer")):
        return modules.gui_class("slicer", name)
    raise AttributeError(f"module 'slicer' has no attribute '{name}'")
