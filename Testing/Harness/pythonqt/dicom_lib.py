"""Slicer's ``DICOMLib`` as far as plugins need it: the base classes, and how the browser chooses and loads.

The names and signatures are checked against the facts. References between series are not followed here.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import ModuleType
from typing import Any

import slicer


class DICOMLoadable:
    """One way to load some files."""

    def __init__(self, qLoadable: Any = None) -> None:
        self.files: list[str] = []
        self.name, self.tooltip, self.warning = "Unknown", "", ""
        self.selected, self.confidence = False, 0.5


class DICOMPlugin:
    """What a plugin inherits; attributes of a file are asked for by the names in ``tags``."""

    def __init__(self) -> None:
        self.loadType = "Generic DICOM"
        self.tags = {"seriesDescription": "0008,103E", "seriesNumber": "0020,0011", "instanceUID": "0008,0018"}
        self.loadableCache: dict[Any, Any] = {}
        self.tempDir = None

    @property
    def currentDateTime(self) -> str:
        """For names of folders."""
        return datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")

    def examineForImport(self, fileList: Any) -> list[Any]:
        """Ways to load series, given as lists of files."""
        return [loadable for files in fileList for loadable in self.examineFiles(files)]

    def examineFiles(self, files: Any) -> list[Any]:
        """Ways to load one series."""
        return []

    def examine(self, fileList: Any) -> list[Any]:
        """The older name."""
        return self.examineForImport(fileList)

    def load(self, loadable: Any) -> bool:
        """Whether it was loaded."""
        return True


def getLoadablesFromFileLists(fileLists: Any) -> dict[Any, list[Any]]:
    """What each plugin that is registered offers; a failure is logged, and the next one is asked."""
    found: dict[Any, list[Any]] = {}
    for name, made in slicer.modules.dicomPlugins.items():
        plugin = made()
        try:
            found[plugin] = plugin.examineForImport(fileLists)
        except Exception:  # as the browser does, whatever a plugin raises
            logging.getLogger(__name__).exception("plugin failed: %s", name)
    return found


def selectHighestConfidenceLoadables(loadablesByPlugin: Any) -> None:
    """Of the loadables that begin with a file of the same series only the most confident ones stay selected."""
    by_series: dict[str, list[Any]] = {}
    for loadable in (one for several in loadablesByPlugin.values() for one in several):
        by_series.setdefault(slicer.dicomDatabase.fileValue(loadable.files[0], "0020,000E"), []).append(loadable)
    for several in by_series.values():
        best = max(one.confidence for one in several)
        for one in several:
            one.selected = one.confidence == best


def loadLoadables(loadablesByPlugin: Any, messages: list[str] | None = None) -> None:
    """Load what is selected; what fails or raises is told in ``messages`` by name."""
    for plugin, several in loadablesByPlugin.items():
        for loadable in (one for one in several if one.selected):
            try:
                is_loaded = plugin.load(loadable)
            except Exception:  # as the browser does, whatever a plugin raises
                logging.getLogger(__name__).exception("could not load %s", loadable.name)
                is_loaded = False
            if not is_loaded and messages is not None:
                messages.append(f"Could not load: {loadable.name} as a {plugin.loadType}")


@contextmanager
def installed() -> Iterator[ModuleType]:
    """``DICOMLib`` can be imported while this lasts."""
    package, utils = ModuleType("DICOMLib"), ModuleType("DICOMLib.DICOMUtils")
    package.DICOMLoadable, package.DICOMPlugin, package.DICOMUtils = DICOMLoadable, DICOMPlugin, utils  # type: ignore[attr-defined]
    for function in (getLoadablesFromFileLists, selectHighestConfidenceLoadables, loadLoadables):
        setattr(utils, function.__name__, function)
    before = {name: sys.modules.get(name) for name in (package.__name__, utils.__name__)}
    sys.modules |= {package.__name__: package, utils.__name__: utils}
    try:
        yield package
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
