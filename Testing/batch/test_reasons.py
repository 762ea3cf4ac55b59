"""Reasons stand in tables and on sheets: of UIDs, files and folders nothing stays in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicermedai.batch.reasons import reason_of, without_names
from slicermedai.errors import GeometryError

FILES = [Path("/data/in/Quillfeather Ada/CT 1") / name for name in ("a b.dcm", "c.dcm", "0007")]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("between a b.dcm and c.dcm", "between file 2 and file 3"),
        ("0007 is missing", "0007 is missing"),
        (f"{FILES[2]} is missing", "file 1 is missing"),
        ("/data/in/Quillfeather Ada/CT 1/another.dcm: damaged", "a folder: damaged"),
        ("/data/in/Quillfeather Ada/CT 2/another.dcm: damaged", "a folder: damaged"),
        ("nothing in /data/in/Quillfeather Ada", "nothing in a folder"),
        ("nothing in '/data/in/Quillfeather Ada', and more", "nothing in 'a folder', and more"),
        ("/data/in/Quillfeathers/x.dcm is damaged", "a folder is damaged"),
        (
            "/data/in/Quillfeather Ada/CT 9/x y has 3 slices, and 4 are needed",
            "a folder has 3 slices, and 4 are needed",
        ),
        ("/data/in/Ada is ill/x.dcm cannot be read", "a folder cannot be read"),
        ("/data/in/Quillfeather Ada", "a folder"),
        ("/elsewhere/Doe/x.dcm is damaged", "a file is damaged"),
        ("/elsewhere/Jane Doe/x y.dcm is damaged, and so on", "a file is damaged, and so on"),
        ("/elsewhere/Jane Doe.dcm: damaged", "a file: damaged"),
        (r"C:\Users\Jane Doe\x.dcm was moved", "a file was moved"),
        (r"\\server\share\Jane Doe\x.dcm was moved", "a file was moved"),
        (r"b'C:\\Users\\Jane Doe\\x.dcm' was moved", "b'a file' was moved"),
        ("a CT / MR / PET study, 3 / 4 of it", "a CT / MR / PET study, 3 / 4 of it"),
        ("1.2.840.10008.1.2 beside software 1.2.3", "a UID beside software 1.2.3"),
        ("the gantry was tilted by 12.0 degrees, 3/4 of it", "the gantry was tilted by 12.0 degrees, 3/4 of it"),
    ],
)
def test_no_name_stays_in_a_reason(said: str, told: str) -> None:
    assert without_names(said, iter(FILES)) == told


def test_the_attribute_stands_first_and_the_file_of_an_error_is_not_told() -> None:
    error = GeometryError("1 slice missing", file=FILES[0], attribute="ImagePositionPatient")
    assert reason_of(error, FILES) == "ImagePositionPatient 1 slice missing"
