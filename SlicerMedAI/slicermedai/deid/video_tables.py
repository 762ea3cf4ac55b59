"""Tables of transport streams (ISO/IEC 13818-1 2.4.4) without words: which programmes there are, and what is in them.

Of descriptors (2.6) stays what decoders reckon with; all others may say anything, and are overwritten at their length.
"""

from __future__ import annotations

from collections.abc import Iterator

from slicermedai.deid.video_units import refused

_PROGRAMMES, _PROGRAMME = 0, 2
"""Kinds of tables: which packets tell of a programme, and what such packets tell."""
_HEAD, _CHECKSUM = 8, 4
_KEPT = {
    **{0x02: 3, 0x03: 1, 0x05: 4, 0x06: 1, 0x07: 4, 0x08: 4, 0x0A: 4, 0x0B: 2, 0x0C: 4, 0x0E: 3, 0x10: 6, 0x11: 1},
    **{0x12: 2, 0x1B: 1, 0x1C: 1, 0x28: 4, 0x2A: 15, 0x2B: 3, 0x38: 15, 0x52: 1, 0x6A: 1, 0x7A: 1},
}
"""How many bytes are kept of descriptors, by tag: of video, audio, registration, alignment, windows, one language,
clocks, buffers, rates and codecs."""
_FILLER = 0xFF


def clean_tables(raw: bytearray, start: int) -> list[int]:
    """Overwrite words in the tables that begin in a packet, whose payload begins at ``start``, and renew checksums.

    Returns
    -------
    The numbers of the packets that tell of programmes.

    Raises
    ------
    UnreadableFileError
        A table does not end in its packet.
    """
    place = start + 1 + raw[start] if start < len(raw) else len(raw)
    _fill(raw, start + 1, place)
    found: list[int] = []
    while place + _HEAD < len(raw) and raw[place] in (_PROGRAMMES, _PROGRAMME):
        end = place + 3 + _length(raw, place + 1)
        if not place + _HEAD + _CHECKSUM <= end <= len(raw):
            raise refused("its tables go over several packets, or are damaged")
        inner = (place + _HEAD, end - _CHECKSUM)
        if raw[place] == _PROGRAMMES:
            found += _programmes(raw, *inner)
        else:
            _clean_programme(raw, *inner)
        raw[end - _CHECKSUM : end] = _checksum(raw[place : end - _CHECKSUM]).to_bytes(_CHECKSUM, "big")
        place = end
    _fill(raw, place, len(raw))
    return found


def _programmes(raw: bytearray, place: int, end: int) -> Iterator[int]:
    """Of what is number 0 the packets tell of networks, in words."""
    for at in range(place, end - 3, 4):
        if any(raw[at : at + 2]):
            yield int.from_bytes(raw[at + 2 : at + 4], "big") & 0x1FFF


def _clean_programme(raw: bytearray, place: int, end: int) -> None:
    """What describes the programme as a whole, and then each of its streams, behind its kind and number."""
    at = place + 2
    while at + 2 <= end:
        behind = min(at + 2 + _length(raw, at), end)
        _clean_descriptors(raw, at + 2, behind)
        at = behind + 3
    _fill(raw, max(at - 3, place), end)


def _clean_descriptors(raw: bytearray, place: int, end: int) -> None:
    while place + 2 <= end:
        behind = min(place + 2 + raw[place + 1], end)
        _fill(raw, place + 2 + _KEPT.get(raw[place], 0), behind)
        place = behind
    _fill(raw, place, end)


def _length(raw: bytearray, at: int) -> int:
    return int.from_bytes(raw[at : at + 2], "big") & 0xFFF


def _fill(raw: bytearray, start: int, end: int) -> None:
    end = min(end, len(raw))
    raw[start:end] = bytes([_FILLER]) * max(end - start, 0)


def _checksum(raw: bytearray) -> int:
    """CRC-32 as tables have it (Annex A)."""
    found = 0xFFFFFFFF
    for byte in raw:
        found ^= byte << 24
        for _ in range(8):
            found = (found << 1) ^ (0x104C11DB7 if found & 0x80000000 else 0)
    return found
