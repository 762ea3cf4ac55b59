"""The rules. Each one says what is done to a kind of element, and in words what it does."""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Sequence
from typing import Protocol

from slicermedai import __version__
from slicermedai.deid import dummies, private
from slicermedai.deid.about import about_dates, about_options
from slicermedai.deid.context import Context, Element
from slicermedai.deid.crowd import CODE
from slicermedai.deid.dates import AgeRule, DateRule
from slicermedai.deid.documents import DOCUMENT, DOCUMENT_LENGTH, is_document, placeholder
from slicermedai.deid.encode import code_item, sequence
from slicermedai.deid.encode import element as encoded
from slicermedai.deid.free_rules import FreeText, masked_forms, remove_free_text
from slicermedai.deid.ops import EMPTY, KEEP, REMOVE, Op
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.short_numbers import is_measured, is_numeric
from slicermedai.deid.table import Action
from slicermedai.deid.tokens import Scope, scope_of
from slicermedai.deid.wire import PIXEL_GROUP

__all__ = ["BASIC_RULES", "Context", "Element", "Rule", "decide", "describe_rules"]

_CLASS_UIDS = re.compile(
    r"SOPClass|TransferSyntax|CodingScheme|^ContextUID|MappingResource|Creator|SegmentationTemplate"
)
_PATIENT_NAME, _PATIENT_ID = 0x00100010, 0x00100020
_PERSONS_ROLE = 0x00102298  # is not valid without the Responsible Person, whom the table removes (PS3.3 C.7.1.1)
_PADDING = (0x00080001, 0xFFFCFFFC)  # Length to End (retired), Data Set Trailing Padding
_SERVERS = frozenset(
    {0x00080407, 0x00080408, 0x00080409, 0x0008040B, 0x00081190, 0x00287FE0, 0x00404073, 0x0040E010, 0x0074100A}
)
"""URLs and paths from which instances are fetched, which the table does not list: they name a hospital's computers."""
_PIXELS = frozenset({0x7FE00001, 0x7FE00002, 0x7FE00008, 0x7FE00009, 0x7FE00010})
_CHARSET, _BURNED_IN, _TIMEZONE = 0x00080005, 0x00280301, 0x00080201
_TEMPORAL = frozenset({"DA", "DT", "TM"})
_NUMERIC = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UN"})
_GRAPHICS = range(0x5000, 0x6100)
_SUSPECT = re.compile(rb"[0-9]{8}|[^0-9.+\-eE \\\0]")
_LONG_NUMBERS = 256
_SIX_DIGITS = re.compile(rb"[1-9][0-9]{5}")
_BASIC = Profile()


class Rule(Protocol):
    """One thing that is done to every kind of element, at every depth."""

    def op(self, context: Context, element: Element) -> Op | None:
        """What is done to such elements; None leaves it to the next rule."""

    def describe(self, profile: Profile = ...) -> list[str]:
        """What it does under a profile, in sentences for report, preview and reference."""


class RemoveHidden:
    """What is no content: group lengths, padding, messages' and file meta elements, pictures in sequences, servers."""

    def op(self, context: Context, element: Element) -> Op | None:
        """Remove them."""
        hidden = element.tag & 0xFFFF == 0 or element.tag >> 16 in (0, 2) or element.tag in _PADDING
        in_pixels = element.tag >> 16 == PIXEL_GROUP
        hidden = (
            hidden or element.tag in _SERVERS or (in_pixels and (element.tag not in _PIXELS or element.parent != ""))
        )
        return REMOVE if hidden else None

    def describe(self, profile: Profile = _BASIC) -> list[str]:
        """In words."""
        return [
            "Group lengths and padding were removed.",
            "Addresses from which instances are fetched were removed, and small pictures within sequences.",
            "Preamble and file meta information were written anew.",
        ]


class KeepPixels:
    """Pixel data, and the name of the character set that the text is in."""

    def op(self, context: Context, element: Element) -> Op | None:
        """Keep them."""
        pixels = element.tag >> 16 == PIXEL_GROUP and not element.has_items
        return KEEP if pixels or element.tag == _CHARSET else None

    def describe(self, profile: Profile = _BASIC) -> list[str]:
        """In words."""
        return [
            "Pixel data were copied byte for byte, but for text that was removed from them and for what is no pixel: "
            "bits that no value uses were cleared, also those of padding that needs more bits than are stored; what "
            "stands behind the last pixel or run-length code, and offset tables that are none, was blanked.",
            "Waveforms were cut behind their last sample.",
        ]


