"""What each word of a picture is: identity, a known annotation, or neither."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from slicermedai.deid.pixels.fuzzy import canonical, find_nearly
from slicermedai.deid.pixels.kinds import TextClass
from slicermedai.deid.pixels.lexicon import (
    LABEL,
    announces_number,
    colon_follows,
    institutions,
    is_annotation,
    is_known_word,
    known_characters,
    needs_colon,
)
from slicermedai.deid.pixels.ocr import Line
from slicermedai.deid.pixels.words import Word
from slicermedai.deid.tokens import Token, fold_with_positions
from slicermedai.deid.vocabulary import Vocabulary

_MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mai|okt|dez|mrz|janv|fev|avr|juin|juil|aout|ene|abr|ago|dic"
_DATE = re.compile(
    r"(?<![0-9])(?:(?:19|20)[0-9]{2}(?P<a>[-./ ]?)(?:0[1-9]|1[0-2])(?P=a)(?:0[1-9]|[12][0-9]|3[01])"
    r"|[0-3]?[0-9](?P<b>[-./])[0-3]?[0-9](?P=b)(?:(?:19|20)[0-9]{2}|[0-9]{2})"
    rf"|[0-3]?[0-9][-. ]{{0,2}}(?:{_MONTH})[a-z]*[-., ]{{0,2}}(?:19|20)?[0-9]{{2}}"
    rf"|(?:{_MONTH})[a-z]*[-. ]{{0,2}}[0-3]?[0-9][-., ]{{1,2}}(?:19|20)[0-9]{{2}})(?![0-9])"
)
_TIME = re.compile(r"(?<![0-9])(?:[01]?[0-9]|2[0-3])[:.][0-5][0-9][:.][0-5][0-9](?![0-9])(?:\.[0-9]+)? ?(?:[ap]m)?"
                   r"|(?<![0-9])[01]?[0-9]:[0-5][0-9] ?[ap]m")  # fmt: skip
_PHONE = re.compile(r"(?<![0-9])\+?[0-9]{2,4}[-/ ]\(?[0-9]{3,4}\)?[-/ ]?[0-9]{3,}(?![0-9])|[\w.]+@[\w.]+\.[a-z]{2,}")
_NUMBER = re.compile(r"\s*[a-z]{0,4}-?[0-9]{4,}")
_NARROW = 0.6
_FAR = 6.0
_NEXT = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some characters of a line (``start`` to ``stop``), the columns that they fill, what they are and why."""

    line: Line
    start: int
    stop: int
    x0: float
    x1: float
    kind: TextClass
    why: str


@dataclass(slots=True, eq=False)
class _Reading:
    """One line with its words while it is being understood; ``why`` has an entry for each character."""

    line: Line
    words: Sequence[Word]
    text: str = ""
    why: list[str] = field(default_factory=list)
    open_label: bool = False

    def __post_init__(self) -> None:
        self.why = [""] * len(self.line.text)
        folded, positions = fold_with_positions(self.line.text)
        first: dict[int, str] = {}
        for character, position in zip(folded, positions, strict=True):
            first.setdefault(position, character)
        self.text = "".join(first.get(n, " ") for n in range(len(self.line.text)))

    def mark(self, start: int, stop: int, why: str, *, only_free: bool = False) -> None:
        for n in range(start, min(stop, len(self.why))):
            if not (only_free and self.why[n]):
                self.why[n] = why

    def said(self, word: Word) -> str:
        return self.line.text[word.start : word.stop]

    def spaced(self) -> tuple[str, list[int]]:
        """The line with a space between its words, and the position of each character in ``text``."""
        pieces: list[str] = []
        positions: list[int] = []
        for word in self.words:
            pieces.append(self.text[word.start : word.stop] + " ")
            positions += [*range(word.start, word.stop), word.stop - 1]
        return "".join(pieces), positions


