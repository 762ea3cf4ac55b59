"""What sending, proving and fetching cost on a real archive (Debian's Orthanc on loopback)."""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from slicermedai.pacs.objects import read_object
from slicermedai.pacs.peers import open_store
from slicermedai.pacs.store import Pace, SendItem, Store, Verdict
from Testing.pacs.objects import STUDY, make_objects
from Testing.pacs.orthanc import running


def main(arguments: list[str]) -> int:
    """Print milliseconds an object for each transport."""
    parser = argparse.ArgumentParser(prog="Scripts/bench pacs", description=__doc__)
    parser.add_argument("--objects", type=int, default=100, help="how many (default: 100)")
    parser.add_argument("--size", type=int, default=20_000, help="bytes of pixels in each (default: 20000)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, running(Path(folder) / "orthanc") as archive:
        paths = make_objects(Path(folder) / "in", given.objects, size=given.size)
        items = [SendItem(file=path, ref=read_object(path)) for path in paths]
        peers = {
            "C-STORE, C-FIND, C-GET": archive.dimse(),
            "C-STORE, commitment, C-MOVE": archive.dimse(proof="commitment", retrieve="move"),
            "STOW, QIDO, WADO": archive.web(),
        }
        for number, (name, peer) in enumerate(peers.items()):
            archive.clear()
            store, back = open_store(peer), Path(folder) / f"back{number}"
            seconds = _seconds(store, items, back)
            if seconds is None:
                print(f"{name}: NOT MEASURED: not all objects were taken, proved and fetched")
                return 1
            each = [f"{1000 * one / given.objects:.1f}" for one in seconds]
            print(f"{name}: sent {each[0]}, proved {each[1]}, fetched {each[2]} ms an object", flush=True)
    return 0


def _seconds(store: Store, items: list[SendItem], back: Path) -> list[float] | None:
    """Seconds to send, to prove and to fetch all; None where any of it was not done for every object."""
    moments = [time.perf_counter()]
    outcomes = list(store.send(items))
    moments.append(time.perf_counter())
    proved = store.verify([item.ref for item in items])
    moments.append(time.perf_counter())
    store.retrieve(STUDY, back, pace=Pace())
    moments.append(time.perf_counter())
    taken = [one for one in outcomes if one.verdict is Verdict.ACCEPTED]
    if not len(taken) == len(proved) == len(list(back.iterdir())) == len(items):
        return None
    return [later - earlier for earlier, later in pairwise(moments)]
