"""Decisions belong to the pictures of one folder for review, and none is dropped in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slicermedai.deid.pixels.decisions import PIECES, load_decisions, picture_name
from slicermedai.errors import IdentityError

ONE, OTHER = "a1" * 32, "b2" * 32


def a_folder(folder: Path, pieces: dict[str, str], decided: dict[str, str]) -> Path:
    folder.mkdir()
    (folder / PIECES).write_text(json.dumps(pieces))
    (folder / "decisions.json").write_text(json.dumps(decided))
    return folder / "decisions.json"


def test_decisions_of_the_folders_own_pictures_are_taken(tmp_path: Path) -> None:
    name = picture_name(1, 1, ONE)
    path = a_folder(tmp_path / "a", {name: ONE, "00002-01.png": OTHER}, {name: "keep", "00002-01.png": "identity"})
    assert load_decisions(path) == {ONE: True, OTHER: False}


@pytest.mark.parametrize(
    ("pieces", "decided"),
    [
        ({picture_name(1, 1, ONE): ONE}, picture_name(1, 1, OTHER)),  # the same place in another run
        ({picture_name(1, 1, ONE): OTHER}, picture_name(1, 1, ONE)),
        ({picture_name(1, 1, ONE): ONE}, "00007-01.png"),
    ],
)
def test_a_decision_about_another_folders_picture_is_refused(
    tmp_path: Path, pieces: dict[str, str], decided: str
) -> None:
    with pytest.raises(IdentityError, match="about a picture that"):
        load_decisions(a_folder(tmp_path / "a", pieces, {decided: "keep"}))
