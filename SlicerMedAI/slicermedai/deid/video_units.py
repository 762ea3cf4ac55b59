"""Units of video streams (start code to start code) without remarks: as many bytes come out as go in.

MPEG-2 (ISO/IEC 13818-2): user data. H.264 and HEVC (ITU-T H.264 and H.265, Annex B and D): messages of user data, and
units that no decoder reads. What decoders need stays as it is, timing messages too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from slicermedai.errors import UnreadableFileError

_START = re.compile(rb"\x00\x00\x01")
_PROTECTED = re.compile(rb"\x00\x00\x03")
_FILLER = b"\xff"
_LONGEST = 1 << 22
"""Bytes of a unit with messages: a longer one is none."""
_PACKETS = 0xB9
"""First of the start codes that no unit has (ISO/IEC 13818-2 Table 6-1; in H.264 and HEVC that bit is forbidden)."""
_FORBIDDEN = 0x80
"""The bit that no unit of H.264 and HEVC has; decoders read over one that has it."""
_UNREAD_MPEG2 = frozenset({0xB0, 0xB1, 0xB2, 0xB4, 0xB6})
"""User data, errors, and start codes that are reserved."""
_UNREAD_HEVC = frozenset({*range(10, 16), *range(22, 32), 38, *range(41, 64)})
"""Kinds that are reserved or left to others, and filler."""
_USER_DATA = (4, 5)
"""Messages (SEI) of registered and unregistered user data."""


class Codec(Enum):
    """How the pictures are coded."""

    MPEG2 = "MPEG-2"
    H264 = "H.264"
    HEVC = "HEVC"


class What(Enum):
    """What becomes of a unit."""

    KEEP, BLANK, MESSAGES, END = range(4)


def refused(why: str) -> UnreadableFileError:
    """The error that names what cannot be followed."""
    return UnreadableFileError(
        f"is a video in which remarks cannot be looked for: {why}",
        attribute="PixelData",
        advice="Write it anew as a plain stream, without sound and data.",
    )


def what_of(codec: Codec, code: int) -> What:
    """By the first byte of a unit behind its start code.

    Raises
    ------
    UnreadableFileError
        It begins a packet of a program stream (ISO/IEC 13818-1 2.5), in which anything may be said.
    """
    if code >= _PACKETS:
        raise refused("it is a program stream, or has packets of one between its units")
    if codec is Codec.MPEG2:
        return What.BLANK if code in _UNREAD_MPEG2 else What.END if code == 0xB7 else What.KEEP
    if code & _FORBIDDEN:
        return What.BLANK
    if codec is Codec.H264:
        kind = code & 31
        other = What.BLANK if kind in (0, 12, 17, 18) or kind >= 22 else What.KEEP
        return {6: What.MESSAGES, 10: What.END, 11: What.END}.get(kind, other)
    kind = code >> 1 & 63
    other = What.BLANK if kind in _UNREAD_HEVC else What.KEEP
    return {39: What.MESSAGES, 40: What.MESSAGES, 36: What.END, 37: What.END}.get(kind, other)


def header_size(codec: Codec) -> int:
    """Bytes of a unit that say what it is."""
    return 2 if codec is Codec.HEVC else 1


def cleaned_unit(codec: Codec, unit: bytes) -> bytes:
    """One whole unit without its start code."""
    what, head = what_of(codec, unit[0] if unit else 0), header_size(codec)
    if what is What.KEEP:
        return unit
    if what is What.MESSAGES:
        return unit[:head] + without_user_data(unit[head:])
    filler = _FILLER if what is What.BLANK else b"\0"
    return unit[:head] + filler * len(unit[head:])


def without_user_data(body: bytes) -> bytes:
    """The messages of a unit (H.264 7.3.2.3) with user data overwritten; one that is none is overwritten as a whole.

    Bytes that keep others from looking like a start code stay, so that every message keeps its length.
    """
    fixed = {n for match in _PROTECTED.finditer(body) for n in range(*match.span())}
    skipped = {match.end() - 1 for match in _PROTECTED.finditer(body)}
    places = [n for n in range(len(body)) if n not in skipped]
    plain, made = bytes(body[n] for n in places), bytearray(body)
    for start, end in _user_data(plain):
        for n in places[start:end]:
            if n not in fixed:
                made[n] = _FILLER[0]
    return bytes(made)


def _user_data(plain: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of the payloads of such messages, and of what is no message."""
    position, last = 0, len(plain.rstrip(b"\0"))
    while position < last - 1:
        kind, position = _number(plain, position)
        size, position = _number(plain, position)
        if position + size > last:
            yield position, last
            return
        if kind in _USER_DATA:
            yield position, position + size
        position += size
    if plain[position:last] not in (b"\x80", b""):
        yield position, last


def _number(plain: bytes, position: int) -> tuple[int, int]:
    total = 0
    while plain[position : position + 1] == b"\xff":
        total, position = total + 255, position + 1
    return total + (plain[position] if position < len(plain) else 0), position + 1


class Units:
    """A stream of units, given piece by piece."""

    def __init__(self, codec: Codec) -> None:
        self._codec, self._held = codec, b""
        self._what = What.END  # before the first unit nothing is meant

    def feed(self, piece: bytes | memoryview) -> Iterator[bytes]:
        """The next bytes; what is not understood yet is held back.

        Raises
        ------
        UnreadableFileError
            A unit with messages that has no end, or what is no unit.
        """
        held, last = self._held + bytes(piece), 0
        for found in _START.finditer(held, 3 if held.startswith(b"\0\0\1") else 0):
            yield self._unit(held[last : found.start()])
            last = found.start()
        self._held = held[last:]
        yield self._beginning()

    def end(self) -> Iterator[bytes]:
        """Nothing follows."""
        yield self._unit(self._held)
        self._held = b""

    def _beginning(self) -> bytes:
        """Of a unit without end so far: what can be handed out."""
        size = len(self._held) - 2  # a start code may be cut in two
        if size < 8 or (self._held.startswith(b"\0\0\1") and what_of(self._codec, self._held[3]) is What.MESSAGES):
            if size > _LONGEST:
                raise UnreadableFileError("is a video with a message that has no end", attribute="PixelData")
            return b""
        out, self._held = self._unit(self._held[:size]), self._held[size:]
        return out

    def _unit(self, raw: bytes) -> bytes:
        """A unit with its start code, or a piece of one that goes on."""
        if raw.startswith(b"\0\0\1") and len(raw) > 3:
            self._what = what_of(self._codec, raw[3])
            return raw[:3] + cleaned_unit(self._codec, raw[3:])
        if self._what is What.KEEP:
            return raw
        return (_FILLER if self._what is What.BLANK else b"\0") * len(raw)