class Matcher:
    """Tells identity from annotation by a patient's vocabulary, by labels, and by what dates look like."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._needles = sorted(_needles(vocabulary.tokens), key=lambda needle: (-len(needle), needle))
        self._whole = frozenset(self._needles)

    def pieces(self, lines: Iterable[tuple[Line, Sequence[Word]]]) -> list[Piece]:
        """Every word of ``lines``, in pieces of one kind."""
        readings = [_Reading(line, words) for line, words in lines]
        for reading in readings:
            self._by_form(reading)
            self._by_vocabulary(reading)
            _by_label(reading)
            _by_institution(reading)
        for reading in readings:
            if reading.open_label:
                _pass_on(reading, readings)
        return [piece for reading in readings for piece in _pieces(reading)]

    @staticmethod
    def _by_form(reading: _Reading) -> None:
        text, positions = reading.spaced()
        for pattern, why in ((_DATE, "date"), (_TIME, "time"), (_PHONE, "telephone")):
            for source, places in ((reading.text, list(range(len(reading.text) + 1))), (text, positions)):
                for match in pattern.finditer(source):
                    if not (why == "telephone" and reading.why[places[match.start()]]):
                        reading.mark(places[match.start()], places[match.end() - 1] + 1, why)

    def _by_vocabulary(self, reading: _Reading) -> None:
        kept = [n for n, character in enumerate(reading.text) if character.isalnum()]
        text = canonical("".join(reading.text[n] for n in kept))
        for needle in self._needles:
            for start, stop in find_nearly(needle, text, _errors(needle)):
                if start < stop and self._counts(reading, needle, (kept[start], kept[stop - 1] + 1)):
                    reading.mark(kept[start], kept[stop - 1] + 1, "vocabulary")

    def _counts(self, reading: _Reading, needle: str, span: tuple[int, int]) -> bool:
        """False for chance hits: within a known word, and short tokens that are no whole word."""
        start, stop = span
        touched = [word for word in reading.words if word.start < stop and start < word.stop]
        said = [re.sub(r"[^a-z0-9]", "", reading.text[word.start : word.stop]) for word in touched]
        if len(touched) > 1 and "".join(map(canonical, said)) == needle:
            return True  # a whole name of common words, each of which would be none
        if any(is_known_word(word) and not word.isdigit() and canonical(word) not in self._whole for word in said):
            return False
        if len(needle) >= 5:
            return True
        before = reading.text[start - 1 : start] if start > touched[0].start else ""
        after = reading.text[stop : stop + 1] if stop < touched[-1].stop else ""
        digits = reading.text[start:stop].isdigit()
        return not any(edge.isdigit() if digits else edge.isalnum() for edge in (before, after))


def _errors(needle: str) -> int:
    """How many characters may be misread."""
    if len(needle) < 5:
        return 0
    if sum(character.isdigit() for character in needle) > len(needle) / 2 and len(needle) < 6:
        return 0
    return 1 if len(needle) < 9 else 2


def _needles(tokens: Iterable[Token]) -> set[str]:
    pieces = (canonical("".join(c for c in token.text if c.isalnum())) for token in tokens)
    return {piece for piece in pieces if len(piece) >= (3 if piece.isascii() else 2)}


def _by_label(reading: _Reading) -> None:
    """What stands after a label is identity: up to the next label, an annotation with a unit, or a wide gap."""
    text, positions = reading.spaced()
    alike = _alike(text)
    matches = [m for m in LABEL.finditer(alike) if _is_label(alike, text, m, reading, positions)]
    for number, match in enumerate(matches):
        start = match.end()
        while start < len(text) and not text[start].isalnum():
            start += 1
        limit = matches[number + 1].start() if number + 1 < len(matches) else len(text)
        reading.mark(positions[match.start()], positions[match.end() - 1] + 1, "known annotation", only_free=True)
        if start >= limit:
            reading.open_label = number + 1 == len(matches)
            continue
        _mark_value(reading, positions[start], positions[min(limit, len(text)) - 1])


def _is_label(alike: str, text: str, match: re.Match[str], reading: _Reading, positions: list[int]) -> bool:
    if "vocabulary" in reading.why[positions[match.start()] : positions[match.end() - 1]]:
        return False
    if colon_follows(text, match.end()):
        return True
    if not needs_colon(match.group("label")):
        return True
    return announces_number(match.group("label")) and _NUMBER.match(alike, match.end()) is not None


def _alike(text: str) -> str:
    """Canonical letters, but numbers of two digits or more as they are."""
    return "".join(
        part if re.fullmatch("[0-9]{2,}", part) else canonical(part) for part in re.split("([0-9]{2,})", text)
    )


def _mark_value(reading: _Reading, start: int, stop: int) -> None:
    last: Word | None = None
    for word in reading.words:
        if word.stop <= start or word.start >= stop + 1:
            continue
        said = reading.said(word)
        far = last is not None and word.x0 - last.x1 > _FAR * reading.line.height
        if far or (last is not None and _with_unit(said)):
            return
        reading.mark(max(start, word.start), min(stop + 1, word.stop), "label", only_free=True)
        last = word


def _with_unit(said: str) -> bool:
    return re.match(r"[0-9]+(?:\.[0-9]+)?[a-zA-Z]{1,4}\W*$", said) is not None and is_annotation(said)


def _pass_on(label: _Reading, readings: Sequence[_Reading]) -> None:
    """A label at the end of its line names the nearest text to its right, else the text below it."""
    line = label.line
    others = [r for r in readings if not _measures(r)]
    right = [r for r in others if _same_row(line, r.line) and 0 <= r.line.x0 - line.x1 < _NEXT * line.height]
    below = [r for r in others if _below(line, r.line)]
    for found in (sorted(right, key=lambda r: r.line.x0), sorted(below, key=lambda r: r.line.y0)):
        if found:
            if "known annotation" not in found[0].why:
                found[0].mark(0, len(found[0].why), "label", only_free=True)
            return


def _measures(reading: _Reading) -> bool:
    """True for a line of numbers with known units or words, which is no one's name or number."""
    known = any(len(chunk) >= 2 and is_known_word(chunk) for chunk in re.findall("[a-z]+", reading.text))
    return known and any(c.isdigit() for c in reading.text) and is_annotation(reading.text)


