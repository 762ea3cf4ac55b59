"""What the outputs of Auto3DSeg's networks mean, as far as their training says it.

``class_index`` makes each output of several labels of the training's images ("whole tumour" of 1, 2 and 3). The table
``labels.csv`` of models for Slicer names labels of images, so it says nothing of such an output: what it is, is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slicermedai.bundles.label_table import BACKGROUND
from slicermedai.errors import BundleError

_UNNAMED = re.compile(r"acc_\d+")
"""What Auto3DSeg calls outputs that nobody named, counted from 0."""


def output_names(trained: Mapping[str, Any], *, file: Path) -> dict[int, str]:
    """Output value, from 1 -> its name; one that nobody named is "class 1", or told by the labels it is made of.

    Raises
    ------
    BundleError
        Outputs that exclude each other are made of labels in an order of their own.
    """
    stated = trained.get("class_names") or []
    names = [str(item.get("name", "")) if isinstance(item, dict) else str(item) for item in stated]
    if names and names[0].strip().lower() in BACKGROUND and not _overlap(trained):
        names = names[1:]
    if _overlap(trained):
        names = names or [""] * int(trained.get("output_classes") or 0)
    elif not _one_label_each(trained):
        raise BundleError(
            "makes outputs that exclude each other of several labels: which is the background is not said",
            file=file,
            attribute="config.class_index",
        )
    groups = _groups(trained) or [()] * len(names)
    return {
        value: name if name and not _UNNAMED.fullmatch(name) else _number(value, group)
        for value, (name, group) in enumerate(zip(names, groups, strict=False), start=1)
    }


def names_labels(trained: Mapping[str, Any]) -> bool:
    """True where the rows of ``labels.csv`` are those of the network's outputs: each is one label, in order."""
    if not _overlap(trained):
        return True
    return _one_label_each(trained) and (bool(_groups(trained)) or int(trained.get("output_classes") or 1) == 1)


def _overlap(trained: Mapping[str, Any]) -> bool:
    return bool(trained.get("sigmoid", False))


def _groups(trained: Mapping[str, Any]) -> list[tuple[int, ...]]:
    named = trained.get("class_names") or []
    stated = trained.get("class_index") or [one["index"] for one in named if isinstance(one, dict) and "index" in one]
    return [tuple(int(n) for n in (group if isinstance(group, list | tuple) else [group])) for group in stated]


def _one_label_each(trained: Mapping[str, Any]) -> bool:
    return all(group == (value,) for value, group in enumerate(_groups(trained), start=1))


def _number(value: int, group: tuple[int, ...]) -> str:
    return f"labels {', '.join(map(str, group))} together" if len(group) > 1 else f"class {value}"
