"""``slicermedai outbox list | send | retry | forget``: what is on its way to an archive.

``send`` speaks to networks by libraries that use threads: run it in a process of its own, never inside Slicer's.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.domain.result import RESULT, AnalysisResult
from slicermedai.domain.study import Identity
from slicermedai.errors import InputError, NoImagesError, PeerError

if TYPE_CHECKING:
    from slicermedai.pacs.deliver import Summary
    from slicermedai.pacs.outbox import Delivery, Outbox
    from slicermedai.pacs.peers import Peer

HELP = "follow and send what goes to archives"
EXIT_WAITING = 3


def add(commands: Any) -> None:
    """Add the command's parser with its actions."""
    actions = commands.add_parser("outbox", help=HELP, description="What is on its way to an archive.").add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = _action(actions, "list", "what is there, and where each object stands", do_list)
    listing.add_argument("--to", default="", metavar="PEER", help="of this destination alone")
    sending = _action(actions, "send", "queue files where some are given, and send what is due", do_send)
    sending.add_argument("sources", nargs="*", type=Path, metavar="SOURCE", help="DICOM files, or result folders")
    sending.add_argument("--to", default="", metavar="PEER", help="destination (default: all that something waits for)")
    sending.add_argument(
        "--identity", choices=[str(one) for one in Identity], help="route of files that do not say it themselves"
    )
    sending.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="try again meanwhile (default: one pass)"
    )
    for name, text, do in (
        ("retry", "queue again what was refused or set aside", do_retry),
        ("forget", "drop what is proved, refused or set aside; never what still waits", do_forget),
    ):
        action = _action(actions, name, text, do)
        action.add_argument("uids", nargs="*", metavar="UID", help="SOP Instance UIDs (default: all)")
        action.add_argument("--to", default="", metavar="PEER", help="of this destination alone")
    action.add_argument("--unproved", action="store_true", help="drop the named UIDs though they are not proved")


def do_list(given: argparse.Namespace) -> int:
    """Print a line an object and destination: state, destination, kind, UID, and why it waits."""
    with _outbox() as outbox:
        for one in outbox.deliveries(given.to):
            print("  ".join(_line(one)))
    return 0


def do_send(given: argparse.Namespace) -> int:
    """Queue what is given, send what is due, prove it. Ends with 3 where something still waits, 1 where something was
    refused or set aside.
    """
    from slicermedai.pacs.deliver import keep_delivering
    from slicermedai.pacs.outbox import OPEN
    from slicermedai.pacs.peers import load_peer, open_store

    worst = 0
    with _outbox() as outbox:
        if given.sources:
            _queue(outbox, load_peer(given.to), given.sources, given.identity)
        names = [given.to] if given.to else sorted({one.destination for one in outbox.deliveries(states=OPEN)})
        for name in names:
            try:
                peer = load_peer(name)
                done = keep_delivering(outbox, peer, open_store(peer), seconds=given.wait)
            except PeerError as error:  # the other destinations are not to blame
                print(f"slicermedai: {error}", file=sys.stderr)
                worst = 1
                continue
            print(_summed(name, done))
            worst = max(worst, EXIT_WAITING if done.waiting else 0, 1 if done.refused + done.failed else 0)
    return worst


def do_retry(given: argparse.Namespace) -> int:
    """Queue again what was refused or set aside."""
    with _outbox() as outbox:
        print(f"{outbox.retry(given.to, given.uids)} queued again")
    return 0


def do_forget(given: argparse.Namespace) -> int:
    """Drop what is proved, refused or set aside, with the files that nothing else needs. What still waits is dropped
    only where --unproved is said and each object is named.
    """
    from slicermedai.pacs.outbox import OPEN, State

    if given.unproved and not given.uids:
        raise InputError("needs the UIDs of what is to be dropped", attribute="--unproved")
    with _outbox() as outbox:
        closed = [state for state in State if state not in OPEN]
        closed += [State.QUEUED, State.SENT] if given.unproved else []
        print(f"{outbox.forget(given.to, given.uids, states=closed)} forgotten")
    return 0


def _action(actions: Any, name: str, text: str, do: Any) -> Any:
    parser = actions.add_parser(name, help=text, description=do.__doc__)
    parser.set_defaults(do=do)
    return parser


def _outbox() -> Outbox:
    from slicermedai.pacs.outbox import Outbox

    return Outbox()


def _queue(outbox: Outbox, peer: Peer, sources: list[Path], identity: str | None) -> None:
    from slicermedai.pacs.twins import with_twins

    route = None if identity is None else Identity(identity)
    for source in sources:
        recorded = route
        if (source / RESULT / f"{RESULT}.json").is_file():
            recorded = AnalysisResult.load(source).study.identity
        sending = with_twins(_files(source))
        added = outbox.add(sending.files, peer, identity=recorded, fallbacks=sending.fallbacks)
        print(f"{source}: {added.new} queued, {added.known} known already")


def _files(source: Path) -> list[Path]:
    """A file itself; of a result folder what was exported."""
    from slicermedai.pacs.objects import result_objects

    if not source.is_dir():
        return [source]
    found = result_objects(source)
    if not found:
        raise NoImagesError("holds no DICOM objects to send", file=source, advice="Export the result first.")
    return found


def _line(one: Delivery) -> list[str]:
    wait = one.next_try - time.time()
    when = f"next try in {wait:.0f} s" if wait > 0 and not one.reason.startswith("set aside") else ""
    parts = [f"{one.state:8}", one.destination, one.ref.kind, one.ref.sop_instance_uid, when, one.reason, one.note]
    return [part for part in parts if part]


def _summed(name: str, done: Summary) -> str:
    parts = [f"{done.sent} sent", f"{done.proved} proved"]
    parts += [f"{count} {word}" for count, word in ((done.refused, "refused"), (done.failed, "set aside")) if count]
    parts += [f"{done.waiting} waiting ({done.trouble or 'for the next try, or a proof'})"] if done.waiting else []
    return f"{name}: {', '.join(parts)}"
