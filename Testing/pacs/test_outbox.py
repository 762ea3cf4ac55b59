"""The outbox loses nothing, sends nothing twice, and calls nothing sent that is not proved."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from pydicom import uid

from slicermedai.audit.log import log_path, verify
from slicermedai.domain.study import Identity
from slicermedai.errors import (
    ConflictError,
    DiskFullError,
    IdentityError,
    JobCancelled,
    OutboxError,
    PeerRefusedError,
    PeerUnreachableError,
    UnreadableFileError,
)
from slicermedai.pacs.deliver import Patience, deliver
from slicermedai.pacs.folder import CONFIGURATION
from slicermedai.pacs.objects import ObjectRef, read_object
from slicermedai.pacs.outbox import OPEN, Added, Outbox, State
from slicermedai.pacs.peers import Peer, open_store
from slicermedai.pacs.store import Level, Outcome, Pace, Record, SendItem, Store, Verdict
from Testing.pacs.objects import make_object, make_objects, uid_of

KEEP = Identity.KEEP
LABELMAP = "1.2.840.10008.5.1.4.1.1.66.7"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def a_clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(a_clock: Clock) -> Patience:
    return Patience(base=10.0, cap=100.0, faults=3, looks=2, batch=2, chance=lambda: 1.0, clock=a_clock)


@pytest.fixture
def a_shelf(tmp_path: Path) -> Peer:
    (tmp_path / "shelf").mkdir()
    return Peer(name="shelf", kind="folder", path=str(tmp_path / "shelf"))


def settings(peer: Peer, text: str) -> None:
    (Path(peer.path) / CONFIGURATION).write_text(text)


def states(outbox: Outbox) -> dict[str, str]:
    return {one.ref.sop_instance_uid: str(one.state) for one in outbox.deliveries()}


class Unreachable:
    """A store whose line is cut after ``before`` answers; the one on its way is told of."""

    def __init__(self, inner: Store, before: int) -> None:
        self._inner, self._before = inner, before

    def echo(self) -> None:
        self._inner.echo()

    def send(self, items: Sequence[SendItem]) -> Iterator[Outcome]:
        for number, outcome in enumerate(self._inner.send(items)):
            if number == self._before:
                yield dataclasses.replace(outcome, verdict=Verdict.FAILED, reason="cut", unsure=True)
                raise PeerUnreachableError("the line was cut")
            yield outcome

    def find(self, level: Level, keys: Mapping[str, str]) -> list[Record]:
        return self._inner.find(level, keys)

    def retrieve(self, study_uid: str, folder: Path, *, pace: Pace) -> None:
        self._inner.retrieve(study_uid, folder, pace=pace)

    def verify(self, refs: Sequence[ObjectRef]) -> frozenset[str]:
        return self._inner.verify(refs)


def test_what_is_queued_is_sent_and_proved(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience
) -> None:
    paths = make_objects(tmp_path / "in", 5)
    assert an_outbox.add(paths, a_shelf, identity=KEEP, job_id="j1") == Added(new=5, known=0)
    shutil.rmtree(tmp_path / "in")
    fractions: list[float] = []
    done = deliver(
        an_outbox, a_shelf, open_store(a_shelf), patience=patience, progress=lambda stage, f: fractions.append(f)
    )
    assert (done.sent, done.proved, done.waiting, done.trouble) == (5, 5, 0, "")
    assert set(states(an_outbox).values()) == {"proved"}
    assert fractions[-1] == 1.0
    assert len(list(Path(a_shelf.path).glob("*/*/*.dcm"))) == 5


def test_queueing_again_changes_nothing_and_sends_nothing(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience
) -> None:
    paths = make_objects(tmp_path / "in", 2)
    for expected in (Added(new=2, known=0), Added(new=0, known=2)):
        assert an_outbox.add([*paths, paths[0]], a_shelf, identity=KEEP) == expected
    deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience)
    an_outbox.purge()
    assert an_outbox.add(paths, a_shelf, identity=KEEP) == Added(new=0, known=2)
    assert deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience).sent == 0


def test_other_bytes_under_the_same_uid_are_refused_and_nothing_is_queued(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path
) -> None:
    an_outbox.add([make_object(tmp_path / "a")], a_shelf, identity=KEEP)
    with pytest.raises(ConflictError, match="SOPInstanceUID"):
        an_outbox.add([make_object(tmp_path / "b", 2), make_object(tmp_path / "b", text="TWO")], a_shelf, identity=KEEP)
    assert len(an_outbox.deliveries()) == 1
    assert len(list((an_outbox.folder / "files").rglob("*.dcm"))) == 1


def test_one_file_that_may_not_go_keeps_all_back(an_outbox: Outbox, a_shelf: Peer, tmp_path: Path) -> None:
    good, pseudonymous = make_object(tmp_path, 1), make_object(tmp_path, 2, removed="YES")
    (tmp_path / "text").write_text("no image")
    with pytest.raises(IdentityError):
        an_outbox.add([good, pseudonymous], a_shelf)
    with pytest.raises(UnreadableFileError, match="text"):
        an_outbox.add([good, tmp_path / "text"], a_shelf, identity=KEEP)
    with pytest.raises(OutboxError, match="absent"):
        an_outbox.add([good, tmp_path / "absent"], a_shelf, identity=KEEP)
    assert an_outbox.deliveries() == []
    assert [path for path in (an_outbox.folder / "files").rglob("*") if path.is_file()] == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_nobody_else_may_look_into_the_outbox(an_outbox: Outbox, a_shelf: Peer, tmp_path: Path) -> None:
    an_outbox.add([make_object(tmp_path)], a_shelf, identity=KEEP)
    assert stat.S_IMODE(an_outbox.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((an_outbox.folder / "outbox.sqlite").stat().st_mode) == 0o600


def test_a_file_changed_behind_our_back_is_not_sent(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience
) -> None:
    path = make_object(tmp_path / "in")
    an_outbox.add([path], a_shelf, identity=KEEP)
    kept = an_outbox.deliveries()[0].file
    kept.write_bytes(kept.read_bytes() + b"\0\0")
    assert deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience).failed == 1
    assert "bytes were changed" in an_outbox.deliveries()[0].reason
    assert not list(Path(a_shelf.path).glob("*/*/*.dcm"))


def test_accepted_is_not_proved(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience, a_clock: Clock
) -> None:
    """A destination that says "stored", and did not, is asked again, sent again, and at last given up by name."""
    settings(a_shelf, "forget_every = 1")
    an_outbox.add([make_object(tmp_path)], a_shelf, identity=KEEP)
    seen = []
    for _ in range(8):
        deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience)
        seen.append((an_outbox.deliveries()[0].state, an_outbox.deliveries()[0].faults))
        a_clock.now += 200
    assert State.PROVED not in [state for state, _ in seen]
    assert seen[0] == (State.SENT, 0)
    assert (State.QUEUED, 1) in seen
    assert seen[-1][0] is State.FAILED
    assert "cannot be found there" in an_outbox.deliveries()[0].reason


def test_a_fault_waits_longer_each_time_and_is_set_aside_without_holding_up_the_rest(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience, a_clock: Clock
) -> None:
    poison = make_object(tmp_path, sop_class=uid.EncapsulatedPDFStorage)
    an_outbox.add([poison, *make_objects(tmp_path, 3)], a_shelf, identity=KEEP)
    settings(a_shelf, "capacity_bytes = 1")
    deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience)
    assert [round(one.next_try - a_clock.now, 3) for one in an_outbox.deliveries()] == [10.0] * 4
    assert deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience).sent == 0, "it is not due yet"
    a_clock.now += 10
    deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience)
    assert [round(one.next_try - a_clock.now, 3) for one in an_outbox.deliveries()] == [20.0] * 4
    settings(a_shelf, "")
    store = Picky(open_store(a_shelf), uid_of(poison))
    a_clock.now += 20
    deliver(an_outbox, a_shelf, store, patience=patience)
    assert sorted(states(an_outbox).values()) == ["failed", "proved", "proved", "proved"]
    assert states(an_outbox)[uid_of(poison)] == "failed"
    assert an_outbox.retry() == 1
    deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience)
    assert set(states(an_outbox).values()) == {"proved"}


class Picky(Unreachable):
    """Fails one object, again and again."""

    def __init__(self, inner: Store, uid: str) -> None:
        super().__init__(inner, -1)
        self._uid = uid

    def send(self, items: Sequence[SendItem]) -> Iterator[Outcome]:
        for item in items:
            if item.ref.sop_instance_uid == self._uid:
                yield Outcome(sop_instance_uid=self._uid, verdict=Verdict.FAILED, reason="out of resources")
            else:
                yield from self._inner.send([item])


def test_nobody_is_to_blame_where_the_destination_is_away(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience, a_clock: Clock
) -> None:
    an_outbox.add(make_objects(tmp_path / "in", 3), a_shelf, identity=KEEP)
    shelf = Path(a_shelf.path)
    shelf.rename(tmp_path / "away")
    for _ in range(6):
        done = deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience)
        assert done.waiting == 3
        a_clock.now += 100
    assert {(one.state, one.faults) for one in an_outbox.deliveries()} == {(State.QUEUED, 0)}
    assert max(one.next_try for one in an_outbox.deliveries()) <= a_clock.now + 100, "the cap holds"
    (tmp_path / "away").rename(shelf)
    assert deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience).proved == 3


def test_a_refused_association_waits(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience, a_clock: Clock
) -> None:
    settings(a_shelf, "refuse_association = true")
    an_outbox.add([make_object(tmp_path)], a_shelf, identity=KEEP)
    assert "refused" in deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience).trouble
    settings(a_shelf, "")
    a_clock.now += 10
    assert deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience).proved == 1


def test_what_was_cut_is_looked_for_before_it_is_sent_again(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience, a_clock: Clock
) -> None:
    """The second object had arrived when the line was cut: it is proved without being sent twice."""
    an_outbox.add(make_objects(tmp_path / "in", 2), a_shelf, identity=KEEP)
    done = deliver(an_outbox, a_shelf, Unreachable(open_store(a_shelf), 1), patience=patience)
    assert (done.sent, done.trouble) == (1, "the line was cut")
    cut = [one for one in an_outbox.deliveries() if one.unsure]
    assert [(one.state, one.faults) for one in cut] == [(State.QUEUED, 1)]
    a_clock.now += 10
    done = deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience)
    assert (done.sent, done.proved) == (0, 2)


def test_what_was_refused_is_not_proved_by_another_object_of_its_uid(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience, a_clock: Clock
) -> None:
    """Archives look by UID: what they find after a refusal is what they refused it for."""

    class ByUid(Unreachable):
        def verify(self, refs: Sequence[ObjectRef]) -> frozenset[str]:
            return frozenset(ref.sop_instance_uid for ref in refs)

    store = ByUid(open_store(a_shelf), -1)
    other, ours = make_object(tmp_path / "other", text="OTHER"), make_object(tmp_path / "ours")
    list(store.send([SendItem(file=other, ref=read_object(other))]))
    an_outbox.add([ours], a_shelf, identity=KEEP)
    for _ in range(2):
        deliver(an_outbox, a_shelf, store, patience=patience)
        (one,) = an_outbox.deliveries()
        assert (one.state, one.reason) == (State.REFUSED, "is there with other bytes")
        assert an_outbox.retry() == 1


@pytest.mark.parametrize("state", [State.FAILED, State.SENT])
def test_a_folder_proves_by_the_bytes(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience, state: State
) -> None:
    store = open_store(a_shelf)
    other, ours = make_object(tmp_path / "other", text="OTHER"), make_object(tmp_path / "ours")
    list(store.send([SendItem(file=other, ref=read_object(other))]))
    an_outbox.add([ours], a_shelf, identity=KEEP)
    an_outbox.update(an_outbox.deliveries()[0], state)
    an_outbox.retry()
    deliver(an_outbox, a_shelf, store, patience=patience)
    assert an_outbox.deliveries()[0].state is not State.PROVED
    shutil.rmtree(Path(a_shelf.path) / read_object(ours).study_uid)
    list(store.send([SendItem(file=ours, ref=read_object(ours))]))
    an_outbox.update(an_outbox.deliveries()[0], state, next_try=0.0)
    an_outbox.retry()
    assert deliver(an_outbox, a_shelf, store, patience=patience).proved == 1


def test_a_destination_that_cannot_be_asked_leaves_things_sent_and_says_so(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience
) -> None:
    class Mute(Unreachable):
        def verify(self, refs: Sequence[ObjectRef]) -> frozenset[str]:
            raise PeerRefusedError("no queries here")

    an_outbox.add([make_object(tmp_path)], a_shelf, identity=KEEP)
    done = deliver(an_outbox, a_shelf, Mute(open_store(a_shelf), 99), patience=patience)
    assert (done.sent, done.proved, done.waiting) == (1, 0, 1)
    assert an_outbox.deliveries()[0].state is State.SENT
    assert "not proved: no queries here" in an_outbox.deliveries()[0].reason


def test_a_label_map_that_is_not_taken_is_replaced_by_its_binary_twin_and_that_is_noted(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience
) -> None:
    label_map = make_object(tmp_path, sop_class=LABELMAP)
    binary = make_object(tmp_path, sop_class=uid.SegmentationStorage)
    settings(a_shelf, f'refuse_sop_classes = ["{LABELMAP}"]')
    added = an_outbox.add([label_map], a_shelf, identity=KEEP, fallbacks={label_map: binary})
    assert added == Added(new=1, known=0)
    deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience)
    assert states(an_outbox) == {uid_of(label_map): "refused", uid_of(binary): "proved"}
    notes = {one.ref.sop_instance_uid: one.note for one in an_outbox.deliveries()}
    assert notes[uid_of(binary)] == "in place of another object: Label Map Segmentation Storage is not accepted"


def test_a_label_map_that_is_taken_needs_no_twin(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience
) -> None:
    label_map, binary = make_object(tmp_path, sop_class=LABELMAP), make_object(tmp_path, 2)
    an_outbox.add([label_map], a_shelf, identity=KEEP, fallbacks={label_map: binary})
    deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience)
    assert states(an_outbox) == {uid_of(label_map): "proved"}
    an_outbox.purge()
    an_outbox.forget(states=[State.PROVED])
    assert not list((an_outbox.folder / "files").rglob("*.dcm"))


def test_a_twin_that_may_still_be_needed_is_never_dropped(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience
) -> None:
    label_map, binary = make_object(tmp_path, sop_class=LABELMAP), make_object(tmp_path, 2)
    an_outbox.add([label_map], a_shelf, identity=KEEP, fallbacks={label_map: binary})
    an_outbox.purge()
    an_outbox.forget(states=[State.PROVED, State.REFUSED, State.FAILED])
    settings(a_shelf, f'refuse_sop_classes = ["{LABELMAP}"]')
    deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience)
    assert states(an_outbox)[uid_of(binary)] == "proved"


def test_purging_and_forgetting_keep_what_is_not_proved(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience
) -> None:
    settings(a_shelf, "fail_every = 2")
    an_outbox.add(make_objects(tmp_path / "in", 4), a_shelf, identity=KEEP)
    deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience)
    assert an_outbox.purge() == 2
    waiting = an_outbox.deliveries(states=OPEN)
    assert len(waiting) == 2
    assert all(one.file.exists() for one in waiting)
    assert len(list((an_outbox.folder / "files").rglob("*.dcm"))) == 2
    assert an_outbox.forget(states=[State.PROVED]) == 2
    assert len(an_outbox.deliveries()) == 2


def test_no_two_senders_claim_the_same(an_outbox: Outbox, a_shelf: Peer, tmp_path: Path) -> None:
    an_outbox.add(make_objects(tmp_path / "in", 5), a_shelf, identity=KEEP)
    with Outbox() as other, an_outbox.sender() as first, other.sender() as second:
        ours = an_outbox.claim("shelf", first, limit=3, now=1e12)
        theirs = other.claim("shelf", second, limit=9, now=1e12)
        assert (len(ours), len(theirs)) == (3, 2)
        assert not {one.sha256 for one in ours} & {one.sha256 for one in theirs}
        assert other.reclaim() == 0, "both are alive"
    assert {one.state for one in an_outbox.deliveries()} == {State.QUEUED}


def test_what_may_be_there_already_is_not_claimed(an_outbox: Outbox, a_shelf: Peer, tmp_path: Path) -> None:
    an_outbox.add(make_objects(tmp_path / "in", 2), a_shelf, identity=KEEP)
    an_outbox.update(an_outbox.deliveries()[0], State.QUEUED, unsure=1)
    with an_outbox.sender() as owner:
        assert [one.unsure for one in an_outbox.claim("shelf", owner, limit=9, now=1e12)] == [False]


def test_a_killed_senders_claims_are_taken_up_again(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience
) -> None:
    an_outbox.add(make_objects(tmp_path / "in", 3), a_shelf, identity=KEEP)
    code = (
        "import os, signal, sys; from slicermedai.pacs.outbox import Outbox\n"
        "box = Outbox()\n"
        "with box.sender() as owner:\n"
        "    print(len(box.claim('shelf', owner, limit=2, now=1e12)), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("2", -9)
    assert sorted(states(an_outbox).values()) == ["queued", "sending", "sending"]
    store = open_store(a_shelf)
    arrived = an_outbox.deliveries(states=[State.SENDING])[0]
    list(store.send([arrived.item]))
    done = deliver(an_outbox, a_shelf, store, patience=patience)
    assert (done.sent, done.proved) == (2, 3), "the one that had arrived is not sent again"


def test_a_cancelled_pass_gives_back_what_it_claimed(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience
) -> None:
    def stop(stage: str, fraction: float) -> None:
        raise JobCancelled("enough")

    an_outbox.add(make_objects(tmp_path / "in", 4), a_shelf, identity=KEEP)
    with pytest.raises(JobCancelled):
        deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience, progress=stop)
    assert sorted(states(an_outbox).values()) == ["queued", "queued", "sent", "sent"]
    assert deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience).proved == 4


@pytest.mark.parametrize("where", ["link", "copyfile"])
def test_a_full_disk_is_said_and_queues_nothing(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*given: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    def foreign(*given: object, **named: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    path = make_object(tmp_path)
    monkeypatch.setattr(os, "link", full if where == "link" else foreign)
    if where == "copyfile":
        monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(DiskFullError, match="nothing was queued"):
        an_outbox.add([path], a_shelf, identity=KEEP)
    monkeypatch.undo()
    assert an_outbox.deliveries() == []
    assert an_outbox.add([path], a_shelf, identity=KEEP).new == 1


def test_a_full_disk_under_the_ledger_is_said_and_queues_nothing(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path
) -> None:
    an_outbox._ledger._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(DiskFullError):
        an_outbox.add(make_objects(tmp_path / "in", 60), a_shelf, identity=KEEP)
    assert an_outbox.deliveries() == []
    an_outbox._ledger._connection.execute("PRAGMA max_page_count = 1000000")
    assert an_outbox.add(make_objects(tmp_path / "in", 60), a_shelf, identity=KEEP).new == 60


def test_a_damaged_ledger_is_said(a_home: Path) -> None:
    (a_home / "outbox").mkdir(parents=True)
    (a_home / "outbox" / "outbox.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(OutboxError, match="SQLITE_NOTADB"):
        Outbox()


def test_links_are_used_where_there_can_be_links(an_outbox: Outbox, a_shelf: Peer, tmp_path: Path) -> None:
    path = make_object(tmp_path)
    an_outbox.add([path], a_shelf, identity=KEEP)
    assert an_outbox.deliveries()[0].file.stat().st_ino == path.stat().st_ino


def test_the_audit_log_counts_and_names_nobody(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience
) -> None:
    paths = make_objects(tmp_path / "in", 2)
    an_outbox.add(paths, a_shelf, identity=KEEP, job_id="j1")
    deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience)
    text = log_path().read_text()
    assert verify().ok
    assert '"objects queued"' in text
    assert '"objects sent"' in text
    assert '"proved":2' in text
    for secret in ("MEDAI-1", "Invented", "A-1", uid_of(paths[0])):
        assert secret not in text


def test_a_destination_that_was_marked_otherwise_since_gets_nothing(
    an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience
) -> None:
    an_outbox.add([make_object(tmp_path)], a_shelf, identity=KEEP)
    research = dataclasses.replace(a_shelf, research=True)
    assert deliver(an_outbox, research, open_store(research), patience=patience).refused == 1
    assert "marked research" in an_outbox.deliveries()[0].reason
    assert not list(Path(a_shelf.path).glob("*/*/*.dcm"))


def test_a_slow_destination_is_waited_for(an_outbox: Outbox, a_shelf: Peer, tmp_path: Path, patience: Patience) -> None:
    settings(a_shelf, "seconds_per_object = 0.2")
    an_outbox.add(make_objects(tmp_path / "in", 2), a_shelf, identity=KEEP)
    assert deliver(an_outbox, a_shelf, open_store(a_shelf), patience=patience).proved == 2


def test_the_wait_is_jittered_and_capped() -> None:
    low = Patience(base=4, cap=60, chance=lambda: 0.0, clock=lambda: 0.0)
    high = dataclasses.replace(low, chance=lambda: 1.0)
    assert [low.next_try(n) for n in (0, 1, 2)] == [2.0, 4.0, 8.0]
    assert [high.next_try(n) for n in (0, 1, 2, 9, 500)] == [4.0, 8.0, 16.0, 60.0, 60.0]
