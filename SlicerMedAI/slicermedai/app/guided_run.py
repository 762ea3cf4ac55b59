"""The presenter of the module MedAI: choose, run, watch, show. No Qt and no MRML in here."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from slicermedai.app.signal import Signal
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.errors import JobCancelled, MedAIError

COLUMNS = ("Finding", "Measurement", "Value", "Unit", "Confidence")
"""Heads of the table of findings; :func:`rows` fills it."""


STOP_SECONDS = 5.0
"""How long :meth:`GuidedRun.wait` waits for a job that it has cancelled."""
PAUSE_SECONDS = 0.02
NOTHING_FILED = "No DICOM SEG and SR"
"""How the refusal begins that says why no DICOM object was written."""


class SourceKind(str, Enum):
    """Where the chosen source comes from."""

    VOLUME = "volume"
    SERIES = "series"
    FOLDER = "folder"


class Phase(str, Enum):
    """Where a run stands."""

    IDLE = "idle"
    INSTALLING = "installing"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """Everything the module shows. ``progress`` is 0 to 1, ``seconds_left`` None where it is not known yet.

    ``series`` is the UID of the chosen DICOM series, "" where the source is none.
    """

    phase: Phase = Phase.IDLE
    source_name: str = ""
    source_kind: SourceKind | None = None
    series: str = ""
    bundle: BundleRef | None = None
    identity: str = "keep"
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None
    message: str = "Choose an image and a model."
    result: AnalysisResult | None = None
    folder: Path | None = None

    @property
    def title(self) -> str:
        """The chosen model's ``name@version``, "" where none is chosen."""
        return self.bundle.title if self.bundle else ""


class Handle(Protocol):
    """What a running job offers; :class:`slicermedai.JobHandle` does."""

    progress: float
    stage: str
    seconds_left: float | None
    done: bool
    output: Path

    def poll(self) -> None:
        """Take in what the worker said since the last time; never blocks."""

    def cancel(self) -> None:
        """Ask for an end; never blocks."""

    def result(self) -> AnalysisResult:
        """The result, or the error raised."""


