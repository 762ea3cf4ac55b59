"""Preprocessing read from a configuration: what belongs to references goes, and nothing else with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import monai.transforms
import pytest

from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.adapter.steps import PER_KEY, Reader


def without_labels(step: dict[str, Any]) -> dict[str, Any]:
    return Reader(parser=None, ledger=Ledger(), file="bundle")._without_labels(step, step["keys"])


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        (["image", "label", "mask"], {"spatial_size": [96, 96, 32]}),
        (["image", "label"], {"spatial_size": [256, 320]}),
        (["image", "label", "seg"], {"pixdim": [1.5, 1.5, 2.0]}),
        (["image", "label", "seg"], {"roi_center": [1, 2, 3], "roi_size": [4, 5, 6]}),
        (["image", "label"], {"spatial_axis": [0, 1]}),
    ],
)
def test_sizes_stay_whole_where_labels_go(keys: list[str], options: dict[str, Any]) -> None:
    assert without_labels({"keys": keys, **options}) == {"keys": ["image"], **options}


def test_options_for_each_key_go_with_their_key() -> None:
    step = {"keys": ["label", "t1", "t2"], "mode": ["nearest", "bilinear", "bilinear"], "dtype": ["a", "b", "c"]}
    assert without_labels(step) == {"keys": ["t1", "t2"], "mode": ["bilinear", "bilinear"], "dtype": ["b", "c"]}


def test_the_options_for_each_key_are_those_of_monai() -> None:
    stated: set[str] = set()
    for path in Path(str(monai.transforms.__file__)).parent.rglob("dictionary.py"):
        stated |= set(re.findall(r"ensure_tuple_rep\((\w+), len\(self\.keys\)\)", path.read_text(encoding="utf-8")))
    assert {"mode", "padding_mode", "threshold"} <= stated
    assert not stated - {"None"} - PER_KEY - {"prefix", "delay_time", "use_re"}
