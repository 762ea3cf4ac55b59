"""Elements of a DICOM file as they lie in its bytes (PS3.5 7, PS3.10 7), one after the other, whatever its size.

Nothing is decoded and nothing is converted here. All lengths are held against what surrounds them, so that nothing is
read past the end of its item, and nothing is left over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from slicermedai.deid.dictionary import hexadecimal, vr_of
from slicermedai.deid.window import TRUNCATED, Window, inflated
from slicermedai.errors import UnreadableFileError

IMPLICIT_LITTLE, BIG, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
NATIVE = frozenset({IMPLICIT_LITTLE, BIG, DEFLATED, EXPLICIT_LITTLE})
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_GROUP, PIXEL_DATA = 0x7FE0, 0x7FE00010
ITEM_BYTES = b"\xfe\xff\x00\xe0"
DEEPEST = 200
"""Sequences within sequences; deeper ones are refused."""
_ENDLESS = 1 << 62
_RUN = 64
"""Elements that are read at once."""

LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())


class Encoding(NamedTuple):
    """How elements are written: with or without VR, and in which byte order ("<" or ">")."""

    implicit: bool
    order: str


class Kind:
    """What an event is: an element with a value, the beginning or end of what holds others, or fragments of pixels."""

    LEAF, SEQUENCE, ITEM, ITEM_END, SEQUENCE_END, FRAGMENTS = range(6)


Event = tuple[int, int, str, int, int, int]
"""(kind, tag, VR, head, start, size): a number of :class:`Kind`; byte offsets of the element and of its value, and the
value's length, :data:`UNDEFINED` for FRAGMENTS."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file whose meta information was read: the dataset begins at ``start`` of ``window`` and ends at ``end``."""

    window: Window
    syntax: str
    sop_class: str
    start: int
    end: int

    @property
    def encoding(self) -> Encoding:
        """Of the dataset."""
        return encoding_of(self.syntax)


def encoding_of(syntax: str) -> Encoding:
    """How datasets of a transfer syntax are written (PS3.5 10)."""
    return Encoding(syntax == IMPLICIT_LITTLE, ">" if syntax == BIG else "<")


def opened(window: Window, size: int) -> Opened:
    """Read preamble and file meta information; where a file has neither, its first element says how it is encoded.

    Raises
    ------
    UnreadableFileError
        No DICOM file, or without transfer syntax.
    EOFError
        It ends within the meta information.
    """
    position, found = meta_start(window, size), {0x00020010: "", 0x00020002: ""}
    little = Encoding(implicit=False, order="<")
    while position < size and window.bytes_at(position, 2) == b"\x02\x00":
        tag, _, start, length = header(window, position, little)
        if tag in found:
            found[tag] = window.bytes_at(start, min(length, 128)).decode("latin-1").strip(" \0")
        position = start + length
    if position > size:
        raise EOFError
    syntax = found[0x00020010] or (bare_syntax(window.bytes_at(0, 8)) if position == 0 else "")
    if not syntax:
        raise UnreadableFileError("does not say how it is encoded", attribute="TransferSyntaxUID")
    if syntax == DEFLATED:
        return Opened(inflated(window, position), syntax, found[0x00020002], 0, _ENDLESS)
    return Opened(window, syntax, found[0x00020002], position, size)


def meta_start(window: Window, size: int) -> int:
    """Where the file meta information begins, 0 without a preamble.

    Raises
    ------
    UnreadableFileError
        No DICOM file.
    """
    first = window.bytes_at(0, min(size, 132))
    if first[128:] == b"DICM":
        return 132
    if first[:4] in _FIRST_META or bare_syntax(first[:8]):
        return 0
    raise UnreadableFileError(
        "is no DICOM file (PS3.10)",
        attribute="preamble",
        advice="If it is one without preamble, convert it: only little endian ones can be read.",
    )


def bare_syntax(first: bytes) -> str:
    """The transfer syntax of a dataset that begins a file, as its first 8 bytes tell; "" where it is none."""
    if len(first) < 8 or first[:2] != b"\x08\x00" or vr_of(int.from_bytes(first[2:4], "little") | 0x80000) == "UN":
        return ""
    if first[4:6] in SHORT_VRS:
        return EXPLICIT_LITTLE
    return IMPLICIT_LITTLE if int.from_bytes(first[4:8], "little") <= _LONGEST_FIRST else ""


