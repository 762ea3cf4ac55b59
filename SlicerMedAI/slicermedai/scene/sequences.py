"""Slicer's sequences: a sequence of volumes as frames over time, and a course as a sequence of segmentations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import slicer

from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError, UnsupportedImageError
from slicermedai.scene.segments import fill_segmentation, know_surfaces
from slicermedai.scene.volumes import volume_from_node

CLASSES = ("vtkMRMLSequenceNode", "vtkMRMLSequenceBrowserNode")
_SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "us": 1e-6, "min": 60.0}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SequenceFrames:
    """The volumes of a sequence in its order, when each was taken in s (None where it does not say), and by what."""

    volumes: tuple[Volume, ...]
    seconds: tuple[float | None, ...]
    clock: str


def is_sequence(node: Any) -> bool:
    """True for a sequence, or the browser of one."""
    return any(node.IsA(name) for name in CLASSES)


def frames_of(node: Any) -> SequenceFrames:
    """The volumes of a sequence node, or of the one that a browser leads with.

    Times are its index values where their unit is one of time; they must rise.

    Raises
    ------
    InputError
        A browser without a sequence, or index values that do not rise.
    UnsupportedImageError
        Anything in it but scalar volumes.
    """
    sequence = node.GetMasterSequenceNode() if node.IsA(CLASSES[1]) else node
    if sequence is None:
        raise InputError("the browser leads no sequence", attribute="source")
    volumes = tuple(_volumes(sequence))
    unit = _SECONDS.get((sequence.GetIndexUnit() or "").strip().casefold())
    values = [_number(sequence.GetNthIndexValue(index)) for index in range(len(volumes))]
    clock = sequence.GetIndexName() or "index"
    if unit is None or any(math.isnan(value) for value in values):
        return SequenceFrames(volumes=volumes, seconds=(None,) * len(volumes), clock=clock)
    if any(after <= before for before, after in pairwise(values)):
        raise InputError("the index values of the sequence do not rise", attribute=clock)
    return SequenceFrames(
        volumes=volumes, seconds=tuple(round((one - values[0]) * unit, 6) for one in values), clock=clock
    )


def _volumes(sequence: Any) -> Iterator[Volume]:
    for index in range(sequence.GetNumberOfDataNodes()):
        node = sequence.GetNthDataNode(index)
        if not node.IsA("vtkMRMLScalarVolumeNode"):
            raise UnsupportedImageError(
                f"item {index + 1} of the sequence is a {node.GetClassName()}, and a scalar volume is needed",
                attribute="source",
            )
        yield volume_from_node(node)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def course_to_sequence(results: Sequence[AnalysisResult], scene: Any) -> Any:
    """The segmentations of ``results``, each of one moment, as a sequence in ``scene``; returns its browser.

    The index is the time in s, or the number of the frame where no time is known. Segments bear the tracking UIDs as
    IDs, so that one structure is one segment over time.

    Raises
    ------
    InputError
        Results that are of no series over time.
    """
    moments = [one.moment for one in results if one.moment is not None]
    if not results or len(moments) < len(results):
        raise InputError("the results are of no series over time", attribute="moment")
    know_sequences(scene)
    know_surfaces()
    name = f"{results[0].provenance.bundle} over time"
    sequence = scene.AddNewNodeByClass(CLASSES[0], scene.GenerateUniqueName(name))
    timed = all(moment.seconds is not None for moment in moments)
    sequence.SetIndexName("time" if timed else "frame")
    sequence.SetIndexUnit("s" if timed else "")
    for moment, result in zip(moments, results, strict=True):
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        fill_segmentation(node, result.findings, geometry=result.volume_geometry, made_by=result.provenance)
        sequence.SetDataNodeAtValue(node, repr(moment.seconds) if timed else str(moment.number))
        scene.RemoveNode(node.GetDisplayNode())
        scene.RemoveNode(node)
    browser = scene.AddNewNodeByClass(CLASSES[1], scene.GenerateUniqueName(f"{name}: browser"))
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    return browser


def know_sequences(scene: Any) -> None:
    """Make the classes of sequences known to ``scene``, where Slicer's module has not done it."""
    for name in CLASSES:
        if scene.CreateNodeByClass(name) is None:
            scene.RegisterNodeClass(getattr(slicer, name)())
