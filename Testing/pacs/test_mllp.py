"""Orders over MLLP: every frame is kept and answered, however the line cuts them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from slicermedai.pacs.hl7 import parse_order
from slicermedai.pacs.mllp import listening_for_orders

_TIMEOUT = 10.0


def frame(number: int) -> bytes:
    order = f"MSH|^~\\&|RIS|H|MEDAI||20260102||ORM^O01|C{number}|P|2.5.1\rPID|1||P-1\rORC|NW\rOBR|1|P|A-{number}\r"
    return b"\x0b" + order.encode() + b"\x1c\r"


def say(port: int, pieces: list[bytes], answers: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as line:
        for piece in pieces:
            line.sendall(piece)
        heard = b""
        while heard.count(b"\x1c\r") < answers and (piece := line.recv(4096)):
            heard += piece
    return heard


@pytest.mark.parametrize("cut", [10_000, 300, 97, 1], ids=lambda cut: f"{cut} bytes at a time")
def test_frames_that_come_together_are_all_kept_and_answered_in_their_order(cut: int, tmp_path: Path) -> None:
    said = b"".join(frame(number) for number in range(5))
    pieces = [said[start : start + cut] for start in range(0, len(said), cut)]
    with listening_for_orders(tmp_path / "orders", 0) as port:
        heard = say(port, pieces, answers=5)
    assert [line for line in heard.split(b"\r") if line.startswith(b"MSA")] == [
        f"MSA|AA|C{number}|".encode() for number in range(5)
    ]
    kept = [parse_order(path.read_bytes()).ordered[0].accession for path in (tmp_path / "orders").iterdir()]
    assert sorted(kept) == [f"A-{number}" for number in range(5)]


def test_a_frame_that_never_ends_is_cut_off_and_the_port_stays_open(tmp_path: Path) -> None:
    with listening_for_orders(tmp_path / "orders", 0) as port:
        with (
            socket.create_connection(("127.0.0.1", port), _TIMEOUT) as line,
            pytest.raises(OSError),
        ):  # broken pipe or reset
            for _ in range(200):
                line.sendall(b"x" * 65536)
        assert b"MSA|AA|C7|" in say(port, [frame(7)], answers=1)
