"""What a model will take of an image whose place is known, and whose voxels nobody has read: nothing is computed.

The preparation is run on tensors that have shapes alone (torch's device "meta"). Steps that look at values change no
shape, but for those that cut: then what is foreseen is what the run takes at most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor

from slicermedai.bundles.code import TORCHSCRIPT
from slicermedai.bundles.folds import chosen_folds, members_of
from slicermedai.bundles.manifest import Manifest
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.estimate import Workload
from slicermedai.domain.geometry import Geometry
from slicermedai.errors import BundleError, InputError
from slicermedai.inference import budget
from slicermedai.inference.adapter.adapt import NETWORK, Adapted, adapt
from slicermedai.inference.adapter.joining import LabelsAlone
from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.adapter.scripts import surroundings
from slicermedai.inference.adapter.steps import IMAGE, Steps
from slicermedai.inference.dropout import layers_called
from slicermedai.inference.folds import kind_of, load_folds
from slicermedai.inference.framing import Framing
from slicermedai.inference.marked import as_without_marks
from slicermedai.inference.metatensor import metatensor_on
from slicermedai.inference.outcome import manifest_of, sized_by
from slicermedai.inference.shadow import FAILURES, Shadow
from slicermedai.inference.sweep import OF_SAMPLES, work_of
from slicermedai.inference.task import DROPOUT, FLIPS, FOLDS
from slicermedai.inference.uncompiled import uncompiled
from slicermedai.inference.windows import Triple, WindowPlan

_SEGMENTATION = "segmentation"
_BY_VALUES = re.compile(r"Crop|Foreground|BoundingBox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """The network's image: (a, b, c) voxels, channels; ``cut`` where the run may find it smaller, by its values."""

    shape: Triple
    channels: int
    cut: bool = False


def workload_of(
    ref: BundleRef, grids: Mapping[str, Geometry], *, folds: str = "", samples: bool = False
) -> tuple[Workload, tuple[str, ...]]:
    """What a run takes of images on ``grids``, and the names of the images that the model wants.

    The first of ``grids`` is that of the image that results refer to. ``folds`` as a job has it; ``samples`` where
    further answers are asked for. A model that is no segmentation is known by the size of its image alone.

    Raises
    ------
    BundleError, ConsentError, HashMismatchError
        The model cannot be used.
    InputError
        There is no fold of that name.
    """
    foresight = foresight_of(ref, grids, folds=folds, samples=samples)
    return foresight.work, foresight.inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """What is known of a run before it: its ``work``, the names of its images, and of each way to take further samples
    why the model cannot be asked so, "" where it can."""

    work: Workload
    inputs: tuple[str, ...]
    samples: dict[str, str]


def foresight_of(ref: BundleRef, grids: Mapping[str, Geometry], *, folds: str = "", samples: bool = False) -> Foresight:
    """As :func:`workload_of`, and how the model can be asked for further answers."""
    manifest = manifest_of(ref)
    names = chosen_folds(manifest.folds, folds, title=ref.title)
    first, ledger = next(iter(grids.values())), Ledger()
    with surroundings(Path(ref.path), ledger), uncompiled():
        adapted = adapt(manifest, ledger)
        steps = adapted.steps()
        if ref.task != _SEGMENTATION:
            none = f"{ref.title} does {ref.task}, and samples are of segmentations alone"
            refused = dict.fromkeys((FLIPS, FOLDS, DROPOUT), none)
            return Foresight(work=sized_by(Workload(), first), inputs=steps.names, samples=refused)
        seen = _framed(adapted) or foreseen(steps, _named(steps.names, grids))
        plan, shadow = windows = _planned_windows(adapted, seen, names)
        work = _work(adapted, seen, first.shape, windows=windows, samples=samples)
        refused = {FLIPS: "", FOLDS: _no_folds(manifest), DROPOUT: _no_dropout(shadow, plan.roi, title=ref.title)}
    work = replace(sized_by(work, first), at_most=seen.cut)
    return Foresight(work=work, inputs=steps.names, samples=refused)


def _no_folds(manifest: Manifest) -> str:
    try:
        members_of(manifest.folds, title=manifest.ref.title)
    except InputError as error:
        return str(error)
    return ""


def _no_dropout(shadow: Shadow, roi: Triple, *, title: str) -> str:
    """Whether the network calls layers of dropout; that its answer stays the same network's is checked in the run."""
    try:
        layers_called(shadow.network, lambda: shadow.answer(roi), title=title)
    except InputError as error:
        return str(error)
    except FAILURES as error:
        return f"{title} cannot be asked without its weights ({type(error).__name__})"
    return ""


