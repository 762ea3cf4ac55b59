"""Several images for one model are of one person: a number that two people have does not make them one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from slicermedai.dicom.inputs import open_source
from slicermedai.dicom.several import open_with
from slicermedai.domain.volume import Volume
from slicermedai.errors import MixedPatientsError
from Testing.fixtures import faults
from Testing.fixtures.identity import Identity

Write = Callable[..., list[Path]]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientID", "ZZ-1"),
        ("PatientName", "Somebody^Else"),
        ("PatientBirthDate", "19990101"),
        ("IssuerOfPatientID", "another hospital"),
    ],
)
def test_a_further_image_of_another_person_is_refused_by_what_tells_them_apart(
    a_head: Volume, write: Write, keyword: str, value: str
) -> None:
    first, second = write(a_head, folder="one"), write(a_head, folder="two", series_number=4)
    faults.set_value(first, "IssuerOfPatientID", "this hospital")
    faults.set_value(second, "IssuerOfPatientID", "this hospital")
    main = open_source(first[0].parent)
    assert len(open_with(main, [f"FLAIR={second[0].parent}"])) == 2
    faults.set_value(second, keyword, value)
    with pytest.raises(MixedPatientsError) as caught:
        open_with(main, [f"FLAIR={second[0].parent}"])
    assert caught.value.attribute == keyword
    assert value not in str(caught.value)


def test_a_name_with_less_of_it_or_none_is_no_other_person(a_head: Volume, write: Write) -> None:
    main = open_source(write(a_head, folder="one")[0].parent)
    family, given = Identity().patient_name.split("^")[:2]
    for number, name in enumerate((f"{family.upper()}^{given}", "")):
        second = write(a_head, folder=f"two {number}", identity=replace(Identity(), patient_name=name), series_number=4)
        assert len(open_with(main, [f"FLAIR={second[0].parent}"])) == 2


def test_two_patients_are_found_behind_a_series_of_nobody(a_head: Volume, write: Write) -> None:
    nobody = write(a_head, folder="all/0", series_number=1)
    for keyword in ("PatientID", "PatientName", "PatientBirthDate"):
        faults.set_value(nobody, keyword, "")
    write(a_head, folder="all/1", series_number=2)
    write(a_head, folder="all/2", series_number=3, identity=replace(Identity(), patient_id="ZZ-1"))
    with pytest.raises(MixedPatientsError) as caught:
        open_source(nobody[0].parent.parent)
    assert caught.value.attribute == "PatientID"
