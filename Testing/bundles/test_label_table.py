"""A table of coded labels belongs to one model: numbers and names must be its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicermedai.bundles.coding import code_label
from slicermedai.bundles.label_table import coded_labels, write_table
from slicermedai.domain.codes import Label
from slicermedai.errors import BundleError


def coded(name: str) -> Label:
    label = code_label(name, 1)
    assert label is not None
    return label


def read(names: dict[int, str], rows: list[tuple[int, str, Label | None]], folder: Path) -> list[tuple[int, str]]:
    write_table(folder / "labels.csv", rows)
    found = coded_labels(names, folder / "labels.csv", template=folder / "template.csv")
    return [(value, label.type.meaning) for value, label in found]


def test_a_table_whose_rows_are_moved_is_refused_and_says_which(tmp_path: Path) -> None:
    rows = [(1, "liver", coded("liver")), (2, "spleen", coded("spleen"))]
    assert read({1: "Liver", 2: "spleen"}, rows, tmp_path) == [(1, "Liver"), (2, "Spleen")]
    with pytest.raises(BundleError, match="label 1 is 'liver', and the model calls it 'spleen'"):
        read({1: "spleen", 2: "liver"}, rows, tmp_path)


def test_a_side_that_is_swapped_is_refused(tmp_path: Path) -> None:
    rows = [(1, "kidney_right", coded("kidney_right"))]
    with pytest.raises(BundleError, match="'kidney_right', and the model calls it 'kidney_left'"):
        read({1: "kidney_left"}, rows, tmp_path)
    with pytest.raises(BundleError, match="label 1 is 'Kidney'"):
        read({1: "kidney_left"}, [(1, "", coded("kidney_right"))], tmp_path)


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("tools", "tools"),
        ("tools", ""),
        ("class_1", "spleen"),
        ("1", "spleen"),
        ("", "spleen"),
        ("L. Milz", "Milz of L"),
    ],
)
def test_a_name_that_no_list_has_is_whatever_the_person_says(name: str, stated: str, tmp_path: Path) -> None:
    assert read({1: name}, [(1, stated, coded("spleen"))], tmp_path) == [(1, "Spleen")]


def test_another_name_for_the_same_concept_will_do(tmp_path: Path) -> None:
    assert read({1: "urinary_bladder"}, [(1, "Bladder", coded("bladder"))], tmp_path) == [(1, "Bladder")]
    with pytest.raises(BundleError, match="the model calls it 'tools'"):
        read({1: "tools"}, [(1, "spleen", coded("spleen"))], tmp_path)
