"""Packets of a video's transport stream (ISO/IEC 13818-1), for the verifier: no words may stand in tables that describe
a programme, behind a table, or in packets of nothing.

The verifier's own code: it shares none with what cleans tables.
"""

from __future__ import annotations

from collections.abc import Iterator

from slicermedai.deid.verify_bytes import Element

_SYNC, _NOTHING = 0x47, 0x1FFF
_TOLD = range(0x10, 0x20)
"""Packets of networks, services and events (ETSI EN 300 468 5.1.3), which are words."""
_PROGRAMMES, _PROGRAMME = 0, 2
_NUMBERS = {1: (0x03, 0x06, 0x11, 0x1B, 0x1C, 0x52, 0x6A, 0x7A), 2: (0x0B, 0x12), 3: (0x02, 0x0E, 0x2B)}
_NUMBERS |= {4: (0x05, 0x07, 0x08, 0x0A, 0x0C, 0x28), 6: (0x10,), 15: (0x2A, 0x38)}
_MEANT = {tag: size for size, tags in _NUMBERS.items() for tag in tags}
"""How many bytes of a descriptor (2.6) are numbers and codes that decoders want; all others say something."""
_ENOUGH = 400


class Packets:
    """Looks at the fragments of one video, in order and in pieces; what is no transport stream is passed over."""

    def __init__(self) -> None:
        self._held, self._seen, self._at = b"", -1, -1
        self._size, self._sync = 0, 0
        self._maps = set[int]()

    def say_more(self, element: Element) -> bool:
        """True where words stand in a packet up to the end of the element."""
        if self._at != element.start:
            self._at, self._seen = element.start, element.start
        self._held += element.value[max(self._seen - element.offset, 0) :]
        self._seen = element.offset + len(element.value)
        if not self._size and len(self._held) >= _ENOUGH:
            self._size, self._sync = _shape(self._held)
        return self._size > 0 and any(map(self._says_more, self._whole()))

    def _whole(self) -> Iterator[bytes]:
        count = len(self._held) // self._size
        ready, self._held = self._held[: count * self._size], self._held[count * self._size :]
        for number in range(count):
            yield ready[number * self._size + self._sync : (number + 1) * self._size]

    def _says_more(self, packet: bytes) -> bool:
        number = int.from_bytes(packet[1:3], "big") & 0x1FFF
        body = packet[4 + (1 + packet[4] if packet[3] & 0x20 else 0) :] if packet[3] & 0x10 else b""
        if number in _TOLD:
            return True
        if number == _NOTHING:
            return bool(body.strip(b"\xff"))
        if number and number not in self._maps:
            return False
        return bool(body) if not packet[1] & 0x40 else self._of_tables(body)

    def _of_tables(self, body: bytes) -> bool:
        """Of a packet in which tables begin: they end in it too, and nothing follows."""
        place = 1 + body[0] if body else 0
        if body[1:place].strip(b"\xff"):
            return True
        while place + 3 <= len(body) and body[place] in (_PROGRAMMES, _PROGRAMME):
            end = place + 3 + (int.from_bytes(body[place + 1 : place + 3], "big") & 0xFFF)
            if end > len(body) or self._describes(body[place], body[place + 8 : end - 4]):
                return True
            place = end
        return bool(body[place:].strip(b"\xff"))

    def _describes(self, kind: int, table: bytes) -> bool:
        if kind == _PROGRAMMES:
            for place in range(0, len(table) - 3, 4):
                if any(table[place : place + 2]):
                    self._maps.add(int.from_bytes(table[place + 2 : place + 4], "big") & 0x1FFF)
            return False
        place, head = 0, 2
        while place + head + 2 <= len(table):
            size = int.from_bytes(table[place + head : place + head + 2], "big") & 0xFFF
            if _have_words(table[place + head + 2 : place + head + 2 + size]):
                return True
            place, head = place + head + 2 + size, 3
        return False


def _shape(held: bytes) -> tuple[int, int]:
    """(size of a packet, where in it the sign stands), (0, 0) of another stream."""
    shapes = ((188, 0), (192, 4))
    return next(((size, at) for size, at in shapes if held[at] == held[at + size] == _SYNC), (0, 0))


def _have_words(descriptors: bytes) -> bool:
    place = 0
    while place + 2 <= len(descriptors):
        tag, size = descriptors[place], descriptors[place + 1]
        if descriptors[place + 2 + _MEANT.get(tag, 0) : place + 2 + size].strip(b"\xff"):
            return True
        place += 2 + size
    return False
