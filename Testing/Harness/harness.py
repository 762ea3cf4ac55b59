"""Runs a scripted module without Slicer: a real scene, a real event loop, and the stand-in for PythonQt.

harness = install()
module = harness.load_module(Path("SlicerMedAI/MedAI.py"))
harness.click(module.widget.ui.applyButton)
harness.process(200)
assert harness.strict_log == [] and harness.max_stall_ms < 100
harness.grab(module.parent, Path("MedAI.png"))
module.close()
"""

import gc
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import slicer
from PySide6 import QtCore, QtWidgets

from Testing.Harness import fonts, gil
from Testing.Harness.loading import HarnessedModule, load
from Testing.Harness.pythonqt import (  # noqa: F401 - each registers its classes
    application,
    ctk_settings,
    ctk_widgets,
    dicom,
    mrml_tables,
    observers,
    registry,
    slicer_modules,
)
from Testing.Harness.pythonqt.dialogs import DIALOGS, Dialogs
from Testing.Harness.pythonqt.log import STRICT
from Testing.Harness.pythonqt.modules import install_modules, remove_modules
from Testing.Harness.pythonqt.objects import unwrap, wrapper_class
from Testing.Harness.stall import Heartbeat


class Harness:
    """What a test does with Slicer's stand-in."""

    def __init__(self, scene: Any, folder: Path) -> None:
        self.scene = scene
        self.app = application.start(scene, folder)
        self.has_readable_font = fonts.use_readable_font()
        self.main_window = wrapper_class("qSlicerMainWindow")()
        self.main_window.objectName = "qSlicerMainWindow"
        self._heartbeat = Heartbeat()
        self._frozen = False

    @property
    def strict_log(self) -> list[str]:
        """What went wrong without an exception, in order."""
        return STRICT

    @property
    def stub_calls(self) -> list[tuple[str, str, tuple[Any, ...]]]:
        """Calls of methods that have no behaviour here: class, method, arguments."""
        return registry.STUB_CALLS

    @property
    def packaging_calls(self) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
        """Calls of ``slicer.packaging``; nothing is installed."""
        return slicer_modules.PACKAGING_CALLS

    @property
    def dialogs(self) -> Dialogs:
        """Answers for modal dialogs, and the dialogs that were shown."""
        return DIALOGS

    @property
    def max_stall_ms(self) -> float:
        """Longest time the event loop stood still of its own doing while it was running, in milliseconds."""
        return self._heartbeat.longest_ms

    def reset_stall(self) -> None:
        """Forgets the stalls so far."""
        self._heartbeat.longest_ms = 0.0

    def set_testing_enabled(self, *, enabled: bool) -> None:
        """What ``slicer.app.testingEnabled()`` returns."""
        unwrap(self.app).testing = enabled

    def load_module(self, path: Path) -> HarnessedModule:
        """Loads a scripted module file, makes its panel and enters it; see :func:`loading.load`."""
        return load(Path(path))

    def process(self, milliseconds: int = 50) -> None:
        """Runs the event loop for a time."""
        if self._frozen:
            gil.run_loop_holding_the_lock(milliseconds)
            return
        self._heartbeat.start()
        loop = QtCore.QEventLoop()
        QtCore.QTimer.singleShot(milliseconds, loop, loop.quit)
        loop.exec()
        self._heartbeat.stop()

    def wait_until(self, condition: Callable[[], bool], milliseconds: int = 5000) -> bool:
        """Runs the event loop until the condition holds, or the time is over; whether it held."""
        deadline = QtCore.QDeadlineTimer(milliseconds)
        while not condition() and not deadline.hasExpired():
            self.process(10)
        return condition()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls the function in a turn of the event loop, so that its time counts as a stall; its result.

        :raises Exception: what the function raises
        """
        outcome: list[Any] = []
        errors: list[Exception] = []

        def run() -> None:
            try:
                outcome.append(function(*arguments))
            except Exception as error:  # noqa: BLE001 - handed on below, out of Qt's loop
                errors.append(error)

        QtCore.QTimer.singleShot(0, run)
        self.process(20)
        if errors:
            raise errors[0]
        return outcome[0]

    def click(self, button: Any) -> None:
        """Clicks an enabled, visible button in a turn of the event loop.

        :raises AssertionError: if a user could not click it
        """
        assert button.enabled, f"{button.objectName} is disabled"
        assert not button.isHidden(), f"{button.objectName} is hidden"
        self.call(button.click)

    def grab(self, widget: Any, path: Path, size: tuple[int, int] | None = None) -> Path:
        """A screenshot of the widget as PNG; the size is in pixels, its own wish where none is given, and never
        smaller than its contents allow. One with texts that wrap is as high as they need at that width.

        :raises OSError: if the file cannot be written
        """
        cpp = unwrap(widget)
        cpp.setAttribute(QtCore.Qt.WidgetAttribute.WA_DontShowOnScreen)
        cpp.show()
        self.process(20)
        least, (width, height) = cpp.minimumSizeHint(), size or cpp.sizeHint().toTuple()
        width = max(width, least.width())
        cpp.resize(width, max(height, least.height()))
        for layout in cpp.findChildren(QtWidgets.QLayout):
            layout.invalidate()  # Qt's form layout may keep the heights of another width
        self.process(20)
        wraps = cpp.hasHeightForWidth()
        cpp.resize(width, cpp.heightForWidth(width) if wraps else max(height, least.height()))
        self.process(20)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not cpp.grab().save(str(path), "PNG"):
            raise OSError(f"{path}: the screenshot could not be written")
        return path

    @contextmanager
    def python_threads_frozen(self) -> Iterator[None]:
        """While it lasts, ``process`` keeps Python's lock as PythonQt does: threads run only while slots run."""
        self._frozen = True
        try:
            yield
        finally:
            self._frozen = False

    def close(self) -> None:
        """Unloads the modules, empties the scene, forgets logs and answers, and takes the stand-in out of Python."""
        manager = slicer.app.moduleManager()
        for name in manager.modulesNames():
            manager.module(name).unload()
        observers.remove_all()
        self.scene.Clear(0)
        self.main_window.deleteLater()
        self.process(0)
        DIALOGS.clear()
        for log in (STRICT, registry.STUB_CALLS, slicer_modules.PACKAGING_CALLS):
            log.clear()
        application.stop()
        slicer_modules.remove_slicer_modules()
        remove_modules()
        gc.unfreeze()


def install(scene: Any = None, folder: Path | None = None) -> Harness:
    """Puts ``qt``, ``ctk`` and Slicer's application into place, over a real scene.

    What the process holds already is kept from Python's collector until the harness closes: looking through the objects
    of thousands of other tests takes it most of a second, in the middle of a slot.

    :raises RuntimeError: if another QApplication exists
    """
    if scene is None:
        scene = slicer.vtkMRMLScene()
    folder = folder or Path(tempfile.mkdtemp(prefix="slicer-harness-"))
    gc.freeze()
    install_modules()
    slicer_modules.install_slicer_modules()
    return Harness(scene, folder)
