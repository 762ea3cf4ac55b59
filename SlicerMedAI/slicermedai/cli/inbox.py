"""``slicermedai inbox run | list | retry | order``: studies that come in are run by rule.

``run`` listens and asks by libraries that use threads: it is a process of its own, never inside Slicer's.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.errors import JobError, MedAIError

if TYPE_CHECKING:
    from slicermedai.pacs.inbox import Arrived, Inbox, Task
    from slicermedai.pacs.inbox_poll import Poller
    from slicermedai.pacs.inbox_rules import Rules
    from slicermedai.pacs.outbox import Outbox

HELP = "run studies by rule as they come in"
_PAUSE = 0.5
_SWEEP = 3600.0


def add(commands: Any) -> None:
    """Add the command's parser with its actions."""
    actions = commands.add_parser("inbox", help=HELP, description="Studies that come in are run by rule.")
    actions = actions.add_subparsers(required=True, metavar="ACTION")
    running = _action(actions, "run", "listen, ask, and run what is complete, until it is stopped", do_run)
    running.add_argument("--once", action="store_true", help="do what is due now, and end")
    running.add_argument("--send", action="store_true", help="send from the outbox too")
    _action(actions, "list", "the studies, and where each stands", do_list)
    again = _action(actions, "retry", "let what was set aside or ignored begin again", do_retry)
    again.add_argument("key", nargs="?", default="", metavar="STUDY", help="as list names it (default: all)")
    order = _action(actions, "order", "fetch the study that an HL7 version 2 message names", do_order)
    order.add_argument("file", type=Path, metavar="FILE", help="one ORM, OMI or ORU message")


def do_run(given: argparse.Namespace) -> int:
    """Receive by C-STORE, ask the archive that the rules name, take orders by HL7, and run each study when it is
    complete. Results go to the outbox. A study that fails again and again is set aside, and the rest goes on.
    """
    from slicermedai.jobs.interrupts import interruptible
    from slicermedai.pacs.outbox import Outbox

    with interruptible(), _inbox(given) as inbox, inbox.running(), Outbox() as outbox, _doors(inbox):
        rounds = _Rounds(inbox, outbox, send=given.send)
        print(f"{inbox.folder}: running", flush=True)
        while True:
            busy = rounds.turn()
            if given.once and not busy:
                return 0
            time.sleep(0 if busy else _PAUSE)


def do_list(given: argparse.Namespace) -> int:
    """Print a line a study: its name here, where it stands, its tries, why, and the results superseded."""
    with _inbox(given) as inbox:
        for one in inbox.studies():
            older = len(inbox.pieces.superseded(one.key))
            told = f"{older} results superseded" if older else ""
            print("  ".join(filter(None, (one.key, str(one.state), f"{one.tries} tries", one.reason, told))))
        rejected = len(list((inbox.folder / "rejected").glob("*.dcm")))
        if rejected:
            print(f"{inbox.folder / 'rejected'}: {rejected} files that are no objects, or others under a known UID")
    return 0


def do_retry(given: argparse.Namespace) -> int:
    """Let what was set aside or ignored begin again."""
    with _inbox(given) as inbox:
        print(f"{inbox.retry(given.key)} begin again")
    return 0


def do_order(given: argparse.Namespace) -> int:
    """Hand over one HL7 version 2 message (ORM^O01, OMI^O23, ORU^R01); the study is fetched when it is there."""
    from slicermedai.domain.storage import atomic_file
    from slicermedai.errors import InputError
    from slicermedai.pacs.hl7 import parse_order
    from slicermedai.pacs.inbox import inbox_folder

    try:
        data = given.file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=given.file) from error
    parse_order(data)
    folder = inbox_folder() / "orders"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with atomic_file(folder / f"{time.time_ns()}.hl7") as partial:
        partial.write_bytes(data)
    print("taken")
    return 0


