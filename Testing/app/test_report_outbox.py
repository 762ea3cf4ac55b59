"""From written objects to a destination: choose, send, follow, try again; the identity routes never cross."""

from __future__ import annotations

import json
import os
import signal
import socket
import tomllib
from pathlib import Path

import pytest

from slicermedai.app.report_outbox import OutboxRun
from slicermedai.app.report_peers import slicers_servers
from slicermedai.app.report_state import Written
from slicermedai.app.state import Phase
from slicermedai.domain.study import Identity
from slicermedai.pacs.objects import result_objects
from slicermedai.pacs.peers import Peer, load_peers, peers_path, save_peers
from Testing.app.runs import until, until_idle
from Testing.pacs.objects import make_object, make_objects


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The application's data of the test's own, with a clinical and a research shelf."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "data"))
    for name in ("data", "ward", "study"):
        (tmp_path / name).mkdir()
    save_peers(
        [
            Peer(name="ward", kind="folder", path=str(tmp_path / "ward")),
            Peer(name="study", kind="folder", path=str(tmp_path / "study"), research=True),
        ]
    )
    return tmp_path / "data"


def an_outbox(*servers: dict[str, str]) -> OutboxRun:
    outbox = OutboxRun(servers=lambda: list(servers))
    outbox.refresh()
    until_idle(outbox)
    return outbox


def written(folder: Path, identity: Identity = Identity.KEEP, count: int = 2) -> Written:
    make_objects(folder, count, removed="YES" if identity is Identity.DEIDENTIFY else None)
    files = tuple(path.name for path in result_objects(folder))
    return Written(folder=folder, identity=identity, files=files, job_id="0123456789ab")


def a_server(name: str = "Archive at home", port: int = 104) -> dict[str, str]:
    return {
        "name": name,
        "host": "127.0.0.1",
        "port": str(port),
        "ae_title": "ARCHIVE",
        "calling_ae_title": "READER",
    }


def send(outbox: OutboxRun, what: Written, peer: str) -> None:
    outbox.choose_peer(peer)
    outbox.send(what)
    until_idle(outbox)


def test_what_was_written_is_sent_and_proved(tmp_path: Path) -> None:
    outbox = an_outbox()
    assert [(one.name, one.research) for one in outbox.state.peers] == [("ward", False), ("study", True)]
    send(outbox, written(tmp_path / "out"), "ward")
    assert outbox.state.message == "2 sent, 2 arrived.", outbox.state.message
    assert [(one.state, one.destination) for one in outbox.state.deliveries] == [("proved", "ward")] * 2
    assert len(list((tmp_path / "ward").rglob("*.dcm"))) == 2
    assert not outbox.is_waiting


def test_sending_the_same_again_sends_nothing_twice(tmp_path: Path) -> None:
    outbox, what = an_outbox(), written(tmp_path / "out")
    send(outbox, what, "ward")
    send(outbox, what, "ward")
    assert outbox.state.message == "0 sent, 0 arrived, 2 known already."


@pytest.mark.parametrize(
    ("identity", "peer", "reason"),
    [
        (Identity.DEIDENTIFY, "ward", "pseudonymous result is refused by a destination that is not marked research"),
        (Identity.KEEP, "study", "identified result is refused by a destination that is marked research"),
    ],
)
def test_the_two_routes_never_cross(tmp_path: Path, identity: Identity, peer: str, reason: str) -> None:
    outbox, what = an_outbox(), written(tmp_path / "out", identity)
    outbox.choose_peer(peer)
    assert reason in outbox.obstacle(what)
    assert not outbox.can_send(what)
    outbox.send(what)
    assert not outbox.busy
    other = "study" if peer == "ward" else "ward"
    send(outbox, what, other)
    assert {one.state for one in outbox.state.deliveries} == {"proved"}


def test_a_file_that_contradicts_its_route_is_refused_by_the_outbox_itself(tmp_path: Path) -> None:
    outbox, what = an_outbox(), written(tmp_path / "out")
    make_object(tmp_path / "out", 9, removed="YES")
    send(outbox, what, "ward")
    assert outbox.state.phase is Phase.FAILED
    assert "PatientIdentityRemoved" in outbox.state.message
    outbox.refresh()
    until_idle(outbox)
    assert outbox.state.deliveries == ()


