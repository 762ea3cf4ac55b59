"""Every object of every kind of source: no validator finds an error, and the documentation says what was counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicermedai.export.formats import FORMATS
from slicermedai.export.profiles import PROFILES
from Testing.export import validators
from Testing.export.validation import (
    CHECKS,
    COLUMNS,
    COURSE,
    KINDS,
    MISSING,
    NOTHING,
    a_source,
    entity_errors,
    refusal,
    written,
)

PAGE = Path(__file__).parents[2] / "Resources" / "Docs" / "validation.md"


_LEANS = "refused: ImageOrientationPatient"
_NO_VOXELS = "refused: region"
REFUSED = {
    "tilted CT": dict.fromkeys(
        ("seg", "seg-labelmap", "seg-labelmap-plain", "sr", COURSE, "sr-plain", "pmap", "rtstruct", "fhir", "fhir-r5"),
        _LEANS,
    )
    | {"nifti": "refused: affine"},
    "DX": dict.fromkeys(
        ("seg", "seg-labelmap", "seg-labelmap-plain", "sr", COURSE, "sr-plain", "rtstruct", "nifti", "nrrd"), _NO_VOXELS
    )
    | {"sr-regions": "refused: ImagePositionPatient"},
}
SILENT = {"DX": ("sr-lengths", "pmap"), "oblique MR": ("sr-lengths",)}
"""Formats that have nothing to say: of labels of a whole picture, and of lengths on pixels that are not square."""


@pytest.mark.parametrize("kind", KINDS)
def test_no_object_of_this_source_has_an_error(kind: str, tmp_path: Path) -> None:
    case = a_source(kind)
    refused = written(case, tmp_path)
    objects = sorted(tmp_path.glob("*.dcm"))
    assert {path.name: validators.dciodvfy_errors(path) for path in objects} == {path.name: [] for path in objects}
    assert entity_errors(case, tmp_path) == 0
    assert refused == REFUSED.get(kind, {})


def test_every_format_is_judged_by_somebody() -> None:
    assert set(CHECKS) == {*FORMATS, COURSE}


def test_of_a_series_that_lacks_a_slice_no_result_is_made() -> None:
    assert refusal() == "refused: ImagePositionPatient"


def test_the_page_has_every_row_and_column_and_no_error() -> None:
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "|" in line]
    head, _, *rows = lines
    assert head[2:] == list(COLUMNS)
    wanted = {(name, validator) for name, (_, checks) in CHECKS.items() for validator in checks}
    assert {(row[0], row[1]) for row in rows} == wanted | {("all DICOM objects", "dcentvfy")}
    for row in rows:
        for kind, cell in zip(COLUMNS, row[2:], strict=True):
            wanted = refusal() if kind == MISSING else REFUSED.get(kind, {}).get(row[0], "0")
            assert cell == (NOTHING if row[0] in SILENT.get(kind, ()) else wanted), (row[:2], kind)


def test_the_guide_lists_the_formats_and_profiles_that_there_are() -> None:
    text = (PAGE.parent / "export.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    told = {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in rows}
    for name, made in FORMATS.items():
        assert told.pop(name) == [made.title, ", ".join(f"`{one}`" for one in made.cites)]
    assert {name: cells[0] for name, cells in told.items()} == {
        name: ", ".join(f"`{one}`" for one in members) for name, members in PROFILES.items()
    }
