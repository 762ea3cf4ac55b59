"""HL7 version 2 messages: which study is meant, and what cannot be understood."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicermedai.errors import InputError
from slicermedai.pacs.hl7 import Ordered, acknowledge, parse_order

MSH = "MSH|^~\\&|RIS|HOSPITAL|MEDAI||20260102||{kind}|C1|P|2.5.1"
PID = "PID|1||P-1^^^H~OTHER||Invented^Person"


def message(*segments: str, kind: str = "ORM^O01") -> bytes:
    return "\r".join([MSH.format(kind=kind), PID, *segments]).encode()


def test_an_order_names_its_study() -> None:
    order = parse_order(b"\x0b" + message("ORC|NW", "OBR|1|P|F||||||||||||||| A-7 ") + b"\x1c\r")
    assert (order.kind, order.control_id, order.patient_id) == ("ORM^O01", "C1", "P-1")
    assert order.ordered == (Ordered(accession="A-7", study_uid="", is_final=False, is_cancelled=False),)


@pytest.mark.parametrize(
    ("segments", "accession", "study"),
    [
        (("OBR|1|P|F|||||||||||||||A-7",), "A-7", ""),
        (("OBR|1|P|F^RIS",), "F", ""),
        (("IPC|A-8|RP1|1.2.3.4",), "A-8", "1.2.3.4"),
        (("OBR|1|P|F", "ZDS|1.2.3.5^RIS^Application^DICOM"), "F", "1.2.3.5"),
        (("OBR|1|P|F|||||||||||||||A\\T\\7\\S\\8",), "A&7^8", ""),
    ],
)
def test_where_a_study_may_be_named(segments: tuple[str, ...], accession: str, study: str) -> None:
    (one,) = parse_order(message(*segments)).ordered
    assert (one.accession, one.study_uid) == (accession, study)


def test_a_report_is_final_or_not_and_an_order_may_be_taken_back() -> None:
    text = "OBR|1|P|F" + "|" * 22
    assert parse_order(message(text + "F", kind="ORU^R01")).ordered[0].is_final
    assert not parse_order(message(text + "P", kind="ORU^R01")).ordered[0].is_final
    assert parse_order(message("ORC|CA", "OBR|1|P|F")).wanted == ()


@pytest.mark.parametrize(
    ("segments", "kind", "wanted"),
    [
        (("ORC|NW", "OBR|1|P|A", "ORC|NW", "OBR|2|P|B"), "ORM^O01", [("A", ""), ("B", "")]),
        (("ORC|NW", "OBR|1|P|A", "ORC|CA", "OBR|2|P|B"), "ORM^O01", [("A", "")]),
        (("ORC|CA", "OBR|1|P|A", "ORC|NW", "OBR|2|P|B"), "ORM^O01", [("B", "")]),
        (("OBR|1|P|A", "OBX|1", "OBR|2|P|B", "OBX|1"), "ORU^R01", [("A", ""), ("B", "")]),
        (("ORC|NW", "OBR|1|P|A", "IPC|A|R|1.2.3", "IPC|A|R|1.2.4"), "OMI^O23", [("A", "1.2.3"), ("A", "1.2.4")]),
        (("ORC|NW", "OBR|1|P|A", "IPC|A|R|1.2.3", "IPC|A|R2|1.2.3"), "OMI^O23", [("A", "1.2.3")]),
        (
            ("ORC|NW", "OBR|1|P|A", "IPC|A|R|1.2.3", "ORC|NW", "OBR|2|P|B", "IPC|B|R|1.2.4"),
            "OMI^O23",
            [("A", "1.2.3"), ("B", "1.2.4")],
        ),
        (("ORC|NW", "RXO|1", "ORC|NW", "OBR|1|P|B"), "ORM^O01", [("B", "")]),
    ],
)
def test_a_message_may_order_several(segments: tuple[str, ...], kind: str, wanted: list[tuple[str, str]]) -> None:
    order = parse_order(message(*segments, kind=kind))
    assert [(one.accession, one.study_uid) for one in order.wanted] == wanted


def test_other_separators_and_character_sets_are_the_messages_own() -> None:
    text = "MSH#*~\\&#RIS####20260102##ORM*O01#C1#P#2.5.1######8859/1\rOBR#1##Ä1*X"
    assert parse_order(text.encode("latin-1")).ordered[0].accession == "Ä1"


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "MSH-1"),
        (b"PID|1", "MSH-1"),
        (message("OBR|1|P|F", kind="ADT^A01"), "MSH-9"),
        (message("ORC|NW"), "OBR-18"),
        (message("OBR|1|P|A*"), "OBR-18"),
        (message("ZDS|../../etc"), "ZDS-1"),
        (message("IPC|A|B|x"), "IPC-3"),
        (b"MSH|^~\\&|RIS|||||||C1|P|2.5.1||||||KLINGON\rOBR|1||F", "MSH-18"),
        (b"MSH|^~\\&|RIS|||||ORM^O01||C1|P|2.5.1||||||ASCII\rOBR|1||\xff", "MSH-18"),
    ],
)
def test_what_is_not_understood_is_named(data: bytes, named: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_order(data)
    assert caught.value.attribute == named


@given(st.binary(max_size=300) | st.builds(lambda tail: message("OBR|1|P|F") + tail, st.binary(max_size=50)))
def test_any_bytes_are_understood_or_refused_and_can_be_answered(data: bytes) -> None:
    with contextlib.suppress(InputError):
        parse_order(data)
    assert acknowledge(data, code="AE", text="a|b\rc").count(b"\r") == 2


def test_an_answer_names_the_message() -> None:
    assert acknowledge(message("ORC|NW"), code="AA").split(b"\r")[1] == b"MSA|AA|C1|"
