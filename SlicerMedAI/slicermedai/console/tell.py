"""Words for the person at the console, on standard error, since nothing else reads them."""

from __future__ import annotations

import sys
from pathlib import Path

from slicermedai.domain.result import result_folder


def tell(text: str) -> None:
    """Write one line; without a console (a windowed Python) nobody is told."""
    if sys.stderr is not None:
        sys.stderr.write(f"slicermedai: {text}\n")
        sys.stderr.flush()


def where_to_look(folder: Path | None) -> str:
    """Where a person finds the report and the scene of the output ``folder`` of a run."""
    if folder is None:
        return "this is not Slicer, so nothing is shown. Give show() the output folder, or scene=slicer.vtkMRMLScene()."
    folder = _output_of(folder)
    page, scene = folder / "report.html", folder / "scene.mrb"
    report = f"Report: {page}" if page.is_file() else f"To make its report: slicermedai.write_report({str(folder)!r})"
    also = f"; for Slicer: {scene}" if scene.is_file() else ""
    return f"this is not Slicer, so nothing is shown. {report}{also}"


def _output_of(folder: Path) -> Path:
    folder = folder.expanduser().absolute()
    return folder.parent if result_folder(folder) == folder else folder
