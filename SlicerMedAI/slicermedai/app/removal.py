"""Removing the packages that MedAI installed: a child process does it, the page of settings shows it."""

from __future__ import annotations

from slicermedai.app.signal import Signal
from slicermedai.app.words import Translate, untranslated
from slicermedai.errors import MedAIError
from slicermedai.jobs.command import Command
from slicermedai.jobs.install_record import InstallRecord

_ARGUMENTS = ("-m", "slicermedai", "packages", "remove")


class Removal:
    """What MedAI installed here, and its going. :meth:`poll` drives it and never blocks."""

    def __init__(self, *, translate: Translate = untranslated) -> None:
        self.changed = Signal()
        """Emitted without a value when :attr:`message` or :attr:`ours` is new."""
        self.translate = translate
        self.ours: dict[str, str] = {}
        """Name -> version."""
        self.message = ""
        self._command: Command | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being removed."""
        return self._command is not None

    @property
    def text(self) -> str:
        """What MedAI installed, in a line."""
        names = ", ".join(f"{name} {version}" for name, version in sorted(self.ours.items()))
        return self.translate("Installed by MedAI: {names}.").format(names=names or self.translate("nothing"))

    @property
    def question(self) -> str:
        """What a person is asked before."""
        return self.translate(
            "MedAI will remove from Slicer's Python what it installed: {names}. What another extension needs stays, "
            "and what came with Slicer is not touched. Models and results stay. Go on?"
        ).format(names=", ".join(sorted(self.ours)))

    def look(self) -> None:
        """Read again what is there."""
        try:
            self.ours = InstallRecord().ours()
        except MedAIError as error:
            self.ours, self.message = {}, str(error)
        self.changed.emit()

    def start(self) -> None:
        """Begin to remove it; the person was asked before."""
        if self.busy or not self.ours:
            return
        try:
            self._command = Command(_ARGUMENTS)
        except MedAIError as error:
            self.message = str(error)
        else:
            self.message = self.translate("Removing ...")
        self.changed.emit()

    def poll(self) -> None:
        """Take in what was said."""
        command = self._command
        if command is None:
            return
        command.poll()
        line = command.last_line or self.message
        if command.returncode is None:
            changed, self.message = line != self.message, line
        else:
            changed, self.message, self._command = True, line, None
            self.look()
        if changed:
            self.changed.emit()
