"""Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 6.1): text from bytes and back, without losing what is invalid.

Bytes that mean nothing in their character set are read as Latin-1, which is what they mostly are; where nothing is
masked in a value, its bytes stay as they are.
"""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from slicermedai.errors import UnreadableFileError

_SINGLE = {
    "": "latin-1",
    "ISO IR 6": "latin-1",
    "ISO IR 100": "latin-1",
    "ISO IR 101": "iso8859-2",
    "ISO IR 109": "iso8859-3",
    "ISO IR 110": "iso8859-4",
    "ISO IR 144": "iso8859-5",
    "ISO IR 127": "iso8859-6",
    "ISO IR 126": "iso8859-7",
    "ISO IR 138": "iso8859-8",
    "ISO IR 148": "iso8859-9",
    "ISO IR 203": "iso8859-15",
    "ISO IR 13": "shift_jis",
    "ISO IR 166": "tis-620",
    "ISO IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
_G0 = {
    b"(B": ("ascii", 1, b""),
    b"(J": ("shift_jis", 1, b""),
    b"$B": ("euc_jp", 2, b""),
    b"$@": ("euc_jp", 2, b""),
    b"$(D": ("euc_jp", 2, b"\x8f"),
}
_G1 = {
    b"-A": "latin-1",
    b"-B": "iso8859-2",
    b"-C": "iso8859-3",
    b"-D": "iso8859-4",
    b"-L": "iso8859-5",
    b"-G": "iso8859-6",
    b"-F": "iso8859-7",
    b"-H": "iso8859-8",
    b"-M": "iso8859-9",
    b"-b": "iso8859-15",
    b"-T": "tis-620",
    b")I": "shift_jis",
    b"$)C": "euc_kr",
    b"$)A": "gb2312",
}
_BYTES_G1 = {"ISO IR 149": "euc_kr", "ISO IR 58": "gb2312"}
_EXTENDED = ("ISO IR 87", "ISO IR 159", "ISO IR 149", "ISO IR 58")
_ESCAPE = re.compile(rb"\x1b(\(B|\(J|\$B|\$@|\$\(D|-[ABCDLGFHMbT]|\)I|\$\)C|\$\)A)")
_ASCII = b"(B"
_DELIMITERS = "\\\r\n\t\f^="


class Charset(NamedTuple):
    """The character sets of one Specific Character Set value.

    Parameters
    ----------
    codec:
        Python's codec of the first one.
    extended:
        True with code extensions (escape sequences of ISO/IEC 2022).
    """

    codec: str
    extended: bool = False

    def decode(self, raw: bytes) -> str:
        """Text; bytes that are not valid are read as Latin-1, which is what they mostly are."""
        if raw.isascii() and b"\x1b" not in raw:
            return raw.decode("ascii")
        if not self.extended or b"\x1b" not in raw:
            return raw.decode(self.codec, _LATIN)
        return "".join(text for text, _, _ in self._pieces(raw)).translate(_FROM_SURROGATES)

    def edited(self, raw: bytes, edit: Callable[[str], str]) -> bytes:
        """``raw`` with its text changed by ``edit``, which masks or removes; ``raw`` itself where nothing changes."""
        text = self.decode(raw)
        new = edit(text)
        if new == text:
            return raw
        if not self.extended or b"\x1b" not in raw:
            return new.encode(self.codec, _LATIN)
        return self._spliced(raw, text, new)

    def encode(self, text: str) -> bytes:
        """``text`` in the first character set; what it lacks becomes a question mark."""
        return text.encode(self.codec, "replace")

    def _spliced(self, raw: bytes, text: str, new: str) -> bytes:
        """Each character that is kept stays in the bytes that it had; what is new is ASCII."""
        origin = [(piece, escape, self._raw_of(piece, escape)) for piece, escape in self._characters(raw)]
        pieces, state = [], b""
        for character, escape, code in _aligned(text, new, origin):
            if character in _DELIMITERS:  # after one the first character set is in force again (PS3.5 6.1.2.5.3)
                pieces.append(_back_from(state))
                state = b""
            elif (state or _ASCII) != (escape or _ASCII):
                state = escape or _ASCII
                pieces.append(b"\x1b" + state)
            pieces.append(code)
        pieces.append(_back_from(state))
        return b"".join(pieces)

    def _characters(self, raw: bytes) -> Iterator[tuple[str, bytes]]:
        for text, escape, _ in self._pieces(raw):
            yield from ((character, b"" if character.isascii() else escape) for character in text)

    def _raw_of(self, character: str, escape: bytes) -> bytes:
        if character.isascii():
            return character.encode("ascii")
        if "\udc80" <= character <= "\udcff":
            return bytes([ord(character) - 0xDC00])
        if escape in _G0:
            codec, _, prefix = _G0[escape]
            coded = character.encode(codec, "replace")
            return bytes(byte & 0x7F for byte in coded.removeprefix(prefix)) if codec == "euc_jp" else coded
        return character.encode(_G1.get(escape, self.codec), "replace")

    def _pieces(self, raw: bytes) -> Iterator[tuple[str, bytes, bytes]]:
        """(text, escape sequence in force, its bytes) between escape sequences and what resets them."""
        parts = _ESCAPE.split(raw)
        yield _decode(parts[0], self.codec), b"", parts[0]
        for escape, piece in zip(parts[1::2], parts[2::2], strict=True):
            yield self._piece(piece, escape), escape, piece

    def _piece(self, raw: bytes, escape: bytes) -> str:
        codec, width, prefix = _G0.get(escape, ("", 1, b""))
        if width == 1:
            return _decode(raw, codec if codec and codec != "ascii" else _G1.get(escape, self.codec))
        text, position = [], 0
        while position < len(raw):
            pair = raw[position : position + 2]
            double = len(pair) == 2 and min(pair) > 0x20
            coded = prefix + bytes(byte | 0x80 for byte in pair) if double else raw[position : position + 1]
            text.append(_decode(coded, codec))
            position += 2 if double else 1
        return "".join(text)


def _as_latin(error: UnicodeError) -> tuple[str | bytes, int]:
    """What a codec cannot read or write, by Latin-1; what that lacks too becomes a question mark."""
    if isinstance(error, UnicodeDecodeError):
        return error.object[error.start : error.end].decode("latin-1"), error.end
    if isinstance(error, UnicodeEncodeError):
        return error.object[error.start : error.end].encode("latin-1", "replace"), error.end
    raise error


_LATIN = "slicermedai.latin"
_FROM_SURROGATES = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}
codecs.register_error(_LATIN, _as_latin)
DEFAULT = Charset("latin-1")


