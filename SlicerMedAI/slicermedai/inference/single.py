"""Tasks that look once and answer with boxes or with labels of the whole image."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from slicermedai.bundles.folds import chosen_folds, in_words, unasked
from slicermedai.bundles.manifest import Manifest
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.codes import Code, Label
from slicermedai.domain.estimate import Workload
from slicermedai.domain.finding import Box
from slicermedai.domain.provenance import Step
from slicermedai.domain.volume import LabelMap, Volume
from slicermedai.errors import BundleError, InputError
from slicermedai.inference.adapter.adapt import NETWORK, Adapted, adapt
from slicermedai.inference.adapter.inputs import matched
from slicermedai.inference.adapter.post import LOGITS
from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.adapter.scripts import surroundings
from slicermedai.inference.device import choose_device, reproducible
from slicermedai.inference.folds import kind_of, load_folds
from slicermedai.inference.metatensor import geometry_of
from slicermedai.inference.network import load_network
from slicermedai.inference.outcome import Checks, machine, manifest_of, sized, told
from slicermedai.inference.pictures import as_wanted, is_colour, side_of
from slicermedai.inference.runner import is_out_of_memory, refuse_probabilities
from slicermedai.inference.setting import NetworkLoader
from slicermedai.inference.shadow import scores_of
from slicermedai.inference.task import FoundRegion, Listeners, Prediction, RunSettings

_FAILURES = (RuntimeError, ValueError, TypeError, KeyError, AttributeError, IndexError, MemoryError)
DETECTOR, DETECTOR_STEPS = "detector", "detector_ops"


@dataclass(slots=True, eq=False)
class Look:
    """One look of one bundle at its images; ``side`` is that of the body part, where they are pictures of one."""

    manifest: Manifest
    device: str
    listeners: Listeners
    load: NetworkLoader
    folds: tuple[str, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    steps: list[Step] = field(default_factory=list)
    regions: list[FoundRegion] = field(default_factory=list)
    side: Code | None = None

    @contextlib.contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[None]:
        """Times a step and tells of it."""
        self.listeners.progress(name, 0.0)
        start = time.perf_counter()
        yield
        self.steps.append(Step(name=name, detail=detail, seconds=time.perf_counter() - start))
        self.listeners.progress(name, 1.0)

    def prepared(self, adapted: Adapted, inputs: Mapping[str, Volume], *, flat: bool) -> Any:
        """The network's input: (channels, a, b, c) MetaTensor, or (channels, a, b) of a flat image."""
        steps = replace(adapted.steps(colour=is_colour(inputs)), flat=flat)
        with self.step("prepare", ", ".join(steps.done)):
            return steps.apply(matched(steps.names, inputs))

    def network(self, adapted: Adapted, *, kind: str = "") -> Any:
        """The network with its weights, on the device; several folds are one, if their answers have a mean (``kind``).

        Raises :class:`InputError` where they have none.
        """
        if len(self.folds) > 1 and not kind:
            raise InputError("boxes of several folds are not joined", attribute="folds", advice="Choose one fold.")
        with self.step("load network", in_words(self.manifest.folds, self.folds)):
            made = load_folds(lambda file: self._load(adapted, file), self.manifest.folds, self.folds, kind=kind)
            return self._load(adapted, self.manifest.ref.weights) if made is None else made

    def _load(self, adapted: Adapted, weights: str) -> Any:
        return self.load(adapted.manifest, part=NETWORK, weights=weights, device=self.device)

    def add(self, value: int, region: Box | None, score: float) -> None:
        """Note a region; raises :class:`BundleError` for a value without a coded label."""
        label = dict(self.manifest.ref.labels).get(value)
        if label is None:
            raise BundleError(f"output {value} has no coded label", file=self.manifest.ref.path, attribute="labels")
        self.regions.append(FoundRegion(value=value, label=self._sided(label), region=region, raw_score=score))

    def _sided(self, label: Label) -> Label:
        """The label with the side of the picture; a side of its own stays, and is held against the picture's."""
        if label.modifier is None or self.side is None:
            return replace(label, modifier=label.modifier or self.side)
        if label.modifier != self.side:
            self.ledger.warn(f"{label.name} is of another side than the picture's header says")
        return label


@contextlib.contextmanager
def said(file: str) -> Iterator[None]:
    """Failures of a network, in words."""
    try:
        yield
    except _FAILURES as error:
        if is_out_of_memory(error):
            raise InputError("memory ran out", attribute="memory", advice="Use a machine with more memory.") from error
        raise BundleError(
            f"the network failed ({type(error).__name__}: {error})", file=file, attribute=NETWORK
        ) from error


