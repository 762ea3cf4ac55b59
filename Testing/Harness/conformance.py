"""Checks scripted modules (.py) and forms (.ui) against the facts about Slicer's Python API, without running them.

    python -m Testing.Harness.conformance FILES

prints one finding a line and exits with 1 if there is any. A module ``X.py`` is read together with the form
``X.ui``, so that ``self.ui.name`` has the class the form gives it.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from Testing.Harness.conformance_python import check_module
from Testing.Harness.conformance_ui import Form, check_form
from Testing.Harness.findings import Finding

__all__ = ["Finding", "check", "main"]


def check(py_files: Iterable[Path], ui_files: Iterable[Path]) -> list[Finding]:
    """Every mistake found, in file and line order.

    :raises SyntaxError: if a module is not Python
    :raises xml.etree.ElementTree.ParseError: if a form is not XML
    """
    findings: list[Finding] = []
    forms: dict[str, Form] = {}
    for path in sorted(map(Path, ui_files)):
        forms[path.stem] = check_form(path, findings)
    for path in sorted(map(Path, py_files)):
        findings += check_module(path, forms.get(path.stem))
    return sorted(set(findings))


def main(arguments: list[str]) -> int:
    """Prints the findings of the named files; 1 if there is any."""
    paths = [Path(argument) for argument in arguments]
    findings = check([p for p in paths if p.suffix == ".py"], [p for p in paths if p.suffix == ".ui"])
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
