"""Side and view of a projection or photograph, and what contradicts them (PS3.3 C.7.6.1.1.1, C.8.11.5.1, CID 4014)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from slicermedai.errors import UnsupportedImageError

TAGS = ("ViewPosition", "ViewCodeSequence", "ImageLaterality", "Laterality")
"""What :func:`short_view` reads."""

_CODED_SIDES = {"7771000": "L", "24028007": "R", "51440002": "B", "G-A101": "L", "G-A100": "R", "G-A102": "B"}
_CODED_VIEWS = {
    **{"399348003": "AP", "R-10206": "AP", "272479007": "PA", "R-40888": "PA"},
    **{"399173006": "LL", "R-10236": "LL", "399198007": "RL", "R-10232": "RL"},
    **{"399162004": "CC", "R-10242": "CC", "399368009": "MLO", "R-10226": "MLO"},
    **{"399260004": "ML", "R-10224": "ML", "399352003": "LM", "R-10228": "LM"},
    **{"399099002": "LMO", "R-10230": "LMO", "399196006": "FB", "R-10244": "FB"},
    **{"399192008": "XCCL", "R-1024A": "XCCL", "399101009": "XCCM", "R-1024B": "XCCM"},
    **{"399188001": "SIO", "R-102D0": "SIO", "441555000": "ISO", "R-40AAA": "ISO"},
}
"""Codes of views (SNOMED CT, and its older SRT values) -> View Position or the mammography term for them."""
_FRONTAL = ("AP", "PA")
_LETTERS = set("LRAPHF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hanging:
    """What the header says of side, view and orientation, and the doubts about it; see :class:`..domain.flat.Flat`."""

    laterality: str
    view: str
    towards: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def hanging_of(dataset: Dataset, file: Path) -> Hanging:
    """Side, view and orientation of the one picture in ``dataset``.

    Raises
    ------
    UnsupportedImageError
        Two attributes name opposite sides, or two different views.
    """
    view, towards = _view(dataset, file), _towards(dataset)
    doubts = (*_side_doubts(dataset), *_orientation_doubts(view, towards))
    return Hanging(laterality=_side(dataset, file), view=view, towards=towards, doubts=doubts)


def short_view(dataset: Dataset) -> str:
    """Side and view for a list of images, as "R MLO"; "" where the header says neither. Nothing is checked."""
    try:
        sides = [side for _, side in _stated_sides(dataset)]
        views = [view for _, view in _stated_views(dataset)]
    except (AttributeError, TypeError, ValueError):
        return ""
    return " ".join((*sides[:1], *views[:1]))


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()


def _stated_sides(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(attribute, "L", "R" or "B") of all that name one, the picture's own word first."""
    values = [("ImageLaterality", _text(dataset, "ImageLaterality"))]
    for group in dataset.get("SharedFunctionalGroupsSequence") or ():
        values += [
            ("FrameLaterality", _text(item, "FrameLaterality")) for item in group.get("FrameAnatomySequence") or ()
        ]
    for region in dataset.get("AnatomicRegionSequence") or ():
        values += [
            ("AnatomicRegionModifierSequence", _CODED_SIDES.get(_text(item, "CodeValue"), ""))
            for item in region.get("AnatomicRegionModifierSequence") or ()
        ]
    values.append(("Laterality", _text(dataset, "Laterality")))
    return ((name, value) for name, value in values if value in ("L", "R", "B"))


def _side(dataset: Dataset, file: Path) -> str:
    stated = list(_stated_sides(dataset))
    names = {side: name for name, side in reversed(stated)}
    if {"L", "R"} <= set(names):
        raise UnsupportedImageError(
            "one says left and the other right: which side was imaged is not certain",
            file=file,
            attribute=f"{names['L']}, {names['R']}",
            advice="Look at the marker in the image, and correct the header where the study is archived.",
        )
    return stated[0][1] if stated else ""


def _side_doubts(dataset: Dataset) -> Iterator[str]:
    sides = dict(_stated_sides(dataset))
    if sides.get("ImageLaterality") == "B" and set(sides.values()) & {"L", "R"}:
        yield "Image Laterality says both sides, and another attribute one alone."


def _stated_views(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(attribute, view) as far as stated: View Position as it is, coded views where the code is known."""
    if position := _text(dataset, "ViewPosition").upper():
        yield "ViewPosition", position
    for item in dataset.get("ViewCodeSequence") or ():
        if known := _CODED_VIEWS.get(_text(item, "CodeValue")):
            yield "ViewCodeSequence", known


def _view(dataset: Dataset, file: Path) -> str:
    stated = dict(_stated_views(dataset))
    known = {view for view in stated.values() if view in _CODED_VIEWS.values()}
    if len(known) > 1:
        raise UnsupportedImageError(
            "they name different views: which of them the image shows is not certain",
            file=file,
            attribute=", ".join(stated),
            advice="Look at the image, and correct the header where the study is archived.",
        )
    return next(iter(stated.values()), "")


def _towards(dataset: Dataset) -> tuple[str, ...]:
    value = dataset.get("PatientOrientation")
    if not value or isinstance(value, str) or len(value) != 2:
        return ()
    letters = tuple(str(part).upper() for part in value)
    return letters if all(part and set(part) <= _LETTERS for part in letters) else ()


def _orientation_doubts(view: str, towards: tuple[str, ...]) -> Iterator[str]:
    """How a frontal picture is hung is never changed: only said."""
    if view not in _FRONTAL:
        return
    if not towards:
        yield f"Patient Orientation is not stated: whether this {view} picture is mirrored cannot be told."
        return
    if towards[0][0] not in "LR" or towards[1][0] not in "HF":
        yield f"Patient Orientation says that rows run to {towards[0]} and columns to {towards[1]}: no {view} view."
    elif towards[0][0] == "R":
        yield "The picture is mirrored against the usual: the patient's right is on its right. It was left as it is."
    elif towards[1][0] == "H":
        yield "The picture stands on its head. It was left as it is."
