"""Codes are the standard's own, word for word, and survive the way to DICOM and back."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sr import _concepts_dict as standard

from slicermedai.domain import codes as domain_codes
from slicermedai.domain.codes import Code
from slicermedai.export import codes
from slicermedai.export.codes import acquisition, concept, from_item, procedure


def fixed_codes() -> list[Code]:
    found: list[Code] = []
    for module in (codes, domain_codes):
        for value in vars(module).values():
            values = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
            found += [one for one in values if isinstance(one, Code)]
    return sorted(set(found), key=lambda code: (code.scheme, code.value))


def meanings(code: Code) -> list[str]:
    names = standard.concepts.get(code.scheme, {}).values()
    return [values[code.value][0].partition(" (")[0].casefold() for values in names if code.value in values]


ELSEWHERE = {
    "123037004": "Slicer's terminologies, which call the body structure of SNOMED CT so",
    "276214006": "TID 1411, which calls the category of a finding so",
    "371885007": "SNOMED CT; the dictionary knows its use for uncertainty of measurement alone",
    "371886008": "SNOMED CT; the dictionary knows its use for uncertainty of measurement alone",
    "C0034375": "TID 1500 row 12; the dictionary has no UMLS",
}
"""Codes whose meaning another source gives."""


OWN = "99MEDAI"


@pytest.mark.parametrize("code", [one for one in fixed_codes() if one.scheme == OWN], ids=lambda code: str(code.value))
def test_a_code_of_ours_fits_its_attributes_and_means_nothing_that_the_standard_has_a_code_for(code: Code) -> None:
    """PS3.16 8.2: schemes that begin with 99 are private."""
    assert code.value == code.value.upper() and len(code.value) <= 16
    known = {
        name.casefold()
        for values in standard.concepts.values()
        for said in values.values()
        for name, *_ in said.values()
    }
    assert len(known) > 1000 and code.meaning.casefold() not in known


@pytest.mark.parametrize(
    "code", [one for one in fixed_codes() if one.scheme != OWN], ids=lambda code: f"{code.scheme} {code.value}"
)
def test_a_fixed_code_means_what_the_standard_says(code: Code) -> None:
    if code.scheme == "UCUM":
        assert code.value in ("[hnsf'U]", "1", "{pixels}", "{-1:1}", "ml", "mm")
    elif code.value not in ELSEWHERE:
        known = meanings(code)
        assert code.meaning.casefold() in known or code.meaning.partition(" (")[0].casefold() in known


@pytest.mark.parametrize("value", ["110181", "A" * 17, "urn:oid:1.2.3"])
def test_a_code_survives_the_way_to_dicom_and_back(value: str) -> None:
    code = Code(value=value, scheme="99TEST", meaning="anything")
    back = from_item(concept(code))
    assert back.value == code.value
    assert back.meaning == code.meaning


def test_an_item_without_a_code_is_an_error() -> None:
    with pytest.raises(ValueError, match="code value"):
        from_item(Dataset())


def test_a_modality_that_is_not_known_is_said_to_be_another_one() -> None:
    assert (acquisition("MR").value, acquisition("XYZ").value) == ("MR", "OT")
    assert procedure("XYZ").meaning == "Imaging procedure"
