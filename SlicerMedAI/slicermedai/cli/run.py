"""``slicermedai run SOURCE``: analyse a study. ``run job.json`` is the worker that does it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from slicermedai.cli.options import add_options, job_from
from slicermedai.cli.supervise import supervise
from slicermedai.jobs.specs import RunJob

HELP = "analyse a study and leave a result folder"
_SUPERVISED = "--supervised"


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("run", help=HELP, description=RunJob.__doc__)
    add_options(parser, RunJob)
    parser.set_defaults(do=do)


def do(given: argparse.Namespace) -> int:
    """Supervise a child that runs the job of the arguments."""
    return supervise(job_from(RunJob, given))


def job_file(arguments: list[str]) -> Path | None:
    """The job file, where the arguments are the worker's: ``run [--supervised] JOB.json``."""
    rest = [argument for argument in arguments[1:] if argument != _SUPERVISED]
    is_worker = arguments[:1] == ["run"] and len(rest) == 1 and rest[0].lower().endswith(".json")
    return Path(rest[0]) if is_worker else None


def work(path: Path, arguments: list[str]) -> int:
    """Be the worker for the job in ``path``: JSON lines on stdout, see :mod:`slicermedai.jobs.child`."""
    from slicermedai.cli.execute import execute
    from slicermedai.jobs.child import serve

    return serve(path, execute, supervised=_SUPERVISED in arguments)
