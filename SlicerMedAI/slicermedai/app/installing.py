"""Installing what is missing, by child processes one after the other, so that the window stays alive.

:mod:`slicermedai.jobs.install` says why ``slicer.packaging.pip_ensure`` is not what does it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slicermedai.app.words import Translate, untranslated
from slicermedai.errors import MedAIError
from slicermedai.jobs.command import Command
from slicermedai.jobs.install_record import InstallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallStep:
    """One thing to bring.

    Parameters
    ----------
    what:
        What it is, for people.
    arguments:
        What the workers' Python is called with to bring it.
    call:
        What brings it in this process instead, and blocks until then.
    network:
        Whether a network is needed for it.
    """

    what: str
    arguments: tuple[str, ...] = ()
    call: Callable[[], object] | None = None
    network: bool = True


def packages_step(requirements: Sequence[str], *, what: str, network: bool = True) -> InstallStep:
    """Have the library install ``requirements`` (PEP 508) with pip; all else keeps its version, and it is on record."""
    return InstallStep(
        what=what, arguments=("-m", "slicermedai", "packages", "install", *requirements), network=network
    )


def extension_step(install: Callable[[str], object], versions: str, *, what: str) -> InstallStep:
    """Have Slicer's PyTorch extension install PyTorch of ``versions`` (">=2.8"), and write down what that added."""

    def run() -> None:
        record = InstallRecord()
        with record.alone():
            record.begin([f"torch{versions}"], source="extension")
            try:
                install(versions)
            finally:
                record.settle(whole=True)

    return InstallStep(what=what, call=run)


def model_step(name: str, *, what: str) -> InstallStep:
    """Have the library fetch and verify the model ``name``."""
    return InstallStep(what=what, arguments=("-m", "slicermedai", "bundle", "fetch", name))


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
        self._call: Callable[[], object] | None = None
        self._was_told = False
        self._go_on()

    @property
    def message(self) -> str:
        """Which step it is at and what the installer said last."""
        if self.done:
            return ""
        number = len(self.installed)
        told = self._translate("Installing {what} (step {number} of {count}). This can take several minutes.").format(
            what=self._steps[number].what, number=number + 1, count=len(self._steps)
        )
        return "\n".join(filter(None, [told, self._command.last_line if self._command else ""]))

    @property
    def outcome(self) -> str:
        """For people, at the end: what is there now, and why the rest is not."""
        tr = self._translate
        names = "; ".join(self.installed)
        stopped = tr("Stopped.") if self.cancelled else ""
        installed = tr("Installed: {names}.").format(names=names) if names else ""
        return " ".join(filter(None, [stopped, installed, self.failure]))

    def poll(self) -> None:
        """Take in what the running step said; start the next where it has ended well.

        A step of this process is done by the second call, when the window had time to say so, and blocks.
        """
        command = self._command
        if self.done or command is None:
            if self._call is not None:
                self._do(self._call)
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
        else:
            self._end()

    def _go_on(self) -> None:
        if len(self.installed) == len(self._steps):
            self._end()
            return
        step = self._steps[len(self.installed)]
        self._command, self._call, self._was_told = None, step.call, False
        if step.call is not None:
            return
        try:
            self._command = Command(step.arguments)
        except MedAIError as error:
            self._fail(str(error))

    def _do(self, call: Callable[[], object]) -> None:
        if not self._was_told:
            self._was_told = True
            return
        try:
            call()
        except Exception as error:  # noqa: BLE001  # another extension's code may fail in any way
            self._fail(str(error) or type(error).__name__)
            return
        self.installed.append(self._steps[len(self.installed)].what)
        self._go_on()

    def _fail(self, reason: str) -> None:
        step, tr = self._steps[len(self.installed)], self._translate
        told = tr("Could not install {what}: {reason}.").format(what=step.what, reason=reason.rstrip("."))
        hint = tr("Check that this computer reaches the network, then install again.") if step.network else ""
        self.failure = " ".join(filter(None, [told, hint]))
        self._end()

    def _status(self, code: int) -> str:
        return self._translate("the installer ended with status {code}").format(code=code)

    def _end(self) -> None:
        self.done, self._call = True, None
        importlib.invalidate_caches()
