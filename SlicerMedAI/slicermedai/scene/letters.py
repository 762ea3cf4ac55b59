"""Anatomical letters at the edges of a slice view: they are computed from the view, never assumed."""

from __future__ import annotations

from typing import Any

import vtk

from slicermedai.scene.volumes import from_matrix

_ENDS = (("L", "R"), ("P", "A"), ("I", "S"))  # RAS: towards minus, towards plus
_MARGIN = 10  # pixels
_RULER = 38  # pixels that Slicer's ruler takes at the bottom


def edge_letters(slice_to_ras: Any) -> dict[str, str]:
    """The patient direction that each edge ("left", "right", "top", "bottom") of the picture points to.

    ``slice_to_ras`` is the slice node's vtkMatrix4x4: its first column runs to the right of the picture, its second
    to the top.
    """
    axes = from_matrix(slice_to_ras)[:3, :2].T
    right, top = (_letter(axis) for axis in axes)
    left, bottom = (_letter(-axis) for axis in axes)
    return {"left": left, "right": right, "top": top, "bottom": bottom}


def letter_actors(letters: dict[str, str], size: tuple[int, int]) -> list[Any]:
    """2D text actors that put ``letters`` at the edges of a picture of ``size`` (width, height) pixels."""
    width, height = size
    places = {
        "left": (_MARGIN, height // 2, "Left", "Centered"),
        "right": (width - _MARGIN, height // 2, "Right", "Centered"),
        "top": (width // 2, height - _MARGIN, "Centered", "Top"),
        "bottom": (width // 2, _RULER, "Centered", "Bottom"),
    }
    return [_text(letters[edge], places[edge], _letter_height(size)) for edge in places]


def notice_actors(words: str, size: tuple[int, int]) -> list[Any]:
    """2D text actors, none for "", that put ``words`` into the upper left corner of a picture, below the letters."""
    top = size[1] - 2 * _MARGIN - _letter_height(size)
    return [_text(words, (_MARGIN, top, "Left", "Top"), max(11, size[1] // 30))] if words else []


def _letter_height(size: tuple[int, int]) -> int:
    return max(14, size[1] // 24)


def _letter(axis: Any) -> str:
    world = int(abs(axis).argmax())
    return _ENDS[world][int(axis[world] > 0)]


def _text(letter: str, place: tuple[int, int, str, str], font_size: int) -> Any:
    x, y, horizontal, vertical = place
    actor = vtk.vtkTextActor()
    actor.SetInput(letter)
    style = actor.GetTextProperty()
    style.SetFontFamilyToArial()
    style.BoldOn()
    style.SetFontSize(font_size)
    style.SetColor(1.0, 0.85, 0.3)
    style.SetShadow(True)
    getattr(style, f"SetJustificationTo{horizontal}")()
    getattr(style, f"SetVerticalJustificationTo{vertical}")()
    actor.SetPosition(x, y)
    return actor
