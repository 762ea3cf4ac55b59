"""One sweep of one bundle over its images: frame, prepare, run the network, bring the labels back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from slicermedai.bundles.folds import in_words
from slicermedai.bundles.manifest import Manifest
from slicermedai.domain.estimate import Workload
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.provenance import Step
from slicermedai.domain.volume import LabelMap, Volume
from slicermedai.errors import BundleError
from slicermedai.inference import budget, free_memory
from slicermedai.inference.adapter.adapt import NETWORK, Adapted, adapt
from slicermedai.inference.adapter.inputs import matched
from slicermedai.inference.adapter.joining import LabelsAlone
from slicermedai.inference.adapter.post import PROBABILITIES, Postprocessing
from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.adapter.scripts import surroundings
from slicermedai.inference.adapter.steps import Steps
from slicermedai.inference.again import Answered, Asking, Flips, ask_again
from slicermedai.inference.back import Answer, WayBack, empty_labels
from slicermedai.inference.collect import Collector, Wanted
from slicermedai.inference.dropout import Draws, dropout_in_use
from slicermedai.inference.explaining import NOTHING_TO_EXPLAIN, saliency_on
from slicermedai.inference.features import Features, features_of
from slicermedai.inference.folds import Members, kind_of, load_folds
from slicermedai.inference.framer import Framer
from slicermedai.inference.limits import boxes_of, limited, without_voxels
from slicermedai.inference.marked import Places, check_marked, check_taken, classes_of
from slicermedai.inference.marks import Mark, marks_of
from slicermedai.inference.metatensor import geometry_of
from slicermedai.inference.pointed import has_gaps, takes_places, without_places
from slicermedai.inference.runner import GOLDEN, Runner, golden_window, has_bfloat16, refuse_probabilities, shown_by
from slicermedai.inference.setting import Setting
from slicermedai.inference.shadow import Shadow
from slicermedai.inference.task import DROPOUT, FoundRegion, SaliencyVolume, ScoreVolume
from slicermedai.inference.windows import Triple, WindowPlan, sweep

Network = Callable[[torch.Tensor], torch.Tensor]
Alone = Callable[[Any], Any]
"""From a network as it was loaded to what is called without marks."""
OF_SAMPLES = 6
"""Values of 16 bits for each voxel that further answers take: one answer, its counts, and what they make together."""


@dataclass(slots=True, eq=False)
class Sweep:
    """Runs once; afterwards the fields say what was done and found."""

    setting: Setting
    ledger: Ledger = field(default_factory=Ledger)
    steps: list[Step] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    scores: dict[int, float | None] = field(default_factory=dict)
    regions: list[FoundRegion] = field(default_factory=list)
    kept: ScoreVolume | None = None
    saliency: SaliencyVolume | None = None
    unchecked: list[str] = field(default_factory=list)
    features: Features = field(default_factory=Features)
    marks: tuple[Mark, ...] = ()
    precision: str = "float32"
    workload: Workload | None = None

    def run(self, inputs: Mapping[str, Volume]) -> LabelMap:
        """Exclusive labels on the grid of the first image that the bundle names; what overlaps is in ``regions``."""
        with surroundings(Path(self._file), self.ledger):
            adapted = adapt(self.setting.manifest, self.ledger, marked=bool(self.setting.prompts))
            steps = adapted.steps()
            volumes = matched(steps.names, inputs)
            first = volumes[steps.names[0]]
            self.marks = marks_of(self.setting.prompts, self._labels, first.geometry)
            check_marked(steps, self.marks, file=self._file)
            framer = Framer(
                manifest=self.setting.manifest,
                device=self.setting.device,
                load=partial(self._network, adapted),
                timed=self._step,
                warnings=self.warnings,
            )
            image = framer.images(adapted, volumes)
            if image is None:
                self.scores = {value: None for value, _ in self._labels}
                self.unchecked += [NOTHING_TO_EXPLAIN] if self.setting.listeners.saliency else []
                return empty_labels(first.geometry)
            return self._segmented(adapted, steps, image, first)

    @property
    def _file(self) -> str:
        return self.setting.manifest.ref.path

    @property
    def _labels(self) -> tuple[tuple[int, Any], ...]:
        return self.setting.manifest.ref.labels

    @contextlib.contextmanager
    def _step(self, name: str, detail: str = "") -> Iterator[list[str]]:
        """Times a step; words that the block appends are added to its detail."""
        self.setting.listeners.progress(name, 0.0)
        start, words = time.perf_counter(), [detail] if detail else []
        yield words
        self.steps.append(Step(name=name, detail="; ".join(words), seconds=time.perf_counter() - start))
        self.setting.listeners.progress(name, 1.0)

    # --- network -----------------------------------------------------------------------------------------------

    def _segmented(self, adapted: Adapted, steps: Steps, volumes: dict[str, Volume], first: Volume) -> LabelMap:
        post, inferer = adapted.postprocessing(), adapted.inferer()
        with self._step("prepare", ", ".join(steps.done)):
            tensor = replace(steps, marks=self.marks).apply(volumes, memory=self.setting.memory)
            grid, image = geometry_of(tensor), tensor.as_tensor()
            del tensor
        with self._step("load network", in_words(self.setting.manifest.folds, self.setting.folds)):
            alone = partial(self._alone, adapted, steps, post)
            network = self._networks(adapted, post, alone)
            check_taken(network, steps, self.marks, file=self._file)
        if takes_places(network):
            classes, roi = classes_of(adapted, steps), inferer.own_window or grid.shape
            asked = Places(self.setting, post, network, classes, roi, image, grid, first.geometry, self._step)
            self.precision = asked.precision
            return self._taken(asked.answer(self.marks))
        with self._step("plan") as words:
            shadow = self.setting.memory.once(
                "shadow", partial(Shadow.of, network, channels=image.shape[0], across=inferer.across)
            )
            divisor = 1 if adapted.manifest.framing else adapted.format.divisor
            plan = inferer.plan(grid.shape, shadow=shadow, divisor=divisor, ledger=self.ledger)
            plan, wanted = self._planned(plan, post, shadow, (grid.shape, first.geometry.shape, image.shape[0]), words)
        runner = Runner(network, self.setting.device, inferer.across, warn=self.warnings.append)
        self.features = self._features(shadow, inferer.own_window or plan.roi, plan)
        del shadow
        self._choose_precision(runner, image, plan)
        asking = self._asking(adapted, runner, golden_window(image, plan.roi), alone)
        with self.features.watching(network):
            found = self._swept(image, grid, _looked_at(runner) if post.assumed else runner, plan=plan, wanted=wanted)
        answered = Answered(
            image=image,
            grid=grid,
            network=runner,
            plan=plan,
            post=post,
            found=found,
            module=runner.network,
            device=runner.device,
            across=inferer.across,
            labels=self._labels,
        )
        self._ask_again(answered, first.geometry, asking)
        del answered, asking, image, network, runner
        return self._brought_back(found, WayBack(
            manifest=self.setting.manifest, post=post, grid=grid, source=first.geometry, timed=self._step,
            boxes=boxes_of(self.marks),
        ))  # fmt: skip

    def _features(self, shadow: Shadow, window: Triple, plan: WindowPlan) -> Features:
        """Of the layer for ``window``; of that for the plan's own where the network does not answer such a one."""
        if not self.setting.listeners.features:
            return Features()
        return features_of(shadow, window if shadow.fits(window) else plan.roi)

    def _brought_back(self, found: Collector, way: WayBack) -> LabelMap:
        if found.kept:
            array = np.stack(list(found.kept.values()))
            self.kept = ScoreVolume(array=array, geometry=way.grid, values=tuple(found.kept))
        return self._taken(way.answer(found))

    def _taken(self, found: Answer) -> LabelMap:
        self.scores, self.regions = found.scores, found.regions
        self.warnings += [*found.warnings, *without_voxels(self.marks, {one.value for one in found.regions})]
        return found.labels

    def _network(self, adapted: Adapted, part: str, weights: str) -> Any:
        return self.setting.load(adapted.manifest, part=part, weights=weights, device=self.setting.device)

    def _alone(self, adapted: Adapted, steps: Steps, post: Postprocessing, network: Any) -> Any:
        """A network that takes places as a run without any mark calls it; others as they are, without idle channels."""
        if post.joining is not None:
            return LabelsAlone(network, post.joining, file=self._file)
        if self.marks or not takes_places(network):
            return network
        return without_places(network, classes_of(adapted, steps), [v for v, _ in self._labels], file=self._file)

    def _networks(self, adapted: Adapted, post: Postprocessing, alone: Alone) -> Any:
        """The network, or the folds that were chosen as one."""

        def load(weights: str) -> Any:
            return alone(self._network(adapted, NETWORK, weights))

        made = load_folds(load, self.setting.manifest.folds, self.setting.folds, kind=kind_of(post))
        return load(self.setting.manifest.ref.weights) if made is None else made

    def _planned(
        self,
        plan: WindowPlan,
        post: Postprocessing,
        shadow: Shadow,
        sizes: tuple[Triple, Triple, int],
        words: list[str],
    ) -> tuple[WindowPlan, Wanted]:
        """The plan that fits into memory, and what is kept; refused where none does."""
        listeners = self.setting.listeners
        classes = shadow.classes(plan.roi) or max((value for value, _ in self._labels), default=1) + 1
        layout = budget.Layout(
            shape=sizes[0],
            source=sizes[1],
            inputs=sizes[2],
            classes=classes,
            exclusive=post.exclusive,
            kept=len(listeners.keep_probabilities) + (OF_SAMPLES if listeners.samples else 0),
        )
        cost = shadow.cost(plan.roi)
        plan, layout, need = budget.laid(plan, layout, cost, nearest=post.nearest)
        free = free_memory.available()
        if need.total > free and plan.batch > 1:
            plan = replace(plan, batch=1)
            need = budget.need_of(plan, layout, cost)
            words.append("one window at a time, for lack of memory")
        budget.check(need, free=free)
        words.append(f"{plan.count(sizes[0])} windows of {'x'.join(map(str, plan.roi))}, about {need.in_words}")
        if need.operations:
            words.append(f"{need.operations / 1e12:.2f} TFLOP")
        self.workload = work_of(plan, layout, need)
        return plan, Wanted(
            probabilities=post.outputs == PROBABILITIES,
            exclusive=post.exclusive,
            threshold=post.threshold,
            leads=layout.leads,
            precise=layout.precise,
            logits=post.back is not None,
            keep=listeners.keep_probabilities,
            observer=listeners.observer,
        )

    def _choose_precision(self, runner: Runner, image: torch.Tensor, plan: WindowPlan) -> None:
        """float32 as asked; "auto" takes bfloat16 where the device has it and one window agrees, and says if not."""
        asked = self.setting.precision
        if asked == "float32" or (asked == "auto" and not has_bfloat16(self.setting.device)):
            return
        with self._step("check bfloat16") as words:
            found = runner.golden(golden_window(image, plan.roi))
            words.append(f"labels in bfloat16 against float32: {shown_by(found)}, {GOLDEN:g} is asked for")
        agrees = found is not None and found >= GOLDEN
        if agrees or asked == "bfloat16":
            runner.precision = self.precision = "bfloat16"
        if not agrees:
            ran = "nevertheless it ran so, as asked" if self.precision == "bfloat16" else "it ran in float32"
            self.warnings.append(f"bfloat16 was not shown to keep this model's labels ({shown_by(found)}): {ran}")

    def _swept(
        self, image: torch.Tensor, grid: Geometry, runner: Network, *, plan: WindowPlan, wanted: Wanted
    ) -> Collector:
        collector = Collector(shape=grid.shape, wanted=wanted)
        told, observer = partial(self.setting.listeners.progress, "segment"), wanted.observer
        with self._step("segment", f"{'x'.join(map(str, grid.shape))} voxels, {self.precision}"):
            if observer is not None:
                observer.begin(grid, [value for value, _ in self._labels])
            with torch.inference_mode():
                sink = limited(collector, self.marks, grid)
                sweep(image, runner, plan, sink, before=lambda done, total: told(min(done / total, 0.99)))
            collector.finish()
            if observer is not None:
                observer.end()
        if collector.outputs == 1 and wanted.exclusive:
            self.ledger.did("one channel", "argmax of one is empty: its label is where its probability is above 0.5")
        return collector

    def _asking(self, adapted: Adapted, runner: Runner, window: torch.Tensor, alone: Alone) -> Asking:
        """How samples are taken, where somebody counts them; refused where the network cannot be asked so."""
        folds, listeners = self.setting.manifest.folds, self.setting.listeners
        if listeners.samples is not None and listeners.sampling == DROPOUT:
            title = self.setting.manifest.ref.title
            layers = dropout_in_use(runner.network, runner, window[None], title=title)
            return Draws(run=runner, layers=layers, seed=self.setting.seed)
        if not self.setting.members or folds is None:
            return Flips()
        return Members(
            names=self.setting.members,
            answered=self.setting.folds,
            load=lambda name: alone(self._network(adapted, NETWORK, folds.file(name))),
            run=lambda network: replace(runner, network=network),
        )

    def _ask_again(self, answered: Answered, target: Geometry, asking: Asking) -> None:
        """For those who want samples of the answer, or a map of what spoke for it; the answer itself stays."""
        listeners = self.setting.listeners
        _check_labels(answered.found.classes, self.setting.manifest, gaps=has_gaps(answered.module))
        if listeners.samples is not None:
            self.warnings += [UNJOINED] if answered.post.joining else []
            with self._step("uncertainty", f"{asking.what}, windows that touch the answer"):
                ask_again(answered, listeners.samples, asking, progress=listeners.progress)
        if listeners.probe is not None:
            listeners.probe(answered)
        if listeners.saliency:
            with self._step("saliency") as words:
                self.saliency, why_not = saliency_on(target, answered, listeners)
                words.append(why_not or "raw maps of windows, added up, one scale for all")
                self.unchecked += [f"Saliency: not made, since {why_not}."] if why_not else []


UNJOINED = "The samples are of each label by itself: where labels meet, a voxel that one of them gets counts for all."


def work_of(plan: WindowPlan, layout: budget.Layout, need: budget.Need) -> Workload:
    """What a sweep with ``plan`` takes, without the size of its image."""
    voxels = plan.count(layout.shape) * float(np.prod(plan.roi))
    return Workload(operations=need.operations, voxels=voxels, memory=need.total)


def _looked_at(runner: Network) -> Network:
    """``runner`` for a bundle that does not say what its network gives: its scores must not be probabilities."""

    def run(windows: torch.Tensor) -> torch.Tensor:
        scores = runner(windows)
        refuse_probabilities(scores)
        return scores

    return run


def _check_labels(classes: int, manifest: Manifest, *, gaps: bool) -> None:
    values = {value for value, _ in manifest.ref.labels}
    if values != set(range(1, classes)) and not (gaps and values <= set(range(1, classes))):
        raise BundleError(
            f"the network has {classes - 1} classes beside the background, and the coded labels are {sorted(values)}",
            file=manifest.ref.path,
            attribute="labels",
        )
