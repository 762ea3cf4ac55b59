"""A button in Slicer's DICOM browser that takes what is chosen there over into MedAI.

Nothing can be dragged out of the browser (``slicermedai.app.dicom_browser`` says why). Slicer makes the browser when
its DICOM module is first shown, so the button is added whenever a module was chosen and a browser without one is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer

MODULE = "MedAI"
NAME = "MedAIBrowserButton"


class BrowserButton:
    """Keeps one button below the browser that ``browser`` gives of ``slicer.modules``, until the module is unloaded."""

    def __init__(self, text: str, hint: str, *, browser: Callable[[Any], Any]) -> None:
        self.text, self.hint = text, hint
        self._browser = browser
        slicer.util.moduleSelector().connect("moduleSelected(QString)", self.add)
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self.remove)
        self.add()

    def add(self, name: str = "") -> None:
        """Add it to the browser that is there, if it has none."""
        shown = self._browser(slicer.modules)
        if shown is None or slicer.util.findChildren(shown, name=NAME):
            return
        button = qt.QPushButton(self.text)
        button.objectName, button.toolTip = NAME, self.hint
        button.connect("clicked(bool)", lambda checked=False: take_over())
        shown.layout().addWidget(button)

    def remove(self, name: str = MODULE) -> None:
        """Take it out of the browser, and look no more for another one, where the module ``name`` is its own."""
        if name != MODULE:
            return
        slicer.util.moduleSelector().disconnect("moduleSelected(QString)", self.add)
        slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", self.remove)
        shown = self._browser(slicer.modules)
        for button in slicer.util.findChildren(shown, name=NAME) if shown is not None else ():
            shown.layout().removeWidget(button)
            button.deleteLater()


def take_over() -> None:
    """Show MedAI with what is chosen in the browser, which stays chosen when Slicer closes it."""
    slicer.util.selectModule(MODULE)
    slicer.util.getModuleWidget(MODULE).onBrowser()
