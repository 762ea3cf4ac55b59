"""Elements as bytes (PS3.5 7.1), values padded to even length as their VR wants it (PS3.5 6.2)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from slicermedai.deid.wire import LONG_VRS, UNDEFINED, Encoding
from slicermedai.domain.codes import Code

_PADDED_BY_NULL = frozenset({"UI", "OB", "UN"})
_LONG_NAMES = frozenset(vr.decode() for vr in LONG_VRS)
_SHORTEST_LONG = 0x10000
LITTLE = Encoding(implicit=False, order="<")


def head(tag: int, vr: str, length: int, encoding: Encoding) -> bytes:
    """Tag, VR and length of an element whose value follows."""
    group, element = tag >> 16, tag & 0xFFFF
    if encoding.implicit or group == 0xFFFE:
        return struct.pack(f"{encoding.order}HHI", group, element, length)
    if vr in _LONG_NAMES:
        return struct.pack(f"{encoding.order}HH2sHI", group, element, vr.encode(), 0, length)
    return struct.pack(f"{encoding.order}HH2sH", group, element, vr.encode(), length)


def element(tag: int, vr: str, value: bytes, encoding: Encoding) -> bytes:
    """An element with its value; too long for a length of two bytes, it is written as UN (PS3.5 6.2.2)."""
    if len(value) % 2:
        value += b"\0" if vr in _PADDED_BY_NULL else b" "
    if len(value) >= _SHORTEST_LONG and vr not in _LONG_NAMES:
        vr = "UN"
    return head(tag, vr, len(value), encoding) + value


def sequence(tag: int, items: Sequence[bytes], encoding: Encoding) -> bytes:
    """A sequence of items of which each is given as the bytes of its elements."""
    value = b"".join(head(0xFFFEE000, "", len(item), encoding) + item for item in items)
    return head(tag, "SQ", len(value), encoding) + value


def code_item(code: Code, encoding: Encoding) -> bytes:
    """The elements of a code sequence item (PS3.3 8.8)."""
    values = ((0x00080100, "SH", code.value), (0x00080102, "SH", code.scheme), (0x00080104, "LO", code.meaning))
    return b"".join(element(tag, vr, value.encode("ascii", "replace"), encoding) for tag, vr, value in values)


def sequence_head(tag: int, vr: str, encoding: Encoding) -> bytes:
    """The beginning of a sequence of undefined length; within UN it is implicit (PS3.5 6.2.2)."""
    return head(tag, vr or "SQ", UNDEFINED, encoding)


def file_meta(sop_class: str, sop_instance: str, syntax: str, program: tuple[str, str]) -> bytes:
    """Preamble and file meta information (PS3.10 7.1); ``program`` is Implementation Class UID and Version Name."""
    rest = b"".join(
        (
            element(0x00020001, "OB", b"\0\1", LITTLE),
            element(0x00020002, "UI", sop_class.encode(), LITTLE),
            element(0x00020003, "UI", sop_instance.encode(), LITTLE),
            element(0x00020010, "UI", syntax.encode(), LITTLE),
            element(0x00020012, "UI", program[0].encode(), LITTLE),
            element(0x00020013, "SH", program[1].encode(), LITTLE),
        )
    )
    return b"\0" * 128 + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(rest)), LITTLE) + rest