@dataclass(frozen=True, slots=True)
class Detection:
    """A :class:`~slicermedai.inference.task.Task` for MONAI's detectors: boxes along the voxels of the network's grid.

    Scores are the detector's own. Boxes of all windows go through one non-maximum suppression, as the bundle sets it.
    """

    load: NetworkLoader = load_network

    def predict(
        self, ref: BundleRef, inputs: Mapping[str, Volume], *, settings: RunSettings, listeners: Listeners
    ) -> Prediction:
        """See :meth:`~slicermedai.inference.task.Task.predict`."""
        return _predicted(self, ref, inputs, settings=settings, listeners=listeners)

    def look(self, look: Look, adapted: Adapted, inputs: Mapping[str, Volume]) -> None:
        """Fill ``look.regions``."""
        if DETECTOR not in adapted.manifest.config:
            raise BundleError("has no detector", file=adapted.file, attribute=DETECTOR)
        tensor = look.prepared(adapted, inputs, flat=False)
        detector = adapted.make(DETECTOR)
        if DETECTOR_STEPS in adapted.manifest.config:
            adapted.make(DETECTOR_STEPS)
        detector.network = look.network(adapted)
        detector.eval()
        seen = _count_windows(detector.network, look)
        shape = tuple(int(n) for n in tensor.shape[1:])
        with look.step("detect", f"{type(detector).__name__}, {'x'.join(map(str, shape))} voxels"), said(adapted.file):
            image = tensor.as_tensor()[None].to(look.device)
            with torch.inference_mode():
                found = detector(image, use_inferer=_is_larger(detector, shape))[0]
        seen.remove()
        self._boxes(look, detector, found, geometry_of(tensor))

    def _boxes(self, look: Look, detector: Any, found: Mapping[str, Any], grid: Any) -> None:
        boxes = found[detector.target_box_key].float().cpu().numpy()
        labels, scores = (found[k].cpu().numpy() for k in (detector.target_label_key, detector.pred_score_key))
        for n in np.argsort(-scores, kind="stable"):
            start, stop = boxes[n][:3], boxes[n][3:]
            if (stop > start).all():
                look.add(int(labels[n]) + 1, Box.along(grid, start, stop), float(scores[n]))


@dataclass(frozen=True, slots=True)
class Classification:
    """A :class:`~slicermedai.inference.task.Task` whose findings have no region.

    Where classes exclude each other (softmax) the likeliest is found; else every one from the bundle's threshold on.
    Class k of the network is the label of value k + 1.
    """

    load: NetworkLoader = load_network

    def predict(
        self, ref: BundleRef, inputs: Mapping[str, Volume], *, settings: RunSettings, listeners: Listeners
    ) -> Prediction:
        """See :meth:`~slicermedai.inference.task.Task.predict`."""
        return _predicted(self, ref, inputs, settings=settings, listeners=listeners)

    def look(self, look: Look, adapted: Adapted, inputs: Mapping[str, Volume]) -> None:
        """Fill ``look.regions``."""
        flat, post = adapted.dimensions == 2, adapted.postprocessing()
        if flat and any(volume.geometry.shape[0] > 1 for volume in inputs.values()):
            raise InputError("the model looks at single images", attribute="NumberOfSlices", advice="Choose one image.")
        image = look.prepared(adapted, inputs, flat=flat)
        network = look.network(adapted, kind=kind_of(post))
        with look.step("classify", "x".join(map(str, image.shape[1:]))), said(adapted.file):
            given = torch.as_tensor(image)[None].to(look.device)
            with torch.inference_mode():
                scores = scores_of(network(given))[0].float().cpu().reshape(-1)
        if post.assumed:
            refuse_probabilities(scores[None])
        if post.outputs == LOGITS:
            scores = torch.softmax(scores, 0) if post.exclusive and len(scores) > 1 else torch.sigmoid(scores)
        if post.exclusive and len(scores) > 1:
            best = int(scores.argmax())
            look.add(best + 1, None, float(scores[best]))
            return
        for number in torch.nonzero(scores >= post.threshold).flatten().tolist():
            look.add(number + 1, None, float(scores[number]))


def _predicted(
    task: Detection | Classification,
    ref: BundleRef,
    inputs: Mapping[str, Volume],
    *,
    settings: RunSettings,
    listeners: Listeners,
) -> Prediction:
    manifest, device = manifest_of(ref), choose_device(settings.device)
    if settings.prompts:
        raise InputError("the model takes no points or boxes", attribute="prompts", advice="Run it without them.")
    folds = chosen_folds(manifest.folds, settings.folds, title=ref.title)
    look = Look(manifest=manifest, device=device.name, listeners=listeners, load=task.load, folds=folds)
    with reproducible(settings, device), surroundings(Path(ref.path), look.ledger):
        adapted = adapt(manifest, look.ledger)
        checks = Checks.of(manifest, inputs, settings, flat=adapted.dimensions == 2)
        look.side = side_of(inputs)
        task.look(look, adapted, as_wanted(manifest, inputs, asked=settings.pixel_values, ledger=look.ledger))
        threads = torch.get_num_threads()
    report, first = look.ledger.report(), next(iter(inputs.values())).geometry
    scores: dict[int, float | None] = {value: None for value, _ in ref.labels}
    for found in look.regions:
        scores[found.value] = max(scores[found.value] or 0.0, found.raw_score or 0.0)
    return Prediction(
        label_map=LabelMap(array=np.broadcast_to(np.uint8(0), first.shape), geometry=first),
        labels=ref.labels,
        scores=tuple(sorted(scores.items())),
        regions=tuple(look.regions),
        steps=(*told(report), *look.steps),
        precision="float32",
        seed=settings.seed,
        threads=threads,
        warnings=(*checks.warnings, *report.warnings),
        unchecked=(*checks.unchecked, *unasked(manifest.folds, folds)),
        folds=folds,
        compatibility=report,
        workload=sized(Workload(), inputs),
        **machine(device),
    )


def _count_windows(network: Any, look: Look) -> Any:
    """Tells of every window before it starts, so that the run can be stopped there."""
    done = 0

    def before(*_: Any) -> None:
        nonlocal done
        look.listeners.progress("detect", min(0.9, done / (done + 4)))
        done += 1

    return network.register_forward_pre_hook(before)


def _is_larger(detector: Any, shape: tuple[int, ...]) -> bool:
    """True where the image is larger than the detector's windows, so that it must go window by window."""
    inferer = getattr(detector, "inferer", None)
    roi = getattr(inferer, "roi_size", None)
    if roi is None:
        return False
    sizes = list(roi) if isinstance(roi, (list, tuple)) else [roi] * len(shape)
    return any(n > r for n, r in zip(shape, sizes, strict=True))
