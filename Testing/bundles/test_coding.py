"""Codes for names: found in the lists, or asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom.sr._concepts_dict import concepts

from slicermedai.bundles import coding
from slicermedai.bundles.coding import candidates, code_label, color_of, words_of

TABLES = Path(coding.__file__).parent / "codes"
LISTS = {7191: "tissue", 7192: "anatomy", 7193: "object", 7194: "abnormal", 7197: "substance"}


def rows_of_dicom() -> set[tuple[str, str, str, str]]:
    """What pydicom's edition of the lists holds, in the table's own form."""
    return {
        (LISTS[cid], scheme, code, meaning)
        for scheme in ("SCT", "DCM", "NCIt", "FMA")
        for named in concepts[scheme].values()
        for code, (meaning, cids) in named.items()
        for cid in cids
        if cid in LISTS and len(meaning) <= 64
    }


def test_the_table_holds_dicoms_own_lists() -> None:
    rows = {tuple(row) for row in json.loads((TABLES / "dicom.json").read_text())["rows"]}
    missing = rows - rows_of_dicom()
    assert len(rows) > 800
    assert not missing, f"no list of DICOM has {sorted(missing)[:5]}"


def test_whatever_was_reviewed_leads_to_one_concept() -> None:
    reviewed = json.loads((TABLES / "reviewed.json").read_text())
    names = [*reviewed["names"], *reviewed["names"].values(), *reviewed["paired"]]
    assert [name for name in names if len(coding._tables().concepts.get(words_of(name), ())) != 1] == []


def test_reviewed_codes_that_dicom_names_elsewhere_are_not_contradicted() -> None:
    """A code that any list of DICOM holds must mean there what it means here."""
    meanings: dict[str, set[tuple[str, ...]]] = {}
    for named in concepts["SCT"].values():
        for code, (meaning, _) in named.items():
            meanings.setdefault(code, set()).add(words_of(meaning))
    for _, _, code, meaning, _ in json.loads((TABLES / "reviewed.json").read_text())["rows"]:
        known = meanings.get(code)
        assert known is None or any(set(words_of(meaning)) <= set(words) for words in known), (code, meaning, known)


@pytest.mark.parametrize(
    ("name", "code", "side"),
    [
        ("spleen", "78961009", ""),
        ("kidney_right", "64033007", "Right"),
        ("Left kidney", "64033007", "Left"),
        ("vertebrae_L5", "49668003", ""),
        ("lung_middle_lobe_right", "72481006", ""),
        ("lung_upper_lobe_left", "45653009", "Left"),
        ("heart_atrium_left", "82471001", ""),
        ("rib_left_11", "58830002", "Left"),
        ("pancreatic tumor", "108369006", ""),
        ("subclavian_artery_right", "36765005", "Right"),
        ("kidney_cyst_left", "367643001", "Left"),
        ("kidney_cyst_right", "367643001", "Right"),
        ("kidney cyst", "367643001", ""),
        ("left lung nodule", "27925004", "Left"),
        ("heart_ventricle_left", "87878005", ""),
    ],
)
def test_a_name_that_stands_in_the_lists_is_coded(name: str, code: str, side: str) -> None:
    label = code_label(name, 1)
    assert label is not None
    assert (label.type.value, label.modifier.meaning if label.modifier else "") == (code, side)
    assert label.name == name


@pytest.mark.parametrize(
    "name",
    [
        "tools",
        "category 1",
        "central gland",
        "tumor core",
        "",
        "liver left",
        "left right kidney",
        "vein",
        "kidney 2",
        "ventricle",
        "ventricles",
        "cyst left",
    ],
)
def test_a_name_that_no_list_has_is_not_guessed(name: str) -> None:
    assert code_label(name, 1) is None


def test_a_name_of_several_concepts_is_asked_for() -> None:
    assert code_label("descending aorta", 1) is None
    assert {concept.type.value for concept in candidates("descending aorta")} == {"281130003", "32672002"}
    assert {concept.type.meaning for concept in candidates("ventricle")} == {"Ventricle", "Brain ventricle"}
    assert candidates("tools") == ()


def test_neighbouring_values_have_their_own_colours() -> None:
    colors = [color_of(value) for value in range(1, 121)]
    assert len(set(colors)) == len(colors)
    assert all(0 <= part <= 255 for color in colors for part in color)
