"""A short form of ``Scripts/soak fuzz``: no reader falls over what it is given."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from slicermedai.errors import InputError
from Testing.fuzz import campaign as tried
from Testing.fuzz.campaign import Figures, Seed, campaign
from Testing.fuzz.mutations import damaged


def test_damaged_inputs_give_a_typed_error_or_a_valid_object() -> None:
    figures = campaign(90, seed=1)
    assert figures.faults == [], str(figures)
    assert sum(figures.valid.values()) > 20 and sum(figures.refused.values()) > 20, "damage must not be all or nothing"


def test_the_same_seed_damages_alike() -> None:
    data = random.Random(0).randbytes(5000)
    assert damaged(data, random.Random(7)) == damaged(data, random.Random(7)) != data


@pytest.mark.parametrize("fault", [ValueError("odd"), TimeoutError("late")])
def test_the_campaign_notices_what_is_no_typed_error(
    fault: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(place: Path) -> object:
        raise fault

    def told(place: Path) -> object:
        raise InputError("no image")

    def strays(place: Path) -> object:
        return (place.parents[1] / "stray").write_text("x")

    good = [Seed(reader=one.__name__, kind="k", files=(b"data",), name="f", read=one) for one in (read, told, strays)]
    monkeypatch.setattr(tried, "good_inputs", lambda folder: iter(good))
    figures: Figures = campaign(3)
    assert [(name, what.split(":")[0]) for name, _, _, what in figures.faults] == [
        ("read", type(fault).__name__),
        ("strays", "wrote outside its folder"),
    ]
    assert figures.refused == {"told": 1}
