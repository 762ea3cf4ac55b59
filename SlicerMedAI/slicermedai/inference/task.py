"""What an inference engine is asked and what it answers; the table of tasks. Numpy alone: torch loads with a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.codes import Label
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.observer import Progress, SweepObserver, silent
from slicermedai.domain.provenance import Step
from slicermedai.domain.volume import LabelMap, Volume
from slicermedai.errors import BundleError, InputError

PRECISIONS = ("float32",)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How to run: all of it is recorded with the result.

    Parameters
    ----------
    device:
        "auto", "cpu", "cuda", "cuda:N" or "mps"; what was asked for is never changed silently.
    seed:
        Of everything random.
    threads:
        CPU threads of the networks; 0 leaves the library's own choice.
    precision:
        "float32".
    """

    device: str = "auto"
    seed: int = 0
    threads: int = 0
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InputError(f"must be one of {', '.join(PRECISIONS)}", attribute="precision")
        if self.threads < 0:
            raise InputError("must be 0 or more", attribute="threads")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ScoreVolume:
    """Class probabilities at network resolution: (classes, slices, rows, columns) float16 on ``geometry``."""

    array: NDArray[Any]
    geometry: Geometry

    def __repr__(self) -> str:
        return f"ScoreVolume({len(self.array)} classes, {self.geometry.in_words})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Prediction:
    """What a network found, on the grid of the image it was given.

    Parameters
    ----------
    label_map:
        Exclusive labels on the source grid, 0 is background.
    labels:
        Output value -> coded label, as the bundle has them.
    scores:
        Output value -> mean network probability inside its region, None where the region is empty. The network's
        own number: it means nothing by itself.
    probabilities:
        Kept only where asked for.
    steps, warnings:
        What was done, with seconds, and what a person must know.
    unchecked:
        What could not be checked about the image, and why; no reason for a warning.
    device, device_reason, precision, seed, threads, versions:
        What it ran on, and why there.
    """

    label_map: LabelMap
    labels: tuple[tuple[int, Label], ...]
    scores: tuple[tuple[int, float | None], ...]
    steps: tuple[Step, ...]
    device: str
    device_reason: str
    precision: str
    seed: int
    threads: int
    versions: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    probabilities: ScoreVolume | None = None

    def __repr__(self) -> str:
        names = ", ".join(f"{value}: {label.name}" for value, label in self.labels)
        warned = f", {len(self.warnings)} warnings" if self.warnings else ""
        return f"Prediction({{{names}}}, {self.label_map!r}, device={self.device!r}{warned})"

    @property
    def is_empty(self) -> bool:
        """True where no voxel has a label: "no finding"."""
        return not self.label_map.array.any()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Who wants to hear of a run: progress (and cancellation), the trust layer, and who keeps probabilities."""

    progress: Progress = silent
    observer: SweepObserver | None = None
    keep_probabilities: bool = False


class Task(Protocol):
    """One kind of model. Stateless: all that varies comes as arguments."""

    def predict(self, ref: BundleRef, volume: Volume, *, settings: RunSettings, listeners: Listeners) -> Prediction:
        """Run the bundle on one image.

        Raises
        ------
        InputError, UnsupportedImageError
            The image or the device does not fit.
        BundleError, HashMismatchError, ConsentError
            The bundle cannot be used.
        JobCancelled
            From ``listeners.progress``, between stages and windows.
        """


def _segmentation() -> Task:
    from slicermedai.inference.segment import Segmentation

    return Segmentation()


TASKS: dict[str, Callable[[], Task]] = {"segmentation": _segmentation}


def predict(
    ref: BundleRef,
    volume: Volume,
    *,
    settings: RunSettings | None = None,
    listeners: Listeners | None = None,
) -> Prediction:
    """Run ``ref`` on ``volume`` with the task that the bundle names; errors as :meth:`Task.predict`."""
    make = TASKS.get(ref.task)
    if make is None:
        raise BundleError(
            f"tasks of kind {ref.task!r} cannot be run",
            file=ref.path,
            attribute="task",
            advice=f"Known: {', '.join(TASKS)}.",
        )
    return make().predict(ref, volume, settings=settings or RunSettings(), listeners=listeners or Listeners())
