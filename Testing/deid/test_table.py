"""The table as data, and every row of it acted out on a planted element."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydicom import DataElement, Dataset, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.sequence import Sequence

from slicermedai.deid import dummies
from slicermedai.deid.build_table import BY_HAND
from slicermedai.deid.table import DATA, Action, Row, load_table
from Testing.deid.samples import an_image, without_identity

MR, ENHANCED_MR, PET = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.128"
MARK = "Zqplant"
_PLANTS: dict[str, Any] = {
    "AE": MARK,
    "AS": "031Y",
    "DA": "19990102",
    "DS": "3.25",
    "DT": "19990102030405",
    "IS": "325",
    "TM": "030405",
    "UI": "1.2.3.4444.5555.6666",
    "UR": "urn:zqplant",
    "US": 325,
    "OB": b"Zqplant\0",
    "OW": b"Zqplant\0",
    "UN": b"Zqplant\0",
    "CS": "ZQPLANT",
}
PSEUDONYMS = frozenset({"PatientID", "PatientName"})
REWRITTEN = frozenset({"SOPInstanceUID", "StudyInstanceUID"})


def vr_of(row: Row) -> str:
    return str(dictionary_VR(int(row.tag, 16))).split(" or ")[0] if row.keyword else "LO"


def plant(row: Row) -> DataElement:
    vr = vr_of(row)
    if vr == "SQ":
        item = Dataset()
        item.Manufacturer, item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "kept", MARK, "99X", MARK
        return DataElement(int(row.tag, 16), vr, Sequence([item]))
    return DataElement(int(row.tag, 16), vr, _PLANTS.get(vr, MARK))


def plain_rows() -> list[Row]:
    """The rows that can stand in a dataset: no wildcards, no command set, no file meta information."""
    rows = [row for row in load_table().rows if row.tag not in load_table().wildcards]
    return [row for row in rows if not row.tag.startswith(("0000", "0002"))]


@pytest.fixture(scope="module")
def acted_out(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """An MR image with every attribute of the table in it, after de-identification."""
    folder = tmp_path_factory.mktemp("table")
    path = an_image(folder / "in")
    dataset = dcmread(path)
    for row in plain_rows():
        if row.keyword not in REWRITTEN:
            dataset[int(row.tag, 16)] = plant(row)
    dataset.save_as(path)
    without_identity([path], folder / "out")
    return dcmread(folder / "out" / "00001.dcm")


def as_wanted(row: Row, dataset: Dataset) -> bool:
    tag = int(row.tag, 16)
    action = load_table().action(tag, sop_class=MR)
    if action is Action.REMOVE:
        return tag not in dataset
    element = dataset[tag]
    if row.keyword in PSEUDONYMS:
        return str(element.value).startswith("MEDAI-")
    if action is Action.ZERO:
        return element.is_empty
    if element.VR == "SQ":
        return MARK not in str(element) if row.keyword.endswith("CodeSequence") else not element.is_empty
    if action is Action.UID:
        return str(element.value).startswith("2.25.") and str(element.value) != _PLANTS["UI"]
    wanted = dummies.value_for(vr_of(row))
    return str(element.value) == str(wanted)


def test_every_row_of_the_table_does_to_a_planted_element_what_its_basic_action_says(acted_out: Dataset) -> None:
    wrong = [(row.tag, row.keyword, row.basic) for row in plain_rows() if not as_wanted(row, acted_out)]
    assert wrong == []


def test_the_table_names_its_edition_and_holds_all_of_its_rows() -> None:
    table = load_table()
    assert (table.edition, table.newer) == ("2024e", "2026c")
    assert len([row for row in table.rows if row.edition == "2024e"]) == 621
    assert len([row for row in table.rows if row.edition == "2026c"]) == 35
    assert len({row.tag for row in table.rows}) == 656
    assert len(table.short_title) <= 64


def test_rows_of_the_newest_edition_say_that_their_options_were_filled_in_by_hand() -> None:
    assert all(row.by_hand == (row.edition == "2026c") for row in load_table().rows)
    by_hand = json.loads(BY_HAND.read_text(encoding="utf-8"))["cells"]
    assert {row.tag: row.options for row in load_table().rows if row.by_hand and row.options} == by_hand


def test_option_columns_carry_the_codes_of_the_options() -> None:
    study_date = load_table().row(0x00080020)
    assert study_date is not None
    assert study_date.options == {"113106": "K", "113107": "C"}


@pytest.mark.parametrize(
    ("tag", "sop_class", "wanted"),
    [
        (0x0008002A, MR, Action.REMOVE),  # AcquisitionDateTime: type 3 in MR, 1C in Enhanced MR
        (0x0008002A, ENHANCED_MR, Action.DUMMY),
        (0x00181000, MR, Action.REMOVE),  # DeviceSerialNumber: type 3, and 1 in Enhanced General Equipment
        (0x00181000, ENHANCED_MR, Action.DUMMY),
        (0x00080021, MR, Action.REMOVE),  # SeriesDate: type 3, and 1 in PET Series
        (0x00080021, PET, Action.DUMMY),
        (0x00080022, PET, Action.ZERO),  # AcquisitionDate: type 2 in PET Image
        (0x00080023, MR, Action.ZERO),  # ContentDate: type 2C, and 1C in Enhanced MR
        (0x00080023, ENHANCED_MR, Action.DUMMY),
        (0x0008002A, "1.2.3", Action.DUMMY),  # an unknown IOD gets the strictest
        (0x00081140, MR, Action.UID),  # ReferencedImageSequence: X/Z/U*, references are kept
    ],
)
def test_compound_actions_follow_the_attributes_type_in_the_iod(tag: int, sop_class: str, wanted: Action) -> None:
    assert load_table().action(tag, sop_class=sop_class) is wanted


def test_compound_actions_inside_a_sequence_follow_its_own_module() -> None:
    inside = load_table().action(0x00400562, sop_class=MR, parent="SpecimenDescriptionSequence")
    assert inside is Action.ZERO
    dated = load_table().action(0x00189517, sop_class=MR, parent="XRay3DAcquisitionSequence")
    assert dated is Action.DUMMY


@pytest.mark.parametrize("tag", [0x00291001, 0x00090010, 0x50000005, 0x501E3000, 0x60003000, 0x60020010, 0x60004000])
def test_private_attributes_curves_and_overlays_are_covered_by_their_wildcard_rows(tag: int) -> None:
    assert load_table().action(tag, sop_class=MR) is Action.REMOVE


def test_clinical_attributes_are_not_listed() -> None:
    for tag in (0x00180050, 0x00280030, 0x00200032, 0x7FE00010, 0x00080016):
        assert load_table().action(tag, sop_class=MR) is None


def test_a_table_that_is_built_again_is_the_one_that_ships(tmp_path: Path) -> None:
    from slicermedai.deid.build_table import OPTION_COLUMNS, write

    columns = {code: column for column, code in OPTION_COLUMNS.items()}
    rows = [
        {
            "name": row.name,
            "id": {"private": "ggggeeee-where-gggg-is-odd"}.get(row.tag, row.tag),
            "basicProfile": row.basic,
            "edition": row.edition,
            **({"options_unknown": True} if row.by_hand else {}),
            **({} if row.by_hand else {columns[code]: action for code, action in row.options.items()}),
        }
        for row in load_table().rows
    ]
    source = tmp_path / "transcript.json"
    source.write_text(json.dumps({"rows": rows}), encoding="utf-8")
    assert write(source, tmp_path / "table.json").read_text(encoding="utf-8") == DATA.read_text(encoding="utf-8")
