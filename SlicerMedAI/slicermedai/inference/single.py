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
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.provenance import Step
from slicermedai.domain.volume import LabelMap, Volume
from slicermedai.errors import BundleError, InputError
from slicermedai.inference.adapter.adapt import NETWORK, Adapted, adapt
from slicermedai.inference.adapter.inputs import matched
from slicermedai.inference.adapter.post import LOGITS
from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.adapter.scripts import surroundings
from slicermedai.inference.box_origins import watch, watching
from slicermedai.inference.device import choose_device, reproducible
from slicermedai.inference.explaining import NOTHING_TO_EXPLAIN, check_target, saliency_on
from slicermedai.inference.folds import MEAN, kind_of, load_folds
from slicermedai.inference.fused import FoldBoxes, fused, most_asked, overlap_asked
from slicermedai.inference.metatensor import geometry_of, grid_of
from slicermedai.inference.network import load_network
from slicermedai.inference.not_a_number import watch_numbers
from slicermedai.inference.outcome import Checks, machine, manifest_of, sized, told
from slicermedai.inference.pictures import as_wanted, is_colour, side_of
from slicermedai.inference.runner import is_out_of_memory, refuse_probabilities
from slicermedai.inference.saliency_box import LookedBoxes, SeenBox, plan_of
from slicermedai.inference.saliency_label import LookedAtWhole
from slicermedai.inference.saliency_question import Asked
from slicermedai.inference.setting import NetworkLoader
from slicermedai.inference.shadow import scores_of
from slicermedai.inference.task import FoundRegion, Listeners, Prediction, RunSettings, SaliencyVolume

_FAILURES = (RuntimeError, ValueError, TypeError, KeyError, AttributeError, IndexError, MemoryError)
DETECTOR, DETECTOR_STEPS = "detector", "detector_ops"
_JOINED = "Saliency: not made, since the boxes are joined from several folds, each with a score of its own."


