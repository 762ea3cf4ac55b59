"""Where a model can run on this computer, looked for by a child: finding graphics processors imports torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slicermedai.app.presenter import Presenter
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate, untranslated
from slicermedai.errors import MedAIError
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.inquiry import Inquiry

CHILD = "slicermedai.app.device_answer"
AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicesState:
    """``devices`` are (what a job calls it, what a person reads); without torch there is "auto" alone."""

    phase: Phase = Phase.IDLE
    message: str = ""
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None
    devices: tuple[tuple[str, str], ...] = ()


def start() -> Inquiry:
    """Ask a child of its own which devices there are."""
    return Inquiry(CHILD, {}, JobFolder.create("devices"))


class DeviceList(Presenter):
    """Looks once, and again where nothing was found; ``ask`` starts the child."""

    def __init__(self, *, ask: Callable[[], Inquiry] = start, translate: Translate = untranslated) -> None:
        super().__init__(translate=translate)
        self._ask = ask
        self.state: DevicesState = DevicesState(devices=((AUTO, translate("the fastest that is here")),))

    def look(self) -> None:
        """Start to look, unless that was done."""
        if self.busy or len(self.state.devices) > 1:
            return
        try:
            self._working = self._ask()
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error))
            return
        self._set(phase=Phase.RUNNING, message="")

    def _end(self, working: Inquiry) -> None:
        if working.error is not None:
            self._set(phase=Phase.FAILED, message=str(working.error))
            return
        found = tuple((one["name"], self._words(one)) for one in working.answer)
        self._set(phase=Phase.IDLE, devices=(self.state.devices[0], *found))

    def _words(self, one: dict[str, Any]) -> str:
        if one["name"] == "cpu":
            text = self.translate("CPU: {count} cores, {free:.0f} GiB of memory free")
            return text.format(count=one["cores"], free=one["free"] / 2**30)
        if not one["total"]:
            return str(one["title"])
        text = self.translate("{title}: {free:.0f} of {total:.0f} GiB free")
        return text.format(title=one["title"], free=one["free"] / 2**30, total=one["total"] / 2**30)

    def _look_again(self) -> None:
        """Nothing is installed here."""