class ReplaceDocuments:
    """Encapsulated documents (PDF, CDA, STL, OBJ, MTL)."""

    def op(self, context: Context, element: Element) -> Op | None:
        """An empty document of the same kind, with its length."""
        document = placeholder(context.sop_class)
        if element.tag == DOCUMENT:
            return Op(Action.DUMMY.value, value=document)
        if element.tag == DOCUMENT_LENGTH:
            return Op(Action.DUMMY.value, value=struct.pack(f"{context.encoding.order}I", len(document)))
        if element.tag == _BURNED_IN and is_document(context.sop_class):
            return Op(Action.DUMMY.value, value=b"NO")
        return None

    def describe(self, profile: Profile = _BASIC) -> list[str]:
        """In words."""
        return ["Encapsulated documents were replaced by empty ones."]


class KeepSafePrivate:
    """Private attributes of DICOM's list of safe ones, which the engine asks for by their creator."""

    def op(self, context: Context, element: Element) -> Op | None:
        """Treat a safe one as what its VR says; all others are left to the table, which removes them."""
        if not element.private:
            return None
        return hide_unlisted(context, element) or remove_free_text(context, element) or scrub(context, element)

    def describe(self, profile: Profile = _BASIC) -> list[str]:
        """In words."""
        if Option.RETAIN_SAFE_PRIVATE not in profile.options:
            return ["All private attributes were removed."]
        return [
            f"Of the private attributes the {private.count()} of PS3.15 Table E.3.10-1 were kept, after identity in "
            "them was masked; all others were removed."
        ]


class ApplyTable:
    """The action for every attribute that Table E.1-1 lists, its option columns first."""

    def op(self, context: Context, element: Element) -> Op | None:
        """Remove, empty, replace, keep, clean, or move in time what is listed."""
        action = context.action(element)
        if action is None:
            return REMOVE if element.tag == _PERSONS_ROLE else None
        if element.tag in (_PATIENT_NAME, _PATIENT_ID) and action is not Action.REMOVE:
            return Op(Action.DUMMY.value, value=context.patient.encode())
        if action in (Action.KEEP, Action.CLEAN):
            return _kept(context, element, action)
        return _basic(context, element)

    def describe(self, profile: Profile = _BASIC) -> list[str]:
        """In words."""
        uids = "UIDs were kept as they are."
        if Option.RETAIN_UIDS not in profile.options:
            uids = "UIDs were replaced by new ones that agree between the files, references included."
        return [
            "Every attribute that the table lists was removed, emptied or replaced, at every depth.",
            "All overlays and curves were removed, also overlays in bits of the pixels that no value uses.",
            "Comments and the like in compressed frames (JPEG, JPEG-LS, JPEG 2000, JPEG XL) were blanked, also user "
            "data in videos (MPEG-2, H.264, HEVC, transport streams and MP4 too); no pixel changed. Videos of another "
            "build were left out.",
            "What would leave a module invalid by its absence was emptied; what would by its presence was removed.",
            "Patient ID and name were replaced by a pseudonym.",
            uids,
            *about_dates(profile),
            *about_options(profile),
        ]


class HideUnlisted:
    """Names, dates and UIDs of instances in attributes that the table does not list."""

    def op(self, context: Context, element: Element) -> Op | None:
        """Empty names, empty, keep or move dates, replace UIDs; remove what nobody knows."""
        if element.vr == "UN" and not element.has_items and not element.tag >> 16 & 1:
            return REMOVE
        return hide_unlisted(context, element) if context.table.row(element.tag) is None else None

    def describe(self, profile: Profile = _BASIC) -> list[str]:
        """In words."""
        return [
            "Person names, dates and instance UIDs in attributes that the table does not list were hidden too.",
            "Attributes that neither the file nor the dictionary says the kind of (UN) were removed.",
        ]


