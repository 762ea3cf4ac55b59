"""What an inference engine is asked and what it answers; the table of tasks. Numpy alone: torch loads with a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.codes import Label
from slicermedai.domain.estimate import Workload
from slicermedai.domain.finding import Region
from slicermedai.domain.flat import PixelValues
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.observer import Progress, SampleObserver, SweepObserver, silent
from slicermedai.domain.prompts import Prompt
from slicermedai.domain.provenance import Step
from slicermedai.domain.volume import LabelMap, Volume
from slicermedai.errors import BundleError, InputError, JobCancelled, MedAIError
from slicermedai.inference.adapter.report import CompatibilityReport

if TYPE_CHECKING:
    from slicermedai.inference.memory import Memory

PRECISIONS = ("float32", "auto", "bfloat16")
FLIPS, FOLDS, DROPOUT = "flips", "folds", "dropout"


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
        "float32"; "auto" takes bfloat16 where the device has it and the model's labels stay the same in one window;
        "bfloat16" takes it in any case, and says how well the labels agree.
    other_frames:
        Several images may be of different frames of reference: somebody has registered them, and says so.
    pixel_values:
        What the model takes of projections and photographs, "display" or "modality", where it does not say it itself
        (:class:`~slicermedai.domain.flat.PixelValues`); "" leaves it to the model.
    folds:
        Which networks of a model that has several answer (:func:`slicermedai.bundles.folds.chosen_folds`).
    body_part:
        A person's word for what part of the body the images show, where headers are silent or wrong; "any" leaves that
        check out (:func:`slicermedai.inference.anatomy.check_body_part`).
    prompts:
        What a person marked for a model that takes points and boxes, LPS mm.
    """

    device: str = "auto"
    seed: int = 0
    threads: int = 0
    precision: str = "float32"
    other_frames: bool = False
    pixel_values: str = ""
    folds: str = ""
    body_part: str = ""
    prompts: tuple[Prompt, ...] = ()

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InputError(f"must be one of {', '.join(PRECISIONS)}", attribute="precision")
        if self.pixel_values not in ("", *PixelValues):
            raise InputError(f"must be {' or '.join(PixelValues)}", attribute="pixel_values")
        if self.threads < 0:
            raise InputError("must be 0 or more", attribute="threads")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ScoreVolume:
    """Probabilities of the label ``values`` at network resolution: (values, a, b, c) float16 on ``geometry``."""

    array: NDArray[Any]
    geometry: Geometry
    values: tuple[int, ...]

    def __repr__(self) -> str:
        return f"ScoreVolume(of {self.values}, {self.geometry.in_words})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SaliencyVolume:
    """What spoke for one target: (slices, rows, columns) float32, 0 to 1, on ``geometry``, that of the source.

    ``about`` pairs names and values: method, target, layer, windows, what 1 stands for.
    """

    array: NDArray[Any]
    geometry: Geometry
    method: str
    title: str
    about: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return f"SaliencyVolume({self.title!r}, {self.geometry.in_words})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundRegion:
    """One thing that a network found: ``value`` of its output, what it is, where (None: in the image as a whole).

    ``raw_score`` is the network's own number, 0 to 1: it means nothing by itself. ``folds`` names the networks that
    found it, where several were asked each by itself.
    """

    value: int
    label: Label
    region: Region | None
    raw_score: float | None = None
    folds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Prediction:
    """What a network found, on the grid of the image it was given.

    Parameters
    ----------
    label_map:
        Exclusive labels on the source grid, 0 is background; all 0 where labels overlap or are boxes.
    regions:
        What was found, each with its region and score: masks of the label map, overlapping masks, boxes, or labels
        of the whole image.
    labels:
        Output value -> coded label, as the bundle has them.
    scores:
        Output value -> mean network probability inside its region, None where the region is empty; of a label of the
        whole image also where it was not found. The network's own number: it means nothing by itself.
    probabilities, saliency, features:
        Kept, or made, only where asked for; features are of the network's deepest layer (:mod:`.features`).
    prompts:
        What a person marked: the answer depends on it.
    features_of:
        Layer and channels that the features are of; those of others are not to be compared with them.
    folds:
        Names of the networks that answered, of a model that has several.
    compatibility:
        What had to be done to the bundle's configuration to run it here.
    steps, warnings:
        What was done, with seconds, and what a person must know.
    unchecked:
        What could not be checked about the image, and why; no reason for a warning.
    device, device_reason, hardware, precision, seed, threads, versions:
        What it ran on, and why there; ``hardware`` names a graphics card too.
    workload:
        What it took of arithmetic and memory, as the engine predicted it; None where no network ran.
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
    regions: tuple[FoundRegion, ...] = ()
    warnings: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()
    compatibility: CompatibilityReport = field(default_factory=CompatibilityReport)
    probabilities: ScoreVolume | None = None
    saliency: SaliencyVolume | None = None
    prompts: tuple[Prompt, ...] = ()
    features: tuple[float, ...] = ()
    features_of: str = ""
    hardware: str = ""
    workload: Workload | None = None

    def __repr__(self) -> str:
        names = ", ".join(f"{value}: {label.name}" for value, label in self.labels)
        warned = f", {len(self.warnings)} warnings" if self.warnings else ""
        return f"Prediction({{{names}}}, {self.label_map!r}, device={self.device!r}{warned})"

    @property
    def is_empty(self) -> bool:
        """True where nothing was found: "no finding"."""
        return not self.regions


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Who wants to hear of a run: progress (and cancellation), the trust layer.

    ``keep_probabilities`` names label values whose probabilities are kept at network resolution. ``samples`` counts
    further answers, which are asked for only where somebody counts them: to mirror images ("flips"), those of every
    fold ("folds"), or with dropout left on ("dropout"), as ``sampling`` says; ``saliency`` names the method of
    a map of what spoke for ``saliency_target``: a label's name, "NAME#2" for the second largest part of it or the
    second surest box, "" for the largest structure, the surest box or the likeliest label. Segmentations alone have
    samples. ``features`` asks for a few numbers of what the network makes of the image; segmentations alone have them.
    ``probe`` is handed all that the run leaves for those who ask again (:class:`.again.Answered`; of boxes and labels
    of the whole image :class:`.saliency_question.Asked`).
    """

    progress: Progress = silent
    observer: SweepObserver | None = None
    samples: SampleObserver | None = None
    sampling: str = FLIPS
    saliency: str = ""
    saliency_target: str = ""
    probe: Callable[[Any], None] | None = None
    keep_probabilities: tuple[int, ...] = ()
    features: bool = False


