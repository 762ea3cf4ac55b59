"""Look for identity in a file in the judge's own way: raw bytes in every encoding, and every element."""

from __future__ import annotations

import base64
import binascii
import bz2
import html
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

DEFLATED = b"1.2.840.10008.1.2.1.99"
# ASCII letters may be lowered in these
FOLDING = ("utf-8", "latin-1", "iso8859-5", "iso8859-7", "utf-16-le", "utf-16-be", "tis_620")
FOLDING += ("koi8_u", "koi8_r", "cp1251")
EXACT = ("gb18030", "iso2022_jp")
SHORT = 6  # tokens up to this length count as whole words only
_HEXADECIMAL = re.compile(rb"(?:[0-9A-Fa-f]{2}){5,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{6,}(?:\r?\n[A-Za-z0-9+/_-]+)*")
_ESCAPED = re.compile(rb"[^\0]{0,200}(?:%[0-9A-Fa-f]{2}|=[0-9A-Fa-f]{2}|=\r?\n|&[#A-Za-z0-9]{2,8};)[^\0]{0,400}")
_DEEPEST = 3


@lru_cache(maxsize=65536)
def patterns(token: str) -> tuple[tuple[bytes, ...], tuple[bytes, ...], re.Pattern[bytes] | None]:
    """Byte forms of a token: those to find in lowered data, those to find exactly, and a whole-word pattern."""
    if token.isascii() and len(token) <= SHORT:
        word = re.escape(token.lower().encode("ascii"))
        return (), (), re.compile(rb"(?<![a-z0-9])" + word + rb"(?![a-z0-9])")
    cases = dict.fromkeys((token, token.lower(), token.upper(), token.title()))
    folded = {form.lower() for case in cases for form in _encodings(case, FOLDING)}
    exact = {form for case in cases for form in _encodings(case, EXACT)} if not token.isascii() else set()
    return tuple(folded), tuple(exact), None


def _encodings(text: str, codecs: tuple[str, ...]) -> Iterator[bytes]:
    for codec in codecs:
        try:
            made = text.encode(codec)
        except UnicodeEncodeError:
            continue
        yield made.removesuffix(b"\x1b(B") if codec == "iso2022_jp" else made


@dataclass(frozen=True)
class Hay:
    """Bytes to search, with what is packed in them unpacked."""

    raw: bytes

    @cached_property
    def _lowered(self) -> bytes:
        return self.raw.lower()

    def holds(self, token: str) -> bool:
        """Whether the token stands in these bytes in any encoding and case."""
        folded, exact, word = patterns(token)
        if word is not None:
            return word.search(self._lowered) is not None
        return any(form in self._lowered for form in folded) or any(form in self.raw for form in exact)


def unpacked(data: bytes, depth: int = 0) -> bytes:
    """The bytes, followed by what is encoded, escaped, compressed or archived in them, to a depth of three."""
    if depth == _DEEPEST:
        return data
    inner = [part for way in _WAYS for part in way(data) if len(part) > 2 and part != data]
    return b"\0".join([data, *(unpacked(part, depth + 1) for part in inner)])


def _decoded(data: bytes) -> Iterator[bytes]:
    """What base64 and hexadecimal digits stand for, wherever they begin."""
    for found in _BASE64.finditer(data):
        run = re.sub(rb"\s", b"", found[0]).translate(bytes.maketrans(b"-_", b"+/"))
        for start in range(4):
            piece = run[start:]
            yield (
                base64.b64decode(piece + b"=" * (-len(piece) % 4))
                if len(piece) % 4 != 1
                else base64.b64decode(piece[:-1])
            )
    for found in _HEXADECIMAL.finditer(data):
        for start in (0, 1):
            yield bytes.fromhex(found[0][start : len(found[0]) - (len(found[0]) - start) % 2].decode("ascii"))


