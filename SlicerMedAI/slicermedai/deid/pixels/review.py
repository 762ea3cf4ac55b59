"""Pictures for the person who decides about text that nobody could classify.

They are patient data: they go to a folder of their own, never into the output.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slicermedai.deid.pixels.clips import frames_at
from slicermedai.deid.pixels.decisions import picture_name, piece_of
from slicermedai.deid.pixels.frames import FileFrames, Picture, pictures
from slicermedai.deid.pixels.kinds import TextBox, Verdict
from slicermedai.domain.storage import atomic_file
from slicermedai.errors import IdentityError

_MARGIN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewItem:
    """One piece of unclassified text.

    Parameters
    ----------
    piece:
        Tells it from all other pieces, for decisions about it.
    picture:
        PNG of the text and a little around it, where it was read and as it was before it was cleaned. Patient data.
    box:
        Where it stands, and what was read.
    removed:
        True where it was taken out, False where it was kept.
    """

    piece: str
    picture: Path
    box: TextBox
    removed: bool


def write_review(path: Path, verdict: Verdict, folder: Path, *, output: Path, number: int) -> tuple[ReviewItem, ...]:
    """Write a picture of each unclassified text of ``path`` into ``folder`` (made where absent).

    Parameters
    ----------
    output:
        Folder of the de-identified files, which the pictures must stay out of.
    number:
        Of the file in the input: the pictures are named by it, not by anything of the patient.

    Raises
    ------
    IdentityError
        ``folder`` lies within ``output``.
    UnreadableFileError
        The pixels cannot be decoded.
    """
    if Path(folder).resolve().is_relative_to(Path(output).resolve()):
        raise IdentityError(
            "pictures for review hold identity and cannot lie within the output",
            file=folder,
            attribute="review folder",
            advice="Choose a folder beside it.",
        )
    if not verdict.review:
        return ()
    Path(folder).mkdir(parents=True, exist_ok=True)
    source = FileFrames.open(path)
    instance = str(source.dataset.get("SOPInstanceUID") or "")
    frames = frames_at(source, (box.seen for box in verdict.review))
    shown = {place: pictures(frame, source.dataset) for place, frame in frames.items()}
    pieces = [(place, piece_of(instance, box), box) for place, box in enumerate(verdict.review, 1)]
    return tuple(
        ReviewItem(
            piece=piece,
            picture=_pictured(box, shown[box.seen], Path(folder) / picture_name(number, place, piece)),
            box=box,
            removed=box in verdict.removed,
        )
        for place, piece, box in pieces
    )


def _pictured(box: TextBox, shown: list[Picture], target: Path) -> Path:
    rows = slice(max(box.y0 - _MARGIN, 0), box.y1 + _MARGIN)
    columns = slice(max(box.x0 - _MARGIN, 0), box.x1 + _MARGIN)
    crops = [picture[rows, columns] for picture in shown] or [np.zeros((1, 1), np.uint8)]
    with atomic_file(target) as partial:
        partial.write_bytes(png(max(crops, key=lambda crop: float(crop.std()))))
    return target


def png(picture: Picture) -> bytes:
    """(rows, columns) of grey as a PNG file (ISO/IEC 15948)."""
    rows, columns = picture.shape
    lines = b"".join(b"\0" + row.tobytes() for row in picture)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, *zip(*chunks, strict=True)))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
