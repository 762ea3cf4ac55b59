"""Points and boxes as text, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicermedai.domain.codec import load_object, save_object
from slicermedai.domain.prompts import BoxPrompt, PointPrompt, place_of, read_prompt
from slicermedai.domain.provenance import Provenance
from slicermedai.errors import InputError

NUMBERS = st.floats(min_value=-1e4, max_value=1e4)
LABELS = st.sampled_from(["", "Liver", "Left kidney", "Kidney, left", "T=2"])
POINTS = st.builds(PointPrompt, label=LABELS, position=st.tuples(NUMBERS, NUMBERS, NUMBERS), inside=st.booleans())


@given(POINTS)
def test_a_point_comes_back_from_its_text_to_the_last_digit(point: PointPrompt) -> None:
    assert read_prompt(point.text) == point


@given(LABELS, st.tuples(NUMBERS, NUMBERS, NUMBERS), st.tuples(*[st.floats(min_value=0.1, max_value=500)] * 3))
def test_so_does_a_box(label: str, low: tuple[float, float, float], edges: tuple[float, ...]) -> None:
    x, y, z = (a + b for a, b in zip(low, edges, strict=True))
    box = BoxPrompt(label=label, low=low, high=(x, y, z))
    assert read_prompt(box.text) == box


def test_people_write_them_so() -> None:
    assert read_prompt("Liver=-20 31.5 88") == PointPrompt(label="Liver", position=(-20.0, 31.5, 88.0))
    assert read_prompt("Liver != 1 2 3") == PointPrompt(label="Liver", position=(1.0, 2.0, 3.0), inside=False)
    assert read_prompt("=1 2 3 to 4 5 6") == BoxPrompt(label="", low=(1.0, 2.0, 3.0), high=(4.0, 5.0, 6.0))


@pytest.mark.parametrize(
    "text", ["", "Liver", "Liver=1 2", "Liver=a b c", "Liver!=1 2 3 to 4 5 6", "1 2 3", "L=1 2 3 4"]
)
def test_anything_else_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(InputError, match=r"prompts: is neither a point nor a box\. Write LABEL=x y z"):
        read_prompt(text)


def test_places_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="three finite numbers"):
        PointPrompt(label="", position=(float("nan"), 0.0, 0.0))
    with pytest.raises(InputError, match="low < high"):
        BoxPrompt(label="", low=(0.0, 0.0, 0.0), high=(1.0, 0.0, 1.0))
    for wrong in ((1, 2), "abc", None):
        with pytest.raises(InputError, match="a place is three"):
            place_of(wrong)


@pytest.mark.parametrize("label", ["Liver!", "Liver! ", "!"])
def test_a_label_that_would_read_back_as_outside_is_refused(label: str) -> None:
    with pytest.raises(InputError, match='cannot end in "!"'):
        PointPrompt(label=label, position=(1.0, 2.0, 3.0))
    with pytest.raises(InputError, match='cannot end in "!"'):
        BoxPrompt(label=label, low=(1.0, 2.0, 3.0), high=(4.0, 5.0, 6.0))


def test_a_result_keeps_what_was_marked(tmp_path: Path) -> None:
    marks = (read_prompt("Liver!=-20.1 31.5 88"), read_prompt("Liver=1 2 3 to 4 5 6"))
    made = Provenance(bundle="b", bundle_version="1", weights_sha256="0" * 64, prompts=marks)
    save_object(made, tmp_path / "made", kind="made")
    assert load_object(tmp_path / "made", Provenance, kind="made") == made
