"""Identity that is there and not to be read at once: encoded in text, compressed or archived in binary values.

Draws from a generator of its own for each file, so that nothing else of a corpus depends on it.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import html.entities
import io
import random
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

from pydicom.dataset import Dataset

from Testing.corpus.deid.attributes import unlisted_texts
from Testing.corpus.deid.people import Form
from Testing.corpus.deid.planting import LENGTHS, Planter, dictionary_VR

ENCODED, PACKED, OTHER_CHARSET = "encoded in text", "compressed in binary", "text in binary"
KINDS = ("name", "name", "birth date", "record", "mail")
UNKNOWN_CYRILLIC = ("koi8_u", "koi8_r", "cp1251")
_BINARY = ((0x00143080, "OB"), (0x00281408, "OW"), (0x4010106C, "OB"))
_ROOM = 900


def plant_wrapped(planter: Planter, data: Dataset, seed: int) -> None:
    """Some of every kind."""
    own = replace(planter, rng=random.Random(f"wrapped {seed} {planter.file}"))
    for _ in range(3):
        _plant_encoded(own, data)
    for tag, vr in _BINARY:
        if own.rng.random() < 0.6:
            _plant_packed(own, data, tag, vr)
    _plant_private(own, data)
    _plant_undeclared(own, data)


def _form(planter: Planter) -> Form:
    kind = planter.rng.choice(KINDS)
    return planter.rng.choice([form for form in planter.forms if form.kind == kind and len(form.text) >= 5])


def _plant_encoded(planter: Planter, data: Dataset) -> None:
    form = _form(planter)
    ways = [way for way in WAYS if way(form.text, planter.rng)]
    text = planter.rng.choice(ways)(form.text, planter.rng)
    whole = planter.rng.choice(("{}", "src {}", "id={};", "[{}] axial", "see {} of today")).format(text)
    free = [
        tag for tag in unlisted_texts() if tag not in data and len(whole) <= min(LENGTHS[dictionary_VR(tag)], _ROOM)
    ]
    if "\n" in whole:
        free = [tag for tag in free if dictionary_VR(tag) in ("ST", "LT", "UT")]
    tag = planter.rng.choice(free)
    data.add_new(tag, dictionary_VR(tag), whole)
    planter.note(ENCODED, f"{tag:08X}", (text, *form.tokens))


def _plant_packed(planter: Planter, data: Dataset, tag: int, vr: str) -> None:
    form = _form(planter)
    raw = f"Report of {form.text} ({form.text}), no contrast. ".encode() * planter.rng.randrange(1, 4)
    value = planter.rng.choice(PACKERS)(raw, planter.rng)
    data.add_new(tag, vr, value + bytes(len(value) % 2))
    planter.note(PACKED, f"{tag:08X}", form.tokens)


def _plant_private(planter: Planter, data: Dataset) -> None:
    form = _form(planter)
    block = data.private_block(0x0077, "LOCAL EXPORT 2", create=True)
    packed = planter.rng.choice(PACKERS)(form.text.encode(), planter.rng)
    block.add_new(0x01, "UN", packed + bytes(len(packed) % 2))
    block.add_new(0x02, "LT", base64.b64encode(form.text.encode()).decode())
    for number in (0x01, 0x02):
        planter.note(PACKED, f"{block.get_tag(number):08X}", form.tokens)


def _plant_undeclared(planter: Planter, data: Dataset) -> None:
    """A Cyrillic name between other bytes, in a set that DICOM does not know."""
    person = planter.study.patient.person
    codec = planter.rng.choice(UNKNOWN_CYRILLIC)
    if not any("\u0400" <= c <= "\u04ff" for c in person.family):
        return
    try:
        raw = planter.rng.choice((person.family, person.family.upper())).encode(codec)
    except UnicodeEncodeError:
        raw = person.family.encode("cp1251")
    data.add_new(0x00143050, "OB", bytes(12) + raw + bytes(12 + len(raw) % 2))
    planter.note(OTHER_CHARSET, "00143050", (person.family,))


# --- in text ---------------------------------------------------------------------------------------------------------

Way = Callable[[str, random.Random], str]
"""Writes a text in another way; "" where it cannot."""


def _coded(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _plain(text: str, rng: random.Random) -> str:
    return _coded(text.encode())


def _unpadded(text: str, rng: random.Random) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def _wide(text: str, rng: random.Random) -> str:
    return _coded(text.encode(rng.choice(("utf-16-le", "utf-16-be"))))


def _header_word(text: str, rng: random.Random) -> str:
    return f"=?UTF-8?B?{_coded(text.encode())}?="


def _resource(text: str, rng: random.Random) -> str:
    return f"data:text/plain;base64,{_coded(text.encode())}"


def _in_path(text: str, rng: random.Random) -> str:
    return f"exp/{'abcdefg'[: rng.randrange(1, 8)]}/{_coded(text.encode())}"


def _in_lines(text: str, rng: random.Random) -> str:
    whole = _coded(f"Report of {text} for the archive, first page".encode())
    return "\r\n".join(whole[n : n + 24] for n in range(0, len(whole), 24))


def _twice(text: str, rng: random.Random) -> str:
    return _coded(_coded(f"{text} 1".encode()).encode())


def _squeezed(text: str, rng: random.Random) -> str:
    return _coded(gzip.compress(text.encode(), mtime=0))


def _digits(text: str, rng: random.Random) -> str:
    raw = text.encode().hex()
    return rng.choice((raw, raw.upper(), f"0x{raw}"))


def _digits_in_lines(text: str, rng: random.Random) -> str:
    raw, width = text.encode().hex(), rng.choice((7, 8, 16))
    if len(raw) < 10:
        return ""
    return rng.choice(("\n", "\r\n", "\n\t")).join(raw[n : n + width] for n in range(0, len(raw), width))


def _digits_in_a_list(text: str, rng: random.Random) -> str:
    pairs = [f"{byte:02x}" for byte in text.encode()]
    return rng.choice((", ".join(f"0x{pair}" for pair in pairs), "-".join(pairs), "\t".join(pairs)))


def _base32(text: str, rng: random.Random) -> str:
    raw = f"for {text}".encode()
    return rng.choice((base64.b32encode(raw), base64.b32encode(raw).lower(), base64.b32hexencode(raw))).decode()


def _uuencoded(text: str, rng: random.Random) -> str:
    raw = text.encode()
    lines = "".join(binascii.b2a_uu(raw[n : n + 30]).decode() for n in range(0, len(raw), 30))
    return f"begin 644 note.txt\n{lines}`\nend"


def _ascii85(text: str, rng: random.Random) -> str:
    return base64.a85encode(f"on {text}".encode(), adobe=True).decode()


def _entities_twice(text: str, rng: random.Random) -> str:
    marked = "".join(_entity(c) for c in text)
    return marked.replace("&", "&amp;") if marked != text else ""


def _entity(c: str) -> str:
    if c.isascii():
        return c
    name = html.entities.codepoint2name.get(ord(c))
    return f"&{name};" if name else f"&#{ord(c)};"


def _percent_twice(text: str, rng: random.Random) -> str:
    once = quote(text, safe="")
    if rng.random() < 0.4 or once == text:
        once = "".join(f"%{byte:02X}" for byte in text.encode())
    return quote(once, safe="")


def _soft_breaks(text: str, rng: random.Random) -> str:
    middle = len(text) // 2
    quoted = [
        "".join(c if c.isascii() and c != "=" else _quoted(c) for c in part) for part in (text[:middle], text[middle:])
    ]
    return "=\r\n".join(quoted)


def _quoted(c: str) -> str:
    return "".join(f"={byte:02X}" for byte in c.encode())


def _all_quoted(text: str, rng: random.Random) -> str:
    return "".join(map(_quoted, text))


WAYS: tuple[Way, ...] = (
    *(_plain, _plain, _unpadded, _wide, _header_word, _resource, _in_path, _in_lines, _twice, _squeezed, _digits),
    *(_digits_in_lines, _digits_in_a_list, _base32, _uuencoded, _ascii85),
    *(_entities_twice, _percent_twice, _soft_breaks, _all_quoted),
)


# --- in bytes --------------------------------------------------------------------------------------------------------

Packer = Callable[[bytes, random.Random], bytes]


def _noise(rng: random.Random) -> bytes:
    return bytes(rng.randrange(256) for _ in range(rng.randrange(3, 40)))


def _gzipped(raw: bytes, rng: random.Random) -> bytes:
    return _noise(rng) + gzip.compress(raw, mtime=0) + _noise(rng)


def _zlibbed(raw: bytes, rng: random.Random) -> bytes:
    return _noise(rng) + zlib.compress(raw, rng.choice((1, 6, 9))) + _noise(rng)


def _deflated(raw: bytes, rng: random.Random) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(raw) + packer.flush()


def _zipped(raw: bytes, rng: random.Random) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))) as archive:
        archive.writestr(zipfile.ZipInfo("report.txt"), raw)
    return made.getvalue()


def _zip_in_gzip(raw: bytes, rng: random.Random) -> bytes:
    return gzip.compress(_zipped(raw, rng), mtime=0)


def _paged(raw: bytes, rng: random.Random) -> bytes:
    packed = zlib.compress(b"BT /F1 12 Tf (" + raw + b") Tj ET")
    head = b"%%PDF-1.4\n1 0 obj << /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed)
    return head + packed + b"\nendstream endobj\n%%EOF\n"


def _coded_bytes(raw: bytes, rng: random.Random) -> bytes:
    return _noise(rng) + b"\0" + base64.b64encode(raw) + b"\0" + _noise(rng)


def _bzipped(raw: bytes, rng: random.Random) -> bytes:
    import bz2

    return bz2.compress(raw)


def _xzipped(raw: bytes, rng: random.Random) -> bytes:
    import lzma

    return _noise(rng) + lzma.compress(raw)


PACKERS: tuple[Packer, ...] = (
    *(_gzipped, _zlibbed, _deflated, _zipped, _zip_in_gzip, _paged, _coded_bytes, _bzipped, _xzipped),
)
