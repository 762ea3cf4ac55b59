"""What the rewriter needs of PS3.6: VR and keyword by tag, and which SOP classes are images. Loads no pydicom."""

from __future__ import annotations

import functools
import json
from pathlib import Path

DATA = Path(__file__).with_name("dictionary.json")


@functools.cache
def _load() -> tuple[dict[int, str], frozenset[str], frozenset[int]]:
    body = json.loads(DATA.read_text(encoding="utf-8"))
    elements = {int(tag, 16): entry for tag, entry in body["elements"].items()}
    return elements, frozenset(body["images"]), frozenset(int(tag, 16) for tag in body["signed"])


def vr_of(tag: int) -> str:
    """The VR of a standard attribute; "LO" for private creators, "UL" for group lengths, "UN" where it is not known.

    Where PS3.6 allows two (OB or OW, US or SS), the first one.
    """
    entry = _load()[0].get(tag)
    if entry is not None:
        return entry[:2]
    if tag & 0xFFFF == 0:
        return "UL"
    return "LO" if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF else "UN"


def keyword_of(tag: int) -> str:
    """The keyword of a standard attribute, "" where it has none."""
    return _load()[0].get(tag, "")[3:]


@functools.lru_cache(maxsize=8192)
def label_of(tag: int) -> str:
    """Keyword of ``tag``; "PrivateAttributes" for private ones, "(gggg,eeee)" for unknown ones."""
    if tag >> 16 & 1:
        return "PrivateAttributes"
    return keyword_of(tag) or hexadecimal(tag)


def hexadecimal(tag: int) -> str:
    """(gggg,eeee)"""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@functools.cache
def tag_of(keyword: str) -> int:
    """The tag of a keyword; raises KeyError where there is none."""
    return next((tag for tag, entry in _load()[0].items() if entry[3:] == keyword), 0) or _missing(keyword)


def is_image(sop_class: str) -> bool:
    """True for the SOP classes of PS3.4 that are images, which have to hold pixel data."""
    return sop_class in _load()[1]


def may_be_signed(tag: int) -> bool:
    """True for attributes that are US or SS after the image's Pixel Representation (PS3.6)."""
    return tag in _load()[2]


def _missing(keyword: str) -> int:
    raise KeyError(keyword)
