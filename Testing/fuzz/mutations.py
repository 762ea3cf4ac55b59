"""Ways to damage a file: its bytes, and elements of DICOM and JSON at any depth. The same seed, the same damage."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

_WILD = (
    *("", "-1", "0", "1e400", "NaN", "99999999999999999999", "1\\2\\3\\4\\5", "\\", "A" * 70000, "\u0000", "../../x"),
    *("1.2.3", "..", "2.25.x", "20261399", "\u3042", "^=^=^", "%s%n", "<script>"),
)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """``data`` with one to four kinds of damage."""
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(_KINDS)(data, rng)
    return data


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _flip_early(data: bytes, rng: random.Random) -> bytes:
    """In the head, where lengths, VRs and the transfer syntax are."""
    head = min(len(data), 2000)
    return _flip(data[:head], rng) + data[head:]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _insert(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.choice((1, 2, 3, 8, 300))) + data[place:]


def _double(data: bytes, rng: random.Random) -> bytes:
    first = rng.randrange(len(data) + 1)
    last = min(len(data), first + rng.choice((8, 64, 4096)))
    return data[:last] + data[first:last] + data[last:]


def _element(data: bytes, rng: random.Random) -> bytes:
    """One element of a data set or of JSON removed, emptied, doubled or given another value."""
    if data[:1] == b"{":
        return _node(data, rng)
    try:
        dataset = dcmread(io.BytesIO(data))
        places = list(_places(dataset))
        holder, tag = rng.choice(places)
        rng.choice(_CHANGES)(holder, tag, rng)
        out = io.BytesIO()
        dataset.save_as(out, enforce_file_format=False)
        return out.getvalue()
    except Exception:  # noqa: BLE001  # what cannot be written is damaged in another way: pydicom raises all kinds here
        return _flip(data, rng)


def _node(data: bytes, rng: random.Random) -> bytes:
    try:
        content = json.loads(data)
        places = list(_nodes(content))
    except (ValueError, RecursionError):
        return _flip(data, rng)
    if not places:
        return _flip(data, rng)
    holder, key = rng.choice(places)
    others = (*_WILD, None, True, -1, 1e308, [], {}, [[]], [None], {"coding": 3}, rng.choice(places)[0])
    if rng.random() < 0.3:
        del holder[key]
    else:
        holder[key] = rng.choice(others)
    try:
        return json.dumps(content).encode()
    except (ValueError, RecursionError):  # a node within itself
        return _flip(data, rng)


def _nodes(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every value in objects and lists, by what holds it."""
    keys = content.keys() if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in keys:
        yield content, key
        yield from _nodes(content[key])


def _places(dataset: Dataset) -> Iterator[tuple[Dataset, Tag]]:
    for element in dataset:
        yield dataset, element.tag
        if element.VR == "SQ":
            for item in element.value or ():
                yield from _places(item)


def _remove(holder: Dataset, tag: Tag, rng: random.Random) -> None:
    del holder[tag]


def _empty(holder: Dataset, tag: Tag, rng: random.Random) -> None:
    holder[tag].value = Sequence([]) if holder[tag].VR == "SQ" else None


def _replace(holder: Dataset, tag: Tag, rng: random.Random) -> None:
    holder[tag]._value = rng.choice(_WILD)


def _number(holder: Dataset, tag: Tag, rng: random.Random) -> None:
    if holder[tag].VR in {"US", "SS", "UL", "SL", "FD", "FL"}:
        holder[tag]._value = rng.choice((0, 1, 2, 65535, 40000))
    elif holder[tag].VR in {"DS", "IS"}:
        holder[tag].value = rng.choice(("0", "-1", "1e30", "65536"))


def _items(holder: Dataset, tag: Tag, rng: random.Random) -> None:
    if holder[tag].VR == "SQ" and holder[tag].value:
        items = list(holder[tag].value)
        rng.choice((items.reverse, items.pop, lambda: items.append(items[0]), lambda: items.append(Dataset())))()
        holder[tag].value = Sequence(items)


_CHANGES: tuple[Callable[[Dataset, Tag, random.Random], None], ...] = (_remove, _empty, _replace, _number, _items)
_KINDS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_flip, _flip_early, _cut, _insert, _double),
    *(_element,) * 5,
)