@dataclass(slots=True, eq=False)
class Look:
    """One look of one bundle at its images; ``side`` is that of the body part, where they are pictures of one.

    ``target`` is the grid of the first image: a map of saliency is brought there.
    """

    manifest: Manifest
    device: str
    listeners: Listeners
    load: NetworkLoader
    target: Geometry
    folds: tuple[str, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    steps: list[Step] = field(default_factory=list)
    regions: list[FoundRegion] = field(default_factory=list)
    scores: dict[int, float] = field(default_factory=dict)
    side: Code | None = None
    saliency: SaliencyVolume | None = None
    unchecked: list[str] = field(default_factory=list)

    @property
    def labels(self) -> tuple[tuple[int, Label], ...]:
        """As findings have them: with the side of the picture, where they have none of their own."""
        known = self.manifest.ref.labels
        return tuple((value, replace(label, modifier=label.modifier or self.side)) for value, label in known)

    @property
    def is_asked_again(self) -> bool:
        """True where somebody wants a map of what spoke for the answer, or all that the look leaves."""
        return bool(self.listeners.saliency) or self.listeners.probe is not None

    @contextlib.contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[list[str]]:
        """Times a step and tells of it; words that the block appends are added to its detail."""
        self.listeners.progress(name, 0.0)
        start, words = time.perf_counter(), [detail] if detail else []
        yield words
        self.steps.append(Step(name=name, detail="; ".join(words), seconds=time.perf_counter() - start))
        self.listeners.progress(name, 1.0)

    def ask_again(self, looked: Asked | None) -> None:
        """For those who want a map of what spoke for the answer; None where the detector cannot be asked."""
        if looked is None:
            why_not = "nothing is known of where this kind of detector takes its scores from"
            self.unchecked += [f"Saliency: not made, since {why_not}."] if self.listeners.saliency else []
            return
        if self.listeners.probe is not None:
            self.listeners.probe(looked)
        if self.listeners.saliency:
            with self.step("saliency") as words:
                self.saliency, why_not = saliency_on(self.target, looked, self.listeners)
                words.append(why_not or "raw maps, one scale for all")
                self.unchecked += [f"Saliency: not made, since {why_not}."] if why_not else []

    def prepared(self, adapted: Adapted, inputs: Mapping[str, Volume], *, flat: bool) -> Any:
        """The network's input: (channels, a, b, c) MetaTensor, or (channels, a, b) of a flat image."""
        steps = replace(adapted.steps(colour=is_colour(inputs)), flat=flat)
        if any(rule.rule == "prompts" for rule in self.ledger.applied):
            raise BundleError(
                "its answer is about what a person marks, and marks are taken for segmentations alone",
                file=adapted.file,
                attribute="preprocessing",
            )
        with self.step("prepare", ", ".join(steps.done)):
            return steps.apply(matched(steps.names, inputs))

    def network(self, adapted: Adapted, *, kind: str = MEAN) -> Any:
        """The network with its weights, on the device; several folds are one that gives the mean of their answers."""
        with self.step("load network", in_words(self.manifest.folds, self.folds)):
            made = load_folds(lambda file: self._load(adapted, file), self.manifest.folds, self.folds, kind=kind)
            return self._load(adapted, self.manifest.ref.weights) if made is None else made

    def networks(self, adapted: Adapted, *, how: str) -> list[Any]:
        """Of every fold that is asked, each by itself, on the device; ``how`` says how their answers become one."""
        folds = self.manifest.folds
        assert folds is not None
        with self.step("load network", in_words(folds, self.folds, how=how)):
            return [self._load(adapted, folds.file(name)) for name in self.folds]

    def _load(self, adapted: Adapted, weights: str) -> Any:
        network = self.load(adapted.manifest, part=NETWORK, weights=weights, device=self.device)
        watch_numbers(network)
        return network

    def add(self, value: int, region: Box | None, score: float, *, folds: tuple[str, ...] = ()) -> None:
        """Note a region, and which folds found it; raises :class:`BundleError` for a value without a coded label."""
        label = dict(self.manifest.ref.labels).get(value)
        if label is None:
            raise BundleError(f"output {value} has no coded label", file=self.manifest.ref.path, attribute="labels")
        made = FoundRegion(value=value, label=self._sided(label), region=region, raw_score=score, folds=folds)
        self.regions.append(made)

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

    Scores are the detector's own. Boxes of all windows go through one non-maximum suppression, as the bundle sets it;
    those of several folds are joined (:mod:`.fused`).
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
            raise BundleError(
                "has no entry of that name, and no other way to find boxes is known here",
                file=adapted.file,
                attribute=DETECTOR,
                advice="If it gives labels to whole images, import it with --task classification.",
            )
        tensor = look.prepared(adapted, inputs, flat=False)
        detector = adapted.make(DETECTOR)
        if DETECTOR_STEPS in adapted.manifest.config:
            adapted.make(DETECTOR_STEPS)
        if len(look.folds) > 1:
            _fuse(look, adapted, detector, tensor)
        else:
            detector.network = look.network(adapted)
            self._once(look, adapted, detector, tensor)

    def _once(self, look: Look, adapted: Adapted, detector: Any, tensor: Any) -> None:
        shape, windowed = tuple(int(n) for n in tensor.shape[1:]), _is_larger(detector, tuple(tensor.shape[1:]))
        seen = watch(detector) if look.is_asked_again else None
        with watching(seen):
            with look.step("detect", _of_detector(detector, shape)):
                found = _asked(look, adapted, detector, tensor)
            grid = geometry_of(tensor)
            boxes = self._boxes(look, detector, found, grid)
            if look.is_asked_again and not boxes:
                look.unchecked += [NOTHING_TO_EXPLAIN] if look.listeners.saliency else []
            elif look.is_asked_again:
                look.ask_again(None if seen is None else LookedBoxes(
                    image=seen.image, grid=grid, module=detector.network, device=look.device, boxes=tuple(boxes),
                    labels=look.manifest.ref.labels, plan=plan_of(detector.inferer, shape) if windowed else None,
                    seen=seen,
                ))  # fmt: skip

    def _boxes(self, look: Look, detector: Any, found: Mapping[str, Any], grid: Geometry) -> list[SeenBox]:
        """Fill ``look.regions``, the surest first; the same boxes as the detector gave them."""
        given = found[detector.target_box_key].float().cpu()
        labels, scores = (found[k].cpu() for k in (detector.target_label_key, detector.pred_score_key))
        boxes = given.numpy()
        made = []
        for n in np.argsort(-scores.numpy(), kind="stable"):
            start, stop = boxes[n][:3], boxes[n][3:]
            if (stop > start).all():
                value = int(labels[n]) + 1
                look.add(value, Box.along(grid, start, stop), float(scores[n]))
                made.append(SeenBox(value=value, box=given[n], label=int(labels[n]), score=scores[n]))
        return made


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
        if post.joining is not None:
            raise BundleError(
                f"its step {post.joining.step} joins masks, and it is said to give labels to whole images",
                file=adapted.file,
                attribute="postprocessing",
            )
        if flat and any(volume.geometry.shape[0] > 1 for volume in inputs.values()):
            raise InputError("the model looks at single images", attribute="NumberOfSlices", advice="Choose one image.")
        image = look.prepared(adapted, inputs, flat=flat)
        network = look.network(adapted, kind=kind_of(post))
        plain = image.as_tensor()
        with look.step("classify", "x".join(map(str, plain.shape[1:]))), said(adapted.file):
            given = plain[None].to(look.device)
            with torch.inference_mode():
                scores = scores_of(network(given))[0].float().cpu().reshape(-1)
        if post.assumed:
            refuse_probabilities(scores[None])
        if post.outputs == LOGITS:
            scores = torch.softmax(scores, 0) if post.exclusive and len(scores) > 1 else torch.sigmoid(scores)
        look.scores |= {number: float(score) for number, score in enumerate(scores, 1)}
        one_alone = post.exclusive and len(scores) > 1
        found = [int(scores.argmax())] if one_alone else torch.nonzero(scores >= post.threshold).flatten().tolist()
        for number in found:
            look.add(number + 1, None, float(scores[number]))
        if look.is_asked_again:
            best = max(found, key=lambda number: float(scores[number]), default=-1) + 1
            look.ask_again(
                LookedAtWhole(
                    image=plain[..., None] if flat else plain,
                    grid=grid_of(image),
                    module=network,
                    device=look.device,
                    across=2 if flat else None,
                    post=post,
                    labels=look.labels,
                    best=best,
                )
            )


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
    check_target(ref, listeners)
    first = next(iter(inputs.values())).geometry
    look = Look(manifest, device.name, listeners, task.load, first, folds=folds)
    with reproducible(settings, device), surroundings(Path(ref.path), look.ledger):
        adapted = adapt(manifest, look.ledger)
        checks = Checks.of(manifest, inputs, settings, flat=adapted.dimensions == 2)
        look.side = side_of(inputs)
        task.look(look, adapted, as_wanted(manifest, inputs, asked=settings.pixel_values, ledger=look.ledger))
        threads = torch.get_num_threads()
    report = look.ledger.report()
    scores: dict[int, float | None] = {value: look.scores.get(value) for value, _ in ref.labels}
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
        unchecked=(*checks.unchecked, *look.unchecked, *unasked(manifest.folds, folds)),
        folds=folds,
        compatibility=report,
        saliency=look.saliency,
        workload=sized(Workload(), inputs),
        **machine(device),
    )


