"""DICOM's list of safe private attributes (PS3.15 Table E.3.10-1), for the Retain Safe Private Option."""

from __future__ import annotations

import functools
import json
from pathlib import Path

DATA = Path(__file__).with_name("safe_private.json")


@functools.cache
def _load() -> dict[str, dict[tuple[int, int], str]]:
    body = json.loads(DATA.read_text(encoding="utf-8"))
    return {creator: {_place(name): vr for name, vr in entries.items()} for creator, entries in body.items()}


def safe_vr(creator: str, tag: int) -> str | None:
    """The VR of a safe attribute of that private creator; None where it is not on the list."""
    return _load().get(creator, {}).get((tag >> 16, tag & 0xFF))


def has_safe_ones(creator: str, group: int) -> bool:
    """True where the list has attributes of that creator in that group."""
    return any(place[0] == group for place in _load().get(creator, ()))


def count() -> int:
    """How many attributes the list holds."""
    return sum(map(len, _load().values()))


def _place(name: str) -> tuple[int, int]:
    group, element = name.split(",")
    return int(group, 16), int(element, 16)
