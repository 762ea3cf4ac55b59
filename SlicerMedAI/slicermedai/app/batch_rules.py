"""Series rules in plain words: what people type for a pattern, and what a rule says in a sentence. No Qt in here."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from slicermedai.app.words import Translate, untranslated
from slicermedai.batch.rules import Rule

CONTAINED = frozenset({"description"})
"""Settings of which a word need only be contained; the others must be the whole value."""
PATTERNS = ("modality", "body_part", "description", "kernel")
WORDS = ("phase", "without_words")
RANGES = ("thickness_mm", "slices")
_SPECIAL = re.compile(r"([.^$*+?{}\[\]\\|()])")
_UNESCAPED = re.compile(r"\\([.^$*+?{}\[\]\\|()])")


def pattern_of(text: str, *, contains: bool = False) -> str:
    """The regular expression for what was typed: words with commas between, ``*`` for anything, or ``/regex/``."""
    text = text.strip()
    if len(text) > 1 and text.startswith("/") and text.endswith("/"):
        return text[1:-1]
    parts = [".*".join(_escaped(piece) for piece in word.split("*")) for word in words_of(text)]
    return "|".join(f".*{part}.*" if contains else part for part in parts)


def plain_of(pattern: str, *, contains: bool = False) -> str:
    """What people type for ``pattern``; ``/pattern/`` where plain words do not say it."""
    parts = pattern.split("|")
    if contains:
        parts = [part.removeprefix(".*").removesuffix(".*") for part in parts]
    text = ", ".join(_UNESCAPED.sub(r"\1", part.replace(".*", "*")) for part in parts)
    return text if pattern_of(text, contains=contains) == pattern else f"/{pattern}/"


def words_of(text: str) -> tuple[str, ...]:
    """Words with commas between."""
    return tuple(filter(None, (" ".join(word.split()) for word in text.split(","))))


def range_of(first: float, last: float) -> tuple[float, ...]:
    """From and to; 0 stands for any, and () for any at both ends."""
    return (float(first), float(last) if last else math.inf) if first or last else ()


def ends_of(given: Sequence[float]) -> tuple[float, float]:
    """A rule's range as two numbers, 0 for any."""
    first, last = given or (0.0, math.inf)
    return first, 0.0 if math.isinf(last) else last


def sentence(rule: Rule, tr: Translate = untranslated) -> str:
    """What a series must be, in one line."""
    parts = [_value(rule, name, tr) for name in (*PATTERNS, *RANGES, *WORDS)]
    known = {"original": tr("original"), "derived": tr("derived"), "with": tr("with contrast agent")}
    known["without"] = tr("without contrast agent")
    parts += [known[value] for value in (rule.contrast, rule.origin) if value]
    return ", ".join(filter(None, parts)) or tr("any series")


def _value(rule: Rule, name: str, tr: Translate) -> str:
    value = getattr(rule, name)
    if not value:
        return ""
    if name in RANGES:
        return _range_text(value, tr("{range} mm") if name == "thickness_mm" else tr("{range} slices"), tr)
    if name in WORDS:
        told = tr("one of: {words}") if name == "phase" else tr("without: {words}")
        return told.format(words=" / ".join(value))
    plain = plain_of(value, contains=name in CONTAINED).replace(", ", " / ")
    told = {
        "modality": "{words}",
        "body_part": tr("body part {words}"),
        "description": tr('"{words}" in its description'),
        "kernel": tr("kernel {words}"),
    }[name]
    return told.format(words=plain)


def _range_text(value: Sequence[float], told: str, tr: Translate) -> str:
    first, last = value
    if math.isinf(last):
        return told.format(range=tr("{first} or more").format(first=f"{first:g}"))
    if not first:
        return told.format(range=tr("up to {last}").format(last=f"{last:g}"))
    return told.format(range=tr("{first} to {last}").format(first=f"{first:g}", last=f"{last:g}"))


def _escaped(piece: str) -> str:
    return _SPECIAL.sub(r"\\\1", piece)