def _fuse(look: Look, adapted: Adapted, detector: Any, tensor: Any) -> None:
    """Fill ``look.regions`` with what several folds found, each asked by itself."""
    overlap, most, count = overlap_asked(detector), most_asked(detector), len(look.folds)
    networks, grid, answers = look.networks(adapted, how="their boxes joined"), geometry_of(tensor), []
    with look.step("detect", _of_detector(detector, tuple(tensor.shape[1:]))) as words:
        for number, name in enumerate(look.folds):
            detector.network = networks[number]
            found = _asked(look, adapted, detector, tensor, part=(number, count))
            answers.append(FoldBoxes.of(detector, found, file=adapted.file))
            words.append(f"{len(answers[-1].scores)} boxes of fold {name}")
    with look.step("join boxes", f"weighted boxes fusion, from an overlap of {overlap:g} on") as words:
        made = fused(answers, overlap=overlap)
        words.append(f"{len(made)} boxes; scores are means over {count} folds, one that found nothing counting 0")
    if most is not None and len(made) > most:
        look.ledger.warn(f"the folds found {len(made)} boxes; the {most} surest are kept, as many as the model allows")
    for one in made[:most]:
        by = tuple(name for number, name in enumerate(look.folds) if number in one.scores)
        look.add(one.label + 1, Box.along(grid, one.box[:3], one.box[3:]), one.score(count), folds=by)
    look.unchecked += [_JOINED] if look.listeners.saliency else []


def _asked(
    look: Look, adapted: Adapted, detector: Any, tensor: Any, *, part: tuple[int, int] = (0, 1)
) -> Mapping[str, Any]:
    """What ``detector`` answers; ``part`` is the number of this pass over the image, and how many there are."""
    detector.eval()
    told = _count_windows(detector.network, look, part)
    with said(adapted.file):
        image = tensor.as_tensor()[None].to(look.device)
        with torch.inference_mode():
            found: Mapping[str, Any] = detector(image, use_inferer=_is_larger(detector, tuple(tensor.shape[1:])))[0]
    told.remove()
    return found


def _of_detector(detector: Any, shape: tuple[int, ...]) -> str:
    return f"{type(detector).__name__}, {'x'.join(map(str, shape))} voxels"


def _count_windows(network: Any, look: Look, part: tuple[int, int]) -> Any:
    """Tells of every window before it starts, so that the run can be stopped there."""
    done, (number, count) = 0, part

    def before(*_: Any) -> None:
        nonlocal done
        look.listeners.progress("detect", (number + min(0.9, done / (done + 4))) / count)
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