class _Rounds:
    """What is done again and again; trouble with one part is told, and the others go on."""

    def __init__(self, inbox: Inbox, outbox: Outbox, *, send: bool) -> None:
        self._inbox, self._outbox, self._send = inbox, outbox, send
        self._poller = _poller(inbox, inbox.rules.poll.peer)
        self._counter = _poller(inbox, inbox.rules.expected_from)
        self._next_poll = self._next_sweep = 0.0

    def turn(self) -> bool:
        """One round; True where a study was run, so that another may be due."""
        _tell(self._inbox.collect)
        if self._poller is not None and time.monotonic() >= self._next_poll:
            _tell(self._poller.follow_orders)
            _tell(self._poller.poll)
            _tell(self._inbox.collect)
            self._next_poll = time.monotonic() + self._inbox.rules.poll.every_seconds
        if time.monotonic() >= self._next_sweep:
            _tell(self._inbox.sweep)
            self._next_sweep = time.monotonic() + _SWEEP
        expected = None if self._counter is None else self._counter.expected
        ran: list[Arrived | None] = []
        _tell(lambda: ran.append(self._inbox.step(_submit, self._outbox, expected=expected)))
        for one in filter(None, ran):
            print("  ".join(filter(None, (one.key, str(one.state), one.reason))), flush=True)
        if self._send:
            _tell(self._deliver)
        return any(ran)

    def _deliver(self) -> None:
        from slicermedai.pacs.deliver import deliver
        from slicermedai.pacs.outbox import OPEN
        from slicermedai.pacs.peers import load_peer, open_store

        now = time.time()
        due = {one.destination for one in self._outbox.deliveries(states=OPEN) if one.next_try <= now}
        for peer in map(load_peer, sorted(due)):
            deliver(self._outbox, peer, open_store(peer))


def _submit(task: Task) -> None:
    """Run one task as a job of its own, in a child process."""
    from slicermedai.console.verbs import submit_job
    from slicermedai.jobs.specs import RunJob

    job = RunJob(
        source=str(task.source), bundle=task.bundle, identity=task.identity, output=str(task.output), report=False
    )
    with submit_job(job) as handle:
        if not handle.wait(task.minutes * 60):
            raise JobError(f"took longer than {task.minutes:g} minutes", advice="Raise most_minutes in the rules.")
        if handle.error is not None:
            raise handle.error


def _tell(act: Callable[[], object]) -> None:
    try:
        act()
    except MedAIError as error:
        print(f"slicermedai: {error}", file=sys.stderr, flush=True)


def _poller(inbox: Inbox, name: str) -> Poller | None:
    from slicermedai.pacs.inbox_poll import Poller
    from slicermedai.pacs.peers import load_peer, open_store

    return Poller(inbox, open_store(load_peer(name)), name) if name else None


@contextlib.contextmanager
def _doors(inbox: Inbox) -> Any:
    """The ports that the rules ask for."""
    listen = inbox.rules.listen
    with contextlib.ExitStack() as stack:
        if listen.port:
            stack.enter_context(_storage(inbox))
        if listen.hl7_port:
            from slicermedai.pacs.mllp import listening_for_orders

            stack.enter_context(listening_for_orders(inbox.folder / "orders", listen.hl7_port, host=listen.hl7_host))
        yield


def _storage(inbox: Inbox) -> Any:
    from slicermedai.errors import MissingPackageError
    from slicermedai.pacs.inbox import sender_folder

    try:
        from slicermedai.pacs import receive
    except ModuleNotFoundError as error:
        raise MissingPackageError("is not installed, and receives", attribute=error.name) from error
    listen = inbox.rules.listen
    listener = receive.Listener(port=listen.port, ae_title=listen.ae_title, host=listen.host, senders=listen.senders)
    store = receive.storing(lambda sender, uid: inbox.incoming / sender_folder(sender) / f"{uid}.dcm", _kept)
    return receive.listening(listener, [(receive.STORE, store)])


def _kept(sender: str, path: Path) -> None:
    """Nothing more: the file itself says that it came."""


def _inbox(given: argparse.Namespace) -> Inbox:
    from slicermedai.pacs.inbox import Inbox

    return Inbox(_rules(given))


def _rules(given: argparse.Namespace) -> Rules:
    from slicermedai.domain.settings import present
    from slicermedai.pacs.inbox_rules import load_rules

    return load_rules(given.rules or Path(present("inbox")))


def _action(actions: Any, name: str, text: str, do: Any) -> Any:
    parser = actions.add_parser(name, help=text, description=do.__doc__)
    parser.add_argument("--rules", type=Path, metavar="FILE", help="default: as set, or inbox.toml in the home")
    parser.set_defaults(do=do)
    return parser
