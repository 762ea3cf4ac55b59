"""From the words of a command line to what is done, and from errors to exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable

import slicermedai
from slicermedai.cli import (
    audit,
    batch,
    bundle,
    deid,
    deid_key,
    estimate,
    inbox,
    job,
    outbox,
    packages,
    retrieve,
    settings,
    trust,
    worker,
)
from slicermedai.cli.parser import Parser
from slicermedai.errors import JobCancelled, MedAIError

COMMANDS = (job, estimate, batch, deid, bundle, deid_key, outbox, retrieve, inbox, audit, trust, packages, settings)
EXIT_ERROR = 1

Act = Callable[[], int]


def understand(words: list[str]) -> Act:
    """What ``words`` ask for; help, version and wrong arguments are answered here, by :class:`SystemExit`."""
    path = worker.job_file(words)
    if path is not None:
        return lambda: worker.work(path, words)
    given = parser().parse_args(words)
    return lambda: int(given.do(given))


def obey(act: Act) -> int:
    """Do it; returns the exit code. A cancelled job raises KeyboardInterrupt, as Ctrl-C does."""
    try:
        return act()
    except JobCancelled as error:
        raise KeyboardInterrupt from error
    except MedAIError as error:
        print(f"slicermedai: {error}", file=sys.stderr)
        return EXIT_ERROR


def parser() -> Parser:
    """The parser of all commands."""
    made = Parser(
        prog="slicermedai",
        description="MONAI models on clinical images. Research use only: not a medical device.",
    )
    made.add_argument("--version", action="version", version=f"slicermedai {slicermedai.__version__}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return made
