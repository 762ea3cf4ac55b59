"""What a person's marks change in a run: how the network is asked, and where its answer counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from slicermedai.bundles.manifest import Manifest
from slicermedai.domain.codes import Label
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import LabelMap
from slicermedai.errors import BundleError, InputError
from slicermedai.inference import budget
from slicermedai.inference.adapter.adapt import Adapted
from slicermedai.inference.adapter.post import Postprocessing
from slicermedai.inference.adapter.steps import FAILURES, Steps
from slicermedai.inference.back import Answer, Timed, WayBack, regions_of
from slicermedai.inference.collect import Collector, Wanted
from slicermedai.inference.limits import boxes_of, without_scores
from slicermedai.inference.marks import Mark
from slicermedai.inference.pointed import (
    NOTHING,
    AllClasses,
    Answers,
    Classes,
    Pointed,
    needs_a_mark,
    takes_classes,
    takes_places,
)
from slicermedai.inference.runner import Runner
from slicermedai.inference.setting import Setting
from slicermedai.inference.shadow import Shadow
from slicermedai.inference.task import Listeners, RunSettings
from slicermedai.inference.windows import Triple, WindowPlan

_EVERYTHING = "everything_labels"
"""Where configurations say which classes a run without marks asks for."""


def check_listeners(settings: RunSettings, listeners: Listeners) -> None:
    """Raise :class:`InputError` where samples or maps are asked for of an answer to marks."""
    if settings.prompts and (listeners.samples is not None or listeners.saliency):
        raise InputError(
            "uncertainty and saliency are not made of answers to points and boxes",
            attribute="prompts",
            advice="Run it without them.",
        )


def check_taken(network: Any, steps: Steps, marks: Sequence[Mark], *, file: str) -> None:
    """Raise :class:`InputError` where there are marks, and none are taken: by nothing, or not by several folds."""
    if marks and any(takes_places(member) for member in getattr(network, "members", ())):
        raise InputError(
            "several folds cannot be asked about points and boxes together",
            file=file,
            attribute="folds",
            advice="Choose one fold, or run it without points and boxes.",
        )
    if marks and steps.guidance is None and not takes_places(network):
        raise InputError(
            "the model takes no points or boxes", file=file, attribute="prompts", advice="Run it without them."
        )


def check_marked(steps: Steps, marks: Sequence[Mark], *, file: str) -> None:
    """Raise :class:`InputError` where there are no marks, and the network draws all from them."""
    if steps.needs_marks and not marks:
        raise needs_a_mark(file)


def classes_of(adapted: Adapted, steps: Steps) -> Classes:
    """What the configuration says of classes: in the step that reads a person's prompts, and for runs without any.

    Raises
    ------
    BundleError
        It cannot be read.
    """
    made: list[Any] = [step for _, step in steps.rest]
    special = next((step.special_index for step in made if hasattr(step, "special_index")), ())
    composed: dict[Any, Any] = next((step.subclass for step in made if getattr(step, "subclass", None)), {})
    asked = None
    try:
        if _EVERYTHING in adapted.manifest.config:
            asked = tuple(int(v) for v in adapted.parser.get_parsed_content(_EVERYTHING, instantiate=True))
        return Classes(asked=asked, composed=tuple(int(v) for v in composed), special=tuple(int(v) for v in special))
    except FAILURES as error:
        raise BundleError(
            f"cannot be read ({type(error).__name__}: {error})", file=adapted.file, attribute=_EVERYTHING
        ) from error


def as_without_marks(network: Any, labels: Sequence[tuple[int, Label]]) -> Any:
    """The network as a run without marks calls it, asked for all ``labels``; one that takes no classes as it is."""
    if not takes_classes(network):
        return network
    values = [value for value, _ in labels]
    return AllClasses(network, values, max(values) + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """A run of a ``network`` that is asked about places.

    Parameters
    ----------
    post, classes, roi:
        What becomes of its logits, what its bundle says of classes, and its window.
    image, grid, source:
        The prepared image (channels, a, b, c) and its grid, and the grid of the image that was given.
    timed:
        Times a step.

    Attributes
    ----------
    warnings:
        What had to be changed on the way.
    """

    setting: Setting
    post: Postprocessing
    network: Any
    classes: Classes
    roi: Triple
    image: torch.Tensor
    grid: Geometry
    source: Geometry
    timed: Timed
    warnings: list[str] = field(default_factory=list)

    @property
    def precision(self) -> str:
        """ "auto" looks at one window, and marks are too few to judge by: it is bfloat16 where that is asked for."""
        return "bfloat16" if self.setting.precision == "bfloat16" else "float32"

    def answer(self, marks: Sequence[Mark]) -> Answer:
        """The answer to all marks, on the grid of the source, by the model's own label values.

        Raises
        ------
        InputError
            A mark that the network cannot be asked about, or memory that is not there.
        JobCancelled
            From the progress of the listeners.
        """
        with self.timed("plan", f"windows of {'x'.join(map(str, self.roi))} around each place"):
            self._check_memory(len(marks))
        with self.timed("segment", f"{'x'.join(map(str, self.grid.shape))} voxels, {self.precision}"):
            found = self._pointed().answers(marks, self.setting.listeners.progress)
        self._warn_of_boxes(marks)
        way = WayBack(
            manifest=_renumbered(self.setting.manifest, marks),
            post=replace(self.post, clean=()),
            grid=found.grid,
            source=self.source,
            timed=self.timed,
            boxes=boxes_of(marks, numbered=True),
        )
        answer = _by_own_values(way.answer(self._collected(found, marks)), marks)
        return replace(answer, warnings=(*answer.warnings, *dict.fromkeys(self.warnings)))

    def _pointed(self) -> Pointed:
        return Pointed(
            network=self.network,
            image=self.image,
            grid=self.grid,
            roi=self.roi,
            classes=self.classes,
            ask=self._ask,
            memory=self.setting.memory,
            file=self.setting.manifest.ref.path,
        )

    def _ask(self, module: torch.nn.Module, window: torch.Tensor) -> torch.Tensor:
        return Runner(module, self.setting.device, precision=self.precision, warn=self.warnings.append)(window)

    def _collected(self, found: Answers, marks: Sequence[Mark]) -> Collector:
        for number, mask in without_scores(boxes_of(marks, numbered=True), found.grid).items():
            found.scores[number - 1][mask] = NOTHING
        layout = budget.Layout(shape=found.grid.shape, source=self.source.shape, classes=len(found.scores) + 1)
        fits, precise = budget.keeps_leads(layout)
        wanted = Wanted(leads=fits and not self.post.nearest, precise=precise)
        collector = Collector(shape=found.grid.shape, wanted=wanted)
        found.hand_to(collector)
        collector.finish()
        return collector

    def _check_memory(self, labels: int) -> None:
        plan = WindowPlan(roi=self.roi)
        layout = budget.Layout(shape=self.grid.shape, source=self.source.shape, inputs=len(self.image), kept=labels)
        cost = self.setting.memory.once("cost of a window", self._cost) if takes_classes(self.network) else None
        budget.check(budget.need_of(plan, layout, cost))

    def _cost(self) -> Any:
        asked = AllClasses(self.network, (next(value for value, _ in self.setting.manifest.ref.labels),), 2)
        return Shadow.of(asked, channels=len(self.image)).cost(self.roi)

    def _warn_of_boxes(self, marks: Sequence[Mark]) -> None:
        reach = np.asarray(self.roi) * self.grid.spacing
        for mark in marks:
            edges = [np.subtract(box.high, box.low).max() for box in mark.boxes]
            if edges and max(edges) > reach.min():
                self.warnings.append(
                    f"{mark.label.name}: a box is larger than the {reach.min():.0f} mm that the model sees at once; "
                    "only what lies around its marks was looked at"
                )


def _renumbered(manifest: Manifest, marks: Sequence[Mark]) -> Manifest:
    """With the labels that were marked alone, as 1, 2, ... in the order of ``marks``."""
    numbers = {mark.value: number for number, mark in enumerate(marks, 1)}
    labels = tuple((numbers[mark.value], mark.label) for mark in marks)
    plausible = tuple((numbers[v], low, high) for v, low, high in manifest.plausible_ml if v in numbers)
    return replace(manifest, ref=replace(manifest.ref, labels=labels), plausible_ml=plausible)


def _by_own_values(answer: Answer, marks: Sequence[Mark]) -> Answer:
    values = np.array([0, *(mark.value for mark in marks)], dtype=np.uint8 if marks[-1].value < 256 else np.uint16)
    label_map = LabelMap(array=values[answer.labels.array], geometry=answer.labels.geometry)
    scores = {mark.value: answer.scores.get(number) for number, mark in enumerate(marks, 1)}
    labels = tuple((mark.value, mark.label) for mark in marks)
    return replace(answer, labels=label_map, scores=scores, regions=regions_of(label_map, labels, scores))
