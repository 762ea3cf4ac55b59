"""Takes identity out of pixels, and looks again: what is still legible keeps the file back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from pydicom import Dataset

from slicermedai.deid.pixels.boxes import covers, merged
from slicermedai.deid.pixels.edited import edited, together
from slicermedai.deid.pixels.fill import fill, fill_all
from slicermedai.deid.pixels.frames import FileFrames, Frame
from slicermedai.deid.pixels.inspect import find_text
from slicermedai.deid.pixels.jpeg_boxes import filled_in_jpeg
from slicermedai.deid.pixels.kinds import DECIDED, Edit, PixelReplacement, TextBox, TextClass, Verdict
from slicermedai.deid.pixels.match import Matcher
from slicermedai.deid.pixels.ocr import Ocr
from slicermedai.deid.vocabulary import Vocabulary
from slicermedai.errors import UnsupportedImageError

_ROUNDS = 3


def clean(path: Path, verdict: Verdict, vocabulary: Vocabulary, ocr: Ocr, *others: Edit) -> PixelReplacement | None:
    """Pixel data without the text that ``verdict`` wants removed; None where there is none.

    The boxes are filled with the value around them, on every frame. Uncompressed pixel data stay byte for byte
    outside of the boxes, in their transfer syntax. RLE, JPEG-LS and JPEG 2000 are written again without loss in
    their syntax (near-lossless and lossy ones in the lossless syntax of the same kind). Baseline JPEG stays as it is
    coded, but for the blocks that the boxes lie in; other compressed frames become Explicit VR Little Endian. The
    cleaned frames are then read again, up to three times while more is found: a file for which this returns may carry
    113101.

    Parameters
    ----------
    others:
        What else changes in the same frames (a face, see :mod:`~slicermedai.deid.pixels.face_series`).

    Raises
    ------
    UnsupportedImageError
        Identity is still legible, or the samples are packed in a way that cannot be changed. Leave the file out.
    UnreadableFileError
        The pixels cannot be decoded, or are fewer than the header says.
    """
    boxes = verdict.removed
    if not boxes:
        return edited(FileFrames.open(path), together(*others)) if others else None
    source, matcher = FileFrames.open(path), Matcher(vocabulary)
    for _ in range(_ROUNDS):
        left = _left(CleanedFrames(source, boxes), matcher, ocr, verdict)
        if not left:
            kept = None if others else filled_in_jpeg(source, boxes)
            return replace(kept or edited(source, together(fill_all(boxes), *others)), boxes=boxes)
        boxes = merged(chain(boxes, left))
    raise UnsupportedImageError(
        "text of the patient is still legible in the pixels after they were cleaned",
        file=path,
        attribute="PixelData",
        advice="The file was left out: remove the text by hand, or leave the image out.",
    )


@dataclass(frozen=True, slots=True, eq=False)
class CleanedFrames:
    """The frames of a file with boxes filled, as a person would see them."""

    source: FileFrames
    boxes: tuple[TextBox, ...]

    @property
    def dataset(self) -> Dataset:
        """The header."""
        return self.source.dataset

    @property
    def count(self) -> int:
        """How many frames there are."""
        return self.source.count

    def frames(self, indices: Iterable[int] | None = None) -> Iterator[Frame]:
        """Like the source's."""
        for frame in self.source.frames(indices):
            yield _filled(frame, self.boxes)


def _left(cleaned: CleanedFrames, matcher: Matcher, ocr: Ocr, verdict: Verdict) -> tuple[TextBox, ...]:
    found = replace(verdict, boxes=find_text(cleaned, matcher, ocr)).removed
    fresh = (box for box in found if not any(_within(box, other) for other in cleaned.boxes))
    fresh = (box for box in fresh if not any(_may_stay(box, other) for other in verdict.boxes))
    return tuple(box for box in fresh if box.why != "label" or not any(_known(box, other) for other in verdict.boxes))


def _may_stay(box: TextBox, other: TextBox) -> bool:
    """True for doubtful text of which a person said that it stays."""
    return other.why == DECIDED and _known(box, other) and box.kind is TextClass.UNCLASSIFIED


def _known(box: TextBox, other: TextBox) -> bool:
    """True for an annotation that was read before: a label that has lost its value does not name it."""
    return other.kind is TextClass.ANNOTATION and covers(other, box)


def _within(box: TextBox, other: TextBox) -> bool:
    """True for a box in what was filled already: one value everywhere cannot be legible."""
    return other.x0 <= box.x0 and other.y0 <= box.y0 and box.x1 <= other.x1 and box.y1 <= other.y1


def _filled(frame: Frame, boxes: tuple[TextBox, ...]) -> Frame:
    writable = frame if frame.flags.writeable else frame.copy()
    fill(writable, boxes)
    return writable
