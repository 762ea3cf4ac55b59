"""A preview says what will be done, and value by value what it will be."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from slicermedai.deid.exclusion import ExclusionList
from slicermedai.deid.preview import look
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.run import deidentify_all
from slicermedai.deid.settings import DeidSettings
from Testing.deid.samples import KEY, a_series
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.series_spec import SeriesSpec

RESEARCH = Profile(frozenset({Option.CLEAN_DESCRIPTORS, Option.RETAIN_MODIFIED_DATES}))
OTHER = Identity(patient_name="Zwickelmann^Rosalind", patient_id="ZW-5501923")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    other = SeriesSpec(identity=OTHER, seed="other")
    return [*a_series(tmp_path / "in" / "a"), *a_series(tmp_path / "in" / "b", spec=other)]


def test_values_after_are_those_that_the_run_then_writes(files: list[Path], tmp_path: Path) -> None:
    settings = DeidSettings(profile=RESEARCH, key=KEY)
    found = look(files, settings)
    deidentify_all(files, tmp_path / "out", settings)
    for number, origin in enumerate(found.files, 1):
        before, after = dcmread(origin.path), dcmread(tmp_path / "out" / f"{number:05d}.dcm")
        rows = {row.path: row for row in found.values(origin)}
        for keyword in ("PatientName", "StudyDate", "SOPInstanceUID", "StudyDescription"):
            assert (rows[keyword].before, rows[keyword].after) == (
                str(before[keyword].value),
                str(after[keyword].value),
            )
        assert rows["PatientBirthDate"].after == ""
        assert rows["OperatorsName"].after is None
        assert rows["PatientIdentityRemoved"].before is None
        assert "RequestAttributesSequence[0].RequestedProcedureID" in rows
        assert "(0029,1001)" in rows
        unchanged = {"Rows", "Modality", "EchoTime", "SOPClassUID"}
        assert unchanged.isdisjoint(rows)


def test_patients_examples_and_what_is_left_out_are_listed_without_identity(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "in" / "Quillfeather.txt").write_text("no image")
    (tmp_path / "list.txt").write_text(f"{OTHER.patient_id}\n")
    excluding = DeidSettings(key=KEY, exclusion=ExclusionList.from_file(tmp_path / "list.txt"))
    found = look([tmp_path / "in" / "Quillfeather.txt", *files], excluding)
    assert [(one.files, one.studies, one.series) for one in found.patients] == [(2, 1, 1)]
    assert found.patients[0].pseudonym == KEY.patient(Identity().patient_id)
    assert [origin.path for origin in found.examples()] == files[:1]
    assert [one.number for one in found.refused] == [1, 4, 5]
    assert "exclusion list (line 1" in found.refused[1].reason
    told = repr((found.rows, found.patients, found.refused, found.values(files[0])))
    assert [token for token in identity_tokens(Identity()) if token.lower() in told.lower()] == []


def test_a_large_file_is_not_held(tmp_path: Path) -> None:
    """What is compared is the header: a file of any size has its values shown from its first bytes."""
    path = a_series(tmp_path / "in")[0]
    dataset = dcmread(path)
    dataset.NumberOfFrames, dataset.PixelData = 40_000, dataset.PixelData * 40_000
    dataset.save_as(path)
    rows = look([path], DeidSettings(key=KEY)).values(path)
    assert "PatientName" in {row.path for row in rows}
    assert "PixelData" not in {row.path for row in rows}
