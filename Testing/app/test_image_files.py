"""A result's image is read from its own copies, or from the database where identity is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicermedai.app.image_files import COPIES, files_to_read
from slicermedai.domain.study import Identity

KNOWN = {"1.2.1": (), "1.2.2": ("b.dcm",)}


def _files_of(uid: str) -> tuple[str, ...]:
    return KNOWN[uid]


def test_the_first_series_whose_files_are_known_is_read(tmp_path: Path) -> None:
    assert files_to_read(tmp_path / "result", KNOWN, Identity.KEEP, _files_of) == ("b.dcm",)


@pytest.mark.parametrize("uids", [(), ("1.2.1",)])
def test_nothing_is_read_where_no_file_is_known(tmp_path: Path, uids: tuple[str, ...]) -> None:
    assert files_to_read(tmp_path / "result", uids, Identity.KEEP, _files_of) == ()


def test_a_pseudonymous_result_is_never_shown_on_the_identified_files(tmp_path: Path) -> None:
    assert files_to_read(tmp_path / "result", KNOWN, Identity.DEIDENTIFY, _files_of) == ()


@pytest.mark.parametrize("identity", list(Identity))
def test_the_runs_own_copies_come_first(tmp_path: Path, identity: Identity) -> None:
    (tmp_path / "dicom" / "source").mkdir(parents=True)
    assert files_to_read(tmp_path / "result", KNOWN, identity, _files_of) == COPIES
