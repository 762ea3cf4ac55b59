"""OpenGL without a window system, and VTK's messages without a console.

VTK asks an X server first and warns where there is none; where no display is named, EGL is asked at once.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import vtk

from slicermedai.errors import OutputError

_LOG = logging.getLogger(__name__)
_HARMLESS = ("bad X server connection",)


def make_render_window(size: tuple[int, int]) -> Any:
    """An offscreen render window of ``size`` (width, height) in pixels that has been shown to work.

    Raises
    ------
    OutputError
        No OpenGL can be had here.
    """
    window = _window_class()()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(4)
    window.SetSize(*size)
    if window.SupportsOpenGL():
        return window
    raise OutputError(
        "no offscreen OpenGL is available",
        attribute="OpenGL",
        advice="Install Mesa (libegl1 and libgl1-mesa-dri on Debian), or run inside Slicer.",
    )


@contextmanager
def quiet_vtk() -> Iterator[None]:
    """VTK's messages go to this module's log instead of the console: warnings that are known, at debug level."""
    before = vtk.vtkOutputWindow.GetInstance()
    gathered = vtk.vtkStringOutputWindow()
    verbosity = vtk.vtkLogger.GetCurrentVerbosityCutoff()
    vtk.vtkOutputWindow.SetInstance(gathered)
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    try:
        yield
    finally:
        vtk.vtkOutputWindow.SetInstance(before)
        vtk.vtkLogger.SetStderrVerbosity(verbosity)
        _log(gathered.GetOutput() or "")


def _window_class() -> Any:
    headless = sys.platform.startswith("linux") and not os.environ.get("DISPLAY")
    return vtk.vtkEGLRenderWindow if headless and hasattr(vtk, "vtkEGLRenderWindow") else vtk.vtkRenderWindow


def _log(text: str) -> None:
    for line in filter(None, (part.strip() for part in text.splitlines())):
        level = logging.DEBUG if any(word in line for word in _HARMLESS) else logging.WARNING
        _LOG.log(level, "%s", line)
