"""Installing what is missing, by child processes one after the other, so that the window stays alive."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

from slicermedai.app.words import Translate, untranslated
from slicermedai.errors import MedAIError
from slicermedai.jobs.command import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallStep:
    """One thing to bring: what it is, for people, and what the workers' Python is called with to bring it."""

    what: str
    arguments: tuple[str, ...]


def packages_step(requirements: Sequence[str], *, what: str) -> InstallStep:
    """Have pip install ``requirements`` (PEP 508), asking nothing; what is there and fits is left as it is."""
    options = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off")
    return InstallStep(what=what, arguments=("-m", "pip", "install", *options, *requirements))


def model_step(name: str, *, what: str) -> InstallStep:
    """Have the library fetch and verify the model ``name``."""
    return InstallStep(what=what, arguments=("-m", "slicermedai", "bundle", "fetch", name))


def steps_for(packages: Sequence[str], *, model: str, tr: Translate = untranslated) -> list[InstallStep]:
    """What brings the missing ``packages`` and the ``model`` ("" where there is one)."""
    steps = [packages_step(packages, what=tr("PyTorch, MONAI and what they need"))] if packages else []
    return [*steps, model_step(model, what=tr("the brain model"))] if model else steps


class Installation:
    """Does ``steps`` in order and stops at the first that fails; :meth:`poll` drives it and never blocks."""

    def __init__(self, steps: Sequence[InstallStep], *, translate: Translate = untranslated) -> None:
        self.done = False
        self.cancelled = False
        self.failure = ""
        """Why it stopped, for people; "" where it did not, or was cancelled."""
        self.installed: list[str] = []
        """What was brought so far."""
        self._translate = translate
        self._steps = tuple(steps)
        self._command: Command | None = None
        self._go_on()

    @property
    def message(self) -> str:
        """Which step it is at and what the installer said last."""
        if self.done or self._command is None:
            return ""
        number = len(self.installed)
        told = self._translate("Installing {what} (step {number} of {count}). This can take several minutes.").format(
            what=self._steps[number].what, number=number + 1, count=len(self._steps)
        )
        return "\n".join(filter(None, [told, self._command.last_line]))

    @property
    def outcome(self) -> str:
        """For people, at the end: what is there now, and why the rest is not."""
        tr = self._translate
        names = "; ".join(self.installed)
        stopped = tr("Stopped.") if self.cancelled else ""
        installed = tr("Installed: {names}.").format(names=names) if names else ""
        return " ".join(filter(None, [stopped, installed, self.failure]))

    def poll(self) -> None:
        """Take in what the running step said; start the next where it has ended well."""
        command = self._command
        if self.done or command is None:
            return
        command.poll()
        if command.returncode is None:
            return
        if command.cancelled:
            self._end()
        elif command.returncode:
            self._fail(command.last_line or self._status(command.returncode))
        else:
            self.installed.append(self._steps[len(self.installed)].what)
            self._go_on()

    def cancel(self) -> None:
        """Stop the running step; what was installed before stays."""
        self.cancelled = True
        if self._command is not None:
            self._command.cancel()

    def _go_on(self) -> None:
        if len(self.installed) == len(self._steps):
            self._end()
            return
        try:
            self._command = Command(self._steps[len(self.installed)].arguments)
        except MedAIError as error:
            self._fail(str(error))

    def _fail(self, reason: str) -> None:
        what = self._steps[len(self.installed)].what
        told = self._translate(
            "Could not install {what}: {reason}. Check that this computer reaches the network, then install again."
        )
        self.failure = told.format(what=what, reason=reason.rstrip("."))
        self._end()

    def _status(self, code: int) -> str:
        return self._translate("the installer ended with status {code}").format(code=code)

    def _end(self) -> None:
        self.done = True
        importlib.invalidate_caches()
