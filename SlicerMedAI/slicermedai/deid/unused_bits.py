"""Bits of a pixel's cell that are no part of its value (PS3.5 8.1.1): old overlays, and with them text, lie there."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from slicermedai.errors import UnsupportedImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL = (0x00280100, 0x00280101, 0x00280102, 0x00280103)
"""Bits Allocated, Bits Stored, High Bit, Pixel Representation."""
SHAPE = (0x00280002, 0x00280008, 0x00280010, 0x00280011, 0x00280004)
"""Samples per Pixel, Number of Frames, Rows, Columns, Photometric Interpretation."""
_SAMPLES, _FRAMES, _ROWS, _COLUMNS, _MEANING = SHAPE
_SHARED_COLOURS = {b"YBR_FULL_422": 2, b"YBR_PARTIAL_422": 2, b"YBR_PARTIAL_420": 1.5}
"""Samples that a pixel takes where pixels share colours (PS3.3 C.7.6.3.1.2)."""
_patience = [None] * 256
"""How many values are looked through without numpy, which takes as long to load as that does."""
CELLS = (8, 16, 32, 64)
"""Bits Allocated that are whole numbers of a computer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusedBits:
    """Clears the bits outside of Bits Stored; above a signed value they repeat its sign, elsewhere they are 0.

    Parameters
    ----------
    allocated, stored, high:
        Bits Allocated (0028,0100), Bits Stored (0028,0101) and High Bit (0028,0102); ``allocated`` one of
        :data:`CELLS`.
    signed:
        Pixel Representation (0028,0103) is 1.
    """

    allocated: int
    stored: int
    high: int
    signed: bool

    @staticmethod
    def of(allocated: int, stored: int, high: int, *, signed: bool) -> UnusedBits | None:
        """None where all bits are used, or the numbers contradict each other.

        Raises
        ------
        UnsupportedImageError
            Cells that are no whole numbers.
        """
        if not 0 < stored < allocated or not stored - 1 <= high < allocated:
            return None
        if allocated not in CELLS:
            raise UnsupportedImageError(
                "bits that are no part of the values cannot be cleared in samples that are packed like this",
                attribute="BitsAllocated",
                advice="The file was left out; export it with 8 or 16 bits for each sample.",
            )
        return UnusedBits(allocated=allocated, stored=stored, high=high, signed=signed)

    @property
    def width(self) -> int:
        """Bytes of a cell."""
        return self.allocated // 8

    def cleared(self, values: NDArray[Any]) -> NDArray[Any]:
        """The same samples with their unused bits cleared, as unsigned or signed integers of the same size."""
        import numpy as np

        kind = "i" if self.signed else "u"
        bits: NDArray[Any] = values.view(np.dtype(values.dtype.str.replace("i", kind).replace("u", kind)))
        above, below = self.allocated - 1 - self.high, self.high + 1 - self.stored
        kept = bits << above >> above if above else bits
        kept = kept >> below << below if below else kept
        return np.asarray(kept.astype(bits.dtype, copy=False).view(values.dtype))

    def are_clear(self, cells: NDArray[Any]) -> bool:
        """True where :meth:`cleared` changes nothing in unsigned ``cells``: extremes tell, and nothing is copied."""
        import numpy as np

        below = self.high + 1 - self.stored
        if below and int(np.bitwise_or.reduce(cells)) & ((1 << below) - 1):
            return False
        if not self.signed:
            return not int(cells.max(initial=0)) >> (self.high + 1)
        signed = cells.view(cells.dtype.str.replace("u", "i"))
        return int(signed.min(initial=0)) >= -1 << self.high and not int(signed.max(initial=0)) >> self.high

    def _are_clear_bytes(self, raw: bytes | memoryview, order: str) -> bool:
        """The same by the upper bytes of the cells alone, without numpy; False also where that cannot be told."""
        bits = self.high + 1 - 8 * (self.width - 1)
        if self.stored != self.high + 1 or self.width > 2 or bits < 1:
            return False
        upper = bytes(raw) if self.width == 1 else bytes(raw)[1 if order == "<" else 0 :: 2]
        return upper.translate(_marks(bits, signed=self.signed)).isascii()

    def edit(self, frame: NDArray[Any], number: int) -> None:
        """Clear them in one frame, in place."""
        import numpy as np

        frame[...] = self.cleared(np.ascontiguousarray(frame))

    def cleared_bytes(self, raw: bytes | memoryview, order: str) -> bytes | memoryview:
        """Whole cells as bytes in the byte order ``order``; ``raw`` itself where nothing was there."""
        if "numpy" not in sys.modules and _patience and self._are_clear_bytes(raw, order):
            _patience.pop()
            return raw
        import numpy as np

        cells = np.frombuffer(raw, dtype=f"{order}u{self.width}", count=len(raw) // self.width)
        if self.are_clear(cells):
            return raw
        return self.cleared(cells).tobytes() + bytes(raw[len(cells) * self.width :])


@functools.cache
def _marks(bits: int, *, signed: bool) -> bytes:
    """Of every upper byte of a cell an ASCII letter where it is one of a value, and none where it is not."""
    half = 1 << (bits - 1)
    allowed = {n % 256 for n in (range(-half, half) if signed else range(2 * half))}
    return bytes(0 if n in allowed else 0x80 for n in range(256))


Change = Callable[[bytes | memoryview], bytes | memoryview]
_ORDERS: dict[str, Literal["little", "big"]] = {"<": "little", ">": "big"}


class Cells:
    """What a dataset says of its cells, as its elements go by; ``order`` is its byte order.

    ``frames`` is 0 where it does not say how many there are; ``cleared`` says that unused bits were, in any piece.
    """

    __slots__ = ("_order", "_said", "_shape", "_shared", "cleared", "frames")

    def __init__(self, order: str) -> None:
        self._order, self._said = order, dict.fromkeys(CELL, 0)
        self._shape = dict.fromkeys((_SAMPLES, _ROWS, _COLUMNS), 1)
        self._shared: float = 0
        self.frames = 0
        self.cleared = False

    def learn(self, tag: int, raw: bytes) -> None:
        """Take the value of one of :data:`CELL` or :data:`SHAPE`."""
        if tag == _MEANING:
            self._shared = _SHARED_COLOURS.get(raw.strip(b" \0"), 0)
        elif tag == _FRAMES:
            digits = raw.strip(b" \0")
            self.frames = int(digits) if digits.isdigit() else 0
        else:
            said = self._said if tag in self._said else self._shape
            said[tag] = int.from_bytes(raw[:2], _ORDERS[self._order])

    @property
    def pixels(self) -> int:
        """Pixels of a frame."""
        return self._shape[_ROWS] * self._shape[_COLUMNS]

    def meant(self, size: int) -> int:
        """How many of the ``size`` bytes of native pixel data are pixels.

        Whole frames that nobody counted are, where the dataset says nothing of their number.
        """
        bits = int(self.pixels * (self._shared or self._shape[_SAMPLES]) * self._said[CELL[0]])
        frame = (bits + 7) // 8
        whole = (bits * max(self.frames, 1) + 15) // 16 * 2  # even; of swapped bytes the last one may be a pixel
        uncounted = frame and not self.frames and size % frame < 2
        return whole if 0 < whole < size and not uncounted else size

    def unused(self) -> UnusedBits | None:
        """As :meth:`UnusedBits.of`."""
        allocated, stored, high, signed = self._said.values()
        return UnusedBits.of(allocated, stored, high, signed=bool(signed))

    def change(self, after: Change | None) -> Change | None:
        """What is done to pieces of the pixel data: unused bits are cleared, then ``after``; None for nothing.

        Raises
        ------
        UnsupportedImageError
            As in :meth:`UnusedBits.of`.
        """
        unused = self.unused()
        if unused is None:
            return after

        def changed(piece: bytes | memoryview) -> bytes | memoryview:
            kept = unused.cleared_bytes(piece, self._order)
            self.cleared = self.cleared or kept is not piece
            return kept if after is None else after(kept)

        return changed
