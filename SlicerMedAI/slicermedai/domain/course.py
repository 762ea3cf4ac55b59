"""One body over time: when each image was taken, and how large each structure was then."""

from __future__ import annotations

import math
from dataclasses import dataclass

from slicermedai.domain.codes import Label
from slicermedai.domain.finding import Measurement
from slicermedai.domain.study import InstanceRef
from slicermedai.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When one image of several over time was taken.

    Parameters
    ----------
    number, of:
        Which it is, from 1, of how many.
    seconds:
        Since the first of them; None where nothing says it, and the order alone is known.
    clock:
        The attribute that the time is from ("TriggerTime"), or the one that gives the order where no time is known.
    """

    number: int
    of: int
    seconds: float | None = None
    clock: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise InputError("a moment is one of several, counted from 1", attribute="number")

    @property
    def in_words(self) -> str:
        """For people: "frame 3 of 20, 84 ms after the first"."""
        since = f", {self.time} after the first" if self.seconds else ""
        return f"frame {self.number} of {self.of}{since}"

    @property
    def time(self) -> str:
        """ "84 ms", "12.5 s", "40 min"; "" where it is not known."""
        if self.seconds is None:
            return ""
        if abs(self.seconds) < 10:
            return f"{round(self.seconds * 1000, 1):g} ms"
        return f"{self.seconds:.1f} s" if self.seconds < 600 else f"{self.seconds / 60:.1f} min"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameOutcome:
    """What came of one frame: ``folder`` of its result, relative to the output; ``failed`` says why there is none.

    ``images`` are its source images, of those frames alone that a number of the course is of.
    """

    moment: Moment
    folder: str = ""
    failed: str = ""
    images: tuple[InstanceRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The volume of one structure in every frame, ml; NaN where its frame failed or it was not found there."""

    tracking_uid: str
    label: Label
    volumes: tuple[float, ...]

    @property
    def known(self) -> tuple[int, ...]:
        """Indices (from 0) of the frames that have a volume."""
        return tuple(index for index, volume in enumerate(self.volumes) if not math.isnan(volume))

    @property
    def largest(self) -> int | None:
        """The index of the frame with the largest volume, the first of several; None where there is none."""
        return max(self.known, key=lambda index: self.volumes[index], default=None)

    @property
    def smallest(self) -> int | None:
        """The index of the frame with the smallest volume, the first of several; None where there is none."""
        return min(self.known, key=lambda index: self.volumes[index], default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ejection:
    """The ejection fraction of one ventricle, or why there is none.

    ``fraction`` is in percent, of the volumes of the frames with the indices ``diastole`` and ``systole``; each is a
    measurement with its code. It is computed from a model's volumes, and is neither calibrated nor assessed.
    """

    tracking_uid: str
    label: Label
    fraction: Measurement | None = None
    end_diastolic: Measurement | None = None
    end_systolic: Measurement | None = None
    diastole: int | None = None
    systole: int | None = None
    refused: str = ""

    def __post_init__(self) -> None:
        numbers = (self.fraction, self.end_diastolic, self.end_systolic, self.diastole, self.systole)
        if len({number is None for number in numbers} | {bool(self.refused)}) != 1:
            raise InputError("an ejection fraction has its numbers, or the reason why it has none", attribute="refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """All frames of one series: what came of each, each structure's volumes, and ejection fractions.

    ``interval`` is the length of a heartbeat in seconds, where the headers say it. ``told`` is what people must know of
    the frames as a whole.
    """

    frames: tuple[FrameOutcome, ...]
    curves: tuple[Curve, ...] = ()
    ejections: tuple[Ejection, ...] = ()
    interval: float | None = None
    modality: str = ""
    told: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[FrameOutcome, ...]:
        """The frames without a result."""
        return tuple(frame for frame in self.frames if frame.failed)

    @property
    def shown(self) -> int:
        """The index of the frame that stands for the course: end of diastole, else the first that has a result."""
        ends = [one.diastole for one in self.ejections if one.diastole is not None]
        return ends[0] if ends else next(i for i, frame in enumerate(self.frames) if not frame.failed)