class ScrubText:
    """What is left of the patient's vocabulary in values that are kept."""

    def op(self, context: Context, element: Element) -> Op | None:
        """Mask it in text, empty numbers that hold it, remove bytes that hold it. Pixels are never touched."""
        return scrub(context, element)

    def describe(self, profile: Profile = _BASIC) -> list[str]:
        """In words."""
        return [
            "Names, identifiers, telephone numbers, addresses, institutions and dates of the patient were collected "
            "from all files and masked wherever they stood in other text: broken, joined, cut short, inflected, with "
            "letters as HTML, URLs, mail and RTF write them, also twice, in base64 and hexadecimal digits, and "
            "transliterated from Cyrillic, Greek and kana too; telephone numbers with and without the prefixes of "
            "country and area, streets that are shortened, and postal codes in one word; so were distinctive family "
            "names and Patient IDs of other patients of the run.",
            "A patient's name that is a common word (Smith, Brown) was masked where it is written as a name, with a "
            "capital letter; words of anatomy, laterality, scanners and acquisition, and terms such as white matter "
            "and Crohn disease, were left. Identifiers of up to three characters or five digits were masked after a "
            "label alone; numbers (DS, IS) were emptied where the value has six digits or more and is one, but for "
            "lists of what was measured. Binary values went where text in them holds identity, also text that is "
            "compressed (zlib, gzip, deflate, zip); so did those with compressed data or documents that cannot be "
            "looked into.",
        ]


class MarkDeidentified:
    """PS3.15 E.1.1: what was done is said in the instance itself (top level alone)."""

    def op(self, context: Context, element: Element) -> Op | None:
        """Nothing: see :meth:`marks`."""
        return None

    def marks(self, context: Context) -> list[tuple[int, bytes]]:
        """(tag, whole element) of the attributes of the Patient and SOP Common modules that say so, by tag."""
        encoding = context.encoding
        patient = context.patient.encode()
        method = f"SlicerMedAI {__version__}\\{context.table.short_title}".encode()
        codes = [code_item(code, encoding) for code in context.profile.claims(context.claimed)]
        return [
            (_PATIENT_NAME, encoded(_PATIENT_NAME, "PN", patient, encoding)),
            (_PATIENT_ID, encoded(_PATIENT_ID, "LO", patient, encoding)),
            (0x00120062, encoded(0x00120062, "CS", b"YES", encoding)),
            (0x00120063, encoded(0x00120063, "LO", method, encoding)),
            (0x00120064, sequence(0x00120064, codes, encoding)),
            (0x00280303, encoded(0x00280303, "CS", context.dates.modified.encode(), encoding)),
        ]

    def describe(self, profile: Profile = _BASIC) -> list[str]:
        """In words."""
        return ["The files say that the identity was removed, by which profile and options, and what became of dates."]


BASIC_RULES: tuple[Rule, ...] = (
    RemoveHidden(),
    KeepPixels(),
    ReplaceDocuments(),
    KeepSafePrivate(),
    ApplyTable(),
    HideUnlisted(),
    FreeText(),
    ScrubText(),
    MarkDeidentified(),
)


def decide(rules: Sequence[Rule], context: Context, element: Element) -> Op:
    """What the first rule that has something to say does to such elements; KEEP where none has."""
    for rule in rules:
        op = rule.op(context, element)
        if op is not None:
            return op
    return KEEP


def describe_rules(profile: Profile) -> list[str]:
    """What all rules do under ``profile``."""
    return [line for rule in BASIC_RULES for line in rule.describe(profile)]


def hide_unlisted(context: Context, element: Element) -> Op | None:
    """Names, dates and UIDs outside the table."""
    if element.has_items:
        return None
    if element.vr == "PN":
        return Op(Action.ZERO.value, edit=lambda raw: b"" if raw else raw)
    if element.vr in ("DA", "DT"):
        return _unlisted_date(context, element)
    if element.vr == "UI" and not _CLASS_UIDS.search(element.label) and not context.has(Option.RETAIN_UIDS):
        return _new_uids(context, element)
    return None


def scrub(context: Context, element: Element) -> Op | None:
    """Look for the vocabulary in what is kept."""
    if element.has_items or (element.vr == "UI" and context.has(Option.RETAIN_UIDS)):
        return None
    if element.vr in _BYTES or element.vr in _NUMERIC:
        return Op(Action.REMOVE.value, edit=functools.partial(_without_bytes, context, element.vr))
    if element.vr == "AS" and context.ages is not AgeRule.AS_IT_IS:
        return Op(Action.CLEAN.value, edit=functools.partial(_capped, context))
    if scope_of(element.vr, 0) is Scope.NUMBER:
        return Op(Action.CLEAN.value, edit=functools.partial(_scrubbed_number, context, element))
    return Op(Action.CLEAN.value, edit=functools.partial(_scrubbed_text, context, element))


