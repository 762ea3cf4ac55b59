"""The cases of a calibration or validation: images with references, from a table or a folder, matched to labels.

A table is CSV with the columns ``case``, ``image``, ``reference`` and ``subject``; further columns are what subgroups
are made of (``sex``, ``age``, ``manufacturer``, ``site``). Paths are relative to the table. A folder has one folder per
case, with ``image...`` (a file, or a folder of DICOM) and ``reference...`` in it; each case is then a patient.

What references may be, :mod:`.references` says. A label table, CSV with the columns ``reference`` and ``label``, says
which value or name of a structure of the references is which label of the model; without one, equal numbers and equal
names are matched.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slicermedai.domain.codes import Label
from slicermedai.errors import InputError, NoImagesError, UnreadableFileError
from slicermedai.validate.subgroups import age_band

EXCLUDED, NO_LESION = "excluded", "no lesion"
"""The word of a label table for findings that a detector need neither find nor leave out."""
_NEEDED = ("case", "image", "reference", "subject")
Labels = Sequence[tuple[int, Label]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCase:
    """One image and its reference; ``subject`` is whatever names the patient in the table, and goes no further.

    ``said`` is what stands in the table for the reference: of a classifier that are words, and no path.
    """

    case: str
    image: Path
    reference: Path
    subject: str
    said: str = ""
    groups: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """``reference`` (a value as text, or a segment's name) is the model's label ``value``."""

    reference: str
    value: int


def list_cases(source: Path) -> tuple[ListedCase, ...]:
    """The cases of a table or a folder.

    Raises
    ------
    InputError
        A column is missing, a case stands twice, or a folder has no image or reference, or several.
    NoImagesError
        There is no case at all.
    """
    source = Path(source)
    found = _of_folder(source) if source.is_dir() else _of_table(source)
    if not found:
        raise NoImagesError("there is no case", file=source, advice="See the reference for tables and folders.")
    if len({case.case for case in found}) < len(found):
        raise InputError("a case stands twice", file=source, attribute="case")
    return tuple(found)


def match_labels(
    path: Path | None, labels: Labels, names: Sequence[str], *, further: Mapping[str, int] | None = None
) -> tuple[Match, ...]:
    """Which of the references' ``names`` is which label, by the label table, or by equal numbers and names.

    ``further`` are words that stand for values beside those of the model's labels.

    Raises
    ------
    InputError
        The table names a label that the model has not, or nothing matches.
    """
    wanted = _pairs(path) if path is not None else {name: name for name in names}
    by_word = {str(value): value for value, _ in labels} | {label.name.casefold(): value for value, label in labels}
    by_word |= further or {}
    if path is not None:
        _refuse_unknown(path, wanted, by_word)
    found = [Match(reference=n, value=by_word[w.casefold()]) for n, w in wanted.items() if w.casefold() in by_word]
    if not found:
        raise InputError(
            f"no structure of the references matches a label of the model ({', '.join(la.name for _, la in labels)})",
            file=path,
            attribute="label",
            advice="Give a table with the columns reference and label.",
        )
    return tuple(found)


def write_matches(matches: Sequence[Match], labels: Labels, path: Path) -> Path:
    """The label table as it was used; values beside those of the model are excluded lesions (0) and no lesions (-1)."""
    names = {0: EXCLUDED, -1: NO_LESION} | {value: label.name for value, label in labels}
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["reference", "label"])
        writer.writerows([match.reference, names[match.value]] for match in matches)
    return path


def _rows(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [{(k or "").strip(): (v or "").strip() for k, v in row.items()} for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError(f"cannot be read as a table ({type(error).__name__})", file=path) from error
    missing = [name for name in needed if rows and name not in rows[0]]
    if missing:
        raise InputError("the table lacks a column", file=path, attribute=missing[0])
    return rows


def _of_table(path: Path) -> list[ListedCase]:
    return [_listed(row, path.parent) for row in _rows(path, _NEEDED)]


def _listed(row: Mapping[str, str], folder: Path) -> ListedCase:
    groups = {name: value for name, value in row.items() if name and name not in _NEEDED and value}
    if "age" in groups:
        groups["age"] = age_band(_number(groups["age"], folder))
    return ListedCase(
        case=row["case"],
        image=folder / row["image"],
        reference=folder / row["reference"],
        said=row["reference"],
        subject=row["subject"] or row["case"],
        groups=groups,
    )


def _number(text: str, folder: Path) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError("an age is no number of years", file=folder, attribute="age") from error


def _of_folder(folder: Path) -> list[ListedCase]:
    cases = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [
        ListedCase(case=p.name, subject=p.name, image=_only(p, "image"), reference=_only(p, "reference")) for p in cases
    ]


def _only(folder: Path, stem: str) -> Path:
    found = [path for path in sorted(folder.iterdir()) if path.name.lower().startswith(stem)]
    if len(found) != 1:
        raise InputError(f"one file or folder whose name begins with {stem!r} is wanted", file=folder, attribute=stem)
    return found[0]


def _pairs(path: Path) -> dict[str, str]:
    return {row["reference"]: row["label"] for row in _rows(path, ("reference", "label"))}


def _refuse_unknown(path: Path, wanted: Mapping[str, str], known: Mapping[str, int]) -> None:
    for word in wanted.values():
        if word.casefold() not in known:
            raise InputError(f"the model has no label {word!r}", file=path, attribute="label")
