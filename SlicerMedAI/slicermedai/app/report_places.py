"""Where results may be: runs in the person's Documents, results that were opened before, and those in the scene."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from slicermedai.console.sources import place
from slicermedai.domain.result import RESULT, result_folder

_MOST = 20
_READ = 1 << 21
"""Bytes of a result's JSON that are searched for its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A folder with a result: when it was made, and whether the scene shows it. Its name is the person's own."""

    folder: Path
    made: datetime
    is_in_scene: bool = False


def find_results(opened: Sequence[Path] = (), *, keys: Collection[str] = ()) -> list[Found]:
    """The last runs, first those that the scene shows, then the newest; at most 20.

    ``opened`` are folders that were opened before, ``keys`` the ``MedAI.Result`` attributes of the scene's nodes.
    """
    files = {_json(folder): folder for folder in [*opened, *place(None).parent.glob("MedAI-*")]}
    made = sorted(((_time(path), folder) for path, folder in files.items() if path.is_file()), reverse=True)
    found = [Found(folder=folder, made=when, is_in_scene=_is_one_of(folder, keys)) for when, folder in made[:_MOST]]
    return sorted(found, key=lambda one: not one.is_in_scene)


def remembered(text: str) -> list[Path]:
    """The folders in a setting, one a line."""
    return [Path(line) for line in text.splitlines() if line]


def to_remember(folder: Path, before: Sequence[Path]) -> str:
    """The setting with ``folder`` in front, each folder once."""
    return "\n".join([str(folder), *(str(one) for one in before if one != folder)][:_MOST])


def scene_keys(nodes: Iterator[Any]) -> set[str]:
    """The results that ``nodes`` (of a MRML scene) show, by their attribute."""
    from slicermedai.scene.identity import RESULT as ATTRIBUTE

    return {key for node in nodes if (key := node.GetAttribute(ATTRIBUTE))}


def _json(folder: Path) -> Path:
    return result_folder(folder) / f"{RESULT}.json"


def _time(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime)


def _is_one_of(folder: Path, keys: Collection[str]) -> bool:
    if not keys:
        return False
    with contextlib.suppress(OSError), _json(folder).open("rb") as stream:
        body = stream.read(_READ)
        return any(key.encode() in body for key in keys)
    return False
