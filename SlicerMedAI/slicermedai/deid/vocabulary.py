"""A patient's identity vocabulary: what is searched for in text, and how it is masked."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable

from slicermedai.deid.crowd import Crowd
from slicermedai.deid.encoded import as_text, encoded_spans
from slicermedai.deid.escapes import unescaped
from slicermedai.deid.memo import Memo
from slicermedai.deid.names import date_tokens, identifier_tokens, name_tokens, place_tokens, uid_tokens
from slicermedai.deid.needles import Needles
from slicermedai.deid.packed import Room, hides, is_picture
from slicermedai.deid.readings import readings
from slicermedai.deid.runs import is_line, is_no_chance, text_runs
from slicermedai.deid.short_numbers import (
    holds_number,
    long_numbers,
)
from slicermedai.deid.spans import MASK, Span, merged, splice
from slicermedai.deid.surnames import surname_spans
from slicermedai.deid.token_index import Index
from slicermedai.deid.tokens import (
    Kind,
    Scope,
    Token,
    common_words,
    fold,
    fold_with_positions,
    protocol_words,
    service_words,
    technical_words,
)

__all__ = [
    "MASK",
    "Vocabulary",
    "common_words",
    "date_tokens",
    "identifier_tokens",
    "name_tokens",
    "place_tokens",
    "uid_tokens",
]

_YEAR = re.compile(r"(?:19|20|21)[0-9]{2}")
_WORDS = re.compile(r"[^\W_]+")
_SHORT, _DEEPEST = 1024, 8
"""Bytes that are read as Latin-1 as a whole, and remembered; how often something encoded is encoded again."""
_NO_PERSONS = frozenset({Kind.PLACE, Kind.DEVICE, Kind.IDENTIFIER})


class Vocabulary:
    """The tokens of one patient that are searched, and how many were left out as too short or too common.

    In text, ``crowd`` is searched for too: what is distinctive of the other patients of the run.
    """

    __slots__ = (
        *("_alone", "_hidden", "_long", "_masked", "_needles", "_room", "_scopes", "_surnames"),
        *("crowd", "left_out", "tokens"),
    )

    def __init__(self, tokens: frozenset[Token] = frozenset(), left_out: int = 0, crowd: Crowd | None = None) -> None:
        self.tokens, self.left_out, self.crowd = tokens, left_out, crowd
        self._room = Room()
        self._surnames = frozenset(token for token in tokens if token.kind is Kind.SURNAME)
        self.forget()

    def forget(self) -> None:
        """Let go of all that searching remembers or has made of the tokens; it is made again where it is wanted."""
        self._scopes: dict[Scope, Index] = {}
        self._needles: dict[Scope, Needles] = {}
        self._alone: Vocabulary | None = None
        self._long: frozenset[str] | None = None
        self._masked = Memo[tuple[str, Scope], str]()
        self._hidden = Memo[tuple[bytes, str], bool]()

    def __reduce__(self) -> tuple[type[Vocabulary], tuple[frozenset[Token], int, Crowd | None]]:
        return Vocabulary, (self.tokens, self.left_out, self.crowd)

    @staticmethod
    def of(
        tokens: Iterable[Token], *, equipment: frozenset[str] = frozenset(), crowd: Crowd | None = None
    ) -> Vocabulary:
        """A vocabulary of what is distinctive among ``tokens``.

        Parameters
        ----------
        equipment:
            Words of the manufacturer's and model's name: no name of a station, which often repeats them.
        """
        given = {token for token in tokens if token.text.strip()}
        kept = frozenset(token for token in given if _distinctive(token, equipment))
        return Vocabulary(kept, len({t.text for t in given} - {t.text for t in kept}), crowd)

    def scrub(self, text: str, scope: Scope = Scope.TEXT) -> str:
        """``text`` with every token masked; identical where none is in it."""
        if not text or not (self.tokens or self.crowd):
            return text
        new = self._once(text, scope)
        while new != text:  # a half of a name may be told from other words only now that the other half is masked
            text, new = new, self._once(new, scope)
        return new

    def _once(self, text: str, scope: Scope) -> str:
        """What is masked at once; short texts are remembered, since a patient's files repeat them."""
        key = (text, scope)
        found = self._masked.get(key)
        if found is None:
            found = self._scrubbed(text, scope)
            if len(text) <= _SHORT:
                self._masked.keep(key, found)
        return found

    def _scrubbed(self, text: str, scope: Scope) -> str:
        if scope is Scope.TEXT:  # first: half of what is escaped may be a word of the identity by itself
            text = self._unescaped(text)
        if text.isascii():
            text = splice(text, self._index(scope).spans(text.lower()), None)
        else:
            folded, positions = fold_with_positions(text)
            text = splice(text, self._index(scope).spans(folded), positions)
        if scope is not Scope.TEXT:
            return text
        text = splice(text, surname_spans(text, self._surnames), None)
        found = self.crowd.spans(text) if self.crowd is not None else []
        return splice(text, merged(found), None) if found else text

    def _unescaped(self, text: str) -> str:
        """The same for what is written as HTML, URLs and mail write it, or encoded in the text."""
        for plain, places in unescaped(text):
            if found := self._spans_in(plain):
                return splice(text, found, places)
        return splice(text, encoded_spans(text, self.holds_encoded), None)

    def holds_encoded(self, raw: bytes) -> bool:
        """True where bytes that text or a compressed value stood for hold a token, or are a picture."""
        return self._remembered(raw, "encoded", self._holds_encoded)

    def _remembered(self, raw: bytes, what: str, find: Callable[[bytes], bool]) -> bool:
        """What ``find`` says of bytes; of short ones it is remembered, but not within something that is searched, where
        it depends on how deep that is."""
        if self._room.depth or len(raw) > _SHORT:
            return find(raw)
        known = self._hidden.get((raw, what))
        return self._hidden.keep((raw, what), find(raw)) if known is None else known

    def _holds_encoded(self, raw: bytes) -> bool:
        with self._room:
            text = as_text(raw)
            if text is not None and is_line(text) and self._room.depth < _DEEPEST:
                found = self.hits(text)
            else:
                short = text or (raw.decode("latin-1") if len(raw) <= _SHORT else "")
                found = self._hits_run(short) or self.hits_bytes(raw, Scope.BINARY)
            return found or is_picture(raw) or self.hides(raw)

    def hides(self, raw: bytes) -> bool:
        """True where something compressed in bytes holds a token, or cannot be searched."""
        return self._remembered(raw, "compressed", self._hides)

    def _hides(self, raw: bytes) -> bool:
        with self._room:
            return hides(raw, self.holds_encoded, self._room)

    def _spans_in(self, plain: str) -> list[Span]:
        folded, places = fold_with_positions(plain)
        ends = [*places, len(plain)]
        spans = [(ends[start], ends[end]) for start, end in self._index(Scope.TEXT).spans(folded)]
        spans += surname_spans(plain, self._surnames)
        return merged(spans) if spans else spans

    def hits(self, text: str, scope: Scope = Scope.TEXT) -> bool:
        """True where ``text`` holds a token."""
        if not text or not (self.tokens or self.crowd):
            return False
        if self._index(scope).spans(fold(text)):
            return True
        if scope is not Scope.TEXT:
            return False
        if self._named(text) or any(self._spans_in(plain) for plain, _ in unescaped(text)):
            return True
        return bool(encoded_spans(text, self.holds_encoded))

    def _named(self, text: str) -> bool:
        return bool(surname_spans(text, self._surnames) or (self.crowd is not None and self.crowd.spans(text)))

    def hits_bytes(self, raw: bytes, scope: Scope) -> bool:
        """True where bytes of unknown meaning hold a token as text of one or two bytes a character, or UTF-8."""
        if not (self.tokens or self.crowd):
            return False
        return self._remembered(raw, scope, functools.partial(self._hits_bytes, scope))

    def _hits_bytes(self, scope: Scope, raw: bytes) -> bool:
        if scope is not Scope.TEXT:
            low = raw.lower()
            if self._needles_of(scope).stand_in(low):
                return True
            return scope is Scope.BINARY and any(
                self._hits_run(run) or encoded_spans(run, self.holds_encoded) for run in text_runs(raw)
            )
        index = self._index(scope)
        return any(index.spans(fold(text)) or self._named(text) for text in readings(raw))

    def _hits_run(self, run: str) -> bool:
        spans = self._index(Scope.TEXT).spans(fold(run))
        return any(is_no_chance(run, end - start) for start, end in spans) or (is_line(run) and self._named(run))

    def holds_number(self, raw: bytes) -> bool:
        """True where one of the values in a numeric DS or IS is, as a whole, a number of the patient."""
        if self._long is None:
            self._long = long_numbers(self.tokens)
        return holds_number(raw, self._long)

    @property
    def alone(self) -> Vocabulary:
        """The same without the other patients."""
        if self._alone is None and self.crowd is not None:
            self._alone = Vocabulary(self.tokens, self.left_out)
            self._alone._scopes, self._alone._needles = self._scopes, self._needles
        return self._alone or self

    @property
    def long_numbers(self) -> frozenset[str]:
        """Runs of six digits or more, which no pseudonymous UID may contain by chance."""
        return frozenset(t.text for t in self.tokens if t.text.isdigit() and len(t.text) >= 6)

    def _index(self, scope: Scope) -> Index:
        found = self._scopes.get(scope)
        if found is None:
            found = self._scopes[scope] = Index(self._searched_in(scope), scope)
        return found

    def _needles_of(self, scope: Scope) -> Needles:
        found = self._needles.get(scope)
        if found is None:
            found = self._needles[scope] = Needles(self._searched_in(scope))
        return found

    def _searched_in(self, scope: Scope) -> list[Token]:
        return [token for token in self.tokens if token.searched_in(scope) and token.kind is not Kind.SURNAME]


