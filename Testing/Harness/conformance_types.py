"""Guesses the Qt class of an expression in a scripted module, where that is certain."""

import ast
import re

from Testing.Harness import facts

ROOTS = {
    ("slicer", "app"): "qSlicerApplication",
    ("slicer", "dicomDatabase"): "ctkDICOMDatabase",
    ("self", "parent"): "qSlicerScriptedLoadableModuleWidget",
}
RETURNED = {"slicer.app.layoutManager": "qSlicerLayoutManager", "slicer.util.mainWindow": "qSlicerMainWindow"}
GUI_CLASS = re.compile(r"^(ctk|qMRML|qSlicer)\w+$")


def dotted(node: ast.expr) -> str:
    """``a.b.c`` for a chain of names, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        parent = dotted(node.value)
        return f"{parent}.{node.attr}" if parent else ""
    return ""


def named_class(node: ast.expr) -> str | None:
    """The known class that an expression like ``qt.QLabel`` or ``slicer.qMRMLNodeComboBox`` names."""
    module, _, name = dotted(node).partition(".")
    if (module == "qt" and name in facts.qt()) or (module in ("ctk", "slicer") and name in facts.gui()):
        return name
    return None


class Types:
    """Classes of local names, attributes of self and widgets of the form, while a module is walked."""

    def __init__(self, widgets: dict[str, str] | None) -> None:
        self.widgets = widgets
        self.scopes: list[dict[str, str | None]] = [{}]
        self.attributes: dict[str, str | None] = {}

    def of(self, node: ast.expr | None) -> str | None:
        """The class of the expression's value; None where it is not certain."""
        if isinstance(node, ast.Name):
            return next((scope[node.id] for scope in reversed(self.scopes) if node.id in scope), None)
        if isinstance(node, ast.Attribute):
            return self._of_attribute(node)
        return self._of_call(node) if isinstance(node, ast.Call) else None

    def _of_attribute(self, node: ast.Attribute) -> str | None:
        path = dotted(node)
        owner, _, name = path.rpartition(".")
        if (owner, name) in ROOTS:
            return ROOTS[owner, name]
        if owner == "self.ui" and self.widgets is not None:
            widget = self.widgets.get(name)
            return widget if widget and facts.is_known(widget) else None
        if owner == "self" and name in self.attributes:
            return self.attributes[name]
        member = self._member(node)
        return _pointed_to(member.type) if member and member.kind == "property" else None

    def _of_call(self, node: ast.Call) -> str | None:
        if made := named_class(node.func):
            return made
        if known := RETURNED.get(dotted(node.func)):
            return known
        member = self._member(node.func) if isinstance(node.func, ast.Attribute) else None
        returned = {overload[0] for overload in member.overloads} if member else set()
        return _pointed_to(returned.pop()) if len(returned) == 1 else None

    def _member(self, node: ast.Attribute) -> facts.Member | None:
        owner = self.of(node.value)
        return facts.member(owner, node.attr) if owner else None

    def remember(self, target: ast.expr, value: str | None) -> None:
        """Notes an assignment; an attribute of self that gets two classes has none."""
        if isinstance(target, ast.Name):
            self.scopes[-1][target.id] = value
        elif isinstance(target, ast.Attribute) and dotted(target.value) == "self":
            same = self.attributes.get(target.attr, value) == value
            self.attributes[target.attr] = value if same else None


def _pointed_to(type_name: str) -> str | None:
    name = type_name.rstrip("*").strip()
    return name if type_name.endswith("*") and facts.is_known(name) else None
