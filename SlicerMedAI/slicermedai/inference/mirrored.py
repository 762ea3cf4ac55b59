"""Whether structures that come in pairs lie on the sides that their labels say.

An image that was mirrored on its way, or a model whose labels or axes were taken the other way round, gives an answer
that looks like any other. Where the left of two lies to the right of the other, in the patient, that is told. Situs
inversus and organs that were moved do so too: nothing is changed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slicermedai.bundles.coding import SIDES, is_of_a_pair, words_of
from slicermedai.domain.codes import Label
from slicermedai.domain.finding import PackedMask
from slicermedai.domain.volume import LabelMap

_CHAMBERS = {"21814001", "59652004"}
"""SNOMED CT: ventricle and atrium of the heart."""
_FURTHER_PAIRS = {
    words_of(name)
    for name in (
        "Femoral artery",
        "Hypochondriac region",
        "Inguinal region",
        "Lower quadrant of abdomen",
        "Lumbar region",
        "Main bronchus",
        "Pulmonary artery",
        "Upper quadrant of abdomen",
    )
}
"""Pairs whose two sides DICOM's lists know as concepts of their own."""
_ENOUGH = 4_000_000
"""Voxels of a label map that tell where its labels lie; of larger ones each second, third ... is asked."""

Labels = Sequence[tuple[int, Label]]


def sides_of_map(labels: Labels, label_map: LabelMap) -> Iterator[str]:
    """A warning for each pair of the values of ``label_map`` that lies the wrong way round."""
    grid = label_map.geometry
    if not grid.is_in_patient or not opposite_sides(labels):
        return
    step = math.ceil((label_map.array.size / _ENOUGH) ** (1 / 3))
    part = label_map.array[::step, ::step, ::step]
    along = [grid.affine[0, axis] * step * np.arange(size) for axis, size in enumerate(part.shape)]
    left = along[0][:, None, None] + along[1][:, None] + along[2]
    counts = np.bincount(part.ravel())
    sums = np.bincount(part.ravel(), weights=left.ravel())
    there = np.flatnonzero(counts)
    yield from wrong_sides(labels, {int(value): float(sums[value] / counts[value]) for value in there})


def sides_of_masks(labels: Labels, masks: Mapping[int, PackedMask]) -> Iterator[str]:
    """The same for ``masks`` by value, which may overlap; none is empty."""
    pairs = opposite_sides(labels)
    middles = {}
    for value in pairs.keys() & masks.keys():
        mask = masks[value]
        size = np.subtract(mask.stop, mask.start)
        box = np.unpackbits(mask.bits, count=int(np.prod(size))).reshape(size)
        middles[value] = float(mask.geometry.to_lps(np.argwhere(box).mean(axis=0) + mask.start)[0])
    if all(mask.geometry.is_in_patient for mask in masks.values()):
        yield from wrong_sides(labels, middles)


def wrong_sides(labels: Labels, middles: Mapping[int, float]) -> Iterator[str]:
    """``middles``: by value, how far the middle of a label lies to the patient's left, mm from anywhere."""
    names = dict(labels)
    for one, other in opposite_sides(labels).items():
        if one in middles and other in middles and _is_left(names[one]) and middles[one] < middles[other]:
            yield (
                f"{names[one].name} lies to the right of {names[other].name}: left and right may be changed over, in "
                "the image or by the model"
            )


def _is_left(label: Label) -> bool:
    return label.modifier == SIDES["left"] if label.modifier in SIDES.values() else "left" in words_of(label.name)


# --- which labels are a pair ------------------------------------------------------------------------------------------


def opposite_sides(labels: Sequence[tuple[int, Label]]) -> Mapping[int, int]:
    """Value -> the value of the same structure on the other side, where exactly one label is that.

    A label has the side that its modifier codes, or, of structures that come in pairs, the one in its name: a mirror
    image makes no right ventricle of a left one. Of several labels of one type and side, names tell which belong
    together.
    """
    sided = {value: found for value, label in labels if (found := _sided(label)) is not None}
    named = _pairs({value: (one.type, one.rest) for value, one in sided.items()}, sided)
    return named | _pairs({value: one.type for value, one in sided.items() if one.type}, sided)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sided:
    """What a label is ("" where its name alone tells), on which side, and its name without the side."""

    type: str
    side: str
    rest: tuple[str, ...]


def _pairs(keys: Mapping[int, object], sided: Mapping[int, _Sided]) -> dict[int, int]:
    """Those of one key, where there is one of each side and no other."""
    alike = defaultdict(list)
    for value, key in keys.items():
        alike[key].append(value)
    twos = [found for found in alike.values() if len(found) == 2 and len({sided[one].side for one in found}) == 2]
    return {one: other for first, second in twos for one, other in ((first, second), (second, first))}


def _sided(label: Label) -> _Sided | None:
    """None for a structure without a side, and for chambers of the heart, which are no mirror images."""
    words = words_of(label.name)
    rest = tuple(word for word in words if word not in SIDES)
    if label.type.value in _CHAMBERS:
        return None
    side = next((name for name, code in SIDES.items() if label.modifier == code), "")
    if side:
        return _Sided(type=f"{label.type.scheme} {label.type.value}", side=side, rest=rest)
    if len(rest) != len(words) - 1 or not (is_of_a_pair(rest) or rest in _FURTHER_PAIRS):
        return None
    return _Sided(type="", side=next(word for word in words if word in SIDES), rest=rest)
