"""An independent look at what was written: bytes are read with code of its own, not by the reader that wrote them.

Every element at every depth is searched for the identity's tokens in the encodings in which text occurs; pixel data
and other binary values too, for tokens that are too long to turn up by chance.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from slicermedai.deid.crowd import CODE, MEANING, SCHEME, Crowd, is_public
from slicermedai.deid.short_numbers import (
    holds_number,
    is_measured,
    is_numeric,
    labelled_spans,
    long_numbers,
    short_numbers,
)
from slicermedai.deid.surnames import surname_spans
from slicermedai.deid.tokens import Kind, Scope, Token, fold
from slicermedai.deid.verify_bytes import Element, elements
from slicermedai.deid.verify_forms import byte_forms, narrow, spaced_forms, text_forms, wide, written
from slicermedai.deid.verify_index import Index, Needles
from slicermedai.deid.verify_numbers import PartedNumbers
from slicermedai.deid.verify_pixels import PixelCheck
from slicermedai.deid.verify_spoilt import SpoiltNames
from slicermedai.deid.verify_wrapped import Closed, Inner, within_bytes, within_text
from slicermedai.errors import IdentityError

__all__ = ["Element", "Hit", "Retained", "check_file", "elements", "find"]

_PRINTABLE = re.compile(rb"[\x20-\x7e]{5,}|(?:[\x20-\x7e]\0){5,}|(?:\0[\x20-\x7e]){5,}")
_REPEATED, _MOST = 256, 1 << 14
_PIXEL_GROUP, _SHORTEST_IN_FRAMES = 0x7FE0, 6
_DEEPEST = 5
"""How often what stands in another form stands in another form again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A token found: where, and of what kind it is, never which; or ``why`` a value may hold what nobody can search."""

    tag: int
    offset: int
    kind: str
    why: str = ""

    @property
    def attribute(self) -> str:
        """(gggg,eeee)"""
        return f"({self.tag >> 16:04X},{self.tag & 0xFFFF:04X})"

    @property
    def sentence(self) -> str:
        """What is wrong, and where."""
        return f"{self.why or f'a {self.kind} of a patient is still'} in the value at byte {self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """What an option keeps, and so is no leak where it belongs.

    Parameters
    ----------
    days:
        (year, month, day) that values of VR DA and DT may show.
    uids:
        UIDs stay as they are: values of VR UI that hold nothing but UIDs are not searched.
    """

    days: frozenset[tuple[int, int, int]] = frozenset()
    uids: bool = False

    def covers(self, element: Element) -> bool:
        """True where the value is one that is kept."""
        if element.vr == "UI":
            return self.uids and re.fullmatch(rb"[0-9.\\]*[ \0]?", element.value) is not None
        if element.vr not in ("DA", "DT") or not self.days:
            return False
        return all(self._is_kept(value) for value in re.split(rb"[\\]", element.value))

    def _is_kept(self, value: bytes) -> bool:
        digits = value.strip(b" \0").replace(b".", b"", 2)[:8]
        return not digits or (
            digits.isdigit() and (int(digits[:4]), int(digits[4:6] or 0), int(digits[6:] or 0)) in self.days
        )


NOTHING_RETAINED = Retained()


def check_file(
    path: Path,
    tokens: frozenset[Token],
    *,
    source: Path | None = None,
    retained: Retained = NOTHING_RETAINED,
    crowd: Crowd | None = None,
) -> None:
    """Refuse a file that still holds identity.

    Parameters
    ----------
    source:
        The file that it was made from, which the error then names.
    crowd:
        What is searched for in text of the other patients of the run.

    Raises
    ------
    IdentityError
        A token is in it; the message names kind, attribute and offset.
    UnreadableFileError
        Its bytes are no whole DICOM file.
    """
    for hit in find(path, tokens, retained, crowd):
        raise IdentityError(
            hit.sentence,
            file=source or path,
            attribute=hit.attribute,
            advice="Nothing was handed out; leave this file out, or look at that attribute.",
        )


def find(
    path: Path, tokens: frozenset[Token], retained: Retained = NOTHING_RETAINED, crowd: Crowd | None = None
) -> Iterator[Hit]:
    """Every element of the file that holds a token, at most one hit for each; pixel data that hold more than pixels."""
    pixels = PixelCheck()
    searcher, last, public = _searcher(tokens, crowd), -1, False
    for element in elements(Path(path)):
        public = is_public(element.value) if element.tag == SCHEME else public and element.tag != CODE
        why = pixels.objection(element)
        if why and element.start != last:
            last = element.start
            yield Hit(tag=element.tag, offset=element.offset, kind="pixels", why=why)
        found = (
            None
            if element.start == last >= 0 or retained.covers(element)
            else (searcher.search(element, alone=public and element.tag == MEANING))
        )
        if found is not None:
            last = element.start
            yield Hit(tag=element.tag, offset=element.offset + found[0], kind=found[1])


class _Searcher:
    """The tokens as bytes, for each scope, and as folded text."""

    def __init__(self, tokens: frozenset[Token], crowd: Crowd | None) -> None:
        self._crowd = crowd
        self._needles: dict[tuple[Scope, bool, bool], Needles] = {}
        self._text = Index(text_forms(tokens))
        self._tokens = tokens
        self._short, self._long = short_numbers(tokens), long_numbers(tokens)
        self._parted = PartedNumbers(tokens)
        self._surnames = frozenset(token for token in tokens if token.kind is Kind.SURNAME)
        self._spoilt = SpoiltNames(tokens, lambda folded: self._text.search(folded) is not None)
        self._clean: set[tuple[Scope, bytes, bool, bool]] = set()

    def search(self, element: Element, *, alone: bool = False) -> tuple[int, str] | None:
        """(offset within the value, kind of the token) of the first hit, or None; ``alone`` of the patient's own.

        Short values in which nothing was found are remembered: in a series most of them repeat.
        """
        if element.vr in ("DS", "IS") and is_numeric(element.value):
            held = not is_measured(element.tag, element.value) and holds_number(element.value, self._long)
            return (0, Kind.IDENTIFIER.value) if held else None
        value = element.value
        if len(value) > _REPEATED:
            return self._search(element, alone=alone)
        known = (element.scope, bytes(value), alone, element.tag >> 16 == _PIXEL_GROUP)
        if known in self._clean:
            return None
        found = self._search(element, alone=alone)
        if found is None:
            if len(self._clean) >= _MOST:
                self._clean.clear()
            self._clean.add(known)
        return found

    def _search(self, element: Element, *, alone: bool, deep: int = 0) -> tuple[int, str] | None:
        found = self._search_as_it_is(element, alone=alone)
        if found is not None or element.tag >> 16 == _PIXEL_GROUP or deep == _DEEPEST:
            return found
        try:
            for place, value, is_text in _within(element):
                inner = Element(element.tag, "UT" if is_text else "OB", value, element.offset)
                if self._search(inner, alone=alone, deep=deep + 1) is not None:
                    return place, "word or number"
        except Closed as closed:
            return closed.place, "compressed part"
        return None

    def _search_as_it_is(self, element: Element, *, alone: bool) -> tuple[int, str] | None:
        scope = element.scope
        found = self._first(element)
        if found is not None:
            return found[0], self._kind(found[1].lower())
        if scope is Scope.BINARY and element.tag >> 16 != _PIXEL_GROUP:
            return self._in_a_run(element.value)
        if scope is not Scope.TEXT:
            return None
        text = element.value.decode("latin-1")
        if named := surname_spans(text, self._surnames):
            return named[0][0], Kind.SURNAME.value
        if labelled_spans(text.lower(), self._short):
            return 0, Kind.IDENTIFIER.value
        if not alone and self._crowd_hit(element.value):
            return 0, "name or number"
        if not element.value.isascii() and self._folded_hit(element.value):
            return 0, "name"
        if any(self._parted.place_in(folded) >= 0 for folded in _folded(element.value)):
            return 0, Kind.IDENTIFIER.value
        return (0, "name") if self._is_spoilt(element.value) else None

    def _first(self, element: Element) -> tuple[int, bytes] | None:
        """(position, what stands there) of the first one; every other byte can only be zero where some are."""
        scope, is_frame = element.scope, element.tag >> 16 == _PIXEL_GROUP
        value = element.value if scope is Scope.PIXELS else element.value.lower()
        found = self._needles_of(scope, is_frame=is_frame).search(value)
        if found is None and b"\0" in value.strip(b"\0"):
            found = self._needles_of(scope, is_spaced=True).search(value)
        return found

    def _needles_of(self, scope: Scope, *, is_spaced: bool = False, is_frame: bool = False) -> Needles:
        """Made when they are wanted. In compressed frames, which are long noise, four bytes stand by chance."""
        found = self._needles.get((scope, is_spaced, is_frame))
        if found is None:
            forms = spaced_forms(self._tokens, scope) if is_spaced else byte_forms(self._tokens, scope)
            long = {form for form in forms if len(form[1]) >= _SHORTEST_IN_FRAMES} if is_frame else forms
            found = self._needles[scope, is_spaced, is_frame] = Needles(long)
        return found

    def _is_spoilt(self, value: bytes) -> bool:
        codecs = ("latin-1",) if value.isascii() else ("utf-8", "latin-1")
        return any(self._spoilt.stand_in(value.decode(codec, "replace")) for codec in codecs)

    def _in_a_run(self, value: bytes) -> tuple[int, str] | None:
        """The first hit in printable text within bytes, one or two a character; short ones in long text alone."""
        for match in _PRINTABLE.finditer(value):
            run = match[0].replace(b"\0", b"").lower()
            if self._parted.place_in(run.decode("latin-1")) >= 0:
                return match.start(), Kind.IDENTIFIER.value
            found = self._needles_of(Scope.TEXT).search(run)
            if found is not None and len(found[1]) + (len(run.strip()) >= 8) + (len(run.strip()) >= 12) >= 5:
                return match.start(), self._kind(found[1].lower())
        return None

    def _crowd_hit(self, value: bytes) -> bool:
        codecs = ("latin-1",) if value.isascii() else ("utf-8", "latin-1")
        return self._crowd is not None and any(self._crowd.spans(value.decode(c, "replace")) for c in codecs)

    def _folded_hit(self, value: bytes) -> bool:
        return any(self._text.search(folded) is not None for folded in _folded(value))

    def _kind(self, found: bytes) -> str:
        def is_it(token: Token) -> bool:
            return any(found in narrow(text) | wide(text) for text in written(token))

        return next((token.kind.value for token in sorted(self._tokens) if is_it(token)), "name")


def _folded(value: bytes) -> set[str]:
    codecs = ("latin-1",) if value.isascii() else ("utf-8", "latin-1")
    return {fold(value.decode(codec, "replace")) for codec in codecs}


def _within(element: Element) -> Iterator[Inner]:
    """What a value holds in another form: text as base64, other values compressed, and base64 in them."""
    if element.scope is Scope.TEXT:
        yield from within_text(element.value)
    elif element.scope is Scope.BINARY:
        yield from within_bytes(element.value, max(element.size, len(element.value)))
        yield from within_text(element.value)


@functools.lru_cache(maxsize=8)
def _searcher(tokens: frozenset[Token], crowd: Crowd | None) -> _Searcher:
    return _Searcher(tokens, crowd)
