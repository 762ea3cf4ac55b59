"""A campaign of kills: a sender and a real archive die at random moments until all objects are proved."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from slicermedai.domain.study import Identity
from slicermedai.pacs.outbox import Outbox, State
from slicermedai.pacs.peers import Peer, load_peer, open_store, save_peers
from Testing.pacs.objects import make_object, uid_of
from Testing.pacs.orthanc import Orthanc

ROOT = Path(__file__).resolve().parents[2]
PER_STUDY = 50


@dataclass(frozen=True)
class Figures:
    """What came of it. ``lost`` objects are not in the archive, ``doubled`` ones more than once."""

    objects: int
    lost: int
    doubled: int
    not_proved: int
    sender_kills: int
    archive_kills: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.objects} objects, {self.sender_kills} kills of the sender, {self.archive_kills} of the archive: "
            f"{self.lost} lost, {self.doubled} duplicated, {self.not_proved} not proved ({self.seconds:.0f} s)"
        )


def campaign(archive: Orthanc, folder: Path, *, objects: int, kind: str, seed: int, step: int) -> Figures:
    """Queue ``objects``, send them by ``kind`` ("dimse" or "web"), and kill one side after each few objects.

    After 1 to ``step`` objects have moved, that is, and a few milliseconds. The home is that of the environment.
    """
    chance, start = random.Random(seed), time.monotonic()
    peer = archive.web() if kind == "web" else archive.dimse()
    save_peers([peer])
    paths = [make_object(folder, n, study=f"1.2.826.7.{n // PER_STUDY}", size=20_000) for n in range(objects)]
    with Outbox() as outbox:
        for number in range(0, objects, PER_STUDY):
            outbox.add(paths[number : number + PER_STUDY], peer, identity=Identity.KEEP)
    kills: Counter[str] = Counter()
    while not _is_done():
        _strike(archive, peer, chance, kills, step)
    kept = Counter(archive.instances())
    uids = {uid_of(path) for path in paths}
    with Outbox() as outbox:
        open_ = [one for one in outbox.deliveries() if one.state is not State.PROVED]
    return Figures(
        objects=objects,
        lost=len(uids - set(kept)),
        doubled=sum(count - 1 for count in kept.values()) + len(set(kept) - uids),
        not_proved=len(open_),
        sender_kills=kills["sender"],
        archive_kills=kills["archive"],
        seconds=time.monotonic() - start,
    )


def _strike(archive: Orthanc, peer: Peer, chance: random.Random, kills: Counter[str], step: int) -> None:
    """Two senders at once; in the midst of it one of them, or the archive, is killed, and then the other too."""
    senders = [subprocess.Popen([sys.executable, "-m", __name__, peer.name], cwd=ROOT) for _ in range(2)]
    try:
        for victim in chance.sample(senders, 2):
            _await_moves(chance.randint(1, step), senders)
            time.sleep(chance.random() * 0.05)
            if chance.random() < 0.3:
                kills["archive"] += 1
                archive.kill()
                archive.start()
            elif victim.poll() is None:
                kills["sender"] += 1
                victim.kill()
    finally:
        for sender in senders:
            kills["sender"] += sender.poll() is None
            sender.kill()
            sender.wait()


def _await_moves(moves: int, senders: list[subprocess.Popen[bytes]]) -> None:
    """Return when that many objects have changed their state, or nobody is left that could move them."""
    deadline = time.monotonic() + 20
    with Outbox() as outbox:
        before = _moved(outbox)
        while any(sender.poll() is None for sender in senders) and time.monotonic() < deadline:
            if _moved(outbox) - before >= moves:
                return
            time.sleep(0.02)


def _moved(outbox: Outbox) -> int:
    weights = {State.SENT: 1, State.PROVED: 2}
    return sum(weights.get(one.state, 0) for one in outbox.deliveries())


def _is_done() -> bool:
    with Outbox() as outbox:
        return all(one.state is State.PROVED for one in outbox.deliveries())


def main(name: str) -> None:
    """A sender: what :mod:`slicermedai.cli.outbox` does, with less patience."""
    from slicermedai.pacs.deliver import Patience, keep_delivering

    patience = Patience(base=0.05, cap=0.5, faults=1000, batch=8)
    peer = load_peer(name)
    with Outbox() as outbox:
        keep_delivering(outbox, peer, open_store(peer), seconds=600, patience=patience)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(ROOT / "SlicerMedAI"))
    main(sys.argv[1])
