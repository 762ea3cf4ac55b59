"""A model on its way in: what its source says, and what a person answers where the source is silent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicermedai.bundles import store
from slicermedai.bundles.label_table import as_entry, coded_labels, read_table
from slicermedai.bundles.manifest import read_manifest
from slicermedai.bundles.unpack import files_of
from slicermedai.bundles.verify import sha256_of
from slicermedai.bundles.weights import check_weights
from slicermedai.errors import BundleError

FORMAT = 2
"""Version of ``medai.json`` that is written: all files are listed."""
TASKS = ("segmentation", "detection", "classification")
_LICENCES = (
    ("Apache-2.0", r"apache license\s*,?\s*version 2"),
    ("MIT", r"\bmit license\b|permission is hereby granted, free of charge"),
    ("BSD-3-Clause", r"neither the name of .* nor the names"),
    ("CC-BY-NC-SA-4.0", r"noncommercial-sharealike 4\.0|cc.by.nc.sa.4\.0"),
    ("CC-BY-NC-4.0", r"attribution-noncommercial 4\.0|cc.by.nc.4\.0"),
    ("CC-BY-4.0", r"creative commons attribution 4\.0|cc.by.4\.0"),
    ("GPL-3.0", r"gnu general public license\s+version 3"),
    ("NCL (non-commercial)", r"nvidia .*non-?commercial|ncl(s)? v1|non-commercial license"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a person says about a model; "" and None leave it to the source.

    ``outputs`` is what the network gives, "logits" or "probabilities", ``labels`` a table of coded labels
    (:mod:`slicermedai.bundles.label_table`), ``card`` a file that describes TorchScript or safetensors weights,
    ``configuration`` names one of several in an nnU-Net or Auto3DSeg folder, ``inputs`` the images that a network takes
    at once, in the order of its channels, and without ``mirror`` an nnU-Net model does not average mirrored views: up
    to 8 times faster, not quite as trained.
    """

    name: str = ""
    version: str = ""
    task: str = ""
    modality: tuple[str, ...] = ()
    outputs: str = ""
    labels: Path | None = None
    card: Path | None = None
    configuration: str = ""
    inputs: tuple[str, ...] = ()
    mirror: bool = True
    code_licence: str = ""
    weights_licence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What one source would become.

    Parameters
    ----------
    title:
        Its name and version.
    entry:
        ``medai.json`` without labels, files and hashes.
    names:
        Output value, from 1, -> the name that the source gives it.
    build:
        Fills the new folder; returns the files of weights, relative to it, the first one first.
    table:
        Coded labels that the source brings itself, if any.
    origin:
        Where it came from, for the record: a hash or an address, never a path.
    """

    title: store.Title
    entry: dict[str, Any]
    names: dict[int, str]
    build: Callable[[Path], tuple[str, ...]]
    table: Path | None = None
    origin: str = ""


def install(draft: Draft, answers: Answers) -> store.Change:
    """Code the labels, write the bundle's folder, and keep it under its title.

    Raises
    ------
    CodeError
        A label has no code: a table to fill in was written.
    BundleError
        Weights that would run code, a bundle that cannot be read back, or that version is installed already.
    """
    table = answers.labels or draft.table
    names = draft.names or ({value: label.name for value, label in read_table(table).items()} if table else {1: ""})
    template = store.models().parent / "labels" / f"{draft.title}.csv"
    labels = coded_labels(names, table, template=template)
    entry = {**draft.entry, "labels": [as_entry(value, label) for value, label in labels]}
    entry |= {"outputs": answers.outputs} if answers.outputs else {}
    return store.install(draft.title, lambda folder: _write(folder, draft, entry, answers), origin=draft.origin)


def _write(folder: Path, draft: Draft, entry: dict[str, Any], answers: Answers) -> None:
    weights = draft.build(folder)
    for name in weights:
        check_weights(folder / name)
    pinned = [{"file": name, "sha256": sha256_of(folder / name)} for name in weights]
    body = {
        "medai": FORMAT,
        "name": draft.title.name,
        "version": draft.title.version,
        **entry,
        **licences(folder, answers),
        "weights": pinned[0],
        "other_weights": pinned[1:],
        "origin": draft.origin,
        "files": {path.relative_to(folder).as_posix(): sha256_of(path) for path in files_of(folder)},
    }
    write_json(folder / "medai.json", body)
    read_manifest(folder)


def licences(folder: Path, answers: Answers) -> dict[str, str]:
    """The licence keys of the entry: what a person said, else what the licence files are known to be."""
    found = [name for path in sorted(folder.glob("LICEN[CS]E*")) for name in _known_licences(path)]
    stated = " and ".join(dict.fromkeys(found)) or ("see LICENSE" if list(folder.glob("LICEN[CS]E*")) else "")
    code, weights = answers.code_licence or stated, answers.weights_licence or stated
    return {"licence": stated or weights or code, "code_licence": code, "weights_licence": weights}


def task_of(words: str, answers: Answers, *, file: Path) -> str:
    """One of :data:`TASKS`, from the source's own words; raises :class:`BundleError` where they name none of them."""
    stems = {"classif": "classification", "detect": "detection", "segment": "segmentation"}
    found = answers.task or next((task for stem, task in stems.items() if stem in words.lower()), "")
    if found not in TASKS:
        raise BundleError(
            f"does not say a task that is known here ({words or 'nothing'})",
            file=file,
            attribute="task",
            advice=f"If it is one of {', '.join(TASKS)}, say so with --task.",
        )
    return found


def title_of(name: str, version: str, answers: Answers) -> store.Title:
    """Name and version, with what cannot stand in the name of a folder replaced by ``_``."""
    plain = re.sub(r"[^A-Za-z0-9_.+-]+", "_", answers.name or name).strip("_.+-") or "model"
    return store.Title(name=plain[:100], version=re.sub(r"[^A-Za-z0-9_.+-]+", "_", answers.version or version) or "1")


def write_json(path: Path, body: dict[str, Any]) -> None:
    """Write JSON that people can read; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8", newline="\n")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; raises :class:`BundleError`."""
    try:
        body = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"cannot be read ({type(error).__name__})", file=path) from error
    if not isinstance(body, dict):
        raise BundleError("must hold one object", file=path)
    return body


def _known_licences(path: Path) -> list[str]:
    text = " ".join(path.read_text(encoding="utf-8", errors="replace").lower().split())
    found = [name for name, pattern in _LICENCES if re.search(pattern, text)]
    return ["CC-BY-NC-SA-4.0"] if "CC-BY-NC-SA-4.0" in found and len(found) == 1 else found
