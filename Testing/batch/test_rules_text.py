"""Rules that were written down are read as they were."""

from __future__ import annotations

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from slicermedai.batch.rules import FRAMES, SAME_PATIENT, TIES, Rule, SeriesRules, parse_rules
from slicermedai.batch.rules_text import rules_text

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
WORDS = st.lists(TEXTS.filter(str.strip), max_size=3).map(tuple)
NUMBERS = st.floats(0, 5000) | st.just(math.inf)
RANGES = st.just(()) | st.tuples(NUMBERS, NUMBERS).map(lambda pair: tuple(sorted(pair)))
PATTERNS = st.sampled_from(["", "CT", r"B[23]\d.*|STANDARD", "it's", 'a "b" \\.', "\x7f\t"])


@st.composite
def a_rule(draw: st.DrawFn, name: str) -> Rule:
    """Any rule that can be read."""
    texts = {field: draw(TEXTS) for field in ("input", "bundle")}
    patterns = {field: draw(PATTERNS) for field in ("modality", "body_part", "description", "kernel")}
    ranges = {field: draw(RANGES) for field in ("thickness_mm", "slices")}
    words = {field: draw(WORDS) for field in ("phase", "without_words")}
    choices = {"contrast": ["", "with", "without"], "origin": ["", "original", "derived"], "tie": list(TIES)}
    chosen = {field: draw(st.sampled_from(values)) for field, values in choices.items()}
    return Rule(name=name, **texts, **patterns, **ranges, **words, **chosen)  # type: ignore[arg-type]


@given(st.data())
def test_what_is_written_is_read_as_it_was(data: st.DataObject) -> None:
    names = data.draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True))
    rules = SeriesRules(
        rules=tuple(data.draw(a_rule(name)) for name in names),
        same_patient=data.draw(st.sampled_from(SAME_PATIENT)),
        frames_of_reference=data.draw(st.sampled_from(FRAMES)),
    )
    assert parse_rules(rules_text(rules)) == rules


def test_what_fits_any_is_left_out_and_the_file_is_one_for_people(tmp_path: Path) -> None:
    written = rules_text(SeriesRules(rules=(Rule(name="thin", modality="CT", thickness_mm=(0.5, 2.5)),)))
    assert written.splitlines() == ["[[rule]]", 'name = "thin"', 'modality = "CT"', "thickness_mm = [0.5, 2.5]"]