class Task(Protocol):
    """One kind of model. Stateless: all that varies comes as arguments."""

    def predict(
        self, ref: BundleRef, inputs: Mapping[str, Volume], *, settings: RunSettings, listeners: Listeners
    ) -> Prediction:
        """Run the bundle on its images, each by the name that the bundle has for it (or that it has for itself).

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


def _detection() -> Task:
    from slicermedai.inference.single import Detection

    return Detection()


def _classification() -> Task:
    from slicermedai.inference.single import Classification

    return Classification()


TASKS: dict[str, Callable[[], Task]] = {
    "segmentation": _segmentation,
    "detection": _detection,
    "classification": _classification,
}


def make_task(ref: BundleRef, memory: Memory | None = None) -> Task:
    """The task that the bundle names; raises :class:`BundleError` for one that is not known.

    A segmentation keeps in ``memory`` what a further question about the same image needs.
    """
    if memory is not None and ref.task == "segmentation":
        from slicermedai.inference.segment import Segmentation

        return Segmentation(load=memory.load, memory=memory)
    make = TASKS.get(ref.task)
    if make is None:
        raise BundleError(
            f"tasks of kind {ref.task!r} cannot be run",
            file=ref.path,
            attribute="task",
            advice=f"Known: {', '.join(TASKS)}.",
        )
    return make()


def predict(
    ref: BundleRef,
    inputs: Volume | Mapping[str, Volume],
    *,
    settings: RunSettings | None = None,
    listeners: Listeners | None = None,
    memory: Memory | None = None,
) -> Prediction:
    """Run ``ref`` on one image, or on several by name, with the task that the bundle names.

    Images on other grids, with other spacings and fields of view, are brought onto the grid of the first that the
    bundle names, in physical space. Errors as :meth:`Task.predict`; wherever memory runs out, that is an
    :class:`InputError` which names the stage.
    """
    given, heard = {"image": inputs} if isinstance(inputs, Volume) else inputs, listeners or Listeners()
    last = "begin"

    def progress(stage: str, fraction: float) -> None:
        nonlocal last
        last = stage
        heard.progress(stage, fraction)

    try:
        told = replace(heard, progress=progress)
        return make_task(ref, memory).predict(ref, given, settings=settings or RunSettings(), listeners=told)
    except (MedAIError, MemoryError, RuntimeError, OSError, ImportError) as error:
        if not _ran_out(error):
            raise
    raise InputError(
        f"memory ran out in the step {last!r}",
        attribute="memory",
        advice="Close other programs, crop the image to the region of interest, or use a machine with more memory.",
    )


def _ran_out(error: BaseException) -> bool:
    """True where memory ran out, and nobody has said so in full yet."""
    if isinstance(error, JobCancelled) or (isinstance(error, InputError) and error.attribute == "memory"):
        return False
    from slicermedai.inference.runner import is_out_of_memory

    return is_out_of_memory(error)
