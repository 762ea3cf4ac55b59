"""First pass: what the table lists is read once more, as the vocabulary of what must not survive anywhere."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slicermedai.deid.charsets import DEFAULT, Charset, charset_of
from slicermedai.deid.contacts import telephone_tokens
from slicermedai.deid.crowd import Crowd
from slicermedai.deid.dictionary import keyword_of, label_of, tag_of, vr_of
from slicermedai.deid.memo import Memo
from slicermedai.deid.names import date_tokens, identifier_tokens, name_tokens, place_tokens, uid_tokens
from slicermedai.deid.profile import Profile
from slicermedai.deid.surnames import surname_tokens
from slicermedai.deid.table import RETAINING, Table
from slicermedai.deid.tokens import Kind, Token, fold
from slicermedai.deid.vocabulary import Vocabulary
from slicermedai.deid.wire import PIXEL_GROUP, Opened, Walk
from slicermedai.deid.wire import Kind as Mark

Maker = Callable[[str], set[Token]]

KEYWORDS = Path(__file__).with_name("identity_keywords.json")
EQUIPMENT = ("Manufacturer", "ManufacturerModelName")
_CHARSET, _PATIENT_ID = 0x00080005, 0x00100020
_OTHER_IDS = (0x00101002,)
_LONGEST = 1 << 20
"""Bytes of a value that is looked at."""
_VERSIONS = frozenset({"ContextGroupVersion", "ContextGroupLocalVersion", "EffectiveDateTime"})
_CODES = frozenset({"CodeValue", "LongCodeValue", "CodeMeaning"})
_PERSONS = re.compile(r"(Person|Physician|Physicians|Operator|Observer|Creator)\w*Identification\w*Sequence")
_INSTITUTIONS = re.compile(r"Institution\w*CodeSequence")
_OWN_NAMES = frozenset(
    {"PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName", "ResponsiblePerson"}
)
_UNDECODED = re.compile(r"[\ud800-\udfff]")
_HOMES = frozenset({"PatientAddress", "PersonAddress", "PatientInstitutionResidence", "RegionOfResidence"})
_PLACED = frozenset({Kind.PLACE, Kind.DEVICE})
_OWN_NUMBERS = frozenset({"PatientID", "OtherPatientIDs"})
_NOT_TEXT = frozenset({"SQ", "OB", "OW", "UN", "OD", "OF", "OL", "OV"})
_LEAF, _PIXELS = Mark.LEAF, (Mark.LEAF, Mark.FRAGMENTS)
Value = tuple[int, str, bytes, Charset, tuple[int, ...]]
"""(tag, VR, bytes, character set, tags of the sequences around it)"""


@dataclass(slots=True, eq=False)
class Harvest:
    """Tokens of one patient, gathered over all of its files.

    Parameters
    ----------
    days:
        Days of which the values stay because an option retains them; a DA that shows one of them is no leak.
    places:
        What retained institutions and devices are called: no identity, whichever other attributes repeat it, but for
        ``homes``, where people live.
    crowd:
        The patient's own names and IDs, for the copies of other patients' files.
    """

    table: Table
    profile: Profile = field(default_factory=Profile)
    tokens: set[Token] = field(default_factory=set)
    equipment: set[str] = field(default_factory=set)
    days: set[Token] = field(default_factory=set)
    places: set[Token] = field(default_factory=set)
    homes: set[Token] = field(default_factory=set)
    crowd: Crowd = field(default_factory=Crowd)
    _seen: set[tuple[int, bytes, Maker, Charset]] = field(default_factory=set)
    _made: dict[tuple[Maker, str], set[Token]] = field(default_factory=dict)

    def add(self, tag: int, vr: str, raw: bytes, charset: Charset, parents: tuple[int, ...]) -> None:
        """Take one value in; what was seen before costs nothing."""
        maker = self._maker(tag, vr)
        if maker is None or not raw:
            return
        key = (tag if maker is not _by_parents else hash((tag, parents)), raw, maker, charset)
        if key in self._seen:  # bytes mean another text in another character set
            return
        self._seen.add(key)
        made = _by_parents_of(keyword_of(tag), parents) if maker is _by_parents else maker
        if made is None:
            return
        for text in _readings(raw, charset):
            for part in text.split("\\"):
                plain = part.strip(" \0")
                self._take(tag, self._tokens(made, plain), plain)

    def _tokens(self, maker: Maker, text: str) -> set[Token]:
        """What one value says, whichever attributes repeat it."""
        found = self._made.get((maker, text))
        if found is None:
            found = self._made[maker, text] = maker(text)
        return found

    def vocabulary(self, crowd: Crowd | None = None) -> Vocabulary:
        """What was gathered, ready to search with, and what is searched for of other patients."""
        return Vocabulary.of(self.tokens - (self.places - self.homes), equipment=frozenset(self.equipment), crowd=crowd)

    def _take(self, tag: int, tokens: set[Token], text: str) -> None:
        label = label_of(tag)
        if label in _OWN_NAMES:
            self.crowd.add_name(text)
        elif label in _OWN_NUMBERS:
            self.crowd.add_number(text)
        if label in EQUIPMENT:
            self.equipment.update(re.findall(r"\w+", fold(text)))
        elif self._is_retained(tag, tokens):
            self.days.update(t for t in tokens if t.kind is Kind.DATE)
            self.places.update(t for t in tokens if t.kind in _PLACED)
        else:
            self.tokens.update(tokens)
            self.homes.update(tokens if label_of(tag) in _HOMES else ())

    def _is_retained(self, tag: int, tokens: set[Token]) -> bool:
        codes = self.profile.option_codes
        if codes.isdisjoint(RETAINING):
            return False
        if self.table.row(tag) is not None:
            return _retained(self.table, tag, codes)
        dates = "113106" in codes and all(t.kind is Kind.DATE for t in tokens)
        return bool(tokens) and (dates or ("113110" in codes and all(t.kind is Kind.UID for t in tokens)))

    def _maker(self, tag: int, vr: str) -> Maker | None:
        return _maker_of(self.table, tag, vr)


@functools.lru_cache(maxsize=8192)
def _retained(table: Table, tag: int, codes: frozenset[str]) -> bool:
    return table.retained(tag, codes)


def _readings(raw: bytes, charset: Charset) -> tuple[str, ...]:
    """The text; as Latin-1 too, which can read anything, where it is not in the character set that the file names."""
    text = charset.decode(raw)
    return (text, raw.decode("latin-1")) if _UNDECODED.search(text) else (text,)


def joined(harvests: Sequence[Harvest]) -> Harvest:
    """What several ones gathered, as one."""
    found = Harvest(harvests[0].table, harvests[0].profile)
    for one in harvests:
        found.tokens |= one.tokens
        found.equipment |= one.equipment
        found.days |= one.days
        found.places |= one.places
        found.homes |= one.homes
    return found


@functools.lru_cache(maxsize=32768)
def _maker_of(table: Table, tag: int, vr: str) -> Maker | None:
    if tag >> 16 & 1:
        return None
    said = vr_of(tag)
    if vr == said or vr == "UN" or said in ("SQ", "UN"):
        return _maker_by_vr(table, tag, said if vr == "UN" else vr)
    makers = [maker for maker in (_maker_by_vr(table, tag, one) for one in (said, vr)) if maker is not None]
    return makers[0] if makers else None  # the dictionary knows better what it is than a file that says another VR


def _maker_by_vr(table: Table, tag: int, vr: str) -> Maker | None:
    keyword = label_of(tag)
    if vr in _NOT_TEXT:
        return None
    if tag in _equipment():
        return _nothing
    if keyword in _by_keyword():
        return _by_keyword()[keyword]
    if vr == "UI":
        row = table.row(tag)
        return uid_tokens if row is not None and row.basic == "U" else None
    if keyword in _OWN_NAMES:
        return _own_name_tokens
    if vr in _BY_VR and keyword not in _VERSIONS:
        return _BY_VR[vr]
    return _by_parents if keyword in _CODES else None


def _own_name_tokens(value: str) -> set[Token]:
    return name_tokens(value) | surname_tokens(value)


def _nothing(_: str) -> set[Token]:
    return set()


def _by_parents(_: str) -> set[Token]:
    """Stands for: what the code means depends on the sequences that it lies in."""
    return set()


@functools.lru_cache(maxsize=4096)
def _by_parents_of(keyword: str, parents: tuple[int, ...]) -> Maker | None:
    """Codes that stand for a person or an institution."""
    meaning, names = keyword == "CodeMeaning", [keyword_of(parent) for parent in parents]
    if any(_PERSONS.fullmatch(name) for name in names):
        return name_tokens if meaning else identifier_tokens
    if any(_INSTITUTIONS.fullmatch(name) for name in names):
        return place_tokens if meaning else identifier_tokens
    return None


@functools.cache
def _equipment() -> frozenset[int]:
    return frozenset(tag_of(keyword) for keyword in EQUIPMENT)


@functools.cache
def _by_keyword() -> dict[str, Maker]:
    """How the values of listed attributes become tokens, by keyword."""
    groups = json.loads(KEYWORDS.read_text(encoding="utf-8"))
    makers: dict[str, Maker] = {
        "identifiers": identifier_tokens,
        "telephones": telephone_tokens,
        "devices": functools.partial(identifier_tokens, kind=Kind.DEVICE),
        "places": place_tokens,
        "names": name_tokens,
    }
    return {keyword: makers[group] for group, keywords in groups.items() for keyword in keywords}


_BY_VR: dict[str, Maker] = {"PN": name_tokens, "DA": date_tokens, "DT": date_tokens}


@dataclass(slots=True, eq=False)
class Facts:
    """What was found in one file: its top-level text by tag, all that the vocabulary may need, and pixels or not.

    ``other_ids`` are the Patient IDs in Other Patient IDs Sequence.
    """

    top: dict[int, bytes] = field(default_factory=dict)
    other_ids: tuple[str, ...] = ()
    values: list[Value] = field(default_factory=list)
    charset: Charset = DEFAULT
    has_pixels: bool = False

    def text(self, tag: int) -> str:
        """A value at the top level, "" where there is none."""
        return self.charset.decode(self.top.get(tag, b"")).strip(" \0")


def read_facts(file: Opened, table: Table, wanted: frozenset[int]) -> Facts:
    """Everything in a file up to its pixel data that may be identity, and the top-level values that are ``wanted``.

    Raises
    ------
    UnreadableFileError, EOFError, zlib.error
        As in :mod:`slicermedai.deid.wire`; an unknown character set.
    """
    facts, parents, sought = Facts(), _Parents(), _sought(table, wanted)
    window, walk = file.window, Walk(file)
    for kind, tag, vr, _, start, size in walk:
        if tag >> 16 == PIXEL_GROUP and kind in _PIXELS and not parents.tags:
            facts.has_pixels = True
            break
        if kind != _LEAF:
            parents.follow(kind, tag)
        elif sought[tag, vr] and size <= _LONGEST:
            _note(facts, parents, (tag, vr, window.bytes_at(start, size)), is_wanted=tag in wanted)
    return facts


def _note(facts: Facts, parents: _Parents, value: tuple[int, str, bytes], *, is_wanted: bool) -> None:
    """Take in one value of a file."""
    tag, vr, raw = value
    if tag == _CHARSET:
        parents.charset = charset_of(raw.decode("latin-1"))
        facts.charset = facts.charset if parents.tags else parents.charset
    if is_wanted and not parents.tags:
        facts.top[tag] = raw
    if tag == _PATIENT_ID and parents.path == _OTHER_IDS:
        facts.other_ids += (parents.charset.decode(raw).strip(" \0"),)
    facts.values.append((tag, vr, raw, parents.charset, parents.path))


class _Sought(Memo[tuple[int, str], bool]):
    """(tag, VR) -> whether such values are looked at: asked of every element of every file."""

    def __init__(self, table: Table, wanted: frozenset[int]) -> None:
        self._table, self._wanted = table, wanted

    def __missing__(self, key: tuple[int, str]) -> bool:
        return self.keep(key, key[0] in self._wanted or _maker_of(self._table, *key) is not None)


_sought = functools.lru_cache(maxsize=4)(_Sought)


class _Parents:
    """Sequences around the element, without what lies in private ones; each item may have its own character set."""

    def __init__(self) -> None:
        self.tags: list[int] = []
        self.path: tuple[int, ...] = ()
        self.charset = DEFAULT
        self._charsets: list[Charset] = []

    def follow(self, kind: int, tag: int) -> None:
        if kind == Mark.SEQUENCE:
            self.tags.append(tag)
            self.path = tuple(self.tags)
        elif kind == Mark.SEQUENCE_END:
            self.tags.pop()
            self.path = tuple(self.tags)
        elif kind == Mark.ITEM:
            self._charsets.append(self.charset)
        elif kind == Mark.ITEM_END:
            self.charset = self._charsets.pop()
