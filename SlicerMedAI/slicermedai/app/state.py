"""What the module MedAI shows, as one value. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.result import AnalysisResult


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


BUSY = frozenset({Phase.INSTALLING, Phase.RUNNING, Phase.STOPPING})
"""Phases in which a child process works."""


NO_SAMPLES = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What a person asks of a run beside image and model; the defaults ask for nothing.

    ``device`` as a job calls it; ``preset`` counts on the pseudonymous route alone; ``samples`` is how further answers
    are asked for, "none", "flips", "folds" or "dropout"; ``stability`` is how many times the image is changed within
    noise and analysed again; ``parent`` is the folder in which each run makes its own, "" for Documents; ``over_time``
    runs every frame of a series over time, and is asked for anew of each image.
    """

    device: str = "auto"
    preset: str = "basic"
    samples: str = NO_SAMPLES
    stability: int = 0
    parent: str = ""
    over_time: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRow:
    """One image that a model wants, by the model's ``name`` for it; ``key`` and ``text`` of what was taken, or "".

    ``patient`` is the ID of the patient whom it shows, "" where that is not known.
    """

    name: str
    key: str = ""
    text: str = ""
    patient: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A run as it is listed; ``seconds`` it took, None before its end; ``why`` it did not succeed."""

    number: int
    image: str
    title: str
    state: str
    seconds: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """Everything the module shows. ``progress`` is 0 to 1, ``seconds_left`` None where it is not known yet.

    ``series`` is the UID of the chosen DICOM series, "" where the source is none; ``modality`` and ``body_part`` are
    the image's as DICOM calls them, "" where they are not known. ``message`` is for people, in their
    language; ``stage`` is the worker's own name of what it does (:func:`slicermedai.app.words.stage_text` says it).
    ``inputs`` are the images of a model that takes several, () for all others. ``queue`` lists the runs, and ``shown``
    is the number of the one whose ``result`` and ``folder`` are looked at, 0 for none.
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
    message: str = ""
    result: AnalysisResult | None = None
    folder: Path | None = None
    options: RunOptions = RunOptions()
    modality: str = ""
    body_part: str = ""
    inputs: tuple[InputRow, ...] = ()
    queue: tuple[QueueRow, ...] = ()
    shown: int = 0

    @property
    def title(self) -> str:
        """The chosen model's ``name@version``, "" where none is chosen."""
        return self.bundle.title if self.bundle else ""


class Work(Protocol):
    """What a child process does, as far as every presenter needs to know; :class:`slicermedai.JobHandle` is one."""

    progress: float
    stage: str
    seconds_left: float | None
    done: bool

    def poll(self) -> None:
        """Take in what was said since the last time; never blocks."""

    def cancel(self) -> None:
        """Ask for an end; never blocks."""


class Handle(Work, Protocol):
    """What a running job offers; :class:`slicermedai.JobHandle` does."""

    output: Path

    def result(self) -> AnalysisResult:
        """The result, or the error raised."""

    def loading(self) -> Generator[None, None, AnalysisResult]:
        """The same in pieces."""
