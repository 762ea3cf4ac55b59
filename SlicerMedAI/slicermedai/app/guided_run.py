"""The presenter of the module MedAI: choose, run, watch, show. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Callable
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


class Phase(str, Enum):
    """Where a run stands."""

    IDLE = "idle"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """Everything the module shows. ``progress`` is 0 to 1, ``seconds_left`` None where it is not known yet."""

    phase: Phase = Phase.IDLE
    source_name: str = ""
    bundle: BundleRef | None = None
    identity: str = "keep"
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None
    message: str = "Choose an image and a model."
    result: AnalysisResult | None = None
    folder: Path | None = None


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
        self._submit = submit
        self._list = bundles
        self._handle: Handle | None = None
        self.source: Any = None
        self.analysed: Any = None
        """The source of the job that runs or ran last: what its result belongs to, whatever is chosen by now."""
        self.choices: tuple[BundleRef, ...] = ()
        self.state = RunState()

    # --- choosing ----------------------------------------------------------------------------------------------------

    def refresh_bundles(self) -> None:
        """Look again which models are there; keeps the chosen one where it still is, else takes the first."""
        self.choices = tuple(self._list())
        titles = [ref.title for ref in self.choices]
        kept = self.state.bundle is not None and self.state.bundle.title in titles
        self._set(bundle=self.state.bundle if kept else (self.choices[0] if self.choices else None))
        self._explain()

    def choose_bundle(self, title: str) -> None:
        """By ``name@version``; an unknown title chooses none."""
        self._set(bundle=next((ref for ref in self.choices if ref.title == title), None))
        self._explain()

    def choose_source(self, source: Any, name: str) -> None:
        """``source`` is anything that ``submit`` takes; None chooses nothing."""
        self.source = source
        self._set(source_name=name if source is not None else "")
        self._explain()

    def choose_identity(self, identity: str) -> None:
        """ "keep" or "deidentify"."""
        self._set(identity=identity)

    @property
    def can_run(self) -> bool:
        """True where a source and a model are chosen and nothing runs."""
        return self.source is not None and self.state.bundle is not None and not self.busy

    @property
    def busy(self) -> bool:
        """True while a job runs or is being stopped."""
        return self.state.phase in (Phase.RUNNING, Phase.STOPPING)

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
            progress=1.0,
            seconds_left=0.0,
            result=result,
            folder=handle.output,
            message=summary(result),
        )
        self.finished.emit(result)

    def _explain(self) -> None:
        if self.busy:
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


def summary(result: AnalysisResult) -> str:
    """For people: what was found, that it is not calibrated where it is not, and every warning of the model."""
    if result.status is Status.FAILED:
        return f"The model failed: {result.message}"
    if result.status is Status.NO_FINDING or not result.findings:
        return "\n".join(["No finding.", *_warnings(result)])
    parts = [
        f"{finding.label.name}: {measurement.value:.1f} {measurement.unit.value}"
        for finding in result.findings
        for measurement in finding.measurements[:1]
    ]
    states = sorted({finding.confidence.state.value for finding in result.findings})
    lines = [f"{'; '.join(parts)}. Confidence: {', '.join(states)}."]
    return "\n".join([*lines, *_warnings(result)])


def _warnings(result: AnalysisResult) -> list[str]:
    return [f"Warning: {line}." for line in result.provenance.warnings]


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
