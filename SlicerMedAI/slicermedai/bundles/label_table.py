"""The table in which a person answers for labels: one row a label, with the columns that Slicer's tools have too.

``labels.csv`` of MONAI Auto3DSeg models for Slicer has the same columns, so it is read as it is. Where a lesion lies
(``AnatomicRegionSequence``) is said in the label's name and definition: haemorrhages of four places have one type.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from slicermedai.bundles.coding import candidates, code_label, color_of, words_of
from slicermedai.domain.codes import Code, Label
from slicermedai.domain.storage import atomic_file
from slicermedai.errors import BundleError, CodeError

_PARTS = {
    "category": "SegmentedPropertyCategoryCodeSequence",
    "type": "SegmentedPropertyTypeCodeSequence",
    "modifier": "SegmentedPropertyTypeModifierCodeSequence",
}
_FIELDS = {"scheme": "CodingSchemeDesignator", "value": "CodeValue", "meaning": "CodeMeaning"}
_NOTE = "Candidates"
COLUMNS = ("LabelValue", "Name", *(f"{part}.{field}" for part in _PARTS.values() for field in _FIELDS.values()), _NOTE)
_NUMBERED = re.compile(r"(class|label|category|value|channel|output|organ|structure|segment)?[ _-]*\d+")
"""Names that say no more than the number."""
BACKGROUND = {"background", "unlabeled", "unlabelled", "clear label", ""}

Labels = tuple[tuple[int, Label], ...]


def coded_labels(names: Mapping[int, str], table: Path | None, *, template: Path) -> Labels:
    """(output value, coded label) for each of ``names``: from ``table`` first, then from the fixed lists.

    Raises
    ------
    CodeError
        Some name has no code, or several: ``template`` was written, with a row for each label and those open left
        empty.
    BundleError
        ``table`` cannot be read, or its row of a number has another name than the model has for that number.
    """
    given = read_table(table) if table else {}
    if table:
        _check_names(names, given, table)
    found = {value: given.get(value) or code_label(name, value) for value, name in names.items()}
    missing = [names[value] for value, label in found.items() if label is None]
    if missing:
        _ask(names, found, template, missing)
    return tuple((value, label) for value, label in sorted(found.items()) if label is not None)


def read_table(path: Path) -> dict[int, Label]:
    """Label value -> label of those rows that have codes; raises :class:`BundleError`, :class:`CodeError`."""
    labels = (_from_row(row, path) for row in _rows(path))
    return {value: label for value, label in labels if label is not None}


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            return list(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error) as error:
        raise BundleError(f"cannot be read ({type(error).__name__})", file=path, attribute="labels") from error


def _check_names(names: Mapping[int, str], given: Mapping[int, Label], table: Path) -> None:
    """A table that is right in its numbers alone may be another model's, or have its rows moved."""
    stated = {_value_of(row, table): (row.get("Name") or "").strip() for row in _rows(table)}
    for value in sorted(set(names) & set(given)):
        if not _agrees(names[value], stated[value], given[value]):
            said = stated[value] or given[value].type.meaning
            raise BundleError(
                f"the table says that label {value} is {said!r}, and the model calls it {names[value]!r}",
                file=table,
                attribute="labels",
                advice="Correct the row. The column Name must keep the model's own name; the codes say what it is.",
            )


def _agrees(name: str, stated: str, label: Label) -> bool:
    """Whether a row with the name ``stated`` and the codes of ``label`` may be for the model's ``name``."""
    if not name.strip() or _NUMBERED.fullmatch(name.strip().lower()):
        return True
    if stated and (words_of(stated) or stated.casefold()) == (words_of(name) or name.strip().casefold()):
        return True
    own = code_label(name, 0)
    if own is None:
        return not stated
    return (own.type, own.modifier) == (label.type, label.modifier)


def write_table(path: Path, rows: Iterable[tuple[int, str, Label | None]]) -> None:
    """Write a table; labels without codes are left empty, with what they could be in the last column."""
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(_to_row(value, name, label) for value, name, label in rows)


def as_entry(value: int, label: Label) -> dict[str, Any]:
    """A label as ``medai.json`` has it."""
    entry: dict[str, Any] = {"value": value, "name": label.name, "color": list(label.color)}
    for part in _PARTS:
        code: Code | None = getattr(label, part)
        if code is not None:
            entry[part] = {field: getattr(code, field) for field in _FIELDS}
    return {**entry, "definition": label.definition} if label.definition else entry


def _ask(names: Mapping[int, str], found: Mapping[int, Label | None], template: Path, missing: list[str]) -> None:
    write_table(template, ((value, names[value], found[value]) for value in sorted(names)))
    shown = ", ".join(repr(name) for name in missing[:5]) + (" ..." if len(missing) > 5 else "")
    raise CodeError(
        f"{len(missing)} of {len(names)} labels have no code, or several, in the lists: {shown}",
        file=template,
        attribute="labels",
        advice="Fill in the empty rows of that table with scheme, value and meaning, and import again with --labels.",
    )


def _from_row(row: dict[str, str], path: Path) -> tuple[int, Label | None]:
    value = _value_of(row, path)
    codes = {part: _code(row, prefix) for part, prefix in _PARTS.items()}
    category, type_ = codes["category"], codes["type"]
    if category is None and type_ is None:
        return value, None
    if category is None or type_ is None:
        raise CodeError(f"label {value} needs a category and a type", file=path, attribute="labels")
    name = (row.get("Name") or "").strip() or type_.meaning
    place = _place(row)
    known = {"definition": f"It lies in: {place}."} if place else {}
    if place and place.casefold() not in name.casefold():
        name = f"{name} in {place}"
    return value, Label(
        name=name, category=category, type=type_, modifier=codes["modifier"], color=color_of(value), **known
    )


def _place(row: dict[str, str]) -> str:
    """Where in the body it lies, in the words of Slicer's columns for it: "Left Kidney"; "" where nothing is said."""
    parts = (_code(row, prefix) for prefix in ("AnatomicRegionModifierSequence", "AnatomicRegionSequence"))
    return " ".join(part.meaning for part in parts if part is not None)


def _value_of(row: dict[str, str], path: Path) -> int:
    try:
        return int(row["LabelValue"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError("each row needs a number", file=path, attribute="LabelValue") from error


def _code(row: dict[str, str], prefix: str) -> Code | None:
    values = {field: (row.get(f"{prefix}.{column}") or "").strip() for field, column in _FIELDS.items()}
    return Code(**values) if any(values.values()) else None


def _to_row(value: int, name: str, label: Label | None) -> dict[str, str | int]:
    row: dict[str, str | int] = {"LabelValue": value, "Name": name}
    for part, prefix in _PARTS.items():
        code = getattr(label, part) if label else None
        row |= {f"{prefix}.{column}": getattr(code, field) if code else "" for field, column in _FIELDS.items()}
    several = candidates(name) if label is None else ()
    return {**row, _NOTE: "; ".join(f"{c.type.scheme} {c.type.value} {c.type.meaning}" for c in several)}
