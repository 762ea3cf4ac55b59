"""``slicermedai estimate SOURCE``: what ``slicermedai run`` with the same words would take here; nothing is run."""

from __future__ import annotations

import argparse
import dataclasses
from functools import partial
from typing import Any

from slicermedai.cli.job import catalogue
from slicermedai.cli.options import add_options, job_from
from slicermedai.cli.parser import Parser
from slicermedai.jobs.specs import RunJob

HELP = "what a run would take on this machine: time, memory, arithmetic"
_NOT_OF_A_RUN = ("source", "bundle", "output", "inputs")


def add(commands: Any) -> None:
    """Add the command's parser: the words of ``slicermedai run``."""
    text = "Say what a run with these options would take on this machine. Nothing is run, and nothing is written."
    parser: Parser = commands.add_parser("estimate", help=HELP, description=text)
    add_options(parser, RunJob)
    parser.catalogue = partial(catalogue, RunJob)
    parser.set_defaults(do=do)


def do(given: argparse.Namespace) -> int:
    """Print one line; this process loads torch itself."""
    from slicermedai.console.estimates import answer_to, request_of, told

    job = job_from(RunJob, given)
    options = {f.name: getattr(job, f.name) for f in dataclasses.fields(job) if f.name not in _NOT_OF_A_RUN}
    request = request_of(job.source, job.bundle, {**options, "inputs": job.inputs})
    print(told(request, answer_to(request)).in_words)
    return 0
