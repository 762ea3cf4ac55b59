"""``slicermedai deid INPUT OUTPUT``: 0 done, 1 nothing written, 3 a step not done, 4 files left out, 130 stopped."""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from slicermedai.cli.options import add_options, job_from
from slicermedai.cli.parser import Parser
from slicermedai.cli.passphrase import asked, asked_twice
from slicermedai.cli.supervise import supervise
from slicermedai.errors import JobCancelled
from slicermedai.jobs.interrupts import EXIT_CANCELLED
from slicermedai.jobs.kinds import KINDS
from slicermedai.jobs.places import unfinished
from slicermedai.jobs.specs import DeidJob

EXIT_NOT_ALL, EXIT_LEFT_OUT = 3, 4
_NAMED = 20


def add(commands: Any) -> None:
    """Add the command's parser."""
    kind = KINDS[DeidJob.kind]
    parser: Parser = commands.add_parser(DeidJob.kind, help=kind.help, description=f"{DeidJob.__doc__} {_EXITS}")
    add_options(parser, DeidJob)
    for action in parser._actions:
        if action.dest == "output":  # a preview makes none
            action.nargs, action.required, action.default = "?", False, ""
    parser.add_argument("--preview", action="store_true", help="write nothing; print what would be done, and why")
    parser.add_argument(
        "--show-values",
        action="store_true",
        help="with --preview: print values before and after; those before are patient data",
    )
    parser.catalogue = catalogue
    parser.set_defaults(do=partial(do, parser))


def do(parser: Parser, given: argparse.Namespace) -> int:
    """Look, or do it and tell what was left out.

    Raises
    ------
    MedAIError
        What ended the job.
    """
    from slicermedai.deid.request import choice_of

    if not given.output and not given.preview:
        parser.error("the following arguments are required: output")
    job = job_from(DeidJob, given)
    choice_of(job)
    secrets = _secrets(job)
    if given.preview:
        from slicermedai.cli.deid_preview import show_preview

        return show_preview(job, secrets=secrets, values=given.show_values)
    try:
        code = supervise(job, secrets=secrets)
    except JobCancelled:
        return _stopped(job)
    return _tell_left_out(job) or code


def catalogue() -> str:
    """Presets and options, for the end of the help."""
    from slicermedai.deid.presets import PRESETS
    from slicermedai.deid.profile import Option

    rows = [f"  {name:<18} {preset.title}: {preset.explanation[0]}" for name, preset in PRESETS.items()]
    options = [f"  {option.value:<18} {option.code.meaning}" for option in Option]
    return "\n".join(["presets:", *rows, "", "options:", *options, ""])


_EXITS = (
    "Exit codes: 0 all files were written, 1 nothing was, 3 all were, but a step that was asked for was not done in "
    "some (it is named), 4 some were left out (each is named), 130 stopped."
)


def _secrets(job: DeidJob) -> dict[str, str]:
    """The passphrase, asked for before the worker starts; a table that is to be made has it typed twice."""
    from slicermedai.deid.keystore import needs_passphrase
    from slicermedai.deid.request import wants_passphrase
    from slicermedai.deid.sealed import PASSPHRASE_VARIABLE

    if job.key and not needs_passphrase(Path(job.key)):
        print("slicermedai: the project key is not encrypted; seal it with a passphrase", file=sys.stderr)
    if not wants_passphrase(job):
        return {}
    opens = (job.key and needs_passphrase(Path(job.key))) or os.path.lexists(job.table)
    return {PASSPHRASE_VARIABLE: asked() if opens else asked_twice()}


def _stopped(job: DeidJob) -> int:
    if not unfinished(Path(job.output)):
        raise JobCancelled("the job was cancelled")
    print("slicermedai: stopped; nothing was written. The same command goes on where it was.", file=sys.stderr)
    return EXIT_CANCELLED


def _tell_left_out(job: DeidJob) -> int:
    """Name what was left out, without identity; and what was not done; returns the exit code."""
    report = json.loads((Path(job.output) / "report.json").read_text(encoding="utf-8"))
    amiss = [one for one in report["left_out"] if not one["asked_for"]]
    for one in amiss[:_NAMED]:
        print(f"slicermedai: left out: {one['source']}: {one['reason']}", file=sys.stderr)
    if len(amiss) > _NAMED:
        print(f"slicermedai: and {len(amiss) - _NAMED} more; see report.html", file=sys.stderr)
    if amiss:
        print(f"slicermedai: {_which(job)}", file=sys.stderr)
    if report["review"]:
        print(f"slicermedai: {len(report['review'])} files have text that a person should look at", file=sys.stderr)
    for one in report["missed"]:
        print(f"slicermedai: not done: {one['sentence']}", file=sys.stderr)
    return EXIT_LEFT_OUT if amiss else EXIT_NOT_ALL if report["missed"] else 0


def _which(job: DeidJob) -> str:
    """How to find out which files those are."""
    if job.review:
        return f"which files these are says left-out.csv in {job.review}"
    return (
        "their names may be identity and are not shown: files are numbered in the order of their paths; with "
        "--review FOLDER, left-out.csv in that folder says which is which"
    )
