"""What comes in is run when it is complete, by rule; one bad study never holds up the rest, and nothing is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage

from slicermedai.dicom.file_list import load_file_list
from slicermedai.errors import (
    DiskFullError,
    IdentityError,
    InputError,
    OutboxError,
    PeerUnreachableError,
    UnknownPeerError,
)
from slicermedai.pacs import receive
from slicermedai.pacs.folder import FolderStore
from slicermedai.pacs.inbox import Inbox, Stage, Task, sender_folder
from slicermedai.pacs.inbox_poll import Poller
from slicermedai.pacs.inbox_rules import Rule, Rules, Series, load_rules
from slicermedai.pacs.objects import read_object
from slicermedai.pacs.outbox import Outbox
from slicermedai.pacs.peers import Peer, open_store, save_peers
from slicermedai.pacs.store import Pace, SendItem, Verdict
from Testing.pacs.objects import make_object, make_objects, uid_of
from Testing.pacs.orthanc import Orthanc, free_port

LIBRARY = Path(__file__).resolve().parents[2] / "SlicerMedAI"
ORDER = (
    "MSH|^~\\&|RIS|HOSPITAL|MEDAI||20260102||ORM^O01|C1|P|2.5.1\r"
    "PID|1||MEDAI-1^^^H||Invented^Person\rORC|NW\rOBR|1|P1|F1|MRB^MR brain||||||||||||||A-1\r"
)


class Clock:
    now = 1_767_340_800.0  # 2026-01-02

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def a_clock() -> Clock:
    return Clock()


@pytest.fixture
def a_shelf(tmp_path: Path) -> Peer:
    (tmp_path / "shelf").mkdir()
    peer = Peer(name="shelf", kind="folder", path=str(tmp_path / "shelf"))
    save_peers([peer])
    return peer


def rules(**more: object) -> Rules:
    rule = Rule(name="MR", modality="MR", bundle="brain", destination="shelf")
    return Rules(**{"rules": (rule,), "quiet_seconds": 10.0, "most_tries": 2, **more})  # type: ignore[arg-type]  # passed on


@pytest.fixture
def an_inbox(a_clock: Clock, a_shelf: Peer) -> Iterator[Inbox]:
    with Inbox(rules(), clock=a_clock) as made, made.running():
        yield made


def receive_files(inbox: Inbox, paths: list[Path], sender: str = "SCANNER1") -> None:
    """As the storage SCP leaves them."""
    place = inbox.incoming / sender_folder(sender)
    place.mkdir(parents=True, exist_ok=True)
    for path in paths:
        (place / path.name).write_bytes(path.read_bytes())


def results(task: Task) -> None:
    """A model that finds one thing."""
    source = dcmread(load_file_list(task.source)[0])
    made = make_object(
        task.output / "dicom", 900, sop_class="1.2.840.10008.5.1.4.1.1.66.4", study=source.StudyInstanceUID
    )
    assert made.exists()


def states(inbox: Inbox) -> list[str]:
    return [str(one.state) for one in inbox.studies()]


def test_a_study_runs_when_nothing_has_come_for_a_while(
    an_inbox: Inbox, an_outbox: Outbox, a_clock: Clock, tmp_path: Path
) -> None:
    tasks: list[Task] = []

    def submit(task: Task) -> None:
        tasks.append(task)
        results(task)

    paths = make_objects(tmp_path / "in", 3)
    receive_files(an_inbox, paths[:2])
    assert an_inbox.collect() == 2
    a_clock.now += 9
    assert an_inbox.step(submit, an_outbox) is None
    receive_files(an_inbox, paths[2:])
    an_inbox.collect()
    a_clock.now += 9
    assert an_inbox.step(submit, an_outbox) is None, "the third came late, and the quiet time began anew"
    a_clock.now += 2
    done = an_inbox.step(submit, an_outbox)
    assert done is not None
    assert (done.state, done.sender) == (Stage.DONE, "SCANNER1")
    assert [(task.bundle, task.identity) for task in tasks] == [("brain", "keep")]
    assert {path.stem for path in load_file_list(tasks[0].source)} == {uid_of(path) for path in paths}
    assert [(one.destination, str(one.state)) for one in an_outbox.deliveries()] == [("shelf", "queued")]
    assert an_inbox.step(submit, an_outbox) is None


def test_a_study_that_is_short_of_objects_waits_and_is_then_set_aside(
    an_inbox: Inbox, an_outbox: Outbox, a_clock: Clock, tmp_path: Path
) -> None:
    receive_files(an_inbox, make_objects(tmp_path / "in", 2))
    an_inbox.collect()
    a_clock.now += 20
    assert an_inbox.step(results, an_outbox, expected=lambda uid: 3) is None
    assert an_inbox.studies()[0].reason == "incomplete: 2 of 3 objects"
    a_clock.now += 4000
    assert an_inbox.step(results, an_outbox, expected=lambda uid: 3) is None
    assert states(an_inbox) == ["set aside"]
    receive_files(an_inbox, [make_object(tmp_path / "in", 3)])
    an_inbox.collect()
    a_clock.now += 20
    done = an_inbox.step(results, an_outbox, expected=lambda uid: 3)
    assert done is not None
    assert done.state is Stage.DONE


def test_the_inbox_of_an_older_version_with_a_column_more_goes_on(
    an_inbox: Inbox, an_outbox: Outbox, a_clock: Clock, tmp_path: Path
) -> None:
    with an_inbox.ledger.change() as change:
        change.execute("ALTER TABLE study ADD COLUMN expected INTEGER NOT NULL DEFAULT 0")
    receive_files(an_inbox, [make_object(tmp_path / "in")])
    an_inbox.collect()
    a_clock.now += 20
    done = an_inbox.step(results, an_outbox)
    assert done is not None
    assert done.state is Stage.DONE


def test_an_archive_that_cannot_say_how_many_holds_a_study_back(
    an_inbox: Inbox, an_outbox: Outbox, a_clock: Clock, tmp_path: Path
) -> None:
    def unknown(uid: str) -> int | None:
        raise PeerUnreachableError("gone")

    receive_files(an_inbox, [make_object(tmp_path)])
    an_inbox.collect()
    a_clock.now += 20
    assert an_inbox.step(results, an_outbox, expected=unknown) is None
    assert "nobody can say" in an_inbox.studies()[0].reason
    a_clock.now += 20
    assert an_inbox.step(results, an_outbox, expected=lambda uid: None) is not None


@pytest.mark.parametrize("error", [DiskFullError("full"), ValueError("MEDAI-1 is the patient")])
def test_a_poison_study_is_set_aside_and_the_rest_goes_on(
    an_inbox: Inbox, an_outbox: Outbox, a_clock: Clock, tmp_path: Path, error: Exception
) -> None:
    def submit(task: Task) -> None:
        if dcmread(load_file_list(task.source)[0]).StudyInstanceUID == "1.2.1":
            raise error
        results(task)

    for study in ("1.2.1", "1.2.2"):
        receive_files(an_inbox, [make_object(tmp_path, study=study)])
        an_inbox.collect()
        a_clock.now += 1
    a_clock.now += 20
    seen = [an_inbox.step(submit, an_outbox) for _ in range(3)]
    assert [one and str(one.state) for one in seen] == ["receiving", "done", None]
    a_clock.now += 100
    an_inbox.step(submit, an_outbox)
    assert states(an_inbox) == ["set aside", "done"]
    reason = an_inbox.studies()[0].reason
    assert reason.startswith("set aside after 2 tries: ")
    assert "MEDAI-1" not in reason
    assert an_inbox.retry(an_inbox.studies()[0].key) == 1
    a_clock.now += 100
    assert str(an_inbox.step(results, an_outbox).state) == "done"  # type: ignore[union-attr]  # it ran


def test_a_study_that_kills_its_process_is_set_aside_too(a_clock: Clock, a_shelf: Peer, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from slicermedai.pacs.inbox import Inbox; from slicermedai.pacs.outbox import Outbox\n"
        "from Testing.pacs.test_inbox import Clock, rules\n"
        "clock = Clock(); clock.now += float(sys.argv[1])\n"
        "with Inbox(rules(), clock=clock) as box, box.running(), Outbox() as out:\n"
        "    box.step(lambda task: os.kill(os.getpid(), signal.SIGKILL), out)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(LIBRARY), str(LIBRARY.parent)])}
    with Inbox(rules(), clock=a_clock) as inbox:
        receive_files(inbox, [make_object(tmp_path)])
        inbox.collect()
        seen = []
        for later in (20, 200, 2000):
            done = subprocess.run([sys.executable, "-c", code, str(later)], env=environment)
            seen.append((done.returncode, states(inbox)[0]))
        assert seen == [(-9, "running"), (0, "receiving"), (-9, "running")]
        with inbox.running():
            assert states(inbox) == ["set aside"]
            assert inbox.studies()[0].reason == "set aside after 2 tries: its process died"


def test_stopping_is_no_fault_of_the_study(an_inbox: Inbox, an_outbox: Outbox, a_clock: Clock, tmp_path: Path) -> None:
    def stop(task: Task) -> None:
        raise KeyboardInterrupt

    receive_files(an_inbox, [make_object(tmp_path)])
    an_inbox.collect()
    a_clock.now += 20
    with pytest.raises(KeyboardInterrupt):
        an_inbox.step(stop, an_outbox)
    assert [(one.state, one.tries) for one in an_inbox.studies()] == [(Stage.RECEIVING, 0)]


def test_late_objects_make_a_new_run(an_inbox: Inbox, an_outbox: Outbox, a_clock: Clock, tmp_path: Path) -> None:
    counts: list[int] = []

    def submit(task: Task) -> None:
        counts.append(len(load_file_list(task.source)))
        task.output.mkdir(parents=True)

    for number in (1, 2):
        receive_files(an_inbox, [make_object(tmp_path, number)])
        an_inbox.collect()
        a_clock.now += 20
        an_inbox.step(submit, an_outbox)
    receive_files(an_inbox, [make_object(tmp_path, 1)])
    an_inbox.collect()
    a_clock.now += 20
    assert an_inbox.step(submit, an_outbox) is None, "the same object once more is nothing new"
    assert counts == [1, 2]


def test_what_is_no_object_or_another_one_under_its_uid_is_kept_apart(an_inbox: Inbox, tmp_path: Path) -> None:
    path, other = make_object(tmp_path / "a"), make_object(tmp_path / "b", text="TWO")
    (tmp_path / "c.dcm").write_text("no image")
    receive_files(an_inbox, [path])
    an_inbox.collect()
    receive_files(an_inbox, [other, tmp_path / "c.dcm"])
    an_inbox.collect()
    assert len(list((an_inbox.folder / "rejected").iterdir())) == 2
    (kept,) = an_inbox.objects(an_inbox.studies()[0].key).iterdir()
    assert kept.read_bytes() == path.read_bytes()


def test_a_study_that_no_rule_wants_is_ignored(
    an_inbox: Inbox, an_outbox: Outbox, a_clock: Clock, tmp_path: Path
) -> None:
    receive_files(an_inbox, [make_object(tmp_path, sop_class="1.2.840.10008.5.1.4.1.1.2")])
    an_inbox.collect()
    a_clock.now += 20
    done = an_inbox.step(results, an_outbox)
    assert done is not None
    assert (done.state, done.reason) == (Stage.IGNORED, "no rule matches")


def test_what_is_done_with_is_removed_and_what_was_set_aside_stays(
    an_inbox: Inbox, an_outbox: Outbox, a_clock: Clock, tmp_path: Path
) -> None:
    def fail_one(task: Task) -> None:
        if dcmread(load_file_list(task.source)[0]).StudyInstanceUID == "1.2.1":
            raise DiskFullError("full")
        results(task)

    for study in ("1.2.1", "1.2.2"):
        receive_files(an_inbox, [make_object(tmp_path, study=study)])
    an_inbox.collect()
    for _ in range(4):
        a_clock.now += 100
        an_inbox.step(fail_one, an_outbox)
    assert sorted(states(an_inbox)) == ["done", "set aside"]
    assert an_inbox.sweep() == 0
    a_clock.now += 8 * 24 * 3600
    assert an_inbox.sweep() == 1
    assert states(an_inbox) == ["set aside"]
    assert len(list((an_inbox.folder / "studies").iterdir())) == 1
    assert len(list((an_inbox.folder / "runs").iterdir())) == 1


def test_only_one_process_runs_it(an_inbox: Inbox) -> None:
    with Inbox(rules()) as other, pytest.raises(OutboxError, match="another process"), other.running():
        pass


def test_what_is_received_is_on_disk_before_it_is_answered_for(an_inbox: Inbox, tmp_path: Path) -> None:
    """A real C-STORE to our own SCP; the association says who sent it."""

    def place(sender: str, uid: str) -> Path:
        return an_inbox.incoming / sender_folder(sender) / f"{uid}.dcm"

    kept: list[tuple[str, bytes]] = []
    handler = receive.storing(place, lambda sender, path: kept.append((sender, path.read_bytes())))
    path = make_object(tmp_path)
    listener = receive.Listener(port=0, ae_title="MEDAI", host="127.0.0.1", senders=("SCANNER1",))
    with receive.listening(listener, [(receive.STORE, handler)]) as port:
        peer = Peer(name="us", kind="dimse", host="127.0.0.1", port=port, ae_title="MEDAI", calling_ae_title="SCANNER1")
        items = [SendItem(file=path, ref=read_object(path))]
        assert [one.verdict for one in open_store(peer).send(items)] == [Verdict.ACCEPTED]
        stranger = Peer(name="us", kind="dimse", host="127.0.0.1", port=port, ae_title="MEDAI", calling_ae_title="X")
        from slicermedai.errors import PeerRefusedError

        with pytest.raises(PeerRefusedError, match="Calling AE title not recognised"):
            open_store(stranger).echo()
    assert [sender for sender, _ in kept] == ["SCANNER1"]
    assert an_inbox.collect() == 1
    assert an_inbox.studies()[0].sender == "SCANNER1"


def test_a_receiver_without_space_says_so(tmp_path: Path) -> None:
    def place(sender: str, uid: str) -> Path:
        raise DiskFullError("full")

    path = make_object(tmp_path)
    listener = receive.Listener(port=0, ae_title="MEDAI", host="127.0.0.1")

    def full(sender: str, path: Path) -> None:
        raise DiskFullError("full")

    handler = receive.storing(lambda sender, uid: tmp_path / "kept" / f"{uid}.dcm", full)
    with receive.listening(listener, [(receive.STORE, handler)]) as port:
        peer = Peer(name="us", kind="dimse", host="127.0.0.1", port=port, ae_title="MEDAI")
        (outcome,) = open_store(peer).send([SendItem(file=path, ref=read_object(path))])
    assert (outcome.verdict, outcome.reason) == (Verdict.FAILED, "out of resources")


@pytest.mark.parametrize("kind", ["dimse", "web"])
def test_an_archive_is_asked_and_a_study_fetched_when_it_stops_growing(
    an_archive: Orthanc, an_inbox: Inbox, a_clock: Clock, tmp_path: Path, kind: str
) -> None:
    store = open_store(an_archive.web() if kind == "web" else an_archive.dimse())
    poller = Poller(an_inbox, store, "archive")
    paths = make_objects(tmp_path / "in", 3)
    items = [SendItem(file=path, ref=read_object(path)) for path in paths]
    list(store.send(items[:2]))
    assert poller.poll() == 0, "it may still grow"
    a_clock.now += 11
    list(store.send(items[2:]))
    assert poller.poll() == 0, "it has grown"
    a_clock.now += 11
    assert poller.poll() == 1
    assert poller.poll() == 0, "it is fetched once"
    assert an_inbox.collect() == 3
    assert an_inbox.studies()[0].sender == "archive"
    assert poller.expected(an_inbox.studies()[0].uid) == 3
    assert poller.expected("1.2.3.4") is None


def test_a_study_that_comes_short_is_not_taken_in(
    an_inbox: Inbox, a_clock: Clock, a_shelf: Peer, tmp_path: Path
) -> None:
    class Short(FolderStore):
        is_short = True

        def retrieve(self, study_uid: str, folder: Path, *, pace: Pace) -> None:
            super().retrieve(study_uid, folder, pace=pace)
            if self.is_short:
                next(folder.glob("*.dcm")).unlink()

    store = Short(Path(a_shelf.path))
    paths = make_objects(tmp_path / "in", 2)
    list(store.send([SendItem(file=path, ref=read_object(path)) for path in paths]))
    poller = Poller(an_inbox, store, "shelf")
    poller.poll()
    a_clock.now += 11
    assert (poller.poll(), an_inbox.collect()) == (0, 0)
    store.is_short = False
    assert (poller.poll(), an_inbox.collect()) == (1, 2)


def test_a_series_that_is_done_is_not_run_again_for_the_sake_of_another(
    an_inbox: Inbox, an_outbox: Outbox, a_clock: Clock, tmp_path: Path
) -> None:
    ran: list[str] = []

    def submit(task: Task) -> None:
        ran.append(str(dcmread(load_file_list(task.source)[0]).SOPClassUID))
        if len(ran) == 2:
            raise DiskFullError("full")
        task.output.mkdir()

    both = [make_object(tmp_path, sop_class=one) for one in (MRImageStorage, EnhancedMRImageStorage)]
    an_inbox.rules = rules(rules=(Rule(name="all", bundle="brain"),))
    receive_files(an_inbox, both)
    an_inbox.collect()
    for _ in range(2):
        a_clock.now += 100
        an_inbox.step(submit, an_outbox)
    assert states(an_inbox) == ["done"]
    assert len(ran) == 3
    assert ran[1] == ran[2] != ran[0]


def test_an_order_fetches_its_study_when_it_is_there(
    an_archive: Orthanc, an_inbox: Inbox, a_clock: Clock, tmp_path: Path
) -> None:
    store = open_store(an_archive.web())
    poller = Poller(an_inbox, store, "archive")
    poller.orders.mkdir()
    final = ORDER.replace("ORM^O01", "ORU^R01").replace("A-1\r", "A-1|||||||F\r")
    (poller.orders / "1.hl7").write_bytes(final.encode())
    (poller.orders / "2.hl7").write_bytes(ORDER.replace("ORC|NW", "ORC|CA").encode())
    assert poller.follow_orders() == 0
    assert [path.name for path in poller.orders.iterdir()] == ["1.hl7"], "the cancelled one is dropped"
    path = make_object(tmp_path)
    list(store.send([SendItem(file=path, ref=read_object(path))]))
    assert poller.follow_orders() == 1, "a final report need not wait"
    assert list(poller.orders.iterdir()) == []
    assert an_inbox.collect() == 1


def test_an_order_is_kept_until_all_that_it_names_is_here(
    an_inbox: Inbox, a_clock: Clock, a_shelf: Peer, tmp_path: Path
) -> None:
    """Two studies under one accession number, one of them still growing, and a third under its own."""
    store = open_store(a_shelf)
    poller = Poller(an_inbox, store, "shelf")
    poller.orders.mkdir()
    second = "ORC|NW\rOBR|2|P2|F2|MRB^MR brain||||||||||||||A-2\r"
    (poller.orders / "1.hl7").write_bytes((ORDER + second).encode())

    def put(number: int, study: str, accession: str = "A-1") -> None:
        path = make_object(tmp_path, number, study=study, accession=accession)
        list(store.send([SendItem(file=path, ref=read_object(path))]))

    def follow() -> tuple[int, int]:
        a_clock.now += 11
        return poller.follow_orders(), len(list(poller.orders.iterdir()))

    put(1, "1.2.1")
    assert follow() == (0, 1), "it may still grow"
    put(1, "1.2.2")
    assert follow() == (1, 1), "the second was only just seen"
    put(2, "1.2.2")
    assert follow() == (0, 1), "the second has grown"
    assert follow() == (1, 1), "the other accession number has nothing yet"
    put(1, "1.2.3", "A-2")
    assert follow() == (0, 1)
    assert follow() == (1, 0)
    assert an_inbox.collect() == 4


def test_an_order_whose_study_was_fetched_before_is_done(
    an_inbox: Inbox, a_clock: Clock, a_shelf: Peer, tmp_path: Path
) -> None:
    store, path = open_store(a_shelf), make_object(tmp_path)
    list(store.send([SendItem(file=path, ref=read_object(path))]))
    poller = Poller(an_inbox, store, "shelf")
    poller.poll()
    a_clock.now += 11
    assert poller.poll() == 1
    poller.orders.mkdir()
    (poller.orders / "1.hl7").write_bytes(ORDER.encode())
    assert (poller.follow_orders(), list(poller.orders.iterdir())) == (0, [])


GOOD = """
quiet_seconds = 5
[listen]
port = 11112
senders = ["S1", "S2"]
[poll]
peer = "shelf"
[[rule]]
name = "brain"
modality = "MR"
description = ".*t1.*"
bundle = "brain"
destination = "shelf"
[[rule]]
name = "rest"
sender = "shelf"
bundle = "other"
identity = "deidentify"
"""


def test_rules_are_read_from_one_file_and_the_first_that_fits_is_taken(a_shelf: Peer, tmp_path: Path) -> None:
    (tmp_path / "inbox.toml").write_text(GOOD)
    made = load_rules(tmp_path / "inbox.toml")
    assert (made.quiet_seconds, made.listen.senders, made.poll.peer) == (5, ("S1", "S2"), "shelf")

    def choose(**more: str) -> str | None:
        plain = {"uid": "1", "modality": "MR", "body_part": "", "description": "AX T1 MPRAGE", "sender": "S1"}
        rule = made.choose(Series(**{**plain, **more}, files=()))
        return rule and rule.name

    assert choose() == "brain"
    assert choose(modality="CT") is None
    assert choose(description="T2") is None
    assert choose(modality="MRX") is None, "the whole value must fit"
    assert choose(modality="CT", sender="SHELF") == "rest"


@pytest.mark.parametrize(
    ("change", "error", "named"),
    [
        (("[[rule]]", "[[rul]]"), InputError, "rule"),
        (('bundle = "brain"', ""), InputError, "rule 1 bundle"),
        (('modality = "MR"', "modality = 3"), InputError, "rule 1 modality"),
        (('modality = "MR"', 'modality = "("'), InputError, "rule brain modality"),
        (("quiet_seconds", "quite_seconds"), InputError, "quite_seconds"),
        (("port = 11112", 'port = "x"'), InputError, "listen port"),
        (("port = 11112", "hl7_port = 2575"), None, ""),
        (('[poll]\npeer = "shelf"', "[poll]\n[listen.x]"), InputError, "listen x"),
        (("port = 11112", "hl7_port = 2575\n[poll]\n[x]"), InputError, "inbox.toml"),
        (('destination = "shelf"', 'destination = "nowhere"'), UnknownPeerError, "nowhere"),
        (('destination = "shelf"', 'destination = "shelf"\nidentity = "deidentify"'), IdentityError, "destination"),
        (('identity = "deidentify"', 'identity = "hide"'), InputError, "rule rest identity"),
    ],
)
def test_a_rule_that_cannot_be_is_named(
    a_shelf: Peer, tmp_path: Path, change: tuple[str, str], error: type[Exception] | None, named: str
) -> None:
    path = tmp_path / "inbox.toml"
    path.write_text(GOOD.replace(*change))
    if error is None:
        load_rules(path)
        return
    with pytest.raises(error, match=named):
        load_rules(path)


def test_the_command_takes_a_study_from_the_wire_to_its_state(a_home: Path, a_shelf: Peer, tmp_path: Path) -> None:
    """No model fits a CT here, so it is ignored by name; a scanner's C-STORE and an order over MLLP are real."""
    port, hl7_port = free_port(), free_port()
    (a_home / "inbox.toml").write_text(
        f'quiet_seconds = 0.2\n[listen]\nport = {port}\nhost = "127.0.0.1"\nhl7_port = {hl7_port}\n'
        '[poll]\npeer = "shelf"\nevery_seconds = 0.2\n'
        '[[rule]]\nname = "MR"\nmodality = "MR"\nbundle = "none"\ndestination = "shelf"\n'
    )
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY), "PYTHONUNBUFFERED": "1"}
    words = [sys.executable, "-m", "slicermedai", "inbox"]
    process = subprocess.Popen([*words, "run"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        _await(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None)
        path = make_object(tmp_path, sop_class="1.2.840.10008.5.1.4.1.1.2", study="1.2.77")
        peer = Peer(name="us", kind="dimse", host="127.0.0.1", port=port, ae_title="SLICERMEDAI")
        assert [one.verdict for one in open_store(peer).send([SendItem(file=path, ref=read_object(path))])] == [
            "accepted"
        ]
        assert b"MSA|AA|C1|" in _say_hl7(hl7_port, ORDER.encode())
        assert b"MSA|AE|" in _say_hl7(hl7_port, b"MSH|^~\\&|RIS|||||||X")

        def listed() -> str:
            done = subprocess.run([*words, "list"], env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return done.stdout

        _await(lambda: "ignored  0 tries" not in listed() and "no rule matches" in listed())
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(20)
        process.communicate()
    assert code == 130
    assert len(list((a_home / "inbox" / "orders").glob("*.hl7"))) == 1, "its study is not there yet"


def _await(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            if true():
                return
        except OSError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _say_hl7(port: int, message: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.sendall(b"\x0b" + message + b"\x1c\r")
        answer = b""
        while b"\x1c\r" not in answer and (piece := line.recv(4096)):
            answer += piece
    return answer
