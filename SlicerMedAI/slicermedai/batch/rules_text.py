"""Series rules as the text of their file, so that what was chosen in a window is a file that a person reads."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from slicermedai.batch.rules import Rule, SeriesRules


def rules_text(rules: SeriesRules) -> str:
    """TOML that :func:`slicermedai.batch.rules.parse_rules` reads as ``rules`` again; what fits any is left out."""
    head = [*_lines(rules, keep=()), ""]
    tables = [line for rule in rules.rules for line in ("[[rule]]", *_lines(rule, keep=("name",)), "")]
    return "\n".join([*(head if len(head) > 1 else []), *tables])


def _lines(values: Rule | SeriesRules, *, keep: tuple[str, ...]) -> list[str]:
    found = []
    for one in dataclasses.fields(values):
        value = getattr(values, one.name)
        if one.name != "rules" and (one.name in keep or value != one.default):
            found.append(f"{one.name} = {_value(value)}")
    return found


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return "inf" if math.isinf(value) else f"{value!r}"
    return _text(value)


def _text(value: str) -> str:
    """A literal string where TOML has one for it, since patterns are full of backslashes; else a basic string."""
    plain = value.isprintable() and "'" not in value
    return f"'{value}'" if plain and "\\" in value else json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