def _distinctive(token: Token, equipment: frozenset[str]) -> bool:
    """PS3.15 does not say how: fewer than 3 letters (2 ideographs), fewer than 4 digits and common words are out."""
    text = token.text
    if token.kind is Kind.SURNAME:
        return True
    if text.isdigit():
        return (
            len(text) >= (5 if token.kind is Kind.PLACE else 4)
            and not _YEAR.fullmatch(text)
            and text not in common_words()
        )
    folded = fold(text)
    if token.kind in _NO_PERSONS and _names_a_service(folded):
        return False
    if token.is_phrase and not _is_name_for_sure(folded):
        return False
    if folded in common_words() or (token.kind is Kind.DEVICE and folded in equipment):
        return False
    return len(text) >= (3 if text.isascii() else 2) and any(c.isalnum() for c in text)


def _names_a_service(folded: str) -> bool:
    """True for departments and rooms as every hospital has them ("Stroke Unit"), which "King Trauma Center" is not."""
    words = set(_WORDS.findall(folded))
    return bool(words & service_words()) and words <= service_words() | technical_words()


def _is_name_for_sure(phrase: str) -> bool:
    """False for words of protocols side by side ("fat sat"); with a comma or ^ between them they are a name."""
    return "^" in phrase or "," in phrase or not protocol_words().issuperset(_WORDS.findall(phrase))