def _same_row(one: Line, other: Line) -> bool:
    return min(one.y1, other.y1) - max(one.y0, other.y0) > 0.5 * min(one.height, other.height) and one is not other


def _below(one: Line, other: Line) -> bool:
    apart = other.y0 - one.y1
    return -0.4 * one.height < apart < one.height and min(one.x1, other.x1) > max(one.x0, other.x0) and one is not other


def _by_institution(reading: _Reading) -> None:
    """The name of an institution fills its line, but for known annotations with numbers."""
    said = {canonical(re.sub(r"[^a-z]", "", reading.text[word.start : word.stop])) for word in reading.words}
    if said & institutions():
        for word in reading.words:
            if not any(character.isdigit() for character in reading.said(word)):
                reading.mark(word.start, word.stop, "institution", only_free=True)


def _pieces(reading: _Reading) -> list[Piece]:
    """Words become pieces; a word is cut only between identity and what is known to be none."""
    known = _known_characters(reading)
    return [_piece(reading, span, word, known) for word in reading.words for span in _runs(reading, word)]


def _known_characters(reading: _Reading) -> list[bool]:
    """For each character whether it belongs to a known annotation; words with narrow gaps are looked at together."""
    known = [False] * len(reading.text)
    groups: list[list[Word]] = []
    for word in reading.words:
        if groups and word.gap < _NARROW:
            groups[-1].append(word)
        else:
            groups.append([word])
    after_word = False
    for group in groups:
        start, stop = group[0].start, group[-1].stop
        breaks = [word.start - start for word in group[1:]]
        known[start:stop] = known_characters(reading.text[start:stop], breaks, after_word=after_word)
        after_word = all(known[start:stop])
    return known


def _piece(reading: _Reading, span: tuple[int, int], word: Word, known: list[bool]) -> Piece:
    start, stop = span
    why = next(filter(None, map(_identity, reading.why[start:stop])), "")
    kind = TextClass.IDENTITY
    if not why:
        label = "known annotation" in reading.why[start:stop]
        kind = TextClass.ANNOTATION if label or all(known[start:stop]) else TextClass.UNCLASSIFIED
        why = "known annotation" if kind is TextClass.ANNOTATION else "unknown word"
    columns = reading.line.columns
    x0 = word.x0 if start == word.start else (columns[start - 1] + columns[start]) / 2
    x1 = word.x1 if stop == word.stop else (columns[stop - 1] + columns[stop]) / 2
    return Piece(line=reading.line, start=start, stop=stop, x0=x0, x1=x1, kind=kind, why=why)


def _runs(reading: _Reading, word: Word) -> list[tuple[int, int]]:
    """The word cut where a label or an annotation meets identity; left whole where the rest is unknown."""
    if reading.line.is_vertical:
        return [(word.start, word.stop)]
    cuts = [word.start]
    for n in range(word.start + 1, word.stop):
        if bool(_identity(reading.why[n])) != bool(_identity(reading.why[n - 1])):
            cuts.append(n)
    parts = list(zip(cuts, [*cuts[1:], word.stop], strict=True))
    rest = [part for part in parts if not any(map(_identity, reading.why[part[0] : part[1]]))]
    if len(parts) > 1 and not all(_stands_alone(reading, part) for part in rest):
        return [(word.start, word.stop)]
    return parts


def _stands_alone(reading: _Reading, part: tuple[int, int]) -> bool:
    said = reading.line.text[part[0] : part[1]]
    if "known annotation" in reading.why[part[0] : part[1]]:
        return True
    return sum(character.isalnum() for character in said) >= 3 and is_annotation(said)


def _identity(why: str) -> str:
    return "" if why == "known annotation" else why
