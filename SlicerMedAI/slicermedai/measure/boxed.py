"""What boxes of a detector get: the size of the lesion inside, under a method of its own, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from slicermedai.domain.codes import ANATOMY, IN_BOX, Label
from slicermedai.domain.finding import Box, Measurement, PackedMask, Region
from slicermedai.domain.volume import Volume
from slicermedai.measure.in_box import lesion_in_box
from slicermedai.measure.methods import measure

MODALITIES = ("CT", "MR", "PT")
"""What lesions stand out of by their values."""
WANTED = ("volume", "long axis", "short axis", "3D diameter", "mean")
AN_ORGAN = "the size of a structure is not read out of its box"
LEANING = "the image's axes are not at right angles"
NO_LESION = "no lesion that can be measured in the box"

Found = tuple[Label, Region | None]


def measured_in_boxes(found: Sequence[Found], volume: Volume | None) -> Iterator[tuple[Measurement, ...]]:
    """For each of ``found``, in its order, the numbers of the lesion inside its box; () for all but boxes.

    All boxes get the same measurements in the same order, as tables and TID 1410 groups want; where one cannot have
    them they say so in ``missing``. Every one names :data:`~slicermedai.domain.codes.IN_BOX` as its method, so that
    none is taken for the number of a segmentation. The mean is there in HU and as MR signal, and not of PET, whose
    uptake has a method that must be told itself. Boxes of structures alone, and boxes on other modalities, get none.

    Parameters
    ----------
    found:
        Label and region of each finding; boxes in LPS mm.
    volume:
        The image that was analysed.
    """
    lesions = any(isinstance(region, Box) and label.category != ANATOMY for label, region in found)
    if volume is None or volume.modality not in MODALITIES or not lesions:
        yield from (() for _ in found)
        return
    empty = _columns(volume)
    for label, region in found:
        yield _of_box(label, region, volume, empty) if isinstance(region, Box) else ()


def _of_box(label: Label, box: Box, volume: Volume, empty: Sequence[Measurement]) -> tuple[Measurement, ...]:
    if label.category == ANATOMY:
        return tuple(_without(empty, AN_ORGAN))
    if not volume.geometry.is_orthogonal:
        return tuple(_without(empty, LEANING))
    lesion = lesion_in_box(volume, box)
    if isinstance(lesion, str):
        return tuple(_without(empty, f"{NO_LESION}: {lesion}"))
    return _measured(lesion, volume)


def _columns(volume: Volume) -> tuple[Measurement, ...]:
    """What is measured on ``volume``, of nothing."""
    start = (0, 0, 0)
    nothing = PackedMask(bits=np.empty(0, dtype=np.uint8), start=start, stop=start, geometry=volume.geometry)
    return _measured(nothing, volume)


def _measured(lesion: PackedMask, volume: Volume) -> tuple[Measurement, ...]:
    numbers = measure(lesion, volume=volume, wanted=[name for name in WANTED if _is_told(name, volume)])
    return tuple(replace(one, method=IN_BOX) for one in numbers)


def _is_told(name: str, volume: Volume) -> bool:
    return name != "mean" or volume.modality != "PT"


def _without(columns: Iterable[Measurement], why: str) -> Iterator[Measurement]:
    return (replace(one, value=math.nan, points=(), missing=why) for one in columns)