def test_a_server_of_slicers_is_a_clinical_destination_and_noted_when_something_is_sent(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with peers_path().open("a", encoding="utf-8") as stream:
        stream.write("\n# mine\n")
    server = a_server(port=port)
    outbox = an_outbox(server)
    found = outbox.state.peers[-1]
    assert (found.name, found.research, found.is_slicers) == ("archive-at-home", False, True)
    assert "archive-at-home" not in load_peers(), "looking changes nothing"
    send(outbox, written(tmp_path / "out"), found.name)
    noted = load_peers()["archive-at-home"]
    assert (noted.host, noted.port, noted.ae_title, noted.calling_ae_title) == ("127.0.0.1", port, "ARCHIVE", "READER")
    assert "# mine" in peers_path().read_text(encoding="utf-8")
    assert [one.name for one in outbox.state.peers] == ["ward", "study", "archive-at-home"]
    assert "2 waiting" in outbox.state.message
    assert {(one.state, one.tries) for one in outbox.state.deliveries} == {("queued", 1)}
    assert all(one.wait > 0 and one.reason for one in outbox.state.deliveries)
    assert outbox.is_waiting


def test_two_servers_of_one_name_are_two_destinations_and_one_without_an_address_is_none() -> None:
    outbox = an_outbox(a_server(port=104), a_server(port=105), a_server(port=104), {**a_server(), "port": "none"})
    assert [one.name for one in outbox.state.peers[2:]] == ["archive-at-home", "archive-at-home-2"]


def test_what_was_refused_is_tried_again_or_removed_and_what_waits_is_not(tmp_path: Path) -> None:
    outbox, what = an_outbox(), written(tmp_path / "out", count=1)
    send(outbox, what, "ward")
    (one,) = outbox.state.deliveries
    outbox.retry([one])
    assert not outbox.busy, "what has arrived is not sent again"
    outbox.forget([one])
    until_idle(outbox)
    assert outbox.state.message == "1 removed."
    assert outbox.state.deliveries == ()


def test_an_object_whose_destination_changed_its_mark_is_refused_and_can_be_queued_again(tmp_path: Path) -> None:
    outbox, what = an_outbox(), written(tmp_path / "out", count=1)
    (tmp_path / "ward").rmdir()
    send(outbox, what, "ward")
    assert {one.state for one in outbox.state.deliveries} == {"queued"}
    outbox.forget(outbox.state.deliveries)
    assert not outbox.busy, "what waits is not removed"
    (tmp_path / "ward").mkdir()
    ward = load_peers()["ward"]
    save_peers([Peer(name="ward", kind="folder", path=ward.path, research=True)])
    _make_due()
    outbox.deliver()
    until_idle(outbox)
    (one,) = outbox.state.deliveries
    assert (one.state, "marked research" in one.reason) == ("refused", True), outbox.state.message
    save_peers([ward])
    outbox.retry([one])
    until_idle(outbox)
    assert outbox.state.message == "1 waiting again."
    outbox.deliver()
    until_idle(outbox)
    assert outbox.state.deliveries[0].state == "proved"


def _make_due() -> None:
    from slicermedai.pacs.outbox import Outbox, State

    with Outbox() as outbox:
        for one in outbox.deliveries():
            outbox.update(one, State.QUEUED, next_try=0.0)


def test_a_destination_that_is_in_no_list_any_more_is_named(tmp_path: Path) -> None:
    outbox = an_outbox()
    (tmp_path / "ward").rmdir()
    send(outbox, written(tmp_path / "out", count=1), "ward")
    peers_path().unlink()
    outbox.deliver()
    until_idle(outbox)
    assert "ward: not in peers.toml any more" in outbox.state.message
    assert outbox.obstacle(written(tmp_path / "out", count=1)).startswith("Add a destination")


def test_what_hinders_each_destination_is_told_beside_the_one_that_is_in_no_list_any_more(tmp_path: Path) -> None:
    """None of them hides another."""
    gone = [Peer(name=name, kind="folder", path=str(tmp_path / name)) for name in ("attic", "cellar", "ward")]
    save_peers(gone)
    (tmp_path / "ward").rmdir()
    outbox, what = an_outbox(), written(tmp_path / "out", count=1)
    for peer in gone:
        send(outbox, what, peer.name)
    save_peers(gone[1:])
    _make_due()
    outbox.deliver()
    until_idle(outbox)
    told = outbox.state.message
    assert told.startswith("0 sent, 0 arrived, 3 waiting. "), told
    assert told.count("the folder is not there") == 2
    assert "cellar: " in told
    assert "ward: " in told
    assert told.endswith(" attic: not in peers.toml any more.")


def test_without_dicom_there_is_nothing_to_send(tmp_path: Path) -> None:
    outbox = an_outbox()
    assert outbox.obstacle(None) == "Write something first."
    table = Written(folder=tmp_path, identity=Identity.KEEP, files=("findings.csv",))
    assert "archives take DICOM objects alone" in outbox.obstacle(table)


def test_stopping_a_sending_loses_nothing(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        server = a_server(port=silent.getsockname()[1])
        outbox, what = an_outbox(server), written(tmp_path / "out")
        outbox.choose_peer("archive-at-home")
        outbox.send(what)
        assert until(lambda: outbox.state.stage == "queue" and "archive-at-home" in load_peers(), outbox)
        assert until(lambda: len(_queued()) == 2, outbox), "they are kept before the network is touched"
        outbox.cancel()
        assert until(lambda: outbox.state.phase is not Phase.STOPPING, outbox, seconds=2.0)
        until_idle(outbox)
    assert "waits in the outbox" in outbox.state.message
    assert {one.state for one in outbox.state.deliveries} <= {"queued", "sending"}
    assert len(outbox.state.deliveries) == 2


def _queued() -> list[str]:
    from slicermedai.pacs.outbox import Outbox

    with Outbox() as outbox:
        return [one.ref.sop_instance_uid for one in outbox.deliveries()]


def test_a_child_that_dies_is_told(tmp_path: Path) -> None:
    outbox = an_outbox()
    outbox.refresh()
    os.kill(outbox._working._process.pid, signal.SIGKILL)
    until_idle(outbox)
    assert outbox.state.phase is Phase.FAILED


class Settings:
    """As far as Slicer's list is concerned."""

    def __init__(self, **values: object) -> None:
        self.values = {name.replace("_", "/"): value for name, value in values.items()}

    def value(self, name: str) -> object:
        return self.values.get(name)


class Bytes:
    """A QByteArray, as PythonQt hands it out."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def data(self) -> bytes:
        return self.raw


NODE = {"Name": "A", "Address": "pacs.example", "Port": "104", "Called AETitle": "PACS", "Calling AETitle": "ME"}


@pytest.mark.parametrize("node", [NODE, json.dumps(NODE), json.dumps(NODE).encode(), Bytes(json.dumps(NODE).encode())])
def test_slicers_list_is_read_in_every_form_that_it_was_ever_kept_in(node: object) -> None:
    settings = Settings(DICOM_ServerNodeCount="1")
    settings.values["DICOM/ServerNodes/0"] = node
    told = {"name": "A", "host": "pacs.example", "port": "104", "ae_title": "PACS", "calling_ae_title": "ME"}
    assert slicers_servers(settings) == [told]


@pytest.mark.parametrize("node", [None, "torn {", 5, "[1]", {"Name": "no address"}, b"\xff"])
def test_what_is_torn_in_slicers_list_is_left_out(node: object) -> None:
    settings = Settings(DICOM_ServerNodeCount=1)
    settings.values["DICOM/ServerNodes/0"] = node
    assert slicers_servers(settings) == []
    assert slicers_servers(Settings(DICOM_ServerNodeCount="many")) == []


def test_the_packages_that_are_offered_are_those_of_the_extra() -> None:
    root = Path(__file__).resolve().parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    lines = (root / "SlicerMedAI" / "Resources" / "requirements-pacs.txt").read_text(encoding="utf-8").splitlines()
    assert sorted(line for line in lines if line and not line.startswith("#")) == sorted(extras["pacs"])
