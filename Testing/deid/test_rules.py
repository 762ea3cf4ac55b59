"""Rules describe themselves, and the preview is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicermedai.deid.ops import REMOVE
from slicermedai.deid.preview import PreviewRow, preview
from slicermedai.deid.profile import Profile
from slicermedai.deid.pseudonym import Pseudonyms
from slicermedai.deid.rules import BASIC_RULES, Context, Element, decide
from slicermedai.deid.run import describe, not_done
from slicermedai.deid.table import load_table
from slicermedai.deid.vocabulary import Vocabulary
from slicermedai.errors import UnreadableFileError
from Testing.deid.samples import KEY, a_series, an_image, without_identity


def test_every_rule_describes_itself_and_the_record_is_made_of_that() -> None:
    sentences = [sentence for rule in BASIC_RULES for sentence in rule.describe()]
    assert describe()[1:] == sentences
    assert all(rule.describe() for rule in BASIC_RULES)
    assert all(sentence.endswith(".") for sentence in [*describe(), *not_done()])


@pytest.mark.parametrize("tag", [0x00100000, 0x00080001, 0xFFFCFFFC, 0x00020010, 0x00000002])
def test_group_lengths_padding_and_what_belongs_to_messages_are_no_content(tag: int) -> None:
    assert decide(BASIC_RULES, a_context(), Element(tag, "UL")) is REMOVE


def test_numbers_of_the_acquisition_are_left_to_the_search_for_identity() -> None:
    op = decide(BASIC_RULES, a_context(), Element(0x00180050, "DS"))
    assert op.edit is not None
    assert op.edit(b"1.5 ") == b"1.5 "


def a_context() -> Context:
    return Context(
        table=load_table(),
        profile=Profile(),
        pseudonyms=Pseudonyms(KEY),
        vocabulary=Vocabulary(),
        patient="MEDAI-BCDFGHJK",
        sop_class="1.2.840.10008.5.1.4.1.1.4",
        study_uid="1.2.3",
    )


def test_the_preview_counts_what_is_done_and_shows_no_value(tmp_path: Path) -> None:
    files = [*a_series(tmp_path / "in"), an_image(tmp_path / "b", SequenceName="for Quillfeather")]
    rows = preview(files)
    result = without_identity(files, tmp_path / "out")
    by_action = {action: sum(row.count for row in rows if row.action == action) for action in "XZDUC"}
    assert by_action["X"] == result.elements_removed
    assert by_action["Z"] + by_action["D"] + by_action["C"] == result.elements_replaced
    assert by_action["U"] == result.uids_replaced
    assert PreviewRow(keyword="SequenceName", action="C", count=1) in rows
    assert PreviewRow(keyword="PatientBirthDate", action="Z", count=3) in rows
    assert "uillfeather" not in str(rows)


def test_a_preview_writes_nothing_and_says_when_nothing_can_be_read(tmp_path: Path) -> None:
    files = a_series(tmp_path / "in")
    before = {path: path.read_bytes() for path in files}
    preview(files)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.dcm")} == before
    (tmp_path / "x.txt").write_text("no")
    with pytest.raises(UnreadableFileError):
        preview([tmp_path / "x.txt"])
