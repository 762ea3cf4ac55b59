"""``slicermedai``: exit code 0 done, 1 an error in words, 2 wrong arguments, 130 cancelled."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import slicermedai
from slicermedai.cli import audit, bundle, export, run
from slicermedai.errors import JobCancelled, MedAIError

COMMANDS = (run, export, bundle, audit)
EXIT_ERROR, EXIT_CANCELLED = 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        job = run.job_file(words)
        if job is not None:
            return run.work(job, words)
        given = parser().parse_args(words)
        return int(given.do(given))
    except (JobCancelled, KeyboardInterrupt):
        print("slicermedai: cancelled, nothing was left behind", file=sys.stderr)
        return EXIT_CANCELLED
    except MedAIError as error:
        print(f"slicermedai: {error}", file=sys.stderr)
        return EXIT_ERROR


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    made = argparse.ArgumentParser(
        prog="slicermedai",
        description="MONAI models on clinical images. Research use only: not a medical device.",
    )
    made.add_argument("--version", action="version", version=f"slicermedai {slicermedai.__version__}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return made
