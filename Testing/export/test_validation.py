"""Every object of every kind of source: no validator finds an error, and the documentation says what was counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicermedai.export.formats import FORMATS
from slicermedai.export.profiles import PROFILES
from Testing.export import validators
from Testing.export.validation import CHECKS, KINDS, a_source, entity_errors, written

PAGE = Path(__file__).parents[2] / "Resources" / "Docs" / "validation.md"
_ELSEWHERE = {"sr-image", "nifti", "csv", "sr-regions"}  # in their own tests


@pytest.mark.parametrize("kind", KINDS)
def test_no_object_of_this_source_has_an_error(kind: str, tmp_path: Path) -> None:
    case = a_source(kind)
    refused = written(case, tmp_path)
    objects = sorted(tmp_path.glob("*.dcm"))
    assert {path.name: validators.dciodvfy_errors(path) for path in objects} == {path.name: [] for path in objects}
    assert entity_errors(case, tmp_path) == 0
    allowed = (
        {"seg", "seg-labelmap", "sr", "sr-plain", "pmap", "rtstruct", "fhir", "fhir-r5"}
        if kind == "tilted CT"
        else set()
    )
    assert set(refused) == allowed
    assert all("ImageOrientationPatient" in reason for reason in refused.values())


def test_every_format_is_judged_by_somebody() -> None:
    assert set(CHECKS) | _ELSEWHERE == set(FORMATS)


def test_the_page_has_every_row_and_column_and_no_error() -> None:
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "|" in line]
    head, _, *rows = lines
    assert head[2:] == list(KINDS)
    wanted = {(name, validator) for name, (_, checks) in CHECKS.items() for validator in checks}
    assert {(row[0], row[1]) for row in rows} == wanted | {("all DICOM objects", "dcentvfy")}
    cells = {cell for row in rows for cell in row[2:]}
    assert cells == {"0", "refused: ImageOrientationPatient"}


def test_the_guide_lists_the_formats_and_profiles_that_there_are() -> None:
    text = (PAGE.parent / "export.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    told = {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in rows}
    for name, made in FORMATS.items():
        assert told.pop(name) == [made.title, ", ".join(f"`{one}`" for one in made.cites)]
    assert {name: cells[0] for name, cells in told.items()} == {
        name: ", ".join(f"`{one}`" for one in members) for name, members in PROFILES.items()
    }
