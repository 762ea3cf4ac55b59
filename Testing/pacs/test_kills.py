"""Neither a dying sender nor a dying archive loses or doubles an object; ``Scripts/soak outbox`` is the long form."""

from __future__ import annotations

from pathlib import Path

import pytest

from Testing.pacs.killing import campaign
from Testing.pacs.orthanc import running


@pytest.mark.parametrize("kind", ["dimse", "web"])
def test_kills_of_both_sides_lose_and_double_nothing(tmp_path: Path, kind: str) -> None:
    with running(tmp_path / "orthanc") as archive:
        figures = campaign(archive, tmp_path / "in", objects=40, kind=kind, seed=7, step=8)
    assert (figures.lost, figures.doubled, figures.not_proved) == (0, 0, 0), str(figures)
    assert figures.sender_kills >= 2, str(figures)
