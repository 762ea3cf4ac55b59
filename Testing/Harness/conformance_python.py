"""Static check of a scripted module's Python: Qt, CTK and Slicer names, and how they are used."""

import ast
from collections.abc import Iterator
from pathlib import Path

from Testing.Harness import facts
from Testing.Harness.conformance_calls import call_complaints, import_complaints, parameter_names
from Testing.Harness.conformance_imports import submodule_complaints
from Testing.Harness.conformance_types import GUI_CLASS, Types, dotted, named_class
from Testing.Harness.conformance_ui import Form
from Testing.Harness.findings import Finding, version_complaint

OTHER_BINDINGS = ("PySide2", "PySide6", "PyQt5", "PyQt6", "PyQt4", "shiboken6", "shiboken2")
QT_FUNCTIONS = frozenset(["Qt", "SIGNAL", "SLOT", "qWarning", "qDebug", "qCritical", "qVersion"])
FORBIDDEN_CALLS = {"installEventFilter": "event filters do not work in PythonQt"}
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift)
BITS = (ast.BitAnd, ast.BitOr, ast.BitXor)


def check_module(path: Path, form: Form | None) -> list[Finding]:
    """What is wrong in the module; the form, if there is one, gives the widgets of ``self.ui``.

    :raises SyntaxError: if the file is not Python
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    checker = _Checker(form)
    checker.visit(tree)
    findings = [
        Finding(str(path), line, message) for line, message in [*checker.complaints, *submodule_complaints(tree)]
    ]
    return findings + list(_unbound_parameters(tree, form))


def _unbound_parameters(tree: ast.Module, form: Form | None) -> Iterator[Finding]:
    """Widgets bound by SlicerParameterName to a parameter that no parameter node wrapper of the module has."""
    known = parameter_names(tree)
    for widget, parameter in (form.parameters if form and known else {}).items():
        if parameter.split(".")[0] not in known:
            yield Finding(str(form and form.path), 0, f"{widget} is bound to an unknown parameter {parameter}")


class _Checker(ast.NodeVisitor):
    """Walks one module; every class twice, first only to learn the types of its attributes."""

    def __init__(self, form: Form | None) -> None:
        self.types = Types(form.classes if form else None)
        self.complaints: list[tuple[int, str]] = []

    def report(self, node: ast.AST, message: str) -> None:
        self.complaints.append((getattr(node, "lineno", 0), message))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.split(".")[0] in OTHER_BINDINGS:
                self.report(node, f"{alias.name} is not in Slicer: import qt")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if (node.module or "").split(".")[0] in OTHER_BINDINGS:
            self.report(node, f"{node.module} is not in Slicer: import qt")
        for complaint in import_complaints(node):
            self.report(node, complaint)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for base in node.bases:
            if named_class(base):
                self.report(
                    node, f"{node.name} derives from {dotted(base)}: hold a Qt object instead of deriving from one"
                )
        outer, self.types.attributes = self.types.attributes, {}
        before = len(self.complaints)
        self._visit_all(node.body)
        del self.complaints[before:]
        self._visit_all([*node.decorator_list, *node.bases, *node.body])
        self.types.attributes = outer

    def _visit_all(self, nodes: list[ast.AST] | list[ast.stmt]) -> None:
        for child in nodes:
            self.visit(child)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        scope = {a.arg: named_class(a.annotation) if a.annotation else None for a in arguments}
        self.types.scopes.append(scope)
        self.generic_visit(node)
        self.types.scopes.pop()

    def visit_For(self, node: ast.For) -> None:
        for name in ast.walk(node.target):
            if isinstance(name, ast.Name):
                self.types.remember(name, None)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self.types.remember(target, self.types.of(node.value))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        self.types.remember(node.target, self.types.of(node.value) or named_class(node.annotation))

    def visit_Call(self, node: ast.Call) -> None:
        for complaint in call_complaints(node, self.types):
            self.report(node, complaint)
        if isinstance(node.func, ast.Attribute) and node.func.attr in FORBIDDEN_CALLS:
            self.report(node, FORBIDDEN_CALLS[node.func.attr])
        if dotted(node.func) == "int" and node.args and _is_enum(node.args[0]):
            self.report(node, f"int() of the enum {dotted(node.args[0])} fails in Qt 6")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        enums = [_is_enum(side) for side in (node.left, node.right)]
        numbers = [isinstance(side, ast.Constant) and isinstance(side.value, int) for side in (node.left, node.right)]
        wrong = isinstance(node.op, ARITHMETIC) or (isinstance(node.op, BITS) and any(numbers))
        if any(enums) and wrong:
            self.report(node, "integer arithmetic on a Qt enum fails in Qt 6")
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        for complaint in self._attribute_complaints(node):
            self.report(node, complaint)
        self.generic_visit(node)

    def _attribute_complaints(self, node: ast.Attribute) -> list[str]:
        owner = dotted(node.value)
        if owner in ("qt", "ctk", "slicer"):
            return _module_complaints(owner, node.attr)
        if owner == "qt.Qt":
            return _namespace_complaints(node.attr)
        if owner == "slicer.modules":
            return []
        if owner == "self.ui" and self.types.widgets is not None and isinstance(node.ctx, ast.Load):
            return [] if node.attr in self.types.widgets else [f"the form has no object named {node.attr}"]
        if class_name := named_class(node.value):
            return _member_complaints(class_name, facts.class_member(class_name, node.attr), node)
        value_class = self.types.of(node.value)
        return _member_complaints(value_class, facts.member(value_class, node.attr), node) if value_class else []


def _is_enum(node: ast.expr) -> bool:
    """Whether the expression names a value of a Qt enum."""
    owner, _, name = dotted(node).rpartition(".")
    if owner == "qt.Qt":
        return name in facts.namespace()
    module, _, class_name = owner.partition(".")
    found = facts.class_member(class_name, name) if module == "qt" and class_name in facts.qt() else None
    return found is not None and found.kind == "enum"


def _module_complaints(module: str, name: str) -> list[str]:
    if module == "slicer":
        return _slicer_complaints(name)
    if module == "ctk":
        return [] if name in facts.gui() else [f"ctk.{name}: no such class"]
    if name in facts.NOT_IN_THE_NAMESPACE:
        return [f"qt.{name} does not exist in PythonQt"]
    if name in QT_FUNCTIONS:
        return []
    if name not in facts.qt():
        return [f"qt.{name}: no such class"]
    complaint = version_complaint(facts.class_versions(name))
    return [f"qt.{name} {complaint}"] if complaint else []


def _slicer_complaints(name: str) -> list[str]:
    if GUI_CLASS.match(name):
        return [] if name in facts.gui() else [f"slicer.{name}: no such class"]
    known = name.startswith(("vtk", "itk")) or name in facts.python()["slicer_attributes"]
    return [] if known or name.startswith("_") else [f"slicer has no attribute {name}"]


def _namespace_complaints(name: str) -> list[str]:
    versions = facts.namespace().get(name)
    if versions is None:
        return [f"qt.Qt has no name {name}"]
    complaint = version_complaint(versions)
    return [f"qt.Qt.{name} {complaint}"] if complaint else []


def _member_complaints(class_name: str, found: facts.Member | None, node: ast.Attribute) -> list[str]:
    label = f"{class_name}.{node.attr}"
    if node.attr.startswith("__") or not facts.is_complete(class_name):
        return []
    if found is None:
        return [f"{class_name} has no member {node.attr}"]
    if isinstance(node.ctx, ast.Store) and found.kind != "property":
        return [f"{label} is a {found.kind} and cannot be assigned"]
    if isinstance(node.ctx, ast.Store) and not found.writable:
        return [f"{label} is read-only"]
    complaint = version_complaint(found.versions)
    return [f"{label} {complaint}"] if complaint else []