class GuidedRun:
    """One run at a time, from a chosen source to a shown result.

    Parameters
    ----------
    submit:
        Starts a job and returns at once: ``submit(source, bundle, **options) -> Handle``.
    bundles:
        The models at hand.
    """

    def __init__(self, *, submit: Callable[..., Handle], bundles: Callable[[], list[BundleRef]]) -> None:
        self.changed = Signal()
        """Emitted with the new :class:`RunState`."""
        self.finished = Signal()
        """Emitted with the :class:`AnalysisResult` when a run has succeeded."""
        self.listed = Signal()
        """Emitted without a value when :attr:`choices` or :attr:`series` were read again."""
        self._submit = submit
        self._list = bundles
        self._handle: Handle | None = None
        self.source: Any = None
        self.analysed: Any = None
        """The source of the job that runs or ran last: what its result belongs to, whatever is chosen by now."""
        self.choices: tuple[BundleRef, ...] = ()
        self.series: tuple[tuple[str, str], ...] = ()
        """(UID, text) of the DICOM series at hand."""
        self.state = RunState()

    # --- choosing ----------------------------------------------------------------------------------------------------

    def refresh_bundles(self) -> None:
        """Look again which models are there; keeps the chosen one where it still is, else takes the first."""
        before = self.choices, self.state.bundle
        self.choices = tuple(self._list())
        kept = self.state.title in self.titles
        self._set(bundle=self.state.bundle if kept else (self.choices[0] if self.choices else None))
        self.listed.emit()
        if self.state.phase is Phase.IDLE or before != (self.choices, self.state.bundle):
            self._explain()

    def refresh_series(self, found: Sequence[tuple[str, str]]) -> None:
        """Take in the (UID, text) at hand; a chosen series that is not among them any more is let go of."""
        self.series = tuple(found)
        if self.state.series not in (uid for uid, _ in self.series):
            self.release(SourceKind.SERIES)
        self.listed.emit()

    def choose_bundle(self, title: str) -> None:
        """By ``name@version``; an unknown title chooses none."""
        self._set(bundle=next((ref for ref in self.choices if ref.title == title), None))
        self._explain()

    def choose_source(self, source: Any, name: str, *, kind: SourceKind = SourceKind.VOLUME, series: str = "") -> None:
        """``source`` is anything that ``submit`` takes; None chooses nothing. Choosing the same again changes nothing.

        ``series`` is the UID of a DICOM series.
        """
        same = source is self.source or (isinstance(source, str) and source == self.source)
        self.source = source
        nothing = source is None
        self._set(
            source_name="" if nothing else name,
            source_kind=None if nothing else kind,
            series="" if nothing else series,
        )
        if self.state.phase is Phase.IDLE or not same:
            self._explain()

    def release(self, kind: SourceKind) -> None:
        """Choose nothing where the source is of this kind; one of another kind stays."""
        if self.state.source_kind is kind:
            self.choose_source(None, "")

    def choose_identity(self, identity: str) -> None:
        """ "keep" or "deidentify"."""
        self._set(identity=identity)

    @property
    def titles(self) -> list[str]:
        """``name@version`` of the models at hand."""
        return [ref.title for ref in self.choices]

    @property
    def can_run(self) -> bool:
        """True where a source and a model are chosen and nothing runs."""
        return self.source is not None and self.state.bundle is not None and self.editable

    @property
    def editable(self) -> bool:
        """True where source, model and route may be changed: nothing runs and nothing is being installed."""
        return not self.busy and self.state.phase is not Phase.INSTALLING

    @property
    def busy(self) -> bool:
        """True while a job runs or is being stopped."""
        return self.state.phase in (Phase.RUNNING, Phase.STOPPING)

    # --- installing --------------------------------------------------------------------------------------------------

    def install(self, steps: Sequence[tuple[str, Callable[[], object]]], *, repaint: Callable[[], object]) -> None:
        """Do the ``steps``, each (what it brings, work); BLOCKS for minutes. Whatever fails becomes the message.

        ``repaint`` is called before each step, so that a person reads what is about to happen.
        """
        if not self.editable:
            return
        done: list[str] = []
        failure = ""
        for what, work in steps:
            self._set(phase=Phase.INSTALLING, message=_announcement(what, len(done) + 1, len(steps)))
            repaint()
            failure = _attempt(what, work)
            if failure:
                break
            done.append(what)
        self._set(phase=Phase.IDLE)
        self.refresh_bundles()
        installed = f"Installed: {'; '.join(done)}." if done else ""
        rest = failure or self.state.message
        phase = Phase.FAILED if failure else Phase.IDLE
        self._set(phase=phase, message=" ".join(part for part in (installed, rest) if part))

    # --- running -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the job; whatever keeps it from starting becomes the message."""
        if not self.can_run or self.state.bundle is None:
            return
        try:
            self._handle = self._submit(self.source, self.state.bundle.title, identity=self.state.identity)
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error))
            return
        self.analysed = self.source
        self._set(
            phase=Phase.RUNNING, stage="start", progress=0.0, seconds_left=None, result=None, folder=None, message=""
        )

    def cancel(self) -> None:
        """Ask the job to stop; it is gone within two seconds, and nothing half-written stays."""
        if self._handle is not None and self.state.phase is Phase.RUNNING:
            self._handle.cancel()
            self._set(phase=Phase.STOPPING, message="Stopping ...")

    def poll(self) -> None:
        """To be called by a timer while :attr:`busy`; takes well under a millisecond when nothing is new."""
        handle = self._handle
        if handle is None or not self.busy:
            return
        handle.poll()
        if handle.done:
            self._end(handle)
        else:
            self._set(stage=handle.stage, progress=handle.progress, seconds_left=handle.seconds_left)

    def wait(self, seconds: float, *, breathe: Callable[[], object]) -> bool:
        """Poll until the job has ended, with ``breathe`` in between; BLOCKS. After ``seconds`` the job is cancelled.

        True where it ended by itself, False where it had to be cancelled.
        """
        if self._poll_until(time.monotonic() + seconds, breathe):
            return True
        self.cancel()
        self._poll_until(time.monotonic() + STOP_SECONDS, breathe)
        return False

    def _poll_until(self, deadline: float, breathe: Callable[[], object]) -> bool:
        while self.busy and time.monotonic() < deadline:
            breathe()
            time.sleep(PAUSE_SECONDS)
            self.poll()
        return not self.busy

    def _end(self, handle: Handle) -> None:
        self._handle = None
        try:
            result = handle.result()
        except JobCancelled:
            self._set(phase=Phase.CANCELLED, message="Stopped. Nothing was written.", stage="", seconds_left=None)
            return
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error), seconds_left=None)
            return
        self._set(
            phase=Phase.DONE,
            stage="done",
            progress=1.0,
            seconds_left=None,
            result=result,
            folder=handle.output,
            message=summary(result),
        )
        self.finished.emit(result)

    def _explain(self) -> None:
        if not self.editable:
            return
        if not self.choices:
            text = "No model is installed yet. Install one to begin."
        elif self.source is None:
            text = "Choose an image."
        else:
            text = "Ready."
        self._set(message=text, phase=Phase.IDLE)

    def _set(self, **values: Any) -> None:
        new = replace(self.state, **values)
        if new != self.state:
            self.state = new
            self.changed.emit(new)