def _unescaped(data: bytes) -> Iterator[bytes]:
    """Text as mail, URLs and HTML write it."""
    for found in _ESCAPED.finditer(data):
        yield unquote_to_bytes(found[0])
        yield binascii.a2b_qp(found[0])
        yield html.unescape(found[0].decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _uncompressed(data: bytes) -> Iterator[bytes]:
    """What zlib, gzip, deflate, bzip2, xz and zip hold, wherever they begin."""
    for sign, unpack in _SIGNS:
        place = data.find(sign)
        while place >= 0:
            yield unpack(data[place:])
            place = data.find(sign, place + 1)
    yield _inflated(data, -15)


def _bunzipped(data: bytes) -> bytes:
    try:
        return bz2.BZ2Decompressor().decompress(data)
    except (OSError, EOFError):
        return b""


def _unxzipped(data: bytes) -> bytes:
    try:
        return lzma.LZMADecompressor().decompress(data)
    except lzma.LZMAError:
        return b""


def _unzipped(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return b"\0".join(archive.read(name) for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, OSError):
        return b""


def _inflated(data: bytes, bits: int = 15) -> bytes:
    try:
        return zlib.decompressobj(bits).decompress(data)
    except zlib.error:
        return b""


_SIGNS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    *((bytes([0x78, flag]), _inflated) for flag in (0x01, 0x5E, 0x9C, 0xDA)),
    (b"\x1f\x8b\x08", lambda data: _inflated(data, 31)),
    (b"BZh", _bunzipped),
    (b"\xfd7zXZ", _unxzipped),
    (b"PK\3\4", _unzipped),
)
_WAYS: tuple[Callable[[bytes], Iterator[bytes]], ...] = (_decoded, _unescaped, _uncompressed)


def whole_file(data: bytes) -> bytes:
    """A file's bytes, followed by what it holds deflated: the data set, and encapsulated documents."""
    parts = [data]
    if DEFLATED in data[:4096] and data[128:132] == b"DICM":
        length = int.from_bytes(data[140:144], "little")  # (0002,0000) stands first: PS3.10 7.1
        parts.append(_inflated(data[144 + length :], -15))
    return b"\0".join(unpacked(part) for part in parts)


@dataclass
class FileView:
    """One file of a tool's output: raw bytes, data set, and its elements by path."""

    path: Path
    raw: bytes = b""
    data: Dataset = field(default_factory=Dataset)
    readable: bool = True

    @classmethod
    def open(cls, path: Path) -> FileView:
        """Read the file; one that pydicom cannot read stays searchable as bytes."""
        raw = path.read_bytes()
        try:
            return cls(path, raw, dcmread(path))
        except (InvalidDicomError, OSError, ValueError, EOFError, AttributeError, KeyError):
            return cls(path, raw, readable=False)

    @cached_property
    def hay(self) -> Hay:
        """The whole file, unpacked."""
        return Hay(whole_file(self.raw))

    @cached_property
    def leaves(self) -> dict[str, bytes]:
        """Raw bytes of every element that is not a sequence, by path."""
        made = dict(_walk(self.data, ""))
        meta = getattr(self.data, "file_meta", None)
        if meta is not None:
            made.update({"(meta)" + path: value for path, value in _walk(meta, "")})
        made["(preamble)"] = self.raw[:128] if self.raw[128:132] == b"DICM" else b""
        return made

    @cached_property
    def by_tag(self) -> dict[str, list[bytes]]:
        """The same by the last tag of the path."""
        made: dict[str, list[bytes]] = {}
        for path, value in self.leaves.items():
            made.setdefault(path.rpartition("/")[2], []).append(value)
        return made

    def at(self, path: str) -> list[bytes]:
        """What stands at the path; where that is gone, what stands in the same attribute anywhere in the file."""
        if path in self.leaves:
            return [self.leaves[path]]
        for parent in _parents(path):
            if parent in self.leaves:
                return [self.leaves[parent]]
        return self.by_tag.get(path.rpartition("/")[2], []) if not path.startswith("(") else []

    def value(self, path: str) -> Any:
        """The element's value as pydicom reads it; None where it is gone or not readable."""
        holder: Any = self.data
        *parents, last = path.split("/")
        try:
            for part in parents:
                holder = holder[int(part[:8], 16)].value[int(part[9:-1])]
            return holder[int(last, 16)].value
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, NotImplementedError):
            return None


def _walk(data: Dataset, path: str) -> Iterator[tuple[str, bytes]]:
    for tag in sorted(data.keys()):
        here = f"{path}{int(tag):08X}"
        element = data.get_item(tag, keep_deferred=True)
        if isinstance(element, RawDataElement) and not _is_sequence(data, element):
            yield here, bytes(element.value or b"")
            continue
        found = data[tag]
        if found.VR == "SQ":
            for index, item in enumerate(found.value):
                yield from _walk(item, f"{here}[{index}]/")
        else:
            yield here, found.value if isinstance(found.value, bytes) else str(found.value).encode("utf-8")


def _is_sequence(data: Dataset, element: RawDataElement) -> bool:
    if element.VR not in (None, "UN"):
        return element.VR == "SQ"
    try:
        return data[element.tag].VR == "SQ"
    except (KeyError, ValueError, NotImplementedError):
        return False


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")
    for end in range(len(parts) - 1, 0, -1):
        yield "/".join([*parts[: end - 1], parts[end - 1][:8]])
