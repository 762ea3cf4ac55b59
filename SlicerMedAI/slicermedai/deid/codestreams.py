"""Remarks in compressed frames: comments, EXIF and the like are blanked, and no other byte changes.

So is what stands in segments that no decoder reads, behind what a segment says, and where a marker should be.

JPEG (ISO/IEC 10918-1), JPEG-LS (ISO/IEC 14495-1) and JPEG 2000 (ISO/IEC 15444-1), also in JP2 boxes, and the boxes of
JPEG XL (ISO/IEC 18181-2). Every frame keeps its length, so that offset tables and the lengths of tile-parts stay true.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from slicermedai.errors import UnreadableFileError

_JPEG, _J2K, _JP2, _JXL = b"\xff\xd8", b"\xff\x4f", b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL "
_SIGNS = (_JPEG, _J2K, _JP2, _JXL)
_FRAMES = (*_SIGNS, b"\xff\x0a")
"""How frames begin, the last of them a bare one of JPEG XL, which has no remarks."""
_COM, _APP, _J2K_COM = 0xFE, range(0xE0, 0xF0), 0x64
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
_RESERVED = frozenset({*range(0x02, 0xC0), *range(0xF0, 0xFE)}) - {0xF7, 0xF8}
"""Markers that JPEG reserves, but for those of JPEG-LS: a frame, and its parameters."""
_DRI, _DNL, _EXP, _DQT, _DHT, _DHP = 0xDD, 0xDC, 0xDF, 0xDB, 0xC4, 0xDE
_FIXED = {_DRI: 6, _DNL: 6, _EXP: 5}
"""Bytes of segments of one size; those of JPEG-LS may be longer (ISO/IEC 14495-1 C.2.5)."""
_BARE_J2K = frozenset(range(0x30, 0x40))
_KNOWN_J2K = frozenset(
    {*range(0x50, 0x54), *range(0x55, 0x5A), *range(0x5C, 0x62), 0x63, *range(0x70, 0x7A), 0x90, 0x91}
)
"""Segments of ISO/IEC 15444-1, -2 and -15 but for the comment; decoders read over all others."""
_SOS, _EOI, _SOT, _SOD = 0xDA, 0xD9, 0x90, 0x93
_SCAN_END = {False: re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]"), True: re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")}
_JPEG_LS = 0xF7
_SIZES = frozenset({*range(0xC0, 0xD0), _JPEG_LS}) - {0xC4, 0xC8, 0xCC}
_STILL = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.(?:[5-9][0-9]|11[0-2]|20[1-3])")
"""Transfer syntaxes of still pictures that are known here."""
_KEPT_APP = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12), 0xE8: (b"mrfx", 5)}
"""Of these application segments, which begin like that, as many bytes say how the samples are to be understood."""
_KEPT_BOXES = frozenset({b"jP  ", b"ftyp", b"JXL ", b"jxll", b"jxlc", b"jxlp", b"jxli"})
_KEPT_BOXES |= {b"ihdr", b"bpcc", b"pclr", b"cmap", b"cdef", b"resc", b"resd"}
_HEADERS, _COLOURS = (b"jp2h", b"res "), b"colr"
"""Boxes whose content is looked into: other boxes, and a colour space with its profile."""
_REBUILT = (b"jbrd", b"free")
"""The box that rebuilds a JPEG file with its remarks: a blanked one must not be read as that."""
_TO_THE_END = 1 << 62
"""Of a box that says no length."""
_BLOCK = 1 << 16


def precision_of(head: bytes) -> int:
    """Bits of a sample, as the beginning of a codestream says; 0 where it does not."""
    if head[:2] == _J2K:
        return (head[42] & 0x7F) + 1 if len(head) > 42 else 0
    position = 2 if head[:2] == _JPEG else len(head)
    while position + 5 <= len(head) and head[position] == 0xFF:
        if head[position + 1] in _SIZES:
            return head[position + 4]
        position += 2 + int.from_bytes(head[position + 2 : position + 4], "big")
    return 0


def without_remarks(frame: bytes) -> bytes:
    """One whole frame with its remarks blanked."""
    blanker = Blanker()
    return b"".join((*blanker.feed(frame), *blanker.end()))


class Blanker:
    """Blanks remarks in the fragments of frames, given piece by piece; as many bytes come out as go in.

    What is no JPEG, JPEG-LS, JPEG 2000 or JPEG XL comes out as it is, but under the transfer ``syntax`` of one of them.
    """

    def __init__(self, syntax: str = "") -> None:
        self._held, self._is_still = b"", bool(_STILL.fullmatch(syntax))
        self._step: Callable[[], bytes] = self._start
        self._left = 0
        self._part = 0
        self._is_ls = False
        self._tail = 0
        self._within: Callable[[], bytes] = self._boxes

    def feed(self, piece: bytes | memoryview) -> Iterator[bytes]:
        """The next bytes of a fragment; what is not understood yet is held back.

        Raises
        ------
        UnreadableFileError
            A frame is none, or cannot be followed.
        """
        self._held += bytes(piece)
        while self._held:
            done = self._step()
            if not done:
                return
            yield done

    def boundary(self) -> Iterator[bytes]:
        """A fragment ends: another frame may begin. What is no frame stays only where nothing was understood before."""
        if self._step == self._behind and self._held:
            rest = self._take(len(self._held))
            yield rest if not rest.strip(b"\0\xff") else bytes(len(rest))
        elif self._step in (self._start, self._as_it_is, self._no_box) or (
            self._step == self._box and self._is_endless()
        ):
            self._left = 0
            if self._held:
                yield self._no_box() if self._step == self._no_box else self._take(len(self._held))
            self._step = self._start
        elif self._step in (self._boxes, self._other_box):
            self._tail, self._within, self._step = len(self._held), self._step, self._next_or_same

    def end(self) -> Iterator[bytes]:
        """Nothing follows: what is held back comes out; an unfinished remark is blanked."""
        yield from self.boundary()
        if self._step == self._next_or_same:
            yield bytes(len(self._take(len(self._held))))
        elif self._held:
            is_remark = self._step in (self._markers, self._j2k_markers) and self._is_remark(self._held[:2])
            yield _blank(self._take(len(self._held)), 4) if is_remark else self._take(len(self._held))

    def _is_endless(self) -> bool:
        return self._left > _TO_THE_END >> 1

    def _take(self, size: int) -> bytes:
        taken, self._held = self._held[:size], self._held[size:]
        self._part -= len(taken)
        return taken

    def _start(self) -> bytes:
        held = self._held
        if len(held) < 12 and any(sign.startswith(held[: len(sign)]) for sign in _SIGNS):
            return b""
        if held.startswith(_JPEG):
            self._step, self._is_ls = self._markers, False
            return self._take(2)
        if held.startswith(b"\xff\xff"):
            return self._take(1)
        if held.startswith(_J2K):
            self._step = self._j2k_markers
            return self._take(2)
        if self._is_still and held.strip(b"\0") and not held.startswith(_FRAMES):
            raise UnreadableFileError("has a compressed frame that is none", attribute="PixelData")
        self._step = self._boxes if held.startswith((_JP2, _JXL)) else self._as_it_is
        return self._step()

    def _as_it_is(self) -> bytes:
        return self._take(len(self._held))

    def _behind(self) -> bytes:
        """Between the end of a frame and the beginning of the next one nothing is meant."""
        if len(self._held) < 12 and any(sign.startswith(self._held[: len(sign)]) for sign in _SIGNS):
            return b""
        if self._held.startswith(_SIGNS):
            self._step = self._start
            return self._start()
        return bytes(len(self._take(len(self._held))))

    def _is_remark(self, marker: bytes) -> bool:
        code = marker[1] if len(marker) == 2 else 0
        return code == _J2K_COM if self._step == self._j2k_markers else code == _COM or code in _APP

    def _segment(self) -> bytes:
        """A marker with its segment, once all of it is there."""
        if len(self._held) < 4:
            return b""
        size = 2 + int.from_bytes(self._held[2:4], "big")
        return self._take(size) if len(self._held) >= size else b""

    def _markers(self) -> bytes:
        held = self._held
        if len(held) < 2:
            return b""
        if held[0] != 0xFF:  # decoders go on at the next marker
            place = held.find(b"\xff")
            return bytes(len(self._take(place if place > 0 else len(held))))
        code = held[1]
        if code in _BARE or code in (0, 0xFF):
            return self._take(1 if code == 0xFF else 2)
        if code == _EOI:
            self._step = self._behind
            return self._take(2)
        segment = self._segment()
        if segment and code == _SOS:
            self._step = self._scan
        self._is_ls = self._is_ls or code == _JPEG_LS
        return _cleaned(segment, is_ls=self._is_ls)

    def _scan(self) -> bytes:
        """Coded samples, up to the next marker."""
        found = _SCAN_END[self._is_ls].search(self._held)
        if found is None:
            return self._take(len(self._held) - self._held.endswith(b"\xff"))
        self._step = self._markers
        return self._take(found.start()) or self._markers()

    def _j2k_markers(self) -> bytes:
        held = self._held
        if len(held) < 2:
            return b""
        code = held[1]
        if held[0] != 0xFF:
            self._step = self._as_it_is
            return self._as_it_is()
        if code == _EOI:
            self._step = self._behind
            return self._take(2)
        if code in _BARE_J2K:
            return self._take(2)
        if code == _SOD:
            self._step = self._tile_part if self._left else self._as_it_is
            return self._take(2)
        segment = self._segment()
        if segment and code == _SOT and len(segment) >= 10:
            (self._left,) = struct.unpack_from(">I", segment, 6)
            self._part = self._left - len(segment)
        return segment if code in _KNOWN_J2K else _blank(segment, 4)

    def _tile_part(self) -> bytes:
        """Coded samples, up to the end of the tile-part."""
        if self._part <= 0:
            self._step = self._j2k_markers
            return self._j2k_markers()
        return self._take(self._part)

    def _next_or_same(self) -> bytes:
        """A fragment begins behind a boundary: it is the next frame, or goes on with what the last one began.

        Where it is a frame, what the last one left behind (a byte that makes its length even) is none of its boxes.
        """
        new = self._held[self._tail :]
        if new.startswith(_FRAMES):
            self._step = self._start
            return bytes(len(self._take(self._tail))) or self._start()
        if any(sign.startswith(new) for sign in _FRAMES):
            return b""
        self._step = self._within
        return self._step()

    def _boxes(self) -> bytes:
        """The head of a box; where it can be none, nothing is meant in the rest of the fragment."""
        head = 16 if self._held[:4] == b"\0\0\0\1" else 8
        if len(self._held) < head:
            return b""
        size, kind = struct.unpack_from(">I4s", self._held)
        if head == 16:
            (size,) = struct.unpack_from(">Q", self._held, 8)
        if not (kind.isascii() and kind.decode("ascii").isprintable()) or 0 < size < head:
            self._step = self._no_box
            return self._no_box()
        if kind == b"jp2c":
            self._step = self._start
            return self._take(head)
        if kind in _HEADERS:
            return self._take(head)
        if kind == _COLOURS and head < size <= _BLOCK:
            return _cleaned_colours(self._take(size), head) if len(self._held) >= size else b""
        self._left, self._step = size or _TO_THE_END, self._box if kind in _KEPT_BOXES else self._other_box
        return self._box_piece(self._take(min(head, self._left)).replace(*_REBUILT))

    def _no_box(self) -> bytes:
        return bytes(len(self._take(len(self._held))))

    def _box(self) -> bytes:
        return self._box_piece(self._take(self._left))

    def _other_box(self) -> bytes:
        return self._box_piece(bytes(len(self._take(self._left))))

    def _box_piece(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left <= 0:
            self._step = self._boxes
        return piece


class FragmentBlanker(Protocol):
    """Blanks remarks in fragments, given piece by piece; as many bytes come out as go in."""

    def feed(self, piece: bytes | memoryview) -> Iterator[bytes]:
        """The next bytes of a fragment."""

    def boundary(self) -> Iterator[bytes]:
        """A fragment ends."""

    def end(self) -> Iterator[bytes]:
        """Nothing follows."""


def blanked(
    fragments: Iterator[tuple[bytes, Iterator[bytes | memoryview]]], blanker: FragmentBlanker | None = None
) -> Iterator[bytes | memoryview]:
    """Encapsulated pixel data (PS3.5 A.4) without remarks in its frames.

    Parameters
    ----------
    fragments:
        (header, pieces of its value) of each item, the offset table first, the delimiter last.
    blanker:
        What knows the remarks; of still pictures where it is left out.
    """
    blanker, heads = blanker or Blanker(), deque[tuple[int, bytes]]()
    given = written = 0
    first = next(fragments)
    yield first[0]
    yield from first[1]

    def placed(out: bytes) -> Iterator[bytes]:
        nonlocal written
        while out or (heads and heads[0][0] <= written):
            if heads and heads[0][0] <= written:
                yield heads.popleft()[1]
                continue
            size = min(len(out), heads[0][0] - written) if heads else len(out)
            yield out[:size]
            out, written = out[size:], written + size

    for head, pieces in fragments:
        heads.append((given, head))
        for piece in pieces:
            given += len(piece)
            for out in blanker.feed(piece):
                yield from placed(out)
        for out in blanker.boundary():
            yield from placed(out)
    for out in blanker.end():
        yield from placed(out)
    yield from placed(b"")


def _cleaned(segment: bytes, *, is_ls: bool) -> bytes:
    """A marker segment of JPEG or JPEG-LS; comments and application data are blanked, and so is what it has beyond what
    it says, and what nobody knows."""
    if len(segment) < 2:
        return segment
    code = segment[1]
    if code != _COM and code not in _APP:
        return _blank(segment, _said(segment, is_ls=is_ls))
    sign, kept = _KEPT_APP.get(code, (b"-", 0))
    if code == 0xE2 and segment[4:16] == b"ICC_PROFILE\0":
        return segment[:18] + without_words(segment[18:]) if segment[16:18] == b"\1\1" else _blank(segment, 4)
    return _blank(segment, 4 + kept if segment[4:].startswith(sign) else 4)


def _said(segment: bytes, *, is_ls: bool) -> int:
    """How many bytes of a segment a decoder reads (ISO/IEC 10918-1 B.2)."""
    code = segment[1]
    if code in _RESERVED:
        return 4
    if code in _FIXED:
        return len(segment) if is_ls and code != _EXP else _FIXED[code]
    if code in (_DQT, _DHT):
        return _of_tables(segment)
    if (code in _SIZES or code == _DHP) and len(segment) > 9:
        return 10 + 3 * segment[9]
    return 8 + 2 * segment[4] if code == _SOS and len(segment) > 4 else len(segment)


def _of_tables(segment: bytes) -> int:
    """The end of the last of its tables, of which there are four of each kind."""
    place = 4
    while place < len(segment) and segment[place] & 15 < 4:
        size = sum(segment[place + 1 : place + 17]) + 17 if segment[1] == _DHT else 65 + 64 * (segment[place] >> 4 & 1)
        if place + size > len(segment):
            return place
        place += size
    return place


def _cleaned_colours(box: bytes, head: int) -> bytes:
    """The colour space of a picture in boxes (ISO/IEC 15444-1 I.5.3.3): a number, or a profile."""
    numbered = box[head : head + 1] == b"\1"
    return _blank(box, head + 7) if numbered else box[: head + 3] + without_words(box[head + 3 :])


def without_words(profile: bytes) -> bytes:
    """An ICC profile (ISO 15076-1) with the text in its descriptions blanked; colours are not touched."""
    if len(profile) < 132:
        return _blank(profile, 0)
    result = bytearray(profile)
    (count,) = struct.unpack_from(">I", profile, 128)
    for entry in range(min(count, (len(profile) - 132) // 12)):
        _, begin, size = struct.unpack_from(">4sII", profile, 132 + 12 * entry)
        kind = profile[begin : begin + 4]
        keeps = {b"text": 8, b"desc": 12}.get(kind)
        if kind == b"mluc" and begin + 12 <= len(profile):
            keeps = 16 + 12 * struct.unpack_from(">I", profile, begin + 8)[0]
        if keeps is not None:
            end = min(begin + size, len(profile))
            result[begin + keeps : end] = bytes(max(end - begin - keeps, 0))
    return bytes(result)


def _blank(segment: bytes, kept: int) -> bytes:
    return segment[:kept] + bytes(max(len(segment) - kept, 0))
