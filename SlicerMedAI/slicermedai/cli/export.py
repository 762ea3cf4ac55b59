"""``slicermedai export RESULT``: write a saved result in other formats."""

from __future__ import annotations

import argparse
from typing import Any

from slicermedai.cli.options import add_options, job_from
from slicermedai.cli.supervise import supervise
from slicermedai.jobs.specs import ExportJob

HELP = "write a saved result in other formats"


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("export", help=HELP, description=ExportJob.__doc__)
    add_options(parser, ExportJob)
    parser.set_defaults(do=do)


def do(given: argparse.Namespace) -> int:
    """Supervise a child that runs the job of the arguments."""
    return supervise(job_from(ExportJob, given))
