"""Bytes of unknown meaning as text, in every character set that they may be in."""

from __future__ import annotations

from slicermedai.deid.charsets import charset_of

_CODECS = (
    *("shift_jis", "euc_jp", "gb18030", "euc_kr", "big5", "iso8859_2", "iso8859_5", "iso8859_7", "tis_620"),
    *("cp1250", "cp1251", "koi8_r", "koi8_u", "cp850", "cp866", "utf-16-le", "utf-16-be"),
)
_IN_JAPANESE = charset_of("\\ISO 2022 IR 87")


def readings(raw: bytes) -> set[str]:
    """Every text that the bytes may be."""
    found = {raw.decode("latin-1"), raw.decode("utf-8", "replace"), raw.replace(b"\0", b"").decode("latin-1")}
    if not raw.isascii() or b"\x1b" in raw:
        found.update(raw.decode(codec, "replace") for codec in _CODECS)
        found.update(_IN_JAPANESE.decode(piece) for piece in raw.split(b"\0") if b"\x1b" in piece)
    return found
