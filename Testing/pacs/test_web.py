"""DICOMweb's own corners: what each answer means for an instance, tokens, and servers that say odd things."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from slicermedai.errors import PeerError, PeerRefusedError, PeerUnreachableError
from slicermedai.pacs.objects import read_object
from slicermedai.pacs.peers import Peer, open_store
from slicermedai.pacs.store import Level, Outcome, SendItem, Verdict
from Testing.pacs.objects import make_object, uid_of
from Testing.pacs.orthanc import Orthanc


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class Locked(Ring):
    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.KeyringLocked("locked")


@pytest.fixture
def a_ring() -> Iterator[Ring]:
    before, made = keyring.get_keyring(), Ring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@contextlib.contextmanager
def answering(status: int, body: bytes = b"", *, token: str = "") -> Iterator[Peer]:
    """A web server that says the same to every POST; a search finds nothing. With ``token`` others are let in not."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            while size := int(self.rfile.readline(), 16):  # chunked
                self.rfile.read(size + 2)
            self.rfile.readline()
            self._say(status, body)

        def do_GET(self) -> None:
            allowed = not token or self.headers.get("Authorization") == f"Bearer {token}"
            self._say(200 if allowed else 401, b"[]")

        def _say(self, code: int, text: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Connection", "close")
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *given: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield Peer(name="web", kind="web", url=f"http://127.0.0.1:{server.server_address[1]}", timeout=5.0)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def told(**sequences: list[dict[str, int]]) -> bytes:
    """The body of a STOW answer: FailureReason, or WarningReason, an instance."""
    tags = {"failed": ("00081198", "00081197"), "done": ("00081199", "00081196")}
    body = {}
    for kind, entries in sequences.items():
        sequence, reason = tags[kind]
        values = [{reason: {"vr": "US", "Value": [entry["reason"]]}} if "reason" in entry else {} for entry in entries]
        body[sequence] = {"vr": "SQ", "Value": values}
    return json.dumps(body).encode()


def send_one(peer: Peer, path: Path) -> Outcome:
    (outcome,) = open_store(peer).send([SendItem(file=path, ref=read_object(path))])
    return outcome


@pytest.mark.parametrize(
    ("status", "body", "verdict", "text"),
    [
        (200, told(done=[{}]), Verdict.ACCEPTED, ""),
        (202, told(done=[{"reason": 0xB000}]), Verdict.ACCEPTED, "warning B000H"),
        (202, told(failed=[{"reason": 0xA700}]), Verdict.FAILED, "A700H"),
        (409, told(failed=[{"reason": 0x0122}]), Verdict.REFUSED, "0122H"),
        (409, told(failed=[{"reason": 0xA900}]), Verdict.REFUSED, "A900H"),
        (409, told(failed=[{"reason": 0xC000}]), Verdict.FAILED, "C000H"),
        (409, b"", Verdict.FAILED, "409"),
        (200, b"<html>hello</html>", Verdict.FAILED, "200"),
        (200, b"[1, 2]", Verdict.FAILED, "200"),
        (413, b"", Verdict.REFUSED, "413"),
        (500, b"", Verdict.FAILED, "500"),
        (503, b"", Verdict.FAILED, "503"),
    ],
)
def test_each_answer_is_understood(tmp_path: Path, status: int, body: bytes, verdict: Verdict, text: str) -> None:
    with answering(status, body) as peer:
        outcome = send_one(peer, make_object(tmp_path))
    assert outcome.verdict is verdict
    assert text in outcome.reason + outcome.note
    assert outcome.unsupported == ("0122H" in text)


def test_a_token_comes_from_the_keyring_and_lets_us_in(a_ring: Ring) -> None:
    import dataclasses

    with answering(200, token="secret-of-ours") as peer:
        with pytest.raises(PeerRefusedError, match="401"):
            open_store(peer).echo()
        wanted = dataclasses.replace(peer, token=True)
        with pytest.raises(PeerError, match="keyring set slicermedai web"):
            open_store(wanted)
        a_ring.set_password("slicermedai", "web", "secret-of-ours")
        open_store(wanted).echo()


def test_a_locked_keyring_is_said(a_ring: Ring) -> None:
    keyring.set_keyring(Locked())
    with pytest.raises(PeerError, match="KeyringLocked"):
        open_store(Peer(name="web", kind="web", url="https://pacs.example", token=True))


def test_a_token_never_goes_over_plain_http_to_another_machine(a_ring: Ring) -> None:
    a_ring.set_password("slicermedai", "web", "secret-of-ours")
    with pytest.raises(PeerError, match="plain HTTP"):
        open_store(Peer(name="web", kind="web", url="http://pacs.example", token=True))


def test_a_proxy_of_the_environment_sees_nothing(an_archive: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    open_store(an_archive.web()).echo()


def test_a_server_that_sends_us_elsewhere_is_not_followed(tmp_path: Path) -> None:
    with answering(302) as peer:
        store = open_store(peer)
        items = [SendItem(file=path, ref=read_object(path)) for path in [make_object(tmp_path)]]
        with pytest.raises(PeerUnreachableError, match="TooManyRedirects"):
            list(store.send(items))


def test_what_is_no_search_result_is_refused() -> None:
    with answering(200) as peer:
        wrong = Peer(name="web", kind="web", url=f"{peer.url}/x", timeout=1.0)
        assert open_store(wrong).find(Level.STUDY, {"PatientID": "1"}) == []


def test_the_bytes_that_arrive_are_those_that_left(an_archive: Orthanc, tmp_path: Path) -> None:
    import urllib.request

    path = make_object(tmp_path, size=3_000_000)
    assert send_one(an_archive.web(), path).verdict is Verdict.ACCEPTED
    assert an_archive.instances() == [uid_of(path)]
    (kept,) = an_archive.get("/instances")
    with urllib.request.urlopen(f"{an_archive.url}/instances/{kept}/file") as answer:
        assert answer.read() == path.read_bytes()


def test_a_damaged_object_fails_alone(an_archive: Orthanc, tmp_path: Path) -> None:
    good, bad = make_object(tmp_path, 1), make_object(tmp_path, 2)
    ref = read_object(bad)
    bad.write_bytes(b"no image" * 100)
    items = [SendItem(file=bad, ref=ref), SendItem(file=good, ref=read_object(good))]
    first, second = open_store(an_archive.web()).send(items)
    assert first.verdict is not Verdict.ACCEPTED
    assert second.verdict is Verdict.ACCEPTED


def test_a_line_that_is_cut_blames_the_object_on_it_alone(tmp_path: Path) -> None:
    """The server hangs up on every object; the search before answers."""
    with answering(200) as peer:
        store = open_store(peer)
        items = [SendItem(file=path, ref=read_object(path)) for path in (make_object(tmp_path, n) for n in (1, 2))]
        store._session.post = _cut  # type: ignore[attr-defined]  # the network's edge
        answers = store.send(items)
        first = next(answers)
        assert (first.verdict, first.unsure) == (Verdict.FAILED, True)
        with pytest.raises(PeerUnreachableError):
            next(answers)


def _cut(*given: object, **named: object) -> None:
    import requests

    raise requests.ConnectionError("cut")