_FIRST_META = (b"\x02\x00\x00\x00", b"\x02\x00\x01\x00", b"\x02\x00\x02\x00")
_LONGEST_FIRST = 1024
_TAG = {order: Struct(f"{order}HH").unpack_from for order in "<>"}
_SHORT = {order: Struct(f"{order}HH2sH").unpack_from for order in "<>"}
_LONG = {order: Struct(f"{order}I").unpack_from for order in "<>"}
_SHORT_NAMES = {vr: vr.decode() for vr in SHORT_VRS}
_VR_NAMES = {vr: vr.decode() for vr in LONG_VRS | SHORT_VRS}


def header(window: Window, position: int, encoding: Encoding) -> tuple[int, str, int, int]:
    """(tag, VR, start of the value, its length) of the element at ``position``; "" as the VR of items."""
    index = window.index(position, 8)
    order = encoding.order
    group, element, vr, length = _SHORT[order](window.buffer, index)
    tag = group << 16 | element
    if group == 0xFFFE or encoding.implicit:
        (length,) = _LONG[order](window.buffer, index + 4)
        return tag, "" if group == 0xFFFE else vr_of(tag), position + 8, length
    if vr in SHORT_VRS:
        return tag, _VR_NAMES[vr], position + 8, length
    if vr not in LONG_VRS:
        raise UnreadableFileError(f"{TRUNCATED}: no VR where one should be", attribute=hexadecimal(tag))
    index = window.index(position, 12)
    return tag, _VR_NAMES[vr], position + 12, _LONG[order](window.buffer, index + 8)[0]


