"""A large file is cut short in pieces before it is removed, and nothing else is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slicermedai.domain.pieces import PIECE
from slicermedai.domain.scratch import emptying


def test_a_large_file_loses_a_piece_at_a_time_and_a_small_one_stays(tmp_path: Path) -> None:
    large, small = tmp_path / "below" / "large", tmp_path / "small"
    large.parent.mkdir()
    large.write_bytes(bytes(3 * PIECE + 5))
    small.write_bytes(b"lock")
    sizes = [large.stat().st_size for _ in emptying(tmp_path)]
    assert sizes == [2 * PIECE + 5, PIECE + 5, 5]
    assert small.read_bytes() == b"lock"


def test_what_cannot_be_cut_is_left_and_keeps_nobody_from_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, size: int) -> None:
        raise PermissionError(13, "another program has it open", str(path))

    for name in ("first", "second"):
        (tmp_path / name).write_bytes(bytes(2 * PIECE))
    monkeypatch.setattr(os, "truncate", refuse)
    assert list(emptying(tmp_path)) == []
    assert {one.stat().st_size for one in tmp_path.iterdir()} == {2 * PIECE}
