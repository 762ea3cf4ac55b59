"""Places in files that are alike, and what is done to every kind of element in them: decided once, then looked up."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from slicermedai.deid import private
from slicermedai.deid.charsets import Charset
from slicermedai.deid.context import Context, Element, depends_on_study
from slicermedai.deid.dictionary import hexadecimal, keyword_of, label_of, vr_of
from slicermedai.deid.encode import element as encoded
from slicermedai.deid.ops import REMOVE, Op
from slicermedai.deid.profile import Option
from slicermedai.deid.rules import BASIC_RULES, Rule, decide
from slicermedai.deid.wire import Encoding

_MOST = 4096
_LARGEST = 2048
"""Bytes of a value that is remembered."""


class Treatment(NamedTuple):
    """An operation on a kind of element, with what is needed to carry it out and to count it.

    ``known`` holds what became of values that were met before: in a series most of them repeat.
    """

    op: Op
    vr: str
    counted: tuple[str, str]
    known: dict[bytes, tuple[str, bytes | None]]


class Place:
    """Everywhere in an instance that lies in the same sequence, is encoded alike and has the same character set."""

    __slots__ = (
        *("_alone", "_children", "_rules", "_safe", "_shared", "_treatments"),
        *("context", "encoding", "parent", "plain"),
    )

    def __init__(self, context: Context, parent: int, rules: tuple[Rule, ...]) -> None:
        self.context, self.parent, self._rules = context, parent, rules
        self.encoding = context.encoding
        self.plain: dict[tuple[int, str], Treatment] = {}
        """By tag and VR the treatments of kinds of elements of which nothing else matters to the engine."""
        self._treatments: dict[tuple[int, str, str, bool], Treatment] = {}
        own = (parent, context.encoding, context.charset, context.claimed, context.vocabulary.crowd is None, rules)
        self._shared: dict[tuple[int, str, str, bool], Treatment] = context.kinds.setdefault(own, {})
        self._children: dict[tuple[int, Encoding, Charset], Place] = {}
        self._alone: Place | None = None
        self._safe = context.has(Option.RETAIN_SAFE_PRIVATE)

    def child(self, tag: int, encoding: Encoding, charset: Charset) -> Place:
        """The place within the sequence ``tag``, or this one (``tag`` = its parent) with another character set."""
        key = (tag, encoding, charset)
        found = self._children.get(key)
        if found is None:
            context = replace(self.context, charset=charset, encoding=encoding)
            found = self._children[key] = Place(context, tag, self._rules)
        return found

    @property
    def alone(self) -> Place:
        """The same for values that no other patient of the run is searched in."""
        if self._alone is None:
            known = self.context.vocabulary.alone
            own = replace(self.context, vocabulary=known)
            self._alone = self if known is self.context.vocabulary else Place(own, self.parent, self._rules)
        return self._alone

    def treatment(
        self, tag: int, vr: str, creator: str = "", *, has_items: bool = False, plain: bool = False
    ) -> Treatment:
        """What is done to elements of that tag and VR; ``plain``: :attr:`plain` may have it, unless it is private."""
        key = (tag, vr, creator, has_items)
        found = self._treatments.get(key)
        if found is None:
            known = self._treatments if depends_on_study(tag) else self._shared
            found = known.get(key) or self._decided(tag, vr, creator, has_items=has_items)
            self._treatments[key] = known[key] = found
        if plain and not tag & 0x10000:
            self.plain[tag, vr] = found
        return found

    def safe_creator(self, tag: int, value: str) -> str:
        """``value`` where it reserves a block that has safe attributes, and they are wanted; "" otherwise."""
        wanted = self._safe and 0x10 <= tag & 0xFFFF <= 0xFF and private.has_safe_ones(value, tag >> 16)
        return value if wanted else ""

    def _decided(self, tag: int, vr: str, creator: str, *, has_items: bool) -> Treatment:
        real = vr
        if vr == "UN":
            real = (private.safe_vr(creator, tag) if creator else vr_of(tag)) or "UN"
        if tag >> 16 & 1 and not (creator and private.safe_vr(creator, tag)):
            return Treatment(REMOVE, real, (label_of(tag), REMOVE.action), {})
        element = Element(
            tag, real, (keyword_of(self.parent) or hexadecimal(self.parent)) if self.parent else "", creator, has_items
        )
        op = decide(self._rules, self.context, element)
        return Treatment(op, real, (label_of(tag), op.action), {})


def edited(treatment: Treatment, tag: int, raw: bytes, encoding: Encoding) -> tuple[str, bytes | None]:
    """(what is counted, the whole new element or None): ("", None) where nothing changes, b"" where it is removed."""
    known = treatment.known
    found = known.get(raw)
    if found is None:
        found = _edit(treatment, tag, raw, encoding)
        if len(raw) <= _LARGEST:
            if len(known) >= _MOST:
                known.clear()
            known[raw] = found
    return found


def _edit(treatment: Treatment, tag: int, raw: bytes, encoding: Encoding) -> tuple[str, bytes | None]:
    op = treatment.op
    new = op.value if op.edit is None else op.edit(raw)
    if new is None:
        return "X", b""
    if new is raw:
        return "", None
    return op.action, encoded(tag, treatment.vr, new, encoding)


def root_place(context: Context, rules: tuple[Rule, ...] = BASIC_RULES) -> Place:
    """The top level of instances like the one that ``context`` describes."""
    return Place(context, 0, rules)
