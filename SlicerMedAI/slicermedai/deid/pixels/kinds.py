"""What is said about text in an image, and what takes the place of pixel data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from numpy.typing import NDArray

PIXEL_DATA = 0x7FE00010
DARKEST, BRIGHTEST = -1, -2
"""Stand for the number of a frame: per pixel the least and the largest value of all frames."""
DECIDED = "a person decided"
"""Why a piece of text is what it is, where that is no guess."""
Edit = Callable[[NDArray[Any], int], None]
"""Changes one frame in place: (rows, columns) or (rows, columns, samples) of stored values, and its number."""


class TextClass(str, Enum):
    """What a piece of burned-in text is."""

    IDENTITY = "identity"
    ANNOTATION = "annotation"
    UNCLASSIFIED = "unclassified"
    UNREADABLE = "unreadable"


class Search(str, Enum):
    """How a file was searched for text.

    READ: by the text reader. SCREENED: each frame had no sharp strokes of one extreme value, as burned-in text has,
    and the kind of image is none that carries text, so it was not read. NOT_SEARCHED: no text reader is installed.
    NO_PIXELS: there is nothing to search.
    """

    READ = "read"
    SCREENED = "screened"
    NOT_SEARCHED = "not searched"
    NO_PIXELS = "no pixels"


class Unclassified(str, Enum):
    """What happens to text that is neither known identity nor a known annotation."""

    REMOVE = "remove"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBox:
    """A rectangle with text.

    Parameters
    ----------
    x0, y0, x1, y1:
        Pixel columns and rows from the top left corner, the last ones exclusive, padding included.
    text:
        As it was read. Patient data: never logged and never written to an output; it is for the person who reviews.
    kind:
        What the text is.
    why:
        Why it is that ("vocabulary", "label", "date", "institution", "known annotation", "unknown word", "cannot be
        read").
    frames:
        First and last frame (exclusive) that the box is taken to stand on.
    seen:
        Where it was read: the number of a frame, or :data:`DARKEST` or :data:`BRIGHTEST` of all frames of a clip.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    text: str = field(repr=False)
    kind: TextClass
    why: str
    frames: tuple[int, int] = (0, 1)
    seen: int = 0

    @property
    def area(self) -> tuple[slice, slice]:
        """(rows, columns) of the rectangle."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found in one file, and how it was searched.

    Parameters
    ----------
    boxes:
        Every piece of text, annotations too.
    search:
        How the file was searched.
    reason:
        In words why it was searched like that.
    unclassified:
        What :func:`~slicermedai.deid.pixels.clean.clean` does to unclassified boxes.
    """

    boxes: tuple[TextBox, ...] = ()
    search: Search
    reason: str
    unclassified: Unclassified = Unclassified.REMOVE

    @property
    def searched(self) -> bool:
        """True where the text reader looked at the file, and could read what looks like text: a file without boxes to
        remove may then claim 113101."""
        return self.search is Search.READ and not self.unread

    @property
    def unread(self) -> bool:
        """True where something looks like text and cannot be read."""
        return any(box.kind is TextClass.UNREADABLE for box in self.boxes)

    @property
    def removed(self) -> tuple[TextBox, ...]:
        """The boxes that are to be filled: identity, and unclassified text unless it is to be kept."""
        kinds = {TextClass.IDENTITY}
        if self.unclassified is Unclassified.REMOVE:
            kinds.add(TextClass.UNCLASSIFIED)
        return tuple(box for box in self.boxes if box.kind in kinds)

    @property
    def review(self) -> tuple[TextBox, ...]:
        """The boxes that a person should look at."""
        return tuple(box for box in self.boxes if box.kind in (TextClass.UNCLASSIFIED, TextClass.UNREADABLE))


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelReplacement:
    """Pixel data that take the place of a file's own.

    Parameters
    ----------
    vr:
        "OB" or "OW".
    transfer_syntax_uid:
        Of the whole new file.
    length:
        Of the value in bytes, even; None for encapsulated pixel data, which have undefined length (PS3.5 A.4).
    chunks:
        Called each time the value is to be written; yields its bytes in order, one frame at a time. Encapsulated:
        offset table, items and the sequence delimiter included.
    attributes:
        Keyword -> new value of the dataset's other elements; None removes the element.
    tag:
        Of the element, Pixel Data (7FE0,0010).
    boxes:
        The text that was taken out, what was found when the file was read again included.
    """

    vr: str
    transfer_syntax_uid: str
    length: int | None
    chunks: Callable[[], Iterator[bytes]]
    attributes: dict[str, Any] = field(default_factory=dict)
    tag: int = PIXEL_DATA
    boxes: tuple[TextBox, ...] = ()

    @property
    def encapsulated(self) -> bool:
        """True where the value is a sequence of fragments."""
        return self.length is None
