"""What a person marked in an image, sorted by the model's labels; and where it lies on a network's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.codes import Label
from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.prompts import BoxPrompt, PointPrompt, Prompt
from slicermedai.domain.suggest import did_you_mean
from slicermedai.errors import InputError

Labels = tuple[tuple[int, Label], ...]
_LISTED = 12
_WITHIN = 1.0
"""Voxels of a network's grid by which a point of the image may lie beyond it: grids end within a voxel of the image."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mark:
    """All that was marked of one label: places inside and outside of it (N, 3) LPS mm, and boxes that hold it.

    Where boxes alone were drawn, the middle of each counts as a place inside.
    """

    value: int
    label: Label
    inside: FloatArray
    outside: FloatArray
    boxes: tuple[BoxPrompt, ...] = ()

    @property
    def places(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """(N, 3) LPS mm, those inside first, and which of them are inside."""
        both = np.concatenate([self.inside, self.outside])
        return both, np.arange(len(both)) < len(self.inside)


def marks_of(prompts: Sequence[Prompt], labels: Labels, image: Geometry) -> tuple[Mark, ...]:
    """One mark for each label that was marked, by value; the order of the places in it is that of ``prompts``.

    Raises
    ------
    InputError
        A label that the model does not have, or a place outside of ``image``.
    """
    found: dict[int, list[Prompt]] = {}
    for prompt in prompts:
        _check_in(prompt, image)
        found.setdefault(_value(labels, prompt.label), []).append(prompt)
    return tuple(_mark(value, dict(labels)[value], found[value], image) for value in sorted(found))


def on_grid(places: FloatArray, grid: Geometry, name: str) -> FloatArray:
    """(N, 3) LPS mm as fractional indices of ``grid``, moved in where they lie within a voxel of its edge.

    Raises
    ------
    InputError
        One lies where the model's preparation left nothing of the image.
    """
    index = np.atleast_2d(grid.to_index(places))
    low, high = -0.5, np.asarray(grid.shape) - 0.5
    if len(index) and bool((np.maximum(low - index, index - high) > _WITHIN).any()):
        raise InputError(
            f"a place marked for {name} lies where the model looks at nothing: what it cuts off the image as empty",
            attribute="prompts",
            advice="Mark a place in the patient.",
        )
    return np.asarray(np.clip(index, low, high), dtype=np.float64)


def voxels_on(places: FloatArray, grid: Geometry, name: str) -> NDArray[np.intp]:
    """(N, 3) indices of the voxels of ``grid`` that hold the places; errors as :func:`on_grid`."""
    index = on_grid(places, grid, name)
    return np.clip(np.floor(index + 0.5), 0, np.asarray(grid.shape) - 1).astype(np.intp)


def within(boxes: Sequence[BoxPrompt], grid: Geometry) -> NDArray[np.bool_]:
    """Voxels of ``grid`` whose centres lie in any of the boxes: (slices, rows, columns)."""
    found = np.zeros(grid.shape, dtype=bool)
    rows, columns = (np.arange(n, dtype=np.float64) for n in grid.shape[1:])
    across = [grid.affine[axis, 1] * rows[:, None] + grid.affine[axis, 2] * columns for axis in range(3)]
    for plane in range(grid.shape[0]):
        start = grid.affine[:3, 0] * plane + grid.affine[:3, 3]
        for box in boxes:
            hit = np.ones(grid.shape[1:], dtype=bool)
            for axis, place in enumerate(across):
                hit &= (place >= box.low[axis] - start[axis]) & (place <= box.high[axis] - start[axis])
            found[plane] |= hit
    return found


def _value(labels: Labels, name: str) -> int:
    """The label of that name, with its side or without it where that tells; the only one for no name."""
    if not name and len(labels) == 1:
        return labels[0][0]
    wanted = name.strip().lower()
    found = [value for value, label in labels if wanted in _names(label)]
    exact = [value for value, label in labels if wanted == label.name.lower()]
    found = exact if len(exact) == 1 else found
    if len(found) == 1:
        return found[0]
    known = [label.name for _, label in labels]
    listed = f"Labels: {', '.join(known[:_LISTED])}{', ...' if len(known) > _LISTED else ''}."
    several = "several labels of the model are called so" if found else "the model has no label of that name"
    raise InputError(
        several if name else "a mark does not say which of the model's labels it is for",
        attribute="prompts",
        advice=f"{did_you_mean(name, known) or ''} {listed}".strip(),
    )


def _names(label: Label) -> set[str]:
    """What a label may be called by, in small letters."""
    name, side = label.name.lower(), label.modifier.meaning.lower() if label.modifier else ""
    return {name, f"{name} {side}", f"{name}, {side}", f"{side} {name}"} if side else {name}


def _mark(value: int, label: Label, prompts: Sequence[Prompt], image: Geometry) -> Mark:
    points = [one for one in prompts if isinstance(one, PointPrompt)]
    boxes = tuple(one for one in prompts if isinstance(one, BoxPrompt))
    inside = [one.position for one in points if one.inside] or [_middle(box, image) for box in boxes]
    return Mark(
        value=value,
        label=label,
        inside=np.asarray(inside, dtype=np.float64).reshape(-1, 3),
        outside=np.asarray([one.position for one in points if not one.inside], dtype=np.float64).reshape(-1, 3),
        boxes=boxes,
    )


def _middle(box: BoxPrompt, image: Geometry) -> tuple[float, float, float]:
    if not image.contains(box.middle):
        raise InputError(
            f"the middle of a box ({box.in_words}) lies outside of the image",
            attribute="prompts",
            advice="Draw the box in the image, or mark a point in the structure too.",
        )
    return box.middle


def _check_in(prompt: Prompt, image: Geometry) -> None:
    if not image.is_in_patient:
        raise InputError("a projection or photograph has no places in the patient", attribute="prompts")
    corners = image.corners
    low, high = corners.min(axis=0), corners.max(axis=0)
    if isinstance(prompt, PointPrompt):
        outside = not image.contains(prompt.position)
    else:
        outside = bool((np.asarray(prompt.high) < low).any() or (np.asarray(prompt.low) > high).any())
    if outside:
        ends = [" ".join(f"{n:.0f}" for n in end) for end in (low, high)]
        raise InputError(
            f"lies outside of the image ({prompt.in_words})",
            attribute="prompts",
            advice=f"The image reaches from {ends[0]} to {ends[1]} mm (left, posterior, superior).",
        )
