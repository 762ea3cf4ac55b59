"""The streaming rewriter: source bytes in, de-identified bytes out, with no more than a part of either in memory.

What stays is copied as whole runs of bytes; large values, pixel data above all, are copied in pieces and not decoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from slicermedai.deid import around
from slicermedai.deid.ages import CODE_VALUE, NUMBERS, UNITS, capped, unit_of
from slicermedai.deid.charsets import charset_of
from slicermedai.deid.copier import Copier
from slicermedai.deid.crowd import MEANING, SCHEME, is_public
from slicermedai.deid.dates import AgeRule
from slicermedai.deid.dictionary import label_of, vr_of
from slicermedai.deid.encode import element as encoded
from slicermedai.deid.encode import head as head_of
from slicermedai.deid.ops import Op
from slicermedai.deid.packed import holds_stream
from slicermedai.deid.pixel_copy import NATIVE, TABLES, PixelCopy
from slicermedai.deid.places import Place, Treatment, edited
from slicermedai.deid.sink import Sink
from slicermedai.deid.tokens import Scope, scope_of
from slicermedai.deid.transcode import explicit_vr, swapped
from slicermedai.deid.unused_bits import CELL, SHAPE
from slicermedai.deid.window import Window
from slicermedai.deid.wire import (
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    Event,
    Kind,
    Opened,
    Walk,
)

LARGE = 1 << 20
"""Bytes; longer values are never held."""
_CHARSET, _SIGNED = 0x00080005, 0x00280103
_NOTED = frozenset({*CELL, *SHAPE})
_WATCHED = frozenset({*_NOTED, *around.WAVE, *NATIVE, *TABLES, *NUMBERS})
_WATCHED |= {_CHARSET, _SIGNED, around.SAMPLES, SCHEME, MEANING, CODE_VALUE}
"""Attributes that tell the engine something, or that are written in a way of their own."""
_OVERLAP = 512
_NOT_SEARCHED = frozenset({"AS", "DA", "DT", "PN", "TM", "UI"})
Tally = Counter[tuple[str, str]]
Mark = tuple[int, bytes | Callable[[], Iterator[bytes]]]
"""(tag, bytes of a whole element or what yields them; b"" removes it)."""
Scan = Callable[[int, int], Iterator[bytes | memoryview]]
"""Reads (offset, size) of the source once more, in pieces."""


@dataclass(slots=True)
class _Level:
    """An open sequence or item: the place of its elements, the private blocks reserved in it, and how it is written.

    ``anew`` is True where the source is encoded in another way, so that every element has to be written anew.
    """

    place: Place
    anew: bool
    creators: dict[int, str] = field(default_factory=dict)
    wave: dict[int, bytes] = field(default_factory=dict)
    unit: str = ""
    public: bool = False

    def creator(self, event: Event, window: Window) -> str:
        """The private creator of an element, where it is one whose attributes may be safe; "" otherwise."""
        _, tag, _, _, start, size = event
        block = (tag >> 8 & 0xFF) or (tag & 0xFF)
        if tag & 0xFF00 == 0 and size <= 64:
            value = self.place.context.charset.decode(window.bytes_at(start, size)).strip(" \0")
            self.creators[tag >> 16 << 8 | block] = self.place.safe_creator(tag, value)
        return self.creators.get(tag >> 16 << 8 | block, "")

    def set_charset(self, raw: bytes) -> None:
        """From here on text is in another character set."""
        charset, place = charset_of(raw.decode("latin-1").strip(" \0")), self.place
        self.place = place.child(place.parent, place.encoding, charset)


class Rewriter:
    """Rewrites one dataset; :attr:`tally` counts (attribute, action).

    Parameters
    ----------
    place:
        The top level, in the encoding of the output.
    marks:
        What takes the place of elements of the source's top level, or is added to it.
    scan:
        For values that are too large to be held.
    """

    def __init__(self, file: Opened, place: Place, sink: Sink, *, marks: list[Mark], scan: Scan) -> None:
        self._walk, self._window, self._sink, self._scan = Walk(file), file.window, sink, scan
        self._marks = sorted(marks, key=lambda mark: mark[0], reverse=True)
        self._levels = [_Level(place, file.encoding != place.encoding)]
        self._order, self._skipped = file.encoding.order, 0
        self._swaps = self._order != place.encoding.order
        self._out = Copier(file.window, sink, file.start)
        self._signed = False
        self._caps = place.context.ages is AgeRule.CAP
        self.tally: Tally = Counter()
        self._pixels = PixelCopy(file, self._walk, self._out, self.tally)

    def run(self) -> Tally:
        """Write everything.

        Raises
        ------
        UnreadableFileError, EOFError, zlib.error
            As in :mod:`slicermedai.deid.wire`.
        """
        levels, marks = self._levels, self._marks
        for event in self._walk:
            kind, tag = event[0], event[1]
            if self._skipped:
                self._skip(event)
            elif len(levels) == 1 and marks and tag >= marks[-1][0] and self._mark(event):
                continue
            elif kind == Kind.LEAF:
                level = levels[-1]
                known = level.place.plain.get((tag, event[2]))
                self._leaf(event) if known is None else self._treat(event, level, known)
            else:
                self._structure(event)
        self._out.flush(self._out.end)
        while marks:
            self._out.write_all(marks.pop()[1])
        self._sink.close()
        return self.tally

    def _leaf(self, event: Event) -> None:
        _, tag, vr, _, start, size = event
        level = self._levels[-1]
        if self._caps and self._cap(event, level):
            return
        if tag in around.WAVE:
            level.wave[tag] = self._window.bytes_at(start, min(size, 8))
        elif tag == around.SAMPLES and 0 < (declared := around.declared_samples(level.wave, self._order)) < size:
            self._samples(event, level, declared)
            return
        creator = ""
        if tag & 0x10000:
            creator = level.creator(event, self._window)
            if creator and tag & 0xFF00 == 0:
                self._keep(event, level)
                return
        if tag == SCHEME:
            level.public = is_public(self._window.bytes_at(start, min(size, 64)))
        place = level.place.alone if level.public and tag == MEANING else level.place
        self._treat(event, level, place.treatment(tag, vr, creator, plain=tag not in _WATCHED))

    def _treat(self, event: Event, level: _Level, treatment: Treatment) -> None:
        op = treatment.op
        if op.keeps:
            self._keep(event, level)
        elif op.removes:
            self._out.cut(event[3], event[4] + event[5])
            self.tally[treatment.counted] += 1
        elif event[5] > LARGE:
            self._large(event, level, treatment)
        else:
            self._edit(event, level, treatment)

    def _cap(self, event: Event, level: _Level) -> bool:
        """True where the element is the number of an age of 90 years or more, which is written as 90 years."""
        _, tag, _, head, start, size = event
        if tag == CODE_VALUE and level.place.parent == UNITS and len(self._levels) > 2:
            self._levels[-3].unit = unit_of(self._window.bytes_at(start, size))
        if tag not in NUMBERS or not level.unit or size > LARGE:
            return False
        raw = self._window.bytes_at(start, size)
        new = capped(tag, raw, level.unit, level.place.encoding.order)
        if new is raw:
            return False
        self._out.cut(head, start + size)
        if new is not None:
            self._out.write(encoded(tag, vr_of(tag), new, level.place.encoding))
        self.tally[label_of(tag), "X" if new is None else "C"] += 1
        return True

    def _edit(self, event: Event, level: _Level, treatment: Treatment) -> None:
        _, tag, _, head, start, size = event
        action, new = edited(treatment, tag, self._window.bytes_at(start, size), level.place.encoding)
        if new is None:
            self._keep(event, level)
            return
        self._out.cut(head, start + size)
        if new:
            self._out.write(new)
        self.tally[treatment.counted[0], action] += 1

    def _large(self, event: Event, level: _Level, treatment: Treatment) -> None:
        """A value that is too large to be held: it stays where a search in pieces finds no identity, or goes."""
        _, tag, _, head, start, size = event
        value = treatment.op.value
        may_stay = value is None and treatment.vr not in _NOT_SEARCHED
        if may_stay and not _found(self._scan(start, size), level.place, scope_of(treatment.vr, size)):
            self._keep(event, level)
            return
        self._out.cut(head, start + size)
        if value is not None:
            self._out.write(encoded(tag, treatment.vr, value, level.place.encoding))
        self.tally[treatment.counted[0], "X" if value is None else treatment.counted[1]] += 1

    def _keep(self, event: Event, level: _Level) -> None:
        """Leave an element as it is. A large value is copied at once, so that the window can move on."""
        kind, tag, _, _, start, size = event
        if tag not in _WATCHED and size <= LARGE and not level.anew:
            self._out.keep(start + size)
            return
        if tag == _CHARSET:
            level.set_charset(self._window.bytes_at(start, size))
        elif tag in _NOTED and len(self._levels) == 1:
            self._pixels.cells.learn(tag, self._window.bytes_at(start, size))
        if kind == Kind.FRAGMENTS:
            self._pixels.fragments(event, level.place.encoding, top=len(self._levels) == 1)
        elif tag in NATIVE and len(self._levels) == 1:
            self._pixels.native(event, level.place.encoding, signed=self._signed)
        elif tag in TABLES and not self._pixels.is_table(event):
            self._out.cut(event[3], start + size)
            self.tally[label_of(tag), "X"] += 1
        elif level.anew:
            self._keep_anew(event, level)
        elif size > LARGE:
            self._out.flush(start)
            self._out.copy(start, size)
        else:
            self._out.keep(start + size)

    def _keep_anew(self, event: Event, level: _Level) -> None:
        _, tag, vr, head, start, size = event
        if tag == _SIGNED:
            self._signed = any(self._window.bytes_at(start, size))
        vr = explicit_vr(tag, vr, signed=self._signed)
        self._out.cut(head, start)
        if size > LARGE:
            self._out.write(head_of(tag, vr, size, level.place.encoding))
            self._out.copy(start, size, change=partial(swapped, vr) if self._swaps else None)
        else:
            raw = self._window.bytes_at(start, size)
            value = bytes(swapped(vr, raw)) if self._swaps else raw
            self._out.write(encoded(tag, vr, value, level.place.encoding))
            self._out.resume(start + size)

    def _samples(self, event: Event, level: _Level, declared: int) -> None:
        """A waveform, without what stands behind its samples."""
        kind, tag, vr, head, start, size = event
        self._keep_anew((kind, tag, vr, head, start, declared), level)
        self._out.resume(start + size)
        self.tally[label_of(tag), "C"] += 1

    def _structure(self, event: Event) -> None:
        """Sequences and items are written with undefined length, so that none has to be known before its end."""
        kind, _, _, head, start, _ = event
        level = self._levels[-1]
        if kind == Kind.SEQUENCE:
            self._sequence(event, level)
        elif kind == Kind.FRAGMENTS:
            treatment = level.place.treatment(event[1], event[2])
            self._keep(event, level) if treatment.op.keeps else self._drop_fragments(event, treatment)
        elif kind == Kind.ITEM:
            self._out.cut(head, start)
            self._out.write(head_of(ITEM, "", UNDEFINED, level.place.encoding))
            self._levels.append(_Level(level.place, level.anew))
        else:
            self._out.cut(self._out.end, start)
            tag = ITEM_END if kind == Kind.ITEM_END else SEQUENCE_END
            self._out.write(head_of(tag, "", 0, level.place.encoding))
            self._levels.pop()

    def _drop_fragments(self, event: Event, treatment: Treatment) -> None:
        self._out.flush(event[3])
        self._skip_fragments(event[4])
        self.tally[treatment.counted[0], "X"] += 1

    def _skip_fragments(self, start: int) -> None:
        self._out.let_go()
        self._walk.skip_fragments(start)
        self._out.resume(self._walk.position)

    def _sequence(self, event: Event, level: _Level) -> None:
        _, tag, vr, head, start, _ = event
        creator = level.creator(event, self._window) if tag & 0x10000 else ""
        treatment = level.place.treatment(tag, vr, creator, has_items=True)
        op = treatment.op
        self._out.cut(head, start)
        if op.keeps or op.edit is not None:
            self._out.write(head_of(tag, vr, UNDEFINED, level.place.encoding))
            inner = Encoding(implicit=True, order="<") if vr == "UN" else level.place.encoding
            place = level.place.child(tag, inner, level.place.context.charset)
            self._levels.append(_Level(place, level.anew and vr != "UN"))
            return
        if op.value is not None:
            self._out.write(encoded(tag, _vr_of_replacement(tag, op), op.value, level.place.encoding))
        self.tally[treatment.counted] += 1
        self._skip_from_here()

    def _mark(self, event: Event) -> bool:
        """Write the marks up to an element; True where one of them takes its place."""
        kind, tag, _, head, start, size = event
        self._out.flush(head)
        taken = False
        while self._marks and self._marks[-1][0] <= tag:
            taken = self._marks[-1][0] == tag
            self._out.write_all(self._marks.pop()[1])
        self._out.resume(head)
        if not taken:
            return False
        self.tally[label_of(tag), "D"] += 1
        if kind == Kind.SEQUENCE:
            self._skip_from_here()
        elif kind == Kind.FRAGMENTS:
            self._skip_fragments(start)
        else:
            self._out.resume(start + size)
        return True

    def _skip_from_here(self) -> None:
        self._skipped = 1
        self._out.let_go()

    def _skip(self, event: Event) -> None:
        if event[0] in (Kind.SEQUENCE, Kind.ITEM):
            self._skipped += 1
        elif event[0] in (Kind.SEQUENCE_END, Kind.ITEM_END):
            self._skipped -= 1
        if not self._skipped:
            self._out.resume(event[4])


def _found(pieces: Iterator[bytes | memoryview], place: Place, scope: Scope) -> bool:
    """True where identity stands in a value that comes in pieces."""
    context, tail = place.context, b""
    known = context.vocabulary
    for piece in pieces:
        raw = tail + bytes(piece)
        if known.hits_bytes(raw, scope) or (scope is Scope.BINARY and holds_stream(raw)):
            return True
        if scope is Scope.TEXT and known.hits(context.charset.decode(raw)):
            return True
        tail = raw[-_OVERLAP:]
    return False


def _vr_of_replacement(tag: int, op: Op) -> str:
    """SQ for items; where an attribute that is no sequence was written as one, its own VR."""
    vr = vr_of(tag)
    return "SQ" if vr in ("SQ", "UN") or op.value == b"" else vr
