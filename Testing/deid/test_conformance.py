"""The conformance statement is what the rules do, and the file in Resources/Docs is the statement."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword

from slicermedai.deid.conformance import DOCUMENT, markdown, statement
from slicermedai.deid.preview import preview
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.reasons import reason
from slicermedai.deid.settings import DeidSettings
from slicermedai.deid.table import load_table
from Testing.deid.samples import KEY, a_series, copies, without_identity


def ours(profile: Profile | None = None, *, sop_class: str = "") -> dict[str, str]:
    return {one.tag: one.ours for one in statement(profile, sop_class=sop_class)}


def tag_of(keyword: str) -> str:
    return f"{tag_for_keyword(keyword):08X}"


def test_the_document_is_what_the_rules_say_now() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == markdown(), "run python -m slicermedai.deid.conformance"


def test_every_row_of_the_table_has_a_statement_with_what_is_printed() -> None:
    rows = statement()
    assert [(one.tag, one.basic) for one in rows] == [(row.tag, row.basic) for row in load_table().rows]
    assert all(one.ours for one in rows)
    assert not any(one.options for one in rows)


@pytest.mark.parametrize(
    ("keyword", "option", "before", "after"),
    [
        ("StudyDate", "113107", "emptied", "moved in time"),
        ("StudyDate", "113106", "emptied", "kept"),
        ("PatientAge", "113108", "removed", "kept, identity in it masked"),
        ("SOPInstanceUID", "113110", "new UID", "kept"),
        ("StudyDescription", "113105", "removed", "kept, identity in it masked"),
        ("InstitutionName", "113112", "removed", "kept, identity in it masked"),
        ("PatientName", "113108", "pseudonym", "pseudonym"),
    ],
)
def test_an_option_changes_what_is_stated(keyword: str, option: str, before: str, after: str) -> None:
    assert ours()[tag_of(keyword)] == before
    assert ours(Profile(frozenset({Option(option)})))[tag_of(keyword)] == after


def test_what_is_stated_is_what_happens(tmp_path: Path) -> None:
    """Each listed attribute at the top level of a real file, before and after, against its statement."""
    path = a_series(tmp_path / "in")[0]
    before = dcmread(path)
    without_identity([path], tmp_path / "out")
    after = copies(tmp_path / "out")[0]
    told, looked = ours(sop_class=before.SOPClassUID), set()
    for element in before:
        stated = told.get(f"{int(element.tag):08X}", "")
        now = after.get(element.tag)
        looked.add(stated)
        if stated == "removed":
            assert now is None, element.keyword
        elif stated == "emptied":
            assert now is not None, element.keyword
            assert not now.value, element.keyword
        elif stated in ("new UID", "pseudonym"):
            assert now is not None, element.keyword
            assert now.value != element.value, element.keyword
    assert {"removed", "emptied", "new UID", "pseudonym"} <= looked


@pytest.mark.parametrize("codes", [(), ("113105", "113107", "113108", "113111"), ("113106", "113110", "113112")])
def test_everything_that_is_done_has_a_reason(tmp_path: Path, codes: tuple[str, ...]) -> None:
    profile = Profile(frozenset(map(Option, codes)))
    rows = preview(a_series(tmp_path / "in"), settings=DeidSettings(profile=profile, key=KEY))
    assert rows
    assert [row for row in rows if not row.reason] == []


@pytest.mark.parametrize(
    ("label", "action", "codes", "words"),
    [
        ("PatientBirthDate", "Z", (), "Table E.1-1: Z"),
        ("StudyDate", "C", ("113107",), "Table E.1-1: Z, option 113107: C"),
        ("SequenceName", "C", (), "identity of the patient stood in it"),
        ("BurnedInAnnotation", "D", ("113101",), "follows what was done to pixels or document"),
        ("LossyImageCompression", "D", (), "follows what was done to pixels or document"),
        ("PartialViewDescription", "D", (), "free text, which goes whole"),
        ("PrivateAttributes", "X", (), "private (Table E.1-1)"),
        ("PatientIdentityRemoved", "D", (), "says that and how identity was removed (PS3.15 E.1.1)"),
        ("(0021,1234)", "X", (), "Table E.1-1: X"),
    ],
)
def test_a_reason_names_the_row_of_the_table_or_the_rule(label: str, action: str, codes: tuple, words: str) -> None:
    assert reason(label, action, Profile(frozenset(map(Option, codes)))) == words
