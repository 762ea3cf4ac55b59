"""What people read goes through the translation, in every presenter."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slicermedai.app import words
from slicermedai.domain.codes import IN_BOX, MILLILITER, VOLUME
from slicermedai.domain.finding import ConfidenceState, Measurement
from slicermedai.domain.result import Status
from slicermedai.jobs.reporter import STAGES
from Testing.app.test_guided_run import a_bundle, a_result

ROOT = Path(words.__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "slicermedai" / "app").glob("*.py"), *ROOT.glob("*.py")])
TAKES_TEXT = re.compile(r"tr|_|translate|_translate|\w+Error|JobCancelled|WorkerCrashed")
"""Translators, and errors of the library, which come as they are (see the top of words.py)."""
SENTENCE = re.compile(r"[A-Z][a-z]+[ ,.].*|[a-z]+( [a-z{}]+){2,}.*", re.DOTALL)
OF_THE_LIBRARY = {
    *("Resection", "Standard liver", "Safety margins", "Distances", "Volumes and diameters"),
    *("remnant of functional volume", "remnant of standard liver volume"),
    *("redrawn by a person in the plan", "Spatial and Relational Concept", "Planned ", "Nothing says that the "),
    *("the image that was analysed is not at hand", "the image cannot be read again"),
    "the image could not be told to be the one that was analysed",
}
"""Names of parts and numbers of a plan, and what is written into files: they come as they are, in English."""
NAMES = {"The SlicerMedAI contributors", "Developer Tools.DICOM Plugins"}
"""Of ours, and of a category of Slicer's that its own plugins name so."""


def shouted(text: str) -> str:
    return text.upper()


def texts_of(tree: ast.AST) -> Iterator[str]:
    """All strings but documentation, what is handed to a translator, and what errors say."""
    translated = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and TAKES_TEXT.fullmatch(getattr(node.func, "id", getattr(node.func, "attr", "")))
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]
        for part in ast.walk(argument)
    }
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in translated | documentation:
            yield node.value if isinstance(node.value, str) else ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_sentence_is_shown_untranslated(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [part for part in tree.body if not (isinstance(part, ast.ClassDef) and part.name.endswith("Test"))]
    found = {text for text in texts_of(tree) if SENTENCE.fullmatch(text)}
    assert found <= {words.NOTHING_FILED} | OF_THE_LIBRARY | NAMES


def test_no_text_of_a_form_is_kept_from_the_translation() -> None:
    forms = sorted((ROOT / "Resources" / "UI").glob("*.ui"))
    assert len(forms) > 6
    kept = {form.name for form in forms if "notr=" in form.read_text(encoding="utf-8")}
    assert kept == set()


def test_the_search_for_sentences_finds_one() -> None:
    tree = ast.parse('"""Not this."""\nshow("Choose an image.")\nshow(tr("Not this either."))\n')
    assert [text for text in texts_of(tree) if SENTENCE.fullmatch(text)] == ["Choose an image."]


def test_texts_are_translated_before_names_and_numbers_go_in() -> None:
    assert words.time_left(42, lambda text: {"about {count} s left": "noch etwa {count} s"}[text]) == "noch etwa 40 s"
    assert words.install_text(["torch", "monai"], lambda text: text.replace("Install", "Hole")) == "Hole torch, monai"


def test_every_stage_of_a_run_has_words() -> None:
    for stage in STAGES:
        assert words.stage_text(stage, shouted) != stage
    assert words.stage_text("new stage", shouted) == "new stage"


def test_every_state_of_a_confidence_has_words() -> None:
    assert [words.confidence_text(state) for state in ConfidenceState] == [state.value for state in ConfidenceState]


def test_a_warning_stands_before_the_numbers() -> None:
    result = a_result(Status.COMPLETE)
    warned = replace(result, provenance=replace(result.provenance, warnings=("the field of view is small",)))
    first = ["Ended with a warning: read it first.", "Warning: the field of view is small."]
    assert words.summary(warned).splitlines()[:2] == first


def test_a_long_list_of_what_is_missing_stays_short_on_the_button() -> None:
    missing = ["torch", "monai", "nibabel", "pylibjpeg", "the brain model"]
    assert words.install_text(missing) == "Install torch, monai, nibabel and 2 more"


def test_a_described_model_is_in_the_persons_language() -> None:
    assert "MIT" in words.describe(a_bundle(), lambda text: text.replace("Licence", "Lizenz"))
    assert "Lizenz" in words.describe(a_bundle(), lambda text: text.replace("Licence", "Lizenz"))


def test_numbers_of_a_box_say_where_they_come_from_and_one_row_why_there_are_none() -> None:
    result = a_result()
    (finding, *_) = result.findings
    size = Measurement(name=VOLUME, value=0.25, unit=MILLILITER, method=IN_BOX)
    refused = replace(size, value=math.nan, missing="no border")
    measured, lost = (replace(finding, measurements=(one, one)) for one in (size, refused))
    result = replace(result, findings=(measured, lost, replace(finding, measurements=())))
    told = words.rows(result, shouted)
    title = "Volume [half of contrast in the box, not validated]"
    assert [one[1:4] for one in told] == [
        (title, "0.2", "ml"), (title, "0.2", "ml"), ("NOT MEASURED", "no border", ""), ("NOT MEASURED", "", ""),
    ]  # fmt: skip
    said = words.summary(result)
    assert f"{finding.label.name}: 0.2 ml (in its box, not validated)" in said and "nan" not in said
    assert f"; {finding.label.name}: not measured; {finding.label.name}." in said
    assert f"2 x {finding.label.name}: not measured." in words.summary(replace(result, findings=(lost, lost)))
