"""Static check of Slicer's own Python submodules: using one as ``slicer.NAME`` needs an import of it."""

import ast
from collections.abc import Iterator
from functools import cache

from Testing.Harness import facts
from Testing.Harness.conformance_types import dotted

IMPORTED_BY_SLICER = frozenset({"util", "cli"})
"""Submodules that the application imports at its start, so that they are attributes of ``slicer`` everywhere."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@cache
def _dotted_submodules() -> frozenset[str]:
    """``slicer.NAME`` for every submodule of ``slicer`` that is written in Python."""
    return frozenset(".".join(name.split(".")[:2]) for name in facts.python()["modules"] if name.startswith("slicer."))


def submodule_complaints(scope: ast.AST, imported: frozenset[str] = IMPORTED_BY_SLICER) -> Iterator[tuple[int, str]]:
    """(line, what is wrong) for each use in this scope and the functions in it.

    An import counts where it stands and in the functions inside: another function's import may not have run yet.
    """
    nodes = list(_own_nodes(scope))
    imported = imported.union(*map(_imports, nodes))
    for node in nodes:
        if isinstance(node, FUNCTIONS):
            yield from submodule_complaints(node, imported)
        elif isinstance(node, ast.Attribute) and dotted(node) in _dotted_submodules() and node.attr not in imported:
            yield node.lineno, f"slicer.{node.attr} is used without import slicer.{node.attr}"


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope; functions in it are named, not entered."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, FUNCTIONS):
            yield from _own_nodes(child)


def _imports(node: ast.AST) -> set[str]:
    """Submodules of ``slicer`` that a statement imports."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    else:
        return set()
    return {name.split(".")[1] for name in names if name.startswith("slicer.")}
