"""What stands in a value in another form, for the verifier: base64, hexadecimal digits, and what is compressed.

The verifier's own code: it shares none with what finds such forms when they are masked or removed.
"""

from __future__ import annotations

import binascii
import re
import zlib
from collections.abc import Iterator

import numpy as np

from slicermedai.deid.verify_codes import coded

_RUN = re.compile(rb"[A-Za-z0-9+/=_-]{7,}(?:\r?\n[ \t]*[A-Za-z0-9+/=_-]+)*")
_DIGITS = re.compile(rb"(?:[0-9A-Fa-f]{2}[ :]?){4,}[0-9A-Fa-f]{2}")
_NO_CODE = re.compile(rb"[A-Za-z][a-z]+|[0-9]+")
_MARKS = bytes.maketrans(b"-_", b"+/")
_CLOSED = (b"BZh91AY&SY", b"\xfd7zXZ\0", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"%PDF-")
_PAGES = _CLOSED[-1]
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*")
_ARCHIVE, _GZIP = b"PK\3\4", b"\x1f\x8b\x08"
_LINE, _MOST, _CREDIBLE, _LARGE, _BLOCK = 12, 1 << 22, 256, 1 << 20, 1 << 17
Inner = tuple[int, bytes, bool]
"""(where it stands in the value, what it is, whether that is text)"""


class Closed(Exception):
    """Something at a place of the value is compressed and cannot be searched."""

    def __init__(self, place: int) -> None:
        super().__init__("what is compressed cannot be searched")
        self.place = place


def within_text(value: bytes) -> Iterator[Inner]:
    """What runs of letters and digits in a text stand for.

    Raises
    ------
    Closed
        A picture.
    """
    for found in _RUN.finditer(value):
        run = re.sub(rb"[\r\n\t= ]", b"", found[0]).translate(_MARKS)
        if _NO_CODE.fullmatch(run):
            continue
        for start in range(4):
            size = (len(run) - start) // 4 * 4
            whole = binascii.a2b_base64(run[start : start + size])
            last = run[start + size :]
            whole += binascii.a2b_base64(last.ljust(4, b"=")) if len(last) > 1 else b""
            if whole.startswith(_PICTURES):
                raise Closed(found.start())
            yield found.start(), *_read(whole)
    for found in _DIGITS.finditer(value):
        yield found.start(), *_read(binascii.a2b_hex(found[0].translate(None, b" :")))
    for place, made in coded(value):
        if made.startswith(_PICTURES):
            raise Closed(place)
        yield place, *_read(made)


def within_bytes(value: bytes, size: int) -> Iterator[Inner]:
    """What is compressed in bytes that are a value, or a piece of one, of ``size`` bytes.

    Raises
    ------
    Closed
        Something that cannot be searched.
    """
    for sign in _CLOSED:
        if sign in value and (sign != _PAGES or b"stream" in value):  # of a document that was emptied nothing is left
            raise Closed(value.index(sign))
    if made := _whole(value):
        yield 0, *_read(made)
    view = memoryview(value)
    for place, start, bits in _starts(value):
        made, ended = _inflated(view[start:], bits, place)
        if len(made) >= _CREDIBLE and (size > _LARGE or (size > len(value) and not ended)):
            raise Closed(place)
        if len(made) > 4:
            yield place, *_read(made)


def _starts(value: bytes) -> Iterator[tuple[int, int, int]]:
    """(place of a sign, where what is compressed begins, how it is)."""
    if len(value) < _LINE:
        return
    for begin in range(0, len(value), _BLOCK):
        heads = np.frombuffer(value[begin : begin + _BLOCK + 1], dtype=np.uint8)
        for place in np.flatnonzero(heads[:-1] & 0x8F == 8) + begin:
            if int.from_bytes(value[place : place + 2], "big") % 31 == 0 and not value[place + 1] & 0x20:
                yield int(place), int(place), 15
    for found in re.finditer(re.escape(_GZIP), value):
        yield found.start(), found.start(), 31
    for found in re.finditer(re.escape(_ARCHIVE), value):
        head = value[found.start() : found.start() + 30]
        if len(head) == 30:
            if head[6] & 1 or head[8] not in (0, 8) or head[9]:
                raise Closed(found.start())
            names = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:], "little")
            if head[8]:
                yield found.start(), found.start() + 30 + names, -15


def _inflated(data: memoryview, bits: int, place: int) -> tuple[bytes, bool]:
    """What comes out before an end or an error, and whether it came to its end."""
    reader, made = zlib.decompressobj(bits), b""
    for position in range(0, len(data), 512):
        try:
            made += reader.decompress(data[position : position + 512])
        except zlib.error:
            return made, True
        if len(made) > _MOST:
            raise Closed(place)
        if reader.eof:
            return made, True
    return made, False


def _whole(value: bytes) -> bytes:
    """What all of a value is, deflated without a header; b"" where it is not."""
    reader = zlib.decompressobj(-15)
    try:
        made = reader.decompress(value, _MOST)
    except zlib.error:
        return b""
    return made if reader.eof and not reader.unused_data.strip(b"\0") else b""


def _read(made: bytes) -> tuple[bytes, bool]:
    """(the bytes, or UTF-8 of what is text in two bytes a character; whether they are a line of text)."""
    for codec in ("utf-16-be" if made[:1] == b"\0" else "utf-16-le",) if b"\0" in made else ("utf-8",):
        try:
            text = made.decode(codec)
        except UnicodeDecodeError:
            continue
        if len(text.strip()) >= _LINE and "".join(text.split()).isprintable():
            return text.encode(), True
    return made, False
