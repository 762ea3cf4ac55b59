"""Folds: several networks of one model, each trained on another part of its data, that may answer together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicermedai.errors import BundleError, InputError

ALL = "all"
WHOLE = "fold_all"
"""The name of the network that was trained on all cases, in nnU-Net's words; it is no part of :data:`ALL`."""
LOGITS, PROBABILITIES = "logits", "probabilities"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folds:
    """The folds of one model.

    Parameters
    ----------
    files:
        (name, file of its weights, relative to the bundle), the one that is run by default first.
    averages:
        What is averaged where several answer: "logits", as nnU-Net does it, or "probabilities".
    """

    files: tuple[tuple[str, str], ...]
    averages: str = PROBABILITIES

    @property
    def names(self) -> tuple[str, ...]:
        """In order."""
        return tuple(name for name, _ in self.files)

    def file(self, name: str) -> str:
        """The weights of the fold ``name``."""
        return dict(self.files)[name]

    def entry(self) -> dict[str, Any]:
        """As it stands in ``medai.json``."""
        return {"files": dict(self.files), "averages": self.averages}


def folds_of(entry: Any, *, file: Path) -> Folds | None:
    """From the key ``folds`` of ``medai.json``, None where it is absent; raises :class:`BundleError`."""
    if entry is None:
        return None
    files = entry.get("files") if isinstance(entry, dict) else None
    if not isinstance(files, dict) or not files:
        raise BundleError("must map names of folds to their weights", file=file, attribute="folds.files")
    averages = str(entry.get("averages", PROBABILITIES))
    if averages not in (LOGITS, PROBABILITIES):
        raise BundleError(f"must be {LOGITS} or {PROBABILITIES}", file=file, attribute="folds.averages")
    return Folds(files=tuple((str(name), str(path)) for name, path in files.items()), averages=averages)


def chosen_folds(folds: Folds | None, asked: str, *, title: str) -> tuple[str, ...]:
    """The names of those that are to answer; () for a model that has no folds.

    ``asked`` is "" for the first alone, "all" for every one (but the network trained on all cases, where there are
    others), or names with commas between them: "0,2".

    Raises
    ------
    InputError
        The model has none of that name.
    """
    words = [word.strip() for word in asked.split(",") if word.strip()]
    if folds is None:
        if set(words) - {ALL}:
            raise InputError(
                f"{title} has no folds to choose from", attribute="folds", advice="Run it without choosing."
            )
        return ()
    if not words:
        return folds.names[:1]
    if words == [ALL]:
        return _every(folds)
    names = dict.fromkeys(word if word in folds.names else word.removeprefix("fold_") for word in words)
    unknown = [name for name in names if name not in folds.names]
    if unknown:
        raise InputError(
            f"{title} has no fold of a name that was asked for",
            attribute="folds",
            advice=f"It has {', '.join(folds.names)}; all stands for every one.",
        )
    return tuple(names)


def members_of(folds: Folds | None, *, title: str) -> tuple[str, ...]:
    """The names of the folds whose answers can be compared: every one, but the network trained on all cases.

    Raises
    ------
    InputError
        The model has fewer than two: nothing can disagree.
    """
    names = _every(folds) if folds else ()
    if len(names) < 2:
        had = "one fold" if folds else "one network and no folds"
        raise InputError(
            f"{title} has {had}: samples of folds need two",
            attribute="uncertainty",
            advice="Ask for flips, or for a model that ships its folds.",
        )
    return names


def in_words(folds: Folds | None, chosen: Sequence[str], *, how: str = "") -> str:
    """Which folds answered, for the record of a run, and ``how`` their answers became one; "" for a model without."""
    if folds is None:
        return ""
    mean = f", {how or f'mean of their {folds.averages}'}" if len(chosen) > 1 else ""
    return f"folds {', '.join(chosen)} of {', '.join(folds.names)}{mean}"


def unasked(folds: Folds | None, chosen: Sequence[str]) -> tuple[str, ...]:
    """What a person should know where not all folds were asked that could have been."""
    if folds is None or set(chosen) >= set(_every(folds)):
        return ()
    return (f"Folds: {', '.join(chosen)} of {', '.join(folds.names)} answered (--folds all: every one).",)


def _every(folds: Folds) -> tuple[str, ...]:
    return tuple(name for name in folds.names if name != WHOLE) or folds.names


def folds_among(weights: Sequence[str]) -> Folds | None:
    """The folds among files that differ by a number after the word fold alone; None for fewer than two."""
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for path in sorted(weights):
        found = re.fullmatch(r"(.*?)fold[_-]?(\d+)(.*)", path)
        if found:
            groups.setdefault((found[1], found[3]), []).append((str(int(found[2])), path))
    most = max(groups.values(), key=len, default=[])
    return Folds(files=tuple(sorted(most, key=lambda pair: int(pair[0])))) if len(most) > 1 else None
