"""Values from one encoding to another: byte order, and VRs that implicit VR leaves to the reader (PS3.5 7.3, A.1)."""

from __future__ import annotations

from slicermedai.deid.dictionary import may_be_signed

_WIDTHS = {
    **dict.fromkeys(("US", "SS", "OW", "AT"), 2),
    **dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}


def swapped(vr: str, raw: bytes | memoryview) -> bytes | memoryview:
    """A value in the other byte order; what is left over of a damaged one stays."""
    width = _WIDTHS.get(vr, 1)
    if width == 1:
        return raw
    whole = len(raw) - len(raw) % width
    turned = bytearray(raw)
    for place in range(width):
        turned[place:whole:width] = raw[width - 1 - place : whole : width]
    return bytes(turned)


def explicit_vr(tag: int, vr: str, *, signed: bool) -> str:
    """The VR to write; of the attributes that are US or SS, the one of the image's Pixel Representation."""
    return "SS" if signed and vr == "US" and may_be_signed(tag) else vr
