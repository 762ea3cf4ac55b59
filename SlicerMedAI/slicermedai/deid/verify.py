"""An independent look at what was written: bytes are read with code of this file, not by the reader that wrote them.

Every element at every depth is searched for the identity's tokens in the encodings in which text occurs; pixel data
and other binary values too, for tokens that are too long to turn up by chance.
"""

from __future__ import annotations

import functools
import re
import struct
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom.datadict import dictionary_VR

from slicermedai.deid.tokens import Scope, Token, fold, scope_of
from slicermedai.errors import IdentityError, UnreadableFileError

_IMPLICIT, _BIG, _DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
_LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_UNDEFINED = 0xFFFFFFFF
_LONG = 4096
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS = range(0x7FE00000, 0x7FE10000)
_SCRIPTS = (
    "iso8859_2",
    "iso8859_3",
    "iso8859_4",
    "iso8859_5",
    "iso8859_6",
    "iso8859_7",
    "iso8859_8",
    "iso8859_9",
    "iso8859_15",
    "tis_620",
    "cp1252",
    "iso2022_jp_2",
    "shift_jis",
    "euc_jp",
    "iso2022_kr",
    "euc_kr",
    "gb18030",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One value as it lies in the file; ``offset`` counts from the start of the file (or of what was inflated)."""

    tag: int
    vr: str
    value: bytes
    offset: int
    encapsulated: bool = False

    @property
    def scope(self) -> Scope:
        """What kind of value it is."""
        if self.tag in _PIXELS:
            return Scope.BINARY if self.encapsulated else Scope.PIXELS
        return scope_of(self.vr, len(self.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A token found: where, and of what kind it is, never which."""

    tag: int
    offset: int
    kind: str

    @property
    def attribute(self) -> str:
        """(gggg,eeee)"""
        return f"({self.tag >> 16:04X},{self.tag & 0xFFFF:04X})"


def check_file(path: Path, tokens: frozenset[Token], *, source: Path | None = None) -> None:
    """Refuse a file that still holds identity.

    Parameters
    ----------
    source:
        The file that it was made from, which the error then names.

    Raises
    ------
    IdentityError
        A token is in it; the message names kind, attribute and offset.
    UnreadableFileError
        Its bytes are no whole DICOM file.
    """
    for hit in find(path, tokens):
        raise IdentityError(
            f"a {hit.kind} of the patient is still in the value at byte {hit.offset}",
            file=source or path,
            attribute=hit.attribute,
            advice="Nothing was handed out; leave this file out, or look at that attribute.",
        )


def find(path: Path, tokens: frozenset[Token]) -> Iterator[Hit]:
    """Every element of the file that holds a token, at most one hit for each."""
    searcher = _searcher(tokens)
    for element in elements(Path(path)):
        found = searcher.search(element)
        if found is not None:
            yield Hit(tag=element.tag, offset=element.offset + found[0], kind=found[1])


def elements(path: Path) -> Iterator[Element]:
    """All elements of a DICOM file (PS3.10) that hold bytes, the preamble and the file meta information included.

    Raises
    ------
    UnreadableFileError
        Truncated, or lengths that do not fit.
    """
    data = Path(path).read_bytes()
    if data[128:132] != b"DICM":
        raise UnreadableFileError("is no DICOM file", file=path, attribute="preamble")
    yield Element(tag=0, vr="OB", value=data[:128], offset=0)
    try:
        yield from _body(data)
    except (struct.error, zlib.error, IndexError) as error:
        raise UnreadableFileError("is truncated, or lengths in it do not fit", file=path) from error


def _body(data: bytes) -> Iterator[Element]:
    syntax, position = "", 132
    while data[position : position + 2] == b"\x02\x00":
        element, position = _Reader(data, implicit=False, order="<").leaf(position)
        syntax = element.value.decode("latin-1").strip("\0 ") if element.tag == 0x00020010 else syntax
        yield element
    if syntax == _DEFLATED:
        data, position = zlib.decompressobj(-15).decompress(data[position:]), 0
    order = ">" if syntax == _BIG else "<"
    yield from _Reader(data, implicit=syntax == _IMPLICIT, order=order).walk(position, len(data))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Elements one after the other; sequences and items are entered."""

    data: bytes
    implicit: bool
    order: str

    def walk(self, position: int, end: int, *, delimited: bool = False) -> Generator[Element, None, int]:
        """All leaves up to ``end``, or up to the delimiter of the sequence that was entered before."""
        depth = 1
        while position < end:
            tag, vr, length, start = self._header(position)
            position = start
            if tag == _SEQUENCE_END:
                depth -= 1
                if delimited and depth == 0:
                    return position
            elif tag not in (_ITEM, _ITEM_END):
                depth += length == _UNDEFINED and self._is_sequence(tag, vr, length, start)
                position = yield from self._enter(tag, vr, length, start)
        if position != end:
            raise IndexError
        return position

    def leaf(self, position: int) -> tuple[Element, int]:
        """(element, position after it)."""
        tag, vr, length, start = self._header(position)
        return self._element(tag, vr, length, start), start + length

    def _enter(self, tag: int, vr: str, length: int, start: int) -> Generator[Element, None, int]:
        """Yield a leaf, or go into a sequence; returns where to go on."""
        if self._is_sequence(tag, vr, length, start):
            return start
        if length != _UNDEFINED:
            yield self._element(tag, vr, length, start)
            return start + length
        if vr == "UN":
            inner = _Reader(self.data, implicit=True, order="<")
            return (yield from inner.walk(start, len(self.data), delimited=True))
        return (yield from self._fragments(tag, vr, start))

    def _is_sequence(self, tag: int, vr: str, length: int, start: int) -> bool:
        if not self.implicit:
            return vr == "SQ"
        if length == _UNDEFINED:
            return tag not in _PIXELS
        return vr in ("SQ", "UN") and self.data[start : start + 4] == b"\xfe\xff\x00\xe0"

    def _fragments(self, tag: int, vr: str, position: int) -> Generator[Element, None, int]:
        """Encapsulated pixel data (PS3.5 A.4)."""
        while True:
            item, _, length, start = self._header(position)
            if item == _SEQUENCE_END:
                return start
            yield replace(self._element(tag, vr, length, start), encapsulated=True)
            position = start + length

    def _element(self, tag: int, vr: str, length: int, start: int) -> Element:
        if start + length > len(self.data):
            raise IndexError
        return Element(tag=tag, vr=vr, value=self.data[start : start + length], offset=start)

    def _header(self, position: int) -> tuple[int, str, int, int]:
        """(tag, VR, length, start of the value)."""
        group, number = struct.unpack_from(f"{self.order}HH", self.data, position)
        tag = group << 16 | number
        if group == 0xFFFE or self.implicit:
            (length,) = struct.unpack_from(f"{self.order}I", self.data, position + 4)
            vr = "" if group == 0xFFFE else _dictionary_vr(tag)
            return tag, vr, 0 if tag == _ITEM_END else length, position + 8
        vr = self.data[position + 4 : position + 6].decode("latin-1")
        if vr in _LONG_VRS:
            (length,) = struct.unpack_from(f"{self.order}I", self.data, position + 8)
            return tag, vr, length, position + 12
        (length,) = struct.unpack_from(f"{self.order}H", self.data, position + 6)
        return tag, vr, length, position + 8


@functools.cache
def _dictionary_vr(tag: int) -> str:
    try:
        return str(dictionary_VR(tag)).split(" or ")[0]
    except KeyError:
        return "UN"


class _Searcher:
    """The tokens as byte patterns, one for each scope."""

    def __init__(self, tokens: frozenset[Token]) -> None:
        self._needles = {scope: _Needles(_byte_forms(tokens, scope)) for scope in Scope}
        self._text = _text_pattern(tokens)
        self._tokens = tokens

    def search(self, element: Element) -> tuple[int, str] | None:
        """(offset within the value, kind of the token) of the first hit, or None."""
        scope = element.scope
        match = self._needles[scope].search(element.value if scope is Scope.PIXELS else element.value.lower())
        if match is not None:
            return match.start(), self._kind(match.group().lower())
        if scope is Scope.TEXT and self._text and not element.value.isascii() and self._folded_hit(element.value):
            return 0, "name"
        return None

    def _folded_hit(self, value: bytes) -> bool:
        texts = {value.decode(codec, "replace") for codec in ("utf-8", "latin-1")}
        return any(self._text is not None and self._text.search(fold(text)) for text in texts)

    def _kind(self, found: bytes) -> str:
        return next((t.kind.value for t in self._tokens if found in _narrow(t.text) | _wide(t.text)), "name")


class _Needles:
    """Many byte strings searched at once.

    Long values are first looked through for the forms' first two pairs of bytes with two tables of 65,536 entries,
    at even and odd offsets, which is some 50 times faster than the expression; small ones are not worth it.
    """

    def __init__(self, forms: set[tuple[bytes, bytes, bytes]]) -> None:
        ordered = [left + re.escape(text) + right for left, text, right in sorted(forms, key=_longest_first)]
        self._pattern = re.compile(b"|".join(ordered)) if ordered else None
        self._tables = np.zeros((2, 65536), dtype=bool)
        self._short = any(len(text) < 4 for _, text, _ in forms)
        for _, text, _ in forms:
            self._tables[0, int.from_bytes(text[:2], "little")] = True
            self._tables[1, int.from_bytes(text[2:4], "little")] = True

    def search(self, value: bytes) -> re.Match[bytes] | None:
        """The first match, or None."""
        if self._pattern is None:
            return None
        if self._short or len(value) < _LONG:
            return self._pattern.search(value)
        places = sorted(place for odd in (0, 1) for place in self._candidates(value, odd))
        return next((match for place in places if (match := self._pattern.match(value, place))), None)

    def _candidates(self, value: bytes, odd: int) -> list[int]:
        pairs = np.frombuffer(value, dtype="<u2", offset=odd, count=(len(value) - odd) // 2)
        wanted = self._tables[0][pairs[:-1]] & self._tables[1][pairs[1:]]
        return [int(place) * 2 + odd for place in np.flatnonzero(wanted)]


@functools.lru_cache(maxsize=8)
def _searcher(tokens: frozenset[Token]) -> _Searcher:
    return _Searcher(tokens)


def _byte_forms(tokens: frozenset[Token], scope: Scope) -> set[tuple[bytes, bytes, bytes]]:
    """(what may not stand before, bytes, what may not stand after); edges hold for one byte a character."""
    forms: set[tuple[bytes, bytes, bytes]] = set()
    for token in tokens:
        if not token.searched_in(scope):
            continue
        if scope is Scope.PIXELS:
            variants = (token.text, token.text.upper(), token.text.title())
            forms.update((b"", variant.encode(), b"") for variant in variants)
            continue
        left, right = (edge.encode() for edge in (("", "") if scope is Scope.BINARY else token.edges))
        forms.update((left, raw, right) for raw in _narrow(token.text))
        forms.update((b"", raw, b"") for raw in _wide(token.text) if len(token.text) >= 4)
    return forms


def _longest_first(form: tuple[bytes, bytes, bytes]) -> tuple[int, bytes]:
    return -len(form[1]), form[1]


def _text_pattern(tokens: frozenset[Token]) -> re.Pattern[str] | None:
    forms = {"".join((t.edges[0], re.escape(fold(t.text)), t.edges[1])) for t in tokens if not t.text.isdigit()}
    return re.compile("|".join(sorted(forms, key=lambda form: (-len(form), form)))) if forms else None


def _narrow(text: str) -> set[bytes]:
    """``text`` in UTF-8, Latin-1 and, where it is not ASCII, in the other character sets of PS3.3 C.12.1.1.2."""
    if text.isascii():
        return {text.encode("ascii")}
    found = set()
    for variant in {text, text.upper(), text.title(), fold(text)}:
        for codec in ("utf-8", "latin-1", *_SCRIPTS):
            try:
                found.add(variant.encode(codec).lower())
            except UnicodeEncodeError:
                continue
    return found


def _wide(text: str) -> set[bytes]:
    return {variant.encode(codec).lower() for variant in (text, fold(text)) for codec in ("utf-16-le", "utf-16-be")}