def foreseen(steps: Steps, grids: Mapping[str, Geometry]) -> Foreseen:
    """Shape and channels of what ``steps`` make of images that lie on ``grids``, by name."""
    grid = steps.turn.grid(next(iter(grids.values())))
    data = {name: metatensor_on(torch.empty((1, *grid.shape), device="meta"), grid) for name in steps.names}
    if steps.joined:
        data = {IMAGE: metatensor_on(torch.empty((len(steps.names), *grid.shape), device="meta"), grid)}
    cut = False
    for name, step in steps.rest:
        by_values = _BY_VALUES.search(name) is not None
        made = _passed(step, data) or (None if by_values else _planned(step, data))
        cut = cut or (by_values and made is None)
        data = data if made is None else made
    image = data[IMAGE] if IMAGE in data else data[steps.names[0]]
    channels = max(steps.repeat, int(image.shape[0])) + steps.zeros
    a, b, c = (int(n) for n in image.shape[1:])
    return Foreseen(shape=(a, b, c), channels=channels, cut=cut)


def _passed(step: Callable[[Any], Any], data: dict[str, Any]) -> dict[str, Any] | None:
    """What a step leaves of shapes; None where it needs values."""
    try:
        return dict(step(dict(data)))
    except (*FAILURES, KeyError):
        return None


def _planned(step: Callable[..., Any], data: dict[str, Any]) -> dict[str, Any] | None:
    """What a step says that it would leave, of MONAI's that can be put off; None for all others.

    It is given images of one value that takes no memory: some compare where they lie with where they are to lie.
    """
    given = {key: MetaTensor(torch.zeros(1).expand(image.shape), affine=image.affine) for key, image in data.items()}
    try:
        made = dict(step(given, lazy=True))
    except (*FAILURES, KeyError):
        return None
    return {key: _empty(image) for key, image in made.items() if isinstance(image, MetaTensor)}


def _empty(image: Any) -> Any:
    shape = (image.shape[0], *image.peek_pending_shape())
    return MetaTensor(torch.empty(shape, device="meta"), affine=image.peek_pending_affine())


def _named(names: tuple[str, ...], grids: Mapping[str, Geometry]) -> dict[str, Geometry]:
    """The first image is what the model names first: all others are brought onto its grid."""
    return {names[0]: grids.get(names[0], next(iter(grids.values())))}


def _framed(adapted: Adapted) -> Foreseen | None:
    """What a model sees that frames its images by itself; None for all others."""
    entry = adapted.manifest.framing
    if entry is None:
        return None
    close = Framing.from_entry(entry, file=adapted.file).close_shape
    a, b, c = close
    return Foreseen(shape=(a, b, c), channels=max(1, adapted.format.channels))


def _planned_windows(adapted: Adapted, seen: Foreseen, folds: tuple[str, ...]) -> tuple[WindowPlan, Shadow]:
    """The windows of a run, and a network without values that can be asked about them."""
    post, inferer = adapted.postprocessing(), adapted.inferer()
    manifest = adapted.manifest

    def load(file: str) -> Any:
        bare = as_without_marks(_bare(adapted), manifest.ref.labels)
        if bare is None or post.joining is None:
            return bare
        return LabelsAlone(bare, post.joining, file=adapted.file)

    made = load_folds(load, manifest.folds, folds, kind=kind_of(post))
    network = load(manifest.ref.weights) if made is None else made
    shadow = Shadow.of(network, channels=seen.channels, across=inferer.across)
    divisor = 1 if manifest.framing else adapted.format.divisor
    return inferer.plan(seen.shape, shadow=shadow, divisor=divisor, ledger=Ledger()), shadow


def _work(
    adapted: Adapted, seen: Foreseen, source: Triple, *, windows: tuple[WindowPlan, Shadow], samples: bool
) -> Workload:
    post, (plan, shadow) = adapted.postprocessing(), windows
    layout = budget.Layout(
        shape=seen.shape,
        source=source,
        inputs=seen.channels,
        classes=shadow.classes(plan.roi) or max((value for value, _ in adapted.manifest.ref.labels), default=1) + 1,
        exclusive=post.exclusive,
        kept=OF_SAMPLES if samples else 0,
    )
    return work_of(*budget.laid(plan, layout, shadow.cost(plan.roi), nearest=post.nearest))


def _bare(adapted: Adapted) -> Any:
    """The network without its weights: shapes alone; None where only the weights' own file says what it is."""
    definition = adapted.manifest.config.get(NETWORK)
    if isinstance(definition, dict) and definition.get("_target_") == TORCHSCRIPT:
        return None
    try:
        with torch.device("meta"):
            return adapted.make(NETWORK)
    except BundleError:
        return adapted.make(NETWORK)  # one that computes with its first values
