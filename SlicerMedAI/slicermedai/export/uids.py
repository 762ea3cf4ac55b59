"""UIDs that follow from what they name: the same result, exported twice, gives the same objects.

Everything that reaches a file reaches the digest: the source, the algorithm with its weights and parameters, the
findings voxel by voxel, the times, the software. So two files of one UID have the same bytes, and sending one again
changes nothing. UIDs are made of UUIDs under the root 2.25 (PS3.5 B.2), and need no registration.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import uuid
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

_LINKING = ("sr", "sr-plain", "sr-regions", "sr-image")
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")


def named_uid(*names: str) -> str:
    """A UID that follows from ``names`` alone; at most 44 characters."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, ':'.join(('urn:slicermedai', *names))).int}"


def is_uid(text: str) -> bool:
    """True for a well-formed UID (PS3.5 section 9.1)."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class UidPlan:
    """The UIDs of all objects of one result, known before any is written, so that they can cite each other.

    ``links_maps`` is True where findings cite the maps that explain them: reports that do are other objects than those
    that do not.
    """

    root: str
    links_maps: bool = False

    @classmethod
    def of(cls, *contents: Any) -> UidPlan:
        """From everything that the objects will say: domain values, strings, numbers, bytes, arrays."""
        hasher = _Hasher()
        for content in contents:
            hasher.feed(content)
        return cls(root=hasher.hexdigest())

    @property
    def step(self) -> str:
        """Performed Procedure Step ID (VR SH): the same in all objects of one result, and in no other's."""
        return self.root[:16].upper()

    @property
    def link(self) -> tuple[str, ...]:
        """What tells objects with links to maps from those without."""
        return ("with maps",) if self.links_maps else ()

    def series(self, kind: str) -> str:
        """Series Instance UID of the objects of ``kind`` ("seg", "sr")."""
        return named_uid(self.root, kind, "series", *self._link(kind))

    def instance(self, kind: str, number: int = 1) -> str:
        """SOP Instance UID of the ``number``-th object of ``kind``."""
        return named_uid(self.root, kind, "instance", str(number), *self._link(kind))

    def other(self, name: str) -> str:
        """Any other UID that an object needs, by name."""
        return named_uid(self.root, "other", name)

    def _link(self, kind: str) -> tuple[str, ...]:
        return self.link if kind in _LINKING else ()


class _Hasher:
    """SHA-256 over values of the domain, each with its type and length; an array met again is not read again."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._arrays: dict[int, bytes] = {}

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def feed(self, value: Any) -> None:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            self._add(type(value).__name__)
            for spec in dataclasses.fields(value):
                self.feed(getattr(value, spec.name))
        elif isinstance(value, tuple):
            self._add(f"tuple {len(value)}")
            for item in value:
                self.feed(item)
        elif isinstance(value, np.ndarray):
            self._add(self._array(value))
        else:
            self._add(_plain(value))

    def _array(self, array: np.ndarray[Any, Any]) -> bytes:
        if id(array) not in self._arrays:
            content = np.ascontiguousarray(array).data if array.size else b""
            self._arrays[id(array)] = f"{array.dtype.str}{array.shape}".encode() + hashlib.sha256(content).digest()
        return self._arrays[id(array)]

    def _add(self, part: str | bytes) -> None:
        content = part.encode() if isinstance(part, str) else part
        self._hash.update(len(content).to_bytes(8, "little") + content)


def _plain(value: Any) -> str:
    """Type and value in words, the same before saving a result and after loading it."""
    if isinstance(value, np.generic):
        value = value.item()
    return f"{type(value).__name__} {value.value if isinstance(value, Enum) else value!r}"