@functools.lru_cache(maxsize=256)
def charset_of(value: str) -> Charset:
    """The character sets that a Specific Character Set value (backslashes between terms) names.

    Common misspellings ("ISO-IR 192", "ISO_IR_100") are understood. ISO_IR 6 is read as Latin-1, so that a byte that
    should not be there is kept.

    Raises
    ------
    UnreadableFileError
        A term that DICOM does not define.
    """
    terms = [_normal(term) for term in value.split("\\")]
    for term in terms:
        if term not in _SINGLE and term not in _EXTENDED:
            raise UnreadableFileError("names a character set that is not known", attribute="SpecificCharacterSet")
    extended = len(terms) > 1 or "2022" in value or terms[0] in _EXTENDED
    bare = [_BYTES_G1[term] for term in terms if term in _BYTES_G1 and terms[0] in ("", "ISO IR 6", term)]
    return Charset(bare[0] if bare else _SINGLE.get(terms[0], "latin-1"), extended)


def _back_from(state: bytes) -> bytes:
    """The escape sequence that ends a set of two bytes a character; nothing where none is in force."""
    return b"\x1b" + _ASCII if state in _G0 and state != _ASCII else b""


def _normal(term: str) -> str:
    text = re.sub(r"[\s_-]+", " ", term.strip(" \0").upper())
    match = re.fullmatch(r"(?:ISO ?(?:IR|2022 IR)|ISO ?2022) ?(\d+)", text)
    return f"ISO IR {match[1]}" if match else text.replace("UTF 8", "ISO IR 192")


def _decode(raw: bytes, codec: str) -> str:
    return raw.decode(codec, "surrogateescape")


def _aligned(old: str, new: str, origin: list[tuple[str, bytes, bytes]]) -> Iterator[tuple[str, bytes, bytes]]:
    """The characters of ``new``: those of ``old`` with their bytes, others as ASCII. Common parts are kept in order."""
    import difflib

    for kind, start, end, first, last in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from origin[start:end]
        else:
            yield from ((c, b"", c.encode("ascii", "replace")) for c in new[first:last])
