"""Text that people typed: searched for forms of identity where it stays, or removed whole where a preset says so."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

from slicermedai.deid import dummies
from slicermedai.deid.context import Context, Element
from slicermedai.deid.dates import DateRule
from slicermedai.deid.free_forms import mask_forms
from slicermedai.deid.ops import EMPTY, REMOVE, Op
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.short_numbers import is_measured, is_numeric
from slicermedai.deid.table import Action
from slicermedai.deid.text_rule import TextRule

_BASIC = Profile()
_PROSE = frozenset({"LT", "ST", "UT", "UC"})
_SHORT = {"LO": 64, "SH": 16, "UC": 256, "UR": 256}
_ALWAYS_FREE = frozenset({"LT", "ST", "UT", "AE"})
_CODED = re.compile(r"[A-Za-z0-9 _./+*%-]{0,16}")
_RETAINING = frozenset(
    option.value for option in (Option.RETAIN_DEVICE_IDENTITY, Option.RETAIN_INSTITUTION_IDENTITY, Option.RETAIN_UIDS)
)
TERMS_FILE = Path(__file__).with_name("free_terms.json")
TERMS = frozenset(" ".join(json.loads(TERMS_FILE.read_text(encoding="utf-8")).values()).split())
"""Attributes of a text VR that hold codes and names of techniques and products: no text that people type."""


class FreeText:
    """Free text: a preset may remove it whole, since nobody can promise that a text names no relative."""

    def op(self, context: Context, element: Element) -> Op | None:
        """A dummy in its place, or what the Basic profile does to it."""
        return remove_free_text(context, element)

    def describe(self, profile: Profile = _BASIC) -> list[str]:
        """In words, for a preset that does not remove it: see :func:`describe_text`."""
        return describe_text(TextRule.SCRUB)


def describe_text(rule: TextRule) -> list[str]:
    """What becomes of free text, in sentences."""
    if rule is TextRule.REMOVE:
        return [
            "Free text was removed whole, in attributes that the table does not list too; of text VRs only codes and "
            "names of techniques and products stay, where they are as short as their VR allows and look like no "
            "identity. Coded strings and numbers that hold other text were replaced too."
        ]
    return [
        "In descriptions and other free text that was kept, dates, telephone numbers, mail and web addresses, numbers "
        "after labels such as MRN, and names after labels or forms of address were masked, whoever's they are."
    ]


def text_not_done(rule: TextRule) -> list[str]:
    """What cannot be found in text that stays."""
    if rule is TextRule.REMOVE:
        return []
    return [
        "Text that was kept was searched for what the headers name and for forms of dates, numbers and addresses. "
        "Names of people and places that appear in no header may still stand in it, as may names that a header has in "
        "Hebrew, Arabic, Thai, Korean or Chinese letters alone, where the text spells them in Latin ones.",
    ]


def remove_free_text(context: Context, element: Element) -> Op | None:
    """What becomes of text under :attr:`TextRule.REMOVE`; None where it is none, or may stay."""
    if context.text is not TextRule.REMOVE or element.has_items or is_retained(context, element):
        return None
    if element.vr == "CS":
        return Op(Action.DUMMY.value, edit=functools.partial(_coded_alone, context))
    if element.vr in ("DS", "IS"):
        return Op(Action.ZERO.value, edit=functools.partial(_number_alone, context, element.tag))
    if element.vr == "UN" and not element.private:
        return REMOVE
    if element.vr not in _SHORT and element.vr not in _ALWAYS_FREE:
        return None
    if context.table.row(element.tag) is not None and not element.private:
        return _as_listed(context, element)
    if element.keyword in TERMS:
        return Op(Action.DUMMY.value, edit=functools.partial(_term_alone, context, element.vr))
    dummy = dummies.bytes_for(element.vr)
    return Op(Action.DUMMY.value, edit=lambda raw: dummy if raw.strip(b" \0") else raw)


def masked_forms(context: Context, element: Element, text: str) -> str:
    """``text`` of an element that stays, without forms of identity where it is free text."""
    if not is_free(element) or is_retained(context, element):
        return text
    return mask_forms(text, dates=context.dates is not DateRule.KEEP)


@functools.lru_cache(maxsize=4096)
def is_free(element: Element) -> bool:
    """True for attributes that people type text into."""
    return element.vr in _PROSE | {"LO", "SH"} and element.keyword not in TERMS


def is_retained(context: Context, element: Element) -> bool:
    """True where an option keeps the identity of devices or institutions in it, or UIDs."""
    return context.table.option_action(element.tag, context.codes & _RETAINING) is Action.KEEP


def _as_listed(context: Context, element: Element) -> Op:
    action = context.basic(element)
    if action is Action.REMOVE:
        return REMOVE
    return EMPTY if action is Action.ZERO else Op(Action.DUMMY.value, value=dummies.bytes_for(element.vr))


def _coded_alone(context: Context, raw: bytes) -> bytes:
    values = raw.decode("latin-1").rstrip("\0").split("\\")
    if not all(_CODED.fullmatch(value.strip()) for value in values):
        return dummies.bytes_for("CS")
    return context.charset.edited(raw, context.vocabulary.scrub)


def _number_alone(context: Context, tag: int, raw: bytes) -> bytes:
    if not is_numeric(raw):
        return b""
    return b"" if not is_measured(tag, raw) and context.vocabulary.holds_number(raw) else raw


def _term_alone(context: Context, vr: str, raw: bytes) -> bytes:
    text = context.charset.decode(raw)
    too_long = any(len(value.strip(" \0")) > _SHORT[vr] for value in text.split("\\"))
    if too_long or mask_forms(text) != text:
        return dummies.bytes_for(vr)
    return context.charset.edited(raw, context.vocabulary.scrub)