def _kept(context: Context, element: Element, action: Action) -> Op | None:
    """What an option keeps: dates by their rule, text after a look for identity; graphics are never kept."""
    if element.tag >> 16 in _GRAPHICS or element.tag >> 16 & 1:
        return REMOVE
    if element.tag == _TIMEZONE and context.dates is DateRule.YEAR_ONLY:
        return _basic(context, element)
    if element.vr not in _TEMPORAL or element.has_items:
        return None
    if context.dates is DateRule.KEEP or (action is Action.KEEP and context.dates is DateRule.REMOVE):
        return KEEP
    if context.dates is DateRule.REMOVE:
        return _basic(context, element)
    return Op(Action.CLEAN.value, edit=functools.partial(_moved, context, element, _basic(context, element)))


def _basic(context: Context, element: Element) -> Op | None:
    action = context.basic(element)
    if action is Action.REMOVE:
        return REMOVE
    if action is Action.UID:
        return None if element.has_items else _new_uids(context, element)
    if action is Action.ZERO:
        return EMPTY
    return _dummy(context, element)


def _dummy(context: Context, element: Element) -> Op | None:
    if not element.has_items and element.vr != "SQ":
        return Op(Action.DUMMY.value, value=dummies.bytes_for(element.vr))
    if not element.label.endswith("CodeSequence"):
        return None  # the items stay, and each of their attributes is treated by its own row
    item = code_item(dummies.REMOVED, context.encoding)
    return Op(Action.DUMMY.value, value=sequence(0, [item], context.encoding)[8 if context.encoding.implicit else 12 :])


def _unlisted_date(context: Context, element: Element) -> Op | None:
    if context.dates is DateRule.KEEP:
        return KEEP
    if context.dates is DateRule.REMOVE:
        return Op(Action.ZERO.value, edit=lambda raw: b"" if raw else raw)
    return Op(Action.CLEAN.value, edit=functools.partial(_moved, context, element, EMPTY))


def _moved(context: Context, element: Element, otherwise: Op | None, raw: bytes) -> bytes | None:
    """A date under the rule; what is no date is treated as without the option."""
    text = raw.decode("latin-1").strip(" \0")
    moved = context.dates.apply(element.vr, text, context.days)
    if moved == text:
        return raw
    if moved is not None:
        return moved.encode("ascii")
    return otherwise.value if otherwise is not None else None


def _capped(context: Context, raw: bytes) -> bytes | None:
    text = raw.decode("latin-1").strip(" \0")
    age = context.ages.apply(text)
    return raw if age == text else (age or "").encode("ascii")


def _new_uids(context: Context, element: Element) -> Op:
    if context.has(Option.RETAIN_UIDS):
        return KEEP
    return Op(Action.UID.value, edit=functools.partial(_with_new_uids, context, element.tag))


def _with_new_uids(context: Context, tag: int, raw: bytes) -> bytes:
    old = [part.strip(" \0") for part in raw.decode("latin-1").split("\\")]
    new = [context.new_uid(tag, value) for value in old]
    return raw if new == old else "\\".join(new).encode("ascii", "replace")


def _scrubbed_text(context: Context, element: Element, raw: bytes) -> bytes:
    if element.tag == CODE and _SIX_DIGITS.fullmatch(raw) and not context.vocabulary.holds_number(raw):
        return raw  # six digits may be a day, but stand here for a concept
    return context.charset.edited(raw, lambda text: masked_forms(context, element, context.vocabulary.scrub(text)))


def _scrubbed_number(context: Context, element: Element, raw: bytes) -> bytes:
    if element.vr in ("DS", "IS") and is_numeric(raw):
        return b"" if not is_measured(element.tag, raw) and context.vocabulary.holds_number(raw) else raw
    if not _SUSPECT.search(raw):
        return raw
    if len(raw) > _LONG_NUMBERS and not context.vocabulary.hits_bytes(raw, Scope.NUMBER):
        return raw
    text = raw.decode("latin-1")
    return raw if context.vocabulary.scrub(text, Scope.NUMBER) == text else b""


def _without_bytes(context: Context, vr: str, raw: bytes) -> bytes | None:
    scope = Scope.BINARY if vr in _NUMERIC else scope_of("UN" if vr == "SQ" else vr, len(raw))
    known = context.vocabulary
    return None if known.hits_bytes(raw, scope) or known.hides(raw) else raw
