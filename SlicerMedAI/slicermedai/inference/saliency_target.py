"""What a map of saliency is of: a label by its name and side, the n-th largest part of it, or the largest structure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.domain.codes import Label
from slicermedai.errors import InputError
from slicermedai.inference.again import Answered
from slicermedai.inference.layers import Unexplained

Labels = Sequence[tuple[int, Label]]
_PART = re.compile("(.*)#([1-9][0-9]{0,8})")


def asked_target(labels: Labels, target: str) -> tuple[int, int]:
    """(label value, which part by size, or box by score, or 0) of NAME or NAME#N, NAME with or without its side.

    Raises
    ------
    InputError
        No label has that name, or several have; what was typed is not repeated.
    """
    text, part = target.strip(), 0
    if text.lower() not in {label.name.lower() for _, label in labels} and (cut := _PART.fullmatch(text)):
        text, part = cut[1].strip(), int(cut[2])
    found = [value for value, label in labels if text.lower() in _names(label)]
    exact = [value for value, label in labels if text.lower() == label.name.lower()]
    found = exact if len(exact) == 1 else found
    if len(found) == 1:
        return found[0], part
    known = "; ".join(in_words(label) for _, label in labels)
    raise InputError(
        "several labels of the model have that name" if found else "the model has no label of that name",
        attribute="saliency_target",
        advice=f"Labels: {known}. Ask for NAME, for NAME with its side, or for NAME#2, the second largest part of it "
        "or the second surest box.",
    )


def in_words(label: Label) -> str:
    """The label's name, and its modifier where the name does not say it."""
    said = label.modifier.meaning.lower() if label.modifier else ""
    return label.name if not said or said in label.name.lower() else f"{label.name}, {said}"


def target_of(answered: Answered, target: str) -> tuple[int, NDArray[np.bool_], str]:
    """Label value, voxels on the network's grid and words of a target, "" for the largest structure.

    Raises
    ------
    Unexplained
        It was not found in this image.
    InputError
        See :func:`asked_target`.
    """
    found = {value: (box, mask) for value, box, mask in answered.masks(answered.found)}
    value, part = asked_target(answered.labels, target) if target else (_largest(found), 0)
    words = in_words(dict(answered.labels)[value]) if value else "a structure"
    if value not in found:
        raise Unexplained(f"{words} was not found in this image")
    box, mask = found[value]
    if part:
        mask, words = _part(mask, part), f"{words}, part {part} by size"
    whole = np.zeros(answered.grid.shape, dtype=bool)
    whole[box] = mask
    return value, whole, words


def _names(label: Label) -> set[str]:
    """What a label may be called by, in small letters."""
    name, side = label.name.lower(), label.modifier.meaning.lower() if label.modifier else ""
    return {name, f"{name} {side}", f"{name}, {side}", f"{side} {name}"} if side else {name}


def _largest(found: Mapping[int, tuple[Any, NDArray[np.bool_]]]) -> int:
    return max(found, key=lambda value: int(found[value][1].sum()), default=0)


def _part(mask: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
    parts, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if number > count:
        raise Unexplained(f"it has {count} parts, and part {number} was asked for")
    order = np.argsort(-np.bincount(parts.ravel())[1:], kind="stable")
    return np.asarray(parts == order[number - 1] + 1)