class Walk:
    """All of a dataset's elements and what holds them, in order: iterate over it.

    Raises
    ------
    UnreadableFileError
        Lengths that do not fit, missing delimiters, no VR, or sequences deeper than :data:`DEEPEST`.
    EOFError, zlib.error
        It ends within an element.
    """

    def __init__(self, file: Opened) -> None:
        self.window = file.window
        self.position = file.start
        self.encoding = file.encoding
        self.limit = file.end
        self.in_sequence = False
        self.delimited = False
        self.stack: list[tuple[int, bool, bool, Encoding]] = []

    def __iter__(self) -> Iterator[Event]:
        window = self.window
        while True:
            if self.position >= self.limit:
                if self._at_end():
                    return
                yield self._close(self.position)
                continue
            if not self.stack and self.limit == _ENDLESS and window.ended(self.position):
                return
            if not self.in_sequence and not self.encoding.implicit and (leaves := self._plain(window)):
                yield from leaves
                continue
            head = self.position
            tag, vr, start, length = self._header(head)
            if tag >= ITEM and tag >> 16 == 0xFFFE:
                yield self._mark(tag, head, start, length)
            elif self.in_sequence:
                raise self._wrong(tag)
            elif tag == 0 and not vr:
                return
            else:
                event = self._element(tag, vr, head, start, length)
                yield event
                if event[0] == Kind.FRAGMENTS and self.position == start:
                    self.skip_fragments(start)

    def _plain(self, window: Window) -> list[Event]:
        """The elements from here on that nothing else can be: with a VR of the short ones, and all of their headers at
        hand. Most are; they are read in runs, since a file has hundreds of them and little else costs time here."""
        unpack, names, buffer, base = _SHORT[self.encoding.order], _SHORT_NAMES, window.buffer, window.base
        head, limit = self.position, self.limit
        last = min(base + len(buffer), limit) - 8
        found: list[Event] = []
        while head <= last and len(found) < _RUN:
            group, element, raw_vr, length = unpack(buffer, head - base)
            end = head + 8 + length
            if raw_vr not in names or group == 0xFFFE or end > limit:
                break
            found.append((Kind.LEAF, group << 16 | element, names[raw_vr], head, head + 8, length))
            head = end
        self.position = head
        return found

    def _header(self, head: int) -> tuple[int, str, int, int]:
        """As :func:`header`; all zeros where nothing but zeros follows the dataset."""
        try:
            found = header(self.window, head, self.encoding)
        except (UnreadableFileError, EOFError):
            if self.stack or not self._only_zeros(head):
                raise
            return 0, "", head, 0
        return (0, "", head, 0) if found[0] == 0 and not self.stack and self._only_zeros(head) else found

    def fragments(self, start: int) -> Iterator[tuple[bytes, Iterator[bytes | memoryview]]]:
        """(header, pieces of the value) of every item of encapsulated pixel data (PS3.5 A.4) whose value begins at
        ``start``, delimiter included; the pieces are to be taken before the next one."""
        for head, size in self.fragment_places(start):
            yield self.window.bytes_at(head, 8), self.window.chunks(head + 8, size - 8)

    def skip_fragments(self, start: int) -> None:
        """Move behind encapsulated pixel data whose value begins at ``start``."""
        for _ in self.fragment_places(start):
            pass

    def _at_end(self) -> bool:
        """True at the end of the dataset. Raises where something is open, or its contents are longer than it."""
        if self.position > self.limit or self.delimited:
            raise UnreadableFileError(TRUNCATED)
        return not self.stack

    def _element(self, tag: int, vr: str, head: int, start: int, length: int) -> Event:
        if vr == "SQ" or length == UNDEFINED or (vr == "UN" and self._looks_like_items(start, length)):
            if tag >> 16 == PIXEL_GROUP and vr != "SQ":
                self.position = start
                return Kind.FRAGMENTS, tag, vr, head, start, UNDEFINED
            return self._enter(tag, vr, head, start, length)
        end = start + length
        if end > self.limit:
            raise self._wrong(tag)
        self.position = end
        return Kind.LEAF, tag, vr, head, start, length

    def _enter(self, tag: int, vr: str, head: int, start: int, length: int) -> Event:
        if vr not in ("SQ", "UN"):
            raise self._wrong(tag)
        self._push(tag, start, length)
        self.in_sequence = True
        if vr == "UN":
            self.encoding = Encoding(implicit=True, order="<")
        return Kind.SEQUENCE, tag, vr, head, start, length

    def _push(self, tag: int, start: int, length: int) -> None:
        if len(self.stack) >= 2 * DEEPEST:
            raise UnreadableFileError("has sequences within sequences without end", attribute=hexadecimal(tag))
        self.stack.append((self.limit, self.in_sequence, self.delimited, self.encoding))
        self.delimited = length == UNDEFINED
        if not self.delimited:
            if start + length > self.limit:
                raise self._wrong(tag)
            self.limit = start + length
        self.position = start

    def _mark(self, tag: int, head: int, start: int, length: int) -> Event:
        """An item, or one of the two delimiters."""
        if tag == ITEM and self.in_sequence:
            self._push(tag, start, length)
            self.in_sequence = False
            return Kind.ITEM, tag, "", head, start, length
        if not self.delimited or tag != (SEQUENCE_END if self.in_sequence else ITEM_END):
            raise self._wrong(tag)
        return self._close(start)

    def _close(self, position: int) -> Event:
        kind, tag = (Kind.SEQUENCE_END, SEQUENCE_END) if self.in_sequence else (Kind.ITEM_END, ITEM_END)
        self.limit, self.in_sequence, self.delimited, self.encoding = self.stack.pop()
        self.position = position
        return kind, tag, "", position, position, 0

    def fragment_places(self, start: int) -> Iterator[tuple[int, int]]:
        """(offset, size) of every fragment with its header of 8 bytes, and of the delimiter at the end."""
        position, tag = start, ITEM
        while tag == ITEM:
            tag, _, begin, length = header(self.window, position, self.encoding)
            end = begin + length
            if tag not in (ITEM, SEQUENCE_END) or end > self.limit or (tag == SEQUENCE_END and length):
                raise self._wrong(PIXEL_DATA)
            yield position, end - position
            position = end
        self.position = position

    def _looks_like_items(self, start: int, length: int) -> bool:
        return 8 <= length < UNDEFINED and start + 8 <= self.limit and self.window.bytes_at(start, 4) == ITEM_BYTES

    def _only_zeros(self, position: int) -> bool:
        end = self.limit
        try:
            while position < end and not (end == _ENDLESS and self.window.ended(position)):
                index = self.window.index(position, 1)
                piece = self.window.buffer[index : index + end - position]
                if piece.strip(b"\0"):
                    return False
                position += len(piece)
        except EOFError:
            return False
        return True

    @staticmethod
    def _wrong(tag: int) -> UnreadableFileError:
        return UnreadableFileError(TRUNCATED, attribute=hexadecimal(tag))
