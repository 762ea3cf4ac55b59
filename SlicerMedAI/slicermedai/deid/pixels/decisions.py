"""What a person decided about doubtful text, applied when the same files are done again.

A decision belongs to a piece of text in one instance, at its place: ``pieces.json`` beside the pictures says which one
each of them shows. Where anything of that differs, the decision is not applied, and the text is doubtful again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from slicermedai.deid.pixels.kinds import DECIDED, TextBox, TextClass, Verdict
from slicermedai.errors import IdentityError

PIECES = "pieces.json"
"""In the folder for review: name of a picture -> the piece of text that it shows."""
_TOLD = 12
"""Digits of a piece in a picture's name."""
_KEEP = {"harmless": True, "keep": True, "identity": False, "remove": False}


def piece_of(sop_instance: str, box: TextBox) -> str:
    """What tells a piece of text from all others, and says nothing about it: 64 hexadecimal digits."""
    place = (box.x0, box.y0, box.x1, box.y1, box.text)
    return hashlib.sha256(repr((sop_instance.strip(" \0"), place)).encode()).hexdigest()


def load_decisions(path: Path) -> dict[str, bool]:
    """Piece of text -> whether it stays, from ``decisions.json`` and the ``pieces.json`` beside it.

    Raises
    ------
    IdentityError
        One of them cannot be read, a decision is neither "keep" ("harmless") nor "remove" ("identity"), or its
        picture is of another folder for review.
    """
    decided, pieces = _read(path), _read(path.parent / PIECES)
    if any(not _is_of(picture, pieces.get(picture, "")) for picture in decided):
        raise IdentityError(
            f"decides about a picture that {PIECES} beside it does not have",
            file=path,
            attribute="decisions",
            advice="Decisions belong to the pictures of one folder for review: take both from there.",
        )
    for what in decided.values():
        if what not in _KEEP:
            raise IdentityError(
                "holds a decision that is not known",
                file=path,
                attribute="decisions",
                advice=f"Known: {', '.join(sorted(_KEEP))}.",
            )
    return {pieces[picture]: _KEEP[what] for picture, what in decided.items()}


def picture_name(number: int, place: int, piece: str) -> str:
    """Of the picture of a piece of text: it tells which piece, so that no other run's decision fits."""
    return f"{number:05d}-{place:02d}-{piece[:_TOLD]}.png"


def _is_of(picture: str, piece: str) -> bool:
    """True where a picture is known, and shows that piece as far as its name tells."""
    told = Path(picture).stem.split("-")[2:]
    return bool(piece) and told in ([], [piece[:_TOLD]])


def with_decisions(verdict: Verdict, sop_instance: str, decisions: Mapping[str, bool]) -> Verdict:
    """``verdict`` where doubtful text is what a person said: an annotation that stays, or identity that goes.

    What the vocabulary knows as identity goes, whatever was decided.
    """
    if not decisions:
        return verdict
    return replace(verdict, boxes=tuple(_decided(box, sop_instance, decisions) for box in verdict.boxes))


def _decided(box: TextBox, sop_instance: str, decisions: Mapping[str, bool]) -> TextBox:
    is_doubtful = box.kind in (TextClass.UNCLASSIFIED, TextClass.UNREADABLE)
    stays = decisions.get(piece_of(sop_instance, box)) if is_doubtful else None
    if stays is None:
        return box
    return replace(box, kind=TextClass.ANNOTATION if stays else TextClass.IDENTITY, why=DECIDED)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IdentityError(
            "cannot be read",
            file=path,
            attribute="decisions",
            advice=f"It lies in the folder for review, beside {PIECES}.",
        ) from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise IdentityError("is no list of decisions", file=path, attribute="decisions")
    return found