def _announcement(what: str, number: int, count: int) -> str:
    return (
        f"Installing {what} (step {number} of {count}). This can take several minutes, and the window does not answer "
        "until it is done."
    )


def _attempt(what: str, work: Callable[[], object]) -> str:
    """Do it; "" or, in words, why it failed."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - pip, network and disk raise anything, and a person must be told it
        reason = str(error).strip() or type(error).__name__
        if isinstance(error, subprocess.CalledProcessError):
            reason = f"the installer ended with status {error.returncode}"
        advice = "Check that this computer reaches the network, then install again."
        return f"Could not install {what}: {reason.rstrip('.')}. {advice}"
    return ""


def summary(result: AnalysisResult) -> str:
    """For people: what was found, that it is not calibrated where it is not, every warning, why nothing is filed."""
    return "\n".join([_found(result), *_notes(result)])


def _found(result: AnalysisResult) -> str:
    if result.status is Status.FAILED:
        return f"The model failed: {result.message}"
    if result.status is Status.NO_FINDING or not result.findings:
        return "No finding."
    parts = [
        f"{finding.label.name}: {measurement.value:.1f} {measurement.unit.value}"
        for finding in result.findings
        for measurement in finding.measurements[:1]
    ]
    states = sorted({finding.confidence.state.value for finding in result.findings})
    return f"{'; '.join(parts)}. Confidence: {', '.join(states)}."


def _notes(result: AnalysisResult) -> list[str]:
    warnings = [f"Warning: {line}." for line in result.provenance.warnings]
    return [*warnings, *(line for line in result.provenance.refusals if line.startswith(NOTHING_FILED))]


def time_left(seconds: float | None) -> str:
    """ "about 2 min left", in words that do not pretend to precision; "" where it is not known."""
    if seconds is None:
        return ""
    if seconds < 2:
        return "almost done"
    if seconds < 90:
        return f"about {int(round(seconds, -1)) or int(seconds)} s left"
    return f"about {round(seconds / 60)} min left"


def describe(bundle: BundleRef) -> str:
    """What a person should know before the run: licence, use, calibration, weights."""
    parts = [bundle.intended_use, f"Licence: {bundle.licence}." if bundle.licence else "Licence: not stated."]
    parts.append("Confidence: not calibrated for this model.")
    if bundle.demonstration:
        parts.append("Demonstration weights: not for patients.")
    if bundle.consent:
        parts.append(f"Consent to run its code: {bundle.consent}.")
    parts.append(f"Weights SHA-256: {bundle.weights_sha256[:16]}…")
    return " ".join(part for part in parts if part)


def rows(result: AnalysisResult | None) -> list[tuple[str, ...]]:
    """The findings as texts, one row a measurement, in the order of :data:`COLUMNS`."""
    if result is None:
        return []
    return [
        (finding.label.name, item.name.meaning, f"{item.value:.1f}", item.unit.value, finding.confidence.state.value)
        for finding in result.findings
        for item in finding.measurements
    ]
