"""What the network found comes back: cleaned up, on the source's grid, and as regions with their scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from slicermedai.bundles.manifest import Manifest
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import LabelMap
from slicermedai.inference.adapter.post import Postprocessing
from slicermedai.inference.cleaning import channels_cleaned, cleaned
from slicermedai.inference.collect import Collector, mean_scores
from slicermedai.inference.fitness import label_warnings, mask_warnings
from slicermedai.inference.labels import Manner, agree, labels_on, mask_on
from slicermedai.inference.limits import Boxes, outside_of
from slicermedai.inference.marks import within
from slicermedai.inference.relabel import relabelled
from slicermedai.inference.resample import axis_order
from slicermedai.inference.task import FoundRegion

Timed = Callable[[str, str], AbstractContextManager[list[str]]]
"""Times a step by its name and detail."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """Labels on the source's grid (empty where labels overlap), and what is known of each label value."""

    labels: LabelMap
    scores: dict[int, float | None] = field(default_factory=dict)
    regions: list[FoundRegion] = field(default_factory=list)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WayBack:
    """From the network's ``grid`` to ``source``, as the bundle's postprocessing says it; ``timed`` times the steps.

    ``boxes`` are, by value, those that hold all of a label.
    """

    manifest: Manifest
    post: Postprocessing
    grid: Geometry
    source: Geometry
    timed: Timed
    boxes: Boxes = field(default_factory=dict)

    def answer(self, found: Collector) -> Answer:
        """Exclusive labels as one map; labels that overlap as regions alone."""
        return self._exclusive(found) if found.channels is None else self._overlapping(found)

    def _exclusive(self, found: Collector) -> Answer:
        post, values = self.post, [value for value, _ in self._labels]
        with self.timed("clean up", self._cleaning):
            labels = cleaned(found.labels, post.clean, values)
            scores = mean_scores(labels, found.labels, found.own, values)
            if found.leads is not None:
                agree(found.leads, found.labels, labels)
        linear = "linear" if post.back is None else "scores linear, labels last"
        words = "nearest voxel" if post.nearest else linear if found.leads is not None else "vote of eight voxels"
        with self.timed("labels to source grid", f"{words}, in physical space"):
            outside = outside_of(self.boxes, self.source)
            if found.leads is not None:
                manner = Manner(nearest_axis=self._nearest_axis, outside=outside)
                array = labels_on(found.leads, labels, self.grid, self.source, manner=manner)
            else:
                array = relabelled(labels, self.grid, self.source, smooth=not post.nearest)
                for value, mask in outside.items():
                    array[(array == value) & mask] = 0
        label_map = LabelMap(array=array, geometry=self.source)
        return Answer(
            labels=label_map,
            scores=scores,
            regions=regions_of(label_map, self._labels, scores),
            warnings=tuple(label_warnings(self.manifest, label_map)),
        )

    def _overlapping(self, found: Collector) -> Answer:
        """Each channel a region of its own; the label map stays empty."""
        assert found.channels is not None
        post, made = self.post, Answer(labels=empty_labels(self.source))
        with self.timed("clean up", self._cleaning):
            raw = found.channels.copy() if post.clean else found.channels
            channels_cleaned(found.channels, post.bar, post.clean)
        with self.timed("labels to source grid", "each label by itself, linear, in physical space"):
            for value, label in self._labels:
                channel = found.channels[value - 1]
                score = made.scores[value] = self._mean_inside(raw[value - 1], channel > post.bar)
                mask = mask_on(channel, post.bar, self.grid, self.source, nearest_axis=self._nearest_axis)
                if value in self.boxes:
                    mask &= within(self.boxes[value], self.source)
                if mask.any():
                    region = PackedMask.from_array(mask, self.source)
                    made.regions.append(FoundRegion(value=value, label=label, region=region, raw_score=score))
        if post.joining is not None:
            with self.timed("join labels", f"by the bundle's {post.joining.step}"):
                made = replace(made, regions=post.joining.joined(made.regions))
        masks = {one.value: one.region for one in made.regions if isinstance(one.region, PackedMask)}
        return replace(made, warnings=tuple(mask_warnings(self.manifest, masks)))

    @property
    def _labels(self) -> tuple[tuple[int, Any], ...]:
        return self.manifest.ref.labels

    @property
    def _cleaning(self) -> str:
        return ", ".join(step.in_words for step in self.post.clean)

    @property
    def _nearest_axis(self) -> int | None:
        """The axis of the grid that takes the nearest plane of scores on their way back, as the bundle's plans say."""
        order = axis_order(np.linalg.inv(self.grid.affine) @ self.source.affine)
        if self.post.back is None or order is None:
            return None
        return self.post.back.nearest_axis([self.source.spacing[order.index(axis)] for axis in range(3)])

    def _mean_inside(self, scores: Any, mask: Any) -> float | None:
        """The network's mean probability inside ``mask``, but for what a clean-up added; None for an empty mask."""
        own = mask & (scores > self.post.bar)
        if own.any():
            inside = scores[own].astype(np.float64)
            return float((inside if self.post.back is None else 1 / (1 + np.exp(-inside))).mean())
        return 0.0 if mask.any() else None


def regions_of(
    label_map: LabelMap, labels: tuple[tuple[int, Any], ...], scores: Mapping[int, float | None]
) -> list[FoundRegion]:
    """One region for each label that has voxels, in the order of ``labels``."""
    counts = np.bincount(label_map.array.ravel(), minlength=max((v for v, _ in labels), default=0) + 1)
    return [
        FoundRegion(value=v, label=label, region=Mask(label_map=label_map, value=v), raw_score=scores.get(v))
        for v, label in labels
        if counts[v]
    ]


def empty_labels(geometry: Geometry) -> LabelMap:
    """A map without labels that takes no memory."""
    return LabelMap(array=np.broadcast_to(np.uint8(0), geometry.shape), geometry=geometry)
