"""The presenter of the page "MedAI" in Slicer's settings. No Qt in here; what is set is kept at once where it works."""

from __future__ import annotations

from typing import Any

from slicermedai.app.removal import Removal
from slicermedai.app.signal import Signal
from slicermedai.app.words import Translate, untranslated
from slicermedai.domain import settings
from slicermedai.domain.settings import Found, Setting, Source
from slicermedai.errors import MedAIError


class SettingsPage:
    """What each row shows, and what becomes of what a person writes there.

    What works is kept in the settings' file at once; what does not is refused with the reason, and the old one counts.
    """

    def __init__(self, *, translate: Translate = untranslated) -> None:
        self.changed = Signal()
        """Emitted with the name of a setting whose row has something new to say."""
        self.translate = translate
        self._refused: dict[str, str] = {}
        self._problems: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """The settings, in the order of their rows."""
        return list(settings.SETTINGS)

    def text(self, name: str) -> str:
        """What stands in the row to be edited: the file's own value, "" where the default counts."""
        return settings.in_file(name)

    def told(self, name: str) -> str:
        """Below the row: the value that counts now, where it comes from, and what is wrong."""
        lines = [self._present(settings.SETTINGS[name], settings.found(name))]
        if name in self._refused:
            lines.append(self.translate("Not kept: {reason}").format(reason=self._refused[name]))
        elif self._problems.get(name):
            lines.append(self.translate("This cannot be used: {reason}").format(reason=self._problems[name]))
        return "\n".join(lines)

    def is_wrong(self, name: str) -> bool:
        """Whether the row says that something is wrong."""
        return name in self._refused or bool(self._problems.get(name))

    @property
    def file_text(self) -> str:
        """Where all this is kept, and whether that file can be read."""
        told = self.translate("Kept in {file}, for Slicer and the command line alike.").format(
            file=settings.settings_file()
        )
        try:
            settings.check()
        except MedAIError as error:
            return f"{told}\n{error}"
        return "\n".join([told, *settings.unknown()])

    def change(self, name: str, text: str) -> bool:
        """Keep ``text``, "" for the default; False where it was refused, and the row says why."""
        from slicermedai.console.settings import set_setting

        if text.strip() == self.text(name) and name not in self._refused:
            return True
        try:
            self._problems[name] = set_setting(name, text).problem
        except MedAIError as error:
            self._refused[name] = error.message if error.attribute == name and not error.file else str(error)
        else:
            self._refused.pop(name, None)
        self.changed.emit(name)
        return name not in self._refused

    def look(self) -> None:
        """Try all that counts now: folders are written to, files are read. Takes a moment; where a page is opened."""
        from slicermedai.console.settings import list_settings

        self._problems = {one.name: one.problem for one in list_settings()}
        for name in self.names:
            self.changed.emit(name)

    def _present(self, setting: Setting, now: Found) -> str:
        tr = self.translate
        texts = {
            Source.DEFAULT: tr("In use: {value} (default)."),
            Source.FILE: tr("In use: {value} (set here)."),
            Source.ENVIRONMENT: tr("In use: {value} (variable {variable}, which counts more than what is set here)."),
        }
        return texts[now.source].format(value=now.text or tr("none"), variable=setting.variable)


def add_page(translate: Translate) -> Any:
    """Make the page and add it to Slicer's settings; returns what holds it, None where Slicer shows no window."""
    from slicermedai.scene.settings_panel import SettingsPanel, has_window

    if not has_window():
        return None
    return SettingsPanel(SettingsPage(translate=translate), Removal(translate=translate))
