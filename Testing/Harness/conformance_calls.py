"""Static check of calls: constructors, properties called as methods, connections, and Slicer's Python functions."""

import ast
from collections.abc import Iterator
from functools import cache

from Testing.Harness import facts
from Testing.Harness.conformance_types import Types, dotted, named_class

FUNCTION_MODULES = {
    "slicer.util": "slicer.util",
    "slicer.packaging": "slicer.packaging",
    "slicer.i18n": "slicer.i18n",
    "slicer.cli": "slicer.cli",
    "slicer.testing": "slicer.testing",
    "DICOMLib.DICOMUtils": "DICOMLib.DICOMUtils",
    "DICOMUtils": "DICOMLib.DICOMUtils",
}
REEXPORTS = {"slicer.parameterNodeWrapper": "slicer.parameterNodeWrapper.", "DICOMLib": "DICOMLib."}
"""Packages whose names come from the modules inside them."""


def call_complaints(node: ast.Call, types: Types) -> list[str]:
    """What is wrong with one call."""
    if made := named_class(node.func):
        return [*_constructor_complaints(made), *_keyword_complaints(made, node)]
    if not isinstance(node.func, ast.Attribute):
        return []
    if module := FUNCTION_MODULES.get(dotted(node.func.value)):
        return list(_function_complaints(module, node.func.attr, node))
    return [*_property_complaints(node.func, types), *_connection_complaints(node, node.func, types)]


def _constructor_complaints(class_name: str) -> list[str]:
    return [] if facts.is_constructible(class_name) else [f"{class_name} cannot be constructed from Python"]


def _keyword_complaints(name: str, node: ast.Call) -> list[str]:
    return [f"{name}: PythonQt takes no keyword arguments"] if node.keywords else []


def _property_complaints(function: ast.Attribute, types: Types) -> list[str]:
    owner = types.of(function.value)
    if owner is None:
        return []
    found = facts.member(owner, function.attr)
    if found is None or found.kind != "property":
        return []
    return [f"{owner}.{function.attr} is a property, not a method"]


def _connection_complaints(node: ast.Call, function: ast.Attribute, types: Types) -> list[str]:
    owner = types.of(function.value)
    if owner is None or function.attr not in ("connect", "disconnect") or not node.args:
        return []
    signature = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
    if not isinstance(signature, str) or not facts.is_complete(owner):
        return []
    return [] if facts.normalized(signature) in facts.signals(owner) else [f"{owner} has no signal {signature}"]


@cache
def _functions(module: str) -> dict[str, str]:
    functions: dict[str, str] = facts.python()["modules"][module]["functions"]
    return functions


def _function_complaints(module: str, name: str, node: ast.Call) -> Iterator[str]:
    signature = _functions(module).get(name)
    if signature is None:
        if name not in facts.python()["modules"][module]["classes"]:
            yield f"{module} has no function {name}"
        return
    yield from _argument_complaints(f"{module}.{name}", signature, node)


def _argument_complaints(label: str, signature: str, node: ast.Call) -> Iterator[str]:
    definition = ast.parse(f"def f{signature}: pass").body[0]
    assert isinstance(definition, ast.FunctionDef)
    given = definition.args
    positional = [a.arg for a in given.posonlyargs + given.args]
    names = {*positional, *(a.arg for a in given.kwonlyargs)}
    starred = any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords)
    for keyword in node.keywords:
        if keyword.arg and keyword.arg not in names and not given.kwarg:
            yield f"{label} has no argument {keyword.arg}"
    if len(node.args) > len(positional) and not given.vararg and not starred:
        yield f"{label} takes at most {len(positional)} positional arguments, not {len(node.args)}"
    required = positional[: len(positional) - len(given.defaults)]
    passed = len(node.args) + len({k.arg for k in node.keywords} & set(required))
    if passed < len(required) and not starred:
        yield f"{label} needs {', '.join(required)}"


def import_complaints(node: ast.ImportFrom) -> list[str]:
    """Names imported from Slicer's Python modules that those do not have."""
    module = node.module or ""
    names = _exported(module)
    if names is None:
        return []
    return [
        f"{module} has no name {a.name}"
        for a in node.names
        if not (a.name in names or a.name.isupper() or a.name == "*")
    ]


@cache
def _exported(module: str) -> frozenset[str] | None:
    modules = facts.python()["modules"]
    if module in REEXPORTS:
        inside = [m for m in modules if m.startswith(REEXPORTS[module])]
        submodules = {m.rpartition(".")[2] for m in inside}
        return frozenset(submodules | {n for m in inside for part in modules[m].values() for n in part})
    if module not in modules:
        return None
    return frozenset(n for part in modules[module].values() for n in part)


def parameter_names(tree: ast.Module) -> set[str]:
    """The parameters of all classes decorated with ``parameterNodeWrapper`` or ``parameterPack``."""
    wrappers = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(dotted(d).rpartition(".")[2] in ("parameterNodeWrapper", "parameterPack") for d in node.decorator_list)
    ]
    statements = [statement for wrapper in wrappers for statement in wrapper.body]
    return {s.target.id for s in statements if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)}
