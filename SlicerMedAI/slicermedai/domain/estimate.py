"""What a run will take, told before it: arithmetic and memory as the engine predicts them, seconds as earlier runs had.

No second is made up. Where a model has not run on this machine in the same manner, there are none to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LOOKED_AT = 8
"""How many of the latest runs are looked at."""
_TRIMMED_FROM = 5
"""From so many runs on, the quickest and the slowest one are left out."""
_FLIPS = 7
"""Further sweeps that mirror images take at most."""

Span = tuple[float, float]
"""Seconds, from and to."""


_SIZES = ((1e12, "TFLOP"), (1e9, "GFLOP"), (1e6, "MFLOP"))


def flops(operations: float) -> str:
    """A number of floating operations to three figures, "3.15 GFLOP"; "" for 0, which is one that is not known."""
    if not operations:
        return ""
    amount = float(f"{operations:.3g}")
    size, unit = next(((size, unit) for size, unit in _SIZES if amount >= size), (0.0, ""))
    if not unit:
        return "under 1 MFLOP"
    share = amount / size
    return f"{share:.0f} {unit}" if share >= 100 else f"{share:.3g} {unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What one run of a model over its images takes.

    Parameters
    ----------
    operations:
        Floating operations of all windows of the network, 0 where they cannot be foreseen (TorchScript, detection).
    voxels:
        What goes through the network, each window counted in full.
    image_voxels, millilitres:
        Size of the first image.
    memory:
        Bytes at the peak, 0 where that cannot be foreseen.
    at_most:
        True where the model cuts the image by its values, which nobody has read yet: it may take less.
    """

    operations: float = 0.0
    voxels: float = 0.0
    image_voxels: float = 0.0
    millilitres: float = 0.0
    memory: float = 0.0
    at_most: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What one run took that ended well. Sizes and seconds alone: nothing of a patient.

    ``machine`` and ``device`` say where, ``precision`` and ``manner`` how (:func:`slicermedai.jobs.speeds.manner`).
    ``network_seconds`` are those of the network's windows, ``rest_seconds`` all others but those of a further look
    (uncertainty, saliency, stability).
    """

    machine: str
    device: str
    precision: str
    manner: str
    operations: float
    voxels: float
    image_voxels: float
    millilitres: float
    network_seconds: float
    rest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run will take on this machine; ``in_words`` tells it.

    ``seconds`` (from, to) are those of ``runs`` earlier runs, scaled to this image: None where there were none.
    ``device`` is where it would run, ``free`` how many bytes of memory this computer has left now. ``over_time`` says
    in words what a series over time is, "" where the image is one, and ``frames`` is how many of it would be run; 0
    where that was not asked for: the run would be refused.
    """

    title: str
    device: str
    workload: Workload
    free: float = 0.0
    runs: int = 0
    seconds: Span | None = None
    frames: int = 1
    over_time: str = ""

    @property
    def is_too_much(self) -> bool:
        """True where the run would be refused for lack of memory."""
        return bool(self.free) and not self.workload.at_most and self.workload.memory > self.free

    @property
    def in_words(self) -> str:
        """One line, in English."""
        if not self.frames:
            return f"{self.over_time}: the run would be refused unless every frame is asked for (over_time)."
        too_much = "that is more than is free: the run would be refused" if self.is_too_much else ""
        frames = f"{self.over_time}, each of them as one image" if self.over_time else ""
        return "; ".join(filter(None, (frames, self._time, self._arithmetic, self._memory, too_much))) + "."

    @property
    def _time(self) -> str:
        if self.seconds is None:
            return f"no run of {self.title} like this one on this machine yet: its time is not known"
        earlier = "1 earlier run" if self.runs == 1 else f"{self.runs} earlier runs"
        return f"estimated for this machine ({self.device}): {span_text(self.seconds)}, from {earlier}"

    @property
    def _arithmetic(self) -> str:
        if not self.workload.operations:
            return "arithmetic of this model cannot be foreseen"
        return f"{'at most ' if self.workload.at_most else ''}{flops(self.workload.operations)}"

    @property
    def _memory(self) -> str:
        if not self.workload.memory:
            return "memory of this model cannot be foreseen"
        free = f" ({self.free / 1e9:.1f} GB are free)" if self.free else ""
        bound = "at most" if self.workload.at_most else "about"
        return f"peak memory {bound} {self.workload.memory / 1e9:.1f} GB{free}"


def expected(load: Workload, runs: Sequence[Took], *, flips: bool = False, stability: int = 0) -> Span | None:
    """Seconds that a run will take, from and to, as the latest of ``runs`` took; None without any.

    The network's seconds grow as its operations do (or voxels, where these are not known). How all others grow with the
    image is not known from one run: the span goes from not at all to in proportion. A model that cuts the image takes
    at least as much as if it kept the same share. ``flips`` and ``stability`` are what a run is asked for beside.
    """
    spans = sorted(_span(load, one, flips=flips, stability=stability) for one in runs[-LOOKED_AT:])
    kept = spans[1:-1] if len(spans) >= _TRIMMED_FROM else spans
    if not kept:
        return None
    return min(low for low, _ in kept), max(high for _, high in kept)


def _span(load: Workload, one: Took, *, flips: bool, stability: int) -> Span:
    known = load.operations and one.operations
    most = load.operations / one.operations if known else _ratio(load.voxels, one.voxels)
    least = min(most, _ratio(load.millilitres, one.millilitres)) if load.at_most else most
    size = _ratio(load.image_voxels, one.image_voxels)
    network = (one.network_seconds * least, one.network_seconds * most)
    rest = (one.rest_seconds * min(1.0, size), one.rest_seconds * max(1.0, size))
    low = network[0] * (1 + stability) + rest[0]
    high = network[1] * (1 + stability + (_FLIPS if flips else 0)) + rest[1] * (1 + stability)
    return low, high


def _ratio(new: float, old: float) -> float:
    return new / old if new > 0 and old > 0 else 1.0


def span_text(seconds: Span) -> str:
    """ "40 to 60 s", "about 2 min": in words that do not pretend to precision."""
    low, high = (" ".join(map(str, rounded(value))) for value in seconds)
    return f"about {high}" if low == high else f"{low} to {high}"


def rounded(seconds: float) -> tuple[int, str]:
    """A number and its unit, "s" or "min": whole seconds, tens of them from 20 on, minutes from 90 on."""
    if seconds >= 90:
        return round(seconds / 60), "min"
    return max(1, int(round(seconds, -1)) if seconds >= 20 else round(seconds)), "s"
